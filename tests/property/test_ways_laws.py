"""Laws of several ways: no route where nothing may be traded, no promise that routing breaks, and more is no worse."""

from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from commands.context import Context
from commands.planning import Planned, Wanted, open_ways, plan, routed
from domain.basis import rest_on
from domain.book import Book
from domain.consolidated import way_limit
from domain.depth import BookEvidence, Level
from domain.fill import Position
from domain.hedge import Purpose
from domain.limit import Control, Limit, limit_key
from domain.market import Law, SourceKind, Witness
from domain.mode import Mode
from domain.policy import Instrument, Policy
from domain.pricing import Pricing, price
from domain.quantity import ZERO, Num
from domain.quote import Side
from domain.refusal import Refusal
from domain.routing.terms import Routing, ShareStep, VenueCap
from domain.suspension import Suspension
from domain.ways import Ways
from tests.property.numbers import decimals, positive
from tests.support.given import START_US, a_policy, a_witness, an_oracle, pegged

VENUES: tuple[str, ...] = ("binanceusdm", "bybit", "okx")
SYMBOL = "ETH/USDT:USDT"
QUOTE_AGE_MS = 500
LIMITS = {
    limit_key(Control.QUOTE_AGE, "global"): Limit(Control.QUOTE_AGE, "global", Num(QUOTE_AGE_MS), "ms"),
    limit_key(Control.PRICE_COLLAR, "global"): Limit(Control.PRICE_COLLAR, "global", Num(1_000), "bps"),
    limit_key(Control.ORDER_NOTIONAL, "global"): Limit(Control.ORDER_NOTIONAL, "global", Num(10**9), "USD"),
    limit_key(Control.NET_DELTA, "asset:ETH"): Limit(Control.NET_DELTA, "asset:ETH", Num(10**6), "base"),
}

