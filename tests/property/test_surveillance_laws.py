"""Laws of believing market data: whatever is said, in whatever order, nothing bad vouches and nothing flaps."""

from decimal import Decimal
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.blame import source_faults
from domain.codec import encode
from domain.market import Integrity, SourceAge, Witness, distance_bps, judge, witness_scopes
from domain.quantity import Num
from domain.reference import Reference, reference
from domain.surveillance import LOOKS_MAX, Transition, Watch, survey
from tests.support.given import START_US, a_witness, an_oracle

RULES = Integrity(ages=(SourceAge(source="redstone", age_ms_max=10_000),), resume_after_ms=1_000)
VENUES = ("binanceusdm", "bybit", "okx", "deribit")
ORACLES = ("pyth", "redstone", "chainlink")
ASSETS = ("ETH", "USDT")
# Basis points from the truth: near, at the edges of the laws, and far away.
OFF_BPS = st.sampled_from([0] * 12 + [10, -10, 24, 26, 49, 51, -99, 101, 300, -500, 3_500])
AGES = st.sampled_from([20] * 12 + [999, 1_001, 2_001, 30_000])
LOST = st.sampled_from([""] * 20 + ["gap: 7 after 3", "the socket was closed"])
DRIFTS = st.sampled_from([0] * 20 + [400, -900, 1_001])


@st.composite
def words(draw: st.DrawFn, *, truth: int = 2_000) -> tuple[Witness, ...]:
    """Draw what everybody says at one moment."""
    said: list[Witness] = []
    venues = draw(st.lists(st.sampled_from(VENUES), unique=True, max_size=4))
    oracles = draw(st.lists(st.sampled_from(ORACLES), unique=True, max_size=3))
    for name in venues:
        for symbol, quote in (("ETH/USDT:USDT", "USDT"), ("ETH/USD:ETH", "USD"))[: draw(st.integers(1, 2))]:
            said.append(word(draw, a_witness(name, moved(draw, truth), symbol=symbol, quote=quote)))
    for name in oracles:
        said.append(word(draw, an_oracle(name, moved(draw, truth))))
        said.append(word(draw, an_oracle(name, moved(draw, 1), "USDT")))
    return tuple(said)


def moved(draw: st.DrawFn, truth: int) -> Num:
    return Num(truth) * Num(Decimal(10_000 + draw(OFF_BPS)).scaleb(-4))


def word(draw: st.DrawFn, witness: Witness) -> Witness:
    why = draw(LOST)
    if why:
        return msgspec.structs.replace(witness, lost=why, bid=Num(0), ask=Num(0))
    return msgspec.structs.replace(witness, age_ms=draw(AGES), drift_ms=draw(DRIFTS))


DAYS = st.lists(st.tuples(words(), st.sampled_from([50, 250, 250, 999, 1_500]), st.integers(1, 8)), max_size=8)


def lived(
    day: list[tuple[tuple[Witness, ...], int, int]], shuffle: int | None = None
) -> tuple[Watch, list[tuple[int, tuple[Witness, ...], tuple[Transition, ...]]]]:
    """Survey a day of looks; return the watch after it and what each look saw and told."""
    watch, now_us, looks = Watch(), START_US, list[tuple[int, tuple[Witness, ...], tuple[Transition, ...]]]()
    chance = Random(shuffle)
    for witnesses, step_ms, times in day:
        for _ in range(times):
            now_us += step_ms * 1_000
            seen = list(witnesses)
            assets = list(ASSETS)
            if shuffle is not None:
                chance.shuffle(seen)
                chance.shuffle(assets)
            watch, told = survey(watch, seen, RULES, now_us, assets)
            looks.append((now_us, witnesses, told))
    return watch, looks


@given(DAYS)
def test_nothing_comes_and_goes_faster_than_it_may(day: list[tuple[tuple[Witness, ...], int, int]]):
    _, looks = lived(day)
    since: dict[str, int] = {}
    for now_us, _, told in looks:
        for each in told:
            assert each.at_us == now_us
            assert each.suspended == (each.scope not in since)
            if each.suspended:
                since[each.scope] = now_us
            else:
                assert now_us - since.pop(each.scope) >= RULES.resume_after_ms * 1_000


