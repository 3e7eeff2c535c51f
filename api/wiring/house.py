"""The whole house under one supervising process: services where none are given, the schema, a process a role."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from adapters.embedded.child import Child, ChildFailed
from adapters.embedded.loopback import remembered_port
from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.passwords import PasswordsUnusable, load_passwords, new_passwords, save_passwords, write_private
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.embedded.supervisor import Supervisor
from adapters.postgres.migrate import migrate
from adapters.postgres.roles import Login, create_logins, login_dsn
from api.settings import LoopbackSettings, Settings, secret
from api.standing import SENDERS, mark_of, require_unkilled
from api.starting import CannotStart, require_port
from api.wiring.kill_file import without_kill, write_kill_file
from api.wiring.simulated_chain import CHAINSIM, is_simulated, with_simulated_chain
from domain.codec import encode

SERVICE, AUDITOR = "ballast_service", "ballast_reader"
LOGINS = (SERVICE, AUDITOR)
# What a simulated venue account is opened with, by venue.
CREDENTIALS = ("api_key", "api_secret", "passphrase")
# Files of the simulator: the door for faults, and the oracles' own signers.
ADMIN_TOKEN, PYTH_SIGNERS, REDSTONE_SIGNERS = "admin_token", "pyth_signers.json", "redstone_signers.json"

# Each process and the roles it runs, in the order in which they are started.
PROCESSES: dict[str, tuple[str, ...]] = {
    "core": ("core",),
    "market": ("market",),
    "execution": ("execution",),
    "chain": ("chain",),
    "projections": ("projections", "watch"),
    "api": ("api",),
}
SIMULATOR, GATEKEEPER = "simulator", "gatekeeper"
FIRST = frozenset({SIMULATOR, CHAINSIM, "core"})

# What the kill alone may read of the environment, and how often a mark of it is looked for.
KILL_VARIABLES, MARK_LOOK_S = "BALLAST_KILL_", 0.5

_log = logging.getLogger("ballast")

OnPids = Callable[[Mapping[str, int]], None]
OnFailed = Callable[[str, str], None]


class House:
    """Hold what a running house is made of: the settings its roles run on, and their process ids."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        self.settings = settings
        self._supervisor = supervisor

    @property
    def pids(self) -> dict[str, int]:
        """Return the process id of every role and service that is up."""
        return role_pids(self._supervisor.pids)


def role_pids(processes: Mapping[str, int]) -> dict[str, int]:
    """Return process ids by role; roles that share a process share its id."""
    found: dict[str, int] = {}
    for process, pid in processes.items():
        for role in PROCESSES.get(process, (process,)):
            found[role] = pid
    return found


@asynccontextmanager
async def open_house(
    settings: Settings, folder: Path, *, on_pids: OnPids, on_failed: OnFailed
) -> AsyncGenerator[House]:
    """Start everything in order, keep it running, stop it in reverse order.

    `on_pids` is told after every start; `on_failed(role, why)` when a role only ever dies and is given up.
    """
    data_dir = settings.data_dir
    data_dir.mkdir(parents=True, exist_ok=True)

    def started(process: str, pid: int) -> None:
        on_pids(role_pids({**supervisor.pids, process: pid}))

    supervisor = Supervisor(on_started=started, on_failed=on_failed)
    require_port(settings.http.host, settings.http.port)
    require_unkilled(data_dir)
    async with supervisor:
        with _said():
            settings, superuser = await _open_services(supervisor, settings, folder)
            settings = await _open_log(settings, folder)
            settings = with_simulated_chain(_open_simulator(settings))
            run = data_dir / "run"
            run.mkdir(exist_ok=True, mode=0o700)
            if settings.simulator.enabled:
                await write_kill_file(settings, data_dir / SIMULATOR, superuser)
            settings = without_kill(settings)
            resolved = run / "settings.json"
            write_private(resolved, encode(settings))
            await _launch(supervisor, _processes(settings), resolved, data_dir)
        yield House(settings, supervisor)


