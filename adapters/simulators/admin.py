"""The simulators' own door, at localhost, with a token as bearer: faults, and what a venue does to an account.

`POST /admin/faults {"venue": name, "kind": …}` arms one (`venue` may be left out where there is one only), `GET` counts
what happened (by venue, or plainly where there is one), `DELETE` disarms everything.

`POST /admin/account {"venue", "symbol", "kind": "adl" | "liquidation", "quantity" | "share"}` closes part of a position
by force; `GET` shows each venue's orders as it keeps them.

`POST /admin/world {"asset", "factor", "over_ms"}` moves the world's price of an asset, for every venue and oracle;
`GET` tells every price.
"""

import hmac
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec
from aiohttp import web

from adapters.simulators.accounts import Accounts, Forced
from adapters.simulators.faults import Fault, Faults
from adapters.simulators.refusals import Refused
from adapters.simulators.world import HABITS, World

_ENCODER = msgspec.json.Encoder()


class Faulty(Protocol):
    """What faults are armed on."""

    @property
    def name(self) -> str:
        """Return what faults call it."""
        ...

    @property
    def faults(self) -> Faults:
        """Return its faults."""
        ...


class FaultWanted(Fault, frozen=True, kw_only=True):
    """Ask for a fault on one venue or gateway."""

    venue: str | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the world to bring an asset to `factor` of its price within `over_ms`."""

    asset: str
    factor: Decimal
    over_ms: int = 0


class Heart(msgspec.Struct, frozen=True):
    """Hold the world, and how often it steps."""

    world: World
    step_ms: int


class Admin:
    """Answer the admin's requests."""

    def __init__(self, faulty: Sequence[Faulty], accounts: Accounts, heart: Heart, token: str | None) -> None:
        self._heart = heart
        self._faulty = {each.name: each for each in faulty}
        self._accounts = accounts
        self._token = token

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Arm, list or clear faults; close positions by force or show orders; move the world."""
        given = request.headers.get("Authorization", "")
        if self._token is None or not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return web.Response(status=401, text="admin token, please")
        doors = {"/admin/faults": self._on_faults, "/admin/account": self._on_account, "/admin/world": self._on_world}
        door = doors.get(request.path)
        if door is None:
            return web.Response(status=404, text="no such path")
        try:
            said = door(request.method, await request.read())
        except (msgspec.DecodeError, ValueError, Refused) as error:
            return web.Response(status=400, text=str(error))
        if said is None:
            return web.Response(status=405, text="not that way")
        return web.Response(body=_ENCODER.encode(said), content_type="application/json")

    def _on_faults(self, method: str, body: bytes) -> Any:
        match method:
            case "POST":
                self._arm(msgspec.json.decode(body, type=FaultWanted))
            case "DELETE":
                for each in self._faulty.values():
                    each.faults.clear()
            case "GET":
                pass
            case _:
                return None
        return self._counts()

    def _on_account(self, method: str, body: bytes) -> Any:
        match method:
            case "POST":
                return self._accounts.close_by_force(msgspec.json.decode(body, type=Forced))
            case "GET":
                return self._accounts.orders()
            case _:
                return None

    def _on_world(self, method: str, body: bytes) -> Any:
        world = self._heart.world
        match method:
            case "POST":
                asked = msgspec.json.decode(body, type=Moved)
                world.move(asked.asset, asked.factor, max(1, asked.over_ms // max(1, self._heart.step_ms)))
            case "GET":
                pass
            case _:
                return None
        return {asset: format(world.pair(asset, "USD"), "f") for asset in HABITS}

    def _arm(self, wanted: FaultWanted) -> None:
        name = wanted.venue or (next(iter(self._faulty)) if len(self._faulty) == 1 else None)
        found = self._faulty.get(name or "")
        if found is None:
            raise ValueError(f"venue must be one of {', '.join(sorted(self._faulty))}")
        fields = {name: getattr(wanted, name) for name in Fault.__struct_fields__}
        found.faults.arm(Fault(**fields), time.time_ns() // 1_000_000)

    def _counts(self) -> dict[str, Any]:
        counts = {name: dict(each.faults.counts) for name, each in self._faulty.items()}
        return next(iter(counts.values())) if len(counts) == 1 else counts
