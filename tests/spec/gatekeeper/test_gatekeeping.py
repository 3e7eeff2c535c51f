"""The gatekeeper at work over a chain in memory: what it follows, what it shuts, what survives, what it says."""

import logging
import os
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from api.gatekeeping.memory import STATE_FILE, State, StateForeign
from domain.gatekeeping import Caps
from domain.oracle import OracleLost
from domain.quote import Side
from domain.refusal import Rejected, Unavailable, Unknown
from domain.transaction import Fees
from tests.support.gatekeeping import UNKNOWN, a_flow
from tests.support.gatekept import OPEN, SHUT, Kept, honest, off_market


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.say()
    return made


async def test_an_honest_mint_changes_nothing(kept: Kept):
    await kept.block(honest())
    await kept.block(a_flow(Side.REDEEM))
    assert kept.chain.signed == []
    assert kept.heartbeat.state == "watching"
    assert kept.heartbeat.judged == kept.heartbeat.head == 2


async def test_one_off_market_mint_shuts_the_contract_once(kept: Kept, caplog: pytest.LogCaptureFixture):
    await kept.block(off_market())
    assert kept.heartbeat.state == "shutting"
    assert len(kept.chain.signed) == 1
    await kept.block(off_market(), include=True)
    assert kept.chain.caps_set == SHUT
    assert kept.heartbeat.state == "shut"
    assert kept.heartbeat.transaction == kept.chain.signed[0].tx_hash
    assert kept.heartbeat.reasons[0].startswith("off_market: MINT of 1 WETH")
    for _ in range(10):
        await kept.block()
    assert len(kept.chain.signed) == 1
    assert "contract_shut" in caplog.text


async def test_what_is_signed_is_written_down_before_it_is_sent(kept: Kept):
    written: list[bytes] = []

    async def broadcast(transaction: object) -> None:
        written.append((kept.folder / STATE_FILE).read_bytes())

    kept.chain.broadcast = broadcast
    await kept.block(off_market())
    assert kept.chain.signed[0].tx_hash.encode() in written[0]


async def test_a_crash_after_sending_sends_the_same_again(kept: Kept):
    await kept.block(off_market())
    kept.chain.pool.clear()
    kept.restart()
    kept.say()
    await kept.turn()
    assert len(kept.chain.signed) == 1
    await kept.block(include=True)
    assert kept.chain.caps_set == SHUT


async def test_a_restart_goes_on_from_its_cursor_and_counts_nothing_twice(kept: Kept):
    for _ in range(3):
        await kept.block(a_flow(issued=2_050))
    kept.restart()
    kept.say()
    kept.chain.asked.clear()
    await kept.block(a_flow(issued=2_050))
    assert kept.chain.asked == [(4, 4)]
    assert kept.chain.signed == []
    await kept.block(a_flow(issued=2_050))
    assert kept.heartbeat.reasons[0].startswith("repeated: 5 suspicious")


async def test_a_crash_amid_a_range_counts_nothing_twice(kept: Kept):
    """The order is saved when the range is not judged to its end: what lies above the last mark is read again."""
    kept.chain.gate_away = "the signer is away"
    kept.chain.mine(a_flow(issued=2_050))
    kept.chain.mine(off_market())
    await kept.keeper._follow(kept.chain.blocks[-1])
    state = msgspec.json.decode((kept.folder / STATE_FILE).read_bytes())
    state["marks"] = []
    (kept.folder / STATE_FILE).write_bytes(msgspec.json.encode(state))
    kept.restart()
    kept.say()
    await kept.turn()
    assert [tally.suspicions for tally in kept.keeper.state.memory.tallies] == [1, 1]


async def test_the_first_start_looks_back(tmp_path: Path):
    kept = Kept(tmp_path, lookback_blocks=5)
    kept.chain.mine(off_market())
    for _ in range(8):
        kept.chain.mine()
    kept.say()
    await kept.turn()
    assert kept.chain.asked == [(4, 9)]
    assert kept.chain.signed == []
    kept.chain.mine(off_market())
    (kept.folder / STATE_FILE).unlink()
    kept.restart()
    kept.say()
    await kept.turn()
    assert len(kept.chain.signed) == 1


