"""A hedge is planned over every way that is open, less what the band lets rest, and refused when it cannot be whole."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from commands.context import Context
from commands.planning import Planned, Wanted, plan, plan_hedge, style_of
from domain.account import AccountObserved, Balance, account_key
from domain.book import Book
from domain.execution import Style, StyleKind
from domain.exposure import imbalance
from domain.fill import Position
from domain.folds.flow import recounted
from domain.hedge import Purpose
from domain.policy import BackTo, Band, Policy, Styles
from domain.quantity import Num
from domain.refusal import Refusal
from domain.routing.terms import Routing, ShareStep, VenueCap
from tests.support.desk import Desk, reason, tags
from tests.support.given import START_US
from tests.support.venues import SYMBOL, VENUES, WideDesk, key, wide_policy

BAND = Band(underlying="ETH", width=Num(2))


def planned(desk: Desk, quantity: str, **changes: Any) -> Planned | Refusal:
    wanted = Wanted(underlying="ETH", quantity=Num(quantity), purpose=Purpose.REHEDGE)
    context = Context(UUID(int=1), "test", START_US, desk.evidence, desk.witnesses)
    return plan(desk.book, msgspec.structs.replace(wanted, **changes), context)


def legs(found: Planned | Refusal) -> dict[str, str]:
    assert isinstance(found, Planned), found
    return {leg.venue: str(leg.quantity) for leg in found.legs}


def refused(found: Planned | Refusal) -> str:
    assert isinstance(found, Refusal), found
    return found.reason.name


class TestLegs:
    def test_what_one_book_cannot_take_goes_to_the_next(self):
        desk = WideDesk(depth="10")
        found = planned(desk, "-30")
        assert isinstance(found, Planned)
        assert sum(Num(quantity) for quantity in legs(found).values()) == -30
        assert len(found.legs) > 1
        assert found.certificate is not None
        assert (found.quantity, found.unrouted, found.internalised) == (-30, 0, 0)
        for leg, way in ((leg, next(each for each in desk.evidence if each.venue == leg.venue)) for leg in found.legs):
            assert leg.reference == way.mid
            assert leg.limit_price >= way.mid * Num("0.995")
            assert leg.account == "main"

    def test_what_failed_is_left_out_and_named(self):
        desk = WideDesk(depth="10")
        found = planned(desk, "-15", without=frozenset({key("binanceusdm")}))
        assert isinstance(found, Planned)
        assert "binanceusdm" not in legs(found)
        assert found.certificate is not None
        assert [(each.venue, each.symbol) for each in found.certificate.excluded] == [("binanceusdm", SYMBOL)]

    def test_funding_that_nobody_told_is_doubted_in_the_certificate(self):
        found = planned(WideDesk(), "-1")
        assert isinstance(found, Planned)
        assert found.certificate is not None
        assert {each.venue for each in found.certificate.doubts} == set(VENUES)

    def test_less_than_any_venue_takes_is_no_plan(self):
        found = planned(WideDesk(), "-0.0009")
        assert isinstance(found, Planned)
        assert (found.quantity, found.legs, found.certificate) == (0, (), None)

    def test_a_part_is_planned_unless_the_whole_is_asked_for(self):
        desk = WideDesk(depth="10")
        found = planned(desk, "-90")
        assert isinstance(found, Planned)
        assert (found.quantity, found.unrouted) == (-60, -30)
        assert refused(planned(desk, "-90", whole=True)) == "DEPTH_INSUFFICIENT"

    def test_our_own_bounds_are_told_apart_from_the_depth_of_books(self):
        caps = tuple(VenueCap(venue=venue, account="main", notional=Num(2_100)) for venue in VENUES)
        desk = WideDesk(policy=wide_policy(routing=Routing(caps=caps)))
        assert refused(planned(desk, "-20", whole=True)) == "ROOM_INSUFFICIENT"
        none = tuple(msgspec.structs.replace(each, notional=Num(0)) for each in caps)
        desk = WideDesk(policy=wide_policy(routing=Routing(caps=none)))
        assert refused(planned(desk, "-1")) == "ROOM_INSUFFICIENT"  # a plan of nothing is none

    @pytest.mark.parametrize("scope", ["global", "asset:ETH", "pair:WETH/USDe"])
    def test_nothing_is_planned_while_halted(self, scope: str):
        desk = WideDesk()
        pair = desk.book.pair("WETH/USDe")
        desk.change_mode("HALTED", scope=scope)
        assert refused(planned(desk, "-1", pair=pair)) == "HALTED"

    def test_a_limit_price_outside_the_collar_is_refused(self):
        desk = WideDesk()
        desk.set_limit("price_collar", "10")
        assert refused(planned(desk, "-1")) == "PRICE_COLLAR"

    def test_without_a_policy_nothing_is_planned(self):
        desk = WideDesk()
        desk.book.policy = None
        assert refused(planned(desk, "-1")) == "POLICY_MISSING"

    def test_what_is_owed_to_a_request_waits_while_halted(self):
        desk = WideDesk()
        accepted: Any = desk.accept(desk.quote("1.5")).events[1]
        pair = desk.book.pair("WETH/USDe")
        assert pair is not None
        context = Context(UUID(int=1), "test", START_US, desk.evidence, desk.witnesses)
        owed: Any = plan_hedge(desk.book, pair, accepted, context)
        assert [event.TOPIC for event in owed] == ["hedge.planned.v3"]
        desk.change_mode("HALTED")
        waits: Any = plan_hedge(desk.book, pair, accepted, context)
        assert waits.reason.name == "HALTED"


class TestReducing:
    def held(self, *, purpose: Purpose, quantity: str = "3") -> dict[str, bool]:
        desk = WideDesk()
        for venue in VENUES:
            desk.book.positions[key(venue)] = Position(venue, "main", SYMBOL, Num(-5), Num(2_000))
        found = planned(desk, quantity, purpose=purpose)
        assert isinstance(found, Planned)
        return {leg.venue: leg.reduce_only for leg in found.legs}

    def test_what_closes_may_not_open(self):
        assert set(self.held(purpose=Purpose.CLOSE).values()) == {True}
        assert set(self.held(purpose=Purpose.UNWIND).values()) == {True}

    def test_what_may_turn_the_position_is_not_bound_so(self):
        assert set(self.held(purpose=Purpose.CLOSE, quantity="6").values()) == {False}
        assert set(self.held(purpose=Purpose.REHEDGE).values()) == {False}
        assert set(self.held(purpose=Purpose.CLOSE, quantity="-3").values()) == {False}

    def test_what_open_orders_will_close_is_not_closed_twice(self):
        desk = WideDesk()
        for venue in VENUES:
            desk.book.positions[key(venue)] = Position(venue, "main", SYMBOL, Num(-50), Num(2_000))
        desk.book.backing["WETH"] = 150 * 10**18
        desk.book.flow = recounted(desk.book)
        desk.accept(desk.quote("80000", side="REDEEM"))
        first = {order.order.venue: order.order for order in desk.book.orders.values()}
        assert all(order.reduce_only for order in first.values())
        venue, order = next(iter(first.items()))
        rest = Num(50) - order.quantity
        found = planned(
            desk, str(rest + 1), purpose=Purpose.UNWIND, without=frozenset(key(x) for x in VENUES if x != venue)
        )
        assert isinstance(found, Planned)
        assert [leg.reduce_only for leg in found.legs] == [False]


class TestGross:
    """What is opened must be closed again one day: a step from a share of zero lets a redeem close what is there."""

    def desk(self) -> WideDesk:
        steps = (ShareStep(share=Num(0), bps=Num(4)),)
        desk = WideDesk(policy=wide_policy(routing=Routing(concentration=steps)))
        # The last venue asks 2.5 bps less than the second, and 5 less than the home.
        for venue in VENUES[:2]:
            desk.book.positions[key(venue)] = Position(venue, "main", SYMBOL, Num(-3), Num(2_000))
        return desk

    def test_a_redeem_closes_though_another_venue_asks_less(self):
        desk = self.desk()
        assert set(legs(planned(desk, "5", purpose=Purpose.CLOSE))) == set(VENUES[:2])
        flat = WideDesk()
        assert legs(planned(flat, "5", purpose=Purpose.CLOSE)) == {VENUES[2]: "5"}

    def test_it_opens_once_nothing_is_left_to_close(self):
        found = legs(planned(self.desk(), "10", purpose=Purpose.CLOSE))
        wanted = dict(zip(VENUES, (3, 3, 4), strict=True))
        assert set(found) == set(wanted)
        assert all(abs(Num(found[venue]) - wanted[venue]) <= Num("0.001") for venue in VENUES)  # to a lot

    def test_a_mint_opens_where_it_is_sold_best(self):
        assert legs(planned(self.desk(), "-5", purpose=Purpose.OPEN)) == {VENUES[0]: "-5"}


class TestBand:
    """What rests inside the band is not traded; opposite flows net there, and that is told with what it saved."""

    def desk(self, back_to: BackTo = BackTo.EDGE) -> WideDesk:
        return WideDesk(policy=wide_policy(bands=(msgspec.structs.replace(BAND, back_to=back_to),)))

    def test_inside_it_nothing_is_traded(self):
        desk = self.desk()
        accepted = desk.accept(desk.quote("1.5"))
        assert tags(accepted.events)[2:5] == ["hedge.planned", "flow.internalised", "hedge.completed"]
        hedge: Any = accepted.events[2]
        told: Any = accepted.events[3]
        assert (hedge.quantity, hedge.legs, str(hedge.internalised)) == (0, (), "-1.5")
        assert (str(told.quantity), told.underlying, told.hedge_id) == ("-1.5", "ETH", hedge.hedge_id)
        assert told.saved_usd > 0
        assert told.originator == hedge.hedge_id
        assert desk.book.orders == {}
        assert str(desk.book.carry["ETH"]) == "-1.5"
        assert imbalance(desk.book, "ETH") == 0
        assert hedge.hedge_id not in desk.book.versions

    @pytest.mark.parametrize(("back_to", "traded", "rests"), [(BackTo.EDGE, "-1", "-2"), (BackTo.ZERO, "-3", "0")])
    def test_outside_it_is_brought_back_to_its_edge_or_to_zero(self, back_to: BackTo, traded: str, rests: str):
        desk = self.desk(back_to)
        desk.accept(desk.quote("1.5"))
        accepted = desk.accept(desk.quote("1.5"), nonce=2)
        hedge: Any = accepted.events[2]
        assert (str(hedge.quantity), str(hedge.internalised)) == (traded, rests)
        assert str(desk.book.carry["ETH"]) == rests
        told: Any = accepted.events[3]
        kept = Num("-1.5") - Num(traded)
        assert (told.quantity, told.saved_usd > 0) == (kept, kept < 0)
        assert imbalance(desk.book, "ETH") == 0

    def test_opposite_flows_net(self):
        desk = self.desk()
        desk.book.backing["WETH"] = 10 * 10**18
        desk.book.positions[key("binanceusdm")] = Position("binanceusdm", "main", SYMBOL, Num(-10), Num(2_000))
        minted: Any = desk.accept(desk.quote("1.5"))
        redeemed: Any = desk.accept(desk.quote("3000", side="REDEEM"), nonce=2)
        assert desk.book.orders == {}
        assert abs(desk.book.carry["ETH"]) < Num("0.01")
        assert minted.events[3].saved_usd > 0
        assert redeemed.events[3].saved_usd > 0
        assert redeemed.events[3].quantity > 0

    def test_what_rests_counts_as_delta(self):
        desk = self.desk()
        desk.set_limit("net_delta", "1", scope="asset:ETH")
        assert reason(desk.accept(desk.quote("1.5"))) == "NET_DELTA"

    def test_what_was_cut_once_is_not_cut_again(self):
        desk = self.desk()
        assert legs(planned(desk, "-1")) == {}
        found = planned(desk, "-1", cut=False)
        assert isinstance(found, Planned)
        assert (found.quantity, found.internalised) == (-1, 0)

    def test_what_is_all_sent_is_not_told(self):
        desk = self.desk(BackTo.ZERO)
        accepted = desk.accept(desk.quote("3"))
        assert "flow.internalised" not in tags(accepted.events)
        assert str(desk.book.carry["ETH"]) == "0"

    def test_without_a_band_nothing_is_told(self):
        desk = WideDesk()
        accepted = desk.accept(desk.quote("1.5"))
        assert "flow.internalised" not in tags(accepted.events)


class TestRoom:
    """Margin: what an account has free bounds what may be opened there; an account that was never seen has no room."""

    def margined(self) -> Policy:
        return wide_policy(routing=Routing(margin_rate=Num("0.2"), margin_floor=Num("0.1")))

    def observe(self, book: Book, venue: str, available: str, margin: str) -> None:
        balance = Balance(
            asset="USDT",
            wallet=Num(margin),
            margin=Num(margin),
            available=Num(available),
            initial_margin=Num(0),
            maintenance_margin=Num(0),
        )
        book.outside.accounts[account_key(venue, "main")] = AccountObserved(
            venue=venue, account="main", balances=(balance,), positions=(), observed_at_us=START_US
        )

    def test_an_account_that_was_never_seen_opens_nothing(self):
        desk = WideDesk(policy=self.margined())
        assert refused(planned(desk, "-1")) == "ROOM_INSUFFICIENT"
        self.observe(desk.book, "okx", "1000", "1000")
        assert set(legs(planned(desk, "-1"))) == {"okx"}

    def test_so_much_as_its_free_margin_carries(self):
        desk = WideDesk(policy=self.margined())
        self.observe(desk.book, "okx", "500", "1000")
        # 500 less a tenth of 1000 is 400, at a fifth: 2,000 dollars.
        assert refused(planned(desk, "-1.1", whole=True)) == "ROOM_INSUFFICIENT"
        assert set(legs(planned(desk, "-0.99", whole=True))) == {"okx"}
        assert reason(desk.quote("1.1")) == "ROOM_INSUFFICIENT"
        assert reason(desk.quote("0.99")) == ""

    def test_what_reduces_needs_none(self):
        desk = WideDesk(policy=self.margined())
        desk.book.positions[key("bybit")] = Position("bybit", "main", SYMBOL, Num(-3), Num(2_000))
        found = planned(desk, "3", purpose=Purpose.CLOSE)
        assert legs(found) == {"bybit": "3"}

    def test_what_was_traded_since_it_was_seen_is_taken_off(self):
        desk = WideDesk(policy=self.margined())
        self.observe(desk.book, "okx", "1100", "1000")
        assert set(legs(planned(desk, "-2.4", whole=True))) == {"okx"}
        desk.book.positions[key("okx")] = Position("okx", "main", SYMBOL, Num(-1), Num(2_000))
        assert refused(planned(desk, "-2.4", whole=True)) == "ROOM_INSUFFICIENT"
        assert set(legs(planned(desk, "-1.4", whole=True))) == {"okx"}


def test_each_purpose_has_its_style():
    twap = Style(kind=StyleKind.TWAP, slices=3, over_ms=1_000)
    desk = WideDesk(policy=wide_policy(styles=Styles(open=twap)))
    assert style_of(desk.book, Purpose.OPEN) == twap
    assert {style_of(desk.book, each).kind for each in Purpose if each is not Purpose.OPEN} == {StyleKind.SWEEP}
    accepted: Any = desk.accept(desk.quote("1.5"))
    assert accepted.events[2].style == twap
    desk.book.policy = None
    assert style_of(desk.book, Purpose.OPEN) == Style()
