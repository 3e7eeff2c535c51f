"""Gauges of concentration before a decision: which part of all assets a venue, a custodian or a stable would have.

What is open counts as it is promised: a mint's collateral as there, a redeem's as gone only when it settled. The law of
claims (`domain.claims`), which knows every corner, watches the same shares between decisions.
"""

from decimal import Decimal

from domain.account import account_key
from domain.controls.meter import Meter
from domain.controls.positions import Grown
from domain.controls.remembered import Backed, Collateral, Owned, standing_of
from domain.limit import Control
from domain.mode import GLOBAL
from domain.policy import Asset
from domain.quantity import BPS, EXACT, ZERO, Num, to_units
from domain.state import Book


class Assets:
    """Tell what all assets are worth, USD, and what of that is at a venue, with a custodian, or in a stable."""

    __slots__ = ("_book", "_floor", "_meter", "_owned", "total")

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._book = book = meter.book
        policy = book.policy
        self._floor = policy.risk.concentration_floor if policy is not None else ZERO
        owned = meter.memory.owned
        if owned is None:
            owned = meter.memory.owned = _owned(meter)
        self._owned = owned
        held = None if owned.total is None else self._held(policy.assets if policy is not None else ())
        self.total = None if owned.total is None or held is None else EXACT.add(owned.total, held)

    def _held(self, assets: tuple[Asset, ...]) -> Decimal | None:
        """Return what is there of all collateral, USD."""
        meter, prices = self._meter, self._meter.prices
        known = meter.memory.collateral
        if known is None:
            known = meter.memory.collateral = _marked(self._book, assets)
        if len(known) == len(assets) and prices.steady:
            return prices.summed(meter.memory.total, "", _backed(meter, known).units)
        total: Decimal = ZERO
        for asset in assets:
            value = self._collateral(asset)
            if value is None:
                return None
            total = EXACT.add(total, value)
        return total

    def _collateral(self, asset: Asset) -> Decimal | None:
        """Return what is there of a collateral, and of open mints, USD; what nobody holds any of needs no price."""
        book, symbol = self._book, asset.symbol
        atoms = book.backing.get(symbol, 0) + book.flow.arriving.get(symbol, 0)
        kept = book.onchain.custody.get(symbol) or book.vault.custody
        if not atoms and not kept:
            return ZERO
        unit = price_of(self._meter, asset)
        if unit is not None:
            return EXACT.multiply(to_units(atoms, asset.decimals), unit) if atoms else ZERO
        return None if atoms or self._kept(symbol) else ZERO

    def _kept(self, symbol: str) -> bool:
        """Say whether a custodian was sent any of a collateral, or tells of it."""
        said = (held.asset == symbol for seen in self._book.vault.custody.values() for held in seen.holdings)
        return bool(self._book.onchain.custody.get(symbol)) or any(said)

    def at_venue(self, name: str) -> Decimal:
        """Return what the accounts of a venue have."""
        return self._owned.venues.get(name, ZERO)

    def with_custodian(self, name: str) -> Decimal:
        """Return what a custodian keeps: what it was sent, or what it says where that is more."""
        book, policy = self._book, self._book.policy
        seen = book.vault.custody.get(name)
        told: dict[str, Num] = {}
        for held in seen.holdings if seen is not None else ():
            told[held.asset] = max(told.get(held.asset, ZERO), held.quantity)
        total: Decimal = ZERO
        for asset in policy.assets if policy is not None else ():
            sent = book.onchain.custody.get(asset.symbol, {}).get(name, 0)
            said = told.get(asset.symbol)
            if not sent and said is None:
                continue
            units, unit = to_units(sent, asset.decimals), price_of(self._meter, asset)
            if unit is not None:
                total = EXACT.fma(units if said is None else max(units, said), unit, total)
        return total

    def in_stable(self, name: str) -> Decimal:
        """Return what is held in a stable, as collateral and on accounts."""
        policy = self._book.policy
        total = self._owned.stables.get(name, ZERO)
        for asset in policy.assets if policy is not None else ():
            if asset.underlying == name:
                total = EXACT.add(total, self._collateral(asset) or ZERO)
        return total

    def whole(self, more: Decimal = ZERO) -> Decimal | None:
        """Return what all assets and `more` are worth, no less than what shares are told of."""
        return None if self.total is None else max(EXACT.add(self.total, more), self._floor)

    def share(self, part: Decimal, more: Decimal = ZERO) -> Decimal | None:
        """Return which share a part is of all assets and `more`, bps."""
        whole = self.whole(more)
        if whole is None:
            return None
        if part <= 0:
            return ZERO
        return BPS if whole <= 0 else EXACT.divide(EXACT.multiply(part, BPS), whole)


