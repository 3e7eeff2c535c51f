"""Print a book's alerts as they come, and those that came while nobody listened.

    python examples/alert_subscriber.py --nats nats://user:password@127.0.0.1:4222 --durable pager
    python examples/alert_subscriber.py --nats … --durable pager --severity critical --from-start

JetStream remembers under the durable name what was taken: start again with the same name and nothing is missed. A name
that is new begins with the next alert, or with the first one kept if `--from-start` is given. An alert counts as taken
once it is printed, so that after a crash one may be printed twice: its id tells. Only the public subjects and nats-py
are used: what an integrator would write.
"""

import argparse
import asyncio
import json
import sys

import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

DEFAULT_PREFIX = "ballast"
FETCH_ALERTS = 100
FETCH_S = 5.0
STREAM_WAIT_S = 1.0


def alerts_stream(prefix: str) -> str:
    """Return the name of the stream that holds a book's alerts."""
    return "ALERTS" if prefix == DEFAULT_PREFIX else f"{prefix.upper()}_ALERTS"


def line(subject: str, data: bytes) -> str:
    """Write one alert on one line."""
    severity, area = subject.split(".")[2:4]
    alert = json.loads(data)
    where = f"caused by event {alert['cause_position']}" if alert["cause_position"] else "caused by no event"
    return f"{severity.upper():8} {area}: {alert['subject']}: {alert['text']} ({where}, alert {alert['alert_id']})"


async def bind(js: JetStreamContext, asked: argparse.Namespace) -> JetStreamContext.PullSubscription:
    """Open the durable consumer, making it if its name is new; wait for the stream to be there."""
    stream = alerts_stream(asked.prefix)
    subject = f"{asked.prefix}.alerts.{asked.severity or '*'}.>"
    while True:
        try:
            await js.stream_info(stream)
            break
        except NotFoundError:
            await asyncio.sleep(STREAM_WAIT_S)
    try:
        await js.consumer_info(stream, asked.durable)
    except NotFoundError:
        policy = DeliverPolicy.ALL if asked.from_start else DeliverPolicy.NEW
        await js.add_consumer(
            stream,
            ConsumerConfig(
                durable_name=asked.durable,
                filter_subject=subject,
                deliver_policy=policy,
                ack_policy=AckPolicy.EXPLICIT,
            ),
        )
    return await js.pull_subscribe_bind(durable=asked.durable, stream=stream)


async def follow(asked: argparse.Namespace) -> None:
    """Print alerts for ever, or until `--count` of them were printed."""
    client = await nats.connect(asked.nats, name=f"alert_subscriber {asked.durable}", max_reconnect_attempts=-1)
    try:
        subscription = await bind(client.jetstream(), asked)
        printed = 0
        while asked.count is None or printed < asked.count:
            wanted = FETCH_ALERTS if asked.count is None else min(FETCH_ALERTS, asked.count - printed)
            try:
                messages = await subscription.fetch(wanted, timeout=FETCH_S)
            except TimeoutError:
                continue
            for message in messages:
                print(line(message.subject, message.data), flush=True)
                await message.ack_sync()
                printed += 1
    finally:
        await client.close()


def main() -> None:
    """Read the arguments and follow."""
    parser = argparse.ArgumentParser(description="Print a book's alerts, none missed.")
    parser.add_argument("--nats", default="nats://127.0.0.1:4222", help="the server's URL, with user and password")
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help="the book's prefix")
    parser.add_argument("--durable", default="alert-subscriber", help="the name under which JetStream remembers")
    parser.add_argument("--severity", choices=("info", "warning", "critical"), help="only these")
    parser.add_argument("--from-start", action="store_true", help="a new name begins with the first alert kept")
    parser.add_argument("--count", type=int, help="end after so many")
    try:
        asyncio.run(follow(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
