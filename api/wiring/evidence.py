"""What a demonstration is judged on: the log, the bus, the read models and the venue, each asked for itself."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import asyncpg

from adapters.nats.connection import Connection
from adapters.nats.streams import stream_name
from adapters.postgres.patient import PatientLog
from adapters.postgres.verify import verify
from api.demo.checks import OnChain
from api.replica import Recorded, Replica
from api.wiring.chain import open_chain
from api.wiring.process import Process
from api.wiring.venues import open_venue
from domain.book import Book
from domain.event import Event
from projections.catalogue import VIEWS

PAGE = 10_000


class HouseEvidence:
    """Show a running house to the checks."""

    def __init__(self, process: Process, log: PatientLog, bus: Connection) -> None:
        self._process = process
        self._log = log
        self._bus = bus

    async def history(self) -> tuple[Book, Sequence[Event]]:
        """Return the Book folded from the first event on, and every event."""
        book, recorded = await self.recorded()
        return book, [each.event for each in recorded]

    async def recorded(self) -> tuple[Book, Sequence[Recorded]]:
        """Return the Book folded from the first event on, and every event with its place and time."""
        replica, found = Replica(Book(), 0), list[Recorded]()
        while page := await self._log.read(replica.position, PAGE):
            found += [recorded for stored in page if (recorded := replica.fold(stored)) is not None]
        return replica.book, found

    async def head(self) -> int:
        """Return the log's last position."""
        return int(await self._value("select coalesce(max(notification_id), 0) from stored_events"))

    async def _value(self, query: str) -> int:
        connection = await asyncpg.connect(self._process.secret(self._process.settings.services.postgres_auditor))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def stream(self) -> tuple[int, int]:
        """Return EVENTS' first and last sequence."""
        state = (await self._bus.jetstream().stream_info(stream_name(self._process.prefix, "EVENTS"))).state
        return state.first_seq, state.last_seq

    async def missing_in_stream(self) -> int:
        """Return how many sequences between EVENTS' first and last are gone."""
        state = (await self._bus.jetstream().stream_info(stream_name(self._process.prefix, "EVENTS"))).state
        return state.last_seq - state.first_seq + 1 - state.messages

    async def checkpoints(self) -> Mapping[str, int]:
        """Return each read model's checkpoint."""
        dsn = self._process.secret(self._process.settings.services.postgres_auditor)
        connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch("select name, position from projection_checkpoints")
        finally:
            await connection.close()
        found = {row["name"]: row["position"] for row in rows}
        return {name: found.get(name, 0) for name in VIEWS}

    async def chain(self) -> str:
        """Walk the hash chain under the role that may only select."""
        result = await verify(self._process.secret(self._process.settings.services.postgres_auditor))
        return "" if result.bad_position is None else f"position {result.bad_position}: {result.reason}"

    async def on_chain(self) -> Sequence[OnChain]:
        """Return every mint and redeem that the minting contract logged, up to the newest block."""
        first = self._process.settings.chain.from_block
        async with open_chain(self._process) as chain:
            settled = await chain.settled_since(first, (await chain.head()).number)
        return [
            OnChain(each.tx_hash, each.order_type, each.collateral_asset, each.collateral_amount, each.usde_amount)
            for each in settled
        ]

    async def venue_positions(self) -> Mapping[tuple[str, str], Decimal]:
        """Return the venues' own positions by venue and symbol."""
        found: dict[tuple[str, str], Decimal] = {}
        for wanted in self._process.settings.venues:
            if wanted.private:
                async with open_venue(self._process, wanted) as venue:
                    found |= {(wanted.name, held.symbol): held.quantity for held in await venue.positions()}
        return found
