"""The simulated venue without its wires: refusals, lifetimes, money."""

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulators.admission import OrderRequest
from adapters.simulators.binance.instruments import USDM
from adapters.simulators.exchange import Exchange
from adapters.simulators.instruments import EIGHT_HOURS_MS
from adapters.simulators.journal import Journal, Opened
from adapters.simulators.ledger import Order
from adapters.simulators.recovery import compacted, restore
from adapters.simulators.refusals import Refusal, Refused

NOW = 1_700_000_000_000
ETH = "ETHUSDT"
D = Decimal


def exchange(deposit: str = "100000") -> Exchange:
    made = Exchange(USDM, {"USDT": D(deposit)}, now_ms=NOW)
    made.set_market(ETH, [(200_000, 5_000), (199_990, 9_000)], [(200_001, 4_000), (200_010, 8_000)], NOW)
    return made


def ask(**changes: object) -> OrderRequest:
    fields: dict[str, object] = {
        "symbol": ETH,
        "side": "SELL",
        "type": "LIMIT",
        "quantity": D(1),
        "price": D(2000),
        "time_in_force": "IOC",
        "client_id": "a-1",
    }
    fields.update(changes)
    return OrderRequest(**fields)  # pyright: ignore[reportArgumentType] - a test's shorthand


def refusal(venue: Exchange, request: OrderRequest) -> Refusal:
    before = (dict(venue.orders), dict(venue.ledger.wallets))
    with pytest.raises(Refused) as caught:
        venue.place(request, NOW)
    assert (dict(venue.orders), dict(venue.ledger.wallets)) == before, "a refusal changes nothing"
    return caught.value.kind


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (ask(symbol="DOGEUSDT"), Refusal.UNKNOWN_SYMBOL),
        (ask(price=None), Refusal.MISSING),
        (ask(quantity=D("0.0001")), Refusal.SIZE_TOO_SMALL),
        (ask(quantity=D("1.0001")), Refusal.SIZE_PRECISION),
        (ask(quantity=D(0)), Refusal.SIZE_NOT_POSITIVE),
        (ask(quantity=D(10001)), Refusal.SIZE_TOO_BIG),
        (ask(price=D("2000.001")), Refusal.PRICE_PRECISION),
        (ask(price=D(-1)), Refusal.PRICE_NOT_POSITIVE),
        (ask(price=D(1800)), Refusal.PRICE_BAND_BELOW),
        (ask(side="BUY", price=D(2200)), Refusal.PRICE_BAND_ABOVE),
        (ask(quantity=D("0.009")), Refusal.MIN_NOTIONAL),
        (ask(quantity=D(5000)), Refusal.INSUFFICIENT_MARGIN),
        (ask(reduce_only=True), Refusal.REDUCE_ONLY),
        (ask(time_in_force="POST"), Refusal.POST_ONLY_WOULD_TAKE),
    ],
)
def test_refusals_say_why(request_: OrderRequest, kind: Refusal) -> None:
    assert refusal(exchange(), request_) == kind


def test_a_market_order_into_an_empty_side_is_refused() -> None:
    venue = exchange()
    venue.set_market(ETH, [(200_000, 0), (199_990, 0)], [], NOW)
    assert refusal(venue, ask(type="MARKET", price=None, time_in_force="GTC")) == Refusal.NO_COUNTERPARTY


def test_a_client_id_is_taken_while_its_order_is_open_and_free_after() -> None:
    venue = exchange()
    venue.place(ask(price=D(2050), time_in_force="GTC"), NOW)
    assert refusal(venue, ask()) == Refusal.DUPLICATE_CLIENT_ID
    venue.cancel(ETH, None, "a-1", NOW)
    assert venue.place(ask(), NOW).status == "FILLED"


def test_unknown_orders() -> None:
    venue = exchange()
    with pytest.raises(Refused, match="unknown_order"):
        venue.order(ETH, None, "nobody")
    with pytest.raises(Refused, match="cancel_unknown"):
        venue.cancel(ETH, 7, None, NOW)


@pytest.mark.parametrize(
    ("tif", "quantity", "status", "filled"),
    [
        ("IOC", "5", "FILLED", "5"),
        ("IOC", "7", "EXPIRED", "5"),
        ("FOK", "7", "EXPIRED", "0"),
        ("FOK", "5", "FILLED", "5"),
        ("GTC", "7", "PARTIALLY_FILLED", "5"),
    ],
)
def test_lifetimes(tif: str, quantity: str, status: str, filled: str) -> None:
    venue = exchange()
    order = venue.place(ask(time_in_force=tif, quantity=D(quantity)), NOW)
    assert (order.status, D(order.filled) / 1000) == (status, D(filled))
    assert venue.ledger.positions[ETH].quantity == -D(filled)
    assert venue.books[ETH].resting(order.order_id) == (2000 if tif == "GTC" else 0)


def test_fees_and_profit_reach_the_wallet() -> None:
    venue = exchange()
    venue.place(ask(), NOW)
    venue.place(ask(side="BUY", price=D("2000.01"), client_id="a-2", reduce_only=True), NOW)
    fees = D("2000.00") * D("0.0005") + D("2000.01") * D("0.0005")
    assert venue.ledger.wallets["USDT"] == D(100000) - D("0.01") - fees
    assert venue.ledger.positions[ETH].quantity == 0


