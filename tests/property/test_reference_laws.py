"""Laws of what is remembered of a reference: the same as without a memory, whatever was said before."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain import reference as references
from domain.codec import encode
from domain.market import Integrity, Witness
from domain.quantity import Num
from domain.reference import Reference, reference
from domain.refusal import Refusal
from tests.property.test_surveillance_laws import RULES, words
from tests.support.given import a_witness, an_oracle, pegged

STRICTER = msgspec.structs.replace(RULES, venue_deviation_bps=Num(20), quorum_venues=5)
AGREEING = (
    *(a_witness(name) for name in ("binanceusdm", "bybit", "okx")),
    a_witness("deribit", symbol="ETH/USD:ETH", quote="USD"),
    *(an_oracle(name) for name in ("pyth", "redstone")),
    *pegged("0.999"),
)
CHANGES = (*["age"] * 30, "sequence", "bid", "ask", "zeros", "source", "symbol", "quote", "left out")


@st.composite
def moments(draw: st.DrawFn) -> list[tuple[Witness, ...]]:
    """Draw what is said at some moments, each but a little changed from the one before; mostly there is a quorum."""
    found = [draw(st.one_of(st.just(AGREEING), st.just(AGREEING), words()))]
    for _ in range(draw(st.integers(1, 4))):
        found.append(tuple(later for each in found[-1] for later in changed(draw, each)))
    return found


def changed(draw: st.DrawFn, witness: Witness) -> tuple[Witness, ...]:
    """Return a word as it may stand later."""
    change = draw(st.sampled_from(CHANGES))
    replace = msgspec.structs.replace
    return {
        "age": lambda: (replace(witness, age_ms=witness.age_ms + 1),),
        "sequence": lambda: (replace(witness, sequence=witness.sequence + 1),),
        "bid": lambda: (replace(witness, bid=witness.bid * Num("0.9999")),),
        "ask": lambda: (replace(witness, ask=witness.ask * Num("1.0001")),),
        "zeros": lambda: (replace(witness, bid=witness.bid * Num("1.000"), ask=Num(witness.ask)),),
        "source": lambda: (replace(witness, source="another"),),
        "symbol": lambda: (replace(witness, symbol="another"),),
        "quote": lambda: (replace(witness, quote="USD" if witness.quote == "USDT" else "USDT"),),
        "left out": lambda: (),
    }[change]()


def anew(asset: str, said: tuple[Witness, ...], rules: Integrity) -> Reference | Refusal:
    """Return the reference as somebody computes it who remembers nothing."""
    references.AGREED.clear()
    return reference(asset, said, rules)


@given(moments(), st.lists(st.booleans(), min_size=5, max_size=5), st.permutations(["ETH", "USDT"]))
def test_what_is_remembered_is_what_would_be_found(
    said: list[tuple[Witness, ...]], strict: list[bool], assets: list[str]
) -> None:
    rules = [STRICTER if each else RULES for each in strict]  # by turns: what was agreed under others is not taken
    expected = [[anew(asset, each, under) for asset in assets] for each, under in zip(said, rules, strict=False)]
    references.AGREED.clear()
    found = [[reference(asset, each, under) for asset in assets] for each, under in zip(said, rules, strict=False)]
    assert found == expected
    assert [encode(each) for each in found] == [encode(each) for each in expected]


def test_no_more_is_remembered_than_is_named() -> None:
    references.AGREED.clear()
    for number in range(2 * references.AGREED_MAX):
        coin = f"COIN{number}"
        said = tuple(msgspec.structs.replace(each, base=coin) if each.base == "ETH" else each for each in AGREEING)
        assert isinstance(reference(coin, said, RULES), Reference)
        assert coin in references.AGREED
        assert len(references.AGREED) <= references.AGREED_MAX
