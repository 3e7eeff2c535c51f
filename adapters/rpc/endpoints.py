"""Several JSON-RPC endpoints asked the same: what a quorum answers alike is what the chain says.

One endpoint may lie, lag, hang or send web pages; fewer than the quorum that agree are no answer. Where a block's hash
is part of the answer, endpoints on two forks do not agree by accident. URLs hold keys: endpoints are told by names.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec

from adapters.rpc.client import Call, Client, silence
from adapters.rpc.settings import RpcSettings
from adapters.rpc.wire import BlockName, Reverted

ANSWER_BYTES_MAX = 4_096
# How long the others are waited for once a quorum has told its newest block: one of the first may be behind.
GRACE_S = 0.1
# Answers that come after the quorum's are let in, so that slower endpoints keep their connections; at most so many.
LATE_MAX = 64

T = TypeVar("T", bound=Hashable)


class QuorumMissing(Exception):
    """Say that too few endpoints agree, and why each of the others does not count."""


class Agreement(Generic[T]):
    """Hold what a quorum said, and who."""

    def __init__(self, answer: T, endpoints: tuple[str, ...]) -> None:
        self.answer = answer
        self.endpoints = endpoints


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what contracts answered to a quorum at one block."""

    head: BlockName
    answers: tuple[bytes | Reverted, ...]
    endpoints: tuple[str, ...]


