"""How much of each limit is used: measured at the marks, told by the subject that is nearest."""

from domain.controls import Usage, usages
from domain.limit import Control
from domain.limits import CONTROLS, default_limits
from domain.quantity import Num
from domain.settlement import SettlementConfirmed
from domain.vault import TransferPlanned
from tests.spec.controls.test_check import House
from tests.support.accounts import marked, told_account
from tests.support.desk import Desk
from tests.support.given import START_US


def told(house: House, control: Control, scope: str = "global") -> tuple[Usage, ...]:
    """Return what is told of one limit."""
    found = usages(house.book, house.book.at_us)
    return tuple(each for each in found if (each.control, each.scope) == (control, scope))


def test_every_limit_in_force_is_told_in_the_order_of_the_catalogue():
    house = House()
    found = list(dict.fromkeys((each.control, each.scope) for each in usages(house.book, START_US)))
    assert set(found) == {(control, scope) for control, scope, _ in default_limits()} | {("net_delta", "asset:ETH")}
    places = [list(CONTROLS).index(control) for control, _ in found]
    assert places == sorted(places)


def test_what_is_of_single_decisions_is_left_out_where_only_states_are_asked_for():
    house = House()
    house.open("-2")
    assert [each.standing for each in told(house, Control.ORDER_NOTIONAL)] == [False]
    assert told(house, Control.ORDER_NOTIONAL)[0].used == 4_000
    standing = usages(house.book, START_US, standing=True)
    assert all(each.standing for each in standing)
    assert {each.control for each in standing} >= {Control.NET_DELTA, Control.GROSS_NOTIONAL, Control.OPEN_ORDERS}


def test_sums_are_told_of_their_scope_and_measures_of_the_nearest_subject():
    house = House()
    house.open("-3")
    house.open("-1", venue="bybit")
    for control, scope in ((Control.GROSS_NOTIONAL, "venue:bybit"), (Control.OPEN_ORDERS, "venue:okx")):
        house.limit(control, "5000", scope)
    (total,), (there,) = told(house, Control.GROSS_NOTIONAL), told(house, Control.GROSS_NOTIONAL, "venue:bybit")
    assert (total.used, there.used, there.share_bps) == (8_000, 2_000, 4_000)
    assert [each.used for each in told(house, Control.OPEN_ORDERS)] == [2]
    assert [each.used for each in told(house, Control.OPEN_ORDERS, "venue:okx")] == [1]
    (nearest,) = told(house, Control.POSITION_NOTIONAL)
    assert (nearest.subject, nearest.used) == ("venue:okx", 6_000)
    assert [each.used for each in told(house, Control.NET_DELTA, "asset:ETH")] == [4]
    assert [each.used for each in told(house, Control.DUPLICATE_ORDERS)] == [1]
    assert [each.used for each in told(house, Control.REPEATED_EXECUTION)] == [2]
    assert [each.used for each in told(house, Control.MESSAGE_RATE)] == [2]
    assert [each.used for each in told(house, Control.ORDER_TO_TRADE)] == [1]


def test_subjects_beyond_the_limit_are_all_told_the_worst_first():
    house = House()
    house.open("-3")
    house.open("-2", venue="bybit")
    house.open("-1", venue="binanceusdm")
    house.limit(Control.POSITION_NOTIONAL, "3000")
    found = told(house, Control.POSITION_NOTIONAL)
    assert [(each.subject, each.share_bps) for each in found] == [("venue:okx", 20_000), ("venue:bybit", 13_334)]


def test_accounts_are_told_venue_by_venue():
    house = House()
    house.tell(told_account("-40", margin="20000"), told_account("-10", venue="bybit", margin="20000"))
    found = told(house, Control.MARGIN_RATIO)
    assert [each.subject for each in found] == ["venue:okx", "venue:bybit", "venue:binanceusdm"]
    assert found[0].used is not None
    assert Num("0.04") < found[0].used < Num("0.042")  # what the log knows nothing of may have cost something
    assert found[2].used == 0  # nobody saw it, and margin is not looked at
    house.open("-4")
    assert told(house, Control.LEVERAGE)[0].subject == "venue:okx"
    assert told(house, Control.LIQUIDATION_DISTANCE)[0].share_bps == 0  # by the log nothing is held
    house.tell(told_account("-10", profit="600"), marked("1990"))
    assert told(house, Control.UNSETTLED_PROFIT)[0].used == 700  # it moves with the marks
    assert told(house, Control.VENUE_CONCENTRATION)[0].used is None  # one account was not told
    house.tell(told_account(venue="binanceusdm", margin="1"))
    assert told(house, Control.VENUE_CONCENTRATION)[0].subject == "venue:bybit"


def test_what_has_no_price_is_unknown_and_comes_first():
    house = House()
    house.open("-1")
    house.book.marks.assets.clear()
    house.book.references.clear()
    (total,) = told(house, Control.GROSS_NOTIONAL)
    assert (total.used, total.share_bps) == (None, None)
    assert told(house, Control.ORDER_NOTIONAL)[0].used == 1 * 2_000  # in a stable that counts as a dollar


def test_nothing_held_and_nothing_to_hold_against_is_nothing_used():
    house = House()
    assert [(each.used, each.share_bps) for each in told(house, Control.LIQUIDATION_DISTANCE)] == [(None, 0)]
    assert [(each.used, each.share_bps) for each in told(house, Control.STRESS_LOSS)] == [(0, 0)]
    assert [(each.used, each.share_bps) for each in told(house, Control.BACKING_RATIO)] == [(None, 0)]


def test_what_is_missing_of_backing_is_counted_of_a_floor():
    desk = Desk()
    desk.held()
    assert any(isinstance(each, SettlementConfirmed) for each in desk.events)
    house = House()
    house.book = desk.book
    house.tell(marked("2000"))
    house.book.backing["WETH"] //= 2  # half of it is gone: 10,000 of 20,000
    (used,) = told(house, Control.BACKING_RATIO)
    assert used.used is not None
    assert Num("0.98") < used.used < Num("0.995")  # of a million that is one in a hundred
    assert used.share_bps is not None
    assert 9_000 < used.share_bps < 11_000


def test_transfers_of_the_day_count_at_both_ends():
    house = House()
    house.limit(Control.TRANSFER_PER_DAY, "100", "custodian:copper")
    planned = TransferPlanned(
        transfer_id=house.order().order_id,
        asset="WETH",
        quantity=Num(1),
        notional=Num(50),
        source="custodian:copper",
        destination="venue:okx|main",
        author="ada",
        reason="margin",
    )
    house.tell(planned)
    assert [each.used for each in told(house, Control.TRANSFER_PER_DAY)] == [50]
    assert [each.share_bps for each in told(house, Control.TRANSFER_PER_DAY, "custodian:copper")] == [5_000]