@given(DAYS)
def test_nothing_comes_back_that_was_unsound_a_moment_ago(day: list[tuple[tuple[Witness, ...], int, int]]):
    _, looks = lived(day)
    for number, (now_us, _, told) in enumerate(looks):
        back = {each.scope for each in told if not each.suspended}
        for at_us, witnesses, _ in looks[: number + 1]:
            if at_us < now_us - RULES.resume_after_ms * 1_000:
                continue
            own = {witness_scopes(each)[0]: judge(each, RULES) for each in witnesses}
            for scope in back & set(own):
                assert own[scope] is None
            assert {scope for scope in back if scope.startswith("instrument:")} <= set(own)
            assert back.isdisjoint(source_faults(witnesses, RULES, {}))


@given(DAYS)
def test_what_fails_is_suspended_when_it_is_looked_at(day: list[tuple[tuple[Witness, ...], int, int]]):
    watch, now_us = Watch(), START_US
    for witnesses, step_ms, _ in day:
        now_us += step_ms * 1_000
        watch, _ = survey(watch, witnesses, RULES, now_us, ASSETS)
        for each in witnesses:
            if judge(each, RULES) is not None:
                assert witness_scopes(each)[0] in watch.standings
        out = frozenset(watch.standings)
        for asset in ASSETS:
            known = isinstance(reference(asset, witnesses, RULES, out), Reference)
            assert known or f"asset:{asset}" in watch.standings


@given(DAYS, st.integers(0, 1_000))
def test_the_order_in_which_things_are_said_does_not_matter(
    day: list[tuple[tuple[Witness, ...], int, int]], shuffle: int
):
    first, told = lived(day)
    second, told_again = lived(day, shuffle)
    assert encode(first) == encode(second)
    assert [each[2] for each in told] == [each[2] for each in told_again]


@given(DAYS)
def test_the_memory_is_bounded(day: list[tuple[tuple[Witness, ...], int, int]]):
    watch, _ = lived(day)
    scopes = 4 * 3 + 3 + len(ASSETS)
    assert len(watch.standings) <= scopes
    assert len(watch.met) <= scopes
    assert all(len(looks) <= LOOKS_MAX + 1 for looks in watch.looks.values())


@given(words(), st.randoms(use_true_random=False))
def test_a_reference_is_the_same_in_any_order_and_has_its_quorum(witnesses: tuple[Witness, ...], chance: Random):
    shuffled = list(witnesses)
    chance.shuffle(shuffled)
    for asset in ASSETS:
        found = reference(asset, witnesses, RULES)
        assert encode(found) == encode(reference(asset, shuffled, RULES))
        if isinstance(found, Reference):
            own = [each for each in found.sources if each.symbol.startswith(f"{asset}/")]
            oracles = {each.venue for each in own if each.kind.value == "oracle"}
            assert len(oracles) >= RULES.quorum_oracles
            assert asset == "USDT" or len({each.venue for each in own} - oracles) >= RULES.quorum_venues
            assert found.lower <= found.mid <= found.upper


@given(
    st.lists(st.integers(-20, 20), min_size=3, max_size=6),
    st.integers(51, 9_000),
    st.booleans(),
    st.integers(0, 5),
)
def test_a_minority_moves_nothing(offs: list[int], lie: int, up: bool, where: int):
    """Of so many venues and oracles near the truth, fewer than half may say anything: the price stays near."""
    venues = [
        a_witness(f"v{number}", Num(2_000) * Num(Decimal(10_000 + off).scaleb(-4)), quote="USD")
        for number, off in enumerate(offs)
    ]
    lying = where % ((len(offs) + 1) // 2)
    for number in range(lying):
        price = Num(2_000) * Num(Decimal(10_000 + (lie if up else -lie)).scaleb(-4))
        venues[number] = a_witness(f"v{number}", price, quote="USD")
    found = reference("ETH", (*venues, an_oracle("pyth"), an_oracle("redstone")), RULES)
    if isinstance(found, Reference):
        assert distance_bps(found.mid, Decimal(2_000)) <= 50
    else:
        assert len(offs) - lying < max(RULES.quorum_venues, 1) or lying > 0
