"""Room: how much more may be held on a venue account and in an instrument, before a cap, margin or a size binds."""

from decimal import Decimal

import msgspec

from domain.account import Held, account_key
from domain.book import Book, position_key
from domain.listing import listing_key
from domain.policy import Instrument
from domain.quantity import ZERO, Num, add, divide, multiply, subtract
from domain.routing.terms import Routing
from domain.ways import Way

# More than any venue takes: where nothing binds. USD, and base units of an instrument.
UNBOUNDED = Num(10**12)


class Holding(msgspec.Struct, frozen=True, gc=False):
    """Hold what an instrument holds for us: signed base units, and what its open orders may yet buy and sell."""

    position: Num
    buying: Num
    selling: Num

    @property
    def gross(self) -> Num:
        """Return the most that it may come to, whatever of its orders fills."""
        return max(abs(add(self.position, self.buying)), abs(subtract(self.position, self.selling)))

    def reducible(self, *, sell: bool) -> Num:
        """Return how much may be traded before the position turns, whatever of its open orders fills."""
        if sell:
            return max(subtract(self.position, self.selling), ZERO)
        return max(subtract(-self.position, self.buying), ZERO)


def holding(book: Book, instrument: Instrument) -> Holding:
    """Return what an instrument holds for us, its open orders with it."""
    key = instrument.key
    held, line = book.positions.get(key), book.flow.lines.get(key)
    buying, selling = (line.buying, line.selling) if line is not None else (ZERO, ZERO)
    return Holding(held.quantity if held is not None else ZERO, buying, selling)


def _instruments(book: Book, venue: str, account: str) -> tuple[Instrument, ...]:
    everywhere = book.policy.instruments if book.policy is not None else ()
    return tuple(each for each in everywhere if (each.venue, each.account) == (venue, account))


def _price(book: Book, instrument: Instrument, prices: dict[str, Num]) -> Num:
    price = prices.get(instrument.key)
    if price is not None:
        return price
    held = book.positions.get(position_key(instrument.venue, instrument.account, instrument.symbol))
    return held.entry_price if held is not None else ZERO


def _headroom(book: Book, routing: Routing, way: Way, ways: tuple[Way, ...], gross: Decimal) -> Num:
    """Return what the margin that an account was seen to have free allows, USD of notional; unseen, nothing.

    Only what is free in a stable that the account trades in counts, at its lowest price. What was filled or ordered
    since the account was seen is taken off.
    """
    venue, account = way.instrument.venue, way.instrument.account
    seen = book.outside.accounts.get(account_key(venue, account))
    if seen is None:
        return ZERO
    worth = {each.stable.base: each.stable.lower for each in ways if each.instrument.venue == venue}
    free = ZERO
    for balance in seen.balances:
        if balance.asset in worth:
            left = subtract(balance.available, multiply(balance.margin, routing.margin_floor))
            free = add(free, multiply(left, worth[balance.asset]))
    before = ZERO
    traded = {each.symbol for each in _instruments(book, venue, account)}
    for held in seen.positions:
        if held.symbol in traded:
            before = add(before, multiply(abs(held.quantity), held.mark_price))
    rate = _margin_rate(book, routing, way.instrument, gross)
    return subtract(divide(free, rate), max(subtract(gross, before), ZERO))


def _margin_rate(book: Book, routing: Routing, instrument: Instrument, gross: Decimal) -> Num:
    """Return the initial margin of a unit of notional: the policy's, or the venue's where that is more."""
    listed = book.outside.listings.get(listing_key(instrument.venue, instrument.symbol))
    rate = routing.margin_rate
    for tier in listed.margin_tiers if listed is not None else ():
        if tier.notional_from <= gross and tier.leverage_max > 0:
            rate = max(rate, divide(Decimal(1), tier.leverage_max))
    return rate


def instrument_room(book: Book, way: Way, *, sell: bool) -> Num:
    """Return how much may at most be traded in an instrument, base units: no more than its venue's greatest size.

    A venue that only reduces has no room beyond the position that is there; nor is spot sold that is not held.
    """
    instrument = way.instrument
    listings = book.outside.listings
    listed = listings.get(listing_key(instrument.venue, instrument.symbol)) if listings else None
    most = listed.quantity_max if listed is not None and listed.quantity_max > 0 else UNBOUNDED
    if way.reduces or (sell and instrument.kind == "spot"):
        return min(most, holding(book, instrument).reducible(sell=sell))
    return most


class Rooms:
    """Tell the room of one decision's ways: what an account holds is counted once, however many ways ask."""

    __slots__ = ("_book", "_gross", "_prices", "_routing", "_ways")

    def __init__(self, book: Book, ways: tuple[Way, ...]) -> None:
        """Begin with nothing counted; the Book must not change meanwhile."""
        self._book = book
        self._ways = ways
        self._routing = book.policy.routing if book.policy is not None else Routing()
        self._prices: dict[str, Num] = {}
        self._gross: dict[tuple[str, str], Num] = {}

    def gross(self, venue: str, account: str) -> Num:
        """Return the gross notional that an account may come to hold for us, USD.

        What is not among the ways counts at its entry price.
        """
        found = self._gross.get((venue, account))
        if found is None:
            found = self._gross[venue, account] = self._count(venue, account)
        return found

    def _count(self, venue: str, account: str) -> Num:
        if not self._prices:
            self._prices = {way.instrument.key: multiply(way.seen.mid, way.stable.mid) for way in self._ways}
        total = ZERO
        for instrument in _instruments(self._book, venue, account):
            held = holding(self._book, instrument).gross
            if held:
                total = add(total, multiply(held, _price(self._book, instrument, self._prices)))
        return total

    def notional(self, way: Way) -> Num:
        """Return how much more gross notional a way's account may take on, USD: its cap, and its margin's headroom."""
        venue, account = way.instrument.venue, way.instrument.account
        gross, cap = self.gross(venue, account), self._routing.cap(venue, account)
        room = UNBOUNDED if cap is None else subtract(cap, gross)
        if self._routing.margin_rate > 0:
            room = min(room, _headroom(self._book, self._routing, way, self._ways, gross))
        return max(room, ZERO)

    def base(self, way: Way, *, sell: bool) -> Num:
        """Return how much may be bought or sold by a way, base units, whatever binds first."""
        most = instrument_room(self._book, way, sell=sell)
        if not self._routing.caps and self._routing.margin_rate == 0:
            return most
        more = divide(self.notional(way), multiply(way.seen.mid, way.stable.mid))
        return min(most, add(holding(self._book, way.instrument).reducible(sell=sell), more))


def rank(held: Held, margin: Decimal) -> Num:
    """Return a position's rank for auto-deleveraging as venues count it: profit by entry value, times leverage.

    Without a profit, an entry price or margin there is no rank: zero.
    """
    entry = multiply(abs(held.quantity), held.entry_price)
    if held.unrealised <= 0 or entry <= 0 or margin <= 0:
        return ZERO
    return divide(multiply(divide(held.unrealised, entry), multiply(abs(held.quantity), held.mark_price)), margin)
