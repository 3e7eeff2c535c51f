"""The engine's money, whatever a market counts in: linear, inverse, spot; and the habits in which venues differ."""

import contextlib
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simulators.admission import OrderRequest, Policy
from adapters.simulators.binance.instruments import BTCUSD, ETHUSD, ETHUSDT, SPOT
from adapters.simulators.exchange import Exchange
from adapters.simulators.happenings import AccountChanged, FundingPaid, OrderChanged
from adapters.simulators.instruments import EIGHT_HOURS_MS, Instrument
from adapters.simulators.journal import Record
from adapters.simulators.recovery import compacted, restore
from adapters.simulators.refusals import Refusal, Refused

D = Decimal
NOW = 1_700_000_000_000
HOUR_MS = 3_600_000
DUST = D("1e-6")
ETH_SPOT = SPOT[0]
DEPOSITS = {"USDT": D(500_000), "ETH": D(300), "BTC": D(10)}
HOURLY = msgspec.structs.replace(ETHUSD, funding_interval_ms=HOUR_MS)

steps = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.sampled_from(["GTC", "IOC", "FOK", "POST", "MARKET"]),
        st.integers(199_000, 201_000),
        st.integers(1, 60),
        st.booleans(),
        st.integers(0, 3 * HOUR_MS),
    ),
    max_size=30,
)


def crowd(exchange: Exchange, instrument: Instrument, middle: int, now_ms: int) -> None:
    book, lots = exchange.books[instrument.symbol], 40 * per_unit(instrument)
    bids = dict.fromkeys(book.prices("BUY"), 0) | {middle - i: lots for i in range(1, 4)}
    asks = dict.fromkeys(book.prices("SELL"), 0) | {middle + i: lots for i in range(1, 4)}
    exchange.set_market(instrument.symbol, list(bids.items()), list(asks.items()), now_ms)


def per_unit(instrument: Instrument) -> int:
    return int(1 / instrument.step)


def run(instrument: Instrument, script: list[tuple[Any, ...]]) -> tuple[Exchange, list[Record]]:
    exchange = Exchange((instrument,), DEPOSITS, now_ms=NOW)
    crowd(exchange, instrument, 200_000, NOW)
    kept = list(exchange.drain().records)
    now = NOW
    for i, (side, lasts, price, size, reduces, wait) in enumerate(script):
        now += wait
        crowd(exchange, instrument, price, now)
        at_market = lasts == "MARKET"
        request = OrderRequest(
            symbol=instrument.symbol,
            side=side,
            type="MARKET" if at_market else "LIMIT",
            quantity=D(size),
            price=None if at_market else instrument.price(price + (2 if i % 2 else -2)),
            time_in_force="GTC" if at_market else lasts,
            reduce_only=reduces and instrument.kind != "spot",
            client_id=f"c-{i}",
        )
        with contextlib.suppress(Refused):
            exchange.place(request, now)
        kept.extend(exchange.drain().records)
    return exchange, kept


def income(exchange: Exchange, asset: str, kind: str) -> Decimal:
    return sum((row.amount for row in exchange.ledger.income if (row.asset, row.kind) == (asset, kind)), D(0))


@pytest.mark.parametrize("instrument", [ETHUSDT, ETHUSD, HOURLY], ids=["linear", "inverse", "hourly"])
@given(script=steps)
@settings(max_examples=80, deadline=None)
def test_a_wallet_is_its_deposit_and_what_was_earned_paid_and_funded(
    instrument: Instrument, script: list[tuple[Any, ...]]
) -> None:
    exchange, _ = run(instrument, script)
    ledger, asset, symbol = exchange.ledger, instrument.settle, instrument.symbol
    realised = sum((trade.realised for trade in ledger.trades), D(0))
    fees = sum((trade.commission for trade in ledger.trades), D(0))
    funding = income(exchange, asset, "FUNDING_FEE")
    assert ledger.wallets[asset] == DEPOSITS[asset] + realised - fees + funding
    held = sum((trade.quantity if trade.side == "BUY" else -trade.quantity for trade in ledger.trades), D(0))
    assert ledger.positions[symbol].quantity == held
    # Told another way: what every fill is worth at the mark, one by one.
    mark = exchange.mark(symbol)
    worth = D(0)
    for trade in ledger.trades:
        signed = (trade.quantity if trade.side == "BUY" else -trade.quantity) * instrument.contract_size
        worth += (
            signed * (1 / trade.price - 1 / mark) if instrument.kind == "inverse" else signed * (mark - trade.price)
        )
    expected = DEPOSITS[asset] + worth - fees + funding
    assert abs(ledger.equity(asset, exchange.marks) - expected) < DUST


