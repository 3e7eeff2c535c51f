"""Open the log with the `eventsourcing` library's stock Application, as an auditor would, and print some events.

    python examples/auditor.py --dsn postgresql://auditor:…@host:port/ballast --limit 5

The role may only select. Without --dsn the address is one line of standard input, where no list of processes shows it.
"""

import argparse
import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run from anywhere, as a script

from eventsourcing.application import Application

from adapters.postgres.mapper import MAPPER_TOPIC


def environment(dsn: str) -> dict[str, str]:
    """Return the library's settings for reading the log at a dsn."""
    parts = urlsplit(dsn)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "CREATE_TABLE": "n",
        "MAPPER_TOPIC": MAPPER_TOPIC,
        "POSTGRES_DBNAME": parts.path.lstrip("/"),
        "POSTGRES_HOST": options.get("host") or parts.hostname or "localhost",
        "POSTGRES_PORT": str(options.get("port") or parts.port or 5432),
        "POSTGRES_USER": unquote(parts.username or ""),
        "POSTGRES_PASSWORD": unquote(parts.password or ""),
    }


def show(application: Application[UUID], start: int, limit: int) -> None:
    """Print `limit` events from a position on."""
    for each in application.notification_log.select(start=start, limit=limit):
        event = application.mapper.to_domain_event(each)
        print(f"{each.id:>8}  {each.topic:<36} {each.originator_id} v{each.originator_version}  {event}")


def main() -> int:
    """Print the first and the last events; return 1 when the log is empty."""
    parser = argparse.ArgumentParser(description="Read the event log with the stock eventsourcing library.")
    parser.add_argument("--dsn", help="the auditor's dsn; one line of standard input if it is not given")
    parser.add_argument("--limit", type=int, default=5, help="how many of the first and of the last events")
    arguments = parser.parse_args()
    dsn: str = arguments.dsn or sys.stdin.readline().strip()
    if not dsn:
        parser.error("give --dsn, or the dsn on standard input")
    limit: int = max(arguments.limit, 1)
    application = Application[UUID](environment(dsn))
    try:
        last = application.recorder.max_notification_id()
        if last is None:
            print("The log is empty.")
            return 1
        print(f"The log holds {last} events. The first:")
        show(application, 1, limit)
        print("The last:")
        show(application, max(last - limit + 1, 1), limit)
    finally:
        application.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
