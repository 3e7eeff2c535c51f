"""`ballast demo`: the house on a simulated venue, benefactors who trade through its API, and a verdict at the end."""

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import nats.errors
from rich.console import Console

from adapters.chain.eip712 import ContractDomain
from adapters.chain.signature import address_of, sign_order
from adapters.embedded.passwords import write_private
from adapters.nats.connection import Connection
from adapters.nats.signals import IndicativeMessage, Signals
from adapters.nats.tail import Tail
from adapters.postgres.patient import PatientLog
from adapters.postgres.reader import AWAY
from api.demo.benefactors import Benefactor, MadBenefactor, Sign, Tally, Terms, Wallet, private_key
from api.demo.checks import Evidence, Verdict, check, events_there, owed
from api.demo.faults import DemoFault, judge_quotes, lasts_s
from api.demo.risk_scenarios import RISK_SCENARIOS, prepared
from api.demo.status import Status, print_summary
from api.http.keys import KeyEntry, key_digest, new_key
from api.http.roles import Role
from api.replica import Replica, restore_replica
from api.settings import Settings
from api.wiring.demo_card import Card
from api.wiring.evidence import HouseEvidence
from api.wiring.house import House, open_house
from api.wiring.process import WORKER_INBOX, Process
from api.wiring.trouble import Trouble, open_door
from domain.refusal import Unavailable, Unknown

BENEFACTORS = 6
DRAIN_S_MAX = 45.0
DRAW_S = 0.25
QUIET_S = 1.0
JUDGED_AGAIN_MAX = 5
PRICED_S_MAX = 25.0
# What it looks like when a server is away that is asked.
LOST = (*AWAY, nats.errors.Error, Unavailable, Unknown)

# Whose key the card does not show: it is the kill's alone.
KILLER = "kill"
# Who holds which key: two risk officers are two people.
PEOPLE: dict[str, tuple[str, Role]] = {
    "viewer": ("vera", Role.VIEWER),
    "operator": ("otto", Role.OPERATOR),
    "risk": ("rita", Role.RISK),
    "risk2": ("rolf", Role.RISK),
    "auditor": ("anna", Role.AUDITOR),
    KILLER: ("kim", Role.RISK),
}


class _Priced(msgspec.Struct):
    mint: tuple[msgspec.Raw, ...] = ()


_LADDER = msgspec.json.Decoder(_Priced)


class DemoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say what is asked of a demonstration."""

    data_dir: Path
    port: int
    seconds: float | None
    seed: int
    replay: Path | None
    faults: tuple[DemoFault, ...] = ()
    scenario: str = ""


def demo_settings(asked: DemoSettings, base: Settings, wallets: Sequence[Wallet], keys: Mapping[str, str]) -> Settings:
    """Return the settings of the house: the given ones, embedded services, a simulated venue, these benefactors."""
    replace = msgspec.structs.replace
    settings = replace(
        base,
        services=replace(base.services, data_dir=str(asked.data_dir.absolute())),
        http=replace(base.http, port=asked.port, keys_file=str(asked.data_dir.absolute() / "keys.json")),
        kill=replace(base.kill, api_key=keys[KILLER], postgres=""),
        policy=replace(base.policy, benefactors=tuple(wallet.address for wallet in wallets)),
        simulator=replace(
            base.simulator,
            enabled=True,
            seed=asked.seed,
            replay=str(asked.replay.absolute()) if asked.replay else "",
        ),
    )
    return prepared(asked.scenario, settings)


def _keys(data_dir: Path) -> dict[str, str]:
    """Return the people's keys, the same as last time on the same data."""
    kept = data_dir / "demo_keys.json"
    known = msgspec.json.decode(kept.read_bytes(), type=dict[str, str]) if kept.exists() else {}
    if known.keys() >= PEOPLE.keys():
        return known
    keys = {name: new_key() for name in PEOPLE} | known
    entries = [
        KeyEntry(digest=key_digest(keys[name]), person=person, role=role) for name, (person, role) in PEOPLE.items()
    ]
    write_private(data_dir / "keys.json", msgspec.json.encode(entries))
    write_private(kept, msgspec.json.encode(keys))
    return keys


