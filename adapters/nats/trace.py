"""W3C trace context, as it travels in message headers. Pure: ids come from the caller."""

import re

import msgspec

TRACEPARENT = "traceparent"
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACE_BYTES = 16
_SPAN_BYTES = 8
_SAMPLED = 1


class TraceContext(msgspec.Struct, frozen=True):
    """Name a trace and the span within it that caused what follows; hex, lower case."""

    trace_id: str
    span_id: str
    sampled: bool

    def header(self) -> str:
        """Return the `traceparent` header's value, version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    def child(self, seed: bytes) -> "TraceContext":
        """Return the context of a span within this trace; `seed` is at least 8 random or derived bytes."""
        return TraceContext(self.trace_id, _span(seed), self.sampled)


def parse(header: str | None) -> TraceContext | None:
    """Read a `traceparent` value; None when it is absent or not valid, as the W3C text asks (restart the trace)."""
    found = _FORM.fullmatch(header.strip()) if header is not None else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, sampled=bool(int(flags, 16) & _SAMPLED))


def start(seed: bytes, *, sampled: bool = True) -> TraceContext:
    """Begin a trace from at least 24 random bytes: 16 name the trace, 8 its first span. Raise ValueError if unfit."""
    trace = seed[:_TRACE_BYTES]
    if len(seed) < _TRACE_BYTES + _SPAN_BYTES or not any(trace):
        raise ValueError("a trace starts from 24 bytes that are not zero")
    return TraceContext(trace.hex(), _span(seed[_TRACE_BYTES:]), sampled)


def _span(seed: bytes) -> str:
    span = seed[:_SPAN_BYTES]
    if len(span) < _SPAN_BYTES or not any(span):
        raise ValueError("a span starts from 8 bytes that are not zero")
    return span.hex()
