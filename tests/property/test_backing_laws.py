"""Laws of backing: whatever settles, and wherever prices lie between the marks, no less stands behind a dollar."""

from fractions import Fraction
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backing import backing
from domain.claims import Party, claims
from domain.least_ratio import Stake, least_ratio, shortfall
from domain.quantity import Num
from domain.quote import Side
from tests.support.given import CUSTODIANS
from tests.support.worlds import COINS, HOME, INVERSE, LINEAR, Worlds, a_balance

NOTHING = Fraction(1, 10**15)
MONEY = st.integers(-1_000_000, 5_000_000).map(Num)
FLOWS = st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 2_000_000), st.booleans()), max_size=5)


def dollars(units: Fraction) -> int:
    return int(units * 10**18)


STAKED_ENDS = st.sampled_from([(1, 1), (1, 2), (0, 3)])


@given(MONEY, st.integers(-1_000, 1_000), FLOWS, STAKED_ENDS, st.integers(0, 1_000_000))
def test_the_least_ratio_is_that_of_the_worst_price_and_set_of_flows(
    sure: Num, units: int, drawn: list[tuple[int, int, bool]], ends: tuple[int, int], beside: int
):
    """Redeems take no more than was issued; a set that leaves no supply leaves nobody to whom anything is owed."""
    supply = Num(sum(issued for _, issued, mint in drawn if not mint) + beside)
    flows = tuple((Num(value), Num(issued)) if mint else (Num(-value), Num(-issued)) for value, issued, mint in drawn)
    stakes = (Stake(Num(units), Num(ends[0]), Num(ends[1]), flows[::2]), Stake(Num(units), Num(1), Num(2), flows[1::2]))
    ratios: list[Fraction] = []
    missing = Fraction(0)
    for first, second, world in product(ends, (1, 2), product((False, True), repeat=len(flows))):
        value, issued = Fraction(sure) + units * (first + second), Fraction(supply)
        for number, (flow, happens) in enumerate(zip(flows, world, strict=True)):
            value += happens * Fraction(flow[0]) * (second if number % 2 else first)
            issued += happens * Fraction(flow[1])
        missing = max(missing, issued - value)
        if issued > 0:
            ratios.append(max(value, Fraction(0)) / issued)
    assert Fraction(shortfall(sure, supply, stakes)) == missing
    told = least_ratio(sure, supply, stakes)
    if not ratios:
        assert told is None
        return
    assert told is not None
    assert Fraction(told) <= min(ratios)
    assert min(ratios) - Fraction(told) < NOTHING


REQUESTS = st.lists(
    st.tuples(st.sampled_from(Side), st.sampled_from(["WETH", "USDT"]), st.integers(1, 400), st.integers(0, 1_000)),
    max_size=4,
)
PRICES = st.integers(150_000, 250_000).map(lambda cents: Num(Num(cents).scaleb(-2)))
SPREADS = st.integers(0, 400).map(lambda cents: Num(Num(cents).scaleb(-2)))


