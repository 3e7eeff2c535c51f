"""What a router is asked: room and funding of every way, concentration and rank of every account, all from the book."""

from typing import Any

import msgspec

from domain.account import AccountObserved, Balance, Held, account_key
from domain.carry import MarkEvidence
from domain.fill import Position
from domain.instant import MILLISECOND_US
from domain.listing import Listing, Tier, listing_key
from domain.quantity import ZERO, Num
from domain.room import UNBOUNDED, rank
from domain.routing.inputs import Asked, from_flat, problem
from domain.routing.problem import Candidate, InstrumentKind, PenaltyStep, Problem, VenueRoom
from domain.routing.terms import RankStep, Routing, ShareStep, VenueCap
from domain.ways import Ways, ways
from tests.support.desk import Desk
from tests.support.given import START_US
from tests.support.venues import SYMBOL, VENUES, WideDesk, key, wide_policy

HOUR_MS = 3_600_000


CAP = VenueCap(venue="okx", account="main", notional=Num(10_000))


def asked(desk: Desk, quantity: str = "-1", marks: tuple[MarkEvidence, ...] = ()) -> Problem:
    found = ways(desk.book, "ETH", desk.evidence, desk.witnesses, home=desk.book.pair("WETH/USDe"))
    assert isinstance(found, Ways), found
    return problem(desk.book, (Asked(found, Num(quantity)),), marks, START_US)


def of(found: Problem, venue: str) -> Candidate:
    return next(each for each in found.candidates if each.venue == venue)


def room(found: Problem, venue: str) -> VenueRoom:
    return next(each for each in found.venues if each.venue == venue)


def hold(desk: Desk, venue: str, quantity: str, symbol: str = SYMBOL) -> None:
    held = Position(venue, "main", symbol, Num(quantity), Num(2_000))
    desk.book.positions[f"{venue}|main|{symbol}"] = held


def listed(desk: Desk, venue: str, **changes: Any) -> None:
    listing = Listing(
        venue=venue,
        symbol=SYMBOL,
        kind="linear",
        base="ETH",
        quote="USDT",
        settle="USDT",
        market_id="ETHUSDT",
        contract_size=Num(1),
        tick=Num("0.01"),
        step=Num("0.001"),
        quantity_min=Num("0.001"),
        quantity_max=Num(0),
        notional_min=Num(20),
        funding_interval_ms=8 * HOUR_MS,
        expiry_us=0,
        maker_fee=Num(0),
        taker_fee=Num("0.0005"),
    )
    desk.book.outside.listings[listing_key(venue, SYMBOL)] = msgspec.structs.replace(listing, **changes)


def seen(desk: Desk, venue: str, *, available: str = "1000", positions: tuple[Held, ...] = ()) -> None:
    balance = Balance(
        asset="USDT",
        wallet=Num(1_000),
        margin=Num(1_000),
        available=Num(available),
        initial_margin=Num(0),
        maintenance_margin=Num(0),
    )
    coin = msgspec.structs.replace(balance, asset="BNB")  # no margin of what is traded
    desk.book.outside.accounts[account_key(venue, "main")] = AccountObserved(
        venue=venue, account="main", balances=(balance, coin), positions=positions, observed_at_us=START_US
    )


def held(quantity: str, *, profit: str = "0", mark: str = "2000", symbol: str = SYMBOL) -> Held:
    return Held(
        symbol=symbol,
        quantity=Num(quantity),
        entry_price=Num(2_000),
        mark_price=Num(mark),
        unrealised=Num(profit),
        liquidation_price=ZERO,
        initial_margin=ZERO,
        maintenance_margin=ZERO,
    )


def a_mark(venue: str, rate: str = "0.0001", *, age_ms: int = 100) -> MarkEvidence:
    return MarkEvidence(
        venue=venue,
        symbol=SYMBOL,
        mark=Num(2_000),
        index=Num(2_000),
        funding_rate=Num(rate),
        interval_ms=8 * HOUR_MS,
        next_funding_us=START_US + HOUR_MS * MILLISECOND_US,
        age_ms=age_ms,
    )


