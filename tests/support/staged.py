"""A stage for a demonstration's scenarios, on a desk, whose troubles are over at once; its door notes who knocks."""

from decimal import Decimal
from typing import Any

from tests.support.desk import Desk


class Knocked:
    """Note who knocks, and what for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def arm(self, venue: str, kind: str, **fields: Any) -> None:
        self.asked.append((venue, kind))

    async def force(self, venue: str, underlying: str, kind: str, share: Decimal) -> None:
        self.asked.append((venue, kind, underlying))

    async def move(self, asset: str, factor: Decimal, over_ms: int) -> None:
        self.asked.append((asset, factor < 1))

    async def counts(self) -> dict[str, dict[str, int]]:
        return {"binanceusdm": {"vanish": len(self.asked)}}


class Acting:
    """Be a scenario's stage."""

    lasts_s = 0.001

    def __init__(self, desk: Desk) -> None:
        self.door: Any = Knocked()
        self.book = desk.book
        self.notes: list[str] = []

    def told(self, what: str) -> None:
        self.notes.append(what)

    def go_mad(self, traders: int) -> None:
        self.door.asked.append(("mad", traders > 1))
