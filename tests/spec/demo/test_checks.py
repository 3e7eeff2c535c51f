"""The demonstration's judge: it holds what is sound, and finds each thing that a demonstration may not end with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pytest

from api.demo.checks import OnChain, check, events_there, owed
from domain.book import Book
from domain.event import Event
from domain.settlement import SettlementConfirmed
from tests.support.desk import Desk
from tests.support.given import some_terms

VENUE, SYMBOL = "binanceusdm", "ETH/USDT:USDT"


@dataclass
class House:
    """Show what the test says: a whole stand-in for the log, the bus, the read models and the venue."""

    desk: Desk
    venue: dict[tuple[str, str], Decimal]
    events: list[Event]
    head_at: int = 10
    grows: int = 0
    last: int = 10
    missing: int = 0
    models: dict[str, int] = field(default_factory=lambda: {"portfolio": 10, "orders": 10})
    broken: str = ""
    settled: list[OnChain] = field(default_factory=list[OnChain])

    async def history(self) -> tuple[Book, Sequence[Event]]:
        return self.desk.book, self.events

    async def head(self) -> int:
        self.head_at += self.grows
        return self.head_at

    async def stream(self) -> tuple[int, int]:
        return 1, self.last

    async def missing_in_stream(self) -> int:
        return self.missing

    async def checkpoints(self) -> Mapping[str, int]:
        return self.models

    async def chain(self) -> str:
        return self.broken

    async def on_chain(self) -> Sequence[OnChain]:
        return self.settled

    async def venue_positions(self) -> Mapping[tuple[str, str], Decimal]:
        return self.venue


@pytest.fixture
def house() -> House:
    """Mint ten, hedged and settled."""
    desk = Desk()
    desk.held()
    (confirmed,) = [event for event in desk.events if isinstance(event, SettlementConfirmed)]
    address, amounts = desk.book.asset("WETH").address, (confirmed.collateral.atoms, confirmed.issued.atoms)
    settled = OnChain(confirmed.reference, "MINT", address, *amounts)
    return House(desk, {(VENUE, SYMBOL): Decimal(-10)}, list(desk.events), settled=[settled])


async def _broken(house: House, accepted: Sequence[str] = ()) -> list[str]:
    """Return what was found, for each invariant that did not hold."""
    return [verdict.found for verdict in await check(house, accepted) if not verdict.held]


async def test_a_sound_house_holds_everything(house: House) -> None:
    assert await _broken(house) == []


async def test_a_position_that_the_venue_does_not_have_is_found(house: House) -> None:
    house.venue = {(VENUE, SYMBOL): Decimal("-9.999")}
    assert await _broken(house) == [f"{VENUE} {SYMBOL}: book -10, fills -10, venue -9.999"]


async def test_a_position_that_only_the_venue_has_is_found(house: House) -> None:
    house.venue |= {("bybit", "BTC/USDT:USDT"): Decimal(1)}
    assert await _broken(house) == ["bybit BTC/USDT:USDT: book 0, fills 0, venue 1"]


async def test_a_fill_that_is_not_in_the_log_is_found(house: House) -> None:
    house.events = [event for event in house.events if not event.TOPIC.startswith("fill.")]
    assert await _broken(house) == [f"{VENUE} {SYMBOL}: book -10, fills 0, venue -10"]


async def test_a_fill_that_is_in_the_log_twice_is_found(house: House) -> None:
    house.events += [event for event in house.events if event.TOPIC.startswith("fill.")]
    assert await _broken(house) == ["1 fills stand in the log twice"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issued": 1}, "1 transactions; 1 on chain that the log has not confirmed, 1 confirmed that are not there"),
        ({"tx_hash": "0xother"}, "1 on chain that the log has not confirmed, 1 confirmed that are not there"),
        ({"collateral_address": "0xother"}, "1 on chain that the log has not confirmed"),
    ],
)
async def test_a_settlement_that_the_chain_made_otherwise_is_found(
    house: House, change: dict[str, object], said: str
) -> None:
    house.settled = [msgspec.structs.replace(house.settled[0], **change)]
    (found,) = await _broken(house)
    assert said in found


async def test_a_settlement_that_was_made_twice_or_not_at_all_is_found(house: House) -> None:
    house.settled *= 2
    assert "2 transactions" in (await _broken(house))[0]
    house.settled = []
    assert "1 confirmed that are not there" in (await _broken(house))[0]


async def test_a_request_that_is_acknowledged_and_not_in_the_log_is_found(house: House) -> None:
    (found,) = await _broken(house, ["RFQ-00000000-0000-4000-8000-000000000001"])
    assert "1 acknowledged but not in the log" in found


async def test_a_request_that_stayed_open_is_found(house: House) -> None:
    house.desk.accept(house.desk.quote("0.5"), nonce=2)
    house.events = list(house.desk.events)
    assert any("1 still open" in found for found in await _broken(house))


SHUT = some_terms(global_max_mint_per_block=0, global_max_redeem_per_block=0)


async def test_a_request_waits_for_people_while_the_contract_is_shut(house: House) -> None:
    house.desk.accept(house.desk.quote("0.5"), nonce=2)
    assert owed(house.desk.book)
    house.desk.observe(SHUT)
    house.events = list(house.desk.events)
    verdicts = await check(house, (), well=False)
    (found,) = [each for each in verdicts if each.invariant.startswith("every accepted request")]
    assert found.held
    assert "1 wait while the contract is shut" in found.found
    assert owed(house.desk.book), "its hedge still works"
    house.desk.trade(house.desk.order(), "0.5", trade="t2")
    assert not owed(house.desk.book)


async def test_what_the_contract_took_before_it_was_shut_is_owed_to_the_end(house: House) -> None:
    desk = house.desk
    desk.accept(desk.quote("0.5"), nonce=2)
    desk.trade(desk.order(), "0.5", trade="t2")
    desk.submit()
    desk.include()
    desk.observe(SHUT)
    assert owed(desk.book)
    house.events = list(desk.events)
    assert any("1 still open" in each.found for each in await check(house, (), well=False) if not each.held)


async def test_where_all_is_to_end_well_a_shut_contract_is_found(house: House) -> None:
    house.desk.observe(SHUT)
    assert await _broken(house) == ["shut"]


async def test_an_exposure_without_a_limit_is_found(house: House) -> None:
    house.desk.remove_limit("net_delta", scope="asset:ETH")
    (found,) = await _broken(house)
    assert "leaves its limit" in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"last": 9}, "EVENTS 1 to 9"),
        ({"last": 11}, "EVENTS 1 to 11"),
        ({"missing": 2}, "2 missing"),
        ({"models": {"portfolio": 10, "orders": 8}}, "elsewhere: {'orders': 8}"),
    ],
)
async def test_an_event_that_somebody_lacks_is_found(house: House, change: dict[str, object], said: str) -> None:
    for name, value in change.items():
        setattr(house, name, value)
    (found,) = await _broken(house)
    assert said in found
    assert not (await events_there(house)).held


async def test_a_broken_chain_is_found(house: House) -> None:
    house.broken = "position 3: the hash does not match"
    assert await _broken(house) == ["position 3: the hash does not match"]


async def test_a_log_that_goes_on_while_it_is_looked_at_is_held(house: House) -> None:
    house.head_at, house.grows, house.last = 8, 2, 11
    house.models = {"portfolio": 10, "orders": 12}
    assert (await events_there(house)).held  # from 10 to 12 meanwhile