@given(script=steps)
@settings(max_examples=80, deadline=None)
def test_on_spot_coins_change_hands_and_nothing_is_owed(script: list[tuple[Any, ...]]) -> None:
    exchange, _ = run(ETH_SPOT, script)
    ledger = exchange.ledger
    coins, money = DEPOSITS["ETH"], DEPOSITS["USDT"]
    for trade in ledger.trades:
        sign = 1 if trade.side == "BUY" else -1
        coins += sign * trade.quantity - (trade.commission if trade.asset == "ETH" else 0)
        money -= sign * trade.quantity * trade.price + (trade.commission if trade.asset == "USDT" else 0)
        assert trade.asset == ("ETH" if trade.side == "BUY" else "USDT"), "the fee is out of what is received"
    assert (ledger.wallets["ETH"], ledger.wallets["USDT"]) == (coins, money)
    assert all(ledger.wallets[asset] >= held for asset, held in exchange.locked().items())
    assert min(ledger.wallets.values()) >= 0


@pytest.mark.parametrize("instrument", [ETHUSD, ETH_SPOT], ids=["inverse", "spot"])
@given(script=steps)
@settings(max_examples=40, deadline=None)
def test_a_journal_brings_every_market_back(instrument: Instrument, script: list[tuple[Any, ...]]) -> None:
    exchange, kept = run(instrument, script)
    again = Exchange((instrument,), DEPOSITS, now_ms=NOW)
    restore(again, compacted(kept))
    assert again.ledger.wallets == exchange.ledger.wallets
    assert again.ledger.positions == exchange.ledger.positions
    assert dict(again.orders) == dict(exchange.orders)
    assert again.locked() == exchange.locked()


def ask(**changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "symbol": ETHUSD.symbol,
        "side": "BUY",
        "type": "LIMIT",
        "quantity": D(100),
        "price": D(2001),
        "time_in_force": "IOC",
    }
    return OrderRequest(**(fields | changes))


def opened(*instruments: Instrument, policy: Policy | None = None) -> Exchange:
    exchange = Exchange(instruments, DEPOSITS, now_ms=NOW, policy=policy)
    for instrument in instruments:
        crowd(exchange, instrument, 200_000 if instrument.base == "ETH" else 600_000, NOW)
    return exchange


def test_an_inverse_long_earns_in_coins_what_the_price_gains() -> None:
    exchange = opened(ETHUSD)
    exchange.place(ask(quantity=D(10), price=D("2000.01")), NOW)
    position = exchange.ledger.positions[ETHUSD.symbol]
    assert position.entry_price(ETHUSD).quantize(D("0.0001")) == D("2000.0100")
    assert position.unrealised(ETHUSD, D(2500)).quantize(D("1e-8")) == (100 / D("2000.01") - 100 / D(2500)).quantize(
        D("1e-8")
    )
    assert position.unrealised(ETHUSD, D(1600)) < 0
    crowd(exchange, ETHUSD, 209_000, NOW)
    exchange.place(ask(side="SELL", quantity=D(10), price=D(2080), reduce_only=True), NOW)
    assert exchange.ledger.trades[-1].realised == (100 / D("2000.01") - 100 / D("2089.99")).quantize(D("1e-8"))
    assert exchange.ledger.trades[-1].asset == "ETH"
    assert position.quantity == 0


def test_pools_of_margin_are_apart() -> None:
    exchange = opened(ETHUSD, BTCUSD)
    with pytest.raises(Refused) as caught:
        exchange.place(ask(symbol=BTCUSD.symbol, quantity=D(40_000), price=D(60_001)), NOW)
    assert (caught.value.kind, caught.value.subject) == (Refusal.INSUFFICIENT_MARGIN, "BTC")
    exchange.place(ask(quantity=D(6_000)), NOW)


