"""Conditional orders planted over a venue's own REST, as a person or another program on the account would."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from adapters.exchange.connection import loopback_session
from adapters.exchange.settings import VenueSettings
from adapters.exchange.signed import (
    SignedBybit,
    SignedCoinm,
    SignedDeribit,
    SignedOkx,
    SignedSpot,
    SignedUsdm,
    SignedVenue,
)

D = Decimal
V = TypeVar("V", bound=SignedVenue)


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Sell so much at market once the mark has fallen to a price."""

    market: str
    quantity: Decimal
    trigger: Decimal
    name: str


@asynccontextmanager
async def signed(settings: VenueSettings, speaker: type[V]) -> AsyncGenerator[V]:
    """Speak with a simulated venue as its account's owner may."""
    assert settings.loopback is not None
    async with loopback_session(settings.loopback, frozenset({speaker.host})) as session:
        yield speaker(settings, session)


async def plant(settings: VenueSettings, stop: Stop) -> Any:
    """Leave a conditional order at a venue; return what it answers."""
    speaker, planting = _PLANTING[settings.venue]
    async with signed(settings, speaker) as venue:
        return await planting(venue, stop)


async def _futures(venue: SignedVenue, stop: Stop, root: str) -> Any:
    asked = {
        "algoType": "CONDITIONAL",
        "symbol": stop.market,
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": f"{stop.quantity:f}",
        "triggerPrice": f"{stop.trigger:f}",
        "clientAlgoId": stop.name,
    }
    return await venue.send("POST", f"/{root}/v1/algoOrder", asked)


async def _usdm(venue: SignedVenue, stop: Stop) -> Any:
    return await _futures(venue, stop, "fapi")


async def _coinm(venue: SignedVenue, stop: Stop) -> Any:
    return await _futures(venue, stop, "dapi")


async def _spot(venue: SignedVenue, stop: Stop) -> Any:
    asked = {
        "symbol": stop.market,
        "side": "SELL",
        "type": "STOP_LOSS",
        "quantity": f"{stop.quantity:f}",
        "stopPrice": f"{stop.trigger:f}",
        "newClientOrderId": stop.name,
    }
    return await venue.send("POST", "/api/v3/order", asked)


async def _bybit(venue: SignedVenue, stop: Stop) -> Any:
    asked = {
        "category": "linear" if stop.market.endswith(("USDT", "PERP")) else "inverse",
        "symbol": stop.market,
        "side": "Sell",
        "orderType": "Market",
        "qty": f"{stop.quantity:f}",
        "triggerPrice": f"{stop.trigger:f}",
        "triggerDirection": 2,
        "triggerBy": "MarkPrice",
        "orderLinkId": stop.name,
    }
    return await venue.post("/v5/order/create", asked)


async def _okx(venue: SignedVenue, stop: Stop) -> Any:
    asked = {
        "instId": stop.market,
        "tdMode": "cross",
        "side": "sell",
        "ordType": "conditional",
        "sz": f"{stop.quantity:f}",
        "slTriggerPx": f"{stop.trigger:f}",
        "slOrdPx": "-1",
        "slTriggerPxType": "mark",
        "algoClOrdId": stop.name,
    }
    return await venue.post("/api/v5/trade/order-algo", asked)


async def _deribit(venue: SignedVenue, stop: Stop) -> Any:
    asked = {
        "instrument_name": stop.market,
        "amount": f"{stop.quantity:f}",
        "type": "stop_market",
        "trigger": "mark_price",
        "trigger_price": f"{stop.trigger:f}",
        "label": stop.name,
    }
    return await venue.get("/api/v2/private/sell", asked)


_PLANTING: Mapping[str, tuple[type[SignedVenue], Callable[[Any, Stop], Any]]] = {
    "binanceusdm": (SignedUsdm, _usdm),
    "binancecoinm": (SignedCoinm, _coinm),
    "binance": (SignedSpot, _spot),
    "bybit": (SignedBybit, _bybit),
    "okx": (SignedOkx, _okx),
    "deribit": (SignedDeribit, _deribit),
}
