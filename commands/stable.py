"""Stables that back the dollar: held, or bought into spot and sold short, whichever earns more; people are asked."""

from collections.abc import Iterator

from domain.book import Book
from domain.event import Event
from domain.policy import Asset, Hedging, Policy
from domain.quantity import Num, Rounding, multiply, round_to, subtract, to_units
from domain.rebalancing.ideal import Desk
from domain.rebalancing.moves import USD_STEP
from domain.stable import StableHeld, StableProposed, stable_key
from domain.stable_choice import StableChoice, choose
from domain.ways import Ways

# What is proposed is told anew when it would earn more or less than it did by more than this part of it.
RENEWED = Num("0.25")


def weigh_stables(book: Book, policy: Policy, found: Ways, desk: Desk) -> Iterator[Event]:
    """Propose for each stable that is held what would earn more in this underlying, or withdraw what no longer does."""
    held = {pair.collateral for pair in policy.pairs if pair.hedging is Hedging.HOLD}
    for asset in policy.assets:
        if asset.symbol in held:
            yield from _weigh(book, policy, found, desk, asset)


def _weigh(book: Book, policy: Policy, found: Ways, desk: Desk, asset: Asset) -> Iterator[Event]:
    terms, underlying = policy.rebalancing, found.underlying
    spots = {
        (way.instrument.venue, way.instrument.account, way.instrument.symbol): way.stable.lower
        for way in found.open
        if way.instrument.kind == "spot" and way.instrument.quote == asset.underlying
    }
    before = book.stables.get(stable_key(asset.symbol, underlying))
    units = max(to_units(book.available(asset.symbol), asset.decimals), Num(0))
    usd = multiply(units, min(spots.values())) if spots else Num(0)
    choice = choose(desk, spots, usd, terms.step_notional_max, terms.horizon_ms) if spots else None
    if choice is None or not choice.better(terms.saving_to_cost_min):
        if before is not None:
            text = f"{asset.symbol} is better held than put into {underlying}"
            yield StableHeld(asset=asset.symbol, underlying=underlying, text=text)
    elif before is None or _changed(before, choice):
        yield _proposed(policy, asset, underlying, units, choice)


def _changed(before: StableProposed, choice: StableChoice) -> bool:
    return abs(subtract(choice.earned, before.earned)) > multiply(abs(before.earned), RENEWED)


def _proposed(policy: Policy, asset: Asset, underlying: str, units: Num, choice: StableChoice) -> StableProposed:
    earned, cost = (round_to(each, USD_STEP, Rounding.NEAREST) for each in (choice.earned, choice.cost))
    places = ", ".join(f"{leg.base} {leg.symbol} on {leg.venue}" for leg in choice.legs)
    return StableProposed(
        asset=asset.symbol,
        units=units,
        underlying=underlying,
        legs=choice.legs,
        cost=cost,
        earned=earned,
        horizon_ms=policy.rebalancing.horizon_ms,
        text=f"put {units} {asset.symbol} into {underlying}, sold short: earns {earned} USD for {cost}: first {places}",
    )
