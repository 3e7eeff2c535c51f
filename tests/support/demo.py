"""Run `ballast demo` and `ballast up` as their users do, from outside: a process, its files, its HTTP API."""

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from api.http.keys import KeyEntry, key_digest
from api.http.roles import Role
from tests.support.supervised import is_alive

ROOT = Path(__file__).resolve().parents[2]
RESTARTING_S = 30.0
READY_WITHIN_S = 90.0  # the contract says 60 on two cores of its own
END_WITHIN_S = 120.0
GONE_WITHIN_S = 30.0
POLL_S = 0.05
OUTPUT_SHOWN = 6_000

ROLES = frozenset(
    {
        "postgres",
        "nats",
        "simulator",
        "chainsim",
        "core",
        "market",
        "execution",
        "chain",
        "gatekeeper",
        "projections",
        "api",
    }
)

Found = TypeVar("Found")


class Wallet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold a benefactor as demo.json shows it."""

    address: str
    private_key: str


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold the people's keys."""

    viewer: str
    operator: str
    risk: str
    risk2: str
    auditor: str


class ChainCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold where the chain is."""

    rpc: str
    chain_id: int
    minting_contract: str


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold demo.json: exactly the shape of the contract, and where the chain is."""

    url: str
    keys: Keys
    benefactors: list[Wallet]
    postgres: str
    auditor_dsn: str
    nats: str
    pids: dict[str, int]
    chain: ChainCard


def free_port() -> int:
    """Return a port of this machine that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def wait_for(look: Callable[[], Found | None], within_s: float, what: str, told: Callable[[], str] = str) -> Found:
    """Return what `look` finds, as soon as it finds something; fail with `what` and `told()` after the bound."""
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}\n{told()}")
        time.sleep(POLL_S)
    return found


def slowness() -> float:
    """Return how many times slower than alone this machine runs us now: bounds of the contract are for it alone."""
    started, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < SLOWNESS_SAMPLE_S:
        pass
    return max(1.0, (time.perf_counter() - started) / SLOWNESS_SAMPLE_S)


SLOWNESS_SAMPLE_S = 0.2


class Running:
    """A `ballast` process with children, working in a directory."""

    def __init__(self, data_dir: Path, arguments: Sequence[object]) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_name(f"{data_dir.name}.out")
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *map(str, arguments)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def told(self) -> str:
        """Return what was printed, and the end of each role's log."""
        printed = self.output.read_text(errors="replace")[-OUTPUT_SHOWN:]
        logs = sorted(self.data_dir.glob("log/*.log"))
        ends = [f"== {path.name}\n{path.read_text(errors='replace')[-OUTPUT_SHOWN // 4 :]}" for path in logs]
        return "\n".join([printed, *ends])

    def must_run(self) -> None:
        """Fail if it ended."""
        code = self.process.poll()
        assert code is None, f"it ended with {code}\n{self.told()}"

    def wait(self, within_s: float = END_WITHIN_S) -> int:
        """Return the exit code once it ended; fail when it does not end."""
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {within_s:g} s\n{self.told()}") from None

    def terminate(self, within_s: float = END_WITHIN_S) -> int:
        """Ask it to end with SIGTERM; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(within_s)

    def end(self) -> None:
        """End it whatever its state is; nothing that it started may be left."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.until_nothing_left()

    def until_nothing_left(self, within_s: float = GONE_WITHIN_S) -> None:
        """Wait until no process is left that works for it: by its command line or the directory it stands in."""
        wait_for(lambda: None if self.left() else True, within_s, "everybody's end", lambda: repr(self.left()))

    def left(self) -> dict[int, str]:
        """Return the living processes that work in the data directory or name it, but for the first one and us."""
        running = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        return {pid: _command(pid) for pid in running - {self.process.pid, os.getpid()} if self._is_ours(pid)}

    def _is_ours(self, pid: int) -> bool:
        place = str(self.data_dir)
        try:
            stands = str((Path("/proc") / str(pid) / "cwd").readlink())
        except OSError:
            stands = ""
        return is_alive(pid) and (place in _command(pid) or stands.startswith(place))


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


