"""The meter of one decision: it holds what is measured against the limits and keeps the gravest that says no.

What passes is the rule and must be quick: a value is compared with the strictest limit of its scopes, and what only a
refusal needs (which limits are broken, what a value was before, whether delta is reduced, the text) is found when it
lies beyond that one.
"""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Context, Decimal

from domain.contract import INVERSE
from domain.controls.prices import Prices
from domain.controls.probe import Probe
from domain.controls.remembered import bounds, remembered
from domain.exposure import exposure
from domain.ids import position_key
from domain.limit import Control, Limit
from domain.limits import CONTROLS, Bound, ControlSpec, Kind, Stage
from domain.mode import GLOBAL
from domain.order import Order, OrderSide
from domain.quantity import EXACT, Num, divide
from domain.refusal import Reason, Refusal
from domain.state import Book

Before = Callable[[], Decimal | None]

_PREFIX = {control: f"{control.value}|" for control in Control}
_DOWN = Context(prec=EXACT.prec, rounding=ROUND_FLOOR)


class Meter:
    """Measure one probe, before anything of it is done.

    A value is what it would come to, None where nobody can tell; `before` tells what it is now, and is left out where
    it is of the probe alone. All that is measured before a decision has a maximum.
    """

    __slots__ = ("_bounds", "_limits", "_reducing", "_worst", "at_us", "book", "found", "memory", "prices", "probe")

    def __init__(self, book: Book, probe: Probe) -> None:
        self.book = book
        self.probe = probe
        self.at_us = max(book.at_us, probe.at_us)
        self.memory = remembered(book)
        self.prices = Prices(book, probe.underlying, probe.reference_usd, self.memory)
        self.found: Refusal | None = None
        self._limits = book.limits
        self._bounds = bounds(book)
        self._worst: tuple[Decimal, Decimal] | None = None
        self._reducing: bool | None = None

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refusal unless a graver one was found."""
        if self.found is None or refusal.reason < self.found.reason:
            self.found = refusal

    def limits(self, control: Control, scopes: tuple[str, ...]) -> tuple[Limit, ...]:
        """Return the limits in force of a control in these scopes; refuse where the first has none."""
        found = self._bounds.limits_in[control, scopes]
        if not found or found[0].scope != scopes[0]:
            self.refuse(missing(control, scopes[0]))
        return found

    def within(self, control: Control, scopes: tuple[str, ...], part: Decimal, whole: Decimal) -> bool:
        """Say that a part of a whole is within every limit, without dividing; False where that takes a closer look.

        What is no more than the limit times the whole, rounded down, divided by the whole is no more than the limit,
        however the quotient is rounded: a limit has no more digits than it keeps.
        """
        bound = self._bounds[control, scopes]
        return bound is not None and whole > 0 and part <= _DOWN.multiply(bound, whole)

    def hold(
        self,
        control: Control,
        scopes: tuple[str, ...],
        value: Decimal | int | None,
        before: Before | None = None,
        subject: str = "",
    ) -> None:
        """Hold one value against the limits of every scope that it lies in."""
        bound = self._bounds[control, scopes]
        if bound is not None and value is not None and value <= bound:
            return
        held, prefix = self._limits, _PREFIX[control]
        for scope in scopes:
            limit = held.get(prefix + scope)
            if limit is None:
                if scope == scopes[0]:
                    self.refuse(missing(control, scope))
            elif value is None or value > limit.value:
                self._broken(limit, value, before, subject)

    def test(self, limit: Limit, value: Decimal | int | None, before: Before | None = None, subject: str = "") -> None:
        """Hold a value against one limit."""
        if value is None or value > limit.value:
            self._broken(limit, value, before, subject)

    def _broken(self, limit: Limit, value: Decimal | int | None, before: Before | None, subject: str) -> None:
        """Refuse, unless nothing is made worse: what is beyond its limit may always be brought back."""
        spec = CONTROLS[limit.control]
        if value is not None and before is not None:
            was = before()
            if was is not None and value <= was:
                return
        if spec.spares_reducing and self.reducing:
            return
        self.refuse(_unknown(spec, limit, subject) if value is None else _above(spec, limit, Num(value), subject))

    @property
    def worst(self) -> tuple[Decimal, Decimal]:
        """Return the worst |delta| of the underlying before and after, base units."""
        if self._worst is None:
            interval = exposure(self.book, self.probe.underlying).interval
            low: Decimal = interval.low
            high: Decimal = interval.high
            before = max(low.copy_abs(), high.copy_abs())
            for each in (self.probe.change, *self.traded):
                if each > 0:
                    high = EXACT.add(high, each)
                elif each:
                    low = EXACT.add(low, each)
            self._worst = before, max(low.copy_abs(), high.copy_abs())
        return self._worst

    @property
    def traded(self) -> list[Num]:
        """Return the signed base units that may be traded, each for itself."""
        probe = self.probe
        if probe.order is None:
            return [probe.quantity]
        return [_signed(self.book, each) for each in (probe.order, *probe.ahead)]

    @property
    def reducing(self) -> bool:
        """Say whether an order makes the worst |delta| of its underlying no worse, whether it fills or not."""
        if self._reducing is None:
            self._reducing = self.probe.stage is Stage.ORDER and self.worst[1] <= self.worst[0]
        return self._reducing


def _signed(book: Book, order: Order) -> Num:
    """Return what an order may trade, signed base units; of an inverse contract at its limit price."""
    line = book.flow.lines.get(position_key(order.venue, order.account, order.symbol))
    inverse = line is not None and line.kind == INVERSE
    base = divide(order.quantity, order.limit_price) if inverse else order.quantity
    return base if order.side is OrderSide.BUY else -base


def missing(control: Control, scope: str) -> Refusal:
    """Return the refusal that the absence of a limit is."""
    text = f"no limit {control} is set for {scope}: nothing is allowed until one is"
    return Refusal(reason=Reason.LIMIT_MISSING, text=text, control=control, scope=scope)


def _unknown(spec: ControlSpec, limit: Limit, subject: str) -> Refusal:
    return Refusal(
        reason=Reason.VALUE_UNKNOWN,
        text=f"nobody can tell the {spec.text}{f' of {subject}' if subject else ''}",
        control=spec.control,
        scope=limit.scope,
        limit=str(limit.value),
    )


def _above(spec: ControlSpec, limit: Limit, value: Num, subject: str) -> Refusal:
    of = f" of {subject}" if subject else ""
    return Refusal(
        reason=spec.reason,
        text=f"{spec.text}{of}: {value} {spec.unit} would be above the limit of {limit.value} in {limit.scope}",
        control=spec.control,
        scope=limit.scope,
        limit=str(limit.value),
        value=str(value),
    )


def strictest(book: Book, control: Control, *scopes: str) -> Limit | None:
    """Return the limit that binds first of the global scope and these; None where what must be set is not."""
    spec, name = CONTROLS[control], control.value
    wanted = (GLOBAL, *scopes) if spec.scopes[0] is Kind.GLOBAL else scopes
    found = [limit for scope in wanted if (limit := book.limits.get(f"{name}|{scope}")) is not None]
    if not found or not _first(spec, found[0]):
        return None
    return (min if spec.bound is Bound.MAXIMUM else max)(found, key=lambda limit: limit.value)


def _first(spec: ControlSpec, limit: Limit) -> bool:
    kind = spec.scopes[0]
    return limit.scope == GLOBAL if kind is Kind.GLOBAL else limit.scope.startswith(f"{kind.value}:")