@pytest.mark.parametrize(
    ("side", "kind", "quantity", "asset"),
    [("SELL", "LIMIT", 301, "ETH"), ("BUY", "LIMIT", 251, "USDT"), ("BUY", "MARKET", 300, "USDT")],
)
def test_spot_sells_what_is_there(side: Any, kind: Any, quantity: int, asset: str) -> None:
    exchange = opened(ETH_SPOT)
    crowd(exchange, ETH_SPOT, 200_000, NOW)
    exchange.set_market("ETHUSDT", [], [(200_001, 400 * per_unit(ETH_SPOT))], NOW)
    limit = {"LIMIT": D("2000.00") if side == "SELL" else D("1999.00"), "MARKET": None}[kind]
    request = ask(symbol="ETHUSDT", side=side, type=kind, quantity=D(quantity), price=limit, time_in_force="GTC")
    with pytest.raises(Refused) as caught:
        exchange.place(request, NOW)
    assert (caught.value.kind, caught.value.subject) == (Refusal.INSUFFICIENT_BALANCE, asset)
    exchange.place(ask(symbol="ETHUSDT", side="SELL", quantity=D(200), price=D(2050), time_in_force="GTC"), NOW)
    assert exchange.locked() == {"ETH": D(200)}
    with pytest.raises(Refused, match="insufficient_balance ETH"):
        exchange.place(ask(symbol="ETHUSDT", side="SELL", quantity=D(101), price=D(2050), time_in_force="GTC"), NOW)


Ids = Literal["unique_open", "unique", "free"]


@pytest.mark.parametrize(("ids", "while_open", "after"), [("unique_open", 0, 1), ("unique", 0, 0), ("free", 1, 1)])
def test_a_venue_has_its_own_idea_of_a_unique_name(ids: Ids, while_open: int, after: int) -> None:
    exchange = opened(ETHUSD, policy=Policy(client_ids=ids))
    resting = ask(price=D(1950), time_in_force="GTC", client_id="a")

    def taken() -> int:
        with contextlib.suppress(Refused):
            return exchange.place(resting, NOW).order_id and 1
        return 0

    first = exchange.place(resting, NOW)
    assert taken() == while_open
    for order in exchange.open_orders(None):
        exchange.cancel(order.symbol, order.order_id, None, NOW)
    assert taken() == after
    assert exchange.orders_named("a")[0] is first
    assert len(exchange.orders_named("a")) == 1 + while_open + after


def test_a_venue_that_accepts_a_post_only_order_cancels_it_and_says_why() -> None:
    exchange = opened(ETHUSD, policy=Policy(post_only="cancel"))
    exchange.drain()
    order = exchange.place(ask(time_in_force="POST"), NOW)
    assert (order.status, order.ending, order.filled) == ("EXPIRED", "post_only", 0)
    told = [each.execution for each in exchange.drain().account if isinstance(each, OrderChanged)]
    assert told == ["NEW", "EXPIRED"]
    assert exchange.place(ask(time_in_force="POST", price=D(1950)), NOW).status == "NEW"


def test_funding_is_paid_by_the_instruments_own_interval_and_told() -> None:
    exchange = opened(HOURLY)
    exchange.place(ask(), NOW)
    exchange.drain()
    later = HOURLY.next_funding_ms(NOW)
    crowd(exchange, HOURLY, 200_000, later)
    paid, changed = exchange.drain().account
    assert isinstance(paid, FundingPaid)
    assert isinstance(changed, AccountChanged)
    assert paid.income.amount == -(1000 / D(2000) * D("0.0001"))
    assert changed.wallets == {"ETH": exchange.ledger.wallets["ETH"]}
    assert later - NOW <= HOUR_MS < EIGHT_HOURS_MS


def test_margin_doubles_from_the_second_tier_on_without_a_jump() -> None:
    low, high = ETHUSDT.tiers()
    edge = high.floor
    assert (low.rate * 2, high.leverage_max * 2) == (high.rate, low.leverage_max)
    assert edge * low.rate - low.deducted == edge * high.rate - high.deducted
    assert (ETHUSDT.tier_of(edge - 1), ETHUSDT.tier_of(edge)) == (low, high)
