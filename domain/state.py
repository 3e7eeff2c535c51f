"""The Book itself: what it holds for one decision, and what can be read off it without folding anything.

Whatever grows is bounded: quotes by their retention, the rest by what is open, and nonces by the bitmaps that the
contract itself must keep.
"""

from decimal import Decimal
from uuid import UUID

import msgspec

from domain.approvals import Approvals
from domain.difference import Differences
from domain.event import Event
from domain.fill import Position
from domain.flow import Flow
from domain.hedge import OpenHedge
from domain.ids import natural_id
from domain.latch import Latch
from domain.limit import Limit, limit_key
from domain.mark import Marks
from domain.mode import GLOBAL, Mode, strictest
from domain.onchain import OnChain
from domain.order_state import OpenOrder
from domain.outside import Outside
from domain.policy import Asset, Instrument, Pair, Policy
from domain.quantity import ZERO, Num, add, to_units
from domain.quote import OpenQuote, Side, UsedQuote
from domain.rebalancing.rebalance import Rebalances
from domain.request import OpenRequest, RequestAccepted
from domain.settlement import OpenSettlement
from domain.stable import Stables
from domain.supply import Supply
from domain.tally import Tallies
from domain.treasury import Treasury
from domain.vault import Vault
from domain.wake import Wake
from domain.watch import OpenAlert

NONCE_SLOT_BITS = 8
NONCE_MASK = (1 << 64) - 1


