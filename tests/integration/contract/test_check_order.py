"""The order of checks: with several things wrong, the error is the first one's.

Each ladder names every check in its order. A rung's test makes that check and all later ones fail, and expects the
rung's error; mending rung after rung must end in success.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from adapters.chain.signature import SignedOrder
from tests.integration.contract.rig import Outcome, Reverted
from tests.integration.contract.stage import (
    ADMIN,
    ASSET,
    BENEFACTOR,
    COPPER,
    SETTLER,
    STRANGER,
    UNIT,
    ZERO,
    Stage,
    role,
)

ROLE = "Error: AccessControl: account {account} is missing role 0x{role}"
VERIFYING = (
    "InvalidOrder",
    "InvalidEIP712Signature",
    "BenefactorNotWhitelisted",
    "BeneficiaryNotApproved",
    "InvalidStablePrice",
    "InvalidAddress",
    "InvalidAmount",
    "SignatureExpired",
)
MINT_LADDER = (
    "role",
    "UnsupportedAsset",
    "MaxMintPerBlockExceeded",
    "GlobalMaxMintPerBlockExceeded",
    *VERIFYING,
    "InvalidRoute",
    "InvalidNonce",
    "Error: ERC20: insufficient allowance",
)
REDEEM_LADDER = (
    "role",
    "UnsupportedAsset",
    "MaxRedeemPerBlockExceeded",
    "GlobalMaxRedeemPerBlockExceeded",
    *VERIFYING,
    "InvalidNonce",
    "Error: ERC20: insufficient allowance",
)


class Ladder:
    """Try one call with a set of flaws."""

    def __init__(self, stage: Stage, side: str, flaws: Sequence[str]) -> None:
        self.stage = stage
        self.side = side
        self.flaws = flaws
        self.token = stage.dai if side == "MINT" else stage.usde

    def attempt(self) -> Outcome:
        if self.side == "REDEEM":
            self.stage.mint(self.stage.order(nonce=1))
            self.stage.evm.move(number=2)
        self._configure()
        order = self._order()
        signer = "stranger" if "InvalidEIP712Signature" in self.flaws else "benefactor"
        changed: dict[str, Any] = {"signature": self.stage.signed(order, signer)}
        if "role" in self.flaws:
            changed["sender"] = STRANGER
        if self.side == "REDEEM":
            return self.stage.redeem(order, **changed)
        changed["route"] = ([COPPER], [9_999 if "InvalidRoute" in self.flaws else 10_000])
        return self.stage.mint(order, **changed)

    def _configure(self) -> None:
        minting, asset = self.stage.minting, self.stage.dai.address
        kind = self.side.title()
        if "UnsupportedAsset" in self.flaws:
            minting.send(ADMIN, "removeSupportedAsset", asset)
        elif "InvalidStablePrice" not in self.flaws:
            minting.send(ADMIN, "setTokenType", asset, ASSET)
        if f"Max{kind}PerBlockExceeded" in self.flaws:
            minting.send(ADMIN, f"setMax{kind}PerBlock", 1, asset)
        if f"GlobalMax{kind}PerBlockExceeded" in self.flaws:
            minting.send(ADMIN, f"setGlobalMax{kind}PerBlock", 1)
        if "BenefactorNotWhitelisted" in self.flaws:
            minting.send(ADMIN, "removeWhitelistedBenefactor", BENEFACTOR)
        if "BeneficiaryNotApproved" not in self.flaws and "InvalidAddress" in self.flaws:
            minting.send(BENEFACTOR, "setApprovedBeneficiary", ZERO, True)
        if "Error: ERC20: insufficient allowance" in self.flaws:
            self.token.send(BENEFACTOR, "approve", minting.address, 100 * UNIT - 1)

    def _order(self) -> SignedOrder:
        changed: dict[str, Any] = {"order_type": self.side}
        if "InvalidOrder" in self.flaws:
            changed["order_type"] = "REDEEM" if self.side == "MINT" else "MINT"
        if {"BeneficiaryNotApproved", "InvalidAddress"} & set(self.flaws):
            changed["beneficiary"] = ZERO
        if "InvalidStablePrice" in self.flaws and self.side == "REDEEM":
            changed["collateral_amount"] = 101 * UNIT
        elif "InvalidAmount" in self.flaws:
            changed["collateral_amount"] = 0
        elif "InvalidStablePrice" in self.flaws:
            changed["collateral_amount"] = 99 * UNIT
        if "SignatureExpired" in self.flaws:
            changed["expiry"] = self.stage.evm.timestamp - 1
        if "InvalidNonce" in self.flaws:
            changed["nonce"] = 0
        return self.stage.order(**changed)


def _expected(rung: str, side: str) -> str:
    if rung != "role":
        return rung
    wanted = role("MINTER_ROLE" if side == "MINT" else "REDEEMER_ROLE")
    return ROLE.format(account=STRANGER, role=wanted.hex())


RUNGS = [("MINT", rung) for rung in MINT_LADDER] + [("REDEEM", rung) for rung in REDEEM_LADDER]


@pytest.mark.parametrize(("side", "rung"), RUNGS)
def test_the_first_failing_check_names_the_error(stage: Stage, side: str, rung: str):
    ladder = MINT_LADDER if side == "MINT" else REDEEM_LADDER
    flaws = ladder[ladder.index(rung) :]
    with pytest.raises(Reverted) as told:
        Ladder(stage, side, flaws).attempt()
    assert told.value.reason == _expected(rung, side)


@pytest.mark.parametrize(("side", "rung"), RUNGS)
def test_each_check_fails_alone(stage: Stage, side: str, rung: str):
    with pytest.raises(Reverted) as told:
        Ladder(stage, side, (rung,)).attempt()
    # An asset that is no longer supported has lost its caps too, and one without a beneficiary has none approved:
    # the ladder above tells those apart.
    assert told.value.reason == _expected(rung, side)


@pytest.mark.parametrize("side", ["MINT", "REDEEM"])
def test_with_nothing_wrong_it_goes_through(stage: Stage, side: str):
    [(name, told)] = stage.minting.events(Ladder(stage, side, ()).attempt())
    assert name == side.title()
    assert told["minter" if side == "MINT" else "redeemer"] == SETTLER


def test_an_expiry_is_the_last_second_that_counts(stage: Stage):
    order = stage.order(expiry=stage.evm.timestamp)
    with stage.rewound():
        stage.mint(order)
    stage.evm.move(timestamp=order.expiry + 1)
    with pytest.raises(Reverted, match="SignatureExpired"):
        stage.mint(order)


@pytest.mark.parametrize("call", ["mint", "redeem", "mintWETH"])
def test_an_order_type_beyond_the_enum_is_not_decoded(stage: Stage, call: str):
    order = stage.order()
    terms = (order.order_id, 2, *list(_tail(order)))
    route = () if call == "redeem" else (([COPPER], [10_000]),)
    with pytest.raises(Reverted) as told:
        stage.minting.send(SETTLER, call, terms, *route, stage.signed(order))
    assert told.value.reason == ""


def _tail(order: SignedOrder) -> tuple[Any, ...]:
    return (
        order.expiry,
        order.nonce,
        order.benefactor,
        order.beneficiary,
        order.collateral_asset,
        order.collateral_amount,
        order.usde_amount,
    )
