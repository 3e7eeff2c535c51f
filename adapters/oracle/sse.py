"""Server-sent events out of chunks of bytes: what each event's data is, whatever way the chunks are cut."""

from adapters.oracle.rejected import OracleRejected

EVENT_BYTES_MAX = 1 << 20


class EventLines:
    """Put a stream's chunks together; comments and fields other than `data` are passed over. Bounded by an event."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take a chunk; return the data of the events that it ended. Refuse an event without end."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        ended: list[bytes] = []
        for line in lines:
            self._take(line.removesuffix(b"\r"), ended)
        if self._size + len(self._rest) > EVENT_BYTES_MAX:
            raise OracleRejected("malformed", f"an event of more than {EVENT_BYTES_MAX} bytes")
        return ended

    def _take(self, line: bytes, ended: list[bytes]) -> None:
        if not line:
            if self._data:
                ended.append(b"\n".join(self._data))
                self._data, self._size = [], 0
        elif line.startswith(b"data:"):
            data = line[5:].removeprefix(b" ")
            self._data.append(data)
            self._size += len(data) + 1
            if self._size > EVENT_BYTES_MAX:
                raise OracleRejected("malformed", f"an event of more than {EVENT_BYTES_MAX} bytes")
