"""Telling the core: facts are published until the inbox holds them, however long it takes."""

import asyncio

from commands.ports import Facts
from domain.codec import encode
from domain.refusal import Unavailable, Unknown

PAUSE_S = 0.05
PAUSE_S_MAX = 2.0
TEXT_MAX = 500


def readable(text: str) -> str:
    """Return somebody else's text as it may stand in an event: one printable line, bounded; Postgres takes no NUL."""
    return "".join(char if char.isprintable() else " " for char in text[:TEXT_MAX])


async def tell(facts: Facts, source: str, kind: str, natural_key: str, body: object) -> None:
    """Publish a fact; try again, later each time up to a bound, until the inbox holds it.

    It gives up only with its task: the fact can be asked for again outside, and is, by the patrol of its worker.
    """
    pause, data = PAUSE_S, encode(body)
    while True:
        held = True
        try:
            await facts.publish(source, kind, natural_key, data)
        except (Unavailable, Unknown):
            held = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_S_MAX)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # Python 3.11's wait_for, inside the client, can swallow a cancellation that comes as its answer does.
            raise asyncio.CancelledError
        if held:
            return
