"""Benefactors: they ask for quotes, accept them, and do everything that clients do wrong on the way.

They retry under the same command id after a timeout, submit twice, change a body under an id, come too late, come with
a nonce that was used, differ from their quote by one atom, and write what cannot be read.
"""

import asyncio
import hashlib
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from api.doors import ACTOR, COMMAND_ID
from commands.envelope import Reply
from domain.ids import natural_id
from tests.simulation.bus import NoResponders, Requests
from tests.simulation.loop import Process
from tests.simulation.sim import Sim
from tests.support.given import USDT, WETH

BENEFACTORS = tuple(f"0x{number:040x}" for number in (0xB1, 0xB2, 0xB3))
TRIES_MAX = 5
TIMEOUT_S = 3.0
PAUSE_S = 0.5
CHAIN_SEEN_S = 4.0
"""Before it has seen the contract, the book accepts nothing."""
RICH = 10**30
HELD_S = (2.0, 6.0)
SIZES = {
    ("WETH/USDe", "MINT"): ("0.004", "0.5", "1.5", "3.21", "8"),
    ("WETH/USDe", "REDEEM"): ("9", "30", "700", "1500.5", "6000"),
    ("USDT/USDe", "MINT"): ("100", "5000.25", "20000"),
    ("USDT/USDe", "REDEEM"): ("50", "90", "4000"),
}
FIRST = (("WETH/USDe", "MINT", "3.21"), ("USDT/USDe", "MINT", "5000.25"), ("WETH/USDe", "MINT", "1.5"))
WAYS = ("WETH/USDe", "WETH/USDe", "WETH/USDe", "USDT/USDe")
SIDES = ("MINT", "MINT", "MINT", "REDEEM", "REDEEM")


class Benefactors:
    """Run a number of scripts; each is one benefactor's try to mint or redeem, drawn from its own substream."""

    def __init__(
        self, sim: Sim, process: Process, requests: Requests, now_us: Callable[[], int], count: int, seed: int
    ) -> None:
        self._sim = sim
        self._process = process
        self._requests = requests
        self._now_us = now_us
        self._count = count
        self._seed = seed
        self.block_number: Callable[[], int] = lambda: 0
        self.heard: dict[UUID, Reply] = {}

    async def run(self) -> None:
        """Run every script to its end; each benefactor runs one after the other."""
        async with asyncio.TaskGroup() as tasks:
            for number, benefactor in enumerate(BENEFACTORS):
                tasks.create_task(self._scripts(benefactor, number))

    async def _scripts(self, benefactor: str, first: int) -> None:
        await asyncio.sleep(CHAIN_SEEN_S)
        for number in range(first, self._count, len(BENEFACTORS)):
            chance = Random(f"{self._seed}/script/{number}")
            await asyncio.sleep(chance.uniform(0.1, 1.5))
            await self._script(benefactor, number, chance)

    async def _script(self, benefactor: str, number: int, chance: Random) -> None:
        pair, side = chance.choice(WAYS), chance.choice(SIDES)
        size, mischief = chance.choice(SIZES[pair, side]), chance.randrange(12)
        if number < len(FIRST):  # something to redeem
            (pair, side, size), mischief = FIRST[number], -1
        late_s = 16.0 if mischief == 0 else chance.uniform(0, 1)
        if side == "REDEEM":
            await asyncio.sleep(chance.uniform(*HELD_S))  # what was minted is held a while
        body = {"pair": pair, "side": side, "kind": "ALGO", "size": size, "benefactor": benefactor}
        asked = natural_id("quote", str(number))
        if mischief == 9:
            await self.ask(
                "quote.issue", {"pair": pair, "size": "much"}, natural_id("nonsense", str(number)), benefactor
            )
        if mischief == 1:
            quoted = await self._twice("quote.issue", body, body, asked)
        elif mischief == 2:
            quoted = await self._twice("quote.issue", body, body | {"size": "0.75"}, asked)
        else:
            quoted = await self.ask("quote.issue", body, asked, benefactor)
        if quoted is None or quoted.status != "accepted":
            return
        await asyncio.sleep(late_s)
        accept = self._acceptance(benefactor, number, quoted, mischief)
        order_id = natural_id("accept", str(accept["order_hash"]), str(accept["signature"]))
        if mischief == 3:
            await self._twice("request.accept", accept, accept, order_id)
        elif mischief == 4:
            await self._twice("request.accept", accept, accept | {"nonce": 7_000 + number}, order_id)
        else:
            await self._insist(accept, order_id, benefactor)
        if mischief in {5, 6}:  # the same quote again; or the same nonce, on the same quote
            again = accept | {"signature": "0x22", "nonce": int(accept["nonce"]) + (1 if mischief == 5 else 0) * 5_000}
            await self.ask("request.accept", again, natural_id("again", str(number)), benefactor)

    def _acceptance(self, benefactor: str, number: int, quoted: Reply, mischief: int) -> dict[str, Any]:
        quote: dict[str, Any] = msgspec.json.decode(quoted.events[0].state)
        collateral, issued = quote["collateral"], quote["issued"]
        return {
            "order_id": f"RFQ-{quote['quote_id']}",
            "order_type": quote["side"],
            "expiry": self._now_us() // 1_000_000 + 60,
            "nonce": 1_000 + number - (len(BENEFACTORS) if mischief == 7 else 0),  # 7: the one used before
            "benefactor": benefactor,
            "beneficiary": benefactor,
            "collateral_asset": WETH if collateral["asset"] == "WETH" else USDT,
            "collateral_amount": collateral["atoms"] + (1 if mischief == 8 else 0),
            "issued_amount": issued["atoms"],
            "signature": "0x11",
            "signature_type": "EIP712",
            "order_hash": "0x" + hashlib.sha256(f"{number}".encode()).hexdigest(),
            "signer": benefactor,
            "wallet": {"block_number": self.block_number(), "balance": RICH, "allowance": RICH},
        }

    async def _insist(self, accept: dict[str, Any], order_id: UUID, benefactor: str) -> None:
        """Ask again, under the same id, while the book cannot see the chain: such a refusal is not remembered."""
        for _ in range(TRIES_MAX):
            reply = await self.ask("request.accept", accept, order_id, benefactor)
            if reply is None or reply.reason != "CHAIN_UNKNOWN":
                return
            await asyncio.sleep(PAUSE_S)

    async def _twice(self, kind: str, first: object, second: object, command_id: UUID) -> Reply | None:
        async with asyncio.TaskGroup() as tasks:
            one = tasks.create_task(self.ask(kind, first, command_id, "api"))
            tasks.create_task(self.ask(kind, second, command_id, "api"))
        return one.result()

    async def ask(self, kind: str, body: object, command_id: UUID, actor: str) -> Reply | None:
        """Ask until answered or tired, always under the same id; None when nobody knows what became of it."""
        data = msgspec.json.encode(body)
        headers = {COMMAND_ID: str(command_id), ACTOR: actor}
        for _ in range(TRIES_MAX):
            try:
                answer = await self._requests.request(self._process, f"cmd.{kind}", data, headers, TIMEOUT_S)
            except (TimeoutError, NoResponders):
                await asyncio.sleep(PAUSE_S)
                continue
            reply = msgspec.json.decode(answer, type=Reply)
            if reply.status in {"busy", "stopping"}:
                await asyncio.sleep(PAUSE_S)
                continue
            self._sim.note(actor[:8], kind, reply.status, reply.reason, reply.position)
            return reply
        return None