class Demo(Running):
    """One `ballast demo`."""

    def __init__(
        self,
        data_dir: Path,
        *,
        seconds: float | None = None,
        seed: int = 7,
        replay: Path | None = None,
        faults: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        asked: list[object] = ["--port", self.port, "--data-dir", data_dir, "--seed", seed]
        asked += [] if seconds is None else ["--for", seconds]
        asked += [] if replay is None else ["--replay", replay]
        asked += [part for fault in faults for part in ("--fault", fault)]
        super().__init__(data_dir, ["demo", *asked, *options])

    @property
    def card_path(self) -> Path:
        return self.data_dir / "demo.json"

    def card(self) -> Card:
        """Return demo.json as it is now, checked against the contract."""
        return msgspec.json.decode(self.card_path.read_bytes(), type=Card)

    def until_ready(self) -> Card:
        """Wait until everything is up."""

        def look() -> Card | None:
            self.must_run()
            card = self.card() if self.card_path.exists() else None
            # A demonstration that was killed here before left its card, for as long as ours needs to begin.
            return card if card is not None and card.url.endswith(f":{self.port}") else None

        return wait_for(look, READY_WITHIN_S * slowness(), "demo.json", self.told)

    def kill(self, role: str) -> int:
        """Kill a role's process with SIGKILL; return the id it had. One that is just being restarted is waited for."""

        def strike() -> int | None:
            pid = self.card().pids[role]
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return None
            return pid

        return wait_for(strike, RESTARTING_S, f"{role} to be there", self.told)

    def pid_after(self, role: str, pid: int, within_s: float) -> int:
        """Wait until demo.json shows another living process than `pid` in a role, and return its id."""

        def look() -> int | None:
            self.must_run()
            found = self.card().pids[role]
            return found if found != pid and is_alive(found) else None

        return wait_for(look, within_s, f"{role} again, after {pid} was killed", self.told)


class Up(Running):
    """One `ballast up` on embedded services and a simulated venue, where nobody trades by himself."""

    def __init__(self, data_dir: Path, wallets: Sequence[Wallet]) -> None:
        data_dir.mkdir()
        self.port = free_port()
        self.key = "bk_a_key_of_an_auditor"
        self.config = data_dir / "ballast.json"
        document: dict[str, Any] = tomllib.loads((ROOT / "ballast.toml").read_text())
        document["services"]["data_dir"] = str(data_dir)
        document["http"]["port"] = self.port
        document["simulator"]["enabled"] = True
        document["policy"]["benefactors"] = [wallet.address for wallet in wallets]
        self.config.write_bytes(msgspec.json.encode(document))
        entry = KeyEntry(digest=key_digest(self.key), person="anna", role=Role.AUDITOR)
        (data_dir / "keys.json").write_bytes(msgspec.json.encode([entry]))
        super().__init__(data_dir, ["up", "--config", self.config])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def until_ready(self) -> None:
        """Wait until it says that it can answer, and has prices to answer with."""

        def look() -> bool | None:
            self.must_run()
            try:
                return True if httpx.get(f"{self.url}/health/ready").is_success and self._priced() else None
            except httpx.TransportError:
                return None

        wait_for(look, READY_WITHIN_S * slowness(), "a ready API with prices", self.told)

    def _priced(self) -> bool:
        bearer = {"Authorization": f"Bearer {self.key}"}
        pairs = [pair["name"] for pair in self.settings()["policy"]["pairs"]]
        answers = [httpx.get(f"{self.url}/v1/indicative/{quote(pair, safe='')}", headers=bearer) for pair in pairs]
        return all(answer.is_success and answer.json()["indicative"]["mint"] for answer in answers)

    def settings(self) -> dict[str, Any]:
        """Return the settings that its roles run on, with the addresses of the services."""
        return msgspec.json.decode((self.data_dir / "run" / "settings.json").read_bytes())
