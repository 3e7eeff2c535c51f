"""Keep what a child prints, within a bound: one current file and one older."""

import os
from io import FileIO
from pathlib import Path

LOG_BYTES_MAX = 8 * 1024 * 1024  # of each of the two files
TAIL_BYTES = 4096


class BoundedLog:
    """Append bytes to a file; beyond the bound the file becomes `<name>.1`, replacing the one before."""

    def __init__(self, path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _open_private(path)
        self._size = self._file.tell()

    def write(self, chunk: bytes) -> None:
        """Append a chunk, of at most the bound; rotate first if it would not fit."""
        if self._size + len(chunk) > self._bytes_max and self._size > 0:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = _open_private(self.path)
            self._size = 0
        self._file.write(chunk)
        self._size += len(chunk)

    def tail(self) -> str:
        """Return the last lines, for an error message."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as log:
            log.seek(max(0, self._size - TAIL_BYTES))
            return log.read().decode(errors="replace")

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()


def _open_private(path: Path) -> FileIO:
    """Open for appending; only we may read it, since errors quote data."""
    return FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")
