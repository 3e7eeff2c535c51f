"""Watching an account, in virtual time: what it holds, is paid and may trade is told, and asked for until it is."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from api.execution.account_watch import (
    FUNDING_OVERLAP_US,
    INTEREST_EVERY_S,
    LISTINGS_AGAIN_S,
    WATCH_AGAIN_S,
    WATCH_EVERY_S,
    AccountWatch,
)
from domain.venue import (
    BalanceReport,
    FeeRates,
    FundingReport,
    InstrumentReport,
    PositionReport,
    Unavailable,
)
from tests.simulation.loop import SimLoop
from tests.support.given import START_US
from tests.support.told_facts import ToldFacts

ETH = InstrumentReport(
    venue="okx",
    symbol="ETH/USDT:USDT",
    base="ETH",
    quote="USDT",
    settle="USDT",
    tick=Decimal("0.01"),
    step=Decimal("0.01"),
    quantity_min=Decimal("0.01"),
    quantity_max=Decimal(1000),
    notional_min=Decimal(5),
    market_id="ETH-USDT-SWAP",
    contract_size=Decimal("0.1"),
    funding_interval_ms=28_800_000,
)


class Delisted(Exception):
    """Say that a symbol is gone."""


class Clock:
    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop

    def now_us(self) -> int:
        return START_US + self.loop.now_us


class Account:
    name, account = "okx", "main"

    def __init__(self, *, failures: int = 0, delisted: bool = False, interested: bool = True) -> None:
        self.interested = interested
        self.failures = failures
        self.delisted = delisted
        self.funded_since: list[int] = []
        self.relisted = 0

    async def balances(self) -> Sequence[BalanceReport]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("maintenance")
        return [_balance("USDT"), _balance("BTC")]

    async def positions(self) -> Sequence[PositionReport]:
        return [
            PositionReport(
                venue="okx",
                account="main",
                symbol=ETH.symbol,
                quantity=Decimal("-1.5"),
                entry_price=None,
                mark_price=Decimal(2000),
                unrealised_profit=Decimal("0.1"),
                liquidation_price=None,
                initial_margin=Decimal(300),
                maintenance_margin=Decimal(15),
                at_us=START_US,
            )
        ]

    async def fundings_since(self, since_us: int) -> Sequence[FundingReport]:
        self.funded_since.append(since_us)
        return [
            FundingReport(
                venue="okx",
                account="main",
                symbol=ETH.symbol,
                payment_id="77",
                asset="USDT",
                amount=Decimal("-0.25"),
                at_us=START_US,
            )
        ]

    async def relist(self) -> Sequence[InstrumentReport]:
        self.relisted += 1
        if self.delisted:
            raise Delisted(ETH.symbol)
        return [ETH]

    async def open_interest(self, symbol: str) -> Decimal | None:
        assert symbol == ETH.symbol
        return Decimal("1234.5") if self.interested else None

    async def fee_rates(self, symbol: str) -> FeeRates:
        return FeeRates(venue="okx", symbol=symbol, maker=Decimal("0.0002"), taker=Decimal("0.0005"))


def _balance(asset: str) -> BalanceReport:
    return BalanceReport(
        venue="okx",
        account="main",
        asset=asset,
        wallet=Decimal(10),
        margin=Decimal(11),
        available=Decimal(9),
        initial_margin=Decimal(1),
        maintenance_margin=Decimal("0.5"),
        at_us=START_US,
    )


def watched(account: Account, seconds: float) -> ToldFacts:
    loop, facts = SimLoop(), ToldFacts()

    async def main() -> None:
        watch = AccountWatch(account, facts, Clock(loop), (Delisted,))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await watch.run()

    loop.run_until_complete(main())
    loop.close()
    return facts


def test_what_everybody_holds_of_a_listed_contract_is_told_and_asked_again() -> None:
    told = watched(Account(), INTEREST_EVERY_S * 1.5).bodies("instrument.observe_interest")
    assert [(each["symbol"], each["quantity"]) for each in told] == [(ETH.symbol, "1234.5")] * 2
    assert watched(Account(interested=False), INTEREST_EVERY_S).bodies("instrument.observe_interest") == []


def test_what_an_account_holds_is_told_in_a_fixed_order() -> None:
    (observed,) = watched(Account(), WATCH_EVERY_S / 2).bodies("account.observe")
    assert [row["asset"] for row in observed["balances"]] == ["BTC", "USDT"]
    (held,) = observed["positions"]
    assert (held["quantity"], held["entry_price"], held["liquidation_price"]) == ("-1.5", "0", "0")


def test_a_listing_is_told_with_what_the_account_is_billed() -> None:
    (told,) = watched(Account(), 1).bodies("instrument.observe")
    listing = told["listing"]
    assert listing["contract_size"] == "0.1"
    assert listing["taker_fee"] == "0.0005"


def test_a_payment_is_told_under_its_own_key_and_asked_for_with_an_overlap() -> None:
    account = Account()
    facts = watched(account, WATCH_EVERY_S * 1.5)
    keys = {key for kind, key, _ in facts.told if kind == "funding.record"}
    assert keys == {f"okx|main|{ETH.symbol}|77"}
    first, second = account.funded_since
    assert second == START_US - FUNDING_OVERLAP_US > first


def test_a_venue_that_does_not_answer_is_asked_again_soon_and_nothing_is_made_up() -> None:
    account = Account(failures=2)
    facts = watched(account, WATCH_AGAIN_S * 2 + 1)
    assert facts.kinds().count("account.observe") == 1


def test_a_symbol_that_is_gone_does_not_end_the_watch() -> None:
    account = Account(delisted=True)
    facts = watched(account, LISTINGS_AGAIN_S + 1)
    assert account.relisted == 2
    assert facts.kinds().count("account.observe") > 1