FEES = st.sampled_from([Num(0), Num(2), Num(5), Num("5.5"), Num(10)])
LOTS = st.sampled_from([Num("0.001"), Num("0.01"), Num("0.1")])
SIDES = st.sampled_from(list(Side))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw a policy that hedges on three venues with steps and fees of their own; the first is the home."""
    base = a_policy(hedge_slippage_bps=Num(300))
    first = base.instruments[0]
    instruments: list[Instrument] = []
    for venue in VENUES:
        lot = draw(LOTS)
        instruments.append(
            msgspec.structs.replace(
                first, venue=venue, lot=lot, minimum_quantity=lot, minimum_notional=ZERO, taker_fee_bps=draw(FEES)
            )
        )
    return msgspec.structs.replace(base, instruments=tuple(instruments))


@st.composite
def books(draw: st.DrawFn, venue: str) -> BookEvidence:
    """Draw a sound book about 2,000, up to five levels a side on a tick of a cent."""
    bid = draw(st.integers(199_700, 200_100))
    spread = draw(st.integers(1, 100))
    sides: list[tuple[Level, ...]] = []
    for start, step in ((bid, -1), (bid + spread, 1)):
        gaps = draw(st.lists(st.integers(1, 200), min_size=0, max_size=4))
        prices = [start]
        for gap in gaps:
            prices.append(prices[-1] + gap * step)
        sizes = draw(st.lists(decimals("1", "8", 3), min_size=len(prices), max_size=len(prices)))
        sides.append(
            tuple(Level(Num(Decimal(cents).scaleb(-2)), size) for cents, size in zip(prices, sizes, strict=True))
        )
    return BookEvidence(
        venue=venue, symbol=SYMBOL, bids=sides[0], asks=sides[1], sequence=1, received_at_us=0, age_ms=draw(AGES)
    )


AGES = st.sampled_from([0, 20, QUOTE_AGE_MS])
MARKETS = st.tuples(*(books(venue) for venue in VENUES))
SIZES = positive("14", 3)


def heard(evidence: tuple[BookEvidence, ...]) -> tuple[Witness, ...]:
    """Return every venue's word on its own book, and the oracles'."""
    venues = tuple(
        a_witness(each.venue, bid=each.bids[0].price, ask=each.asks[0].price, age_ms=min(each.age_ms, 1_000))
        for each in evidence
    )
    return (*venues, an_oracle("pyth"), an_oracle("redstone"), *pegged())


def a_book(policy: Policy, **state: object) -> Book:
    return msgspec.structs.replace(Book(), policy=policy, limits=dict(LIMITS), **state)


def context(evidence: tuple[BookEvidence, ...], witnesses: tuple[Witness, ...]) -> Context:
    return Context(UUID(int=1), "test", START_US, evidence, witnesses)


def quoted(
    book: Book, side: Side, size: Decimal, evidence: tuple[BookEvidence, ...], all_heard: tuple[Witness, ...]
) -> Pricing | Refusal:
    pair = book.pair("WETH/USDe")
    assert pair is not None
    basis = rest_on(book, pair, evidence, all_heard)
    return basis if isinstance(basis, Refusal) else price(book, pair, side, size, basis)


def asked(side: Side, size: Num) -> Num:
    """Return a size of what goes in: units for a mint, their dollars for a redeem."""
    return size if side is Side.MINT else size * 2_000


@given(policies(), MARKETS, SIZES, SIDES)
def test_another_venue_never_makes_a_price_worse(
    policy: Policy, market: tuple[BookEvidence, ...], size: Num, side: Side
):
    book, witnesses = a_book(policy), heard(market)
    wide = quoted(book, side, asked(side, size), market, witnesses)
    for left_out in range(len(market)):
        fewer = quoted(book, side, asked(side, size), (*market[:left_out], *market[left_out + 1 :]), witnesses)
        if isinstance(fewer, Refusal):
            continue
        assert isinstance(wide, Pricing)
        # Where several books are walked a budget is divided once more, to 60 digits: an atom may be lost by it.
        if side is Side.MINT:
            assert wide.issued.atoms >= fewer.issued.atoms
        else:
            assert wide.collateral.atoms >= fewer.collateral.atoms - 1


def proceeds(parts: list[tuple[Num, Num, Num]], sign: int) -> Fraction:
    """Return what quantities at prices bring (or cost, below zero) net of their fees, dollars at par."""
    total = Fraction(0)
    for quantity, at, fee_bps in parts:
        gross = Fraction(quantity) * Fraction(at)
        total += sign * gross - gross * Fraction(fee_bps) / 10_000
    return total


@given(policies(), MARKETS, SIZES, SIDES, st.lists(st.integers(1, 30), max_size=3, unique=True), st.data())
def test_routing_the_hedge_is_no_worse_for_the_book_than_what_its_quote_assumed(
    policy: Policy, market: tuple[BookEvidence, ...], size: Num, side: Side, bps: list[int], data: st.DataObject
):
    """Hold in cash, without penalties; with them, a hedge pays for less concentration what that is taken to be worth.

    Opening costs and closing earns the bps of a step: twice the greatest is the most that it may cost more.
    """
    steps = tuple(ShareStep(share=Num(place) * Num("0.3"), bps=Num(each)) for place, each in enumerate(sorted(bps)))
    book = a_book(msgspec.structs.replace(policy, routing=Routing(concentration=steps)))
    witnesses = heard(market)
    for venue in VENUES:
        held = data.draw(decimals("-20", "20", 2), label=venue)
        book.positions[f"{venue}|main|{SYMBOL}"] = Position(venue, "main", SYMBOL, held, Num(2_000))
    priced = quoted(book, side, asked(side, size), market, witnesses)
    assume(isinstance(priced, Pricing))
    assert isinstance(priced, Pricing)
    shares = priced.decomposition.hedges
    total = sum((Fraction(share.quantity) for share in shares), Fraction(0))
    sign = 1 if side is Side.MINT else -1
    wanted = Wanted(underlying="ETH", quantity=ZERO, purpose=Purpose.OPEN)
    quantity = Num(sum((share.quantity for share in shares), ZERO)) * -sign
    found = open_ways(book, wanted, context(market, witnesses))
    assert isinstance(found, Ways)
    planned = routed(book, msgspec.structs.replace(wanted, quantity=quantity), found, context(market, witnesses))
    assert isinstance(planned, Planned)
    fees = {each.venue: each.taker_fee_bps for each in policy.instruments}
    legs = planned.certificate.legs if planned.certificate is not None else ()
    brought = proceeds([(abs(leg.base), leg.average_price, fees[leg.venue]) for leg in legs], sign)
    assumed = proceeds([(share.quantity, share.price, share.fee_bps) for share in shares], sign)
    # What no lot fits is carried, at the best price. A lot of each way may lie at the worst price, its fee with it.
    left = total - sum((Fraction(abs(leg.base)) for leg in legs), Fraction(0))
    assert 0 <= left < Fraction(max(each.lot for each in policy.instruments))
    prices = [Fraction(level.price) for each in market for level in (each.bids if side is Side.MINT else each.asks)]
    best = max(prices) if side is Side.MINT else min(prices)
    lots = sum((Fraction(each.lot) for each in policy.instruments), Fraction(0))
    slack = lots * (max(prices) - min(prices) + best * 10 / 10_000)
    worth = Fraction(2 * max(bps, default=0), 10_000) * total * max(prices)
    assert brought + sign * left * best >= assumed - slack - worth


@st.composite
def troubles(draw: st.DrawFn) -> tuple[dict[str, str], Book, tuple[BookEvidence, ...], tuple[Witness, ...]]:
    """Draw a book whose venues are in every kind of trouble; return what each is in, "" where it may be traded."""
    policy, market = draw(policies()), draw(MARKETS)
    book = a_book(policy)
    evidence, witnesses = list(market), list(heard(market))
    wrong: dict[str, str] = {}
    for place, venue in enumerate(VENUES):
        trouble = draw(
            st.sampled_from(
                ["", "", "halted", "lost", "venue", "instrument", "listing", "old", "crossed", "away", "mute", "failed"]
            )
        )
        wrong[venue] = trouble
        scope = {
            "venue": f"venue:{venue}",
            "instrument": f"instrument:{venue}|{SYMBOL}",
            "listing": f"listing:{venue}|{SYMBOL}",
        }.get(trouble)
        if scope is not None:
            book.outside.suspended[scope] = Suspension(scope, Law.STALE, "for this test", 0)
        elif trouble == "halted":
            book.modes[f"venue:{venue}"] = Mode.HALTED
        elif trouble == "lost":
            book.dependencies[venue] = "for this test"
        elif trouble == "old":
            evidence[place] = msgspec.structs.replace(evidence[place], age_ms=QUOTE_AGE_MS + 1)
        elif trouble == "crossed":
            evidence[place] = msgspec.structs.replace(evidence[place], bids=evidence[place].asks)
        elif trouble == "away":
            witnesses[place] = a_witness(venue, "2100")  # its word lies elsewhere than everybody else's
        elif trouble == "mute":
            witnesses[place] = msgspec.structs.replace(witnesses[place], lost="connection lost")
    return wrong, book, tuple(evidence), tuple(witnesses)


QUANTITIES = decimals("-10", "10", 3)


@given(troubles(), QUANTITIES, SIDES)
def test_nothing_is_routed_or_priced_where_nothing_may_be_traded(
    trouble: tuple[dict[str, str], Book, tuple[BookEvidence, ...], tuple[Witness, ...]], quantity: Num, side: Side
):
    wrong, book, evidence, witnesses = trouble
    without = frozenset(f"{venue}|main|{SYMBOL}" for venue, what in wrong.items() if what == "failed")
    wanted = Wanted(underlying="ETH", quantity=quantity, purpose=Purpose.REHEDGE, without=without)
    planned = plan(book, wanted, context(evidence, witnesses))
    if isinstance(planned, Planned):
        assert not {leg.venue for leg in planned.legs} & {venue for venue, what in wrong.items() if what}
        assert planned.quantity + planned.unrouted == quantity
        for leg in planned.legs:
            assert (leg.quantity < 0) == (quantity < 0)
    # The quorum is two venues and one oracle; a venue that is suspended or lies elsewhere has no say.
    silent = {"venue", "instrument", "listing", "away", "mute"}
    if sum(what not in silent for what in wrong.values()) < 2:
        assert isinstance(planned, Refusal)
    priced = quoted(book, side, asked(side, Num("0.5")), evidence, witnesses)
    if isinstance(priced, Pricing):
        bad = {venue for venue, what in wrong.items() if what not in {"", "failed"}}
        assert not {share.venue for share in priced.decomposition.hedges} & bad


@given(policies(), MARKETS, QUANTITIES, st.lists(st.sampled_from([0, 1, 2]), max_size=3))
def test_without_a_quorum_nothing_is_routed(
    policy: Policy, market: tuple[BookEvidence, ...], quantity: Num, out: list[int]
):
    words = tuple(each for place, each in enumerate(heard(market)[:3]) if place not in out)
    oracles = tuple(each for each in heard(market) if each.kind is SourceKind.ORACLE)
    wanted = Wanted(underlying="ETH", quantity=quantity, purpose=Purpose.REHEDGE)
    planned = plan(a_book(policy), wanted, context(market, (*words, *oracles)))
    assert isinstance(planned, Refusal) == (len(words) < 2)
    assert isinstance(plan(a_book(policy), wanted, context(market, words)), Refusal)


@given(policies(), MARKETS, QUANTITIES, st.tuples(*(decimals("-20", "20", 2) for _ in VENUES)), st.data())
def test_no_cap_is_passed_and_only_reducing_never_opens(
    policy: Policy, market: tuple[BookEvidence, ...], quantity: Num, held: tuple[Num, ...], data: st.DataObject
):
    caps = tuple(
        VenueCap(venue=venue, account="main", notional=data.draw(decimals("0", "40000", 0), label=venue))
        for venue in VENUES
    )
    book = a_book(msgspec.structs.replace(policy, routing=Routing(caps=caps)))
    reduces = data.draw(st.sets(st.sampled_from(VENUES)))
    for venue, position in zip(VENUES, held, strict=True):
        book.positions[f"{venue}|main|{SYMBOL}"] = Position(venue, "main", SYMBOL, position, Num(2_000))
    for venue in reduces:
        book.modes[f"venue:{venue}"] = Mode.REDUCE_ONLY
    wanted = Wanted(underlying="ETH", quantity=quantity, purpose=Purpose.UNWIND)
    found = open_ways(book, wanted, context(market, heard(market)))
    assert isinstance(found, Ways)
    planned = routed(book, wanted, found, context(market, heard(market)))
    before = dict(zip(VENUES, held, strict=True))
    for leg in planned.legs if isinstance(planned, Planned) else ():
        was, after = before[leg.venue], before[leg.venue] + leg.quantity
        cap = next(each.notional for each in caps if each.venue == leg.venue)
        assert abs(after) <= abs(was) or abs(after) * found.reference_usd <= cap
        closes = abs(after) <= abs(was) and was * after >= 0
        assert closes or leg.venue not in reduces
        assert closes or not leg.reduce_only
        way = next(each for each in found.open if each.instrument.venue == leg.venue)
        assert leg.limit_price == way_limit(book, way, sell=quantity < 0)
