"""The simulators' own door, at localhost, with a token as bearer: faults, and what a venue does to an account.

`POST /admin/faults {"venue": name, "kind": …}` arms one (`venue` may be left out where there is one only), `GET` counts
what happened (by venue, or plainly where there is one), `DELETE` disarms everything.

`POST /admin/account {"venue", "symbol", "kind": "adl" | "liquidation", "quantity" | "share"}` closes part of a position
by force; `GET` shows each venue's orders as it keeps them.
"""

import hmac
import time
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import web

from adapters.simulators.accounts import Accounts, Forced
from adapters.simulators.faults import Fault, Faults
from adapters.simulators.refusals import Refused

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


class Admin:
    """Answer the admin's requests."""

    def __init__(self, faulty: Sequence[Faulty], accounts: Accounts, token: str | None) -> None:
        self._faulty = {each.name: each for each in faulty}
        self._accounts = accounts
        self._token = token

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Arm, list or clear faults; close positions by force or show orders."""
        given = request.headers.get("Authorization", "")
        if self._token is None or not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return web.Response(status=401, text="admin token, please")
        doors = {"/admin/faults": self._on_faults, "/admin/account": self._on_account}
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
