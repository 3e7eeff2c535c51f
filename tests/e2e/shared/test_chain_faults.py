"""The chain goes wrong in every way under a demonstration that trades: each request still ends once, on chain."""

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
TRIES_MAX = 6


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


def _reorged(demo: Demo, log: Log, chain: Chain) -> bool:
    """Give the last blocks up; return whether one of them held what the log knew: that may be older by then."""
    before = _count(log, "settlement.reorged.v1")
    _until_more(demo, log, "settlement.included.v1", _count(log, "settlement.included.v1"))
    chain.do("reorg", depth=DEPTH, include=[])
    # Whatever was in those blocks is included anew, and told so, before long.
    for _ in range(2):
        _until_more(demo, log, "settlement.confirmed.v1", _count(log, "settlement.confirmed.v1"))
    return _count(log, "settlement.reorged.v1") > before


def _hold_one_until_outbid(demo: Demo, log: Log, chain: Chain) -> None:
    """Have every node pass a transaction over until it is replaced; its sender is held while it is chosen."""
    sender = log.events("settlement.submitted.v1")[-1]["transaction"]["sender"]
    chain.do("hold", name=sender)
    _until_more(demo, log, "settlement.submitted.v1", _count(log, "settlement.submitted.v1"))
    held = log.events("settlement.submitted.v1")[-1]["transaction"]["tx_hash"]
    chain.do("hold", name=held)
    chain.do("release", name=sender)

    def look() -> bool | None:
        return True if any(event["replaced_hash"] == held for event in log.events("settlement.replaced.v1")) else None

    wait_for(look, SEEN_WITHIN_S * slowness(), f"{held} to be replaced", demo.told)


def test_a_chain_that_goes_wrong_costs_no_request(demo: Demo) -> None:
    """That none is settled twice, and each is on chain, the demonstration itself judges when it ends."""
    log, chain = Log(demo.card().auditor_dsn), Chain(demo)
    _until_trading(demo, log)
    # One endpoint lies and another is deaf, one after the other: two of three still agree.
    for endpoint, kind in (("alpha", "lie"), ("gamma", "timeout")):
        chain.do("faults", endpoint=endpoint, kind=kind, method="*", for_ms=BAD_FOR_MS)
        _until_trading(demo, log)
    # The last blocks are given up for empty ones: what was in them is sent again.
    assert any(_reorged(demo, log, chain) for _ in range(TRIES_MAX)), demo.told()
    # Every node forgets what waits.
    chain.do("forget")
    # A transaction is passed over by everyone until it is outbid.
    _hold_one_until_outbid(demo, log, chain)
    _until_trading(demo, log)
