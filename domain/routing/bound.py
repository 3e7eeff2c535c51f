"""The bound by weak duality: whatever prices are named, no choice costs less than what they add up to."""

from decimal import Decimal

from domain.quantity import EXACT
from domain.routing.desk import Gross
from domain.routing.walk import DUST, NOTHING, Walk

_add, _subtract, _multiply = EXACT.add, EXACT.subtract, EXACT.multiply


def dual(walks: list[Walk], grosses: list[Gross], wanted: list[Decimal], prices: list[Decimal]) -> Decimal:
    """Return a lower bound of the cost, USD, of bringing `wanted` base units of each target; all walks fresh.

    `prices` are shares: first what a USD of each target is worth, then what a USD of each venue's gross is charged.
    Each walk takes what is cheaper than its target's price, each venue the notional that its price pays for.
    """
    total = NOTHING
    targets, venues = prices[: len(wanted)], prices[len(wanted) :]
    references = {walk.target: walk.reference for walk in walks}
    for number, quantity in enumerate(wanted):
        if quantity and number in references:
            total = EXACT.fma(_multiply(targets[number], references[number]), quantity, total)
    for walk in walks:
        total = _add(total, _taken(walk, targets[walk.target], venues[walk.venue]))
    for gross, price in zip(grosses, venues, strict=True):
        total = _add(total, _held(gross, price))
    return total


def _taken(walk: Walk, worth: Decimal, charge: Decimal) -> Decimal:
    """Return the least cost of a walk when the target pays `worth` and gross costs `charge`, both shares."""
    while walk.unit is not None:
        signed = EXACT.minus(charge) if walk.reducing else charge
        if _add(walk.unit, signed) >= worth or walk.take(walk.piece()) <= DUST:
            break
    charged = _multiply(_subtract(_multiply(walk.extended, charge), _multiply(walk.base, worth)), walk.reference)
    return _add(walk.cost, charged)


def _held(gross: Gross, price: Decimal) -> Decimal:
    """Return the least of fines less `price` for each USD of change in a venue's gross, from none to its most."""
    edges = [from_usd for from_usd, _ in gross.steps if NOTHING < from_usd < gross.notional_max]
    least: Decimal | None = None
    for notional in (NOTHING, *edges, gross.notional_max):
        gross.move(notional)
        value = _subtract(gross.fined(), _multiply(price, _subtract(notional, gross.start)))
        least = value if least is None else min(least, value)
    gross.move(gross.start)
    return least or NOTHING
