"""How the Book folds ratios: when a token stands for more or less of its underlying, the difference is left to hedge.

The hedging law (`domain.exposure.imbalance`) holds across it: what backs counts at the new ratio, as does what requests
will bring that a hedge was planned for, and the carry takes what the hedges do not answer.
"""

from collections.abc import Callable
from typing import Any

from domain.event import Event
from domain.policy import Asset, Policy
from domain.quantity import Num, multiply, subtract, to_units
from domain.quote import Side
from domain.ratio import RatioObserved
from domain.request import Stage
from domain.state import Book


def adopted(book: Book, policy: Policy) -> None:
    """Follow the ratios of a policy that is adopted: one that it changed counts again, whatever was observed."""
    before = {asset.symbol: asset for asset in book.policy.assets} if book.policy is not None else {}
    for asset in policy.assets:
        known = before.get(asset.symbol)
        if known is not None and known.ratio != asset.ratio:
            _carried(book, asset, subtract(asset.ratio, book.ratio(known)))
            book.outside.ratios.pop(asset.symbol, None)


def _observed(book: Book, event: RatioObserved, _at_us: int) -> None:
    asset = book.asset(event.asset)
    _carried(book, asset, subtract(event.ratio, book.ratio(asset)))
    book.outside.ratios[event.asset] = event


def _carried(book: Book, asset: Asset, change: Num) -> None:
    atoms = book.backing.get(asset.symbol, 0)
    for request in book.requests.values():
        accepted = request.accepted
        hedged = request.hedge_id is not None and request.stage is not Stage.SETTLED
        if hedged and accepted.collateral.asset == asset.symbol:
            atoms += accepted.collateral.atoms if accepted.side is Side.MINT else -accepted.collateral.atoms
    by = multiply(to_units(atoms, asset.decimals), change)
    if by:
        book.carry_over(asset.underlying, -by)


FOLDS: dict[type[Event], Callable[[Book, Any, int], None]] = {RatioObserved: _observed}
"""How each of these events is folded."""
