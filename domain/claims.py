"""Claims: what venues, custodians and issuers of stables owe or keep for us, USD, as intervals.

A venue owes what an account has there, its unsettled profit with it; of one that settles with a custodian, only that
profit. A custodian keeps what settlements sent it and what it says itself. A stable is as good as its issuer for all
that is held in it, and shorts paid in it lose with it as well: at its end each would owe its entry value.
"""

from enum import StrEnum

import msgspec

from domain.account import account_key
from domain.holdings import Purse, accounts, kept, purses
from domain.margin import Margin, margin_of, margins
from domain.onchain import split
from domain.policy import Asset, Hedging, Policy
from domain.quantity import BPS, ZERO, Interval, Num, add, divide, multiply, to_units
from domain.quote import Side
from domain.state import Book
from domain.worth import NOTHING, Worth, exactly, plus, valued, worth


class Party(StrEnum):
    """Say on whom a claim is."""

    VENUE = "venue"
    CUSTODIAN = "custodian"
    STABLE = "stable"
    TOTAL = "total"


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show what is owed by a party or kept by it, USD; None: something of it has no price.

    `id` is a venue's name, a custodian's address or name, a stable; "" of the total. `certain` leaves out what is open.
    `unsettled` is a venue's unpaid profit. `sensitivity` is what would be lost if a stable were worth nothing.
    """

    party: Party
    id: str
    value: Interval | None
    certain: Num | None = None
    unsettled: Num | None = None
    sensitivity: Interval | None = None


class Claims(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold every claim, and the total of all assets: what backs, and what venues owe. `floor` is USD."""

    lines: tuple[Claim, ...]
    total: Claim
    floor: Num = ZERO

    def get(self, party: Party, name: str) -> Claim | None:
        """Return the claim on a party, None where there is none."""
        return next((each for each in self.lines if each.party is party and each.id == name), None)

    def share_bps(self, claim: Claim) -> Num | None:
        """Return which part of all assets a claim may be at most, bps; None where one of the two is not known."""
        if claim.value is None or self.total.value is None:
            return None
        whole = max(self.total.value.low, self.floor)
        if claim.value.high <= ZERO:
            return ZERO
        return Num(BPS) if whole <= ZERO else divide(multiply(claim.value.high, BPS), whole)


class Held(msgspec.Struct, frozen=True, gc=False):
    """Hold a collateral: its certain units, the interval of what requests may leave of it, and what a unit is worth."""

    asset: Asset
    certain: Num
    units: Interval
    unit: Worth | None

    @property
    def value(self) -> Interval | None:
        """Return what it is worth, USD."""
        if self.units == NOTHING:
            return NOTHING
        return None if self.unit is None else valued(self.units, self.unit)


def collateral(book: Book) -> tuple[Held, ...]:
    """Return every collateral of the policy, as requests in flight may leave it."""
    found: list[Held] = []
    for asset in book.policy.assets if book.policy is not None else ():
        atoms = book.backing.get(asset.symbol, 0)
        least = to_units(atoms - book.flow.leaving.get(asset.symbol, 0), asset.decimals)
        most = to_units(atoms + book.flow.arriving.get(asset.symbol, 0), asset.decimals)
        unit = worth(book, asset.symbol)
        found.append(Held(asset, to_units(atoms, asset.decimals), Interval(least, most), unit))
    return tuple(found)


def claims(book: Book) -> Claims:
    """Return every claim there is."""
    return claims_and_margins(book)[0]


def claims_and_margins(book: Book) -> tuple[Claims, tuple[Margin, ...]]:
    """Return every claim there is, and the margin of every account, which they rest on: for who needs both."""
    policy = book.policy
    if policy is None:
        return Claims(lines=(), total=Claim(party=Party.TOTAL, id="", value=NOTHING, certain=ZERO)), margins(book)
    held = collateral(book)
    seen: list[Margin] = []
    there: list[dict[str, Purse]] = []
    for venue, account in accounts(book):
        contracts = kept(book, venue, account)
        seen.append(margin_of(book, venue, account, contracts))
        there.append(purses(book, book.outside.accounts.get(account_key(venue, account)), contracts))
    venues = _venues(book, seen)
    lines = (*venues, *_custodians(book, held), *_stables(book, policy, held, there))
    return Claims(lines=lines, total=_total(held, venues), floor=policy.risk.concentration_floor), tuple(seen)


def owed(book: Book, of: Margin) -> Interval | None:
    """Return what a venue owes us on an account, USD; of one that was never seen, what was won there by the log."""
    if of.unknown:
        return None
    unsettled = of.unsettled or ZERO
    mirrored = account_key(of.venue, of.account) in book.vault.settled_us
    if of.equity is None or mirrored:
        return Interval(ZERO, unsettled)
    return Interval(max(of.equity.low, ZERO), max(of.equity.high, unsettled, ZERO))