async def test_a_long_stop_is_caught_up_with_in_bounded_steps(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    kept = Kept(tmp_path, catch_up_blocks_max=1_200)
    kept.say()
    await kept.turn()
    for _ in range(2_000):
        kept.chain.mine()
    kept.chain.asked.clear()
    while await kept.turn():
        pass
    assert kept.chain.asked == [(800, 1_299), (1_300, 1_799), (1_800, 2_000)]
    assert "blocks_skipped: 1 to 799" in caplog.text


async def test_what_a_reorganisation_drops_is_forgotten(kept: Kept):
    for _ in range(4):
        await kept.block(a_flow(issued=2_050))
    kept.chain.reorganise(3)
    for _ in range(4):
        await kept.block(honest())
    await kept.block(a_flow(issued=2_050))
    assert kept.chain.signed == []
    assert sum(tally.suspicions for tally in kept.keeper.state.memory.tallies) == 2


async def test_a_reorganisation_deeper_than_is_remembered_is_looked_back_at(kept: Kept):
    for _ in range(70):
        await kept.block()
    kept.chain.reorganise(70)
    for _ in range(71):
        kept.chain.mine()
    kept.chain.asked.clear()
    await kept.turn()
    assert kept.chain.asked[0][0] == 0
    assert kept.heartbeat.judged == 71


async def test_a_chain_that_changes_while_it_is_read_is_read_again(kept: Kept):
    flows = kept.chain.flows

    async def changing(first: int, last: int) -> object:
        found = await flows(first, last)
        kept.chain.reorganise(1)
        kept.chain.mine(off_market())
        kept.chain.flows = flows
        return found

    kept.chain.flows = changing  # pyright: ignore[reportAttributeAccessIssue] - a stand-in for one call
    await kept.block(honest())
    assert kept.chain.signed == []
    await kept.turn()
    assert len(kept.chain.signed) == 1


async def test_what_is_not_included_is_replaced_at_the_same_nonce_for_more(kept: Kept):
    await kept.block(off_market())
    for _ in range(40):
        await kept.block()
    signed = kept.chain.signed
    assert len(signed) == kept.settings.tries_max
    assert {each.nonce for each in signed} == {0}
    for before, after in pairwise(signed):
        assert after.fees.max_fee_wei * 100 >= before.fees.max_fee_wei * 110
        assert after.fees.priority_fee_wei * 100 >= before.fees.priority_fee_wei * 110
    # It is sent on and on, so that a node that forgets it has it again.
    assert kept.chain.sent[-1] == signed[-1]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (Rejected("INSUFFICIENT_FUNDS", "no ether"), "not_taken"),
        (Unavailable("no endpoint is there"), "not_sent"),
        (Unknown("no endpoint says so"), "not_sent"),
    ],
)
async def test_what_no_node_takes_is_sent_again(
    kept: Kept, caplog: pytest.LogCaptureFixture, failure: Exception, said: str
):
    kept.chain.not_taken = failure
    await kept.block(off_market())
    assert said in caplog.text
    assert kept.heartbeat.transaction == kept.chain.signed[0].tx_hash
    kept.chain.not_taken = None
    await kept.turn()
    assert kept.chain.sent == kept.chain.signed[:1]


async def test_what_cannot_be_replaced_is_sent_again_as_it_is(kept: Kept, caplog: pytest.LogCaptureFixture):
    await kept.block(off_market())

    async def none_left(_tries: int) -> Fees:
        raise Unavailable("fees_above_bound")

    kept.chain.fees = none_left  # pyright: ignore[reportAttributeAccessIssue] - a stand-in for the port
    for _ in range(3):
        await kept.block()
    assert "cannot_replace" in caplog.text
    assert len(kept.chain.signed) == 1
    assert len(kept.chain.sent) == 4


async def test_opened_within_the_block_that_shut_it_is_opened_by_people(kept: Kept):
    await kept.block(off_market())
    kept.chain.mine(include=True)
    kept.chain.set_caps(OPEN)
    kept.chain.mine()
    await kept.turn()
    assert kept.heartbeat.state == "watching"
    assert len(kept.chain.signed) == 1


