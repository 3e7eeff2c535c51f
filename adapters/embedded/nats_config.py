"""Write the NATS server's configuration: who may publish and hear what. Pure.

Users: `core` owns the bus; `api` sends commands; `worker` (execution, simulators, projections) brings facts from
outside and publishes what it makes; `subscriber` only reads. **Only `core` and `api` may publish commands.** Workers
and subscribers make consumers of streams but cannot change, purge or delete a stream, nor publish an event.

JetStream delivers to any subject a consumer names, whoever asked for the consumer, so a worker could have a message it
put into INBOX pushed to a command's subject. Such a delivery always carries a reply subject under `$JS.ACK.`, which a
command from a client never has: whoever hears commands refuses those.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

USERS = ("core", "api", "worker", "subscriber")
MEMORY_STORE = "64MB"  # our streams are kept in files
PAYLOAD_BYTES_MAX = 1024 * 1024
WRITE_DEADLINE = "10s"  # a slow reader is cut off after it


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The names of the book's streams."""

    inbox: str = "INBOX"
    events: str = "EVENTS"
    alerts: str = "ALERTS"


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """The subjects a user may publish to and subscribe to; wildcards are NATS's."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions(prefix: str, streams: Streams) -> dict[str, Permissions]:
    """Return what each user may do, for a book's subject prefix."""
    seen = tuple(f"{prefix}.{kind}.>" for kind in ("events", "alerts", "market", "indicative", "health"))
    made = tuple(f"{prefix}.{kind}.>" for kind in ("inbox", "alerts", "market", "indicative", "health"))
    own_inbox = ("_INBOX.>",)
    return {
        "core": Permissions(publish=(">",), subscribe=(">",)),
        "api": Permissions(
            publish=(f"{prefix}.cmd.>", *made, *_consuming((streams.events, streams.alerts, streams.inbox))),
            # A command's reply goes to `_INBOX_api`, where no other user can overhear it; see `inbox_prefix`.
            subscribe=(*seen, f"{prefix}.inbox.>", "_INBOX_api.>", *own_inbox),
        ),
        "worker": Permissions(
            publish=(*made, *_consuming((streams.events, streams.alerts, streams.inbox))),
            subscribe=(*seen, f"{prefix}.inbox.>", "_INBOX_worker.>", *own_inbox),
        ),
        "subscriber": Permissions(
            publish=_consuming((streams.events, streams.alerts)),
            subscribe=(*seen, *own_inbox),
        ),
    }


def _consuming(streams: Sequence[str]) -> tuple[str, ...]:
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
