"""Deribit's payloads into our reports. Pure: dicts in, reports out, `Unreadable` for anything else.

Amounts are units already: dollars on inverse contracts, coins on linear ones; contract sizes change nothing.
Numbers are JSON numbers, read by their shortest spelling. Our order id is the `label`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from adapters.exchange.deribit.fields import above_zero, identity, instant_us, label, number, size
from adapters.exchange.fields import Payload, Unreadable, flag, part
from adapters.exchange.naming import Account, Market
from domain.venue import (
    BalanceReport,
    FeeRates,
    FillReport,
    FundingReport,
    InstrumentReport,
    MarkReport,
    OrderReport,
    OrderStatus,
    PositionReport,
    Side,
    TimeInForce,
)

FUNDING_INTERVAL_MS = 8 * 3_600_000
# No listing tells the largest order; no order of ours may be larger than this, in units.
AMOUNT_MAX = Decimal(10_000_000)
MARKET_PRICE = "market_price"
TIMES_IN_FORCE: Mapping[TimeInForce, str] = {
    "gtc": "good_til_cancelled",
    "ioc": "immediate_or_cancel",
    "fok": "fill_or_kill",
    "gtx": "good_til_cancelled",
}
_IMMEDIATE = frozenset({TIMES_IN_FORCE["ioc"], TIMES_IN_FORCE["fok"]})
_STATUSES: Mapping[str, OrderStatus] = {"filled": "filled", "rejected": "rejected", "cancelled": "canceled"}
# Waits for a trigger: no order of the book.
WAITING = "untriggered"
_DIRECTIONS: Mapping[str, int] = {"buy": 1, "sell": -1, "zero": 0}
# Which sides of a trade the venue closed by force: the maker's, the taker's, both.
_FORCED = frozenset({"M", "T", "MT"})
_LIQUIDITY: Mapping[str, Literal["maker", "taker"]] = {"M": "maker", "T": "taker"}


def result(answer: object) -> Any:
    """Return what an answer is about. A web page, a list or an error in its place is unreadable."""
    if not isinstance(answer, dict) or "result" not in answer or answer.get("error") is not None:
        raise Unreadable("an answer without a result")
    return answer["result"]  # pyright: ignore[reportUnknownVariableType] - JSON


def row_of(found: object) -> Payload:
    """Return a result that is one object."""
    return part({"result": found}, "result")


def rows_of(found: object) -> Sequence[Payload]:
    """Return a result that is a list of objects."""
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):  # pyright: ignore[reportUnknownVariableType] - JSON
        raise Unreadable(f"{type(found).__name__}, not a list of objects")  # pyright: ignore[reportUnknownArgumentType] - JSON
    return found  # pyright: ignore[reportUnknownVariableType] - checked above


def order(row: Payload, of: Account) -> OrderReport:
    """Read an order, told by REST or by stream. ccxt's cost of a partly filled inverse order would be wrong."""
    filled, quantity = size(row, "filled_amount"), above_zero(row, "amount")
    if filled > quantity:
        raise Unreadable(f"{filled} filled of {quantity}")
    return OrderReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("instrument_name")),
        venue_order_id=identity(row, "order_id"),
        client_order_id=label(row),
        side=_side(row),
        status=_status(row, filled),
        quantity=quantity,
        filled=filled,
        limit_price=None if row.get("price") == MARKET_PRICE else above_zero(row, "price"),
        average_price=above_zero(row, "average_price") if filled else None,
        reduce_only=flag(row, "reduce_only"),
        at_us=instant_us(row, "last_update_timestamp"),
    )


def is_waiting(row: Payload) -> bool:
    """Say whether an order waits for a trigger: then it is not in the book, and may have no price."""
    return row.get("order_state") == WAITING


def fill(row: Payload, of: Account, source: Literal["stream", "sweep"]) -> FillReport:
    """Read a fill. The venue says which side of a trade it closed by force: only when it is ours was it we."""
    liquidity = str(row.get("liquidity"))
    if liquidity not in _LIQUIDITY:
        raise Unreadable(f"liquidity is {liquidity!r}")
    forced = "" if row.get("liquidation") is None else str(row["liquidation"])
    if forced and forced not in _FORCED:
        raise Unreadable(f"liquidation is {forced!r}")
    return FillReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("instrument_name")),
        trade_id=identity(row, "trade_id"),
        venue_order_id=identity(row, "order_id"),
        client_order_id=label(row) or None,
        side=_side(row),
        price=above_zero(row, "price"),
        quantity=above_zero(row, "amount"),
        fee_asset=identity(row, "fee_currency"),
        fee_quantity=number(row, "fee"),
        liquidity=_LIQUIDITY[liquidity],
        kind="liquidation" if liquidity in forced else "trade",
        source=source,
        at_us=instant_us(row, "timestamp"),
    )