def _processes(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return each process that these settings ask for, and its roles."""
    optional = {
        SIMULATOR: settings.simulator.enabled,
        CHAINSIM: is_simulated(settings),
        GATEKEEPER: settings.gatekeeper.enabled,
    }
    return {**{name: (name,) for name, wanted in optional.items() if wanted}, **PROCESSES}


@contextmanager
def _said() -> Generator[None]:
    """Turn a child that did not start into its own words: our stack says nothing about why."""
    try:
        yield
    except ChildFailed as error:
        raise CannotStart(str(error)) from error
    except ExceptionGroup as group:
        failed, others = group.split(ChildFailed)
        if failed is None or others is not None:
            raise
        raise CannotStart("\n".join(map(str, failed.exceptions))) from group


async def _launch(
    supervisor: Supervisor, processes: Mapping[str, tuple[str, ...]], settings: Path, data_dir: Path
) -> None:
    """Start what others connect to first, then the rest at once; raise the first failure."""
    async with asyncio.TaskGroup() as first:
        for process in FIRST & processes.keys():
            first.create_task(supervisor.launch(_child(process, processes[process], settings, data_dir)))
    async with asyncio.TaskGroup() as others:
        for process in processes.keys() - FIRST:
            others.create_task(supervisor.launch(_child(process, processes[process], settings, data_dir)))


async def _open_services(supervisor: Supervisor, settings: Settings, folder: Path) -> tuple[Settings, str]:
    """Start Postgres and NATS where no server is given, and write their addresses into the settings.

    Return the address of our own Postgres' superuser as well, empty where the server is given.
    """
    given, superuser = settings.services, ""
    services = {name: secret(value, folder) for name, value in _addresses(settings).items()}
    data_dir = settings.data_dir
    if given.embedded_postgres:
        postgres = EmbeddedPostgres(data_dir / "postgres")
        await supervisor.launch(await postgres.prepare())
        services["postgres_owner"], superuser = postgres.dsn(), postgres.superuser_dsn()
    if given.embedded_nats:
        nats = EmbeddedNats(data_dir / "nats", prefix=settings.book.prefix)
        await supervisor.launch(await nats.prepare())
        services |= {f"nats_{user}": nats.url(user) for user in ("core", "api", "worker", "subscriber")}
    return _with_services(settings, services), superuser


def _addresses(settings: Settings) -> dict[str, str]:
    services = settings.services
    names = [name for name in services.__struct_fields__ if name != "data_dir"]
    return {name: getattr(services, name) for name in names if getattr(services, name)}


def _with_services(settings: Settings, services: Mapping[str, str]) -> Settings:
    changed = msgspec.structs.replace(settings.services, **services)
    return msgspec.structs.replace(settings, services=changed)


async def _open_log(settings: Settings, folder: Path) -> Settings:
    """Bring the schema up to date; give the service and the auditor logins of their own where none are given."""
    services, kept = settings.services, settings.data_dir / "logins.json"
    owner = secret(services.postgres_owner, folder)
    if not owner:
        return settings  # given servers with a schema that somebody else keeps
    await migrate(owner)
    try:
        passwords = load_passwords(kept, LOGINS)
    except PasswordsUnusable:
        passwords = new_passwords(LOGINS)
        save_passwords(kept, passwords)
    if services.postgres_service:
        return settings
    service, auditor = Login(SERVICE, passwords[SERVICE]), Login(AUDITOR, passwords[AUDITOR])
    await create_logins(owner, service, auditor)
    addresses = {"postgres_service": login_dsn(owner, service), "postgres_auditor": login_dsn(owner, auditor)}
    return _with_services(settings, addresses)


def _open_simulator(settings: Settings) -> Settings:
    """Point every venue and oracle at the simulator, under keys of its own, when there is one."""
    if not settings.simulator.enabled:
        return settings
    home = settings.data_dir / SIMULATOR
    home.mkdir(exist_ok=True)
    names = tuple(f"{venue.name}_{part}" for venue in settings.venues for part in CREDENTIALS)
    kept = settings.data_dir / "venues.json"
    # A venue that was there before keeps its keys: its simulator remembers the account by them.
    secrets = {**new_passwords(names), **(load_passwords(kept, ()) if kept.exists() else {})}
    save_passwords(kept, secrets)
    venues = tuple(
        msgspec.structs.replace(venue, **{part: secrets[f"{venue.name}_{part}"] for part in CREDENTIALS})
        for venue in settings.venues
    )
    write_private(home / ADMIN_TOKEN, new_passwords((ADMIN_TOKEN,))[ADMIN_TOKEN].encode())
    replace = msgspec.structs.replace
    oracles = replace(
        settings.oracles,
        pyth=replace(settings.oracles.pyth, api_key="", signers=str((home / PYTH_SIGNERS).absolute())),
        redstone=replace(settings.oracles.redstone, api_key="", signers=str((home / REDSTONE_SIGNERS).absolute())),
    )
    loopback = LoopbackSettings(port=remembered_port(home / "given_port"), ca=str((home / "tls" / "ca.pem").absolute()))
    return replace(settings, venues=venues, loopback=loopback, oracles=oracles)


def _environment() -> dict[str, str]:
    """Return our environment without the kill's keys."""
    return {name: value for name, value in os.environ.items() if not name.startswith(KILL_VARIABLES)}


async def _unkilled(data_dir: Path) -> None:
    """Wait for as long as the mark of a kill is there: until then what acts outside is not started again."""
    mark = mark_of(data_dir)
    if mark.exists():
        _log.critical("killed: senders stay down until a person removes %s", mark.absolute())
    while mark.exists():  # noqa: ASYNC110 - what is waited for is a file that a person removes
        await asyncio.sleep(MARK_LOOK_S)


def _child(process: str, roles: tuple[str, ...], settings: Path, data_dir: Path) -> Child:
    wanted = [part for role in roles for part in ("--role", role)]
    return Child(
        role=process,
        argv=(sys.executable, "-m", "api.cli", "up", "--config", str(settings.absolute()), *wanted),
        env={**_environment(), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        log=data_dir / "log" / f"{process}.log",
        before_start=None if SENDERS.isdisjoint(roles) else lambda: _unkilled(data_dir),
    )
