"""The chain in the mirror: what was seen of the contract and its parties, each bounded, each told once."""

from typing import Any

import pytest

from domain import onchain
from domain.onchain import OnChain, PartyAdmitted, PartyChange, PartyKind, PartyRemoved, put_in_custody, split
from domain.policy import CustodianTarget
from domain.route import NO_ROUTE, choose_route
from tests.support.desk import Desk, reason, tags
from tests.support.given import BENEFACTOR, CUSTODIANS, USDT, WETH, a_policy, asset_terms, block_hash, some_terms

OTHER = "0x" + "5e" * 20


class TestTheContract:
    def test_it_is_seen_once_and_then_only_when_it_differs(self):
        desk = Desk()
        assert tags(desk.observe().events) == ["contract.observed"]
        assert desk.observe().events == ()
        assert desk.observe(some_terms(block_number=101, block_hash=block_hash(101))).events == ()

    def test_a_balance_that_moves_is_no_change_of_the_contract(self):
        desk = Desk()
        desk.observe()
        moved = desk.observe(some_terms(block_number=101, weth=asset_terms(WETH, hot_balance=5)))
        assert tags(moved.events) == ["contract.observed"]
        seen = desk.book.onchain.asset(WETH)
        assert seen is not None
        assert seen.hot_balance == 5

    @pytest.mark.parametrize(
        "changes",
        [
            {"global_max_mint_per_block": 0},
            {"global_max_redeem_per_block": 0},
            {"stables_delta_limit_bps": 7},
            {"weth": asset_terms(WETH, max_mint_per_block=1)},
            {"usdt": asset_terms(USDT, stable=False)},
        ],
        ids=str,
    )
    def test_a_parameter_that_was_changed_is_told_with_what_it_was(self, changes: dict[str, Any]):
        desk = Desk()
        desk.observe()
        told: Any = desk.observe(some_terms(block_number=101, **changes)).events[0]
        assert tags([told]) == ["contract.changed"]
        assert (told.before, told.terms) == (some_terms(), some_terms(block_number=101, **changes))

    def test_what_is_older_than_what_is_known_is_not_news(self):
        desk = Desk()
        desk.observe()
        assert desk.observe(some_terms(block_number=99, stables_delta_limit_bps=7)).events == ()

    def test_a_contract_has_a_handful_of_collaterals(self):
        desk = Desk()
        assets = tuple(asset_terms(f"0x{number:040x}") for number in range(257))
        assert reason(desk.observe(some_terms(assets=assets))) == "VALUE_INVALID"


class TestParties:
    def test_each_change_is_told_once(self):
        desk = Desk()
        assert tags(desk.party("benefactor", OTHER).events) == ["party.admitted"]
        assert desk.party("benefactor", OTHER).events == ()
        assert tags(desk.party("benefactor", OTHER, admitted=False, block_number=95).events) == ["party.removed"]
        assert desk.party("benefactor", OTHER, admitted=False, block_number=96).events == ()

    def test_an_admission_that_is_told_late_does_not_undo_a_removal(self):
        desk = Desk()
        desk.party("benefactor", OTHER, block_number=80)
        desk.party("benefactor", OTHER, admitted=False, block_number=95, log_index=3)
        assert desk.party("benefactor", OTHER, block_number=90).events == ()
        assert desk.party("benefactor", OTHER, block_number=95, log_index=3).events == ()
        assert tags(desk.party("benefactor", OTHER, block_number=95, log_index=4).events) == ["party.admitted"]
        assert desk.book.onchain.removals == {}

    def test_reading_goes_on_from_the_last_admission(self):
        desk = Desk()
        desk.party("benefactor", OTHER, block_number=80)
        desk.party("benefactor", OTHER, admitted=False, block_number=95)
        assert desk.book.onchain.party_block == 80

    @pytest.mark.parametrize(
        ("kind", "owner"), [("benefactor", OTHER), ("custodian", OTHER), ("asset", OTHER), ("delegate", "")]
    )
    def test_only_rights_that_are_given_by_someone_have_an_owner(self, kind: str, owner: str):
        assert reason(Desk().party(kind, BENEFACTOR, owner)) == "VALUE_INVALID"

    def test_nobody_is_no_party(self):
        assert reason(Desk().party("benefactor", "")) == "VALUE_INVALID"

    def test_each_kind_is_its_own(self):
        desk = Desk()
        desk.party("asset", WETH)
        desk.party("delegate", OTHER, BENEFACTOR)
        chain = desk.book.onchain
        assert chain.admitted(PartyKind.ASSET, WETH)
        assert chain.admitted(PartyKind.DELEGATE, OTHER, BENEFACTOR)
        assert not chain.admitted(PartyKind.DELEGATE, OTHER, WETH)
        assert not chain.admitted(PartyKind.BENEFICIARY, OTHER, BENEFACTOR)
        desk.party("delegate", OTHER, BENEFACTOR, admitted=False, block_number=95)
        assert chain.delegates == {}


