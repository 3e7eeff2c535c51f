"""W3C trace context at the entrance: carry on the caller's trace, or begin one."""

import re
import secrets

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


def continued(header: str | None) -> str:
    """Return the `traceparent` of a new span: a child of the caller's when its header is valid, else a new trace.

    An invalid header restarts the trace, as the W3C text asks; it is never an error.
    """
    found = _FORM.fullmatch(header.strip()) if header is not None else None
    if found is not None:
        version, trace_id, span_id, flags, rest = found.groups()
        valid = version != "ff" and not (version == "00" and rest) and int(trace_id, 16) and int(span_id, 16)
        if valid:
            return f"00-{trace_id}-{_span()}-{int(flags, 16) & _SAMPLED:02x}"
    return f"00-{_nonzero(16)}-{_span()}-01"


def _span() -> str:
    return _nonzero(8)


def _nonzero(count: int) -> str:
    while True:
        raw = secrets.token_bytes(count)
        if any(raw):
            return raw.hex()
