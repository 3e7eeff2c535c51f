"""What can go wrong between this process and Postgres, drawn once.

Exception
├── commands.ports.Fenced            another writer took over: stop
├── commands.ports.AppendFailed      surely not in the log
│   └── AppendConflict               … because a key, a version or a constraint was violated
├── PostgresRefused                  the server answered with an error: surely not done
├── ConnectionLost                   the connection ended: what was in flight may or may not be done
├── HandshakeFailed                  no session came about: address, TLS, password, missing method
├── LockHeld                         a session that may still be committing holds the writer's lock
├── LogUnreachable                   the server did not come back in time: outcome unknown, replay to learn it
├── LogDiverged                      the log is not what this writer acknowledged: stop and ask a person
└── SchemaMismatch                   migrations and database do not fit together
"""

import msgspec

from commands.ports import AppendFailed

_CONSTRAINT_CLASS = "23"


class AppendConflict(AppendFailed):
    """Say that a batch is not in the log because a key, a version or a constraint stands against it."""


class ServerError(msgspec.Struct, frozen=True):
    """Hold an ErrorResponse of the server. `sqlstate` is its five-character code."""

    severity: str
    sqlstate: str
    message: str
    detail: str = ""

    @property
    def is_conflict(self) -> bool:
        """Tell whether a constraint was violated."""
        return self.sqlstate.startswith(_CONSTRAINT_CLASS)

    @property
    def ends_session(self) -> bool:
        """Tell whether the server closes the connection after this error."""
        return self.severity in {"FATAL", "PANIC"}

    def __str__(self) -> str:
        """Write the error on one line."""
        text = f"{self.message} [{self.sqlstate}]"
        return f"{text}: {self.detail}" if self.detail else text


class PostgresRefused(Exception):
    """Say that the server answered a statement with an error, so that its transaction is surely not committed."""

    def __init__(self, error: ServerError) -> None:
        super().__init__(str(error))
        self.error = error


class ConnectionLost(Exception):
    """Say that the connection ended; whatever was in flight may or may not be committed."""


class HandshakeFailed(Exception):
    """Say why no session came about: nothing was sent, nothing is done."""


class LockHeld(Exception):
    """Say that another session holds the writer's lock and could not be ended: it may still be committing."""


class LogUnreachable(Exception):
    """Say that the server did not come back within the bound; the outcome of what was in flight is unknown."""


class LogDiverged(Exception):
    """Say that the log differs from what this writer acknowledged: lost, rewritten, or written by someone unfenced."""


class SchemaMismatch(Exception):
    """Say that the database's recorded migrations and the files do not fit together."""