def test_each_way_is_a_candidate_with_its_own_book_and_terms():
    desk = WideDesk(depth="7")
    found = asked(desk)
    assert {each.venue for each in found.candidates} == {each.venue for each in found.venues} == set(VENUES)
    assert [(each.underlying, str(each.quantity)) for each in found.targets] == [("ETH", "-1")]
    assert found.targets[0].reference_usd == desk.evidence[0].mid
    for each in found.candidates:
        book = next(book for book in desk.evidence if book.venue == each.venue)
        assert (each.bids, each.asks) == (book.bids, book.asks)
        assert (each.kind, each.lot, each.usd_per_quote, each.taker_fee_bps) == (
            InstrumentKind.LINEAR,
            Num("0.001"),
            1,
            5,
        )
        assert (each.room_buy, each.room_sell, each.position) == (UNBOUNDED, UNBOUNDED, 0)
        assert room(found, each.venue).notional_max == UNBOUNDED
        assert room(found, each.venue).steps == ()


class TestRoom:
    def test_a_venues_greatest_size_binds(self):
        desk = WideDesk()
        listed(desk, "okx", quantity_max=Num(4))
        assert (of(asked(desk), "okx").room_buy, of(asked(desk), "okx").room_sell) == (4, 4)
        assert of(asked(desk), "bybit").room_sell == UNBOUNDED

    def test_spot_is_not_sold_that_is_not_held(self):
        policy = wide_policy()
        spot = msgspec.structs.replace(policy.instruments[0], kind="spot")
        desk = WideDesk(policy=msgspec.structs.replace(policy, instruments=(spot, *policy.instruments[1:])))
        assert (of(asked(desk), "binanceusdm").room_sell, of(asked(desk), "binanceusdm").room_buy) == (0, UNBOUNDED)
        assert of(asked(desk), "binanceusdm").kind is InstrumentKind.SPOT
        hold(desk, "binanceusdm", "3")
        assert of(asked(desk), "binanceusdm").room_sell == 3

    def test_a_cap_counts_what_is_held_and_what_may_yet_fill(self):
        desk = WideDesk(policy=wide_policy(routing=Routing(caps=(CAP,))))
        hold(desk, "okx", "-2")
        found = asked(desk)
        mid = next(book for book in desk.evidence if book.venue == "okx").mid
        assert (room(found, "okx").notional, room(found, "okx").notional_max) == (mid * 2, 10_000 - mid * 2)
        assert room(found, "bybit").notional_max == UNBOUNDED
        assert of(found, "okx").position == -2
        hold(desk, "okx", "-6")
        assert room(asked(desk), "okx").notional_max == 0

    def test_open_orders_count_as_if_they_fill(self):
        desk = WideDesk(depth="10")
        orders = desk.mint("40")
        found = asked(desk)
        for venue, order in orders.items():
            mid = next(book for book in desk.evidence if book.venue == venue).mid
            assert room(found, venue).notional == mid * order.quantity
            hold(desk, venue, str(order.quantity))
        bought = asked(desk)
        for venue, order in orders.items():
            mid = next(book for book in desk.evidence if book.venue == venue).mid
            assert room(bought, venue).notional == mid * order.quantity  # held, and sold again by the order

    def test_a_venue_may_ask_for_more_margin_than_the_policy_takes(self):
        desk = WideDesk(policy=wide_policy(routing=Routing(margin_rate=Num("0.2"))))
        seen(desk, "okx")
        assert room(asked(desk), "okx").notional_max == 5_000
        tiers = (
            Tier(notional_from=Num(0), maintenance_rate=Num("0.1"), leverage_max=Num(4)),
            Tier(notional_from=Num(1_000_000), maintenance_rate=Num("0.5"), leverage_max=Num(1)),
            Tier(notional_from=Num(0), maintenance_rate=Num("0.5"), leverage_max=Num(0)),
        )
        listed(desk, "okx", margin_tiers=tiers)
        assert room(asked(desk), "okx").notional_max == 4_000

    def test_what_an_account_held_when_it_was_seen_is_in_its_margin_already(self):
        desk = WideDesk(policy=wide_policy(routing=Routing(margin_rate=Num("0.2"))))
        hold(desk, "okx", "-1")
        mid = next(book for book in desk.evidence if book.venue == "okx").mid
        seen(desk, "okx", positions=(held("-1", mark=str(mid)), held("-9", symbol="DOGE/USDT:USDT")))
        assert room(asked(desk), "okx").notional_max == 5_000
        seen(desk, "okx")
        assert room(asked(desk), "okx").notional_max == 5_000 - mid


