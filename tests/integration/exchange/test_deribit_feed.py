"""The contract of a venue's public feed, kept by Deribit, which also wants its heartbeats answered."""

from decimal import Decimal

import pytest
from aiohttp import WSMsgType

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import Loopback
from adapters.simulators.deribit.venue import HOST, DeribitVenue
from tests.contract.venue_feed import FeedBench, FeedRig, VenueFeedContract
from tests.support.exchange import SOON_S
from tests.support.feeds import listing

D = Decimal
INVERSE = listing("deribit", "ETH/USD:ETH", "ETH-PERPETUAL", tick=D("0.05"), step=D(1), kind="inverse")
LINEAR = listing("deribit", "ETH/USDC:USDC", "ETH_USDC-PERPETUAL", tick=D("0.05"), step=D("0.001"))
DERIBIT = FeedBench(
    venue="deribit",
    make=DeribitVenue,
    listed=((INVERSE, D(100)), (LINEAR, D("0.1"))),
    topic="book.ETH-PERPETUAL.100ms",
    best=40_000,
    worse=39_980,
)


class TestDeribitFeed(VenueFeedContract):
    @pytest.fixture
    def bench(self) -> FeedBench:
        return DERIBIT

    @pytest.mark.parametrize("answers", [True, False])
    async def test_who_does_not_answer_a_heartbeat_is_hung_up_on(self, rig: FeedRig, answers: bool) -> None:
        venue, port = rig.simulated, rig.port
        assert isinstance(venue, DeribitVenue)
        async with (
            loopback_session(Loopback(port=port.port, ca_file=port.ca_file), frozenset({HOST})) as session,
            session.ws_connect(f"wss://{HOST}/ws/api/v2") as socket,
        ):
            asked = {"id": 1, "method": "public/set_heartbeat", "params": {"interval": 10}}
            await socket.send_json(asked)
            assert (await socket.receive_json(timeout=SOON_S))["result"] == "ok"
            kinds: list[str] = []
            for later_s in (11, 22, 33, 44):
                venue.each_publication(venue.machine_ms() + later_s * 1_000)
                heard = await socket.receive(timeout=SOON_S)
                if heard.type is not WSMsgType.TEXT:
                    break
                kinds.append(heard.json()["params"]["type"])
                if answers and kinds[-1] == "test_request":
                    await socket.send_json({"id": 2, "method": "public/test"})
                    assert "version" in (await socket.receive_json(timeout=SOON_S))["result"]
            assert kinds == ["heartbeat", "test_request", *(["heartbeat", "test_request"] if answers else [])]
            assert socket.closed is not answers