async def run_demo(asked: DemoSettings, base: Settings) -> int:
    """Run until the time is over or a signal comes; return 0 only if every invariant held."""
    console = Console(stderr=True)
    for fault in asked.faults:  # before anything is started: a fault that could not be seen is refused
        lasts_s(fault, asked.seconds or 0, base.policy.integrity)
    asked.data_dir.mkdir(parents=True, exist_ok=True)
    keys_of = [private_key(asked.seed, number) for number in range(BENEFACTORS)]
    wallets = [Wallet(address=address_of(key), private_key=key) for key in keys_of]
    keys = _keys(asked.data_dir)
    shown = {name: keys[name] for name in keys.keys() - {KILLER}}
    card, stop = Card(asked.data_dir, wallets, shown), asyncio.Event()
    failed: list[str] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def give_up(role: str, why: str) -> None:
        failed.append(f"{role}: {why}")
        stop.set()

    console.print("starting Postgres, NATS, simulated venues and oracles, and the roles …")
    settings = demo_settings(asked, base, wallets, keys)
    try:
        async with open_house(settings, Path(), on_pids=card.update, on_failed=give_up) as house:
            await _until_priced(house, stop, console)
            card.ready(house.settings, house.pids)
            verdicts, tally = await _show(asked, house, wallets, console, stop)
    finally:
        card.remove()
    verdicts += [Verdict(held=False, invariant="every role runs", found=text) for text in failed]
    print_summary(console, verdicts, tally)
    return 0 if all(verdict.held for verdict in verdicts) else 1


