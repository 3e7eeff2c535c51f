"""What happened on an OKX account, asked again: fills and funding, complete, in pages, newest first as it tells."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from adapters.exchange.client import Ccxt
from adapters.exchange.fields import Payload, Unreadable
from adapters.exchange.naming import Account
from adapters.exchange.okx import parse
from adapters.exchange.okx.fields import data, identity
from domain.venue import FillReport, FundingReport

PAGE = 100
PAGES_MAX = 1_000
# The fills endpoint goes back three days; for those the venue advises it instead of the history, which goes further.
RECENT_MS = (3 * 24 - 1) * 3_600_000
FUNDING_FEE = "8"

Ask = Callable[[Mapping[str, str]], Awaitable[Any]]


class History:
    """Ask for the past of one account."""

    def __init__(self, client: Ccxt, of: Account) -> None:
        self._client = client
        self._of = of

    async def fills_since(self, market_id: str, since_us: int) -> Sequence[FillReport]:
        """Return every fill at or after an instant, oldest first."""
        since_ms = since_us // 1_000
        wanted = {"instType": "SWAP", "instId": market_id}
        found = await _pages(self._client.privateGetTradeFills, wanted, since_ms)
        if since_ms < time.time_ns() // 1_000_000 - RECENT_MS:
            found += await _pages(self._client.privateGetTradeFillsHistory, wanted, since_ms)
        # What both tell is one fill: the venue's trade ids repeat across orders, not within one.
        unique = {(identity(row, "tradeId"), identity(row, "ordId")): row for row in found}
        reports = [parse.fill(row, self._of) for row in sorted(unique.values(), key=_bill)]
        return sorted((fill for fill in reports if fill.at_us >= since_us), key=lambda fill: fill.at_us)

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant, oldest first."""
        wanted = {"instType": "SWAP", "type": FUNDING_FEE}
        found = await _pages(self._client.privateGetAccountBillsArchive, wanted, since_us // 1_000)
        reports = [parse.funding(row, self._of) for row in sorted(found, key=_bill)]
        return sorted((paid for paid in reports if paid.at_us >= since_us), key=lambda paid: paid.at_us)


async def _pages(ask: Ask, wanted: Mapping[str, str], since_ms: int) -> list[Payload]:
    """Return all pages since an instant. Its own millisecond may be left out by the venue: one more is asked for."""
    request = {**wanted, "begin": str(since_ms - 1), "limit": str(PAGE)}
    found: dict[str, Payload] = {}
    for _ in range(PAGES_MAX):
        page = data(await ask(request))
        known = len(found)
        found.update((identity(row, "billId"), row) for row in page)
        if len(page) < PAGE:
            return list(found.values())
        if len(found) == known:
            raise Unreadable("a page that tells nothing new")
        request = {**request, "after": identity(page[-1], "billId")}
    raise Unreadable("more pages than there can be")


def _bill(row: Payload) -> int:
    text = identity(row, "billId")
    if not (text.isascii() and text.isdigit()):
        raise Unreadable(f"billId is {text!r}, not a number")
    return int(text)
