"""The contract's own balance: what is proposed when it leaves its band, and what ends a proposal."""

import json
from typing import Any

import pytest

from commands.handler import Decision
from commands.treasury import react_terms
from domain.book import Book
from domain.event import Event
from domain.onchain import ContractObserved
from domain.policy import CustodianTarget, HotBand, TreasuryPolicy
from domain.quantity import Num
from domain.safe import checksum
from domain.treasury import CustodyProposed, Direction, ProposalCompleted, ProposalWithdrawn, TopupProposed
from tests.support.desk import Desk, tags
from tests.support.given import CUSTODIANS, USDT, WETH, a_policy, asset_terms, some_terms

ETHER = 10**18
SAFE = "0x3b0aaf6e6fcd4a7ceef8c92c32dfea9e64dc1862"
FUNDER = "0x00000000000000000000000000000000000000f0"
BAND = HotBand(asset="WETH", minimum=Num(10), target=Num(20), maximum=Num("40.5"), funder=FUNDER)
TARGETS = tuple(CustodianTarget(address=address, ratio_bps=5_000) for address in CUSTODIANS)


class Treasurer:
    """Show a desk what the contract holds, block by block."""

    def __init__(
        self, *bands: HotBand, custodians: tuple[CustodianTarget, ...] = TARGETS, admitted: bool = True
    ) -> None:
        treasury = TreasuryPolicy(bands=bands or (BAND,), safe=SAFE)
        self.desk = Desk(policy=a_policy(treasury=treasury, custodians=custodians))
        self.block = 100
        if admitted:
            usdt = asset_terms(USDT, hot_balance=200_000_000)
            self.desk.see_the_chain(weth=asset_terms(WETH, hot_balance=20 * ETHER), usdt=usdt)

    def holds(self, ether: str, **changes: Any) -> tuple[Event, ...]:
        """Return what follows from what the contract holds now."""
        self.block += 1
        weth = asset_terms(WETH, hot_balance=int(Num(ether) * ETHER))
        decision: Decision = self.desk.observe(some_terms(weth=weth, block_number=self.block, **changes))
        return tuple(event for event in decision.events if event.TOPIC.startswith("treasury."))

    def open(self, direction: Direction) -> int:
        proposal = self.desk.book.treasury.open("WETH", direction)
        return 0 if proposal is None else proposal.amount


@pytest.mark.parametrize("ether", ["10", "20", "40.5"])
def test_within_the_band_nothing_is_proposed(ether: str):
    assert Treasurer().holds(ether) == ()


def test_too_little_asks_for_a_top_up_to_the_target():
    treasurer = Treasurer()
    (proposed,) = treasurer.holds("9.999999999999999999")
    assert isinstance(proposed, TopupProposed)
    assert proposed.amount.atoms == 10 * ETHER + 1
    assert (proposed.funder, proposed.token) == (FUNDER, WETH)
    policy = treasurer.desk.book.policy
    assert policy is not None
    assert proposed.contract == policy.minting_contract
    assert f"{FUNDER} should send 10.000000000000000001 to {policy.minting_contract}" in proposed.text


