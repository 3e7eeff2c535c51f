"""Who owes or keeps what: of mirrored accounts only profit, of custodians what was sent and what they say."""

import msgspec

from domain.claims import Claim, Claims, Party, claims, collateral
from domain.mark import RiskMarked
from domain.policy import PolicyAdopted
from domain.quantity import ZERO, Interval, Num
from domain.quote import Side
from domain.risk_terms import Risk
from domain.state import Book
from domain.vault import CustodyBalanceObserved, Holding
from tests.support.given import CUSTODIANS
from tests.support.worlds import AT, HOME, LINEAR, OTHER, Worlds, a_balance, a_position, two_venues


def a_world() -> Worlds:
    worlds = Worlds()
    worlds.marked({"ETH": (AT, AT), "USDT": (Num(1), Num(1))}, {f"{HOME}|{LINEAR}": AT})
    return worlds


def claim(worlds: Worlds, party: Party, name: str = "") -> Claim:
    found = claims(worlds.book)
    it = found.total if party is Party.TOTAL else found.get(party, name)
    assert it is not None
    return it


def test_a_venue_that_settles_with_a_custodian_owes_only_what_it_has_not_paid():
    worlds = a_world()
    worlds.fill(HOME, Num(-10), Num(2_100))
    worlds.seen(HOME, (a_balance("USDT", Num(50_000), Num(51_000)),), (a_position(Num(-10), Num(2_100), AT),))
    own = claim(worlds, Party.VENUE, HOME)
    assert (own.value, own.unsettled) == (Interval(Num(51_000), Num(51_000)), 1_000)
    worlds.paid_out(HOME, "USDT", Num(400))
    mirrored = claim(worlds, Party.VENUE, HOME)
    assert (mirrored.value, mirrored.unsettled) == (Interval(ZERO, Num(1_000)), 1_000)


def test_what_a_custodian_says_counts_beside_what_it_was_sent():
    worlds = a_world()
    worlds.held(10 * 10**18, 20_000 * 10**18, routed=True)
    first = claim(worlds, Party.CUSTODIAN, CUSTODIANS[0])
    assert (first.value, first.certain) == (Interval(Num(12_000), Num(12_000)), 12_000)
    told = (Holding(asset="WETH", quantity=Num(5)), Holding(asset="USDT", quantity=Num(9)))
    worlds.tell(CustodyBalanceObserved(custodian=CUSTODIANS[0], holdings=told, observed_at_us=1))
    worlds.tell(CustodyBalanceObserved(custodian="copper", holdings=told[:1], observed_at_us=1))
    assert claim(worlds, Party.CUSTODIAN, CUSTODIANS[0]).value == Interval(Num(10_000), Num(12_009))
    assert claim(worlds, Party.CUSTODIAN, "copper").value == Interval(ZERO, Num(10_000))


def test_what_was_paid_out_may_have_come_from_any_custodian():
    worlds = a_world()
    worlds.held(10 * 10**18, 20_000 * 10**18, routed=True)
    worlds.settle(worlds.request(Side.REDEEM, "WETH", 5 * 10**18, 10_000 * 10**18))
    assert claim(worlds, Party.CUSTODIAN, CUSTODIANS[0]).value == Interval(Num(2_000), Num(12_000))
    assert claim(worlds, Party.CUSTODIAN, CUSTODIANS[1]).value == Interval(ZERO, Num(8_000))


def test_a_stable_is_what_is_held_in_it_and_what_shorts_in_it_were_sold_for():
    worlds = a_world()
    worlds.held(700 * 10**6, 700 * 10**18, "USDT")
    worlds.fill(HOME, Num(-10), Num(2_100), fee=Num(3))
    worlds.funded(HOME, Num(13))
    stable = claim(worlds, Party.STABLE, "USDT")
    assert stable.value == Interval(Num(1_710), Num(1_710))
    assert stable.sensitivity == Interval(Num(21_710), Num(21_710))
    worlds.seen(HOME, (a_balance("USDT", Num(500), Num(1_500)),), (a_position(Num(-10), Num(2_100), AT),))
    seen = claim(worlds, Party.STABLE, "USDT")
    assert (seen.value, seen.sensitivity) == (Interval(Num(2_200), Num(2_200)), Interval(Num(22_200), Num(22_200)))


