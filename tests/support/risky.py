"""The log of a busy book in which everything happens that views of risk rest on, in an order that can be."""

import random
from collections.abc import Iterator
from itertools import islice

import msgspec

from benchmarks.mint_hedge import ACCOUNT, SYMBOL, VENUE
from benchmarks.mint_log import POLICY, events, stored
from domain.account import AccountObserved, Balance, Held
from domain.event import Event
from domain.interest import InterestObserved
from domain.latch import ControlLatched, ControlReleased
from domain.limit import Control, LimitExpired, LimitRemoved, LimitSet
from domain.limits import CONTROLS, default_limits
from domain.log import StoredEvent
from domain.mark import InstrumentMark, Mark, RiskMarked
from domain.mode import Mode, ModeChanged
from domain.policy import CustodianTarget, PolicyAdopted
from domain.quantity import ZERO, Num
from domain.ratio import RatioObserved
from domain.vault import CustodyBalanceObserved, CustodySettlementObserved, Holding
from domain.warning import LimitApproached
from domain.watch import DependencyDegraded, DependencyRestored

EVERY = 4
"""About so many events of requests and hedges go by between two of these."""
LATER = "okx"
"""A venue that comes with the second policy, and goes with the third."""


def risky_log(count: int, seed: int = 7) -> list[StoredEvent]:
    """Return the first events of such a log."""
    return list(stored(islice(_mixed(seed), count), count))


def _mixed(seed: int) -> Iterator[tuple[Event, int]]:
    chance = random.Random(f"risk {seed}")
    told: Iterator[Event] | None = None
    for event, at_us in events(seed):
        yield event, at_us
        if told is None:
            told = _facts(chance)
        elif not chance.randrange(EVERY):
            yield next(told), at_us


def _facts(chance: random.Random) -> Iterator[Event]:
    for control, scope, value in default_limits():
        yield _put(control, scope, value)
    number = 0
    open_ends: list[Event] = []
    while True:
        number += 1
        if open_ends and chance.random() < 0.3:
            yield open_ends.pop(chance.randrange(len(open_ends)))
            continue
        event, end = chance.choice(_KINDS)(chance, number)
        yield event
        if end is not None:
            open_ends.append(end)


def _put(control: Control, scope: str, value: Num, expires_at_us: int = 0) -> LimitSet:
    return LimitSet(
        control=control,
        scope=scope,
        value=value,
        unit=CONTROLS[control].unit,
        author="ada",
        reason="a reason",
        expires_at_us=expires_at_us,
    )


Told = tuple[Event, Event | None]


def _marks(chance: random.Random, number: int) -> Told:
    mid = Num(chance.randint(2_500, 3_500))
    lost = ("USDT",) if chance.random() < 0.2 else ()
    assets = (Mark(asset="ETH", low=Num(mid - 1), mid=mid, high=Num(mid + 1)),)
    if not lost:
        assets += (Mark(asset="USDT", low=Num("0.99"), mid=Num("0.995"), high=Num(1)),)
    marks = (InstrumentMark(venue=VENUE, symbol=SYMBOL, price=mid),) if chance.random() < 0.8 else ()
    return RiskMarked(assets=assets, instruments=marks, lost=lost, marked_at_us=number), None


def _account(chance: random.Random, number: int) -> Told:
    venue = chance.choice((VENUE, LATER, "deribit"))
    margin = Num(chance.randint(0, 500_000))
    balance = Balance(
        asset="USDT",
        wallet=margin,
        margin=margin,
        available=margin,
        initial_margin=ZERO,
        maintenance_margin=Num(chance.randint(0, 5_000)),
    )
    held = Held(
        symbol=SYMBOL,
        quantity=Num(-chance.randint(0, 50)),
        entry_price=Num(3_000),
        mark_price=Num(3_000),
        unrealised=ZERO,
        liquidation_price=Num(chance.choice((0, 3_300, 4_000))),
        initial_margin=ZERO,
        maintenance_margin=ZERO,
    )
    positions = (held,) if chance.random() < 0.7 else ()
    seen = AccountObserved(
        venue=venue, account=ACCOUNT, balances=(balance,), positions=positions, observed_at_us=number
    )
    return seen, None


