"""The invariants a demonstration must hold, each a sentence with its verdict."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from domain.book import Book
from domain.event import Event
from domain.exposure import exposure, imbalance
from domain.fill import FillRecorded
from domain.gatekeeping import Caps
from domain.hedge import HedgeAbandoned
from domain.limit import Control
from domain.mode import Mode
from domain.quantity import ZERO, add
from domain.request import OpenRequest, RequestAccepted, RequestCancelled, RequestCompleted, RequestSettlementFailed
from domain.settlement import SettlementConfirmed


class Verdict(msgspec.Struct, frozen=True):
    """Say whether an invariant held, and on what."""

    held: bool
    invariant: str
    found: str


class OnChain(msgspec.Struct, frozen=True, order=True):
    """Hold a mint or redeem as the chain shows it: which transaction, and atoms of collateral and issued dollars."""

    tx_hash: str
    side: str
    collateral_address: str
    collateral: int
    issued: int


class Evidence(Protocol):
    """Show the house from outside: what is in the log, on the bus, in the read models and at the venue."""

    async def history(self) -> tuple[Book, Sequence[Event]]:
        """Return the Book folded from the log, and the log's events that checks read."""
        ...

    async def head(self) -> int:
        """Return the log's last position."""
        ...

    async def stream(self) -> tuple[int, int]:
        """Return EVENTS' first and last sequence."""
        ...

    async def missing_in_stream(self) -> int:
        """Return how many sequences between EVENTS' first and last are gone."""
        ...

    async def checkpoints(self) -> Mapping[str, int]:
        """Return each read model's checkpoint."""
        ...

    async def chain(self) -> str:
        """Walk the hash chain; return "" when it verifies, else what is wrong."""
        ...

    async def on_chain(self) -> Sequence[OnChain]:
        """Return every mint and redeem that the minting contract logged."""
        ...

    async def venue_positions(self) -> Mapping[tuple[str, str], Decimal]:
        """Return the venues' own positions by venue and symbol."""
        ...


def underlyings(book: Book) -> tuple[str, ...]:
    """Return what the policy has instruments to hedge, in its order."""
    return tuple(dict.fromkeys(item.base for item in book.policy.instruments)) if book.policy else ()


def halted(book: Book, pair: str) -> bool:
    """Say whether a pair's hedges may not be traded until people release them."""
    found = book.pair(pair)
    underlying = book.asset(found.collateral).underlying if found is not None else ""
    return book.mode(f"asset:{underlying}", f"pair:{pair}") is Mode.HALTED


def shut(book: Book) -> bool:
    """Say whether the minting contract is shut: until people open it again nothing can be settled, and it was told."""
    terms = book.onchain.terms
    return terms is not None and Caps(terms.global_max_mint_per_block, terms.global_max_redeem_per_block).shut


def held_back(book: Book, request: OpenRequest) -> bool:
    """Say whether a request waits for people: its pair is halted, or the contract on which it is to settle is shut.

    The latter's order expires unsettled unless they open the contract in time; its hedge is then taken back.
    """
    settlement = book.settlements.get(request.settlement_id) if request.settlement_id is not None else None
    settled = settlement is not None and settlement.settled is not None
    return halted(book, request.accepted.pair) or (shut(book) and not settled)


def owed(book: Book) -> bool:
    """Say whether requests, hedges or settlements are under way that nothing holds back."""
    requests = any(not held_back(book, each) for each in book.requests.values())
    hedges = any(
        book.mode(f"asset:{each.planned.underlying}") is not Mode.HALTED or each.working
        for each in book.hedges.values()
    )
    settlements = any(each.settled is not None or not shut(book) for each in book.settlements.values())
    return requests or hedges or settlements


async def check(evidence: Evidence, accepted_ids: Sequence[str], *, well: bool = True) -> list[Verdict]:
    """Return every invariant's verdict. Where all is to end `well` nobody may have shut the contract meanwhile."""
    book, events = await evidence.history()
    return [
        await _positions(evidence, book, events),
        _exposures(book),
        _requests(book, events, accepted_ids),
        await _settlements(evidence, book, events),
        await events_there(evidence),
        await _chain(evidence),
        *([Verdict(not shut(book), "minting is open", "shut" if shut(book) else "open")] if well else []),
    ]


