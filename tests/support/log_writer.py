"""A process that appends as fast as it can and says what was acknowledged; tests kill it.

    python -m tests.support.log_writer DSN

Each line on standard output: the last position acknowledged, written only after the acknowledgement.
"""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Awaitable

from adapters.postgres.event_log import PostgresEventLog
from tests.contract.event_log import batch

IN_FLIGHT = 2


async def main(dsn: str) -> None:
    log = PostgresEventLog(dsn)
    head = await log.take_over()
    position, sequence = head.position, head.sequence
    pending: deque[tuple[int, Awaitable[None]]] = deque()
    while True:
        size = position % 7 + 1
        pending.append((position + size, log.append(batch(position + 1, sequence + 1, size))))
        position, sequence = position + size, sequence + size
        if len(pending) == IN_FLIGHT:
            last, durable = pending.popleft()
            await durable
            os.write(1, b"%d\n" % last)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
