"""The three streams of a book: INBOX (facts from outside), EVENTS (the log, relayed) and ALERTS.

Postgres is the record. A stream that is missing is made anew, and its owner is told, so that it can be healed: EVENTS
from the log, INBOX from the sources, ALERTS from the log's alerts.
"""

import re
from datetime import UTC, datetime, timedelta

import msgspec
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from adapters.nats.failures import StreamMismatch

DEFAULT_PREFIX = "ballast"
HOUR_S = 3600
DAY_S = 24 * HOUR_S

INBOX_MSGS_MAX = 1_000_000
INBOX_AGE_S_MAX = 30 * DAY_S
INBOX_DEDUPE_S = 600
EVENTS_MSGS_MAX = 5_000_000
EVENTS_AGE_S_MAX = 7 * DAY_S
# The expected last sequence already makes a duplicate impossible; the window costs memory for each id in it.
EVENTS_DEDUPE_S = 30
ALERTS_MSGS_MAX = 100_000
ALERTS_AGE_S_MAX = 30 * DAY_S
ALERTS_DEDUPE_S = HOUR_S

_PREFIX = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What makes a stream ours; a difference here is another stream, a difference elsewhere is an old setting.
_IDENTITY = ("subjects", "retention", "storage", "discard", "deny_delete", "deny_purge", "no_ack", "sealed")
_LIMITS = ("max_msgs", "max_age", "duplicate_window", "num_replicas")


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a stream as found or made.

    `generation` changes when the stream is made anew, and is when it was made (RFC 3339). `last_sequence` is
    `first_sequence - 1` while it never held a message.
    """

    name: str
    generation: str
    created_us: int
    first_sequence: int
    last_sequence: int
    messages: int
    made_now: bool


def checked_prefix(prefix: str) -> str:
    """Return the book's prefix if it can begin subjects and name streams; raise ValueError otherwise."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"a book's prefix is lower case letters, digits, - and _, at most 32: not {prefix!r}")
    return prefix


def stream_name(prefix: str, kind: str) -> str:
    """Return a stream's name: INBOX, EVENTS, ALERTS, preceded by the book's prefix when it is not the default one."""
    return kind if checked_prefix(prefix) == DEFAULT_PREFIX else f"{prefix.upper()}_{kind}"


def inbox_config(prefix: str, replicas: int = 1) -> StreamConfig:
    """Return INBOX's settings: a work queue, in which a fact stays until the core has committed it.

    At its bound it refuses new facts rather than forget old ones.
    """
    return StreamConfig(
        name=stream_name(prefix, "INBOX"),
        subjects=[f"{prefix}.inbox.>"],
        retention=RetentionPolicy.WORK_QUEUE,
        discard=DiscardPolicy.NEW,
        storage=StorageType.FILE,
        max_msgs=INBOX_MSGS_MAX,
        max_age=INBOX_AGE_S_MAX,
        duplicate_window=INBOX_DEDUPE_S,
        num_replicas=replicas,
    )


def events_config(prefix: str, first_sequence: int, replicas: int = 1) -> StreamConfig:
    """Return EVENTS' settings: sequences are the log's positions, so it begins where the log stands."""
    return StreamConfig(
        name=stream_name(prefix, "EVENTS"),
        subjects=[f"{prefix}.events.>"],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        deny_delete=True,
        deny_purge=True,
        first_seq=first_sequence,
        max_msgs=EVENTS_MSGS_MAX,
        max_age=EVENTS_AGE_S_MAX,
        duplicate_window=EVENTS_DEDUPE_S,
        num_replicas=replicas,
    )


def alerts_config(prefix: str, replicas: int = 1) -> StreamConfig:
    """Return ALERTS' settings: kept long enough for a subscriber that was away to catch up."""
    return StreamConfig(
        name=stream_name(prefix, "ALERTS"),
        subjects=[f"{prefix}.alerts.>"],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        max_msgs=ALERTS_MSGS_MAX,
        max_age=ALERTS_AGE_S_MAX,
        duplicate_window=ALERTS_DEDUPE_S,
        num_replicas=replicas,
    )


async def ensure_stream(jetstream: JetStreamContext, wanted: StreamConfig) -> StreamState:
    """Make the stream if it is missing, bring its bounds up to date if they differ, and describe it.

    Raise `StreamMismatch` when a stream of that name has other subjects or another kind of retention, storage or
    protection; it is left alone.
    """
    name = str(wanted.name)
    made_now = False
    try:
        info = await jetstream.stream_info(name)
    except NotFoundError:
        info, made_now = await jetstream.add_stream(wanted), True
    differing = [each for each in _IDENTITY if getattr(info.config, each) != getattr(wanted, each)]
    if differing:
        raise StreamMismatch(f"stream {name} exists and is not ours: it differs in {', '.join(differing)}")
    if any(getattr(info.config, each) != getattr(wanted, each) for each in _LIMITS):
        bounds = {each: getattr(wanted, each) for each in _LIMITS}
        info = await jetstream.update_stream(info.config.evolve(**bounds))
    return _state(name, info, made_now=made_now)


async def ensure_inbox(jetstream: JetStreamContext, prefix: str, *, replicas: int = 1) -> StreamState:
    """Make or verify the book's INBOX."""
    return await ensure_stream(jetstream, inbox_config(prefix, replicas))


async def ensure_events(
    jetstream: JetStreamContext, prefix: str, *, next_position: int, replicas: int = 1
) -> StreamState:
    """Make or verify the book's EVENTS. If it is missing it begins at `next_position`."""
    return await ensure_stream(jetstream, events_config(prefix, next_position, replicas))


async def ensure_alerts(jetstream: JetStreamContext, prefix: str, *, replicas: int = 1) -> StreamState:
    """Make or verify the book's ALERTS."""
    return await ensure_stream(jetstream, alerts_config(prefix, replicas))


def _state(name: str, info: StreamInfo, *, made_now: bool) -> StreamState:
    created = info.created or _EPOCH
    return StreamState(
        name=name,
        generation=created.isoformat(),
        created_us=(created - _EPOCH) // timedelta(microseconds=1),
        first_sequence=info.state.first_seq,
        last_sequence=info.state.last_seq,
        messages=info.state.messages,
        made_now=made_now,
    )