def _custody(chance: random.Random, number: int) -> Told:
    name = chance.choice(("copper", "ceffu"))
    holding = Holding(asset="WETH", quantity=Num(chance.randint(0, 100)), mirrored=ZERO)
    if chance.random() < 0.5:
        settled = CustodySettlementObserved(
            settlement_id=str(number),
            custodian=name,
            venue=VENUE,
            account=ACCOUNT,
            asset="USDT",
            profit=Num(chance.randint(-900, 900)),
            settled_at_us=number,
        )
        return settled, None
    return CustodyBalanceObserved(custodian=name, holdings=(holding,), observed_at_us=number), None


def _limit(chance: random.Random, number: int) -> Told:
    control = chance.choice((Control.GROSS_NOTIONAL, Control.LEVERAGE, Control.VENUE_CONCENTRATION))
    scope = chance.choice(("global", f"venue:{VENUE}"))
    value = Num(chance.randint(1, 10_000))
    if scope == "global" or chance.random() < 0.5:
        return _put(control, scope, value, expires_at_us=0 if number % 2 else number), None
    removed = LimitRemoved(control=control, scope=scope, author="bob", reason="a review", approved_by="eve")
    expired = LimitExpired(control=control, scope=scope, value=value, unit=CONTROLS[control].unit, expired=value)
    return _put(control, scope, value), chance.choice((removed, expired))


def _mode(chance: random.Random, _number: int) -> Told:
    scope, trigger = chance.choice(("global", f"venue:{VENUE}", "asset:ETH")), chance.choice(("", "margin"))
    changed = ModeChanged(
        scope=scope,
        mode=chance.choice((Mode.REDUCE_ONLY, Mode.HALTED)),
        previous=Mode.ACTIVE,
        author="ada",
        reason="a drill",
        trigger=trigger,
    )
    return changed, None if chance.random() < 0.2 else msgspec.structs.replace(changed, mode=Mode.ACTIVE)


def _latch(chance: random.Random, number: int) -> Told:
    scope = chance.choice(("asset:ETH", "global"))
    shut = ControlLatched(
        control=Control.REPEATED_EXECUTION, scope=scope, limit="3", value=str(number), text="again and again"
    )
    return shut, ControlReleased(control=Control.REPEATED_EXECUTION, scope=scope, author="ada", reason="understood")


def _watched(chance: random.Random, number: int) -> Told:
    which = number % 4
    if which == 0:
        return InterestObserved(venue=VENUE, symbol=SYMBOL, quantity=Num(number), observed_at_us=number), None
    if which == 1:
        return RatioObserved(asset="WETH", ratio=Num("1.01"), source="test", observed_at_us=number), None
    if which == 2:
        approached = LimitApproached(
            control=Control.GROSS_NOTIONAL,
            scope="global",
            subject=f"venue:{VENUE}",
            band=chance.choice((0, 7_000, 9_500)),
            before=0,
            used=Num(1),
            limit=Num(2),
            unit="USD",
        )
        return approached, None
    degraded = DependencyDegraded(dependency=VENUE, text="no answer")
    return degraded, DependencyRestored(dependency=VENUE, text="it answers")


def _policy(chance: random.Random, number: int) -> Told:
    beside = msgspec.structs.replace(POLICY.instruments[0], venue=LATER)
    if chance.random() < 0.5:
        return PolicyAdopted(policy=POLICY), None
    custodians = (CustodianTarget(address="0x" + f"{number % 3:02x}" * 20, ratio_bps=10_000),)
    more = msgspec.structs.replace(POLICY, instruments=(*POLICY.instruments, beside), custodians=custodians)
    return PolicyAdopted(policy=more), None


_KINDS = (_marks, _marks, _account, _account, _custody, _limit, _mode, _latch, _watched, _policy)
