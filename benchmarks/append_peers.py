"""The peers: the library's stock Postgres recorder with 8 threads, and pgbench with one row a transaction."""

import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresFactory

from benchmarks.append_ours import STATE, TOPIC

STOCK_THREADS = 8
PGBENCH_CLIENTS = 64
PGBENCH_THREADS = 2

_ROWS = "create table if not exists bench_rows (id bigserial primary key, state bytea not null);"
_ONE_ROW = f"insert into bench_rows (state) values (decode('{STATE.hex()}', 'hex'));"  # noqa: S608 - a constant


def append_stock(dsn: str, each: int) -> float:
    """Return the appends a second of the stock recorder at its default settings, 8 threads, one event each."""
    parts = urlsplit(dsn)
    factory = PostgresFactory(
        {
            "POSTGRES_DBNAME": parts.path.lstrip("/"),
            "POSTGRES_HOST": parts.hostname or "",
            "POSTGRES_PORT": str(parts.port),
            "POSTGRES_USER": unquote(parts.username or ""),
            "POSTGRES_PASSWORD": unquote(parts.password or ""),
        }
    )
    try:
        recorder = factory.application_recorder()
        works = [[StoredEvent(uuid4(), 1, TOPIC, STATE) for _ in range(each)] for _ in range(STOCK_THREADS)]

        def insert(work: list[StoredEvent]) -> None:
            for event in work:
                recorder.insert_events([event])

        with ThreadPoolExecutor(STOCK_THREADS) as threads:
            list(threads.map(insert, [work[:10] for work in works]))
            started = time.perf_counter()
            list(threads.map(insert, [work[10:] for work in works]))
            return STOCK_THREADS * (each - 10) / (time.perf_counter() - started)
    finally:
        factory.close()


def append_pgbench(binaries: Path, dsn: str, seconds: int) -> float:
    """Return pgbench's transactions a second, 64 clients, one inserted row each."""
    parts = urlsplit(dsn)
    reach = ["-h", parts.hostname or "", "-p", str(parts.port), "-U", unquote(parts.username or "")]
    environment = {
        "PGPASSWORD": unquote(parts.password or ""),
        "PGOPTIONS": "-c client_min_messages=warning",
        "PATH": "/usr/bin:/bin",
    }
    database = parts.path.lstrip("/")
    subprocess.run([binaries / "psql", *reach, "-qc", _ROWS, database], check=True, env=environment)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_ONE_ROW)
        script.flush()
        options = ["-n", "-c", str(PGBENCH_CLIENTS), "-j", str(PGBENCH_THREADS), "-T", str(seconds), "-f", script.name]
        told = subprocess.run(
            [binaries / "pgbench", *reach, *options, database],
            check=True,
            env=environment,
            capture_output=True,
            text=True,
        )
    found = re.search(r"tps = ([\d.]+)", told.stdout)
    if found is None:
        raise RuntimeError(f"pgbench told no rate: {told.stdout}")
    return float(found[1])
