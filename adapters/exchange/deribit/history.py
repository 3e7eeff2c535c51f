"""What happened on a Deribit account, asked again: fills and funding, complete.

The venue tells fills of the last day on one shelf and older ones, a little late, on another; funding is in the log of
transactions. ccxt pages neither.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapters.exchange.client import Ccxt
from adapters.exchange.deribit import parse
from adapters.exchange.deribit.fields import identity
from adapters.exchange.fields import Payload, Unreadable
from adapters.exchange.naming import Account, Market
from domain.venue import FillReport, FundingReport

PAGE = 1_000
LOG_PAGE = 250
PAGES_MAX = 1_000
# Fills younger than a day are on the recent shelf; older ones are looked for on both, well before one turns a day old.
RECENT_MS = 12 * 3_600_000
# How far the venue's clock may be ahead of ours.
AHEAD_MS = 60_000


class History:
    """Ask for the past of one account."""

    def __init__(self, client: Ccxt, of: Account) -> None:
        self._client = client
        self._of = of

    async def fills_since(self, market: Market, since_us: int) -> Sequence[FillReport]:
        """Return every fill of a market at or after an instant, oldest first, whoever placed its order."""
        now_ms = time.time_ns() // 1_000_000
        start_ms = since_us // 1_000
        shelves = (True, False) if start_ms < now_ms - RECENT_MS else (False,)
        found: dict[tuple[str, str], Payload] = {}
        for historical in shelves:
            for row in await self._trades(market, start_ms, now_ms + AHEAD_MS, historical=historical):
                found[_key(row)] = row
        fills = [parse.fill(row, self._of, "sweep") for row in found.values()]
        # Stable: what happened in one millisecond stays in the venue's own order.
        return sorted((fill for fill in fills if fill.at_us >= since_us), key=lambda fill: fill.at_us)

    async def fundings_since(self, currencies: Iterable[str], since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        end_ms = time.time_ns() // 1_000_000 + AHEAD_MS
        paid: dict[str, FundingReport] = {}
        for currency in currencies:
            asked = {"currency": currency, "start_timestamp": since_us // 1_000, "end_timestamp": end_ms}
            for row in await self._log({**asked, "count": LOG_PAGE}):
                payment = parse.funding(row, self._of)
                if payment is not None and payment.at_us >= since_us:
                    paid[payment.payment_id] = payment
        return sorted(paid.values(), key=lambda payment: payment.at_us)

    async def _trades(self, market: Market, start_ms: int, end_ms: int, *, historical: bool) -> list[Payload]:
        """Return the fills of one shelf, oldest first: the first page by time, the next by their number.

        By time alone, more fills in one millisecond than a page holds would never end.
        """
        asked: dict[str, Any] = {"instrument_name": market.market_id, "count": PAGE, "sorting": "asc"}
        asked["historical"] = historical
        first = {**asked, "start_timestamp": start_ms, "end_timestamp": end_ms}
        answer = await self._client.privateGetGetUserTradesByInstrumentAndTime(first)
        found: dict[tuple[str, str], Payload] = {}
        for _ in range(PAGES_MAX):
            told = parse.row_of(parse.result(answer))
            page = parse.rows_of(told.get("trades"))
            new = {_key(row): row for row in page if _key(row) not in found}
            found |= new
            if told.get("has_more") is not True:
                return list(found.values())
            if not new:
                raise Unreadable("fills that go on, and do not")
            following = {**asked, "start_seq": _number(page[-1])}
            answer = await self._client.privateGetGetUserTradesByInstrument(following)
        raise Unreadable("more pages of fills than there can be")

    async def _log(self, asked: Mapping[str, Any]) -> list[Payload]:
        """Return the rows of every page, newest first."""
        found: list[Payload] = []
        request = dict(asked)
        for _ in range(PAGES_MAX):
            told = parse.row_of(parse.result(await self._client.privateGetGetTransactionLog(request)))
            found.extend(parse.rows_of(told.get("logs")))
            following = told.get("continuation")
            if following is None:
                return found
            if following == request.get("continuation"):
                raise Unreadable("a log that goes on, and does not")
            request["continuation"] = following
        raise Unreadable("more pages of the log than there can be")


def _key(row: Payload) -> tuple[str, str]:
    return identity(row, "trade_id"), identity(row, "order_id")


def _number(row: Payload) -> int:
    found = row.get("trade_seq")
    if isinstance(found, bool) or not isinstance(found, int):
        raise Unreadable(f"trade_seq is {found!r}")
    return found
