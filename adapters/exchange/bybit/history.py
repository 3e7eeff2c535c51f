"""What happened on a Bybit account, asked again: executions, complete, in windows of seven days and their pages.

Fills, liquidations, deleveraging and funding all come out of one list, newest first.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.exchange.bybit import parse
from adapters.exchange.client import Ccxt
from adapters.exchange.fields import Payload, Unreadable, identity, instant_us
from adapters.exchange.naming import Account, Market
from domain.venue import FillReport, FundingReport

PAGE = 100
PAGES_MAX = 1_000
WINDOWS_MAX = 110
WINDOW_MS = 7 * 24 * 3_600_000 - 1
# The venue keeps two years, and refuses a question about what is older.
KEPT_MS = 729 * 24 * 3_600_000


class History:
    """Ask for the past of one account."""

    def __init__(self, client: Ccxt, of: Account) -> None:
        self._client = client
        self._of = of

    async def fills_since(self, market: Market, since_us: int) -> Sequence[FillReport]:
        """Return every fill of a market at or after an instant, oldest first, whoever placed its order."""
        found = await self._executions({"category": market.kind, "symbol": market.market_id}, since_us)
        return [
            parse.fill(row, market.kind, self._of, "sweep")
            for row in found
            if parse.is_fill(row, market.kind, self._of)
        ]

    async def fundings_since(self, categories: Sequence[str], since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        paid: list[FundingReport] = []
        for category in categories:
            found = await self._executions({"category": category, "execType": parse.FUNDING}, since_us)
            paid.extend(parse.funding(row, category, self._of) for row in found)
        return sorted(paid, key=lambda payment: payment.at_us)

    async def _executions(self, wanted: Mapping[str, str], since_us: int) -> list[Payload]:
        """Return executions at or after an instant, oldest first; one seen on two pages counts once."""
        found: dict[str, Payload] = {}
        now_ms = time.time_ns() // 1_000_000
        start_ms = max(since_us // 1_000, now_ms - KEPT_MS)
        for _ in range(WINDOWS_MAX):
            window = {**wanted, "startTime": start_ms, "endTime": start_ms + WINDOW_MS, "limit": PAGE}
            newest_first = await self._pages(window)
            found.update((identity(row, "execId"), row) for row in reversed(newest_first))
            start_ms += WINDOW_MS + 1
            if start_ms > now_ms:
                break
        else:
            raise Unreadable(f"executions older than {WINDOWS_MAX} windows were asked for")
        late_enough = [row for row in found.values() if instant_us(row, "execTime") >= since_us]
        # Stable: what happened in one millisecond stays in the venue's own order.
        return sorted(late_enough, key=lambda row: instant_us(row, "execTime"))

    async def _pages(self, window: Mapping[str, Any]) -> list[Payload]:
        found: list[Payload] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            request = {**window, "cursor": cursor} if cursor else dict(window)
            answer = parse.result(await self._client.privateGetV5ExecutionList(request))
            page = parse.row_list(answer, "list")
            found.extend(page)
            told = str(answer.get("nextPageCursor") or "")
            if not page or not told or told == cursor:
                return found
            cursor = told
        raise Unreadable("more pages of executions than there can be")
