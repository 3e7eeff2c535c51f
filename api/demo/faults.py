"""Faults on demand in a demonstration: a partner goes wrong for a while, and what the house did about it is judged."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from api.demo.checks import Verdict
from api.demo.door import Door
from api.settings import SettingsError
from domain.event import Event
from domain.market import Integrity
from domain.quote import QuoteIssued
from domain.suspension import (
    AssetResumed,
    AssetSuspended,
    InstrumentResumed,
    InstrumentSuspended,
    OracleResumed,
    OracleSuspended,
    VenueResumed,
    VenueSuspended,
)

# A venue that is hedged on: its data missing, quotes and hedges must do without it, or stop.
SOURCE_DEFAULT = "binanceusdm"
# A fault begins when this share of the demonstration is over and lasts for this share, up to a bound.
BEGINS, LASTS, LASTS_S_MAX = 0.25, 0.25, 15.0
# How far, in bps, a source that vouched for a quote may lie from the quote's own reference.
TOLERANCE_BPS = 250
BPS = 10_000

KINDS: Mapping[str, Mapping[str, Any]] = {
    "gap": {"times": 3},
    "duplicate": {},
    "reorder": {"times": 3},
    "freeze": {},
    "silence": {},
    "crossed": {},
    "clock_skew": {"skew_ms": 5_000},
    "disconnect": {},
    "lost": {},
    "rate_limited": {},
    "bad_gateway": {},
    "html": {},
    "truncate": {},
    "dislocate": {"factor": "0.65"},
    "maintenance": {},
    "bad_signature": {},
}
ALIASES = {
    "429": "rate_limited",
    "5xx": "bad_gateway",
    "truncated": "truncate",
    "dislocated": "dislocate",
    "crossed_book": "crossed",
}
# What is told only by silence.
SILENT = frozenset({"freeze", "silence"})
# A silent source is silent for this much longer than it may be; this share of the demonstration is for its recovery.
SEEN_S, RECOVERS = 3.0, 0.25
# What is recognised and passed over: nobody needs to be suspended for it.
HARMLESS = frozenset({"duplicate"})

Suspended = VenueSuspended | InstrumentSuspended | OracleSuspended | AssetSuspended
Resumed = VenueResumed | InstrumentResumed | OracleResumed | AssetResumed


class DemoFault(msgspec.Struct, frozen=True, kw_only=True):
    """Name a fault and whom it befalls."""

    kind: str
    source: str

    @property
    def name(self) -> str:
        """Return it as it was asked for."""
        return f"{self.kind}@{self.source}"


def parse_fault(text: str) -> DemoFault:
    """Read `NAME[@SOURCE]`; raise `SettingsError` with the names that there are."""
    name, _, source = text.partition("@")
    kind = ALIASES.get(name, name.replace("-", "_"))
    if kind not in KINDS:
        raise SettingsError(f"no fault is called {name!r}: {', '.join(sorted((*KINDS, *ALIASES)))}")
    return DemoFault(kind=kind, source=source or SOURCE_DEFAULT)


def lasts_s(fault: DemoFault, seconds: float, integrity: Integrity) -> float:
    """Return how long a fault lasts in a demonstration of so many seconds.

    Whoever only falls silent is suspended once it is older than it may be, so it must be silent for longer than that.
    Raise `SettingsError` with the time to give when there is none left to see it and to recover in.
    """
    share = min(seconds * LASTS, LASTS_S_MAX)
    if fault.kind not in SILENT:
        return share
    allowed = integrity.age_ms_of(fault.source)
    lasts = max(share, allowed / 1_000 + SEEN_S)
    if lasts > seconds * (1 - BEGINS - RECOVERS):
        least = math.ceil(lasts / (1 - BEGINS - RECOVERS))
        text = f"{fault.name} is seen only after the {allowed} ms that it may be old: give --for {least} or more"
        raise SettingsError(text)
    return lasts


class Armed(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a fault that was armed, and when."""

    fault: DemoFault
    at_us: int