async def test_a_loss_without_a_feed_is_of_all_of_the_source(kept: Kept):
    kept.prices.take(OracleLost(oracle="pyth", feed="", reason="", at_us=kept.clock.us))
    await kept.turn()
    assert kept.heartbeat.state == "unpriced"
    assert len(kept.heartbeat.trouble) == 2


async def test_a_transaction_that_reverts_is_followed_by_another(kept: Kept, caplog: pytest.LogCaptureFixture):
    kept.chain.reverts = True
    await kept.block(off_market())
    await kept.block(include=True)
    kept.chain.reverts = False
    await kept.block(include=True)
    assert [each.nonce for each in kept.chain.signed] == [0, 1]
    assert kept.chain.caps_set == SHUT
    assert "shutting_failed" in caplog.text


async def test_a_key_without_the_role_says_so_and_tries_on(kept: Kept, caplog: pytest.LogCaptureFixture):
    kept.chain.refuses = "AccessControl"
    await kept.block(off_market())
    assert kept.chain.signed == []
    assert "cannot_shut: AccessControl" in caplog.text
    kept.chain.refuses = ""
    await kept.turn()
    assert len(kept.chain.signed) == 1


async def test_a_reorganisation_that_undoes_the_shutting_is_answered_with_the_same_transaction(kept: Kept):
    await kept.block(off_market())
    await kept.block(include=True)
    kept.chain.reorganise(1)
    kept.chain.pool.clear()
    await kept.block()
    assert kept.heartbeat.state == "shutting"
    await kept.block(include=True)
    assert kept.heartbeat.state == "shut"
    assert len(kept.chain.signed) == 1


async def test_a_contract_that_people_opened_again_is_watched_anew(kept: Kept, caplog: pytest.LogCaptureFixture):
    await kept.block(off_market())
    await kept.block(include=True)
    kept.chain.set_caps(OPEN)
    await kept.block()
    assert "contract_reopened" in caplog.text
    assert kept.heartbeat.state == "watching"
    await kept.block(honest())
    assert len(kept.chain.signed) == 1
    await kept.block(off_market())
    assert len(kept.chain.signed) == 2
    await kept.block(include=True)
    assert kept.chain.caps_set == SHUT


async def test_a_contract_that_another_shut_needs_no_transaction(kept: Kept):
    kept.chain.set_caps(SHUT)
    await kept.block(off_market())
    assert (kept.chain.signed, kept.heartbeat.state) == ([], "shut")
    kept.chain.set_caps(OPEN)
    await kept.block()
    # So soon it may be a reorganisation that undid it.
    assert len(kept.chain.signed) == 1


async def test_one_cap_at_zero_is_not_shut(kept: Kept):
    kept.chain.set_caps(Caps(0, 10**25))
    await kept.block(off_market())
    assert len(kept.chain.signed) == 1


async def test_endpoints_that_are_away_are_said_aloud_after_a_while_and_tried_on(
    kept: Kept, caplog: pytest.LogCaptureFixture
):
    await kept.block()
    kept.chain.away = "quorum_missing: no 2 of 3 endpoints agree"
    await kept.turn()
    assert kept.heartbeat.state == "blind"
    assert "blind:" not in caplog.text
    kept.say()
    await kept.turn(30)
    critical = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert critical == ["blind: chain is away for 30 s: quorum_missing: no 2 of 3 endpoints agree"]
    await kept.turn()
    assert caplog.text.count("blind:") == 1
    kept.chain.away = ""
    kept.say()
    await kept.block(off_market())
    assert "chain is back after" in caplog.text
    assert len(kept.chain.signed) == 1


async def test_what_was_ordered_is_sent_on_while_nobody_can_look(kept: Kept):
    await kept.block(off_market())
    sent = len(kept.chain.sent)
    kept.chain.away = "quorum_missing"
    await kept.turn()
    assert len(kept.chain.sent) == sent + 1


