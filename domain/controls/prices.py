"""What things are worth while a control is measured: the decision's own evidence first, then marks, then references.

Values in between are plain decimals of the exact context: this is asked tens of times before each order.
"""

from collections.abc import Mapping
from decimal import Decimal

from domain.flow import Sums
from domain.market import USD
from domain.quantity import EXACT, ZERO, Num
from domain.state import Book

PAR = Num(1)


class Prices:
    """Tell USD per unit; of the underlying that is decided on as the decision's evidence says, else by the Book."""

    __slots__ = ("_book", "_known")

    def __init__(self, book: Book, underlying: str = "", reference_usd: Num | None = None) -> None:
        self._book = book
        self._known: dict[str, Decimal | None] = {USD: PAR}
        if underlying and reference_usd is not None:
            sound = reference_usd.is_finite() and reference_usd > 0
            self._known[underlying] = reference_usd if sound else None

    def of(self, unit: str) -> Decimal | None:
        """Return what a unit of an underlying or a stable is worth; None when nobody can tell."""
        if unit in self._known:
            return self._known[unit]
        found = self._known[unit] = self._told(unit)
        return found

    def _told(self, unit: str) -> Decimal | None:
        """Return the mark; without one a stable is taken at a dollar, an underlying at its latest plan's reference."""
        marked = self._book.marks.assets.get(unit)
        if marked is not None:
            return marked.mid
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

    def gross(self, sums: Sums | None) -> Decimal | None:
        """Return the gross notional of a scope, whatever of its orders fills, USD."""
        return ZERO if sums is None else self.total(sums.gross)

    def open_value(self, sums: Sums | None) -> Decimal | None:
        """Return the value of a scope's open orders at their limit prices, USD."""
        return ZERO if sums is None else self.total(sums.value)

    def won(self, sums: Sums) -> Decimal | None:
        """Return what the linear contracts of a scope have won, USD, whether it was paid out or not."""
        held, cash = self.total(sums.positions), self.total(sums.cash)
        return None if held is None or cash is None else EXACT.add(held, cash)
