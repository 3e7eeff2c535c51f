"""Run Postgres 18 from its wheel in a data directory, as a supervised child.

The directory holds `cluster/` (made once, see `cluster`), the remembered `port`, the `lock` that every process of the
server holds for life, and `postgres.log`. The server listens on loopback only, with passwords.
"""

import signal
import sys
from pathlib import Path

from adapters.embedded.account import server_account
from adapters.embedded.child import Child, DataLock, StopStep
from adapters.embedded.cluster import (
    DATABASE,
    MAJOR,
    OWNER,
    SERVER_ENV,
    SUPERUSER,
    Binaries,
    ClusterUnusable,
    installed_binaries,
    make_cluster,
    reaching,
)
from adapters.embedded.loopback import LOOPBACK, remembered_port
from adapters.embedded.passwords import load_passwords

ROLE = "postgres"
READY = "database system is ready to accept connections"
READY_WITHIN_S = 300.0  # recovery after a crash replays up to `max_wal_size`
LOCK_WITHIN_S = 20.0
FAST_STOP_WITHIN_S = 20.0  # writes a checkpoint
IMMEDIATE_STOP_WITHIN_S = 5.0

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    # What a commit promises.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Sized for two cores and a few processes of our own.
    "max_connections": "200",
    # The log's two indexes on random ids must fit: once they do not, an append costs three times as much. It is memory
    # that is only used as the log grows.
    "shared_buffers": "1GB",
    "effective_cache_size": "2GB",
    "maintenance_work_mem": "128MB",
    "max_parallel_workers_per_gather": "1",
    "createrole_self_grant": "set, inherit",  # the owner may act as the roles that its migrations make
    "jit": "off",  # costs more than it saves on our short statements
    "random_page_cost": "1.1",
    # An append-only log: spread checkpoints out. The page images that follow each are of random ids, which compression
    # does not shrink and pays for.
    "wal_compression": "off",
    "wal_buffers": "16MB",
    "min_wal_size": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "10min",
    "checkpoint_completion_target": "0.9",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # a failed statement may hold a secret; its client is told what failed
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # After a crash every file is made durable first: one call for the file system, not one for each of 1,400 files,
    # which on a busy disk took longer than the five seconds that a killed server may be away.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}


class EmbeddedPostgres:
    """One Postgres in one directory. Await `prepare` and launch the child it returns under a supervisor."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir.absolute()
        self._cluster = self._root / "cluster"
        self._port = 0
        self._passwords: dict[str, str] = {}

    async def prepare(self) -> Child:
        """Make the cluster if the directory is new, choose the port, and describe the server.

        Raise `ClusterUnusable` or `AccountUnusable` if the data cannot be used as it is.
        """
        binaries = installed_binaries()
        data = self._cluster / "pgdata"
        account = server_account(data)
        self._root.mkdir(parents=True, exist_ok=True, mode=0o711 if account else 0o700)
        port_file = self._root / "port"
        if not self._cluster.exists():
            if port_file.exists():
                raise ClusterUnusable(
                    f"the cluster of {self._cluster} is gone: restore it, or remove {self._root} to begin anew"
                )
            await make_cluster(self._cluster, account, binaries, self._lock(None))
        version = (data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise ClusterUnusable(f"{data} is of Postgres {version}, this is {MAJOR}: upgrade it with pg_upgrade")
        self._passwords = load_passwords(self._cluster / "passwords.json", (SUPERUSER, OWNER))
        self._port = remembered_port(port_file)
        return self._child(binaries, data)

    def _child(self, binaries: Binaries, data: Path) -> Child:
        settings = {**SETTINGS, "port": str(self._port)}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Child(
            role=ROLE,
            argv=(str(binaries.postgres), "-D", str(data), *flags),
            env=SERVER_ENV,
            log=self._root / "postgres.log",
            ready_line=READY,
            ready_within_s=READY_WITHIN_S,
            stop=(
                StopStep(signal=signal.SIGINT, within_s=FAST_STOP_WITHIN_S),
                StopStep(signal=signal.SIGQUIT, within_s=IMMEDIATE_STOP_WITHIN_S),
            ),
            death_signal=signal.SIGQUIT,  # the postmaster takes its backends along; SIGKILL would leave them to notice
            account=reaching(server_account(data), binaries, data),
            lock=self._lock(data),
            foundation=True,
        )

    def _lock(self, data: Path | None) -> DataLock:
        leader = None if data is None else data / "postmaster.pid"
        return DataLock(path=self._root / "lock", within_s=LOCK_WITHIN_S, leader=leader, orphans_in=data)

    def dsn(self, database: str = DATABASE) -> str:
        """Return the address of a database for the owner, who is no superuser; valid after `prepare`."""
        return self._address(OWNER, database)

    def superuser_dsn(self, database: str = SUPERUSER) -> str:
        """Return the address of a database for the superuser; valid after `prepare`."""
        return self._address(SUPERUSER, database)

    def _address(self, user: str, database: str) -> str:
        if self._port == 0:
            raise RuntimeError("await `prepare` first")
        return f"postgresql://{user}:{self._passwords[user]}@{LOOPBACK}:{self._port}/{database}"
