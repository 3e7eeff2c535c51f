"""The supervisor: order, readiness, restarts with a bound, orderly stops, and no orphans whoever dies how."""

import asyncio
import json
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from adapters.embedded import keeper
from adapters.embedded.boundedlog import BoundedLog
from adapters.embedded.child import ChildFailed, StopStep
from adapters.embedded.guardian import Guardian
from tests.support.supervised import Heard, is_alive, python_child, until_gone

READY_THEN = """
    import os, signal, sys, threading
    from adapters.embedded.readiness import announce_ready
    print("begins", flush=True)
    assert announce_ready()
    {then}
"""
WAIT = READY_THEN.format(then="signal.pause()")


async def test_starts_in_order_and_stops_in_reverse(tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = READY_THEN.format(
        then="""
    def end(*_):
        open({said!r}, "a").write("{role} ends\\n")
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    open({said!r}, "a").write("{role} waits\\n")
    while True: signal.pause()
    """
    ).replace("assert announce_ready()", "")
    code = code.replace("while True", "announce_ready()\n    while True")
    heard = Heard()
    async with heard.supervisor() as supervisor:
        pids = {
            role: await supervisor.launch(python_child(role, code.format(said=str(said), role=role), tmp_path))
            for role in ("first", "second", "third")
        }
        assert supervisor.pids == pids
        for role, pid in pids.items():
            assert await heard.until("started", role) == pid
            assert os.getpgid(pid) == pid
    roles = ("first", "second", "third")
    assert said.read_text().split("\n")[:-1] == [f"{role} waits" for role in roles] + [
        f"{role} ends" for role in reversed(roles)
    ]
    assert heard.reports.empty()  # an ordered end is no death


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    heard = Heard()
    async with heard.supervisor() as supervisor:
        first = await supervisor.launch(python_child("core", WAIT, tmp_path))
        assert await heard.until("started", "core") == first
        os.kill(first, signal.SIGKILL)
        assert await heard.until("died", "core") == -signal.SIGKILL
        second = await heard.until("started", "core", 5)
        assert supervisor.pids == {"core": second}
        assert second != first
    assert not is_alive(second)


async def test_a_first_start_that_fails_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    heard = Heard()
    async with heard.supervisor() as supervisor:
        with pytest.raises(ChildFailed, match=r"(?s)core ended with code 3 before it was ready.*no such venue"):
            await supervisor.launch(python_child("core", "print('no such venue'); raise SystemExit(3)", tmp_path))
        with pytest.raises(ChildFailed, match=r"core was not ready within 0\.3 s"):
            await supervisor.launch(python_child("core", "import signal; signal.pause()", tmp_path, ready_within_s=0.3))
        assert supervisor.pids == {}
        assert await supervisor.launch(python_child("core", WAIT, tmp_path))


async def test_a_role_that_only_dies_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PAUSE_S_MAX", 0.01)
    monkeypatch.setattr(keeper, "DEATHS_MAX", 3)
    heard = Heard()
    async with heard.supervisor() as supervisor:
        await supervisor.launch(python_child("core", READY_THEN.format(then="sys.exit(5)"), tmp_path))
        why = await heard.until("failed", "core", 60)
        assert why == "4 deaths in 60 s, lastly: it ended with code 5"
        assert supervisor.pids == {}
        assert await supervisor.launch(python_child("api", WAIT, tmp_path))  # the others go on


async def test_a_child_waits_for_the_foundation_it_stands_on(tmp_path: Path) -> None:
    """Kill both: the upper one comes back only after the lower one, which takes its time."""
    heard, gate = Heard(), tmp_path / "gate"
    os.mkfifo(gate)
    slow = READY_THEN.replace("assert", "once = os.path.exists('{seen}') and open('{gate}').read()\n    assert")
    slow = slow.replace("{then}", "open('{seen}', 'w').close(); signal.pause()")
    code = slow.replace("{seen}", str(tmp_path / "seen")).replace("{gate}", str(gate))
    async with asyncio.timeout(30), heard.supervisor() as supervisor:
        lower = await supervisor.launch(python_child("postgres", code, tmp_path, foundation=True))
        upper = await supervisor.launch(python_child("core", WAIT, tmp_path))
        while not (tmp_path / "seen").exists():  # noqa: ASYNC110 - written right after readiness
            await asyncio.sleep(0.01)
        await heard.until("started", "core")
        os.kill(lower, signal.SIGKILL)
        await heard.until("died", "postgres")
        os.kill(upper, signal.SIGKILL)
        await heard.until("died", "core")
        await asyncio.to_thread(gate.write_text, "go")  # blocks until the new postgres waits at the gate
        order = [(await asyncio.wait_for(heard.reports.get(), 10))[:2] for _ in range(2)]
        assert order == [("started", "postgres"), ("started", "core")]


async def test_a_child_that_will_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    code = """
    import os, signal, subprocess, sys
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from adapters.embedded.readiness import announce_ready
    print(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]).pid, flush=True)
    announce_ready()
    while True: signal.pause()
    """
    steps = (StopStep(signal=signal.SIGTERM, within_s=0.3),)
    async with Heard().supervisor() as supervisor:
        pid = await supervisor.launch(python_child("core", code, tmp_path, stop=steps))
    grandchild = int((tmp_path / "core.log").read_text())
    await until_gone(grandchild)
    assert not is_alive(pid)


async def test_a_living_grandchild_does_not_hide_a_death(tmp_path: Path) -> None:
    then = 'import subprocess; print(subprocess.Popen(["sleep", "60"]).pid, flush=True); signal.pause()'
    heard = Heard()
    async with heard.supervisor() as supervisor:
        first = await supervisor.launch(python_child("core", READY_THEN.format(then=then), tmp_path))
        while len(words := (tmp_path / "core.log").read_text().split()) < 2:  # noqa: ASYNC110 - printed after readiness
            await asyncio.sleep(0.01)
        os.kill(first, signal.SIGKILL)
        await heard.until("died", "core", 5)
        await until_gone(int(words[1]))


def test_the_log_keeps_its_bound(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "a.log", bytes_max=100)
    for number in range(30):
        log.write(f"{number:02d} tells it\n".encode())
    log.close()
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert all(0 < size <= 100 for size in sizes)
    assert log.tail().endswith("29 tells it\n")


async def test_the_guardian_alone_ends_what_its_parent_left() -> None:
    """The portable way: no kernel signal here, a plain child in a session of its own."""
    children = [await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True) for _ in range(3)]
    obeyed, killed, spared = children
    guardian = Guardian()
    guardian.watch(obeyed.pid, signal.SIGTERM)
    guardian._process.kill()  # somebody kills the guardian: the next word to it starts another, which knows everything
    guardian._process.wait()
    guardian.watch(killed.pid, signal.SIGKILL)
    guardian.watch(spared.pid, signal.SIGKILL)
    guardian.forget(spared.pid)
    await asyncio.to_thread(guardian.close)  # what the parent's death does to the pipe
    assert await asyncio.wait_for(obeyed.wait(), 5) == -signal.SIGTERM
    assert await asyncio.wait_for(killed.wait(), 5) == -signal.SIGKILL
    assert spared.returncode is None
    spared.kill()
    await spared.wait()


