"""What a venue does to an account, and to orders, when asked at the simulators' door: seen through each adapter."""

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.connection import loopback_session
from adapters.simulators.faults import Fault, FaultKind, Faults
from domain.approval import Approved
from domain.venue import TERMINAL, Connected, Disconnected, FillReport, Rejected, Unavailable, Unknown, VenueOrder
from tests.contract.venue_orders import MINUTE_US
from tests.contract.venue_rig import ASK, BID, WORSE_ASK, WORSE_BID, Bench, Rig, rigged
from tests.integration.exchange.test_binance_coinm_account import COINM
from tests.integration.exchange.test_binance_spot_account import SPOT
from tests.integration.exchange.test_binance_usdm_account import USDM
from tests.integration.exchange.test_bybit_account import LINEAR as BYBIT
from tests.integration.exchange.test_deribit_account import INVERSE as DERIBIT
from tests.integration.exchange.test_okx_account import LINEAR as OKX
from tests.support.exchange import listening

D = Decimal
TOKEN = "a-door-of-its-own"
DERIVATIVES = (USDM, COINM, BYBIT, OKX, DERIBIT)
AWAY_MS = 1_200


def named(bench: Bench) -> str:
    return bench.venue


@pytest.fixture
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rigged(request.param, tmp_path, admin_token=TOKEN) as made:
        yield made


@pytest.fixture
async def venue(rig: Rig) -> AsyncIterator[VenueAccount]:
    async with rig.account() as made:
        yield made


everywhere = pytest.mark.parametrize("rig", [*DERIVATIVES, SPOT], indirect=True, ids=named)
on_derivatives = pytest.mark.parametrize("rig", DERIVATIVES, indirect=True, ids=named)


class Door:
    """The simulators' own door."""

    def __init__(self, rig: Rig, token: str = TOKEN) -> None:
        self._rig = rig
        self._token = token

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with loopback_session(self._rig.loopback, frozenset({"localhost"})) as session:
            headers = {"Authorization": f"Bearer {self._token}"}
            url = f"https://localhost/admin/{path}"
            async with session.request(method, url, json=body, headers=headers) as answer:
                is_json = answer.content_type == "application/json"
                return answer.status, await (answer.json() if is_json else answer.text())

    async def force(self, **wanted: Any) -> tuple[int, Any]:
        return await self.ask("POST", "account", {"symbol": self._rig.bench.market, **wanted})


def since_us() -> int:
    return time.time_ns() // 1_000 - MINUTE_US


@pytest.mark.parametrize("kind", ["liquidation", "adl"])
@on_derivatives
async def test_part_of_a_short_is_closed_by_force_and_called_by_its_name(
    rig: Rig, venue: VenueAccount, kind: str
) -> None:
    began_us = since_us()
    ours = await venue.submit(rig.order(quantity=rig.unit * 4))
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        status, answer = await Door(rig).force(kind=kind, share="0.5")
        if rig.bench is DERIBIT and kind == "adl":
            assert (status, answer) == (400, "deribit deleverages nobody: losses are shared by all")
            return
        assert (status, answer["origin"], answer["status"]) == (200, kind, "FILLED")
        told = await account.until(FillReport, lambda fill: fill.venue_order_id != ours.venue_order_id)
    assert (told.kind, told.side, told.quantity, told.price) == (kind, "buy", rig.unit * 2, ASK)
    swept = (await venue.fills_since(rig.symbol, began_us))[-1]
    assert (swept.fill_key, swept.kind) == (told.fill_key, kind)
    (held,) = await venue.positions()
    assert held.quantity == -rig.unit * 2


@on_derivatives
async def test_what_cannot_be_closed_is_not(rig: Rig, venue: VenueAccount) -> None:
    door, forced = Door(rig), {"kind": "liquidation"}
    assert (await door.force(**forced, share="0.5"))[0] == 400, "nothing is held"
    await venue.submit(rig.order(quantity=rig.unit * 4))
    too_much = {"quantity": str(rig.unit * 5)}
    for part in ({"share": "0"}, {"share": "-1"}, {"share": "1.5"}, too_much, {"quantity": "0"}, {}):
        assert (await door.force(**forced, **part))[0] == 400, part
    assert (await door.force(**forced, share="1", quantity="1"))[0] == 400
    assert (await door.force(**forced, share="0.5", venue="mtgox"))[0] == 400
    assert (await door.ask("PUT", "account"))[0] == 405
    assert (await Door(rig, "wrong").force(**forced, share="0.5"))[0] == 401
    assert rig.orders_kept == 1


@everywhere
async def test_the_door_shows_every_order_as_the_venue_keeps_it(rig: Rig, venue: VenueAccount) -> None:
    first, second = rig.order(), rig.order(quantity=rig.unit * 7)
    for approved in (first, second):
        await venue.submit(approved)
    _, kept = await Door(rig).ask("GET", "account")
    rows = kept[rig.bench.venue]
    assert [row["client_id"] for row in rows] == [each.value.client_order_id for each in (first, second)]
    assert [row["status"] for row in rows] == ["FILLED", "EXPIRED"]


