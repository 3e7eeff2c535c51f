"""What every sweep of an account does: it sees whatever stands, ends it, and tells what is held. No listings needed."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.exchange.sweep import open_sweep
from adapters.simulators.admission import OrderRequest
from adapters.simulators.instruments import Instrument
from domain.sweep import Resting, Standing
from tests.contract.venue_conditional import Stop, plant
from tests.contract.venue_orders import RiggedContract
from tests.contract.venue_rig import BID, Bench, Rig, rigged

D = Decimal
MANY = 121
"""More than any venue tells on a page."""
TRIGGER = D(1950)


def rest(rig: Rig, instrument: Instrument, client_id: str, price: Decimal) -> None:
    """Let somebody else's order stand in the account: a small buy, far below the market."""
    quantity = max(instrument.quantity_min, _worth(instrument, price))
    request = OrderRequest(
        symbol=instrument.symbol, side="BUY", type="LIMIT", quantity=quantity, price=price, client_id=client_id
    )
    rig.simulated.exchange.place(request, rig.simulated.clock_ms())


async def leave_stops(rig: Rig, number: int) -> None:
    """Let somebody leave conditional orders in the account, over the venue's own REST."""
    for each in range(number):
        stop = Stop(market=rig.bench.market, quantity=_worth(rig.listed, BID), trigger=TRIGGER, name=f"stop{each}")
        await plant(rig.settings(), stop)


def waiting(rig: Rig) -> set[str]:
    """Return the conditional orders by the venue's own view."""
    return {each.client_id for each in rig.simulated.exchange.conditionals.waiting()}


def _worth(instrument: Instrument, price: Decimal) -> Decimal:
    """Return the least quantity, in the venue's units, whose worth is well above its least notional."""
    wanted = instrument.notional_min * 2
    each = instrument.contract_size if instrument.kind == "inverse" else instrument.contract_size * price
    steps = (wanted / each / instrument.step).to_integral_value(rounding="ROUND_CEILING")
    return max(steps * instrument.step, instrument.quantity_min)


def _named(orders: tuple[Resting, ...]) -> dict[str, set[str]]:
    return {
        kind: {order.client_order_id for order in orders if order.kind == kind} for kind in ("plain", "conditional")
    }


class SweepContract(RiggedContract):
    """Try a sweep against the account of a running venue."""

    @pytest.fixture
    async def rig(self, bench: Bench, tmp_path: Path) -> AsyncIterator[Rig]:
        async with rigged(bench, tmp_path, deposits={"ETH": D(100), "BTC": D(10), "USDC": D(1_000_000)}) as made:
            yield made

    async def test_a_sweep_sees_whatever_stands_on_every_page_and_market_and_ends_it(self, rig: Rig) -> None:
        exchange = rig.simulated.exchange
        for number in range(MANY):
            rest(rig, rig.listed, f"n{number}", D(1990))
        for instrument in exchange.instruments.values():
            if instrument.symbol != rig.listed.symbol:
                middle = exchange.mark(instrument.symbol)
                price = (middle * D("0.99") / instrument.tick).to_integral_value() * instrument.tick
                rest(rig, instrument, f"o{instrument.kind}{instrument.settle}{instrument.base}", price)
        rig.simulated.commit()
        standing = {order.client_id for order in exchange.open_orders(None)}
        assert len(standing) > MANY
        async with open_sweep(rig.settings(symbols=())) as sweep:
            looked = await sweep.look()
            assert {order.client_order_id for order in looked.orders} == standing
            assert {(each.venue, each.account, each.kind) for each in looked.orders} == {
                (rig.bench.venue, "main", "plain")
            }
            assert (looked.untold, looked.failed) == ((), ())
            assert len(exchange.open_orders(None)) == len(standing)
            assert await sweep.clear(()) == looked
            assert await sweep.look() == Standing()
            assert not exchange.open_orders(None)
            assert await sweep.clear(looked.orders) == Standing()

    async def test_what_waits_for_a_price_is_seen_apart_and_ended_with_the_rest(self, rig: Rig) -> None:
        rest(rig, rig.listed, "plain", D(1990))
        rig.simulated.commit()
        await leave_stops(rig, 3)
        assert waiting(rig) == {"stop0", "stop1", "stop2"}
        async with open_sweep(rig.settings(symbols=())) as sweep:
            found = (await sweep.clear(())).orders
            assert _named(found) == {"plain": {"plain"}, "conditional": {"stop0", "stop1", "stop2"}}
            assert all(order.type and rig.bench.market in order.market for order in found if order.kind != "plain")
            assert await sweep.look() == Standing()
        assert waiting(rig) == set()
        assert not rig.simulated.exchange.open_orders(None)
        rig.book([(D(1900), 5)], [(D(1901), 5)])
        assert len(rig.simulated.exchange.orders) == 1

    async def test_what_waits_alone_is_found(self, rig: Rig) -> None:
        await leave_stops(rig, 1)
        async with open_sweep(rig.settings(symbols=())) as sweep:
            assert _named((await sweep.look()).orders) == {"plain": set(), "conditional": {"stop0"}}
            assert waiting(rig) == {"stop0"}
            await sweep.clear(())
        assert waiting(rig) == set()

    async def test_requests_are_signed_by_the_venues_clock_where_ours_is_wrong(self, rig: Rig) -> None:
        rest(rig, rig.listed, "plain", D(1990))
        rig.simulated.commit()
        rig.shift_clock(120_000)
        async with open_sweep(rig.settings(symbols=())) as sweep:
            assert sweep.ahead_ms == 0
            assert [order.client_order_id for order in (await sweep.clear(())).orders] == ["plain"]
            assert abs(sweep.ahead_ms - 120_000) < 5_000
        assert not rig.simulated.exchange.open_orders(None)

    async def test_a_sweep_tells_what_is_held(self, rig: Rig) -> None:
        if rig.is_spot:
            async with open_sweep(rig.settings(symbols=())) as sweep:
                assert list(await sweep.positions()) == []
            return
        async with rig.account() as account, open_sweep(rig.settings(symbols=())) as sweep:
            assert list(await sweep.positions()) == []
            await account.submit(rig.order(quantity=rig.unit * 2, limit_price=BID))
            (left,) = await sweep.positions()
            held = rig.simulated.exchange.ledger.positions[rig.bench.market].quantity
            assert held < 0
            assert (left.venue, left.account, left.quantity) == (rig.bench.venue, "main", held)
            counted = (
                "contracts" if rig.listed.contract_size != 1 else "quote" if rig.listed.kind == "inverse" else "base"
            )
            assert left.unit == counted
            assert rig.bench.market in left.market

    async def test_a_sweep_without_a_right_key_knows_nothing_of_any_part(self, rig: Rig) -> None:
        async with open_sweep(rig.settings(api_key="x" * 64)) as sweep:
            told = await sweep.clear(())
            assert {part.part for part in told.untold} == {part.name for part in sweep.parts}
            assert all(part.refused for part in told.untold), told.untold
            assert told.orders == ()
