"""What the gatekeeper lets through, what it reports, and what it shuts the contract for."""

from collections.abc import Sequence

import msgspec
import pytest

from domain.codec import decoder, encode
from domain.gatekeeping import (
    PENDING_MAX,
    Finding,
    Flow,
    Look,
    Memory,
    Rules,
    Terms,
    Unpriced,
    Verdict,
    assess,
    forget_after,
    take,
)
from domain.market import Witness
from domain.policy import Asset
from domain.quantity import Num
from domain.quote import Side
from tests.support.gatekeeping import (
    MARKET,
    SILENCE,
    START_S,
    START_US,
    UNKNOWN,
    USDT,
    a_flow,
    a_word,
    saying,
    terms,
)

NOW_US = START_US + 1_000_000_000
MINUTE_US = 60_000_000


def judged(
    *flows: Flow, under: Terms | None = None, look: Look = MARKET, before: Memory | None = None, now_us: int = NOW_US
) -> tuple[Memory, tuple[Finding, ...]]:
    under = under or terms()
    return assess(take(before or Memory(), flows, under, now_us), under, look, now_us)


def verdicts(findings: Sequence[Finding]) -> list[tuple[Verdict, bool]]:
    return [(finding.verdict, finding.disables) for finding in findings]


@pytest.mark.parametrize("side", list(Side))
def test_an_exchange_at_the_market_is_fine(side: Side):
    memory, findings = judged(a_flow(side))
    assert findings == ()
    assert memory.pending == ()
    assert memory.tallies[0].minted + memory.tallies[0].redeemed == Num(2_000)


def test_an_exchange_in_favour_of_the_protocol_is_fine_however_far():
    assert judged(a_flow(Side.MINT, issued=1), a_flow(Side.REDEEM, issued=200_000, log_index=1))[1] == ()


@pytest.mark.parametrize(
    ("flow", "verdict"),
    [
        (a_flow(Side.MINT, issued=2_030), None),  # 148 bps of what was given
        (a_flow(Side.MINT, issued=2_031), Verdict.SUSPICIOUS),  # 153
        (a_flow(Side.MINT, issued=2_105), Verdict.SUSPICIOUS),  # 499
        (a_flow(Side.MINT, issued=2_106), Verdict.OFF_MARKET),  # 503
        (a_flow(Side.REDEEM, issued=1_971), None),  # 145
        (a_flow(Side.REDEEM, issued=1_969), Verdict.SUSPICIOUS),  # 155
        (a_flow(Side.REDEEM, issued=1_899), Verdict.OFF_MARKET),  # 505
    ],
)
def test_what_was_lost_of_what_was_given_decides(flow: Flow, verdict: Verdict | None):
    assert verdicts(judged(flow)[1]) == ([] if verdict is None else [(verdict, verdict is Verdict.OFF_MARKET)])


@pytest.mark.parametrize(
    ("price", "verdict"), [("1970", None), ("1900", Verdict.SUSPICIOUS), ("1899", Verdict.OFF_MARKET)]
)
def test_what_lies_on_a_band_is_within_it(price: str, verdict: Verdict | None):
    found = judged(a_flow(), look=saying({"ETH": (price, price)}))[1]
    assert [finding.verdict for finding in found] == ([] if verdict is None else [verdict])


def test_a_finding_says_what_happened_in_numbers():
    (found,) = judged(a_flow(issued=4_000))[1]
    assert found.tx_hash == a_flow().tx_hash
    assert "MINT of 1 WETH against 4000 dollars in block 100" in found.text
    assert "5000 bps of what was given are lost at 2000 dollars then" in found.text


def test_nothing_for_something_is_off_the_market():
    assert verdicts(judged(a_flow(Side.MINT, collateral=0))[1]) == [(Verdict.OFF_MARKET, True)]
    assert verdicts(judged(a_flow(Side.REDEEM, issued=0))[1]) == [(Verdict.OFF_MARKET, True)]


def test_roundings_are_no_loss():
    assert judged(a_flow(Side.REDEEM, asset=USDT, collateral=1, issued=0))[1] == ()


def test_a_stable_counts_at_market_not_at_par():
    mint = a_flow(asset=USDT, collateral=1_000_000_000, issued=1_000)
    depegged = saying({"USDT": ("0.9", "0.9")})
    assert judged(mint)[1] == ()
    assert verdicts(judged(mint, look=depegged)[1]) == [(Verdict.OFF_MARKET, True)]


