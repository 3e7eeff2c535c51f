"""Walk through bytes from the front: every field is there in full, and nothing is left over, or it is refused."""

from adapters.oracle.rejected import OracleRejected


class Cursor:
    """Take fields off the front of some bytes; `what` names them in errors. Numbers are big-endian."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._at = 0

    def take(self, length: int) -> bytes:
        """Return the next bytes."""
        end = self._at + length
        if end > len(self._data):
            raise OracleRejected("truncated", f"the {self._what} ends at byte {len(self._data)} inside a field")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def unsigned(self, length: int) -> int:
        """Return the next unsigned number."""
        return int.from_bytes(self.take(length), "big")

    def signed(self, length: int) -> int:
        """Return the next number in two's complement."""
        return int.from_bytes(self.take(length), "big", signed=True)

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Refuse what is left over."""
        if left := len(self._data) - self._at:
            raise OracleRejected("trailing_bytes", f"{left} bytes after the end of the {self._what}")