@settings(max_examples=60)
@given(REQUESTS, PRICES, SPREADS, PRICES, st.integers(-3, 3), st.integers(0, 5))
def test_no_world_has_less_behind_a_dollar_than_is_told(
    requests: list[tuple[Side, str, int, int]], price: Num, spread: Num, entry: Num, funding: int, coins: int
):
    worlds = Worlds()
    worlds.held(100 * 10**18, 200_000 * 10**18)
    worlds.held(1_000_000 * 10**6, 1_000_000 * 10**18, "USDT")
    worlds.fill(HOME, Num(-100), entry, fee=Num(10))
    worlds.funded(HOME, Num(funding * 1_000))
    if coins:
        worlds.fill(COINS, Num(-coins * 100), entry, symbol=INVERSE, fee=Num("0.001"))
    flows: list[tuple[int, Fraction, Fraction, Fraction]] = []
    for side, asset, drawn, better in requests:
        worth = 2_000 if asset == "WETH" else 1
        units = drawn if asset == "USDT" else max(drawn // 5, 1)
        issued = units * worth * 10**18 + better * 10**15
        atoms = units * 10 ** (18 if asset == "WETH" else 6)
        worlds.request(side, asset, atoms, issued, "USDT/USDe" if asset == "USDT" else "WETH/USDe")
        sign = 1 if side is Side.MINT else -1
        ether, stable = (units, 0) if asset == "WETH" else (0, units)
        flows.append((sign, Fraction(ether), Fraction(stable), Fraction(issued, 10**18)))
    high = Num(price + spread)
    worlds.marked({"ETH": (price, high), "USDT": (Num("0.998"), Num("1.001"))}, {f"{HOME}|{LINEAR}": price})
    told = backing(worlds.book)
    assert told.unknown == ()
    assert told.ratio is not None
    middle, peg = Fraction(price + high) / 2, Fraction("0.9995")
    away = Fraction(price) * peg / middle  # the venue marks by so much of what ether is worth there, wherever that is
    for ether_price, stable in product((Fraction(price), Fraction(high)), (Fraction("0.998"), Fraction("1.001"))):
        mark = ether_price / stable * away
        won = (100 * (Fraction(entry) - mark) - 10 + funding * 1_000) * stable
        if coins:
            short = Fraction(coins * 100)
            won += (short / ether_price - short / Fraction(entry) - Fraction("0.001")) * ether_price
        for world in product((0, 1), repeat=len(flows)):
            value, supply = won + 100 * ether_price + 1_000_000 * stable, Fraction(1_200_000)
            for happens, (sign, ether, units, issued) in zip(world, flows, strict=True):
                value += happens * sign * (ether * ether_price + units * stable)
                supply += happens * sign * issued
            assert Fraction(told.ratio) <= value / supply + NOTHING
    assert told.middle is not None
    assert told.at_risk is not None
    assert told.ratio <= told.middle or flows
    assert told.at_risk <= told.ratio
    assert told.held is not None
    assert min(told.ratio, Num(1)) <= told.held


@given(st.integers(1, 1_000), st.integers(0, 1_000), st.integers(0, 500), st.booleans())
def test_custodians_and_venues_owe_no_more_and_no_less_than_may_be(
    sent: int, coming: int, leaving: int, contract_pays: bool
):
    worlds = Worlds()
    worlds.marked({"ETH": (Num(1_999), Num(2_001)), "USDT": (Num("0.999"), Num("1.001"))})
    worlds.held(sent * 10**18, sent * 2_000 * 10**18, routed=True)
    if coming:
        request_id = worlds.request(Side.MINT, "WETH", coming * 10**18, coming * 2_000 * 10**18)
        worlds.settling(request_id, routed=True)
    gone = min(leaving, sent)
    if gone:
        request_id = worlds.request(Side.REDEEM, "WETH", gone * 10**18, gone * 2_000 * 10**18)
        if contract_pays:
            worlds.settle(request_id)
    worlds.seen(HOME, (a_balance("USDT", Num(5_000)),))
    told = claims(worlds.book)
    out = gone if contract_pays else 0
    for custodian, share in zip(CUSTODIANS, (Fraction(6, 10), Fraction(4, 10)), strict=True):
        claim = told.get(Party.CUSTODIAN, custodian)
        assert claim is not None
        assert claim.value is not None
        for taken, arrived in product((Fraction(0), Fraction(out)), (0, coming)):
            there = max(share * sent - taken, Fraction(0)) + share * arrived
            for price in (1_999, 2_001):
                assert Fraction(claim.value.low) <= there * price <= Fraction(claim.value.high)
    venue = told.get(Party.VENUE, HOME)
    assert venue is not None
    assert venue.value is not None
    assert (venue.value.low, venue.value.high) == (Num(4_995), Num(5_005))
    assert told.total.value is not None
    least = (sent - gone) * 1_999 + 4_995
    assert (told.total.value.low, told.total.value.high) == (least, (sent - out + coming) * 2_001 + 5_005)
    share_bps = told.share_bps(venue)
    assert share_bps is not None
    assert Fraction(share_bps) <= Fraction(5_005 * 10_000, max(least, 1_000_000)) + NOTHING


def test_supply_is_what_settlements_issued():
    worlds = Worlds()
    worlds.marked({"ETH": (Num(2_000), Num(2_000)), "USDT": (Num(1), Num(1))})
    none = backing(worlds.book)
    assert (none.ratio, none.middle, none.at_risk, none.unknown, none.supply) == (None, None, None, (), 0)
    worlds.held(10**18, 2_000 * 10**18)
    told = backing(worlds.book)
    assert (told.ratio, told.middle, told.supply, told.supply_from) == (1, 1, 2_000, "settlements")
