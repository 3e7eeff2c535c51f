"""The simulators' own door, at localhost: arm, list and clear faults, with a token as bearer.

`POST /admin/faults {"venue": name, "kind": …}` arms one (`venue` may be left out where there is one only), `GET` counts
what happened (by venue, or plainly where there is one), `DELETE` disarms everything.
"""

import hmac
import time
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import web

from adapters.simulators.faults import Fault, Faults

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

    def __init__(self, faulty: Sequence[Faulty], token: str | None) -> None:
        self._faulty = {each.name: each for each in faulty}
        self._token = token

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Arm, list or clear faults."""
        given = request.headers.get("Authorization", "")
        if self._token is None or not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return web.Response(status=401, text="admin token, please")
        if request.path != "/admin/faults":
            return web.Response(status=404, text="no such path")
        match request.method:
            case "POST":
                try:
                    self._arm(msgspec.json.decode(await request.read(), type=FaultWanted))
                except (msgspec.DecodeError, ValueError) as error:
                    return web.Response(status=400, text=str(error))
            case "DELETE":
                for each in self._faulty.values():
                    each.faults.clear()
            case "GET":
                pass
            case _:
                return web.Response(status=405, text="GET, POST or DELETE")
        return web.Response(body=_ENCODER.encode(self._counts()), content_type="application/json")

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
