"""Cancellation that stays asked for."""

import asyncio


def raise_if_cancelled() -> None:
    """Raise CancelledError if this task was cancelled and something swallowed it.

    Python 3.11's `asyncio.wait_for`, in which every nats-py request waits, returns its result and forgets the
    cancellation when both come in the same turn of the loop. A loop that lives by such requests asks here once a turn;
    otherwise it might never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
