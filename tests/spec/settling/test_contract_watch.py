"""The contract's watch: who the chain admits counts once that is final, who it removes counts at once."""

from domain.onchain import CHAIN, ContractChanged, PartyAdmitted, PartyKind, PartyRemoved
from tests.simulation.model_chain import CUSTODIANS, FINALITY
from tests.spec.settling.house import BLOCK_S, House
from tests.support.given import BENEFACTOR

OTHER = "0x00000000000000000000000000000000000000c9"


def admitted(house: House, kind: PartyKind = PartyKind.BENEFACTOR, party: str = BENEFACTOR) -> bool:
    return house.desk.book.onchain.admitted(kind, party)


def test_the_parties_are_told_first_and_the_terms_last() -> None:
    async def story(house: House) -> None:
        assert admitted(house)
        assert all(admitted(house, PartyKind.CUSTODIAN, each) for each in CUSTODIANS)

    house = House().play(story)
    told = [kind for kind in house.told if kind in {"party.record", "contract.observe"}]
    assert told.index("contract.observe") == len(told) - 1


def test_an_admission_counts_once_it_is_final() -> None:
    async def story(house: House) -> None:
        house.chain.order(PartyKind.CUSTODIAN, OTHER, admitted=True)
        await house.until(lambda: house.chain.head.logs, 2 * BLOCK_S)
        number = house.chain.head.block.number
        await house.until(lambda: admitted(house, PartyKind.CUSTODIAN, OTHER))
        assert house.chain.head.block.number >= number + FINALITY

    House().play(story)


def test_a_removal_counts_at_once() -> None:
    async def story(house: House) -> None:
        house.chain.revoke(BENEFACTOR)
        await house.until(lambda: house.chain.head.logs, 2 * BLOCK_S)
        await house.until(lambda: not admitted(house), BLOCK_S)

    House().play(story)


def test_an_admission_that_was_undone_before_it_was_final_never_counts() -> None:
    async def story(house: House) -> None:
        house.chain.order(PartyKind.CUSTODIAN, OTHER, admitted=True)
        await house.until(lambda: house.chain.head.logs, 2 * BLOCK_S)
        house.chain.order(PartyKind.CUSTODIAN, OTHER, admitted=False)
        await house.blocks(3 * FINALITY)

    house = House().play(story)
    changes = [event.change for event in house.desk.events if isinstance(event, PartyAdmitted)]
    assert OTHER not in {each.party for each in changes}


def test_a_removal_whose_block_was_given_up_is_taken_back_when_that_is_certain() -> None:
    async def story(house: House) -> None:
        house.chain.revoke(BENEFACTOR)
        await house.until(lambda: not admitted(house))
        number = house.chain.head.block.number
        house.chain.reorg(1, empty=True)
        await house.until(lambda: admitted(house))
        assert house.chain.head.block.number >= number + FINALITY

    house = House().play(story)
    assert house.happened(PartyRemoved) == 1


def test_a_removal_that_was_given_up_while_nobody_watched_is_taken_back_too() -> None:
    async def story(house: House) -> None:
        house.chain.revoke(BENEFACTOR)
        await house.until(lambda: not admitted(house))
        house.kill()
        house.chain.reorg(1, empty=True)
        await house.blocks(1)
        house.start()
        await house.until(lambda: admitted(house))

    House().play(story)


def test_what_happened_while_nobody_watched_is_told_afterwards() -> None:
    async def story(house: House) -> None:
        house.kill()
        house.chain.revoke(BENEFACTOR)
        house.chain.order(PartyKind.CUSTODIAN, OTHER, admitted=True)
        await house.blocks(3 * FINALITY)
        house.start()
        await house.until(lambda: not admitted(house) and admitted(house, PartyKind.CUSTODIAN, OTHER))

    House().play(story)


def test_a_removal_that_stays_is_told_once() -> None:
    async def story(house: House) -> None:
        before = house.told.count("party.record")
        house.chain.revoke(BENEFACTOR)
        await house.blocks(4 * FINALITY)
        assert house.told.count("party.record") == before + 1

    House().play(story)


def test_a_party_whose_fact_was_lost_is_told_again() -> None:
    async def story(house: House) -> None:
        lost: list[str] = []
        house.lose = lambda kind: kind == "party.record" and not lost and not lost.append(kind)
        house.chain.revoke(BENEFACTOR)
        await house.until(lambda: not admitted(house))
        assert lost

    House().play(story)


def test_terms_that_stay_are_told_once_and_a_silent_change_soon() -> None:
    async def story(house: House) -> None:
        await house.blocks(10)
        assert house.told.count("contract.observe") == 1
        house.chain.cap_per_block = 7 * 10**18
        await house.until(lambda: house.happened(ContractChanged), 3 * BLOCK_S)

    house = House().play(story)
    terms = house.desk.book.onchain.terms
    assert terms is not None
    assert terms.assets[0].max_mint_per_block == 7 * 10**18


def test_a_chain_that_is_away_is_told_and_so_is_its_return() -> None:
    async def story(house: House) -> None:
        house.chain.outage(20)
        await house.until(lambda: CHAIN in house.desk.book.dependencies, 12)
        await house.until(lambda: CHAIN not in house.desk.book.dependencies, 30)

    house = House().play(story)
    assert house.told.count("dependency.degraded") == 1
    assert house.told.count("dependency.restored") == 1


def test_a_moment_without_the_chain_is_no_loss() -> None:
    async def story(house: House) -> None:
        house.chain.outage(2)
        await house.blocks(6)

    assert "dependency.degraded" not in House().play(story).told


def test_a_chain_that_came_back_while_nobody_watched_is_told() -> None:
    async def story(house: House) -> None:
        house.kill()
        house.decide("dependency.degraded", {"dependency": CHAIN, "text": "gone"})
        house.start()
        await house.until(lambda: CHAIN not in house.desk.book.dependencies, 10)

    House().play(story)
