"""The parts of a kill: each made from the kill's own settings, or standing there to say why it cannot be tried."""

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from api.killing.ports import Fence, Halts, Journal, Sweep
from api.killing.report import VenueEnd
from api.killing.settings import KillDocument, KillVenue
from api.killing.venues import Terms, VenueSilence
from api.settings import SettingsError, secret
from domain.refusal import Unavailable

ROOT = Path(__file__).parents[2]

T = TypeVar("T")


class Parts:
    """Make the parts; `folder` is where the settings' file stands. Make it inside the running loop."""

    def __init__(self, document: KillDocument, folder: Path, journal: Journal) -> None:
        self._document = document
        self._folder = folder
        self._journal = journal
        self._loading: asyncio.Task[float] | None = None

    @property
    def loaded_at(self) -> float | None:
        """Return the loop's time at which what speaks with venues was there; None before, and when it broke."""
        loading = self._loading
        return loading.result() if loading is not None and loading.done() and not loading.exception() else None

    def venues(self, *, late: bool = True) -> tuple[Sequence[VenueSilence], Sequence[VenueEnd]]:
        """Return the accounts to silence, and the ends of those that cannot be: they are told of all the same.

        `late`: what may still come is waited for.
        """
        kill = self._document.kill
        terms = Terms(
            ask_s=kill.ask_ms / 1_000,
            within_s=kill.venue_ms / 1_000,
            pause_s=kill.pause_ms / 1_000,
            late_s=kill.late_ms / 1_000 if late else 0,
        )
        venues: list[VenueSilence] = []
        uncovered = [
            VenueEnd(venue=each.name, account=each.account, silent=False, error="kill.venues has no key to it")
            for each in self._document.uncovered
        ]
        for venue in kill.venues:
            try:
                opening = self._opening(venue)
            except SettingsError as error:
                uncovered.append(VenueEnd(venue=venue.name, account=venue.account, silent=False, error=str(error)))
            else:
                made = VenueSilence(venue.name, venue.account, opening, terms, self._journal, venue.without)
                venues.append(made)
        return venues, uncovered

    def _opening(self, venue: KillVenue) -> Callable[[], AbstractAsyncContextManager[Sweep]]:
        keys = [secret(value, self._folder) for value in (venue.api_key, venue.api_secret, venue.passphrase)]

        @asynccontextmanager
        async def opening() -> AsyncGenerator[Sweep]:
            await self._loaded()
            from adapters.exchange.settings import Loopback, VenueSettings  # noqa: PLC0415 - after senders are stopped
            from adapters.exchange.sweep import open_sweep  # noqa: PLC0415 - as above

            told = self._document.loopback
            settings = VenueSettings(
                venue=venue.name,
                account=venue.account,
                api_key=keys[0],
                api_secret=keys[1],
                passphrase=keys[2],
                symbols=(),
                loopback=Loopback(port=told.port, ca_file=self._folder / told.ca) if told.port else None,
                timeout_ms=self._document.kill.ask_ms,
            )
            async with open_sweep(settings, venue.without) as sweep:
                yield sweep

        return opening

    async def _loaded(self) -> None:
        """Load what speaks with venues, once, beside everything else."""
        if self._loading is None:
            self._loading = asyncio.create_task(_load())
        await asyncio.shield(self._loading)

    def halts(self) -> Halts:
        """Return what has HALTED recorded."""
        return or_refusing(self._halts)

    def fence(self, stack: AsyncExitStack) -> Fence:
        """Return what takes the senders' leases, until the stack is left."""
        return or_refusing(lambda: self._fence(stack))

    def _halts(self) -> Halts:
        kill = self._document.kill
        if not kill.url or not kill.api_key:
            raise SettingsError("kill.url and kill.api_key are not set: no mode is recorded")
        from api.killing.halt import ApiHalts  # noqa: PLC0415 - after senders are stopped

        return ApiHalts(kill.url, secret(kill.api_key, self._folder))

    def _fence(self, stack: AsyncExitStack) -> Fence:
        kill = self._document.kill
        if not kill.postgres:
            raise SettingsError("kill.postgres is not set: senders on other machines are not kept out")
        from adapters.postgres.lease_breaker import LeaseBreaker  # noqa: PLC0415 - after senders are stopped

        breaker = LeaseBreaker(secret(kill.postgres, self._folder), self._document.leases)
        stack.push_async_callback(breaker.close)
        return breaker


async def _load() -> float:
    await asyncio.to_thread(importlib.import_module, "adapters.exchange.sweep")
    return time.monotonic()


class ChildGate:
    """Shut the contract by a child, which is ended with us."""

    def __init__(self, config: Path, data_dir: str) -> None:
        self._config = config
        self._data_dir = data_dir

    async def shut(self, reason: str) -> str:
        """Shut it."""
        return await self._ask("shut", reason)

    async def look(self) -> str:
        """Ask whether it could be shut."""
        return await self._ask("look", "")

    async def _ask(self, errand: str, reason: str) -> str:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "api.wiring.kill_chain",
            str(self._config),
            self._data_dir,
            errand,
            reason,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            told, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        try:
            answer = json.loads(told)
            done, text = bool(answer["done"]), str(answer["text"])
        except (ValueError, KeyError, TypeError):
            raise Unavailable(f"the chain's part ended with code {child.returncode}") from None
        if not done:
            raise Unavailable(text)
        return text


class Refusing:
    """Stand for a part that cannot be tried, and say why when it is."""

    def __init__(self, error: SettingsError) -> None:
        self._error = error

    async def halt(self, reason: str) -> NoReturn:
        """Say why not."""
        del reason
        raise self._error

    async def take(self) -> NoReturn:
        """Say why not."""
        raise self._error

    async def look(self) -> NoReturn:
        """Say why not."""
        raise self._error


def or_refusing(make: Callable[[], T]) -> T | Refusing:
    """Return what is made, or what says why it was not."""
    try:
        return make()
    except SettingsError as error:
        return Refusing(error)