class Endpoints:
    """Ask them all. Open before; they are closed with the stack. Any number of questions may be asked at once."""

    def __init__(self, settings: RpcSettings) -> None:
        if not len(settings.endpoints) < 2 * settings.quorum <= 2 * len(settings.endpoints):
            raise ValueError(f"a quorum of {settings.quorum} is no majority of {len(settings.endpoints)} endpoints")
        if len({endpoint.name for endpoint in settings.endpoints}) != len(settings.endpoints):
            raise ValueError("two endpoints have one name")
        self._settings = settings
        self._clients: list[Client] = []
        self._late: set[asyncio.Task[Any]] = set()

    @property
    def clients(self) -> Sequence[Client]:
        """Return who is asked, once open."""
        return self._clients

    async def open(self, resources: contextlib.AsyncExitStack) -> None:
        """Make the sessions. Nobody is asked yet."""
        for endpoint in self._settings.endpoints:
            session = await resources.enter_async_context(opened(self._settings))
            self._clients.append(Client(endpoint, self._settings, session))
        resources.push_async_callback(self._let_go)

    async def agree(self, ask: Callable[[Client], Awaitable[T]]) -> Agreement[T]:
        """Return what a quorum answers alike; raise `QuorumMissing`."""
        told, silent = await self.each(self._clients, ask, lambda told: self._alike(told) is not None)
        found = self._alike(told)
        if found is None:
            raise self._missing(silent | dict.fromkeys(told, "it differs"))
        return found

    async def agree_at_head(self, ask: Callable[[Client, int], Awaitable[T]]) -> Agreement[T]:
        """Return what a quorum answers alike at the newest block that a quorum has; raise `QuorumMissing`.

        What is asked must fail where the endpoint lacks that block.
        """
        numbers, silent = await self.each(self._clients, Client.newest, self._enough, GRACE_S)
        for number in self._candidates(numbers):
            there = [client for client in self._clients if numbers.get(client.name, -1) >= number]

            def at(client: Client, number: int = number) -> Awaitable[T]:
                return ask(client, number)

            told, late = await self.each(there, at, lambda told: self._alike(told) is not None)
            found = self._alike(told)
            if found is not None:
                return found
            silent |= late
            if len(told) >= self._settings.quorum:
                silent |= dict.fromkeys(told, "it differs")
        raise self._missing(silent)

    async def agree_calls(self, calls: Sequence[Call]) -> Agreed:
        """Return what contracts answer to a quorum at the newest block that a quorum has; raise `QuorumMissing`."""
        found = await self.agree_at_head(lambda client, number: answers_at(client, number, calls))
        head, answers = found.answer
        return Agreed(head=head, answers=answers, endpoints=found.endpoints)

    def _enough(self, told: Mapping[str, object]) -> bool:
        return len(told) >= self._settings.quorum

    def _alike(self, told: Mapping[str, T]) -> Agreement[T] | None:
        for answer in set(told.values()):
            alike = tuple(name for name, other in told.items() if other == answer)
            if len(alike) >= self._settings.quorum:
                return Agreement(answer, alike)
        return None

    def _missing(self, silent: Mapping[str, str]) -> QuorumMissing:
        told_of = ", ".join(f"{name}: {why}" for name, why in sorted(silent.items()))
        total = len(self._clients)
        return QuorumMissing(f"quorum_missing: no {self._settings.quorum} of {total} endpoints agree ({told_of})")

    def _candidates(self, numbers: Mapping[str, int]) -> list[int]:
        """Return the blocks to agree at: the newest that a quorum says it has, then what slower ones have.

        An endpoint may claim a block that nobody has; so what fewer than the quorum claim does not count, and when it
        filled the quorum up, the next lower head has the honest ones.
        """
        heads = sorted(numbers.values(), reverse=True)[self._settings.quorum - 1 :]
        if not heads:
            return []
        lowest = max(heads[0] - self._settings.lag_blocks_max, 0)
        found = {head for head in heads if head >= lowest}
        # Within a reorganisation the newest blocks differ: one before the last is tried as well.
        return sorted(found | {max(min(found) - 1, lowest)}, reverse=True)

    async def each(
        self,
        clients: Sequence[Client],
        ask: Callable[[Client], Awaitable[T]],
        enough: Callable[[Mapping[str, T]], bool],
        grace_s: float = 0.0,
    ) -> tuple[dict[str, T], dict[str, str]]:
        """Ask some endpoints at once until it is enough; return who answered what, and why others did not."""
        told: dict[str, T] = {}
        silent: dict[str, str] = {}
        asking = {asyncio.create_task(self._patiently(ask(client), told, silent, client.name)) for client in clients}
        loop = asyncio.get_running_loop()
        until_s = float("inf")
        try:
            while asking and loop.time() < until_s:
                wait_s = None if until_s == float("inf") else until_s - loop.time()
                _, asking = await asyncio.wait(asking, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                if until_s == float("inf") and enough(told):
                    until_s = loop.time() + grace_s
        except BaseException:
            for task in asking:
                task.cancel()
            raise
        self._let_finish(asking)
        return dict(told), dict(silent)

    async def _patiently(self, asking: Awaitable[T], told: dict[str, T], silent: dict[str, str], name: str) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout_ms / 1_000):
                told[name] = await asking
        except Exception as error:  # noqa: BLE001 - whatever is made of an answer is that endpoint's failure
            silent[name] = silence(error)

    def _let_finish(self, asking: set[asyncio.Task[Any]]) -> None:
        for task in asking:
            if len(self._late) >= LATE_MAX:
                task.cancel()
            else:
                self._late.add(task)
                task.add_done_callback(self._late.discard)

    async def _let_go(self) -> None:
        late = list(self._late)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def opened(settings: RpcSettings) -> aiohttp.ClientSession:
    """Return a session of its own for one endpoint, so that none can take the others' connections."""
    context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context), timeout=aiohttp.ClientTimeout(total=settings.timeout_ms / 1_000)
    )


async def together(*asking: Coroutine[Any, Any, Any]) -> list[Any]:
    """Return the answers to questions asked at once; the first that fails ends the others."""
    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(each) for each in asking]
    return [answer.result() for answer in answers]


async def answers_at(
    client: Client, number: int, calls: Sequence[Call], bytes_max: int = ANSWER_BYTES_MAX
) -> tuple[BlockName, tuple[bytes | Reverted, ...]]:
    """Return one endpoint's block of a number and what contracts answer at it."""
    head, *answers = await together(
        client.block_there(number), *(client.call(call, number, bytes_max) for call in calls)
    )
    return head, tuple(answers)
