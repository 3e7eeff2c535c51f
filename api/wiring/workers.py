"""The workers' processes: what acts at the venues, and what hears the markets."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from adapters.exchange.suitability import VenueUnsuitable
from adapters.nats.inbox import InboxPublisher
from adapters.nats.signals import Signals
from adapters.nats.tail import Tail
from adapters.postgres.series import SeriesStore
from api.execution.account_watch import AccountWatch
from api.execution.accounts import Accounts
from api.execution.numbers import ExecutionNumbers
from api.execution.switch import Switch
from api.execution.worker import Execution
from api.market.feeding import Feeding
from api.market.indicating import Indicating
from api.market.markets import Markets
from api.market.numbers import MarketNumbers
from api.market.sampling import Sampler
from api.market.surveillance import Surveillance
from api.market.tending import Tended
from api.replica import Replica, restore_replica
from api.settings import RetentionSettings, VenueSettings
from api.telling import readable, tell
from api.wiring.prices import open_oracles
from api.wiring.process import WORKER_INBOX, Process, beat, until
from api.wiring.venues import check_venues, open_feed, open_venue
from commands.ports import Facts, Lease
from domain.venue import VenueFailure

# A venue that is away is tried again; the others, and the process, go on.
AWAY = (VenueFailure, VenueUnsuitable)


async def run_execution(process: Process) -> None:
    """Act on every venue account, as its only lease-holder."""
    settings = process.settings
    check_venues(settings)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(settings.services.nats_worker, "execution", WORKER_INBOX))
        log = await stack.enter_async_context(process.log())
        facts = InboxPublisher(bus, process.prefix)
        # First the leases, then the log: what is read after them was sent by nobody, what stands there already may be.
        leases = [
            (wanted, await stack.enter_async_context(process.lease(f"{wanted.name}:{wanted.account}")))
            for wanted in settings.venues
            if wanted.private
        ]
        orders = await restore_replica(log)
        tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=orders.position))
        accounts, numbers = Accounts(orders, tail), ExecutionNumbers(lambda: orders.position)
        tended = [_account(process, wanted, orders, accounts, facts, lease, numbers) for wanted, lease in leases]

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(accounts.run())
                for venue in tended:
                    tasks.create_task(venue.run())
                tasks.create_task(beat(process, bus, "execution", numbers.registry, numbers.gather))
                process.ready()

        await until(process.stop, work())


def _account(
    process: Process,
    wanted: VenueSettings,
    replica: Replica,
    accounts: Accounts,
    facts: Facts,
    lease: Lease,
    numbers: ExecutionNumbers,
) -> Tended:
    """Return one venue's account, acted on and watched while the venue is there."""

    async def work(opened: Callable[[], None]) -> None:
        async with open_venue(process, wanted) as venue:
            switch = Switch(venue, replica, facts, process.clock, lease)
            execution = Execution(replica, None, venue, facts, process.clock, lease, switch)
            numbers.show(execution, venue.order_budget, switch)
            watch = AccountWatch(venue, facts, process.clock, (VenueUnsuitable,))
            with accounts.showing(execution):
                async with asyncio.TaskGroup() as tasks:
                    for loop in (execution.run, switch.run, watch.run, venue.failed):
                        tasks.create_task(loop())
                    opened()

    async def tell_away(text: str) -> None:
        body = {"dependency": wanted.name, "text": readable(text)}
        kind = "dependency.degraded"
        await tell(facts, "execution", kind, f"{kind}|{wanted.name}|{process.clock.now_us()}", body)

    return Tended(f"the account {wanted.account} on {wanted.name}", work, AWAY, tell_away)


def _days(retention: RetentionSettings) -> dict[str, int]:
    return {
        "market_books": retention.books,
        "market_trades": retention.trades,
        "market_marks": retention.marks,
        "market_funding": retention.funding,
        "oracle_prices": retention.oracles,
    }


async def run_market(process: Process) -> None:
    """Hear every venue and oracle, judge them, publish what they say and what is priced on it, and keep samples."""
    settings = process.settings
    check_venues(settings)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(process.bus(settings.services.nats_worker, "market", WORKER_INBOX))
        log = await stack.enter_async_context(process.followed_log())
        oracles = await stack.enter_async_context(open_oracles(process))
        replica = await restore_replica(log)
        tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=replica.position))
        store = SeriesStore(
            process.secret(settings.services.postgres_service), process.clock, _days(settings.retention)
        )
        stack.push_async_callback(store.close)
        markets, signals, facts = Markets(), Signals(bus, process.prefix), InboxPublisher(bus, process.prefix)
        surveillance = Surveillance(replica, markets, facts, process.clock)
        feeding = Feeding(markets, signals, surveillance.take, Sampler(store).hear)
        indicating = Indicating(replica, markets, signals, facts, process.clock)
        tended = [_feed(process, venue, feeding) for venue in settings.venues if venue.public]
        numbers = MarketNumbers(feeding, store, indicating, tended, lambda: replica.position)

        async def follow() -> None:
            while True:
                await replica.follow(tail)

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                for loop in (follow, surveillance.run, indicating.run, store.run):
                    tasks.create_task(loop())
                for oracle in oracles:
                    tasks.create_task(feeding.hear_oracle(oracle))
                    tasks.create_task(oracle.failed())
                for venue in tended:
                    tasks.create_task(venue.run())
                tasks.create_task(beat(process, bus, "market", numbers.registry, numbers.gather))
                process.ready()

        await until(process.stop, work())


def _feed(process: Process, wanted: VenueSettings, feeding: Feeding) -> Tended:
    """Return one venue's public feed, heard while the venue is there."""

    async def work(opened: Callable[[], None]) -> None:
        async with open_feed(process, wanted) as (feed, listed), asyncio.TaskGroup() as tasks:
            tasks.create_task(feeding.hear_venue(feed, listed))
            tasks.create_task(feed.failed())
            opened()

    async def tell_away(text: str) -> None:
        feeding.lose_venue(wanted.name, wanted.symbols, text, process.clock.now_us())

    return Tended(f"the market data of {wanted.name}", work, AWAY, tell_away)
