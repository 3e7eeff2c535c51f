"""The simulators' own door, as a demonstration knocks at it: faults, positions closed by force, the world."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import aiohttp
import msgspec

from api.settings import SettingsError

TIMEOUT_S = 5.0
OK = 200


class KeptOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Show an order as its venue keeps it; sizes in the venue's units."""

    client_id: str
    symbol: str
    origin: str
    status: str
    quantity: Decimal
    filled: Decimal


_ORDERS = msgspec.json.Decoder(dict[str, list[KeptOrder]])
_COUNTS = msgspec.json.Decoder(dict[str, dict[str, int]])


class Door:
    """Knock with the token; raise `SettingsError` with what the door said when it will not."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, ssl: Any) -> None:
        self._session = session
        self._url = url
        self._token = token
        self._ssl = ssl

    async def arm(self, venue: str, kind: str, **fields: Any) -> None:
        """Arm a fault on a venue or oracle."""
        await self._ask("POST", "faults", {"venue": venue, "kind": kind, **fields})

    async def disarm(self) -> None:
        """Let everything be well again."""
        await self._ask("DELETE", "faults")

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Return how often each fault happened, by venue or oracle."""
        return _COUNTS.decode(await self._ask("GET", "faults"))

    async def force(self, venue: str, underlying: str, kind: Literal["adl", "liquidation"], share: Decimal) -> None:
        """Let a venue close a share of its largest position in an underlying."""
        await self._ask("POST", "account", {"venue": venue, "symbol": underlying, "kind": kind, "share": f"{share:f}"})

    async def move(self, asset: str, factor: Decimal, over_ms: int) -> None:
        """Bring an asset to `factor` of its price everywhere, evenly over a while."""
        await self._ask("POST", "world", {"asset": asset, "factor": f"{factor:f}", "over_ms": over_ms})

    async def orders(self) -> Mapping[str, Sequence[KeptOrder]]:
        """Return every order by venue, oldest first."""
        return _ORDERS.decode(await self._ask("GET", "account"))

    async def _ask(self, method: str, path: str, asked: Any = None) -> bytes:
        async with self._session.request(
            method,
            f"{self._url}/admin/{path}",
            data=None if asked is None else msgspec.json.encode(asked),
            headers={"Authorization": f"Bearer {self._token}"},
            ssl=self._ssl,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        ) as response:
            if response.status != OK:
                raise SettingsError(f"the simulator did not take {asked or path}: {await response.text()}")
            return await response.read()