PARENT = """
    import asyncio, json, sys
    from pathlib import Path
    from adapters.embedded.nats import EmbeddedNats
    from adapters.embedded.postgres import EmbeddedPostgres
    from adapters.embedded.supervisor import Supervisor
    from tests.support.supervised import python_child

    async def main():
        root = Path(sys.argv[1])
        code = "import signal, subprocess; from adapters.embedded.readiness import announce_ready;"
        code += "print(subprocess.Popen(['sleep', '600']).pid, flush=True); announce_ready(); signal.pause()"
        async with Supervisor() as supervisor:
            await supervisor.launch(await EmbeddedPostgres(root / "postgres").prepare())
            await supervisor.launch(await EmbeddedNats(root / "nats").prepare())
            await supervisor.launch(python_child("core", code, root))
            pids = [*supervisor.pids.values(), int((root / "core.log").read_text().split()[-1])]
            print(json.dumps({"pids": pids, "guardian": supervisor._guardian._process.pid}), flush=True)
            await asyncio.sleep(600)

    asyncio.run(main())
"""


@pytest.mark.parametrize("guardian_first", [False, True], ids=["parent", "guardian-and-parent"])
async def test_kill_9_of_the_parent_leaves_no_orphan(postgres_root: Path, guardian_first: bool) -> None:
    root = postgres_root.parent
    repository = str(Path(__file__).parents[3])
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(PARENT),
        str(root),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": repository},
    )
    assert parent.stdout is not None
    told = json.loads(await asyncio.wait_for(parent.stdout.readline(), 60))
    assert len(told["pids"]) == 4
    assert all(is_alive(pid) for pid in told["pids"])
    *children, grandchild = told["pids"]
    if guardian_first:
        os.kill(told["guardian"], signal.SIGKILL)
    parent.kill()
    await parent.communicate()
    for pid in (*children, told["guardian"]):
        await until_gone(pid)
    if guardian_first:
        # Only the kernel's signal was left, which reaches the children and not what they started themselves.
        os.kill(grandchild, signal.SIGKILL)
    await until_gone(grandchild)


async def test_data_is_whole_after_the_parent_was_killed(postgres_root: Path) -> None:
    """Start again at once, while the servers of before may still be ending."""
    root = postgres_root.parent
    left: list[int] = []
    for _ in range(3):
        parent = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            textwrap.dedent(PARENT),
            str(root),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        assert parent.stdout is not None
        told = json.loads(await asyncio.wait_for(parent.stdout.readline(), 60))
        left += [*told["pids"], told["guardian"]]
        parent.kill()
        await parent.communicate()
    for pid in left:
        await until_gone(pid)
