"""What things are worth while a control is measured: the decision's own evidence first, then marks, then references.

Values in between are plain decimals of the exact context: this is asked tens of times before each order.
"""

from collections.abc import Mapping
from decimal import Decimal

from domain.controls.remembered import Remembered, Valued, remembered
from domain.flow import Sums
from domain.market import USD
from domain.quantity import EXACT, ZERO, Num
from domain.state import Book

PAR = Num(1)


class Prices:
    """Tell USD per unit; of the underlying that is decided on as the decision's evidence says, else by the Book.

    Sums of many units are remembered at the marks. The evidence moves its underlying's part of one by so much as it is
    off its mark: that comes to what adding all units at their prices would, exactly.
    """

    __slots__ = ("_book", "_known", "_marks", "_memory", "_off", "_own")

    def __init__(
        self, book: Book, underlying: str = "", reference_usd: Num | None = None, memory: Remembered | None = None
    ) -> None:
        self._book = book
        self._memory = memory if memory is not None else remembered(book)
        self._marks = book.marks.assets
        self._known: dict[str, Decimal | None] = {USD: PAR}
        self._own = underlying
        self._off: Decimal | None = ZERO
        if underlying and reference_usd is not None:
            sound = reference_usd.is_finite() and reference_usd > 0
            self._known[underlying] = reference_usd if sound else None
            marked = self._marks.get(underlying) if underlying != USD else None
            self._off = EXACT.subtract(reference_usd, marked.mid) if sound and marked is not None else None

    def of(self, unit: str) -> Decimal | None:
        """Return what a unit of an underlying or a stable is worth; None when nobody can tell."""
        if unit in self._known:
            return self._known[unit]
        marked = self._marks.get(unit)
        found = self._known[unit] = marked.mid if marked is not None else self._unmarked(unit)
        return found

    def _unmarked(self, unit: str) -> Decimal | None:
        """Return what counts without a mark: of a stable a dollar, of an underlying its latest plan's reference."""
        policy = self._book.policy
        if policy is None:
            return None
        reference = self._book.references.get(unit)
        if reference is None:
            return PAR if any(each.quote == unit for each in policy.instruments) or self._held(unit) else None
        quote = next((each.quote for each in policy.instruments if each.base == unit), USD)
        paid = self.of(quote)
        return None if paid is None else EXACT.multiply(reference, paid)

    def _held(self, unit: str) -> bool:
        policy = self._book.policy
        return policy is not None and unit in policy.integrity.stables

    @property
    def steady(self) -> bool:
        """Say whether what is remembered at the marks serves: not where the evidence is of what has no mark."""
        return self._off is not None

    def value(self, unit: str, quantity: Decimal) -> Decimal | None:
        """Return what a quantity is worth, USD; nothing of what has no price is worth nothing."""
        if not quantity:
            return ZERO
        price = self.of(unit)
        return None if price is None else EXACT.multiply(quantity, price)

    def total(self, quantities: Mapping[str, Decimal]) -> Decimal | None:
        """Return what quantities by unit are worth together, USD; None when one of them has no price."""
        total: Decimal = ZERO
        for unit, quantity in quantities.items():
            if quantity:
                price = self.of(unit)
                if price is None:
                    return None
                total = EXACT.fma(quantity, price, total)
        return total

    def summed(self, found: Valued, name: str, quantities: Mapping[str, Decimal]) -> Decimal | None:
        """Return the same of quantities that are replaced when one of them changes, remembered by a name."""
        if self._off is None:
            return self.total(quantities)
        seen = found.get(name)
        if seen is None or seen[0] is not quantities:
            seen = found[name] = quantities, self._marked(quantities)
        total = seen[1]
        if total is None:
            return self.total(quantities)
        own = quantities.get(self._own) if self._off else None
        return EXACT.fma(own, self._off, total) if own else total

    def _marked(self, quantities: Mapping[str, Decimal], total: Decimal | None = ZERO) -> Decimal | None:
        """Return what quantities are worth at the marks; None where one has none, as what stands for it may change."""
        if total is None:
            return None
        for unit, quantity in quantities.items():
            if quantity:
                marked = self._marks.get(unit)
                if marked is None or unit == USD:
                    return None
                total = EXACT.fma(quantity, marked.mid, total)
        return total

    def gross(self, scope: str, sums: Sums | None) -> Decimal | None:
        """Return the gross notional of a scope, whatever of its orders fills, USD."""
        return ZERO if sums is None else self.summed(self._memory.gross, scope, sums.gross)

    def open_value(self, scope: str, sums: Sums | None) -> Decimal | None:
        """Return the value of a scope's open orders at their limit prices, USD."""
        return ZERO if sums is None else self.summed(self._memory.value, scope, sums.value)

    def won(self, scope: str, sums: Sums) -> Decimal | None:
        """Return what the linear contracts of a scope have won, USD, whether it was paid out or not."""
        positions, cash, off = sums.positions, sums.cash, self._off
        if off is not None:
            seen = self._memory.won.get(scope)
            if seen is None or seen[0] is not positions or seen[1] is not cash:
                seen = self._memory.won[scope] = positions, cash, self._marked(cash, self._marked(positions))
            total = seen[2]
            if total is not None:
                for held in (positions.get(self._own), cash.get(self._own)) if off else ():
                    total = EXACT.fma(held, off, total) if held else total
                return total
        held, paid = self.total(positions), self.total(cash)
        return None if held is None or paid is None else EXACT.add(held, paid)
