"""Scenarios in which controls must act: each ends with something halted or reduced, and people to release it.

They play in a house whose settings were tightened for them, so that what took days on the worst day of a real market
takes seconds here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

import msgspec

from api.demo.stage import Stage, positions
from api.settings import LimitSettings, Settings
from domain.limit import Control
from domain.mode import GLOBAL
from domain.quantity import Num

# Nothing returns by itself while a scenario is judged.
RESUME_MS = 600_000
# A fault that lasts until the demonstration takes it back.
TO_THE_END_MS = 600_000
# `breach`: how far the market falls, and the profit that may stand at a venue, USD.
FALL, UNSETTLED_USD = Decimal("0.95"), Num(150)
# `depeg_10_10`: what one venue's own book shows, what the stable falls to, and what is deleveraged.
DISLOCATED, DEPEGGED, DELEVERAGED = "0.65", Decimal("0.955"), Decimal("0.3")
# `bybit_outage`
AWAY = "bybit"
# `runaway_algo`: orders of one kind in a while, the while, and how many traders of an algorithm go mad together.
# Six sane ones bring about a dozen.
REPEATED_MAX, REPEATED_MS, MAD_TRADERS = Num(20), 10_000, 18


async def breach(stage: Stage) -> None:
    """Let the whole market fall: what shorts win stands at the venues, beyond what may stand there."""
    await positions(stage, 2)
    for asset in ("ETH", "BTC"):
        await stage.door.move(asset, FALL, round(stage.lasts_s * 1_000))
    stage.told(f"ETH and BTC fell to {FALL} of their prices within {stage.lasts_s:g} s")
    await asyncio.sleep(stage.lasts_s)


async def depeg_10_10(stage: Stage) -> None:
    """Do what befell on 10 October 2025: one venue's own book collapses, positions are deleveraged, a stable slips."""
    holding = await positions(stage, 1)
    venue = holding[0][1] if holding else "binanceusdm"
    await stage.door.arm(venue, "dislocate", on="ETH", for_ms=round(stage.lasts_s * 1_000), factor=DISLOCATED)
    stage.told(f"ETH showed {DISLOCATED} of its price on {venue} alone")
    if holding:
        _, first, underlying = holding[-1]
        await stage.door.force(first, underlying, "adl", DELEVERAGED)
        stage.told(f"{first} deleveraged {DELEVERAGED} of its {underlying}")
    await stage.door.move("USDT", DEPEGGED, round(stage.lasts_s * 500))
    stage.told(f"USDT fell to {DEPEGGED} of a dollar everywhere")
    await asyncio.sleep(stage.lasts_s)


async def bybit_outage(stage: Stage) -> None:
    """Take Bybit away with what it holds, and do not bring it back."""
    await positions(stage, 3)
    await stage.door.arm(AWAY, "lost", for_ms=TO_THE_END_MS)
    stage.told(f"{AWAY} went away and stayed away")
    await asyncio.sleep(stage.lasts_s)


async def runaway_algo(stage: Stage) -> None:
    """Let an integrator's algorithm go mad: it mints as fast as it can, for ever."""
    await positions(stage, 1)
    stage.go_mad(MAD_TRADERS)
    stage.told(f"{MAD_TRADERS} traders of one algorithm began to mint as fast as they can")
    await asyncio.sleep(stage.lasts_s)


RISK_SCENARIOS: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    "breach": breach,
    "depeg_10_10": depeg_10_10,
    "bybit_outage": bybit_outage,
    "runaway_algo": runaway_algo,
}


def prepared(name: str, settings: Settings) -> Settings:
    """Return the settings of the house in which a scenario plays; those of another scenario are as they were."""
    if name not in RISK_SCENARIOS:
        return settings
    replace = msgspec.structs.replace
    risk = settings.policy.risk
    risk = replace(risk, triggers=replace(risk.triggers, resume_after_ms=RESUME_MS))
    limits = settings.limits
    if name == "breach":
        limits = _with(limits, Control.UNSETTLED_PROFIT, GLOBAL, UNSETTLED_USD)
    if name == "runaway_algo":
        limits = _with(limits, Control.REPEATED_EXECUTION, "asset:ETH", REPEATED_MAX)
        risk = replace(risk, windows=replace(risk.windows, repeated_ms=REPEATED_MS))
    return replace(settings, policy=replace(settings.policy, risk=risk), limits=limits)


def _with(limits: tuple[LimitSettings, ...], control: Control, scope: str, value: Num) -> tuple[LimitSettings, ...]:
    """Return limits with this one set."""
    others = tuple(each for each in limits if (each.control, each.scope) != (control, scope))
    return (*others, LimitSettings(control=control, scope=scope, value=value))
