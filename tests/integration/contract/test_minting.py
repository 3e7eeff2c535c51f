"""A mint and a redeem that go through: what moves, and what is told."""

from eth_hash.auto import keccak

from tests.integration.contract.stage import BENEFACTOR, CEFFU, COPPER, SETTLER, UNIT, Stage


def test_a_mint_takes_collateral_to_the_custodians_and_issues(stage: Stage):
    outcome = stage.mint(stage.order(), route=([COPPER, CEFFU], [2_500, 7_500]))
    assert stage.holdings(stage.dai, COPPER, CEFFU) == (25 * UNIT, 75 * UNIT)
    assert stage.usde.ask("balanceOf", BENEFACTOR) == 100 * UNIT
    assert stage.minting.events(outcome) == [
        (
            "Mint",
            {
                "order_id": keccak(b"RFQ-1"),
                "benefactor": BENEFACTOR,
                "beneficiary": BENEFACTOR,
                "minter": SETTLER,
                "collateral_asset": stage.dai.address,
                "collateral_amount": 100 * UNIT,
                "usde_amount": 100 * UNIT,
            },
        )
    ]
