"""Laws of prices: they never favour the taker, whatever the book, the size and the asset's decimals."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.basis import Basis, rest_on
from domain.book import Book
from domain.consolidated import limit_price
from domain.depth import BookEvidence, Level, sell_into, spend_on
from domain.limit import Control, Limit, limit_key
from domain.policy import Hedging
from domain.pricing import Pricing, price
from domain.quantity import BPS, Num, to_units
from domain.quote import Side
from domain.refusal import Reason, Refusal
from tests.property.numbers import decimals, positive
from tests.support.given import a_book as a_market
from tests.support.given import a_policy, agreeing, an_oracle, pegged

SEEN = a_market()


def a_book(decimals_of_collateral: int = 18, *, fee: str = "5", gas: str = "0.5") -> Book:
    policy = a_policy(gas=Num(gas))
    assets = tuple(
        msgspec.structs.replace(asset, decimals=decimals_of_collateral) if asset.symbol == "WETH" else asset
        for asset in policy.assets
    )
    pairs = tuple(msgspec.structs.replace(pair, fee_bps=Num(fee)) for pair in policy.pairs)
    limit = Limit(Control.QUOTE_AGE, "global", Num(500), "ms")
    return Book(
        policy=msgspec.structs.replace(policy, assets=assets, pairs=pairs),
        limits={limit_key(Control.QUOTE_AGE, "global"): limit},
    )


@st.composite
def markets(draw: st.DrawFn) -> BookEvidence:
    """Draw a sound book of up to six levels a side, on a tick of a cent."""
    bid = draw(st.integers(50_000, 500_000))
    spread = draw(st.integers(1, 500))
    sides: list[tuple[Level, ...]] = []
    for start, step in ((bid, -1), (bid + spread, 1)):
        gaps = draw(st.lists(st.integers(1, 300), min_size=0, max_size=5))
        prices = [start]
        for gap in gaps:
            prices.append(prices[-1] + gap * step)
        sizes = draw(st.lists(decimals("8", "30", 3), min_size=len(prices), max_size=len(prices)))
        levels = (Level(Num(Decimal(cents).scaleb(-2)), size) for cents, size in zip(prices, sizes, strict=True))
        sides.append(tuple(levels))
    return BookEvidence(
        venue="binanceusdm",
        symbol="ETH/USDT:USDT",
        bids=sides[0],
        asks=sides[1],
        sequence=1,
        received_at_us=0,
        age_ms=0,
    )


def priced(book: Book, side: Side, size: Decimal, seen: BookEvidence, *, pair: str = "WETH/USDe") -> Pricing:
    found = book.pair(pair)
    assert found is not None
    basis = rest_on(book, found, (seen,), agreeing(seen))
    assert isinstance(basis, Basis)
    result = price(book, found, side, size, basis)
    if isinstance(result, Refusal):
        assert result.reason in {Reason.DEPTH_INSUFFICIENT, Reason.SIZE_BELOW_GAS}
    assume(isinstance(result, Pricing))
    assert isinstance(result, Pricing)
    return result


SIZES = positive("12", 6)
DOLLARS = decimals("1", "9000", 4)


def output_per_input(quote: Pricing, side: Side, gas: Decimal) -> Fraction:
    """Return the price without its fixed part: gas is paid once whatever the size."""
    if side is Side.MINT:
        return (Fraction(quote.issued.atoms) + Fraction(gas) * 10**18) / quote.collateral.atoms
    return Fraction(quote.collateral.atoms) / (Fraction(quote.issued.atoms) - Fraction(gas) * 10**18)


@given(markets(), SIZES, SIZES)
def test_more_collateral_never_gets_a_better_price(seen: BookEvidence, one: Num, two: Num):
    book, (small, large) = a_book(), sorted((one, two))
    less, more = priced(book, Side.MINT, small, seen), priced(book, Side.MINT, large, seen)
    atom = Fraction(1, less.collateral.atoms)
    assert output_per_input(more, Side.MINT, Decimal("0.5")) <= output_per_input(less, Side.MINT, Decimal("0.5")) + atom
    assert more.issued.atoms >= less.issued.atoms


@given(markets(), DOLLARS, DOLLARS)
def test_more_dollars_never_get_a_better_price(seen: BookEvidence, one: Num, two: Num):
    book, (small, large) = a_book(), sorted((one, two))
    less, more = priced(book, Side.REDEEM, small, seen), priced(book, Side.REDEEM, large, seen)
    atom = Fraction(1) / (less.issued.atoms - 5 * 10**17)
    gas = Decimal("0.5")
    assert output_per_input(more, Side.REDEEM, gas) <= output_per_input(less, Side.REDEEM, gas) + atom
    assert more.collateral.atoms >= less.collateral.atoms


@given(markets(), SIZES, st.sampled_from(["0", "5"]), st.sampled_from(["0", "0.5"]), st.sampled_from([6, 8, 18]))
def test_minting_and_redeeming_never_profits_the_taker(seen: BookEvidence, size: Num, fee: str, gas: str, places: int):
    book = a_book(places, fee=fee, gas=gas)
    minted = priced(book, Side.MINT, size, seen)
    dollars = to_units(minted.issued.atoms, 18)
    redeemed = priced(book, Side.REDEEM, dollars, seen)
    assert redeemed.issued == minted.issued
    assert redeemed.collateral.atoms < minted.collateral.atoms


@given(markets(), SIZES, st.sampled_from([6, 8, 18]))
def test_a_mint_gives_no_more_than_the_hedge_brings_and_takes_no_less_than_it_sells(
    seen: BookEvidence, size: Num, places: int
):
    quote = priced(a_book(places), Side.MINT, size, seen)
    sold, received = sell_into(seen.bids, size)
    assert sold == size
    assert Fraction(quote.collateral.atoms, 10**places) >= Fraction(size)
    assert Fraction(quote.collateral.atoms - 1, 10**places) < Fraction(size)
    exact = Fraction(received) * (10_000 - 12) / 10_000 - Fraction(1, 2)
    assert exact - Fraction(1, 10**18) < Fraction(quote.issued.atoms, 10**18) <= exact


@given(markets(), DOLLARS, st.sampled_from([6, 8, 18]))
def test_a_redeem_gives_no_more_than_its_dollars_buy(seen: BookEvidence, dollars: Num, places: int):
    quote = priced(a_book(places), Side.REDEEM, dollars, seen)
    budget = (Fraction(dollars) - Fraction(1, 2)) * (10_000 - 12) / 10_000
    cost, left = Fraction(0), Fraction(quote.collateral.atoms, 10**places)
    for level in seen.asks:
        taken = min(left, Fraction(level.quantity))
        cost, left = cost + taken * Fraction(level.price), left - taken
    assert left == 0
    assert cost <= budget
    assert quote.issued.atoms == int(dollars * 10**18)


@given(decimals("0.000001", "1000000", 8), st.sampled_from(list(Side)))
def test_a_stable_is_rounded_against_the_taker_though_it_has_fewer_decimals(size: Num, side: Side):
    book = a_book(fee="0")
    pair = book.pair("USDT/USDe")
    assert pair is not None
    assert pair.hedging is Hedging.HOLD
    basis = rest_on(book, pair, (), pegged())
    assert isinstance(basis, Basis)
    quote = price(book, pair, side, size, basis)
    assume(isinstance(quote, Pricing))
    assert isinstance(quote, Pricing)
    collateral, issued = Fraction(quote.collateral.atoms, 10**6), Fraction(quote.issued.atoms, 10**18)
    gas = Fraction(1, 2)
    if side is Side.MINT:
        assert Fraction(size) <= collateral < Fraction(size) + Fraction(1, 10**6)
        assert issued == Fraction(size) - gas
    else:
        assert issued == Fraction(size)
        assert Fraction(size) - gas - Fraction(1, 10**6) < collateral <= Fraction(size) - gas


@given(markets(), positive("500", 6))
def test_walking_a_book_sells_what_is_there_at_prices_that_only_worsen(seen: BookEvidence, quantity: Num):
    sold, received = sell_into(seen.bids, quantity)
    depth = sum((Fraction(level.quantity) for level in seen.bids), Fraction(0))
    assert Fraction(sold) == min(Fraction(quantity), depth)
    assert Fraction(seen.bids[-1].price) * Fraction(sold) <= Fraction(received)
    assert Fraction(received) <= Fraction(seen.bids[0].price) * Fraction(sold)


@given(markets(), positive("1000000", 4))
def test_spending_a_budget_spends_it_or_empties_the_book(seen: BookEvidence, budget: Num):
    bought, spent = spend_on(seen.asks, budget)
    depth = sum((Fraction(level.quantity) for level in seen.asks), Fraction(0))
    assert spent <= budget
    assert spent == budget or Fraction(bought) == depth
    assert Fraction(seen.asks[0].price) * Fraction(bought) <= Fraction(spent) * (1 + Fraction(1, 10**50))


@given(decimals("0.01", "1000000", 4), st.sampled_from(["0", "1", "50", "999"]), st.booleans())
def test_a_limit_price_is_a_tick_no_further_than_the_slippage(reference: Num, bps: str, sell: bool):
    tick = a_policy().instruments[0].tick
    worst = limit_price(a_policy().instruments[0], sell=sell, reference=reference, slippage_bps=Num(bps))
    edge = Fraction(reference) * (Fraction(BPS) + Fraction(bps) * (-1 if sell else 1)) / Fraction(BPS)
    assert (Fraction(worst) / Fraction(tick)).denominator == 1
    if sell:
        assert edge <= Fraction(worst) < edge + Fraction(tick)
    else:
        assert edge - Fraction(tick) < Fraction(worst) <= edge


def test_a_book_without_policy_or_pair_has_no_price():
    book = Book()
    assert book.pair("WETH/USDe") is None
    with pytest.raises(KeyError):
        book.asset("WETH")
    with pytest.raises(KeyError):
        book.instrument("binanceusdm", "ETH/USDT:USDT")
    with pytest.raises(KeyError):
        a_book().asset("DOGE")
    with pytest.raises(KeyError):
        a_book().instrument("binanceusdm", "DOGE/USDT:USDT")


@st.composite
def pegs(draw: st.DrawFn) -> tuple[Num, Num]:
    """Draw what a stable is worth, from its lowest bid to its highest ask, within its peg."""
    low = draw(decimals("0.985", "1.015", 6))
    return low, low + draw(decimals("0", "0.004", 6))


def at_peg(book: Book, seen: BookEvidence, peg: tuple[Num, Num], pair: str) -> Basis:
    low, high = peg
    stable = msgspec.structs.replace(an_oracle("pyth", "1", "USDT"), bid=low, ask=high)
    found = book.pair(pair)
    assert found is not None
    middle = str((low + high) * Num("0.5"))
    basis = rest_on(book, found, (seen,), (*agreeing(seen, peg=middle)[:5], stable))
    assert isinstance(basis, Basis)
    return basis


@given(pegs(), decimals("1", "50000", 6))
def test_a_stable_that_is_held_is_never_priced_better_than_market_or_par(peg: tuple[Num, Num], size: Num):
    book = a_book()
    pair = book.pair("USDT/USDe")
    assert pair is not None
    basis = at_peg(book, SEEN, peg, "USDT/USDe")
    minted, redeemed = (price(book, pair, side, size, basis) for side in Side)
    if isinstance(minted, Pricing):
        assert Fraction(minted.issued.atoms, 10**18) <= Fraction(size) * min(Fraction(peg[0]), 1)
    if isinstance(redeemed, Pricing):
        assert Fraction(redeemed.collateral.atoms, 10**6) <= Fraction(size) / max(Fraction(peg[1]), 1)


@given(pegs(), decimals("0.1", "5", 4))
def test_whatever_a_stable_is_worth_minting_and_redeeming_never_profits_the_taker(peg: tuple[Num, Num], size: Num):
    book = a_book()
    pair = book.pair("WETH/USDe")
    assert pair is not None
    basis = at_peg(book, SEEN, peg, "WETH/USDe")
    minted = price(book, pair, Side.MINT, size, basis)
    assert isinstance(minted, Pricing)
    assert Fraction(minted.issued.atoms, 10**18) <= Fraction(size) * Fraction(SEEN.bids[0].price) * Fraction(peg[0])
    redeemed = price(book, pair, Side.REDEEM, to_units(minted.issued.atoms, 18), basis)
    assert isinstance(redeemed, Pricing)
    assert redeemed.collateral.atoms < minted.collateral.atoms