class TestPenalties:
    def test_concentration_is_a_share_of_all_that_is_held_and_wanted(self):
        steps = (ShareStep(share=Num("0.5"), bps=Num(1)), ShareStep(share=Num("0.8"), bps=Num(5)))
        desk = WideDesk(policy=wide_policy(routing=Routing(concentration=steps)))
        hold(desk, "okx", "-3")
        desk.change_mode("HALTED", scope="venue:okx")  # closed, and held all the same
        found = asked(desk, "-7")
        mid = {book.venue: book.mid for book in desk.evidence}
        total = mid["okx"] * 0 + Num(2_000) * 3 + desk.evidence[0].mid * 7
        assert room(found, "bybit").steps == (
            PenaltyStep(total * Num("0.5"), Num(1)),
            PenaltyStep(total * Num("0.8"), Num(5)),
        )
        assert {each.venue for each in found.venues} == {"binanceusdm", "bybit"}

    def test_a_rank_for_deleveraging_costs_at_any_size(self):
        terms = Routing(
            ranks=(RankStep(rank=Num("0.1"), bps=Num(2)), RankStep(rank=Num(1), bps=Num(9))),
            concentration=(ShareStep(share=Num("0.5"), bps=Num(1)),),
        )
        desk = WideDesk(policy=wide_policy(routing=terms))
        seen(desk, "okx", positions=(held("-2", profit="400"),))  # a tenth of entry, at a leverage of four
        seen(desk, "bybit", positions=(held("-2", profit="-400"),))
        found = asked(desk)
        assert [str(step.bps) for step in room(found, "okx").steps] == ["2", "3"]
        assert [str(step.bps) for step in room(found, "bybit").steps] == ["1"]
        assert room(found, "okx").steps[0].from_usd == 0

    def test_a_rank_and_a_share_of_zero_are_one_step(self):
        terms = Routing(
            ranks=(RankStep(rank=Num("0.1"), bps=Num(2)),), concentration=(ShareStep(share=Num(0), bps=Num(4)),)
        )
        desk = WideDesk(policy=wide_policy(routing=terms))
        seen(desk, "okx", positions=(held("-2", profit="400"),))
        found = asked(desk)
        assert room(found, "okx").steps == (PenaltyStep(ZERO, Num(6)),)
        assert room(found, "bybit").steps == (PenaltyStep(ZERO, Num(4)),)

    def test_there_is_no_rank_without_profit_entry_or_margin(self):
        assert rank(held("-2", profit="400"), Num(1_000)) == Num("0.4")
        assert rank(held("-2", profit="0"), Num(1_000)) == 0
        assert rank(held("-2", profit="400"), Num(0)) == 0
        assert rank(held("0", profit="400"), Num(1_000)) == 0


class TestFunding:
    def test_is_what_the_venue_shows(self):
        marks = (a_mark("okx", "0.0008"), a_mark("bybit", "-0.0008"))
        found = asked(WideDesk(), marks=marks)
        assert of(found, "okx").funding_per_hour > 0 > of(found, "bybit").funding_per_hour
        assert [each.venue for each in found.doubts] == ["binanceusdm"]

    def test_counts_against_us_where_it_is_not_believed(self):
        stale = (a_mark("okx", age_ms=10**9),)
        for quantity, sign in (("-1", -1), ("1", 1)):
            found = asked(WideDesk(), quantity, stale)
            assert {each.funding_per_hour * sign > 0 for each in found.candidates} == {True}
            assert {each.venue for each in found.doubts} == set(VENUES)

    def test_is_none_of_spot_and_dated_futures(self):
        desk = WideDesk()
        listed(desk, "okx", expiry_us=START_US + 5 * MILLISECOND_US)
        found = asked(desk, marks=tuple(a_mark(venue) for venue in VENUES))
        future = of(found, "okx")
        assert (future.kind, future.expires_in_ms, future.funding_per_hour) == (InstrumentKind.FUTURE, 5, 0)
        listed(desk, "okx", expiry_us=START_US - 1)
        assert of(asked(desk), "okx").expires_in_ms == 1


def test_from_flat_nothing_of_the_candidates_is_held():
    desk = WideDesk(policy=wide_policy(routing=Routing(caps=(CAP,))))
    hold(desk, "okx", "-2")
    found = asked(desk)
    flat = from_flat(found)
    assert {str(each.position) for each in flat.candidates} == {"0"}
    freed = found.targets[0].reference_usd * 2
    assert room(flat, "okx").notional_max == room(found, "okx").notional_max + freed
    assert room(flat, "okx").notional == 0  # at the reference a little more is freed than was counted
    assert room(flat, "bybit") == room(found, "bybit")
    assert key("okx") in desk.book.positions
