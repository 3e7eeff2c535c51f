"""What every sweep of an account does: it sees whatever stands, ends it, and tells what is held. No listings needed."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.exchange.sweep import open_sweep
from adapters.simulators.admission import OrderRequest
from adapters.simulators.instruments import Instrument
from domain.venue import VenueFailure
from tests.contract.venue_orders import RiggedContract
from tests.contract.venue_rig import BID, Bench, Rig, rigged

D = Decimal
MANY = 121
"""More than any venue tells on a page."""


def rest(rig: Rig, instrument: Instrument, client_id: str, price: Decimal) -> None:
    """Let somebody else's order stand in the account: a small buy, far below the market."""
    quantity = max(instrument.quantity_min, _worth(instrument, price))
    request = OrderRequest(
        symbol=instrument.symbol, side="BUY", type="LIMIT", quantity=quantity, price=price, client_id=client_id
    )
    rig.simulated.exchange.place(request, rig.simulated.clock_ms())


def _worth(instrument: Instrument, price: Decimal) -> Decimal:
    """Return the least quantity, in the venue's units, whose worth is well above its least notional."""
    wanted = instrument.notional_min * 2
    each = instrument.contract_size if instrument.kind == "inverse" else instrument.contract_size * price
    steps = (wanted / each / instrument.step).to_integral_value(rounding="ROUND_CEILING")
    return steps * instrument.step


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
            found = await sweep.open_orders()
            assert {order.client_order_id for order in found} == standing
            assert {(order.venue, order.account) for order in found} == {(rig.bench.venue, "main")}
            await sweep.cancel_all(found)
            assert await sweep.open_orders() == []
            assert not exchange.open_orders(None)
            await sweep.cancel_all(found)
            await sweep.cancel_all([])

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

    async def test_a_sweep_without_a_right_key_fails_aloud(self, rig: Rig) -> None:
        async with open_sweep(rig.settings(api_key="x" * 64)) as sweep:
            with pytest.raises(VenueFailure):
                await sweep.open_orders()
            with pytest.raises(VenueFailure):
                await sweep.positions() if not rig.is_spot else await sweep.open_orders()