async def _until_priced(house: House, stop: asyncio.Event, console: Console) -> None:
    """Wait until every pair has a price to mint at, up to a bound: the venues and oracles begin to be heard now."""
    wanted = {pair.name for pair in house.settings.policy.pairs}
    priced, all_priced = set[str](), asyncio.Event()

    def hear(message: IndicativeMessage) -> None:
        if _LADDER.decode(message.data).mint:
            priced.add(message.pair)
        if wanted <= priced:
            all_priced.set()

    process = Process(house.settings, Path(), lambda: None, stop)
    async with process.bus(house.settings.services.nats_worker, "demo", WORKER_INBOX) as bus:
        await Signals(bus, process.prefix).on_indicative(hear)
        waits = [asyncio.create_task(all_priced.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waits, timeout=PRICED_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    if not wanted <= priced:
        console.print(f"no price yet for {', '.join(sorted(wanted - priced))}: see /v1/market and /v1/suspensions")


@asynccontextmanager
async def _watching(process: Process) -> AsyncGenerator[tuple[PatientLog, Connection, Replica, Tail]]:
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(process.followed_log())
        bus = await stack.enter_async_context(process.bus(process.settings.services.nats_worker, "demo", WORKER_INBOX))
        replica = await restore_replica(log)
        tail = await stack.enter_async_context(Tail(bus, process.prefix, log, after=replica.position))
        yield log, bus, replica, tail


async def _show(
    asked: DemoSettings, house: House, wallets: Sequence[Wallet], console: Console, stop: asyncio.Event
) -> tuple[list[Verdict], Tally]:
    settings, tally = house.settings, Tally()
    process = Process(settings, Path(), lambda: None, stop)
    url = f"http://{settings.http.host}:{settings.http.port}"
    console.print(f"ready at {url}  (keys and addresses: {asked.data_dir / 'demo.json'})", highlight=False)
    async with (
        _watching(process) as (log, bus, replica, tail),
        open_door(settings) as door,
        asyncio.TaskGroup() as tasks,
    ):
        following = tasks.create_task(_follow(replica, tail))
        evidence, everyone = HouseEvidence(process, log, bus), frozenset(house.pids)
        trouble = Trouble(
            settings,
            door,
            lambda: replica.book,
            faults=asked.faults,
            scenario=asked.scenario,
            seconds=asked.seconds,
            mad=lambda traders: _go_mad(asked, settings, wallets, tally, traders),
        )
        with Status(console, url, replica, tally) as status:
            await _trade(asked, house, wallets, tally, status, trouble, stop)
            well = asked.scenario not in RISK_SCENARIOS
            verdicts = await _judge(replica, status, lambda: everyone <= house.pids.keys(), evidence, tally, well=well)
        following.cancel()
        book, recorded = await evidence.recorded()
        verdicts.append(judge_quotes([each.event for each in recorded]))
        verdicts += await trouble.judge(book, recorded)
    return verdicts, tally


async def _follow(replica: Replica, tail: Tail) -> None:
    while True:
        await replica.follow(tail)


def _sign(settings: Settings) -> Sign:
    domain = ContractDomain(chain_id=settings.chain.chain_id, verifying_contract=settings.chain.minting_contract)

    def sign(terms: Terms, key: str) -> str:
        return sign_order(domain, terms, key)

    return sign


async def _go_mad(
    asked: DemoSettings, settings: Settings, wallets: Sequence[Wallet], tally: Tally, traders: int
) -> None:
    """Let traders of one algorithm mint as fast as they can, until cancelled."""
    url, sign = f"http://{settings.http.host}:{settings.http.port}", _sign(settings)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for number in range(traders):
            mad = MadBenefactor(url, wallets[number % len(wallets)], sign, time.time, asked.seed + 1 + number, tally)
            tasks.create_task(mad.run(session, asyncio.Event()))


async def _trade(
    asked: DemoSettings,
    house: House,
    wallets: Sequence[Wallet],
    tally: Tally,
    status: Status,
    trouble: Trouble,
    stop: asyncio.Event,
) -> None:
    settings, sign = house.settings, _sign(house.settings)
    url, loop = f"http://{settings.http.host}:{settings.http.port}", asyncio.get_running_loop()
    deadline = None if asked.seconds is None else loop.time() + asked.seconds
    over = asyncio.Event()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for wallet in wallets:
            benefactor = Benefactor(url, wallet, sign, time.time, asked.seed, tally)
            tasks.create_task(benefactor.run(session, over))
        tasks.create_task(trouble.run(over))
        while not stop.is_set() and (deadline is None or loop.time() < deadline):
            status.pids(house.pids)
            status.draw()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAW_S):
                    await stop.wait()
        over.set()


async def _judge(
    replica: Replica, status: Status, all_up: Callable[[], bool], evidence: Evidence, tally: Tally, *, well: bool
) -> list[Verdict]:
    """Drain and check; begin again, up to a bound, when somebody was taken away meanwhile.

    All is `well` at the end, unless a scenario was asked for that leaves something stopped.
    """
    for _ in range(JUDGED_AGAIN_MAX):
        try:
            await _drain(replica, status, all_up, evidence, well=well)
            return await check(evidence, tally.accepted_ids, well=well)
        except LOST as error:
            status.draw(f"judging again: {error!r}")
            await asyncio.sleep(QUIET_S)
    return await check(evidence, tally.accepted_ids, well=well)


async def _drain(
    replica: Replica, status: Status, all_up: Callable[[], bool], evidence: Evidence, *, well: bool
) -> None:
    """Wait until nothing is open and everybody is there, up to a bound: what is not, is told by the checks."""
    loop = asyncio.get_running_loop()
    quiet_since: float | None = None
    deadline = loop.time() + DRAIN_S_MAX
    while loop.time() < deadline:
        book = replica.book
        under_way = owed(book) or book.orders or not all_up()
        if under_way or (well and book.outside.suspended):
            quiet_since = None
        else:
            quiet_since = quiet_since or loop.time()
            if loop.time() - quiet_since > QUIET_S and (await events_there(evidence)).held:
                return
        status.draw("draining")
        await asyncio.sleep(DRAW_S)


def fresh_seed() -> int:
    """Return a seed for a demonstration that was given none."""
    return secrets.randbelow(1_000_000)
