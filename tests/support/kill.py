"""Orders that rest or wait at the simulated venues of a house, placed by nobody of it; and the kill as a process."""

import asyncio
import json
import subprocess
import sys
import time
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import Loopback, VenueSettings
from adapters.exchange.signed import SignedDeribit
from adapters.exchange.venues import open_account
from api.settings import Settings, read_settings
from domain.approval import approve
from domain.venue import VenueOrder
from tests.contract.venue_conditional import Stop, plant

ROOT = Path(__file__).resolve().parents[2]
SYMBOLS = {"binanceusdm": "ETH/USDT:USDT", "bybit": "ETH/USDT:USDT", "okx": "ETH/USDT:USDT", "deribit": "ETH/USD:ETH"}
BELOW = Decimal("0.97")
# Stops that are left at each venue beside the orders: in which market by its own name, and how much each sells.
STOPS = 2
STOPPED = {
    "binanceusdm": ("ETHUSDT", Decimal(1)),
    "bybit": ("ETHUSDT", Decimal(1)),
    "okx": ("ETH-USDT-SWAP", Decimal(10)),
    "deribit": ("ETH-PERPETUAL", Decimal(1_000)),
}
KILL_WITHIN_S = 180.0


class Killed(msgspec.Struct):
    """Hold how a kill ended."""

    code: int
    report: dict[str, Any]
    told: str


def resolved(data_dir: Path) -> Settings:
    """Return the settings that a house's roles run on."""
    return read_settings(data_dir / "run" / "settings.json")


async def rest_everywhere(settings: Settings, each: int) -> None:
    """Let buys far below the market rest at the four venues, and stops wait there."""
    await asyncio.gather(*(_rest(settings, venue, symbol, each) for venue, symbol in SYMBOLS.items()))


async def _rest(settings: Settings, name: str, symbol: str, each: int) -> None:
    venue = next(venue for venue in settings.venues if venue.name == name)
    account = VenueSettings(
        venue=name,
        account=venue.account,
        api_key=venue.api_key,
        api_secret=venue.api_secret,
        passphrase=venue.passphrase,
        symbols=(symbol,),
        loopback=Loopback(port=settings.loopback.port, ca_file=Path(settings.loopback.ca)),
    )
    async with open_account(account) as opened:
        (listed,) = opened.instruments
        told = (await opened.mark(symbol)).mark_price
        price = (told * BELOW / listed.tick).to_integral_value(ROUND_FLOOR) * listed.tick
        market, quantity = STOPPED[name]
        for number in range(STOPS):
            await plant(account, Stop(market=market, quantity=quantity, trigger=price, name=f"stop{number}"))
        if name == "deribit":
            # Not over the account: what is placed there goes with its connection.
            await _rest_at_deribit(account, price, each)
            return
        for _ in range(each):
            order = VenueOrder(
                venue=name,
                account=venue.account,
                symbol=symbol,
                side="buy",
                quantity=listed.step * 1_000,
                limit_price=price,
                time_in_force="gtc",
                reduce_only=False,
                client_order_id=f"t{uuid4().hex[:20]}",
            )
            await opened.submit(approve(order, uuid4(), time.time_ns() // 1_000 + 60_000_000))


async def _rest_at_deribit(account: VenueSettings, price: Decimal, each: int) -> None:
    assert account.loopback is not None
    asked = {"instrument_name": "ETH-PERPETUAL", "amount": 100, "type": "limit", "price": f"{price:f}"}
    async with loopback_session(account.loopback, frozenset({SignedDeribit.host})) as session:
        venue = SignedDeribit(account, session)
        for _ in range(each):
            await venue.get("/api/v2/private/buy", asked)


def run_kill(config: Path, *options: str) -> Killed:
    """Run `ballast kill` as a person would."""
    command = [sys.executable, "-m", "api.cli", "kill", "--config", str(config), "--reason", "a test", "--json"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, timeout=KILL_WITHIN_S, check=False)
    told = done.stderr.decode(errors="replace")
    return Killed(done.returncode, json.loads(done.stdout) if done.stdout else {}, told)
