"""The supply mirrored into the book: told once nothing open can be in it, when it says something new."""

import pytest

from api.chain.supply_watch import HEADS_MAX
from domain.backing import backing
from domain.quantity import to_units
from domain.risk_terms import Risk
from domain.supply import EVERY_US, SupplyFrom, SupplyObserved
from tests.simulation.model_chain import FINALITY
from tests.spec.settling.house import BLOCK_S, House

DOLLAR = 10**18


def observed(house: House) -> list[SupplyObserved]:
    return [event for event in house.desk.events if isinstance(event, SupplyObserved)]


def shown(house: House) -> tuple[str, str]:
    found = backing(house.desk.book)
    return str(found.supply), found.supply_from


def test_the_total_is_told_at_the_start_and_not_again_while_it_says_nothing_new() -> None:
    async def story(house: House) -> None:
        await house.blocks(12)
        assert house.told.count("supply.observe") == 1
        await house.blocks(int(EVERY_US / 1_000_000 / BLOCK_S) + 2)
        assert house.told.count("supply.observe") == 2

    house = House().play(story)
    assert [(each.total, each.settled) for each in observed(house)] == [(0, 0), (0, 0)]
    assert shown(house) == ("0", "chain")


def test_what_settles_is_in_the_next_count_and_explained() -> None:
    async def story(house: House) -> None:
        request_id = house.accept()
        await house.until(lambda: house.end_of(request_id))
        house.decide("policy.adopt", {"policy": house.desk.book.policy})
        await house.blocks(int(EVERY_US / 1_000_000 / BLOCK_S) + 2)

    house = House().play(story)
    last = observed(house)[-1]
    assert last.total == last.settled == house.chain.supply > 0
    assert shown(house) == (str(to_units(house.chain.supply, 18)), "chain")


def test_dollars_of_others_are_told_once_their_block_is_final() -> None:
    async def story(house: House) -> None:
        await house.until(lambda: observed(house))
        house.chain.mint_by_others(40 * DOLLAR)
        number = house.chain.head.block.number
        await house.until(lambda: len(observed(house)) == 2, 3 * FINALITY * BLOCK_S)
        assert house.chain.head.block.number >= number + FINALITY
        house.chain.mint_by_others(-40 * DOLLAR)
        await house.until(lambda: len(observed(house)) == 3)

    house = House().play(story)
    assert [each.difference for each in observed(house)] == [0, 40 * DOLLAR, 0]


def test_a_count_waits_for_what_may_be_in_it_and_is_told_then() -> None:
    """The log is slow to show that a settlement ended: nothing is told that would count it twice."""

    async def story(house: House) -> None:
        await house.until(lambda: observed(house))
        request_id = house.accept()
        lost = {"settlement.confirmed"}
        house.lose = lambda kind: kind in lost
        await house.until(lambda: house.told.count("settlement.confirmed") > 2)
        house.chain.mint_by_others(7 * DOLLAR)
        await house.blocks(3 * FINALITY)
        assert len(observed(house)) == 1
        lost.clear()
        await house.until(lambda: house.end_of(request_id))
        await house.until(lambda: len(observed(house)) == 2)

    house = House().play(story)
    assert observed(house)[-1].difference == 7 * DOLLAR
    assert backing(house.desk.book).supply == to_units(house.chain.supply + 7 * DOLLAR, 18)


def test_a_count_that_was_lost_is_told_again() -> None:
    async def story(house: House) -> None:
        lost: list[str] = []
        house.lose = lambda kind: kind == "supply.observe" and not lost and not lost.append(kind)
        house.chain.mint_by_others(5 * DOLLAR)
        await house.until(lambda: observed(house) and observed(house)[-1].difference == 5 * DOLLAR)
        assert lost

    House().play(story)


def test_where_others_back_the_rest_of_the_token_nobody_asks() -> None:
    async def story(house: House) -> None:
        await house.blocks(10)
        assert "supply.observe" not in house.told

    assert shown(House(risk=Risk(supply=SupplyFrom.SETTLEMENTS)).play(story)) == ("0", "settlements")


def test_a_count_that_stays_uncertain_for_long_is_given_up_for_a_newer_one(caplog: pytest.LogCaptureFixture) -> None:
    async def story(house: House) -> None:
        await house.until(lambda: observed(house))
        request_id = house.accept()
        lost = {"settlement.confirmed"}
        house.lose = lambda kind: kind in lost
        await house.until(lambda: "settlement.confirmed" in house.told)
        house.chain.mint_by_others(7 * DOLLAR)
        await house.blocks(HEADS_MAX + 2 * FINALITY)
        lost.clear()
        await house.until(lambda: house.end_of(request_id))
        await house.until(lambda: len(observed(house)) == 2)

    house = House().play(story)
    assert observed(house)[-1].difference == 7 * DOLLAR
    assert f"is not told after {HEADS_MAX} heads" in caplog.text


def test_a_settlement_in_every_block_starves_no_count() -> None:
    """The block of a reading stays, so what has to be told before it is only what that block holds."""

    async def story(house: House) -> None:
        for nonce in range(1, 30):
            house.accept("10", nonce=nonce)
            if nonce == 12:
                house.chain.mint_by_others(7 * DOLLAR)
            await house.blocks(1)
            if nonce > 12:
                assert house.desk.book.settlements
        assert [each.difference for each in observed(house)] == [0, 7 * DOLLAR]

    house = House().play(story)
    assert backing(house.desk.book).supply_from == "chain"
