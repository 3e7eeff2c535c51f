"""Watching a venue account: its money, positions, funding payments, what it lists and how much of it is held by all.

Each answer is a fact under its own key; the book records what differs from what it knew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Protocol

from api.telling import tell
from commands.account import ObserveAccount
from commands.funding import RecordFunding
from commands.interest import ObserveInterest
from commands.listing import ObserveInstrument
from commands.ports import Clock, Facts
from domain.account import Balance, Held
from domain.listing import listing
from domain.quantity import ZERO, num
from domain.venue import (
    BalanceReport,
    FeeRates,
    FundingReport,
    InstrumentReport,
    PositionReport,
    Rejected,
    Unavailable,
    Unknown,
)

WATCH_EVERY_S = 20.0
WATCH_AGAIN_S = 2.0
LISTINGS_EVERY_S, LISTINGS_AGAIN_S = 3_600.0, 60.0
INTEREST_EVERY_S, INTEREST_AGAIN_S = 60.0, 5.0
# What the venue books late is still found: payments are told once, whatever how often.
FUNDING_OVERLAP_US = 2 * 3_600 * 1_000_000
FUNDING_LOOKBACK_US = 7 * 24 * 3_600 * 1_000_000
SOURCE = "execution"

_log = logging.getLogger("ballast.accounts")


Ask = Callable[[], Awaitable[None]]


class Account(Protocol):
    """Ask a venue account for what it holds."""

    @property
    def name(self) -> str:
        """Return the venue's id."""
        ...

    @property
    def account(self) -> str:
        """Return the account's name."""
        ...

    async def balances(self) -> Sequence[BalanceReport]:
        """Return the account's assets."""
        ...

    async def positions(self) -> Sequence[PositionReport]:
        """Return the account's positions, flat ones left out."""
        ...

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        """Return every funding payment at or after an instant."""
        ...

    async def relist(self) -> Sequence[InstrumentReport]:
        """Ask anew what the venue lists of the account's symbols."""
        ...

    async def fee_rates(self, symbol: str) -> FeeRates:
        """Return what the account pays for trades in a symbol."""
        ...

    async def open_interest(self, symbol: str) -> Decimal | None:
        """Return what all traders hold of a contract; None where nothing is held."""
        ...


class AccountWatch:
    """Tell what one venue account holds, is paid, and may trade."""

    def __init__(
        self, account: Account, facts: Facts, clock: Clock, unsuitable: tuple[type[Exception], ...] = ()
    ) -> None:
        self._account = account
        self._facts = facts
        self._clock = clock
        self._no_news = (Rejected, Unavailable, Unknown, *unsuitable)
        self._funded_us: int | None = None
        self._listed = asyncio.Event()
        self._symbols: tuple[str, ...] = ()

    async def run(self) -> None:
        """Watch until cancelled; sooner again after a venue that did not answer."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(WATCH_EVERY_S, WATCH_AGAIN_S, self._observe))
            tasks.create_task(self._every(WATCH_EVERY_S, WATCH_AGAIN_S, self._fundings))
            tasks.create_task(self._every(LISTINGS_EVERY_S, LISTINGS_AGAIN_S, self._listings))
            tasks.create_task(self._every(INTEREST_EVERY_S, INTEREST_AGAIN_S, self._interests))

    async def _every(self, pause_s: float, again_s: float, ask: Ask) -> None:
        while True:
            try:
                await ask()
            except self._no_news as error:
                # No answer is no news: whoever decides sees what it knows age.
                _log.info("%s did not tell: %s: %s", self._of, type(error).__name__, error)
                await asyncio.sleep(again_s)
            else:
                await asyncio.sleep(pause_s)

    async def _observe(self) -> None:
        balances, positions = await self._account.balances(), await self._account.positions()
        at_us = self._clock.now_us()
        observed = ObserveAccount(
            venue=self._account.name,
            account=self._account.account,
            balances=tuple(sorted((_balance(report) for report in balances), key=lambda each: each.asset)),
            positions=tuple(sorted((_position(report) for report in positions), key=lambda each: each.symbol)),
            observed_at_us=at_us,
        )
        await self._tell(observed.KIND, f"{self._of}|{at_us}", observed)

    async def _fundings(self) -> None:
        asked_us = self._clock.now_us()
        since_us = asked_us - FUNDING_LOOKBACK_US if self._funded_us is None else self._funded_us - FUNDING_OVERLAP_US
        for paid in await self._account.fundings_since(since_us):
            record = RecordFunding(
                venue=paid.venue,
                account=paid.account,
                symbol=paid.symbol,
                payment_id=paid.payment_id,
                asset=paid.asset,
                amount=num(paid.amount),
                paid_at_us=paid.at_us,
            )
            await self._tell(record.KIND, f"{self._of}|{paid.symbol}|{paid.payment_id}", record)
        self._funded_us = asked_us

    async def _listings(self) -> None:
        reports = await self._account.relist()
        self._symbols = tuple(report.symbol for report in reports)
        self._listed.set()
        for report in reports:
            fees = await self._account.fee_rates(report.symbol)
            at_us = self._clock.now_us()
            observed = ObserveInstrument(listing=listing(report, fees), at_us=at_us)
            await self._tell(observed.KIND, f"{report.venue}|{report.symbol}|{at_us}", observed)

    async def _interests(self) -> None:
        await self._listed.wait()
        for symbol in self._symbols:
            quantity = await self._account.open_interest(symbol)
            if quantity is not None:
                at_us = self._clock.now_us()
                told = ObserveInterest(venue=self._account.name, symbol=symbol, quantity=num(quantity), at_us=at_us)
                await self._tell(told.KIND, f"{self._account.name}|{symbol}|{at_us}", told)

    @property
    def _of(self) -> str:
        return f"{self._account.name}|{self._account.account}"

    async def _tell(self, kind: str, key: str, command: object) -> None:
        await tell(self._facts, SOURCE, kind, key, command)


def _balance(report: BalanceReport) -> Balance:
    return Balance(
        asset=report.asset,
        wallet=num(report.wallet),
        margin=num(report.margin),
        available=num(report.available),
        initial_margin=num(report.initial_margin),
        maintenance_margin=num(report.maintenance_margin),
    )


def _position(report: PositionReport) -> Held:
    return Held(
        symbol=report.symbol,
        quantity=num(report.quantity),
        entry_price=num(report.entry_price or ZERO),
        mark_price=num(report.mark_price),
        unrealised=num(report.unrealised_profit),
        liquidation_price=num(report.liquidation_price or ZERO),
        initial_margin=num(report.initial_margin),
        maintenance_margin=num(report.maintenance_margin),
    )
