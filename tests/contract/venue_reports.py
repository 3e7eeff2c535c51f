"""What every venue account tells when asked: positions, money, marks, fees, funding, listings; and what never."""

import logging
import time
import traceback
from decimal import Decimal
from typing import Any

import pytest

from adapters.exchange.account import VenueAccount
from adapters.exchange.failures import VenueUnsuitable
from adapters.exchange.venues import listings
from adapters.simulators.interest import open_interest
from domain.venue import Connected, Disconnected, FillReport, Rejected, VenueFailure
from tests.contract.venue_orders import MINUTE_US, RiggedContract
from tests.contract.venue_rig import ASK, BID, PASSPHRASE, Bench, Rig, rigged
from tests.support.exchange import listening

D = Decimal


class ReportsContract(RiggedContract):
    async def test_shorts_are_negative_and_flat_is_flat(self, rig: Rig, venue: VenueAccount) -> None:
        assert await venue.positions() == []
        await venue.submit(rig.order(quantity=rig.unit * 2))
        if rig.is_spot:
            assert await venue.positions() == []
            return
        (short,) = await venue.positions()
        assert (short.symbol, short.quantity, short.entry_price) == (rig.symbol, rig.unit * -2, BID)
        assert short.mark_price > 0
        assert short.initial_margin > short.maintenance_margin > 0
        await venue.submit(rig.order(side="buy", quantity=rig.unit * 3, limit_price=ASK))
        (long,) = await venue.positions()
        assert (long.quantity, long.entry_price) == (rig.unit, ASK)
        await venue.submit(rig.order(quantity=rig.unit))
        assert await venue.positions() == []

    async def test_balances(self, rig: Rig, venue: VenueAccount) -> None:
        asset = rig.listed.settle
        before = {report.asset: report for report in await venue.balances()}[asset]
        assert before.wallet > 0
        assert before.available == before.margin == before.wallet
        await venue.submit(rig.order(quantity=rig.unit * 2))
        (fill,) = await venue.fills_since(rig.symbol, time.time_ns() // 1_000 - MINUTE_US)
        after = {report.asset: report for report in await venue.balances()}[asset]
        received = rig.value(fill.quantity, fill.price) if rig.is_spot else D(0)
        assert round(after.wallet, 8) == round(before.wallet + received - fill.fee_quantity, 8)
        if rig.is_spot:
            return
        (position,) = await venue.positions()
        assert round(after.margin, 6) == round(after.wallet + position.unrealised_profit, 6)
        assert after.initial_margin > 0
        assert after.available < after.margin

    async def test_mark_fees_and_funding(self, rig: Rig, venue: VenueAccount) -> None:
        rates = await venue.fee_rates(rig.symbol)
        assert (rates.maker, rates.taker) == (rig.listed.maker_rate, rig.listed.taker_rate)
        if rig.is_spot:
            with pytest.raises(Rejected):
                await venue.mark(rig.symbol)
            assert await venue.fundings_since(0) == []
            return
        mark = await venue.mark(rig.symbol)
        assert BID <= mark.mark_price <= ASK
        assert mark.index_price > 0
        assert mark.funding_interval_ms == rig.listed.funding_interval_ms
        assert mark.next_funding_us > mark.at_us > time.time_ns() // 1_000 - MINUTE_US
        await venue.submit(rig.order(quantity=rig.unit * 2))
        rig.pay_funding()
        (paid,) = await venue.fundings_since(time.time_ns() // 1_000 - MINUTE_US)
        assert (paid.symbol, paid.asset) == (rig.symbol, rig.listed.settle)
        due = rig.value(rig.unit * 2, mark.mark_price) * rig.listed.funding_rate
        assert round(paid.amount, 6) == round(due, 6), "a short is paid when the rate is positive"
        assert await venue.fundings_since(paid.at_us + 1_000_000) == []
        fills = await venue.fills_since(rig.symbol, time.time_ns() // 1_000 - MINUTE_US)
        assert len(fills) == 1, "funding is no fill"

    async def test_open_interest_is_in_units(self, rig: Rig, venue: VenueAccount) -> None:
        if rig.is_spot:
            assert await venue.open_interest(rig.symbol) is None
            return
        told = open_interest(rig.simulated.exchange, rig.listed)
        assert told > 0
        assert await venue.open_interest(rig.symbol) == told * rig.listed.contract_size

    async def test_listings_are_whole(self, rig: Rig, venue: VenueAccount) -> None:
        (listed,) = venue.instruments
        sim, size = rig.listed, rig.listed.contract_size
        assert (listed.venue, listed.symbol, listed.kind) == (rig.bench.venue, rig.symbol, sim.kind)
        assert listed.market_id
        assert (listed.base, listed.quote, listed.settle) == (sim.base, sim.quote, sim.settle)
        assert (listed.tick, listed.step) == (sim.tick, sim.step * size)
        assert listed.quantity_min == sim.quantity_min * size
        assert listed.quantity_max >= rig.unit
        assert listed.contract_size > 0
        if rig.is_spot:
            assert (listed.funding_interval_ms, listed.margin_tiers) == (0, ())
        else:
            assert listed.funding_interval_ms == sim.funding_interval_ms
            assert listed.margin_tiers
            assert all(0 < tier.maintenance_rate < 1 <= tier.leverage_max for tier in listed.margin_tiers)
            assert [tier.notional_from for tier in listed.margin_tiers] == sorted(
                {tier.notional_from for tier in listed.margin_tiers}
            )
        assert await venue.relist() == (listed,)
        (public,) = await listings(rig.bench.venue, [rig.symbol], rig.loopback)
        public_fields = (public.tick, public.step, public.kind, public.market_id, public.funding_interval_ms)
        assert public_fields == (listed.tick, listed.step, listed.kind, listed.market_id, listed.funding_interval_ms)

    @pytest.mark.parametrize("symbol", ["DOGE/USDT:USDT", "ETH/USDT:USDX", "ETH", ""])
    async def test_a_market_not_listed_under_that_very_name_is_not_opened(self, rig: Rig, symbol: str) -> None:
        with pytest.raises(VenueUnsuitable, match="under that very name"):
            await rig.account(symbols=(symbol,)).open()

    async def test_a_clock_that_is_off_is_refused(self, rig: Rig) -> None:
        rig.shift_clock(90_000)
        with pytest.raises(VenueUnsuitable, match="clock"):
            await rig.account().open()

    async def test_another_authority_is_not_trusted(self, rig: Rig, bench: Bench, tmp_path_factory: Any) -> None:
        async with rigged(bench, tmp_path_factory.mktemp("other")) as other:
            loopback = type(rig.loopback)(port=rig.loopback.port, ca_file=other.loopback.ca_file)
            with pytest.raises(VenueFailure):
                await rig.account(loopback=loopback).open()

    async def test_no_secret_is_in_an_error_a_reason_or_a_log_line(
        self, rig: Rig, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        said = [repr(rig.settings())]
        for changes in ({"api_key": "q" * 64}, {"api_secret": "z" * 64}):
            with pytest.raises(VenueFailure) as caught:
                await rig.account(**changes).open()
            said.append("".join(traceback.format_exception(caught.value)))
        async with rig.account() as venue, listening(venue.account_events()) as account:
            await account.until(Connected)
            for kind in ("bad_gateway", "html", "truncate", "reset", "timeout", "lost", "rate_limited"):
                rig.arm(kind, "create")
                with pytest.raises(VenueFailure) as caught:
                    await venue.submit(rig.order())
                said.append("".join(traceback.format_exception(caught.value)))
            await account.until(FillReport)
            rig.arm("maintenance", "websocket", times=2)
            rig.drop_sockets()
            down = await account.until(Disconnected)
            said.append(down.reason)
            await account.until(Connected, after=account.heard.index(down))
            secrets = [*rig.bench.secrets(rig.simulated), "q" * 64, "z" * 64, PASSPHRASE]
            secrets += [rig.settings().api_key, rig.settings().api_secret]
        said += [record.getMessage() for record in caplog.records if record.name.startswith("adapters.exchange")]
        said += [str(record.exc_text) for record in caplog.records if record.name.startswith("adapters.exchange")]
        assert not [(secret, text) for secret in secrets for text in said if secret in text]