def test_several_suspicious_ones_shut_the_contract():
    flows = [a_flow(issued=2_050, number=number) for number in range(1, 5)]
    memory, findings = judged(*flows)
    assert verdicts(findings) == [(Verdict.SUSPICIOUS, False)] * 4
    _, findings = judged(a_flow(issued=2_050, number=5), before=memory)
    assert verdicts(findings) == [(Verdict.SUSPICIOUS, False), (Verdict.REPEATED, True)]
    # Outside the window they are over.
    later = a_flow(issued=2_050, number=700)
    assert verdicts(judged(later, before=memory)[1]) == [(Verdict.SUSPICIOUS, False)]


def test_many_small_losses_shut_the_contract():
    flow = a_flow(collateral=10**22, issued=20_200_000)  # 99 bps of 20.2 million
    memory, findings = judged(flow)
    assert findings == ()
    _, findings = judged(msgspec.structs.replace(flow, block_number=101), before=memory)
    assert verdicts(findings) == [(Verdict.LOSS, True)]


@pytest.mark.parametrize("side", list(Side))
def test_volume_is_bounded_though_every_price_is_right(side: Side):
    flow = a_flow(side, collateral=25 * 10**21, issued=50_000_000)
    memory, findings = judged(flow)
    assert findings == ()
    small = a_flow(side, number=101)
    assert verdicts(judged(small, before=memory)[1]) == [(Verdict.VOLUME, True)]
    assert judged(msgspec.structs.replace(small, at_s=START_S + 701), before=memory)[1] == ()


def test_volume_counts_before_anything_has_a_price():
    flow = a_flow(issued=50_000_001, asset=UNKNOWN)
    assert verdicts(judged(flow, look=SILENCE)[1]) == [(Verdict.VOLUME, True)]


def test_a_flow_waits_for_its_price_then_is_told_of_once():
    memory, findings = judged(a_flow(), look=SILENCE)
    assert findings == ()
    assert len(memory.pending) == 1
    memory, findings = judged(before=memory, look=SILENCE, now_us=NOW_US + MINUTE_US)
    assert verdicts(findings) == [(Verdict.UNPRICED, False)]
    memory, findings = judged(before=memory, look=SILENCE, now_us=NOW_US + 2 * MINUTE_US)
    assert findings == ()
    memory, findings = judged(before=memory, now_us=NOW_US + 3 * MINUTE_US)
    assert (memory.pending, findings) == ((), ())


@pytest.mark.parametrize(("unpriced", "shut"), [(Unpriced.DISABLE, True), (Unpriced.ALERT, False)])
def test_too_much_without_a_price_does_what_the_rules_say(unpriced: Unpriced, shut: bool):
    under = terms(unpriced=unpriced)
    memory, findings = judged(a_flow(issued=250_001), under=under, look=SILENCE)
    assert findings == ()
    _, findings = judged(under=under, look=SILENCE, before=memory, now_us=NOW_US + MINUTE_US)
    assert verdicts(findings) == [(Verdict.UNPRICED, False), (Verdict.UNPRICED, shut)]


def test_an_unpriced_redemption_counts_at_the_last_price_that_was_believed():
    memory, _ = judged(a_flow(number=99))
    small = a_flow(Side.REDEEM, collateral=10**20, issued=1, number=100)  # 200,000 dollars at the last price
    large = a_flow(Side.REDEEM, collateral=2 * 10**20, issued=1, number=100)
    for flow, expected in ((small, 1), (large, 2)):
        waiting, _ = judged(flow, before=memory, look=SILENCE)
        _, findings = judged(before=waiting, look=SILENCE, now_us=NOW_US + MINUTE_US)
        assert len(findings) == expected
        assert findings[-1].disables is (expected == 2)


@pytest.mark.parametrize("flow", [a_flow(Side.REDEEM, issued=1), a_flow(Side.REDEEM, issued=1, asset=UNKNOWN)])
def test_a_redemption_that_nothing_bounds_is_too_much(flow: Flow):
    waiting, _ = judged(flow, look=SILENCE)
    _, findings = judged(before=waiting, look=SILENCE, now_us=NOW_US + MINUTE_US)
    assert verdicts(findings)[-1] == (Verdict.UNPRICED, True)
    assert "nobody can tell" in findings[-1].text


def test_more_waiting_than_is_remembered_is_too_much():
    flows = [a_flow(issued=0, log_index=index) for index in range(PENDING_MAX + 1)]
    memory, findings = judged(*flows, look=SILENCE)
    assert verdicts(findings) == [(Verdict.UNPRICED, True)]
    assert len(memory.pending) == PENDING_MAX


