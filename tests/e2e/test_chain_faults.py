"""The chain goes wrong in every way under a demonstration that trades: each request still ends once, on chain."""

from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.support.demo import Demo, slowness, wait_for
from tests.support.trader import Log

TRADING_WITHIN_S = 40.0
SEEN_WITHIN_S = 40.0
# Below the demonstration's finality of three blocks: what is final is never given up.
DEPTH = 2
BAD_FOR_MS = 8_000
# Tries to hold a transaction before it is in a block.
TRIES_MAX = 8


class Chain:
    """The door of the simulated chain."""

    def __init__(self, demo: Demo) -> None:
        keys = msgspec.json.decode((demo.data_dir / "chainsim" / "keys.json").read_bytes(), type=dict[str, str])
        self._url = demo.card().chain.rpc.rpartition("/")[0]
        self._headers = {"Authorization": f"Bearer {keys['admin_token']}"}

    def do(self, verb: str, **body: Any) -> Any:
        answer = httpx.post(f"{self._url}/admin/{verb}", json=body, headers=self._headers, timeout=20)
        assert answer.is_success, answer.text
        return answer.json()


def _count(log: Log, topic: str) -> int:
    return len(log.events(topic))


def _until_more(demo: Demo, log: Log, topic: str, than: int, within_s: float = SEEN_WITHIN_S) -> None:
    wait_for(
        lambda: True if _count(log, topic) > than else None, within_s * slowness(), f"{topic} after {than}", demo.told
    )


def _until_trading(demo: Demo, log: Log) -> None:
    before = _count(log, "request.completed.v1")
    _until_more(demo, log, "request.completed.v1", before + 2, TRADING_WITHIN_S)


def _held_until_outbid(demo: Demo, log: Log, chain: Chain) -> bool:
    """Hold the next transaction; return whether it was outbid, or had been in a block before it was held."""
    _until_more(demo, log, "settlement.submitted.v1", _count(log, "settlement.submitted.v1"))
    held = log.events("settlement.submitted.v1")[-1]["transaction"]["tx_hash"]
    chain.do("hold", name=held)

    def look() -> str | None:
        replaced = any(event["replaced_hash"] == held for event in log.events("settlement.replaced.v1"))
        included = any(event["receipt"]["tx_hash"] == held for event in log.events("settlement.included.v1"))
        return "replaced" if replaced else "included" if included else None

    return wait_for(look, SEEN_WITHIN_S * slowness(), f"what becomes of {held}", demo.told) == "replaced"


def test_a_chain_that_goes_wrong_costs_no_request_and_settles_none_twice(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "data")
    try:
        demo.until_ready()
        log, chain = Log(demo.card().auditor_dsn), Chain(demo)
        _until_trading(demo, log)
        # One endpoint lies and another is deaf, one after the other: two of three still agree.
        chain.do("faults", endpoint="alpha", kind="lie", method="*", for_ms=BAD_FOR_MS)
        _until_trading(demo, log)
        chain.do("faults", endpoint="gamma", kind="timeout", method="*", for_ms=BAD_FOR_MS)
        _until_trading(demo, log)
        # The last blocks are given up for empty ones: what was in them is sent again.
        _until_more(demo, log, "settlement.included.v1", _count(log, "settlement.included.v1"))
        chain.do("reorg", depth=DEPTH, include=[])
        _until_more(demo, log, "settlement.reorged.v1", 0)
        # Every node forgets what waits.
        chain.do("forget")
        # A transaction is passed over by everyone until it is outbid.
        assert any(_held_until_outbid(demo, log, chain) for _ in range(TRIES_MAX))
        _until_trading(demo, log)
        assert demo.terminate() == 0, demo.told()
        assert "every settlement is on chain" in demo.told()
    finally:
        demo.end()
