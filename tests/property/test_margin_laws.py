"""Laws of margin: at every price between the marks, whatever of open orders fills, no account is worse than is told."""

from fractions import Fraction
from itertools import product

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.margin import GONE, Margin, margin
from domain.quantity import Num
from tests.support.worlds import HOME, LINEAR, OTHER, Worlds, a_balance, a_position

KEY = f"{HOME}|{LINEAR}"
CENTS = st.integers(100_000, 300_000).map(lambda cents: Num(Num(cents).scaleb(-2)))
SPREADS = st.integers(0, 500).map(lambda cents: Num(Num(cents).scaleb(-2)))
QUANTITIES = st.integers(-30_000, 30_000).filter(bool).map(lambda milli: Num(Num(milli).scaleb(-3)))
WALLETS = st.integers(0, 100_000).map(Num)
STABLES = st.sampled_from([("1", "1"), ("0.99", "1.01"), ("0.9", "0.95")]).map(
    lambda ends: (Num(ends[0]), Num(ends[1]))
)
NOTHING = Fraction(1, 10**18)


class Drawn:
    """Hold an account as it was seen and as it is marked now, in fractions, for whoever recounts it."""

    def __init__(self, drawn: tuple[Num, Num, Num, Num, Num, Num, tuple[Num, Num], Num]) -> None:
        self.wallet, self.quantity, self.entry, self.then, self.now, self.spread, self.stable, self.rate = drawn
        self.worlds = Worlds()
        self.worlds.fill(HOME, self.quantity, self.entry)
        unrealised = self.quantity * (self.then - self.entry)
        held = a_position(
            self.quantity,
            self.entry,
            self.then,
            maintenance_margin=Num(abs(self.quantity * self.then) * self.rate),
        )
        self.worlds.seen(HOME, (a_balance("USDT", self.wallet, Num(self.wallet + unrealised)),), (held,))

    def mark(self) -> None:
        """Mark ether between two ends, and the contract at its own."""
        low, high = self.now, Num(self.now + self.spread)
        self.worlds.marked({"ETH": (low, high), "USDT": self.stable}, {KEY: low})

    def prices(self) -> list[tuple[Fraction, Fraction]]:
        """Return prices (quote per base) with what the quote is worth then."""
        low, high = (Fraction(end) for end in self.stable)
        found = [(Fraction(self.now), stable) for stable in (low, high)]
        for dollars, stable in product((Fraction(self.now), Fraction(self.now) + Fraction(self.spread)), (low, high)):
            found.append((dollars / stable, stable))
        return found

    def margin(self) -> Margin:
        return margin(self.worlds.book, HOME, "main")


RATES = st.sampled_from(["0.004", "0.01", "0.05"]).map(Num)
DRAWN = st.tuples(WALLETS, QUANTITIES, CENTS, CENTS, CENTS, SPREADS, STABLES, RATES).map(Drawn)


@given(DRAWN)
def test_equity_at_any_price_between_the_marks_lies_between_its_ends(drawn: Drawn):
    drawn.mark()
    told = drawn.margin()
    assert told.equity is not None
    for price, stable in drawn.prices():
        truth = (Fraction(drawn.wallet) + Fraction(drawn.quantity) * (price - Fraction(drawn.entry))) * stable
        assert Fraction(told.equity.low) - NOTHING <= truth <= Fraction(told.equity.high) + NOTHING


@settings(max_examples=60)
@given(DRAWN, st.lists(QUANTITIES, max_size=3))
def test_no_filling_of_orders_makes_ratio_or_leverage_worse_than_told(drawn: Drawn, orders: list[Num]):
    for quantity in orders:
        drawn.worlds.order(HOME, quantity)
    drawn.mark()
    told = drawn.margin()
    assert told.ratio is not None
    assert told.leverage is not None
    for world in product(*((Fraction(0), Fraction(each) / 2, Fraction(each)) for each in orders)):
        held = abs(Fraction(drawn.quantity) + sum(world))
        for price, stable in drawn.prices():
            equity = (Fraction(drawn.wallet) + Fraction(drawn.quantity) * (price - Fraction(drawn.entry))) * stable
            gross = held * price * stable
            for most, part in ((told.leverage, gross), (told.ratio, gross * Fraction(drawn.rate))):
                if most < GONE and part:
                    assert equity > -NOTHING
                    assert part <= Fraction(most) * equity + NOTHING * 10**6


@given(DRAWN)
def test_profit_that_may_stand_unpaid_is_never_told_too_small(drawn: Drawn):
    drawn.mark()
    told = drawn.margin()
    assert told.unsettled is not None
    for price, stable in drawn.prices():
        won = Fraction(drawn.quantity) * (price - Fraction(drawn.entry)) * stable
        assert won <= Fraction(told.unsettled) + NOTHING
    assert told.unsettled >= 0


@given(DRAWN)
def test_an_account_survives_every_move_that_is_nearer_than_its_distance(drawn: Drawn):
    drawn.mark()
    told = drawn.margin()
    assert told.distance_bps is not None
    assert told.nearest == LINEAR
    part = Fraction(told.distance_bps) / 10_000
    if not told.distance_bps:
        return
    way = 1 if drawn.quantity < 0 else -1
    for price, stable in drawn.prices():
        there = price * (1 + way * part * Fraction(999, 1_000))
        if there <= 0:
            continue
        equity = (Fraction(drawn.wallet) + Fraction(drawn.quantity) * (there - Fraction(drawn.entry))) * stable
        needed = abs(Fraction(drawn.quantity)) * there * Fraction(drawn.rate) * stable
        assert equity >= needed - NOTHING * 10**6


@given(DRAWN, QUANTITIES)
def test_what_was_traded_since_the_account_was_seen_is_within_its_slippage_and_fee(drawn: Drawn, more: Num):
    """Equity does not know yet what a new fill cost; what the policy lets it cost is taken into account."""
    drawn.mark()
    policy = drawn.worlds.book.policy
    assert policy is not None
    cost = Fraction(policy.hedge_slippage_bps + policy.instruments[0].taker_fee_bps) / 10_000
    drawn.worlds.fill(HOME, more, drawn.now)
    told = drawn.margin()
    assert told.equity is not None
    for price, stable in drawn.prices():
        seen = (Fraction(drawn.wallet) + Fraction(drawn.quantity) * (price - Fraction(drawn.entry))) * stable
        lost = abs(Fraction(more)) * price * stable * cost
        assert Fraction(told.equity.low) - NOTHING <= seen - lost


@given(DRAWN)
def test_what_has_no_price_is_no_margin_and_a_debt_of_it_is_not_known(drawn: Drawn):
    drawn.mark()
    drawn.worlds.seen(HOME, (a_balance("USDT", Num(1)),))
    without = drawn.margin()
    drawn.worlds.seen(HOME, (a_balance("USDT", Num(1)), a_balance("DOGE", Num(1))))
    assert msgspec.structs.replace(drawn.margin(), observed_at_us=without.observed_at_us) == without
    drawn.worlds.seen(HOME, (a_balance("USDT", Num(1)), a_balance("DOGE", Num(-1))))
    told = drawn.margin()
    assert (told.equity, told.ratio, told.unknown) == (None, None, ("DOGE",))
    assert margin(drawn.worlds.book, OTHER, "main").unknown == ()
