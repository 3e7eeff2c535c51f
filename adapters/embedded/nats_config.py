"""Write the NATS server's configuration: who may publish and hear what. Pure.

Users: `core` owns the bus; `api` sends commands; `worker` (execution, simulators, projections) brings facts from
outside and publishes what it makes; `subscriber` only reads. **Only `core` and `api` may publish commands**, and only
`core` may consume INBOX, which is a work queue. Workers and subscribers make consumers of EVENTS and ALERTS, but cannot
purge or delete a stream, nor publish an event. A worker may make ALERTS anew after a wipe.

JetStream delivers to any subject a consumer names, whoever asked for the consumer. That is no way around: what is
delivered so keeps the subject it was stored under, and reaches only a subscription to the very subject named, not one
to `<prefix>.cmd.>`. Whoever hears commands subscribes to the latter and takes the kind from the message's subject.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PREFIX = "ballast"
USERS = ("core", "api", "worker", "subscriber")
MEMORY_STORE = "64MB"  # our streams are kept in files
PAYLOAD_BYTES_MAX = 1024 * 1024
WRITE_DEADLINE = "10s"  # a slow reader is cut off after it


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The names of a book's streams."""

    inbox: str
    events: str
    alerts: str

    @classmethod
    def of(cls, prefix: str) -> "Streams":
        """Return the names for a prefix: INBOX, EVENTS, ALERTS, preceded by the prefix if it is not the default one."""
        before = "" if prefix == DEFAULT_PREFIX else f"{prefix.upper()}_"
        return cls(inbox=f"{before}INBOX", events=f"{before}EVENTS", alerts=f"{before}ALERTS")


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """The subjects a user may publish to and subscribe to; wildcards are NATS's."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions(prefix: str, streams: Streams) -> dict[str, Permissions]:
    """Return what each user may do, for a book's subject prefix."""
    seen = tuple(f"{prefix}.{kind}.>" for kind in ("events", "alerts", "market", "indicative", "health"))
    made = tuple(f"{prefix}.{kind}.>" for kind in ("inbox", "alerts", "market", "indicative", "health"))
    reading = _reading((streams.events, streams.alerts))
    inbox_state = f"$JS.API.STREAM.INFO.{streams.inbox}"
    making_alerts = tuple(f"$JS.API.STREAM.{act}.{streams.alerts}" for act in ("CREATE", "UPDATE"))
    # Replies come to `_INBOX.>` by default; a client that takes its own `inbox_prefix` is overheard by `core` only.
    return {
        "core": Permissions(publish=(">",), subscribe=(">",)),
        "api": Permissions(
            publish=(f"{prefix}.cmd.>", f"{prefix}.health.>", inbox_state, *reading),
            subscribe=(*seen, "_INBOX_api.>", "_INBOX.>"),
        ),
        "worker": Permissions(
            publish=(*made, inbox_state, *making_alerts, *reading),
            subscribe=(*seen, "_INBOX_worker.>", "_INBOX.>"),
        ),
        "subscriber": Permissions(publish=reading, subscribe=(*seen, "_INBOX.>")),
    }


def _reading(streams: Sequence[str]) -> tuple[str, ...]:
    """Return the subjects a reader of these streams must be able to publish to: requests and acknowledgements."""
    asks = ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"]
    for stream in streams:
        asks += [
            f"$JS.API.STREAM.INFO.{stream}",
            f"$JS.API.STREAM.MSG.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}",
            f"$JS.API.DIRECT.GET.{stream}.>",
            f"$JS.API.CONSUMER.CREATE.{stream}",
            f"$JS.API.CONSUMER.CREATE.{stream}.>",
            f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.*",
            f"$JS.API.CONSUMER.INFO.{stream}.*",
            f"$JS.API.CONSUMER.LIST.{stream}",
            f"$JS.API.CONSUMER.NAMES.{stream}",
            f"$JS.API.CONSUMER.DELETE.{stream}.*",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*",
            f"$JS.ACK.{stream}.>",
            f"$JS.FC.{stream}.>",
        ]
    return tuple(asks)


def server_config(
    *, host: str, port: int, store: Path, passwords: Mapping[str, str], allowed: Mapping[str, Permissions]
) -> str:
    """Return the configuration file's text; it holds the passwords."""
    users = [
        f"    {{ user: {user}, password: {json.dumps(passwords[user])}, permissions: {{ "
        f"publish: {json.dumps(list(may.publish))}, subscribe: {json.dumps(list(may.subscribe))} }} }}"
        for user, may in allowed.items()
    ]
    lines = [
        f"listen: {json.dumps(f'{host}:{port}')}",
        "server_name: ballast",
        f"jetstream {{ store_dir: {json.dumps(str(store))}, max_memory_store: {MEMORY_STORE} }}",
        f"max_payload: {PAYLOAD_BYTES_MAX}",
        f"write_deadline: {json.dumps(WRITE_DEADLINE)}",
        "logtime_utc: true",
        "authorization {",
        "  users: [",
        *users,
        "  ]",
        "}",
    ]
    return "\n".join(lines) + "\n"
