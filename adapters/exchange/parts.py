"""An account swept part by part: each asked and emptied by itself, so that none hides or holds up another.

It stands beside `VenueAccount` on purpose and needs nothing of it, nor of the library that it speaks through: no
markets are loaded, no stream is kept, nothing is paced, so that it works at once and alone while everything else is
dead.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from adapters.exchange.fields import Payload, Unreadable, identity
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import SignedVenue
from domain.sweep import Counted, OrderKind, PositionLeft, Resting, Standing, Untold
from domain.venue import Rejected, Unknown

PAGES_MAX = 100
# A part that is told in pages may take this many answers' time.
TIMES_MAX = 2
TEXT_MAX = 300

T = TypeVar("T")


class Part(ABC):
    """Ask for the orders of one part of an account, and end them. Failures are those of `domain.venue`, or unreadable.

    `name` is what people call it by: in the report, and in the settings where an account has no such part.
    """

    def __init__(self, settings: VenueSettings, venue: SignedVenue, name: str) -> None:
        self.settings = settings
        self.venue = venue
        self.name = name

    @abstractmethod
    async def standing(self) -> Sequence[Resting]:
        """Ask for what stands there."""

    @abstractmethod
    def cancels(self, found: Sequence[Resting]) -> Iterable[Awaitable[Any]]:
        """Return the requests that end what was found; of nothing, what ends all unseen, where the venue has that."""

    def order(
        self, market: str, row: Payload, ids: tuple[str, str], kind: OrderKind = "plain", type_: str = ""
    ) -> Resting:
        """Name an order by the fields in which its row does: the venue's id and its client's."""
        venue_id, our_id = ids
        return Resting(
            venue=self.settings.venue,
            account=self.settings.account,
            market=market,
            venue_order_id=identity(row, venue_id),
            client_order_id=str(row.get(our_id) or ""),
            kind=kind,
            part=self.name,
            type=type_,
        )


class AccountSweep(ABC):
    """Sweep one account; a subclass names its parts and tells what is held."""

    def __init__(self, settings: VenueSettings, venue: SignedVenue, without: Collection[str] = ()) -> None:
        self.settings = settings
        self.venue = venue
        parts = tuple(self.make_parts())
        unheard = sorted(set(without) - {part.name for part in parts})
        if unheard:
            names = ", ".join(part.name for part in parts)
            raise ValueError(f"{settings.venue} has no part {', '.join(unheard)}: its parts are {names}")
        self.parts = tuple(part for part in parts if part.name not in without)

    @property
    def ahead_ms(self) -> int:
        """Return how far the venue's clock was found to be ahead of this machine's, in ms."""
        return self.venue.ahead_ms

    @abstractmethod
    def make_parts(self) -> Iterable[Part]:
        """Return every part in which the venue keeps orders."""

    @abstractmethod
    async def held(self) -> Sequence[PositionLeft]:
        """Ask for every position."""

    async def look(self) -> Standing:
        """Return every order that stands in the account, whoever placed it, and what was not told."""
        return _together(await asyncio.gather(*(self._looked(part) for part in self.parts)))

    async def clear(self, seen: Sequence[Resting]) -> Standing:
        """Look, and cancel what stands, each part as soon as it is told; `seen` is cancelled where it is not told."""
        return _together(await asyncio.gather(*(self._cleared(part, seen) for part in self.parts)))

    async def positions(self) -> Sequence[PositionLeft]:
        """Return the positions, flat ones left out."""
        return await _read(self.held())

    def position(self, market: str, quantity: Decimal, unit: Counted) -> PositionLeft:
        """Name a position."""
        named = self.settings
        return PositionLeft(venue=named.venue, account=named.account, market=market, quantity=quantity, unit=unit)

    async def _looked(self, part: Part) -> Standing:
        within_s = TIMES_MAX * self.settings.timeout_ms / 1_000
        try:
            async with asyncio.timeout(within_s):
                return Standing(orders=tuple(await _read(part.standing())))
        except TimeoutError:
            return Standing(untold=(Untold(part=part.name, why=f"no answer within {within_s:g} s"),))
        except Exception as error:  # noqa: BLE001 - whatever one part throws, the others are told
            refused = isinstance(error, Rejected)
            return Standing(untold=(Untold(part=part.name, why=_text(error), refused=refused),))

    async def _cleared(self, part: Part, seen: Sequence[Resting]) -> Standing:
        told = await self._looked(part)
        found = [order for order in seen if order.part == part.name] if told.untold else told.orders
        if not found and not told.untold:
            return told
        ended = await asyncio.gather(*(_read(request) for request in part.cancels(found)), return_exceptions=True)
        failed = [f"{part.name}: {_text(each)}" for each in ended if isinstance(each, Exception) and not _is_gone(each)]
        return msgspec.structs.replace(told, failed=tuple(failed))


async def pages(ask: Callable[[Payload | None], Awaitable[Sequence[Payload]]], most: int) -> list[Payload]:
    """Return the rows of all pages: `ask` is given the last row, and a page of less than `most` is the last."""
    found: list[Payload] = []
    for _ in range(PAGES_MAX):
        page = await ask(found[-1] if found else None)
        found.extend(page)
        if len(page) < most:
            return found
    raise Unreadable("more pages than there can be")


def _together(told: Sequence[Standing]) -> Standing:
    return Standing(
        orders=tuple(order for each in told for order in each.orders),
        untold=tuple(part for each in told for part in each.untold),
        failed=tuple(text for each in told for text in each.failed),
    )


def _is_gone(error: Exception) -> bool:
    """Say whether a cancel failed because there was nothing to cancel."""
    return isinstance(error, Rejected) and error.reason == "unknown_order"


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:TEXT_MAX]


async def _read(work: Awaitable[T]) -> T:
    """Await it; an answer that cannot be read leaves all unknown."""
    try:
        return await work
    except Unreadable as error:
        raise Unknown(str(error)) from None