async def arm(door: Door, fault: DemoFault, for_s: float, now_us: int) -> Armed:
    """Arm a fault at the simulators' own door; raise `SettingsError` with what the door said when it will not."""
    extra = dict(KINDS[fault.kind])
    span = {} if "times" in extra else {"for_ms": round(for_s * 1_000)}
    await door.arm(fault.source, fault.kind, **span, **extra)
    return Armed(fault=fault, at_us=now_us)


def judge_fault(armed: Armed, events: Sequence[Event]) -> Verdict:
    """Judge whether the one whom a fault befell was suspended, and is back."""
    mine = f"{armed.fault.name} is seen, suspended and recovered from"
    suspended = [
        event
        for event in events
        if isinstance(event, Suspended) and event.observed_at_us >= armed.at_us and _is_of(event, armed.fault.source)
    ]
    still = _suspended_at_the_end(events, armed.fault.source)
    if still:
        return Verdict(held=False, invariant=mine, found=f"still suspended: {', '.join(sorted(still))}")
    if armed.fault.kind in HARMLESS:
        return Verdict(held=True, invariant=f"{armed.fault.name} harms nobody", found=f"{len(suspended)} suspensions")
    if not suspended:
        return Verdict(held=False, invariant=mine, found="nobody was suspended")
    first = suspended[0]
    after_ms = (first.observed_at_us - armed.at_us) // 1_000
    found = f"{first.scope} by {first.law} after {after_ms} ms, {len(suspended)} suspensions, all over"
    return Verdict(held=True, invariant=mine, found=found)


def judge_quotes(events: Sequence[Event]) -> Verdict:
    """Judge whether every quote rests on sources that were not suspended then, and that agree with it."""
    suspended: set[str] = set()
    wrong: list[str] = []
    quotes = 0
    for event in events:
        match event:
            case VenueSuspended() | InstrumentSuspended() | OracleSuspended() | AssetSuspended():
                suspended.add(event.scope)
            case VenueResumed() | InstrumentResumed() | OracleResumed() | AssetResumed():
                suspended.discard(event.scope)
            case QuoteIssued():
                quotes += 1
                wrong.extend(_wrong_sources(event, suspended))
            case _:
                pass
    found = f"{quotes} quotes" if not wrong else f"{len(wrong)} sources should not have vouched: {wrong[0]}"
    return Verdict(held=not wrong, invariant="no quote rests on bad data", found=found)


def _wrong_sources(quote: QuoteIssued, suspended: set[str]) -> list[str]:
    wrong: list[str] = []
    if not quote.sources:
        wrong.append(f"{quote.quote_id} has no source at all")
    for source in quote.sources:
        scopes = {f"venue:{source.venue}", f"instrument:{source.venue}|{source.symbol}", f"oracle:{source.venue}"}
        if scopes & suspended:
            wrong.append(f"{quote.quote_id} rests on {source.venue} {source.symbol}, suspended")
    mids = sorted((source.bid + source.ask) / 2 for source in quote.sources if not _is_stable(source.bid))
    if mids and mids[-1] > mids[0] * (1 + Decimal(TOLERANCE_BPS) / BPS):
        wrong.append(f"{quote.quote_id} rests on sources from {mids[0]} to {mids[-1]}")
    return wrong


def _is_stable(price: Decimal) -> bool:
    return price < 2  # noqa: PLR2004 - a stable is about a dollar; what is hedged is worth far more


def _is_of(event: Suspended | Resumed, source: str) -> bool:
    match event:
        case VenueSuspended() | VenueResumed() | InstrumentSuspended() | InstrumentResumed():
            return event.venue == source
        case OracleSuspended() | OracleResumed():
            return event.oracle == source
        case AssetSuspended() | AssetResumed():
            return False


def _suspended_at_the_end(events: Sequence[Event], source: str) -> set[str]:
    scopes: set[str] = set()
    for event in events:
        if isinstance(event, Suspended) and _is_of(event, source):
            scopes.add(event.scope)
        elif isinstance(event, Resumed) and _is_of(event, source):
            scopes.discard(event.scope)
    return scopes
