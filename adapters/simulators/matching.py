"""A book that matches: price-time priority over integer ticks and lots, pure and deterministic.

Two kinds of quantity stand in it. Resting orders have an owner's order id. Anonymous quantity is the rest of the
market: `set_levels` says what stands at a price, and newly added quantity queues behind what was there. Quantity the
market takes away leaves from the back of the queue, so that a resting order is never flattered.

Matching is handed out step by step, so that the account may react between two matches (a reduce-only order must not
trade a position that the match before it closed).

Laws, held by property tests: once matching has run out the book is not crossed; what one side of a match gives the
other side gets; a better price goes first, and at one price who came first goes first.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

Side = Literal["BUY", "SELL"]


class Match(msgspec.Struct, frozen=True):
    """Show one match. An id is None for the anonymous market; `taker_side` is the side of who came last."""

    price: int
    quantity: int
    maker_id: int | None
    taker_id: int | None
    taker_side: Side


class SelfExpired(msgspec.Struct, frozen=True):
    """Say that a resting order was taken out because its owner's own order ran into it (the venue's EXPIRE_MAKER)."""

    order_id: int


class _Queued:
    __slots__ = ("order_id", "quantity")

    def __init__(self, order_id: int | None, quantity: int) -> None:
        self.order_id = order_id
        self.quantity = quantity


class _Half:
    """One side of the book. `sign` makes better prices smaller: +1 for asks, -1 for bids."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, deque[_Queued]] = {}

    def best(self) -> int | None:
        return self.keys[0] * self.sign if self.keys else None

    def queue(self, price: int) -> deque[_Queued]:
        queue = self.levels.get(price)
        if queue is None:
            queue = self.levels[price] = deque()
            insort(self.keys, price * self.sign)
        return queue

    def drop_if_empty(self, price: int) -> None:
        if price in self.levels and not self.levels[price]:
            del self.levels[price]
            del self.keys[bisect_left(self.keys, price * self.sign)]

    def quantity(self, price: int) -> int:
        return sum(entry.quantity for entry in self.levels.get(price, ()))

    def anonymous(self, price: int) -> int:
        return sum(entry.quantity for entry in self.levels.get(price, ()) if entry.order_id is None)

    def crosses(self, price: int, limit: int | None) -> bool:
        """Say whether a level here is within an opposite order's limit."""
        return limit is None or price * self.sign <= limit * self.sign


