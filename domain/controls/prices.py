"""What things are worth while a control is measured: the decision's own evidence first, then marks, then references."""

from domain.flow import Sums
from domain.market import USD
from domain.quantity import ZERO, Num
from domain.state import Book

PAR = Num(1)


class Prices:
    """Tell USD per unit; of the underlying that is decided on as the decision's evidence says, else by the Book."""

    __slots__ = ("_book", "_known")

    def __init__(self, book: Book, underlying: str = "", reference_usd: Num | None = None) -> None:
        self._book = book
        self._known: dict[str, Num | None] = {USD: PAR}
        if underlying and reference_usd is not None:
            self._known[underlying] = reference_usd

    def of(self, unit: str) -> Num | None:
        """Return what a unit of an underlying or a stable is worth; None when nobody can tell."""
        if unit in self._known:
            return self._known[unit]
        found = self._known[unit] = self._told(unit)
        return found

    def _told(self, unit: str) -> Num | None:
        marked = self._book.marks.assets.get(unit)
        if marked is not None:
            return marked.mid
        policy = self._book.policy
        if policy is not None and unit in policy.integrity.stables:
            return PAR
        reference = self._book.references.get(unit)
        if reference is not None and policy is not None:
            quote = next((each.quote for each in policy.instruments if each.base == unit), USD)
            paid = self.of(quote)
            return None if paid is None else reference * paid
        return None

    def value(self, unit: str, quantity: Num) -> Num | None:
        """Return what a quantity is worth, USD; nothing of what has no price is worth nothing."""
        if not quantity:
            return ZERO
        price = self.of(unit)
        return None if price is None else quantity * price

    def total(self, quantities: dict[str, Num]) -> Num | None:
        """Return what quantities by unit are worth together, USD; None when one of them has no price."""
        total = ZERO
        for unit, quantity in quantities.items():
            if quantity:
                price = self.of(unit)
                if price is None:
                    return None
                total += quantity * price
        return total

    def gross(self, sums: Sums | None) -> Num | None:
        """Return the gross notional of a scope, whatever of its orders fills, USD."""
        return ZERO if sums is None else self.total(sums.gross)

    def open_value(self, sums: Sums | None) -> Num | None:
        """Return the value of a scope's open orders at their limit prices, USD."""
        return ZERO if sums is None else self.total(sums.value)
