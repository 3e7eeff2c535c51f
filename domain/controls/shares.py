"""Gauges of concentration before a decision: which part of all assets a venue, a custodian or a stable would have.

What is open counts as it is promised: a mint's collateral as there, a redeem's as gone only when it settled. The law of
claims (`domain.claims`), which knows every corner, watches the same shares between decisions.
"""

from decimal import Decimal

from domain.account import account_key
from domain.controls.meter import Meter
from domain.controls.positions import Grown
from domain.controls.standing import standing
from domain.limit import Control
from domain.mode import GLOBAL
from domain.policy import Asset
from domain.quantity import BPS, EXACT, ZERO, Num, to_units
from domain.state import Book

Values = dict[str, Decimal]


class Assets:
    """Hold what all assets are worth, USD, and what of that is at venues, with custodians, and in stables."""

    def __init__(self, meter: Meter) -> None:
        self.total: Decimal | None = ZERO
        self.venues: Values = {}
        self.custodians: Values = {}
        self.stables: Values = {}
        policy = meter.book.policy
        self._floor = policy.risk.concentration_floor if policy is not None else ZERO
        for asset in policy.assets if policy is not None else ():
            self._collateral(meter, asset)
        for key in meter.book.outside.accounts:
            self._account(meter, key)

    def _collateral(self, meter: Meter, asset: Asset) -> None:
        book = meter.book
        atoms = book.backing.get(asset.symbol, 0) + book.flow.arriving.get(asset.symbol, 0)
        kept = book.onchain.custody.get(asset.symbol, {})
        told = [
            (name, held)
            for name, seen in book.vault.custody.items()
            for held in seen.holdings
            if held.asset == asset.symbol
        ]
        if not atoms and not kept and not told:
            return
        unit = price_of(meter, asset)
        value = None if unit is None else EXACT.multiply(to_units(atoms, asset.decimals), unit)
        self.total = None if self.total is None or value is None else EXACT.add(self.total, value)
        if unit is None or value is None:
            return
        if asset.underlying in stables(meter):
            add(self.stables, asset.underlying, value)
        held = {name: to_units(each, asset.decimals) for name, each in kept.items()}
        for name, each in told:
            held[name] = max(held.get(name, ZERO), each.quantity)
        for name, units in held.items():
            add(self.custodians, name, EXACT.multiply(units, unit))

    def _account(self, meter: Meter, key: str) -> None:
        seen = meter.book.outside.accounts[key]
        stands = standing(meter.book, seen.venue, seen.account)
        if stands is None or stands.equity is None or stands.profit is None:
            self.total = None
            return
        mirrored = account_key(seen.venue, seen.account) in meter.book.vault.settled_us
        value = max(stands.profit if mirrored else max(stands.equity, stands.profit), ZERO)
        add(self.venues, seen.venue, value)
        self.total = None if self.total is None else EXACT.add(self.total, value)
        for asset, held in () if mirrored else stands.assets.items():
            if asset in stables(meter):
                add(self.stables, asset, max(held, ZERO))

    def share(self, part: Decimal, more: Decimal = ZERO) -> Decimal | None:
        """Return which share a part is of all assets and `more`, bps."""
        if self.total is None:
            return None
        whole = max(EXACT.add(self.total, more), self._floor)
        if part <= 0:
            return ZERO
        return BPS if whole <= 0 else EXACT.divide(EXACT.multiply(part, BPS), whole)


def add(values: Values, name: str, more: Decimal) -> None:
    """Add to what a name has."""
    values[name] = EXACT.add(values.get(name, ZERO), more)


def stables(meter: Meter) -> tuple[str, ...]:
    """Return what counts as a stable."""
    policy = meter.book.policy
    return policy.integrity.stables if policy is not None else ()


def price_of(meter: Meter, asset: Asset) -> Decimal | None:
    """Return what a unit of a collateral is worth, USD."""
    told = meter.prices.of(asset.symbol) if asset.symbol in meter.book.marks.assets else None
    if told is not None:
        return told
    under = meter.prices.of(asset.underlying)
    ratio = meter.book.ratio(asset)
    return under if under is None or ratio == 1 else EXACT.multiply(under, ratio)


def all_told(book: Book) -> bool:
    """Say whether every account of the policy was told: before that, one venue's part of the whole says nothing."""
    accounts = book.outside.accounts
    return all(account_key(line.venue, line.account) in accounts for line in book.flow.lines.values() if line.base)


def hold_shares(meter: Meter, grown: list[Grown]) -> None:
    """Hold the shares that a request would make: a mint brings its collateral, and leans on where it is hedged."""
    probe = meter.probe
    if not probe.mint:
        return  # a redeem takes from what is held, and opens nothing
    assets, more = Assets(meter), probe.notional
    told = all_told(meter.book)
    for venue in dict.fromkeys(each.line.venue for each in grown if told):
        share = assets.share(assets.venues.get(venue, ZERO), more)
        meter.hold(Control.VENUE_CONCENTRATION, (GLOBAL, f"venue:{venue}"), share, subject=venue)
    policy = meter.book.policy
    for custodian in policy.custodians if policy is not None else ():
        brought = EXACT.divide(EXACT.multiply(more, Num(custodian.ratio_bps)), BPS)
        _hold_part(meter, assets, Control.CUSTODIAN_CONCENTRATION, (custodian.address, brought, more))
    if probe.underlying in stables(meter):
        _hold_part(meter, assets, Control.STABLE_CONCENTRATION, (probe.underlying, more, more))


def _hold_part(meter: Meter, assets: Assets, control: Control, part: tuple[str, Decimal, Decimal]) -> None:
    """Hold what a custodian or a stable would have: what it has and what is brought to it, of all and what is new."""
    name, brought, more = part
    kind = "custodian" if control is Control.CUSTODIAN_CONCENTRATION else "stable"
    held = (assets.custodians if kind == "custodian" else assets.stables).get(name, ZERO)
    after = assets.share(EXACT.add(held, brought), more)
    meter.hold(control, (GLOBAL, f"{kind}:{name}"), after, lambda: assets.share(held), name)


def hold_moved(meter: Meter) -> None:
    """Hold what a transfer would bring to a venue or a custodian; what it takes from one needs no leave."""
    probe = meter.probe
    kind, _, name = probe.destination.partition(":")
    if kind not in {"venue", "custodian"}:
        return
    assets, name = Assets(meter), name.split("|", 1)[0]
    control = Control.VENUE_CONCENTRATION if kind == "venue" else Control.CUSTODIAN_CONCENTRATION
    held = (assets.venues if kind == "venue" else assets.custodians).get(name, ZERO)
    after = assets.share(EXACT.add(held, probe.notional))
    meter.hold(control, (GLOBAL, f"{kind}:{name}"), after, lambda: assets.share(held), name)
