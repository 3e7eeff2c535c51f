"""What happened on the account, asked again: fills and funding, complete, in pages.

A fill in the venue's history does not name our client order id; the orders it belongs to are asked for and remembered.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from adapters.exchange.binance import parse
from adapters.exchange.client import Ccxt
from adapters.exchange.fields import Payload, Unreadable, rows
from adapters.exchange.naming import Account
from domain.venue import FillReport, FundingReport

PAGE = 1_000
PAGES_MAX = 1_000
REMEMBERED_MAX = 20_000


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """Hold how one of the venue's accounts is asked for its past: ccxt's calls, and how much they answer at once."""

    trades: Ccxt
    orders: Ccxt
    orders_max: int
    window_ms: int
    read: Callable[[Payload, Account, str | None], FillReport]


class History:
    """Ask for the fills of one account."""

    def __init__(self, past: Past, of: Account) -> None:
        self._past = past
        self._of = of
        self._client_ids: OrderedDict[tuple[str, int], str] = OrderedDict()

    async def fills_since(self, market_id: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill at or after an instant, oldest first. The venue answers only so many days at once."""
        now_ms = time.time_ns() // 1_000_000
        start_ms = since_us // 1_000
        found: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            window = {
                "symbol": market_id,
                "startTime": start_ms,
                "endTime": start_ms + self._past.window_ms,
                "limit": PAGE,
            }
            page = rows(await self._past.trades(window))
            found.extend(page)
            if len(page) >= PAGE:
                # More than a page: from here on trade ids lead, without gaps, to the newest fill.
                found.extend(await self._trades_from(market_id, _number(page[-1], "id") + 1))
                break
            start_ms += self._past.window_ms + 1
            if start_ms > now_ms:
                break
        else:
            raise Unreadable(f"fills older than {PAGES_MAX} windows were asked for")
        return await self._reports(market_id, [row for row in found if _number(row, "time") * 1_000 >= since_us])

    async def _trades_from(self, market_id: str, trade_id: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            request = {"symbol": market_id, "fromId": trade_id, "limit": PAGE}
            page = rows(await self._past.trades(request))
            found.extend(page)
            if len(page) < PAGE:
                return found
            trade_id = _number(page[-1], "id") + 1
        raise Unreadable("more pages of fills than there can be")

    async def _reports(self, market_id: str, rows: Sequence[dict[str, Any]]) -> Sequence[FillReport]:
        unique = {_number(row, "id"): row for row in rows}
        ordered = [unique[trade_id] for trade_id in sorted(unique)]
        wanted = sorted({_number(row, "orderId") for row in ordered})
        names = await self._names(market_id, wanted)
        return [self._past.read(row, self._of, names.get(_number(row, "orderId"))) for row in ordered]

    async def _names(self, market_id: str, order_ids: Sequence[int]) -> dict[int, str]:
        """Return the client order ids of these orders; those that the venue has forgotten are missing."""
        missing = [order_id for order_id in order_ids if (market_id, order_id) not in self._client_ids]
        names = {order_id: self._client_ids[market_id, order_id] for order_id in order_ids if order_id not in missing}
        for _ in range(PAGES_MAX):
            if not missing:
                return names
            request = {"symbol": market_id, "orderId": missing[0], "limit": self._past.orders_max}
            page = rows(await self._past.orders(request))
            for row in page:
                order_id, name = _number(row, "orderId"), str(row.get("clientOrderId") or "")
                self._remember((market_id, order_id), name)
                if order_id in missing:
                    names[order_id] = name
            last = _number(page[-1], "orderId") if len(page) >= self._past.orders_max else missing[-1]
            missing = [order_id for order_id in missing if order_id > last]
        raise Unreadable("more pages of orders than there can be")

    def _remember(self, key: tuple[str, int], name: str) -> None:
        self._client_ids[key] = name
        self._client_ids.move_to_end(key)
        if len(self._client_ids) > REMEMBERED_MAX:
            self._client_ids.popitem(last=False)


async def fundings_since(income: Ccxt, of: Account, since_us: int) -> Sequence[FundingReport]:
    """Return every funding payment at or after an instant, oldest first, out of the income history."""
    found: dict[str, FundingReport] = {}
    start_ms = since_us // 1_000
    for _ in range(PAGES_MAX):
        page = rows(await income({"incomeType": "FUNDING_FEE", "startTime": start_ms, "limit": PAGE}))
        for row in page:
            report = parse.funding(row, of)
            found[f"{report.symbol} {report.payment_id}"] = report
        if len(page) < PAGE:
            return sorted(found.values(), key=lambda report: report.at_us)
        # The next page starts in the last row's millisecond: rows seen twice are one.
        start_ms = _number(page[-1], "time")
    raise Unreadable("more pages of income than there can be")


def _number(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).isdigit():
        raise Unreadable(f"{name} is {value!r}, not a whole number")
    return int(value)
