"""Routes: which are taken, and what each custodian gets, against a model in Python."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.contract.rig import Reverted
from tests.integration.contract.stage import ADMIN, CEFFU, COBO, COPPER, STRANGER, ZERO, Stage, words

BPS = 10_000
LEGS_MAX = 20
CUSTODIANS = (COPPER, CEFFU, COBO)


@st.composite
def routes(draw: st.DrawFn) -> tuple[list[str], list[int]]:
    """Draw legs that sum to the whole; a custodian may come twice."""
    cuts = sorted(draw(st.sets(st.integers(1, BPS - 1), max_size=LEGS_MAX - 1)))
    ratios = [after - before for before, after in zip([0, *cuts], [*cuts, BPS], strict=True)]
    return [draw(st.sampled_from(CUSTODIANS)) for _ in ratios], ratios


def expected(amount: int, route: tuple[list[str], list[int]]) -> dict[str, int]:
    """Floor each leg; the last address gets what flooring leaves."""
    addresses, ratios = route
    legs = [amount * ratio // BPS for ratio in ratios]
    legs[-1] += amount - sum(legs)
    held = dict.fromkeys(CUSTODIANS, 0)
    for custodian, leg in zip(addresses, legs, strict=True):
        held[custodian] += leg
    return held


@settings(derandomize=True, deadline=None, max_examples=120, database=None)
@given(route=routes(), amount=st.integers(1, 10**24))
def test_every_atom_of_a_mint_reaches_the_custodian_it_is_for(
    deployed: Stage, route: tuple[list[str], list[int]], amount: int
):
    with deployed.rewound():
        order = deployed.order(collateral_asset=deployed.wbtc.address, collateral_amount=amount)
        outcome = deployed.mint(order, route=route)
        assert dict(zip(CUSTODIANS, deployed.holdings(deployed.wbtc, *CUSTODIANS), strict=True)) == expected(
            amount, route
        )
        moved = [told["value"] for name, told in deployed.wbtc.events(outcome) if name == "Transfer"]
        assert sum(moved) == amount
        rest = amount - sum(amount * ratio // BPS for ratio in route[1])
        assert len(moved) == len(route[0]) + (rest > 0)  # the remainder is a transfer of its own


@settings(derandomize=True, deadline=None, max_examples=40, database=None)
@given(route=routes(), amount=st.integers(1, 10**20))
def test_every_wei_of_unwrapped_ether_reaches_the_custodian_it_is_for(
    deployed: Stage, route: tuple[list[str], list[int]], amount: int
):
    with deployed.rewound():
        order = deployed.order(collateral_asset=deployed.weth.address, collateral_amount=amount)
        deployed.mint(order, route=route, call="mintWETH")
        assert {custodian: deployed.evm.balance(custodian) for custodian in CUSTODIANS} == expected(amount, route)
        assert deployed.evm.balance(deployed.minting.address) == 0


REFUSED = {
    "none": ([], []),
    "more addresses than ratios": ([COPPER, CEFFU], [BPS]),
    "more ratios than addresses": ([COPPER], [5_000, 5_000]),
    "too little": ([COPPER, CEFFU], [5_000, 4_999]),
    "too much": ([COPPER, CEFFU], [5_000, 5_001]),
    "an empty leg": ([COPPER, CEFFU], [BPS, 0]),
    "a stranger": ([COPPER, STRANGER], [5_000, 5_000]),
    "nobody": ([ZERO], [BPS]),
}


@pytest.mark.parametrize("route", REFUSED.values(), ids=REFUSED.keys())
def test_a_route_that_is_not_whole_or_leads_elsewhere_is_refused(stage: Stage, route: tuple[list[str], list[int]]):
    assert stage.minting.ask("verifyRoute", route) is False
    with pytest.raises(Reverted, match="InvalidRoute"):
        stage.mint(stage.order(), route=route)


def test_ratios_that_overflow_panic_instead_of_wrapping(stage: Stage):
    assert stage.minting.ask("verifyRoute", ([COPPER], [2**128 - 1])) is False
    with pytest.raises(Reverted, match="Panic: 17"):
        stage.minting.ask("verifyRoute", ([COPPER, CEFFU], [2**128 - 1, 1 + BPS]))


def test_a_leg_that_overflows_panics(stage: Stage):
    order = stage.order(collateral_asset=stage.wbtc.address, collateral_amount=2**128 // BPS + 1)
    with pytest.raises(Reverted, match="Panic: 17"):
        stage.mint(order)


def test_a_custodian_that_was_removed_takes_nothing_any_more(stage: Stage):
    order = stage.order()
    stage.minting.send(ADMIN, "removeCustodianAddress", COPPER)
    with pytest.raises(Reverted, match="InvalidRoute"):
        stage.mint(order)
    stage.mint(order, route=([CEFFU], [BPS]))


def test_inputs_beyond_the_bounds_are_not_decoded(stage: Stage):
    order = stage.order()
    legs = LEGS_MAX + 1
    with pytest.raises(Reverted) as told:
        stage.minting.ask("verifyRoute", ([COPPER] * legs, [1] * legs))
    assert told.value.reason == ""
    with pytest.raises(Reverted) as told:
        stage.minting.ask("hashOrder", words(stage.order(order_id="x" * 129)))
    assert told.value.reason == ""
    with pytest.raises(Reverted) as told:
        stage.minting.ask("verifyOrder", words(order), (0, bytes(2_049)))
    assert told.value.reason == ""
