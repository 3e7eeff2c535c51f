"""Scenarios of a demonstration: what befalls the venues while benefactors trade, told and judged by name.

A scenario plays in rounds: one in a demonstration that has a time, one after another in one that runs until it is
stopped. A round leaves the end of its time to recover in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import msgspec

from api.demo.risk_scenarios import RISK_SCENARIOS
from api.demo.stage import LOOK_EVERY_S, Stage, held, positions, venues
from api.settings import SettingsError

# A round begins when this share of its time is over; troubles last for this share of it, up to a bound.
BEGINS, LASTS, LASTS_S_MAX = 0.2, 0.35, 20.0
SECONDS_LEAST = 20.0
# Of a demonstration that runs until it is stopped, each round takes so long.
ROUND_S = 60.0
# What of a visible book is really there in `partial_fills`: about what a middling order here asks for.
THIN = "0.0003"
# What is closed by force of a position.
FORCED_SHARE = Decimal("0.3")
# Every way in which an acknowledgement gets lost after the order was taken, and how often at each venue.
LOST_ACKS = ("timeout", "reset", "truncate", "html", "bad_gateway")
LOST_TIMES = 2


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Say what was done to the house, and when."""

    what: str
    at_us: int


async def venue_outage(stage: Stage) -> None:
    """Take the venue that holds most away in the middle of an order; if none comes, without one."""
    holding = await positions(stage, 1)
    venue = holding[0][1] if holding else venues(stage.book)[0]
    away_s = stage.lasts_s / 2
    before = (await stage.door.counts())[venue].get("vanish", 0)
    await stage.door.arm(venue, "vanish", on="orders", for_ms=_ms(away_s), times=1, delay_ms=_ms(away_s))
    waited = 0.0
    while waited < away_s:
        await asyncio.sleep(LOOK_EVERY_S)
        waited += LOOK_EVERY_S
        if (await stage.door.counts())[venue].get("vanish", 0) > before:
            stage.told(f"{venue} vanished in the middle of an order")
            await asyncio.sleep(away_s)
            return
    await stage.door.arm(venue, "lost", for_ms=_ms(away_s))
    stage.told(f"{venue} went away between orders")
    await asyncio.sleep(away_s)


async def adl(stage: Stage) -> None:
    """Deleverage part of the largest position, and liquidate part of one at another venue."""
    holding = await positions(stage, 2)
    if not holding:
        stage.told("nothing was held that could be closed by force")
        return
    _, first, underlying = holding[0]
    await stage.door.force(first, underlying, "adl", FORCED_SHARE)
    stage.told(f"{first} deleveraged {FORCED_SHARE} of its {underlying}")
    await asyncio.sleep(stage.lasts_s / 4)
    others = [(venue, base) for _, venue, base in held(stage.book) if venue != first]
    second, underlying = others[0] if others else (first, underlying)
    await stage.door.force(second, underlying, "liquidation", FORCED_SHARE)
    stage.told(f"{second} liquidated {FORCED_SHARE} of its {underlying}")


async def partial_fills(stage: Stage) -> None:
    """Make every book thinner than it shows for a while."""
    for venue in venues(stage.book):
        await stage.door.arm(venue, "thin", for_ms=_ms(stage.lasts_s), factor=THIN)
    stage.told(f"the books of {', '.join(venues(stage.book))} hold {THIN} of what they show")
    await asyncio.sleep(stage.lasts_s)


async def lost_ack(stage: Stage) -> None:
    """Lose acknowledgements of orders in every way there is, at every venue."""
    for venue in venues(stage.book):
        for kind in LOST_ACKS:
            await stage.door.arm(venue, kind, on="orders", times=LOST_TIMES, for_ms=_ms(stage.lasts_s))
    stage.told(f"acknowledgements of {', '.join(venues(stage.book))} get lost: {', '.join(LOST_ACKS)}")
    await asyncio.sleep(stage.lasts_s)


SCENARIOS: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    "venue_outage": venue_outage,
    "adl": adl,
    "partial_fills": partial_fills,
    "lost_ack": lost_ack,
    **RISK_SCENARIOS,
}


def parse_scenario(name: str, seconds: float | None) -> str:
    """Return a scenario's name; raise `SettingsError` with the names that there are, or with the time it needs."""
    wanted = name.replace("-", "_")
    if wanted not in SCENARIOS:
        raise SettingsError(f"no scenario is called {name!r}: {', '.join(sorted(SCENARIOS))}")
    if seconds is not None and seconds < SECONDS_LEAST:
        raise SettingsError(f"{wanted} has no time to be recovered from: give --for {SECONDS_LEAST:g} or more")
    return wanted


def round_of(seconds: float | None) -> tuple[float, float, float]:
    """Return how long a round waits before it begins, how long its troubles last, and how long it takes in all."""
    whole = ROUND_S if seconds is None else seconds
    return whole * BEGINS, min(whole * LASTS, LASTS_S_MAX), whole


def _ms(seconds: float) -> int:
    return round(seconds * 1_000)