def funding(row: Payload, of: Account) -> FundingReport | None:
    """Read what a row of the transaction log says of funding; None when it says nothing of it.

    Funding accrues all the time and is paid with whatever changes a position, and with the daily settlement:
    `interest_pl` is the row's own share, `total_interest_pl` the session's, which would count it again.
    """
    if row.get("interest_pl") is None or row.get("instrument_name") is None:
        return None
    amount = number(row, "interest_pl")
    if not amount:
        return None
    return FundingReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row["instrument_name"]),
        payment_id=identity(row, "id"),
        asset=identity(row, "currency"),
        amount=amount,
        at_us=instant_us(row, "timestamp"),
    )


def position(row: Payload, of: Account, at_us: int) -> PositionReport | None:
    """Read a position, None when it is flat. Sizes are signed, and a closed position is still told, as `zero`."""
    held = number(row, "size")
    direction = _DIRECTIONS.get(str(row.get("direction")))
    if direction is None or (held > 0) - (held < 0) != direction:
        raise Unreadable(f"a position of {held} whose direction is {row.get('direction')!r}")
    if not held:
        return None
    liquidation = row.get("estimated_liquidation_price")
    return PositionReport(
        venue=of.venue,
        account=of.account,
        symbol=of.symbol(row.get("instrument_name")),
        quantity=held,
        entry_price=above_zero(row, "average_price"),
        mark_price=above_zero(row, "mark_price"),
        unrealised_profit=number(row, "floating_profit_loss"),
        liquidation_price=None if liquidation is None else size(row, "estimated_liquidation_price") or None,
        initial_margin=size(row, "initial_margin"),
        maintenance_margin=size(row, "maintenance_margin"),
        at_us=at_us,
    )


def balance(row: Payload, of: Account, at_us: int) -> BalanceReport:
    """Read one currency. What was realised since the last settlement is not in the venue's `balance` yet."""
    return BalanceReport(
        venue=of.venue,
        account=of.account,
        asset=identity(row, "currency"),
        wallet=number(row, "balance") + number(row, "session_rpl"),
        margin=number(row, "equity"),
        available=number(row, "available_funds"),
        initial_margin=size(row, "initial_margin"),
        maintenance_margin=size(row, "maintenance_margin"),
        at_us=at_us,
    )


def mark(row: Payload, of: Account) -> MarkReport:
    """Read mark, index and funding out of a ticker: the current rate is for eight hours, paid all the time."""
    at_us = instant_us(row, "timestamp")
    interval_us = FUNDING_INTERVAL_MS * 1_000
    return MarkReport(
        venue=of.venue,
        symbol=of.symbol(row.get("instrument_name")),
        mark_price=above_zero(row, "mark_price"),
        index_price=above_zero(row, "index_price"),
        funding_rate=number(row, "current_funding"),
        funding_interval_ms=FUNDING_INTERVAL_MS,
        next_funding_us=at_us - at_us % interval_us + interval_us,
        at_us=at_us,
    )


def open_interest(row: Payload) -> Decimal:
    """Read the open interest out of a ticker: dollars on inverse contracts, base units on linear ones."""
    found = number(row, "open_interest")
    if found < 0:
        raise Unreadable(f"an open interest of {found}")
    return found


def fee_rates(row: Payload, market: Market, listing: Payload, venue: str) -> FeeRates:
    """Read what the account pays: the listing's commissions, unless its summary names fees of its own."""
    told = row.get("fees")
    own = [] if told is None else [each for each in rows_of(told) if each.get("instrument_type") == "perpetual"]
    if len(own) > 1 or (told and not own):
        raise Unreadable("fees that are not one for perpetuals")
    return FeeRates(
        venue=venue,
        symbol=market.symbol,
        maker=number(own[0], "maker_fee") if own else number(listing, "maker_commission"),
        taker=number(own[0], "taker_fee") if own else number(listing, "taker_commission"),
    )


def instrument(item: Mapping[str, Any], market: Market, venue: str) -> InstrumentReport:
    """Read a listing out of its raw row."""
    row = part(item, "info")
    least = above_zero(row, "min_trade_amount")
    return InstrumentReport(
        venue=venue,
        symbol=market.symbol,
        base=market.base,
        quote=market.quote,
        settle=market.settle,
        tick=above_zero(row, "tick_size"),
        step=least,
        quantity_min=least,
        quantity_max=AMOUNT_MAX,
        notional_min=Decimal(0),
        market_id=market.market_id,
        kind=market.kind,
        contract_size=market.contract_size,
        expiry_us=market.expiry_us,
    )


def _side(row: Payload) -> Side:
    match row.get("direction"):
        case "buy":
            return "buy"
        case "sell":
            return "sell"
        case other:
            raise Unreadable(f"direction is {other!r}")


def _status(row: Payload, filled: Decimal) -> OrderStatus:
    state = str(row.get("order_state"))
    if state == "open":
        return "partially_filled" if filled else "new"
    found = _STATUSES.get(state)
    if found is None:
        raise Unreadable(f"order_state is {state!r}")
    if found == "canceled" and str(row.get("time_in_force")) in _IMMEDIATE:
        # It lived out its terms, as other venues say.
        return "expired"
    return found