@everywhere
async def test_a_thin_book_fills_in_part_what_it_showed_in_full(rig: Rig, venue: VenueAccount) -> None:
    # 5 stand at the bid and 9 behind it: a tenth of the 14 is 1.4, of the 5 alone 0.5.
    rig.arm("thin", rig.listed.base, for_ms=60_000, factor=D("0.1"))
    for limit, found in ((WORSE_BID, D("1.4")), (BID, D("0.5"))):
        rig.book([(BID, 5), (WORSE_BID, 9)], [(ASK, 4), (WORSE_ASK, 8)])
        approved = rig.order(quantity=rig.unit * 4, limit_price=limit)
        await venue.submit(approved)
        state = await venue.order_state(rig.symbol, approved.value.client_order_id)
        assert state is not None
        assert (state.status in TERMINAL, state.filled) == (True, rig.unit * found)
    rig.simulated.faults.clear()
    assert (await venue.submit(rig.order(quantity=rig.unit * 4))).accepted_quantity == rig.unit * 4
    assert (await venue.fills_since(rig.symbol, since_us()))[-1].quantity == rig.unit * 4


@everywhere
async def test_a_hollow_book_fills_nothing_and_lets_rest_what_may(rig: Rig, venue: VenueAccount) -> None:
    rig.arm("thin", for_ms=60_000, factor=D(0))
    hollow = rig.order()
    await venue.submit(hollow)
    state = await venue.order_state(rig.symbol, hollow.value.client_order_id)
    assert state is not None
    assert (state.status in TERMINAL, state.filled) == (True, 0)
    resting = rig.order(limit_price=WORSE_ASK, time_in_force="gtx")
    await venue.submit(resting)
    state = await venue.order_state(rig.symbol, resting.value.client_order_id)
    assert state is not None
    assert state.status == "new"


@pytest.mark.parametrize(
    ("reason", "failure"),
    [("margin", "insufficient_margin"), ("open_orders", "too_many_orders"), ("rate", ""), ("not_ready", "")],
)
@everywhere
async def test_new_orders_are_refused_in_the_venues_own_words(
    rig: Rig, venue: VenueAccount, reason: str, failure: str
) -> None:
    rig.arm("reject_orders", times=1, reason=reason)
    approved = rig.order()
    with pytest.raises((Rejected, Unknown, Unavailable)) as caught:
        await venue.submit(approved)
    told = caught.value.reason if isinstance(caught.value, Rejected) else ""
    assert told == failure, repr(caught.value)
    assert rig.orders_kept == 0
    assert await venue.order_state(rig.symbol, approved.value.client_order_id) is None
    await venue.submit(rig.order())
    assert rig.orders_kept == 1, "the next is taken"


async def unknown_and_found(rig: Rig, venue: VenueAccount, approved: Approved[VenueOrder]) -> None:
    """Send an order whose acknowledgement is lost: it is unknown, and found by our own id, filled once."""
    with pytest.raises(Unknown):
        await venue.submit(approved)
    assert rig.orders_kept == 1
    state = await venue.order_state(rig.symbol, approved.value.client_order_id)
    assert state is not None
    assert (state.status, state.filled) == ("filled", rig.unit)


@pytest.mark.parametrize("kind", ["timeout", "reset", "bad_gateway", "truncate", "html"])
@everywhere
async def test_a_lost_acknowledgement_is_unknown_and_found(rig: Rig, venue: VenueAccount, kind: FaultKind) -> None:
    began_us = since_us()
    rig.arm(kind, "orders")
    assert await venue.order_state(rig.symbol, "tnobody") is None, "only new orders are hit"
    await unknown_and_found(rig, venue, rig.order())
    assert rig.simulated.faults.counts[kind] == 1
    (fill,) = await venue.fills_since(rig.symbol, began_us)
    assert fill.quantity == rig.unit


@everywhere
async def test_a_venue_that_vanishes_in_the_middle_of_an_order_is_away_and_comes_back(
    rig: Rig, venue: VenueAccount
) -> None:
    began_us, approved = since_us(), rig.order()
    async with listening(venue.account_events()) as account:
        await account.until(Connected)
        rig.arm("vanish", "orders", delay_ms=AWAY_MS)
        with pytest.raises(Unknown):
            await venue.submit(approved)
        down = await account.until(Disconnected)
        with pytest.raises((Unavailable, Unknown)):
            await venue.order_state(rig.symbol, approved.value.client_order_id)
        with pytest.raises((Unavailable, Unknown)):
            await venue.submit(rig.order())
        assert rig.orders_kept == 1
        up = await account.until(Connected, after=account.heard.index(down))
        assert account.of(FillReport) == [], "nobody heard of the fill"
        assert account.heard.index(up) > account.heard.index(down)
    state = await venue.order_state(rig.symbol, approved.value.client_order_id)
    assert state is not None
    assert (state.status, state.filled) == ("filled", rig.unit)
    (fill,) = await venue.fills_since(rig.symbol, began_us)
    assert fill.quantity == rig.unit


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("thin", {"factor": D("1.1")}), ("thin", {"factor": D(-1)}), ("vanish", {}), ("dislocate", {"factor": D(0)})],
)
def test_nonsense_is_not_armed(kind: FaultKind, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"factor|delay_ms"):
        Faults().arm(Fault(kind=kind, **fields), 0)


async def test_the_door_arms_what_it_is_asked_for(tmp_path: Path) -> None:
    async with rigged(BYBIT, tmp_path, admin_token=TOKEN) as rig, rig.account() as venue:
        asked = {"kind": "reject_orders", "reason": "margin", "for_ms": 60_000}
        assert (await Door(rig).ask("POST", "faults", asked))[0] == 200
        with pytest.raises(Rejected):
            await venue.submit(rig.order())
        assert (await Door(rig).ask("GET", "faults"))[1] == {"reject_orders": 1}
        assert (await Door(rig).ask("POST", "faults", {**asked, "reason": "spite"}))[0] == 400