class Book:
    """Match orders of one instrument. Prices are ticks, quantities are lots."""

    def __init__(self) -> None:
        self._bids = _Half(-1)
        self._asks = _Half(+1)
        self._owner: dict[int, tuple[Side, int]] = {}
        self._touched: dict[tuple[Side, int], None] = {}

    def best(self, side: Side) -> int | None:
        """Return the best price of that side, None when it is empty."""
        return self._half(side).best()

    def quantity(self, side: Side, price: int) -> int:
        """Return everything that stands at a price, own orders included."""
        return self._half(side).quantity(price)

    def anonymous(self, side: Side, price: int) -> int:
        """Return what the rest of the market has standing at a price."""
        return self._half(side).anonymous(price)

    def levels(self, side: Side, limit: int) -> list[tuple[int, int]]:
        """Return up to `limit` levels, best first, as (price, quantity)."""
        half = self._half(side)
        return [(key * half.sign, half.quantity(key * half.sign)) for key in half.keys[:limit]]

    def prices(self, side: Side) -> list[int]:
        """Return every price of that side, best first."""
        half = self._half(side)
        return [key * half.sign for key in half.keys]

    def resting(self, order_id: int) -> int:
        """Return what is left of a resting order, 0 when it is not here."""
        where = self._owner.get(order_id)
        if where is None:
            return 0
        side, price = where
        return sum(entry.quantity for entry in self._half(side).levels[price] if entry.order_id == order_id)

    def take_touched(self) -> list[tuple[Side, int, int]]:
        """Return the levels that changed since the last call, as (side, price, quantity now)."""
        touched: list[tuple[Side, int, int]] = [
            (side, price, self.quantity(side, price)) for side, price in self._touched
        ]
        self._touched.clear()
        return touched

    def within(self, side: Side, limit: int | None) -> Iterator[tuple[int, int]]:
        """Yield what an order of that side could match up to its limit, best first, own resting orders left out."""
        half = self._half(opposite(side))
        for key in half.keys:
            if not half.crosses(key * half.sign, limit):
                return
            yield key * half.sign, half.anonymous(key * half.sign)

    def fillable(self, side: Side, limit: int | None, quantity: int) -> int:
        """Return how much of an order would match now, own resting orders left out."""
        found = 0
        for _, standing in self.within(side, limit):
            found += standing
            if found >= quantity:
                return quantity
        return found

    def would_take(self, side: Side, limit: int) -> bool:
        """Say whether an order at that limit would match at once."""
        half = self._half(opposite(side))
        best = half.best()
        return best is not None and half.crosses(best, limit)

    def take(
        self, side: Side, limit: int | None, quantity: int, taker_id: int | None = None
    ) -> Iterator[Match | SelfExpired]:
        """Match an incoming order against the other side, one step at a time; nothing of it is left in the book."""
        half = self._half(opposite(side))
        while quantity > 0 and half.keys:
            price = half.keys[0] * half.sign
            if not half.crosses(price, limit):
                break
            head = half.levels[price][0]
            if taker_id is not None and head.order_id is not None:
                self.cancel(head.order_id)
                yield SelfExpired(head.order_id)
                continue
            traded = min(quantity, head.quantity)
            quantity -= traded
            match = Match(price, traded, head.order_id, taker_id, side)
            self._reduce_head(opposite(side), price, traded)
            yield match

    def rest(self, side: Side, price: int, quantity: int, order_id: int) -> None:
        """Leave an order in the book, behind what stands at its price. It must not cross and must be new."""
        assert quantity > 0, "an order rests with something left"  # noqa: S101 - a law, not input
        assert order_id not in self._owner, "an order rests once"  # noqa: S101 - same
        assert not self.would_take(side, price), "a crossing order takes before it rests"  # noqa: S101 - same
        self._append(side, price, quantity, order_id)

    def cancel(self, order_id: int) -> int:
        """Take a resting order out and return what was left of it."""
        side, price = self._owner.pop(order_id)
        half = self._half(side)
        left = 0
        kept: deque[_Queued] = deque()
        for entry in half.levels[price]:
            if entry.order_id == order_id:
                left += entry.quantity
            else:
                kept.append(entry)
        half.levels[price] = kept
        half.drop_if_empty(price)
        self._touched[(side, price)] = None
        return left

    def set_levels(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        """Set what the rest of the market has standing at these prices. Run `uncross` to its end afterwards."""
        for price, quantity in bids:
            self._set_anonymous("BUY", price, quantity)
        for price, quantity in asks:
            self._set_anonymous("SELL", price, quantity)

    def uncross(self) -> Iterator[Match]:
        """Trade away what crosses, one step at a time; yield the matches of resting orders, at their own price."""
        while (bid := self._bids.best()) is not None and (ask := self._asks.best()) is not None and bid >= ask:
            buyer, seller = self._bids.levels[bid][0], self._asks.levels[ask][0]
            assert buyer.order_id is None or seller.order_id is None, "own orders were kept apart"  # noqa: S101 - a law
            traded = min(buyer.quantity, seller.quantity)
            match = None
            if buyer.order_id is not None:
                match = Match(bid, traded, buyer.order_id, None, "SELL")
            elif seller.order_id is not None:
                match = Match(ask, traded, seller.order_id, None, "BUY")
            self._reduce_head("BUY", bid, traded)
            self._reduce_head("SELL", ask, traded)
            if match is not None:
                yield match

    def _half(self, side: Side) -> _Half:
        return self._bids if side == "BUY" else self._asks

    def _append(self, side: Side, price: int, quantity: int, order_id: int | None) -> None:
        self._half(side).queue(price).append(_Queued(order_id, quantity))
        if order_id is not None:
            self._owner[order_id] = (side, price)
        self._touched[(side, price)] = None

    def _reduce_head(self, side: Side, price: int, quantity: int) -> None:
        half = self._half(side)
        head = half.levels[price][0]
        head.quantity -= quantity
        if head.quantity == 0:
            half.levels[price].popleft()
            if head.order_id is not None:
                del self._owner[head.order_id]
            half.drop_if_empty(price)
        self._touched[(side, price)] = None

    def _set_anonymous(self, side: Side, price: int, quantity: int) -> None:
        half = self._half(side)
        change = quantity - half.anonymous(price)
        if change == 0:
            return
        if change > 0:
            queue = half.queue(price)
            if queue and queue[-1].order_id is None:
                queue[-1].quantity += change
            else:
                queue.append(_Queued(None, change))
        else:
            self._remove_from_back(half.levels[price], -change)
            half.drop_if_empty(price)
        self._touched[(side, price)] = None

    @staticmethod
    def _remove_from_back(queue: deque[_Queued], quantity: int) -> None:
        kept: deque[_Queued] = deque()
        while queue:
            entry = queue.pop()
            if entry.order_id is None:
                removed = min(quantity, entry.quantity)
                entry.quantity -= removed
                quantity -= removed
            if entry.quantity:
                kept.appendleft(entry)
        queue.extend(kept)


def opposite(side: Side) -> Side:
    """Return the other side."""
    return "SELL" if side == "BUY" else "BUY"
