"""Instants: integer microseconds since the Unix epoch, UTC; RFC 3339 at the edges."""

from datetime import UTC, datetime, timedelta

MILLISECOND_US = 1_000
SECOND_US = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def rfc3339(at_us: int) -> str:
    """Write an instant as RFC 3339 with six digits and Z."""
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> int:
    """Read an RFC 3339 instant with an offset; raise ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"an instant needs a time zone, such as Z: {text!r}")
    return (moment - _EPOCH) // _MICROSECOND