def _marked(book: Book, assets: tuple[Asset, ...]) -> tuple[Collateral, ...]:
    """Return how those collaterals are valued that have a mark, or whose underlying has one."""
    marks, found = book.marks.assets, list[Collateral]()
    for asset in assets:
        if asset.symbol in marks:
            found.append(Collateral(asset.symbol, asset.decimals, asset.symbol, Num(1)))
        elif asset.underlying in marks:
            found.append(Collateral(asset.symbol, asset.decimals, asset.underlying, book.ratio(asset)))
    return tuple(found)


def _backed(meter: Meter, known: tuple[Collateral, ...]) -> Backed:
    """Return what there is of each collateral, and of open mints."""
    backing, arriving = meter.book.backing, meter.book.flow.arriving
    atoms = tuple([backing.get(each.symbol, 0) + arriving.get(each.symbol, 0) for each in known])
    found = meter.memory.backed
    if found is None or found.atoms != atoms:
        units: dict[str, Decimal] = {}
        for each, held in zip(known, atoms, strict=True):
            units[each.unit] = EXACT.fma(to_units(held, each.decimals), each.ratio, units.get(each.unit, ZERO))
        found = meter.memory.backed = Backed(atoms, units)
    return found


def _owned(meter: Meter) -> Owned:
    """Return what accounts have, as their venues told; of one that settles with a custodian only its profit."""
    book, named = meter.book, stables(meter)
    total: Decimal | None = ZERO
    venues: dict[str, Decimal] = {}
    held: dict[str, Decimal] = {}
    for key, seen in book.outside.accounts.items():
        stands = standing_of(meter.memory, book, key)
        if stands is None or stands.equity is None or stands.profit is None:
            total = None
            continue
        mirrored = key in book.vault.settled_us
        value = max(stands.profit if mirrored else max(stands.equity, stands.profit), ZERO)
        _add(venues, seen.venue, value)
        total = None if total is None else EXACT.add(total, value)
        for asset, there in () if mirrored else stands.assets.items():
            if asset in named:
                _add(held, asset, max(there, ZERO))
    return Owned(total, venues, held)


def _add(values: dict[str, Decimal], name: str, more: Decimal) -> None:
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


def _all_told(meter: Meter) -> bool:
    known = meter.memory.all_told
    if known is None:
        known = meter.memory.all_told = all_told(meter.book)
    return known


def hold_shares(meter: Meter, grown: list[Grown]) -> None:
    """Hold the shares that a request would make: a mint brings its collateral, and leans on where it is hedged."""
    probe = meter.probe
    if not probe.mint:
        return  # a redeem takes from what is held, and opens nothing
    assets, more = Assets(meter), probe.notional
    for venue in dict.fromkeys([each.line.venue for each in grown]) if _all_told(meter) else ():
        scopes, part = (GLOBAL, f"venue:{venue}"), assets.at_venue(venue)
        whole = assets.whole(more)
        if whole is None or not meter.within(Control.VENUE_CONCENTRATION, scopes, EXACT.multiply(part, BPS), whole):
            meter.hold(Control.VENUE_CONCENTRATION, scopes, assets.share(part, more), subject=venue)
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
    held = assets.with_custodian(name) if kind == "custodian" else assets.in_stable(name)
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
    held = assets.at_venue(name) if kind == "venue" else assets.with_custodian(name)
    after = assets.share(EXACT.add(held, probe.notional))
    meter.hold(control, (GLOBAL, f"{kind}:{name}"), after, lambda: assets.share(held), name)