def _venues(book: Book, seen: list[Margin]) -> tuple[Claim, ...]:
    found: dict[str, Claim] = {}
    for each in seen:
        before = found.get(each.venue)
        value, unsettled = owed(book, each), each.unsettled
        if before is not None:
            value = None if value is None or before.value is None else plus(value, before.value)
            missing = unsettled is None or before.unsettled is None
            unsettled = None if missing else add(unsettled or ZERO, before.unsettled or ZERO)
        low = None if value is None else value.low
        found[each.venue] = Claim(party=Party.VENUE, id=each.venue, value=value, certain=low, unsettled=unsettled)
    return tuple(found.values())


def _total(held: tuple[Held, ...], venues: tuple[Claim, ...]) -> Claim:
    value: Interval | None = NOTHING
    certain: Num | None = ZERO
    for each in held:
        worth_it = each.value
        value = None if value is None or worth_it is None else plus(value, worth_it)
        if not each.certain:
            continue
        certain = None if certain is None or each.unit is None else add(certain, multiply(each.certain, each.unit.low))
    for venue in venues:
        value = None if value is None or venue.value is None else plus(value, venue.value)
        certain = None if certain is None or venue.certain is None else add(certain, venue.certain)
    return Claim(party=Party.TOTAL, id="", value=value, certain=certain)


def _custodians(book: Book, held: tuple[Held, ...]) -> tuple[Claim, ...]:
    """Return what custodians keep: what was sent to each, what may be on its way, and what it says where that differs.

    What left custodians is not told one by one: where together they were sent more than is there, each may have less.
    """
    found: dict[str, Interval | None] = {}
    certain: dict[str, Num] = {}
    for each in held:
        symbol, decimals = each.asset.symbol, each.asset.decimals
        sent = book.onchain.custody.get(symbol, {})
        gone = max(sum(sent.values()) - book.backing.get(symbol, 0), 0)
        coming = _routed(book, symbol)
        for name in sorted({*sent, *coming, *_reporters(book, symbol)}):
            there = sent.get(name, 0)
            low = to_units(max(there - gone, 0), decimals)
            high = to_units(there + coming.get(name, 0), decimals)
            told = _told(book, name, symbol)
            if told is not None:
                low, high = min(low, told), max(high, told)
            before = found.get(name, NOTHING)
            if not high:
                value: Interval | None = NOTHING
            else:
                value = None if each.unit is None else valued(Interval(low, high), each.unit)
            found[name] = None if value is None or before is None else plus(before, value)
            if each.unit is not None:
                certain[name] = add(certain.get(name, ZERO), multiply(low, each.unit.low))
    return tuple(
        Claim(party=Party.CUSTODIAN, id=name, value=value, certain=None if value is None else certain.get(name, ZERO))
        for name, value in sorted(found.items())
    )


def _routed(book: Book, symbol: str) -> dict[str, int]:
    """Return the atoms of a collateral that open settlements may bring each custodian."""
    found: dict[str, int] = {}
    for settlement in book.settlements.values():
        asked = settlement.requested
        if asked.side is Side.MINT and asked.collateral.asset == symbol and asked.custodians:
            for name, leg in zip(asked.custodians, split(asked.collateral.atoms, asked.ratios), strict=True):
                found[name] = found.get(name, 0) + leg
    return found


def _reporters(book: Book, symbol: str) -> tuple[str, ...]:
    return tuple(name for name in book.vault.custody if _told(book, name, symbol) is not None)


def _told(book: Book, custodian: str, symbol: str) -> Num | None:
    """Return how much of an asset a custodian says that it keeps, what stands mirrored at venues with it."""
    told = book.vault.custody.get(custodian)
    return next((each.quantity for each in told.holdings if each.asset == symbol), None) if told is not None else None


def stables(policy: Policy) -> tuple[str, ...]:
    """Return the stables that are held or paid in."""
    held = {pair.collateral for pair in policy.pairs if pair.hedging is Hedging.HOLD}
    named = {asset.underlying for asset in policy.assets if asset.symbol in held}
    return tuple(name for name in policy.valued if name in named | {item.quote for item in policy.instruments})


def _stables(book: Book, policy: Policy, held: tuple[Held, ...], there: list[dict[str, Purse]]) -> tuple[Claim, ...]:
    names = stables(policy)
    units, entered = dict.fromkeys(names, NOTHING), dict.fromkeys(names, NOTHING)
    for each in held:
        name = each.asset.underlying
        if name in units:
            ratio = book.ratio(each.asset)
            scaled = Interval(multiply(each.units.low, ratio), multiply(each.units.high, ratio))
            units[name], entered[name] = plus(units[name], scaled), plus(entered[name], scaled)
    for account in there:
        for name, purse in account.items():
            if name in units:
                units[name] = plus(units[name], purse.value)
                entered[name] = plus(entered[name], exactly(purse.entered))
    return tuple(_stable(book, name, units[name], entered[name]) for name in names)


def _stable(book: Book, name: str, units: Interval, entered: Interval) -> Claim:
    unit = worth(book, name)
    if unit is None:
        known = NOTHING if units == NOTHING == entered else None
        return Claim(party=Party.STABLE, id=name, value=known, sensitivity=known)
    value = valued(units, unit)
    return Claim(party=Party.STABLE, id=name, value=value, certain=value.low, sensitivity=valued(entered, unit))
