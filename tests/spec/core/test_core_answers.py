"""The core answers nothing before what its answer rests on is durable."""

import asyncio
from collections.abc import Awaitable

import pytest

from api.core import Asked, Core
from commands.handler import Handler
from domain.book import Book
from domain.codec import encode
from domain.ids import natural_id
from domain.log import Batch
from tests.support.still import Door, EmptyLog, Still


class SlowLog(EmptyLog):
    """A log whose appends become durable when it is told so."""

    def __init__(self) -> None:
        self.appends: list[asyncio.Future[None]] = []

    def append(self, batch: Batch) -> Awaitable[None]:
        self.appends.append(asyncio.get_running_loop().create_future())
        return self.appends[-1]


def ask(door: Door, text: str) -> Asked:
    body = encode({"dependency": "x", "text": text})
    return Asked(natural_id("test", "1"), "dependency.degraded", "execution", body, "", "", door, text)


@pytest.mark.parametrize("second", ["stream", "sweep"])
async def test_a_second_copy_waits_for_the_first_to_be_durable_whatever_it_says(second: str) -> None:
    log, still, door = SlowLog(), Still(), Door()
    core = Core(Handler(Book(), await log.take_over()), log, still, still, still)
    running = asyncio.create_task(core.run())
    core.offer(ask(door, "stream"))
    while not log.appends:  # noqa: ASYNC110 - the core tells nobody that it appends
        await asyncio.sleep(0)
    core.offer(ask(door, second))
    for _ in range(20):
        await asyncio.sleep(0)
    assert core.metrics.joined == 1
    assert door.answers == []
    core.stop()
    log.appends[0].set_result(None)
    await running
    reasons = [reply.reason for _, reply in door.answers]
    assert reasons == ["", "" if second == "stream" else "COMMAND_ID_REUSED"]


async def test_the_same_signed_order_is_the_same_question_whatever_the_edge_found_beside_it() -> None:
    log, still, door = SlowLog(), Still(), Door()
    core = Core(Handler(Book(), await log.take_over()), log, still, still, still)
    running = asyncio.create_task(core.run())
    for signature_type in ("EIP712", "EIP1271"):  # stands for what may differ: only the id says what is asked
        body = encode({**ORDER, "signature_type": signature_type})
        core.offer(Asked(natural_id("order"), "request.accept", "benefactor", body, "", "", door, signature_type))
    while not log.appends:  # noqa: ASYNC110 - the core tells nobody that it appends
        await asyncio.sleep(0)
    core.stop()
    log.appends[0].set_result(None)
    await running
    assert [reply.reason for _, reply in door.answers] == ["POLICY_MISSING", "POLICY_MISSING"]


ORDER = {
    "order_id": "RFQ-1",
    "order_type": "MINT",
    "expiry": 1,
    "nonce": 1,
    "benefactor": "0x01",
    "beneficiary": "0x01",
    "collateral_asset": "0x02",
    "collateral_amount": 1,
    "issued_amount": 1,
    "signature": "0x",
    "order_hash": "0x",
    "signer": "0x01",
}
