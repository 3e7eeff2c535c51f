"""What a kill did, line by line in a file of its own: for the auditor, whatever else is lost.

It is written by a thread: a disk that hangs or fails holds up nothing.
"""

import datetime as dt
import os
import queue
import threading
from pathlib import Path

import msgspec

CLOSE_WITHIN_S = 2.0


class KillJournal:
    """Append lines of JSON to a file, each timed, each on the disk before the next; `error` tells what failed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error = ""
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    def note(self, what: str, **told: object) -> None:
        """Take one line."""
        line = {"at": dt.datetime.now(dt.UTC), "what": what, **told}
        self._lines.put(msgspec.json.encode(line, enc_hook=str) + b"\n")

    def close(self) -> None:
        """Wait until all is written, within a bound; idempotent."""
        self._lines.put(None)
        self._writer.join(CLOSE_WITHIN_S)
        if self._writer.is_alive():
            self.error = f"not all is written down yet: {self.path} does not answer"

    def _write(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                while (line := self._lines.get()) is not None:
                    os.write(descriptor, line)
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self.error = f"not all is written down: {self.path}: {error.strerror}"