def test_too_much_asks_the_multisig_for_a_transfer_to_custody():
    (proposed,) = Treasurer().holds("41")
    assert isinstance(proposed, CustodyProposed)
    assert proposed.amount.atoms == 21 * ETHER
    assert (proposed.custodians, proposed.parts) == (CUSTODIANS, (21 * ETHER // 2, 21 * ETHER // 2))
    batch = json.loads(proposed.safe_json)
    assert (batch["version"], batch["chainId"], batch["meta"]["createdFromSafeAddress"]) == ("1.0", "1", SAFE)
    assert [call["contractInputsValues"] for call in batch["transactions"]] == [
        {"wallet": custodian, "asset": WETH, "amount": str(21 * ETHER // 2)} for custodian in CUSTODIANS
    ]
    assert {(call["to"], call["value"], call["contractMethod"]["name"]) for call in batch["transactions"]} == {
        ("0xe3490297a08d6fc8da46edb7b6142e4f461b62d3", "0", "transferToCustody")
    }
    told = batch["meta"].pop("checksum")
    assert checksum(batch) == told


def test_who_holds_too_much_already_gets_nothing():
    treasurer = Treasurer()
    treasurer.desk.book.onchain.custody["WETH"] = {CUSTODIANS[0]: 100 * ETHER}
    (proposed,) = treasurer.holds("41")
    assert isinstance(proposed, CustodyProposed)
    assert (proposed.custodians, proposed.parts) == (CUSTODIANS[1:], (21 * ETHER,))
    assert len(json.loads(proposed.safe_json)["transactions"]) == 1


def test_one_proposal_is_open_at_a_time():
    treasurer = Treasurer()
    treasurer.holds("5")
    assert treasurer.holds("5.5") == ()
    assert treasurer.open(Direction.TOPUP) == 15 * ETHER


@pytest.mark.parametrize(
    ("before", "after", "direction"), [("5", "20", Direction.TOPUP), ("50", "20", Direction.CUSTODY)]
)
def test_what_moved_as_proposed_is_completed(before: str, after: str, direction: Direction):
    treasurer = Treasurer()
    treasurer.holds(before)
    (completed,) = treasurer.holds(after)
    assert isinstance(completed, ProposalCompleted)
    assert (completed.direction, completed.block_number) == (direction, treasurer.block)
    assert (completed.hot_before.atoms, completed.hot_after.atoms) == (int(before) * ETHER, int(after) * ETHER)
    assert treasurer.desk.book.treasury.proposals == {}
    held = treasurer.desk.book.onchain.custody.get("WETH", {})
    assert sum(held.values()) == (30 * ETHER if direction is Direction.CUSTODY else 0)


def test_what_no_longer_fits_is_made_anew():
    treasurer = Treasurer(HotBand(asset="WETH", minimum=Num(10), target=Num(12), maximum=Num(40)))
    (first,) = treasurer.holds("9")
    withdrawn, second = treasurer.holds("5")
    assert tags([first, withdrawn, second]) == [
        "treasury.topup_proposed",
        "treasury.proposal_withdrawn",
        "treasury.topup_proposed",
    ]
    assert isinstance(withdrawn, ProposalWithdrawn)
    assert isinstance(first, TopupProposed)
    assert isinstance(second, TopupProposed)
    assert withdrawn.proposal_id == first.proposal_id != second.proposal_id
    assert (first.amount.atoms, second.amount.atoms) == (3 * ETHER, 7 * ETHER)
    assert "whoever holds it should send 7" in second.text


def test_what_would_take_too_much_is_withdrawn():
    """Redemptions took most of what was too much: the batch must not be executed any more."""
    treasurer = Treasurer()
    treasurer.holds("41")
    (withdrawn,) = treasurer.holds("30")
    assert isinstance(withdrawn, ProposalWithdrawn)
    assert withdrawn.direction is Direction.CUSTODY
    assert treasurer.open(Direction.CUSTODY) == 0


def test_what_grew_is_proposed_anew():
    treasurer = Treasurer()
    treasurer.holds("41")
    assert tags(treasurer.holds("70")) == ["treasury.proposal_withdrawn", "treasury.custody_proposed"]
    assert treasurer.open(Direction.CUSTODY) == 50 * ETHER


def test_from_one_side_of_the_band_to_the_other():
    treasurer = Treasurer()
    treasurer.holds("41")
    assert tags(treasurer.holds("15")) == ["treasury.completed"]
    treasurer.holds("41")
    assert tags(treasurer.holds("1")) == ["treasury.topup_proposed", "treasury.completed"]


def test_what_redemptions_will_take_does_not_count():
    treasurer = Treasurer(HotBand(asset="WETH", minimum=Num(1), target=Num(4), maximum=Num("4.5")))
    desk = treasurer.desk
    desk.accept(desk.quote("10"), nonce=9_000)
    desk.trade(desk.order(), "10", trade="held")
    desk.submit()
    desk.include()
    desk.finalise()
    treasurer.holds("5")
    assert treasurer.open(Direction.CUSTODY) == ETHER
    assert desk.accept(desk.quote("3800", side="REDEEM"), nonce=2).outcome.status == "accepted"
    (withdrawn,) = treasurer.holds("5.1")
    assert isinstance(withdrawn, ProposalWithdrawn)
    assert "without it" in withdrawn.text
    (proposed,) = treasurer.holds("2")
    assert isinstance(proposed, TopupProposed)
    (request,) = desk.book.requests.values()
    assert proposed.owed == request.accepted.collateral
    assert proposed.amount.atoms == 2 * ETHER + proposed.owed.atoms
    # Once it is paid on chain it is in the balance, though not final yet.
    desk.trade(desk.order(), str(desk.order().quantity), trade="closed")
    desk.submit()
    desk.include(block=treasurer.block + 1)
    assert treasurer.holds("0.1") == ()
    (withdrawn,) = treasurer.holds("4.05")
    assert isinstance(withdrawn, ProposalWithdrawn)
    assert "without it" in withdrawn.text


def test_a_custodian_that_the_chain_removed_is_sent_nothing():
    treasurer = Treasurer()
    treasurer.holds("41")
    treasurer.desk.party("custodian", CUSTODIANS[0], admitted=False, block_number=150)
    withdrawn, proposed = treasurer.holds("41.5")
    assert isinstance(withdrawn, ProposalWithdrawn)
    assert isinstance(proposed, CustodyProposed)
    assert proposed.custodians == CUSTODIANS[1:]


def test_without_a_custodian_it_says_so_until_there_is_one():
    treasurer = Treasurer(admitted=False)
    (proposed,) = treasurer.holds("41")
    assert isinstance(proposed, CustodyProposed)
    assert (proposed.custodians, proposed.parts, proposed.safe_json) == ((), (), "")
    assert "no custodian of the policy is admitted on chain" in proposed.text
    assert treasurer.holds("41.5") == ()
    treasurer.desk.party("custodian", CUSTODIANS[1])
    assert tags(treasurer.holds("41")) == ["treasury.proposal_withdrawn", "treasury.custody_proposed"]


def test_a_band_that_the_policy_drops_takes_its_proposals_with_it():
    treasurer = Treasurer()
    treasurer.holds("41")
    treasurer.desk.do("policy.adopt", {"policy": a_policy(custodians=TARGETS)}, actor="system")
    (withdrawn,) = treasurer.holds("42")
    assert isinstance(withdrawn, ProposalWithdrawn)
    assert "no band" in withdrawn.text


def test_each_collateral_has_its_own_band_in_its_own_decimals():
    tether = HotBand(asset="USDT", minimum=Num(100), target=Num(200), maximum=Num(300))
    treasurer = Treasurer(BAND, tether)
    proposed = treasurer.holds("41", usdt=asset_terms(USDT, hot_balance=50_000_000))
    assert tags(proposed) == ["treasury.custody_proposed", "treasury.topup_proposed"]
    assert isinstance(proposed[1], TopupProposed)
    assert (proposed[1].amount.asset, proposed[1].amount.atoms) == ("USDT", 150_000_000)


def test_what_nobody_knows_is_not_judged():
    """A band of no asset of the policy's, an asset that the contract does not support, a contract without a policy."""
    treasurer = Treasurer(HotBand(asset="GOLD", minimum=Num(1), target=Num(2), maximum=Num(3)), BAND)
    terms = some_terms(block_number=200, assets=(asset_terms(USDT),))
    assert tags(treasurer.desk.observe(terms).events) == ["contract.changed"]
    assert react_terms(Book(), ContractObserved(terms=terms), 0) == ()


def test_redemptions_of_another_collateral_take_nothing():
    treasurer = Treasurer()
    desk = treasurer.desk
    desk.accept(desk.quote("100", pair="USDT/USDe"))
    desk.submit()
    desk.include()
    desk.finalise()
    desk.accept(desk.quote("50", pair="USDT/USDe", side="REDEEM"), nonce=2)
    (proposed,) = treasurer.holds("5")
    assert isinstance(proposed, TopupProposed)
    assert proposed.owed.atoms == 0


def test_the_builders_own_example_has_the_builders_checksum():
    """The values of the builder's test of its checksum."""
    inputs = {"internalType": "address", "name": "paramAddress", "type": "address"}
    to = "0x49d4450977E2c95362C13D3a31a09311E0Ea26A6"
    flag = {"internalType": "bool", "name": "paramBool", "type": "bool"}
    document: Any = {
        "version": "1.0",
        "chainId": "4",
        "createdAt": 1646321521061,
        "meta": {
            "name": "test batch file",
            "txBuilderVersion": "1.4.0",
            "checksum": "",
            "createdFromSafeAddress": "0xDF8a1Ce35c9a6ACE153B4e0767942f1E2291a1Aa",
            "createdFromOwnerAddress": to,
        },
        "transactions": [
            {
                "to": to,
                "value": "0",
                "contractMethod": {"inputs": [inputs], "name": "testAddress", "payable": False},
                "contractInputsValues": {"paramAddress": to},
            },
            {
                "to": to,
                "value": "0",
                "contractMethod": {"inputs": [flag], "name": "testBool", "payable": False},
                "contractInputsValues": {"paramAddress": "", "paramBool": "false"},
            },
            {
                "to": to,
                "value": "2000000000000000000",
                "data": "0x42f4579000000000000000000000000049d4450977e2c95362c13d3a31a09311e0ea26a6",
            },
        ],
    }
    assert checksum(document) == "0x832ecdb6653751ed00b79dede73864163e46e71815b72e11e506d6399bedffc9"
