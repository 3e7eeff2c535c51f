"""A simulated RedStone gateway: five nodes sign the world's prices every ten seconds, each a little differently."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from adapters.simulators.oracles.gate import ClockMs, OracleGate, PriceOf
from adapters.simulators.oracles.keys import SIGNERS, Keys
from adapters.simulators.oracles.redstone_wire import package
from adapters.simulators.venue import wall_clock_ms

HOST = "oracle-gateway.a.redstone.finance"
SERVICE = "redstone-primary-prod"
STEP_MS = 10_000
HISTORY = 360
FEEDS: Sequence[str] = ("ETH", "BTC", "USDT", "USDC", "USDe", "stETH", "wstETH", "SOL")
NODE_PARTS = 10_000_000
"""A node differs from its neighbour by one part in so many."""

Packages = Mapping[str, list[dict[str, Any]]]


class SimulatedRedstone(OracleGate):
    """Be the gateway. With an `api_key`, only its holder is answered."""

    name = "redstone"
    hosts = (HOST,)

    def __init__(
        self,
        price_of: PriceOf,
        *,
        seed: int = 7,
        clock_ms: ClockMs = wall_clock_ms,
        step_ms: int = STEP_MS,
        api_key: str = "",
    ) -> None:
        super().__init__(price_of, clock_ms, step_ms=step_ms)
        self._keys = Keys(self.name, seed)
        self._api_key = api_key
        self._history: deque[tuple[int, Packages]] = deque(maxlen=HISTORY)

    def signer_set(self) -> bytes:
        """Return its nodes as Ballast reads them."""
        return self._keys.signer_set()

    async def route(self, request: web.Request) -> web.StreamResponse:
        """Serve the gateway's paths."""
        if (spoiled := await self._before(request)) is not None:
            return spoiled
        if self._api_key and request.headers.get("x-api-key") != self._api_key:
            return web.Response(status=403, text="Forbidden")
        match request.path.strip("/").split("/"):
            case ["v2", "data-packages", "latest-by-data-feeds", service] if service == SERVICE:
                wanted = request.query.get("dataFeedIds", "").split(",")
                found = {feed: packages for feed, packages in self._latest().items() if feed in wanted}
            case ["v2", "data-packages", "latest", service] if service == SERVICE:
                found = self._latest()
            case ["v2", "data-packages", "historical", service, time_ms] if service == SERVICE:
                found = next((packages for at, packages in self._history if str(at) == time_ms), None)
            case _:
                found = None
        if not found:
            return web.json_response({"statusCode": 404, "message": "Not Found"}, status=404)
        return await self._answer(request, found)

    def _latest(self) -> Packages:
        _, packages = self._history[-1]
        if len(self._history) > 1 and self._taken("reorder", "*") is not None:
            _, packages = self._history[-2]
        if self._taken("duplicate", "*") is not None:
            return {feed: [*each, *each] for feed, each in packages.items()}
        return packages

    def _tick(self, step: int) -> None:
        skew = self._taken("clock_skew", "*")
        time_ms = step * self._step_ms + (0 if skew is None else skew.skew_ms)
        if self._taken("silence", "*") is not None and self._history:
            return
        spoiled = self._taken("bad_signature", "*") is not None
        last = self._history[-1][1] if self._history else {}
        made: dict[str, list[dict[str, Any]]] = {}
        for feed in FEEDS:
            if feed in last and self._taken("freeze", feed) is not None:
                made[feed] = last[feed]
            elif (atoms := self._atoms(feed)) is not None:
                made[feed] = self._packages(feed, atoms, time_ms, spoiled=spoiled)
        self._history.append((time_ms, made))

    def _packages(self, feed: str, atoms: int, time_ms: int, *, spoiled: bool) -> list[dict[str, Any]]:
        """Return what each node signs; spoiled, so many that no quorum is left."""
        apart = max(atoms // NODE_PARTS, 1)
        return [
            package(feed, atoms + (node - 2) * apart, time_ms, node, self._keys, spoiled=spoiled and node > 1)
            for node in range(SIGNERS)
        ]