def test_the_total_is_what_backs_and_what_venues_owe():
    worlds = a_world()
    worlds.held(10 * 10**18, 20_000 * 10**18)
    worlds.seen(HOME, (a_balance("USDT", Num(500)),))
    worlds.seen(OTHER, (a_balance("USDT", Num(300)),))
    total = claim(worlds, Party.TOTAL)
    assert (total.value, total.certain) == (Interval(Num(20_800), Num(20_800)), 20_800)


def test_shares_are_counted_of_no_less_than_the_floor():
    worlds = a_world()
    worlds.seen(HOME, (a_balance("USDT", Num(500)),))
    found = claims(worlds.book)
    home, away = found.get(Party.VENUE, HOME), found.get(Party.VENUE, OTHER)
    assert home is not None
    assert away is not None
    assert (found.share_bps(home), found.share_bps(away)) == (5, 0)
    assert found.get(Party.VENUE, "nowhere") is None
    worlds.tell(PolicyAdopted(policy=two_venues(risk=Risk(concentration_floor=ZERO))))
    assert claims(worlds.book).share_bps(home) == 10_000
    nothing = Claims(lines=(), total=Claim(party=Party.TOTAL, id="", value=Interval(ZERO, ZERO)))
    assert nothing.share_bps(home) == 10_000


def test_what_has_no_price_is_not_known_and_nothing_of_it_is_nothing():
    worlds = a_world()
    worlds.held(10 * 10**18, 20_000 * 10**18, routed=True)
    worlds.held(5 * 10**6, 5 * 10**18, "USDT", routed=True)
    worlds.seen(HOME, (a_balance("USDT", Num(-500)),))
    worlds.tell(RiskMarked(assets=(), lost=("USDT",)))
    found = claims(worlds.book)
    total, home, stable = found.total, found.get(Party.VENUE, HOME), found.get(Party.STABLE, "USDT")
    custodian = found.get(Party.CUSTODIAN, CUSTODIANS[0])
    assert home is not None
    assert stable is not None
    assert custodian is not None
    assert (total.value, home.value, stable.value, stable.sensitivity, custodian.value) == (None,) * 5
    assert (total.certain, custodian.certain, found.share_bps(home)) == (None, None, None)
    assert [each.value for each in collateral(worlds.book)][2] == Interval(ZERO, ZERO)
    other = found.get(Party.VENUE, OTHER)
    assert other is not None
    assert other.value == Interval(ZERO, ZERO)


def test_a_stable_that_nobody_prices_is_nothing_while_none_is_there():
    worlds = Worlds()
    stable = claim(worlds, Party.STABLE, "USDT")
    assert (stable.value, stable.sensitivity) == (Interval(ZERO, ZERO), Interval(ZERO, ZERO))


def test_two_accounts_of_a_venue_are_one_claim():
    policy = two_venues()
    second = msgspec.structs.replace(policy.instruments[1], venue=HOME, account="other")
    worlds = Worlds(two_venues(instruments=(policy.instruments[0], second)))
    worlds.marked({"USDT": (Num(1), Num(1))})
    worlds.seen(HOME, (a_balance("USDT", Num(500)),))
    worlds.seen(HOME, (a_balance("USDT", Num(300)),), account="other")
    both = claim(worlds, Party.VENUE, HOME)
    assert (both.value, both.unsettled) == (Interval(Num(800), Num(800)), 0)
    worlds.seen(HOME, (a_balance("DOGE", Num(-300)),), account="other")
    unknown = claim(worlds, Party.VENUE, HOME)
    assert (unknown.value, unknown.unsettled) == (None, None)


def test_a_book_without_a_policy_has_nothing():
    found = claims(Book())
    assert (found.lines, found.total.value) == ((), Interval(ZERO, ZERO))


def test_a_token_of_a_stable_counts_by_its_ratio():
    policy = two_venues()
    saved = msgspec.structs.replace(policy.assets[1], symbol="sUSDS", ratio=Num("1.1"))
    worlds = Worlds(two_venues(assets=(*policy.assets, saved)))
    worlds.marked({"USDT": (Num(1), Num(1))})
    worlds.held(100 * 10**6, 110 * 10**18, "sUSDS")
    assert claim(worlds, Party.STABLE, "USDT").value == Interval(Num(110), Num(110))