def test_a_resting_order_earns_the_makers_fee() -> None:
    venue = exchange()
    venue.place(ask(price=D("2000.01"), time_in_force="POST"), NOW)
    venue.market_trade(ETH, "BUY", 200_001, 5_000, NOW + 1)
    trade = venue.ledger.trades[-1]
    assert trade.maker
    assert trade.commission == D("2000.01") * D("0.0002")


def test_two_resting_reducers_never_turn_the_position() -> None:
    venue = exchange()
    venue.place(ask(side="BUY", price=D("2000.01"), quantity=D(4)), NOW)
    for name, price in (("r1", D("2000.50")), ("r2", D("2000.60"))):
        venue.place(ask(client_id=name, price=price, quantity=D(4), reduce_only=True, time_in_force="GTC"), NOW)
    venue.set_market(ETH, [(200_100, 50_000)], [], NOW)
    assert venue.ledger.positions[ETH].quantity == 0
    assert [venue.order(ETH, None, name).status for name in ("r1", "r2")] == ["FILLED", "EXPIRED"]


def test_funding_is_paid_once_at_each_boundary() -> None:
    venue = exchange()
    venue.place(ask(), NOW)
    wallet = venue.ledger.wallets["USDT"]
    later = NOW - NOW % EIGHT_HOURS_MS + EIGHT_HOURS_MS
    for _ in range(2):
        venue.set_market(ETH, [], [], later)
    assert venue.ledger.wallets["USDT"] - wallet == D("0.2000005")
    assert venue.ledger.income[-1].kind == "FUNDING_FEE"


def test_a_forced_close_says_what_it_was() -> None:
    venue = exchange()
    venue.place(ask(quantity=D(2)), NOW)
    order = venue.force_close(ETH, 1_000, "liquidation", NOW)
    assert order.origin == "liquidation"
    assert venue.ledger.positions[ETH].quantity == D(-1)
    assert venue.force_close(ETH, 1_000, "adl", NOW).origin == "adl"


orders = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from(["GTC", "IOC", "FOK", "POST", "MARKET"]),
        st.integers(199_985, 200_015),
        st.integers(10, 9_000),
        st.booleans(),
    ),
    max_size=25,
)


@given(orders)
@settings(max_examples=150, deadline=None)
def test_a_position_is_the_sum_of_its_fills_and_a_journal_brings_all_of_it_back(
    script: list[tuple[str, str, int, int, bool]],
) -> None:
    venue = exchange("50000")
    kept = list(venue.drain().records)
    for i, (side, tif, price, size, reduces) in enumerate(script):
        at_market = tif == "MARKET"
        request = ask(
            side=side,
            type="MARKET" if at_market else "LIMIT",
            time_in_force="GTC" if at_market else tif,
            price=None if at_market else D(price) / 100,
            quantity=D(size) / 1000,
            reduce_only=reduces,
            client_id=f"c-{i}",
        )
        with contextlib.suppress(Refused):
            venue.place(request, NOW + i)
        if i % 3 == 0:
            venue.set_market(ETH, [(price - 3, size)], [(price + 3, size)], NOW + i)
        kept.extend(venue.drain().records)
    trades = venue.ledger.trades
    signed = sum((t.quantity if t.side == "BUY" else -t.quantity for t in trades), D(0))
    assert venue.ledger.positions[ETH].quantity == signed
    assert venue.ledger.wallets["USDT"] == D(50000) + sum((t.realised - t.commission for t in trades), D(0))
    for order in venue.orders.values():
        mine = [t for t in trades if t.order_id == order.order_id]
        assert sum((t.quantity for t in mine), D(0)) == D(order.filled) / 1000
        assert order.filled <= order.quantity
    for records in (kept, compacted(kept)):
        again = Exchange(USDM, {"USDT": D(50000)}, now_ms=NOW)
        restore(again, records)
        same(again, venue)
    assert len(compacted(kept)) <= len(kept)


def same(again: Exchange, venue: Exchange) -> None:
    assert again.orders == venue.orders
    assert again.ledger.trades == venue.ledger.trades
    assert again.ledger.income == venue.ledger.income
    assert again.ledger.wallets == venue.ledger.wallets
    assert again.ledger.positions == venue.ledger.positions
    assert [o.order_id for o in again.open_orders(None)] == [o.order_id for o in venue.open_orders(None)]


def test_a_torn_last_line_was_never_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    opened = Opened(deposits={"USDT": D(5)}, api_key="k")
    journal.append([opened])
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"type":"order","ord')
    assert list(Journal.read(path)) == [opened]
    assert list(Journal.read(path)) == [opened]
    assert path.read_bytes().endswith(b"\n")


def test_an_order_is_not_shared_with_its_record() -> None:
    venue = exchange()
    order: Order = venue.place(ask(price=D(2050), time_in_force="GTC"), NOW)
    record = venue.drain().records[0]
    venue.cancel(ETH, order.order_id, None, NOW)
    assert getattr(record, "order").status == "NEW"  # noqa: B009 - one of a union