def change(kind: PartyKind, party: str, owner: str = "", block: int = 1) -> PartyChange:
    return PartyChange(
        kind=kind, party=party, owner=owner, admitted=True, block_number=block, block_hash="", tx_hash="", log_index=0
    )


class TestBounds:
    """Anyone may have the contract log delegations: the oldest leave, and who left is refused."""

    def admit(self, chain: OnChain, *changes: PartyChange) -> None:
        for each in changes:
            onchain.FOLDS[PartyAdmitted](chain, PartyAdmitted(change=each))

    def test_parties_of_a_kind(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(onchain, "PARTIES_MAX", 2)
        chain = OnChain()
        self.admit(chain, *(change(PartyKind.BENEFACTOR, party) for party in "abac"))
        assert list(chain.benefactors) == ["a", "c"]

    def test_rights_of_one_owner(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(onchain, "RIGHTS_MAX", 2)
        chain = OnChain()
        self.admit(chain, *(change(PartyKind.DELEGATE, party, "o") for party in "abc"))
        assert list(chain.delegates["o"]) == ["b", "c"]

    def test_strangers_leave_before_benefactors(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(onchain, "OWNERS_MAX", 2)
        chain = OnChain()
        self.admit(chain, change(PartyKind.BENEFACTOR, "b1"), change(PartyKind.BENEFACTOR, "b2"))
        self.admit(chain, *(change(PartyKind.BENEFICIARY, "p", owner) for owner in ("b1", "x", "y", "b2")))
        assert list(chain.beneficiaries) == ["b1", "b2"]
        self.admit(chain, change(PartyKind.BENEFACTOR, "b3"), change(PartyKind.BENEFICIARY, "p", "b3"))
        assert list(chain.beneficiaries) == ["b2", "b3"]

    def test_removals(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(onchain, "REMOVALS_MAX", 2)
        chain = OnChain()
        for party in "abc":
            onchain.FOLDS[PartyRemoved](chain, PartyRemoved(change=change(PartyKind.BENEFACTOR, party)))
        assert list(chain.removals) == ["benefactor||b", "benefactor||c"]


class TestRoutes:
    def desk(self, *ratios: int, held: tuple[int, ...] = ()) -> Desk:
        targets = tuple(CustodianTarget(address=f"c{number}", ratio_bps=ratio) for number, ratio in enumerate(ratios))
        desk = Desk(policy=a_policy(custodians=targets))
        for number, atoms in enumerate(held):
            put_in_custody(desk.book.onchain, "WETH", atoms, ((f"c{number}",), (10_000,)))
        return desk

    def test_to_nobody_held_anything_go_the_targets(self):
        route = choose_route(self.desk(6_000, 3_000, 1_000).book, "WETH", 10**18)
        assert (route.custodians, route.ratios) == (("c0", "c1", "c2"), (6_000, 3_000, 1_000))

    def test_who_holds_too_much_gets_nothing(self):
        route = choose_route(self.desk(5_000, 5_000, held=(100, 0)).book, "WETH", 50)
        assert (route.custodians, route.ratios) == (("c1",), (10_000,))

    def test_what_is_lacking_is_shared(self):
        route = choose_route(self.desk(5_000, 5_000, held=(100, 0)).book, "WETH", 300)
        assert dict(zip(route.custodians, route.ratios, strict=True)) == {"c0": 3_333, "c1": 6_667}

    def test_ratios_need_not_add_up_in_the_policy(self):
        route = choose_route(self.desk(1, 1, 1).book, "WETH", 10)
        assert sum(route.ratios) == 10_000

    def test_each_asset_has_its_own_concentration(self):
        assert choose_route(self.desk(5_000, 5_000, held=(100, 0)).book, "USDT", 50).ratios == (5_000, 5_000)

    def test_whom_the_chain_does_not_admit_gets_nothing(self):
        desk = Desk(policy=a_policy(custodians=tuple(CustodianTarget(address=c, ratio_bps=1) for c in CUSTODIANS)))
        desk.party("custodian", CUSTODIANS[1])
        assert choose_route(desk.book, "WETH", 10).custodians == CUSTODIANS
        desk.observe()
        assert choose_route(desk.book, "WETH", 10).custodians == CUSTODIANS[1:]

    def test_without_custodians_there_is_no_route(self):
        assert choose_route(Desk().book, "WETH", 10) == NO_ROUTE
        assert choose_route(self.desk(0).book, "WETH", 10) == NO_ROUTE
        assert choose_route(self.desk(1).book, "WETH", 0) == NO_ROUTE

    def test_legs_are_split_as_the_contract_splits_them(self):
        assert split(100, (3_333, 6_667)) == (33, 67)
        assert split(7, (1, 9_999)) == (0, 7)
        assert split(7, ()) == ()