async def test_a_signer_that_is_away_is_asked_again(kept: Kept):
    kept.chain.gate_away = "the signer is away"
    await kept.block(off_market())
    assert kept.heartbeat.state == "shutting"
    assert "gate: the signer is away" in kept.heartbeat.trouble
    kept.chain.gate_away = ""
    await kept.turn()
    assert len(kept.chain.signed) == 1
    assert kept.heartbeat.trouble == ()


async def test_prices_that_are_gone_are_said_aloud_and_shut_the_contract_for_what_is_large(
    kept: Kept, caplog: pytest.LogCaptureFixture
):
    for oracle in ("pyth", "redstone"):
        for base in ("ETH", "USDT"):
            lost = OracleLost(oracle=oracle, feed=f"{oracle}:{base}", reason="silent", at_us=kept.clock.us)
            kept.prices.take(lost)
    await kept.block(a_flow(issued=200_000))
    assert kept.heartbeat.state == "unpriced"
    assert kept.heartbeat.pending == 1
    await kept.turn(30)
    assert "blind: the price of ETH is away" in caplog.text
    assert kept.chain.signed == []
    await kept.block(a_flow(issued=60_000))
    await kept.turn(31)
    assert kept.heartbeat.reasons == (
        "unpriced: 260000 dollars moved without a price to believe, 250000 are let through",
    )


async def test_a_price_that_comes_back_in_time_settles_what_waited(kept: Kept):
    kept.prices.take(OracleLost(oracle="pyth", feed="", reason="silent", at_us=kept.clock.us))
    await kept.block(a_flow())
    assert kept.heartbeat.pending == 1
    kept.clock.us += 5_000_000
    kept.say()
    await kept.turn()
    assert kept.heartbeat.pending == 0
    assert kept.chain.signed == []


async def test_a_flow_is_judged_by_the_price_of_its_time(kept: Kept):
    """The market doubled since: what was fair then is fair."""
    for _ in range(100):
        kept.clock.us += 1_000_000
        kept.say("2000" if kept.clock.us < 1_700_000_050_000_000 else "4000")
    kept.chain.mine(a_flow(Side.REDEEM))
    await kept.turn()
    assert kept.chain.signed == []
    for _ in range(100):
        kept.chain.mine()
    kept.chain.mine(a_flow(Side.REDEEM))
    await kept.turn()
    assert len(kept.chain.signed) == 1


async def test_an_asset_that_nobody_told_it_of_counts_by_its_dollars(kept: Kept):
    await kept.block(a_flow(asset=UNKNOWN, issued=300_000))
    assert kept.chain.signed == []
    kept.clock.us += 30_000_000
    await kept.turn()
    assert len(kept.chain.signed) == 1


async def test_a_file_that_cannot_be_read_is_put_aside(kept: Kept, caplog: pytest.LogCaptureFixture):
    await kept.block(off_market())
    (kept.folder / STATE_FILE).write_bytes(b'{"chain_id": 1, "contr')
    kept.restart()
    kept.say()
    assert "state_unreadable" in caplog.text
    assert (kept.folder / "state.unreadable").exists()
    await kept.turn()
    # It is found again by looking back, and the pool's transaction has the same nonce.
    assert [each.nonce for each in kept.chain.signed] == [0, 0]


async def test_the_file_of_another_contract_is_refused(kept: Kept):
    await kept.block()
    place = kept.folder / STATE_FILE
    place.write_bytes(place.read_bytes().replace(b"00c0", b"00c1"))
    with pytest.raises(StateForeign, match="name another folder"):
        kept.restart()


async def test_a_disk_that_fails_does_not_keep_the_contract_open(kept: Kept):
    def full(state: State) -> None:
        raise OSError(28, f"No space left on device for {len(state.marks)} marks")

    kept.keeper._notebook.write = full
    await kept.block(off_market())
    assert len(kept.chain.signed) == 1
    assert kept.heartbeat.trouble == ("disk: the state cannot be saved: No space left on device for 1 marks",)


async def test_no_half_written_file_is_left(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    await kept.block()
    before = (kept.folder / STATE_FILE).read_bytes()

    def fails(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    await kept.block(honest())
    assert (kept.folder / STATE_FILE).read_bytes() == before
    assert sorted(path.name for path in kept.folder.iterdir()) == ["heartbeat.json", "state.json"]
