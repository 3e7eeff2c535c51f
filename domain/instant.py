"""Instants: integer microseconds since the Unix epoch, UTC; RFC 3339 at the edges."""

from datetime import UTC, datetime, timedelta

MILLISECOND_US = 1_000
SECOND_US = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_PLAIN = _EPOCH.replace(tzinfo=None)
_MICROSECOND = timedelta(microseconds=1)


def rfc3339(at_us: int) -> str:
    """Write an instant as RFC 3339 with six digits and Z; outside the years 1 to 9999 it is written as their end.

    An order may say that it expires in the year 10^31: that must not stop whoever writes it down.
    """
    try:
        moment = _EPOCH_PLAIN + timedelta(microseconds=at_us)
    except OverflowError:
        moment = datetime.max if at_us > 0 else datetime.min  # noqa: DTZ901 - written with Z below, as all of them
    return moment.isoformat(timespec="microseconds") + "Z"


def parse_rfc3339(text: str) -> int:
    """Read an RFC 3339 instant with an offset; raise ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"an instant needs a time zone, such as Z: {text!r}")
    return (moment - _EPOCH) // _MICROSECOND
