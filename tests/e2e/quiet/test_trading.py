"""A client of our own mints and redeems, and is refused what it must be, on a house where nobody else trades."""

import os
import subprocess
import sys
import time

import pytest

from tests.support.demo import ROOT, Up, wait_for
from tests.support.trader import Log, Trader, code_of

SETTLED_WITHIN_S = 60.0
EXAMPLE_WITHIN_S = 150.0


def _positions(quiet: Up, trader: Trader, at_least: int = 0) -> dict[str, str]:
    answer = trader.http.get(
        "/v1/positions", params={"wait_for": at_least}, headers={"Authorization": f"Bearer {quiet.key}"}
    )
    assert answer.status_code == 200, answer.text
    return {row["symbol"]: row["quantity"] for row in answer.json()["positions"]}


def _settled(log: Log) -> int:
    """Wait until nothing is under way, and return the head then."""

    def look() -> int | None:
        accepted, over = log.events("request.accepted.v2"), log.events("request.completed.v1")
        return log.head() if len(accepted) == len(over) else None

    return wait_for(look, SETTLED_WITHIN_S, "every accepted request completed")


@pytest.mark.parametrize("pair", ["WETH/USDe", "USDT/USDe"])
def test_both_pairs_mint_and_redeem_to_completion(quiet: Up, trader: Trader, log: Log, pair: str) -> None:
    before = _positions(quiet, trader, _settled(log)).get("ETH/USDT:USDT", "0")
    for side, size in (("MINT", "0.5" if pair == "WETH/USDe" else "5000"), ("REDEEM", "400")):
        quote = trader.quote(pair, side, size)
        terms = trader.terms(quote)
        status, answer = trader.place(terms)
        assert (status, list(answer)) == (200, ["tx"]), answer
        assert trader.until_over(terms.order_id) == "completed"
        (confirmed,) = [event for event in log.events("settlement.confirmed.v1") if event["reference"] == answer["tx"]]
        assert int(confirmed["issued"]["atoms"]) == terms.usde_amount
        assert len(log.requests(terms.order_id)) == 1
    after = _positions(quiet, trader, _settled(log)).get("ETH/USDT:USDT", "0")
    # Minting 0.5 and redeeming some 400 dollars' worth leaves a short; a stable is held, so nothing is traded for it.
    assert (float(after) < float(before)) if pair == "WETH/USDe" else after == before


def test_an_integrators_own_program_mints_and_redeems(quiet: Up, trader: Trader) -> None:
    for options in (["--size", "0.25"], ["--size", "300", "--redeem"]):
        done = subprocess.run(
            [sys.executable, "examples/mint.py", "--url", quiet.url, "--private-key", "-", *options],
            cwd=ROOT,
            input=trader.wallet.private_key,
            capture_output=True,
            text=True,
            timeout=EXAMPLE_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "completed" in done.stdout


def test_the_same_order_again_is_the_same_outcome_and_one_request(trader: Trader, log: Log) -> None:
    terms = trader.terms(trader.quote("USDT/USDe", "MINT", "1000"))
    signature = trader.sign(terms)
    first = trader.place(terms, signature)
    _settled(log)
    decided = log.decided()
    again = [trader.place(terms, signature) for _ in range(3)]
    assert first[0] == 200
    assert again == [first] * 3
    assert len(log.requests(terms.order_id)) == 1
    assert log.decided() == decided


def test_what_must_be_refused_gets_its_code_and_moves_nothing(quiet: Up, trader: Trader, log: Log) -> None:
    taken = trader.terms(trader.quote("WETH/USDe", "MINT", "0.3"))
    assert trader.place(taken)[0] == 200
    before = _positions(quiet, trader, _settled(log))
    accepted = len(log.events("request.accepted.v2"))
    fresh = trader.quote("WETH/USDe", "MINT", "0.4")
    good = trader.terms(fresh)
    more, less = good.usde_amount + 1, good.collateral_amount - 1
    refused = {
        "a dollar's atom more": (trader.place(trader.terms(fresh, usde_amount=more)), 400, "19"),
        "a collateral's atom less": (trader.place(trader.terms(fresh, collateral_amount=less)), 400, "19"),
        "signed for other terms": (trader.place(good, trader.sign(trader.terms(fresh, nonce=7))), 400, "29"),
        "a torn signature": (trader.place(good, trader.sign(good)[:-2]), 400, "29"),
        "a used quote": (trader.place(trader.terms({**fresh, "rfq_id": taken.order_id})), 409, "37"),
        "a used nonce": (trader.place(trader.terms(fresh, nonce=taken.nonce)), 400, "24"),
        "an expired order": (trader.place(trader.terms(fresh, expiry=int(time.time()) - 1)), 400, "23"),
        "an unknown quote": (
            trader.place(trader.terms({**fresh, "rfq_id": "RFQ-00000000-0000-4000-8000-000000000000"})),
            400,
            "19",
        ),
    }
    found = {what: (answer[0], code_of(answer)) for what, (answer, _, _) in refused.items()}
    assert found == {what: (status, code) for what, (_, status, code) in refused.items()}
    assert len(log.events("request.accepted.v2")) == accepted
    assert _positions(quiet, trader, log.head()) == before
    # The quote was not spent by any of these: the order it was made for is accepted.
    assert trader.place(good)[0] == 200


def test_what_is_malformed_gets_400_and_adds_nothing_to_the_log(trader: Trader, log: Log) -> None:
    good = trader.terms(trader.quote("USDT/USDe", "MINT", "100"))
    signature = trader.sign(good)
    _settled(log)
    before = log.decided()
    asked = {"pair": "WETH/USDe", "type_": "ALGO", "side": "MINT", "size": "1", "benefactor": trader.wallet.address}
    rfq = [
        ({**asked, "size": ""}, "0"),
        ({**asked, "pair": "DOGE/USDe"}, "3"),
        ({**asked, "side": "BUY"}, "4"),
        ({**asked, "type_": "X"}, "16"),
        ({**asked, "size": "one"}, "6"),
        ({**asked, "size": "-1"}, "7"),
        ({**asked, "size": "1." + "1" * 40}, "5"),
        ({**asked, "benefactor": "0x12"}, "30"),
    ]
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"order_id": 1}',
        b"[" * 10_000,
        os.urandom(2_000),
        b"x" * 40_000,
    ]
    answers = [trader.http.get("/rfq", params=params) for params, _ in rfq]
    assert [(a.status_code, a.json()["error"]["error_code"]) for a in answers] == [(400, code) for _, code in rfq]
    for body in bodies:
        answer = trader.http.post("/order", params={"signature": signature}, content=body)
        assert (answer.status_code, answer.json()["error"]["error_code"]) == (400, "29"), body[:40]
    assert trader.http.post("/order", content=b"{}").status_code == 400
    assert log.decided() == before


def test_a_quote_that_expired_is_refused(trader: Trader, log: Log) -> None:
    quote = trader.quote("USDT/USDe", "MINT", "100")
    expires_us = log.events("quote.issued.v3")[-1]["expires_at_us"]
    time.sleep(max(0.0, expires_us / 1_000_000 - time.time()) + 0.2)  # the clock itself is waited for
    terms = trader.terms(quote)
    answer = trader.place(terms)
    assert (answer[0], code_of(answer)) == (400, "18")
    assert log.requests(terms.order_id) == []
