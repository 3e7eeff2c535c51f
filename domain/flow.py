"""Flow: tallies of what is open and of what was sent, kept up event by event, so that no decision counts orders again.

Sums over open orders and requests equal at any moment what counting them anew gives (`domain.folds.flow.recounted`):
they are exact decimals. What is counted over time stands in slots, sixty to a window: a slot counts until all of it is
past, so that a count is never less than what was sent within the window. Bounded by instruments, pairs and slots.

The maps inside `Sums` and `Contracts` are replaced when one of their numbers changes, and never changed in place: what
was reckoned from one of them holds for as long as it is the same one (`domain.controls.remembered`).
"""

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

import msgspec

from domain.account import account_key
from domain.contract import INVERSE, LINEAR, SPOT
from domain.ids import position_key
from domain.mode import GLOBAL
from domain.order import Order
from domain.quantity import EXACT, ZERO, Num, plain

SLOTS = 60
DAY_US = 86_400_000_000


# The same sizes and prices are ordered again and again.
_text = lru_cache(maxsize=4_096)(plain)


class Line(msgspec.Struct, kw_only=True):
    """Count one instrument: its position, and what its open orders may yet buy and sell, both positive.

    Quantities are in the units of orders: base, quote on inverse contracts. `gross` is the most that the position may
    come to, whatever of its orders fills. `value` is that of the open orders at their
    limit prices, quote units; `cash` what its fills, fees and funding left of the quote: with the position at its price
    that is all that was won. `base` and `quote` are empty for what the policy does not trade.
    """

    venue: str
    account: str
    symbol: str
    kind: str = LINEAR
    base: str = ""
    quote: str = ""
    position: Num = ZERO
    buying: Num = ZERO
    selling: Num = ZERO
    gross: Num = ZERO
    value: Num = ZERO
    cash: Num = ZERO
    orders: int = 0
    scopes: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Return the unit of its quantities: an asset, or a key of its own where that is not known."""
        if self.kind == INVERSE:
            return self.quote
        return self.base or position_key(self.venue, self.account, self.symbol)


def gross(position: Num, buying: Num, selling: Num) -> Num:
    """Return the most that a position may come to when some of what is bought and sold fills."""
    if not buying and not selling:
        return abs(position)
    # What is bought and sold is never less than nothing: the upper end is the greater one, or the lower end's negative.
    upper, lower = EXACT.add(position, buying), EXACT.subtract(position, selling)
    return Num(max(upper, lower.copy_negate()))


class More(NamedTuple):
    """Say by how much a line changes."""

    position: Num = ZERO
    cash: Num = ZERO
    buying: Num = ZERO
    selling: Num = ZERO
    value: Num = ZERO
    orders: int = 0
    unanswered: int = 0


class Sums(msgspec.Struct, kw_only=True):
    """Add up the lines of a scope: `gross` by unit, `value` of open orders by quote, orders, and those not answered.

    Of linear contracts also the signed `positions` by base, and their `cash` by quote.
    """

    gross: dict[str, Num] = {}
    value: dict[str, Num] = {}
    positions: dict[str, Num] = {}
    cash: dict[str, Num] = {}
    orders: int = 0
    unanswered: int = 0


class Contracts(msgspec.Struct, kw_only=True):
    """Add up the contracts of a venue account, spot left out: `gross` by unit, and the signed `positions` by symbol."""

    gross: dict[str, Num] = {}
    positions: dict[str, Num] = {}


class Window(msgspec.Struct):
    """Count what happened in the last while: how much in each slot, by the instant at which the slot ends."""

    ends: list[int] = []
    counts: list[int] = []
    total: int = 0

    def add(self, at_us: int, span_us: int) -> None:
        """Count one more at an instant, and forget what is past."""
        past = bisect_right(self.ends, at_us - span_us)
        if past:
            self.total -= sum(self.counts[:past])
            del self.ends[:past], self.counts[:past]
        slot_us = max(span_us // SLOTS, 1)
        end = at_us - at_us % slot_us + slot_us
        self.total += 1
        if self.ends and self.ends[-1] >= end:
            self.counts[-1] += 1
        else:
            self.ends.append(end)
            self.counts.append(1)

    def count(self, at_us: int, span_us: int) -> int:
        """Return how many there were in the span before an instant."""
        ends = self.ends
        if not ends or ends[0] > at_us - span_us:
            return self.total
        return self.total - sum(self.counts[: bisect_right(ends, at_us - span_us)])


class Reach(msgspec.Struct):
    """Remember between which prices something was marked in the last while, by slots."""

    ends: list[int] = []
    lows: list[Num] = []
    highs: list[Num] = []

    def add(self, at_us: int, span_us: int, price: Num) -> None:
        """Remember a price at an instant, and forget what is past."""
        past = bisect_right(self.ends, at_us - span_us)
        if past:
            del self.ends[:past], self.lows[:past], self.highs[:past]
        slot_us = max(span_us // SLOTS, 1)
        end = at_us - at_us % slot_us + slot_us
        if self.ends and self.ends[-1] >= end:
            self.lows[-1] = min(self.lows[-1], price)
            self.highs[-1] = max(self.highs[-1], price)
        else:
            self.ends.append(end)
            self.lows.append(price)
            self.highs.append(price)

    def between(self, at_us: int, span_us: int, price: Num) -> tuple[Num, Num]:
        """Return the least and the greatest price of the span before an instant, `price` among them."""
        past = bisect_right(self.ends, at_us - span_us)
        return min((*self.lows[past:], price)), max((*self.highs[past:], price))


class Flow(msgspec.Struct, kw_only=True):
    """Hold the tallies of a Book. Scopes are `global`, `venue:<id>`, `asset:<underlying>`, and those of transfers.

    `accounts` are by `venue|account`. `told` counts how often what accounts are judged by was told: the accounts, marks
    and what stands for them, listings, what custodians settled, and the policy.
    `arriving` and `leaving` are atoms of collateral, by asset, of open mints and redeems that have not settled.
    `accepted` (atoms of issued dollars, by side and `global` or pair), `slippage` and `moved` (USD, by scope) are of
    the UTC day `day`. `sent` and `messages` are counted by scope, `answered` and `traded` orders by venue, `repeated`
    ones by `purpose|underlying`; `alike` holds the instants of orders that are alike; `marked` the middles of assets.
    """

    lines: dict[str, Line] = {}
    sums: dict[str, Sums] = {}
    accounts: dict[str, Contracts] = {}
    arriving: dict[str, int] = {}
    leaving: dict[str, int] = {}
    told: int = 0
    day: int = 0
    accepted: dict[str, int] = {}
    slippage: dict[str, Num] = {}
    moved: dict[str, Num] = {}
    sent: dict[str, Window] = {}
    messages: dict[str, Window] = {}
    answered: dict[str, Window] = {}
    traded: dict[str, Window] = {}
    repeated: dict[str, Window] = {}
    alike: dict[str, list[int]] = {}
    marked: dict[str, Reach] = {}

    def begin_day(self, at_us: int) -> None:
        """Begin to count anew where another UTC day has begun; days never go back."""
        day = at_us // DAY_US
        if day > self.day:
            self.day = day
            self.accepted.clear()
            self.slippage.clear()
            self.moved.clear()

    def today(self, at_us: int) -> bool:
        """Say whether what is counted by the day is of the day of an instant."""
        return at_us // DAY_US <= self.day

    def line(self, venue: str, account: str, symbol: str) -> Line:
        """Return the line of an instrument; one that the policy does not trade gets one of its own."""
        key = position_key(venue, account, symbol)
        found = self.lines.get(key)
        return found if found is not None else self.enter(Line(venue=venue, account=account, symbol=symbol))

    def enter(self, line: Line) -> Line:
        """Begin a line of which nothing is held or ordered."""
        line.scopes = scopes_of(line.venue, line.base)
        self.lines[position_key(line.venue, line.account, line.symbol)] = line
        for scope in line.scopes:
            self.sums.setdefault(scope, Sums())
        if line.kind != SPOT:
            self.accounts.setdefault(account_key(line.venue, line.account), Contracts())
        return line

    def change(self, line: Line, more: More) -> None:
        """Change a line by so much, and every sum that it is in."""
        before, unit = line.gross, line.unit
        line.position += more.position
        line.buying += more.buying
        line.selling += more.selling
        line.value += more.value
        line.cash += more.cash
        line.orders += more.orders
        line.gross = gross(line.position, line.buying, line.selling)
        grown = line.gross - before
        linear = line.kind == LINEAR and bool(line.base)
        for scope in line.scopes:
            sums = self.sums[scope]
            sums.gross = _plus(sums.gross, unit, grown)
            sums.value = _plus(sums.value, line.quote, more.value)
            if linear:
                sums.positions = _plus(sums.positions, line.base, more.position)
                sums.cash = _plus(sums.cash, line.quote, more.cash)
            sums.orders += more.orders
            sums.unanswered += more.unanswered
        if line.kind != SPOT:
            there = self.accounts[account_key(line.venue, line.account)]
            there.gross = _plus(there.gross, unit, grown)
            there.positions = _plus(there.positions, line.symbol, more.position)


def _plus(sums: dict[str, Num], name: str, more: Num) -> dict[str, Num]:
    """Return other sums, with so much more of a name; the same ones where it is nothing."""
    return {**sums, name: sums.get(name, ZERO) + more} if more else sums


def scopes_of(venue: str, underlying: str) -> tuple[str, ...]:
    """Return the scopes in which an instrument is counted; that of its underlying last, if it has one."""
    if not underlying:
        return GLOBAL, f"venue:{venue}"
    return GLOBAL, f"venue:{venue}", f"asset:{underlying}"


def alike_key(order: Order) -> str:
    """Return the key that orders share which are alike in instrument, side, quantity and price.

    Equal decimals are written alike, whatever zeros they carry.
    """
    where = f"{order.venue}|{order.account}|{order.symbol}|{order.side.value}"
    return f"{where}|{_text(order.quantity)}|{_text(order.limit_price)}"