async def _positions(evidence: Evidence, book: Book, events: Sequence[Event]) -> Verdict:
    venue = {key: quantity for key, quantity in (await evidence.venue_positions()).items() if quantity}
    held = {(position.venue, position.symbol): position.quantity for position in book.positions.values()}
    fills = [event for event in events if isinstance(event, FillRecorded)]
    unique = {event.fill_id: event for event in fills}
    sums: dict[tuple[str, str], Decimal] = {}
    for fill in unique.values():
        key = (fill.venue, fill.symbol)
        sums[key] = add(sums.get(key, ZERO), fill.signed)
    wrong = [f"{len(fills) - len(unique)} fills stand in the log twice"] if len(fills) > len(unique) else []
    # Of every symbol that anybody knows: a position at a venue that the book lacks is the worst of all.
    for key in sorted(held.keys() | sums.keys() | venue.keys()):
        parts = [side.get(key, ZERO) for side in (held, sums, venue)]
        if len(set(parts)) > 1:
            wrong.append(f"{' '.join(key)}: book {parts[0]}, fills {parts[1]}, venue {parts[2]}")
    found = "; ".join(wrong) or ", ".join(f"{' '.join(key)} {quantity}" for key, quantity in held.items())
    return Verdict(not wrong, f"position = sum of {len(unique)} unique fills = the venues' own", found or "flat")


def _exposures(book: Book) -> Verdict:
    wrong: list[str] = []
    found: list[str] = []
    for underlying in underlyings(book):
        limit = book.limit(Control.NET_DELTA, f"asset:{underlying}")
        here = exposure(book, underlying)
        told = f"{underlying} in [{here.interval.low}, {here.interval.high}]"
        if limit is None or here.interval.worst > limit.value:
            wrong.append(f"{told} leaves its limit")
        if imbalance(book, underlying) != 0:
            wrong.append(f"{underlying}: plans leave {imbalance(book, underlying)} unhedged")
        found.append(told)
    return Verdict(not wrong, "exposure inside its limits, every plan hedged", "; ".join(wrong or found))


def _requests(book: Book, events: Sequence[Event], accepted_ids: Sequence[str]) -> Verdict:
    accepted = {event.request_id: event for event in events if isinstance(event, RequestAccepted)}
    ended = {
        event.request_id
        for event in events
        if isinstance(event, RequestCompleted | RequestCancelled | RequestSettlementFailed)
    }
    reported = {event.request_id for event in events if isinstance(event, HedgeAbandoned)}
    known = {event.order_id.lower().removeprefix("rfq-") for event in accepted.values()}
    lost = [order_id for order_id in accepted_ids if order_id.lower().removeprefix("rfq-") not in known]
    waiting = {each for each, request in book.requests.items() if held_back(book, request)}
    open_ones = set(accepted) - ended - reported - waiting
    completed = sum(isinstance(event, RequestCompleted) for event in events)
    found = f"{len(accepted)} accepted, {completed} completed, {len(ended) - completed} cancelled or failed"
    if waiting:
        found += f", {len(waiting)} wait while {'the contract is shut' if shut(book) else 'halted'}"
    if open_ones or lost or book.requests.keys() - waiting:
        found += f"; {len(open_ones)} still open, {len(lost)} acknowledged but not in the log"
    return Verdict(not open_ones and not lost, "every accepted request hedged and settled, or reported", found)


async def _settlements(evidence: Evidence, book: Book, events: Sequence[Event]) -> Verdict:
    """Judge whether the chain did exactly what the log says was confirmed: each once, for its amounts."""
    told = sorted(
        OnChain(
            event.reference,
            event.side.value,
            book.asset(event.collateral.asset).address,
            event.collateral.atoms,
            event.issued.atoms,
        )
        for event in events
        if isinstance(event, SettlementConfirmed)
    )
    there = sorted(await evidence.on_chain())
    found = f"{len(there)} transactions"
    if told != there:
        unknown, missing = set(there) - set(told), set(told) - set(there)
        found += (
            f"; {len(unknown)} on chain that the log has not confirmed, {len(missing)} confirmed that are not there"
        )
    return Verdict(told == there, "every settlement is on chain once, and nothing else is", found)


async def events_there(evidence: Evidence) -> Verdict:
    """Judge whether the log, the stream and every read model hold the same, without a hole.

    The log may go on meanwhile: everybody must be where it was before or after, or between.
    """
    before = await evidence.head()
    (first, last), gone = await evidence.stream(), await evidence.missing_in_stream()
    checkpoints = await evidence.checkpoints()
    after = await evidence.head()
    astray = {name: position for name, position in checkpoints.items() if not before <= position <= after}
    held = before <= last <= after and gone == 0 and not astray
    found = f"log at {after}, EVENTS {first} to {last}, {gone} missing"
    found += f", elsewhere: {astray}" if astray else ", every read model there"
    return Verdict(held, "no event lost between Postgres, NATS and the read models", found)


async def _chain(evidence: Evidence) -> Verdict:
    wrong = await evidence.chain()
    return Verdict(not wrong, "the hash chain verifies", wrong or f"{await evidence.head()} events")