def test_what_waited_in_vain_leaves_with_the_window():
    memory, _ = judged(a_flow(), look=SILENCE)
    memory, _ = judged(before=memory, look=SILENCE, now_us=NOW_US + MINUTE_US)
    memory, _ = judged(a_flow(number=701), before=memory, look=SILENCE, now_us=NOW_US + MINUTE_US)
    assert [each.flow.block_number for each in memory.pending] == [701]


@pytest.mark.parametrize(
    ("issued", "expected"),
    [(2_100, []), (2_200, [(Verdict.SUSPICIOUS, False)]), (2_400, [(Verdict.OFF_MARKET, True)])],
)
def test_what_is_judged_late_has_a_wider_band(issued: int, expected: list[tuple[Verdict, bool]]):
    def today(base: str, as_of_us: int) -> tuple[Witness, ...]:
        return tuple(MARKET(base, as_of_us)) if as_of_us == NOW_US else ()

    _, findings = judged(a_flow(issued=issued), look=today)
    assert verdicts(findings) == expected
    assert all("dollars now" in finding.text for finding in findings)


@pytest.mark.parametrize(
    "said",
    [
        ("2000",),  # one source is no quorum
        ("2000", "2100"),  # two that differ: neither is believed
    ],
)
def test_a_price_needs_sources_that_agree(said: tuple[str, ...]):
    memory, findings = judged(a_flow(issued=4_000), look=saying({"ETH": said}))
    assert (len(memory.pending), findings) == (1, ())


def test_one_source_of_three_that_lies_is_outvoted():
    look = saying({"ETH": ("2000", "4000", "2001")})
    assert verdicts(judged(a_flow(issued=4_000), look=look)[1]) == [(Verdict.OFF_MARKET, True)]
    assert judged(a_flow(), look=look)[1] == ()


def test_an_old_or_unsure_price_is_not_believed():
    assert len(judged(a_flow(), look=saying({"ETH": ("2000", "2000")}, age_ms=120_001))[0].pending) == 1
    unsure = tuple(a_word(name, "2000", bid=Num(1_900), ask=Num(2_100)) for name in ("pyth", "redstone"))
    assert len(judged(a_flow(), look=lambda _base, _at: unsure)[0].pending) == 1


def test_what_stood_in_dropped_blocks_is_forgotten():
    kept = a_flow(issued=2_050, number=100)
    dropped = [a_flow(issued=2_050, number=number) for number in range(101, 110)]
    before, _ = judged(kept)
    memory, findings = judged(*dropped, before=before)
    assert (Verdict.REPEATED, True) in verdicts(findings)
    assert forget_after(memory, 100) == before
    waiting, _ = judged(*dropped, before=before, look=SILENCE)
    assert forget_after(waiting, 100) == before


def test_what_is_priced_after_its_window_is_still_judged_by_itself():
    memory, _ = judged(a_flow(issued=4_000, number=1), look=SILENCE)
    memory, findings = judged(a_flow(number=700), before=memory)
    assert verdicts(findings) == [(Verdict.OFF_MARKET, True)]
    assert [tally.number for tally in memory.tallies] == [700]


def test_what_is_a_dollar_by_name_needs_no_source():
    under = terms()
    dollar = Asset(symbol="USDD", decimals=6, address=USDT, underlying="USD")
    under = msgspec.structs.replace(under, assets={USDT: dollar})
    flow = a_flow(asset=USDT, collateral=1_000_000_000, issued=1_000)
    assert judged(flow, under=under, look=SILENCE) == (judged(flow, under=under)[0], ())
    short = msgspec.structs.replace(flow, collateral=900_000_000)
    assert verdicts(judged(short, under=under, look=SILENCE)[1]) == [(Verdict.OFF_MARKET, True)]


def test_what_is_remembered_is_written_and_read_the_same():
    memory, _ = judged(a_flow(issued=2_050), a_flow(asset=UNKNOWN, log_index=1))
    assert decoder(Memory).decode(encode(memory)) == memory


@pytest.mark.parametrize(
    "wrong",
    [
        {"alert_bps": Num(600)},
        {"alert_bps": Num(0)},
        {"late_band_bps": Num(400)},
        {"window_ms": 0},
        {"window_ms": 3_600_001},
        {"unpriced_max": Num(-1)},
        {"suspicions_max": 0},
    ],
)
def test_rules_that_judge_nothing_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"bands|window_ms|bounds"):
        msgspec.convert({**msgspec.structs.asdict(Rules()), **wrong}, Rules, from_attributes=True)