class Book(msgspec.Struct, kw_only=True):
    """Hold the whole consistency boundary of one book."""

    at_us: int = 0  # of the latest event: no later one is before it, across restarts too
    policy: Policy | None = None
    modes: dict[str, Mode] = {}
    mode_causes: dict[str, dict[str, Mode]] = {}  # what holds each scope in its mode, by cause; "" are people
    mode_authors: dict[str, str] = {}
    limits: dict[str, Limit] = {}
    versions: dict[UUID, int] = {}
    quotes: dict[UUID, OpenQuote] = {}
    used_quotes: dict[UUID, UsedQuote] = {}
    quote_ends: list[tuple[int, UUID]] = []
    nonces: dict[str, dict[int, int]] = {}
    requests: dict[UUID, OpenRequest] = {}
    hedges: dict[UUID, OpenHedge] = {}
    orders: dict[UUID, OpenOrder] = {}
    client_orders: dict[str, UUID] = {}
    venue_orders: dict[str, UUID] = {}
    ended_orders: dict[str, UUID] = {}  # the latest, by contract and any id: whose a late fill is
    settlements: dict[UUID, OpenSettlement] = {}
    reserved: dict[str, int] = {}  # atoms of issued dollars of open requests that no block settled, by side and asset
    positions: dict[str, Position] = {}
    backing: dict[str, int] = {}
    issued: int = 0
    supply: Supply = msgspec.field(default_factory=Supply)
    carry: dict[str, Num] = {}
    references: dict[str, Num] = {}  # by underlying, of its latest plan: what is judged without evidence goes by it
    shunned: dict[str, tuple[str, ...]] = {}  # instruments, by underlying, whose venue closed a position by itself
    dependencies: dict[str, str] = {}
    control_refused_us: dict[str, int] = {}
    alerts: dict[UUID, OpenAlert] = {}
    wakes: dict[str, Wake] = {}
    outside: Outside = msgspec.field(default_factory=Outside)
    onchain: OnChain = msgspec.field(default_factory=OnChain)
    treasury: Treasury = msgspec.field(default_factory=Treasury)
    costs: Tallies = msgspec.field(default_factory=Tallies)
    rebalancing: Rebalances = msgspec.field(default_factory=Rebalances)
    stables: Stables = {}
    marks: Marks = msgspec.field(default_factory=Marks)
    latches: dict[str, Latch] = {}
    approvals: Approvals = {}
    approached: dict[str, int] = {}  # the band that a limit's use is in, bps, by its key; not named: below all
    vault: Vault = msgspec.field(default_factory=Vault)
    differences: Differences = {}  # between venues' word on what accounts hold and the log, by position
    flow: Flow = msgspec.field(default_factory=Flow)

    def pair(self, name: str) -> Pair | None:
        """Return the pair of that name, in any case."""
        wanted = name.upper()
        pairs = self.policy.pairs if self.policy else ()
        return next((pair for pair in pairs if pair.name.upper() == wanted), None)

    def asset(self, symbol: str) -> Asset:
        """Return a known asset; raise KeyError."""
        for asset in self.policy.assets if self.policy else ():
            if asset.symbol == symbol:
                return asset
        raise KeyError(symbol)

    def ratio(self, asset: Asset) -> Num:
        """Return how many units of its underlying one unit of an asset stands for."""
        observed = self.outside.ratios.get(asset.symbol)
        return asset.ratio if observed is None else observed.ratio

    def instrument(self, venue: str, symbol: str) -> Instrument:
        """Return a known instrument; raise KeyError."""
        for instrument in self.policy.instruments if self.policy else ():
            if instrument.venue == venue and instrument.symbol == symbol:
                return instrument
        raise KeyError(f"{venue} {symbol}")

    def underlying_of(self, venue: str, symbol: str) -> str | None:
        """Return what an instrument of the policy is hedged with; None for any other."""
        known = self.policy.instruments if self.policy is not None else ()
        return next((each.base for each in known if (each.venue, each.symbol) == (venue, symbol)), None)

    @property
    def policy_version(self) -> int:
        """Return how many policies were adopted so far: the version of the one in force."""
        return self.versions.get(natural_id("policy"), 0)

    def mode(self, *scopes: str) -> Mode:
        """Return the strictest mode of the global scope and these."""
        return strictest(self.modes, GLOBAL, *scopes)

    def limit(self, control: str, scope: str = GLOBAL) -> Limit | None:
        """Return a limit in force."""
        return self.limits.get(limit_key(control, scope))

    def nonce_used(self, benefactor: str, nonce: int) -> bool:
        """Say whether the contract would see this nonce as used: only its low 64 bits matter."""
        low = nonce & NONCE_MASK
        bits = self.nonces.get(benefactor, {}).get(low >> NONCE_SLOT_BITS, 0)
        return bool(bits >> (low & 0xFF) & 1)

    def available(self, asset: str) -> int:
        """Return the atoms of collateral that are there for certain and owed to nobody."""
        owed = sum(
            request.accepted.collateral.atoms
            for request in self.requests.values()
            if request.accepted.side is Side.REDEEM and request.accepted.collateral.asset == asset
        )
        return self.backing.get(asset, 0) - owed

    def reserve(self, side: Side, asset: str = "") -> int:
        """Return the atoms of issued dollars that may yet share a block: of an asset, or of all."""
        if asset:
            return self.reserved.get(f"{side}|{asset}", 0)
        return sum(atoms for key, atoms in self.reserved.items() if key.startswith(f"{side}|"))

    def promise(self, accepted: RequestAccepted, sign: int) -> None:
        """Count a request's issued dollars among those that may yet share a block (1), or no longer (-1)."""
        key = f"{accepted.side}|{accepted.collateral.asset}"
        self.reserved[key] = self.reserved.get(key, 0) + sign * accepted.issued.atoms

    def carry_over(self, underlying: str, by: Decimal) -> None:
        """Add to what an underlying carries, base units: the next hedge trades it."""
        self.carry[underlying] = add(self.carry.get(underlying, ZERO), by)

    def arm(self, wake: Wake) -> None:
        """Keep a wake until it is fired or its subject is over."""
        self.wakes[wake.key] = wake

    def disarm(self, subject: UUID) -> None:
        """Drop the wakes of a subject that is over."""
        for key in [key for key, wake in self.wakes.items() if wake.subject == subject]:
            del self.wakes[key]

    def next_version(self, event: Event) -> int:
        """Return the version that this event takes in its stream."""
        return self.versions.get(event.originator, 0) + 1


def underlying_exposure(book: Book, accepted: RequestAccepted) -> Num:
    """Return the signed change of backing (units of the underlying) that a request brings when it settles."""
    asset = book.asset(accepted.collateral.asset)
    units = to_units(accepted.collateral.atoms, asset.decimals) * book.ratio(asset)
    return units if accepted.side is Side.MINT else Num(-units)
