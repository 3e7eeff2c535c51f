"""The book's policy: assets, pairs, instruments and bounds. It is an event, so that history decides as it did."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.execution import SWEEP, Style
from domain.ids import natural_id, position_key
from domain.market import USD, Integrity
from domain.quantity import ZERO, Num
from domain.rebalancing.terms import Rebalancing
from domain.risk_terms import Risk
from domain.routing.terms import Routing


class Hedging(StrEnum):
    """Say what protects the collateral of a pair."""

    PERPETUAL = "perpetual"  # a short perpetual, opened on mint and closed on redeem
    HOLD = "hold"  # a stable: held


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Describe an asset: its atoms per unit (10^decimals), its contract, and the underlying whose price it follows.

    `ratio` is how many units of the underlying one of it stands for: above one for a liquid staking token.
    """

    symbol: str
    decimals: int
    address: str
    underlying: str
    ratio: Num = Num(1)


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a venue's contract: sizes in base units, prices in quote units.

    `kind` is linear, inverse or spot, `contract_size` how many units one of the venue's contracts is; both must
    be what the venue lists.
    """

    venue: str
    account: str
    symbol: str
    base: str
    quote: str
    lot: Num
    tick: Num
    minimum_quantity: Num
    minimum_notional: Num
    taker_fee_bps: Num
    kind: str = "linear"
    contract_size: Num = Num(1)

    @property
    def key(self) -> str:
        """Return the key of its position, by which a hedge leaves it out too."""
        return position_key(self.venue, self.account, self.symbol)


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Describe what can be minted or redeemed: collateral against the issued dollar. Fees and buffers in bps.

    `venue` and `symbol` name its home instrument, whose book gives the reference while it can be believed; hedged is on
    every instrument of the underlying.
    """

    name: str
    collateral: str
    hedging: Hedging
    venue: str
    symbol: str
    fee_bps: Num
    buffer_bps: Num


class SettlementOrder(StrEnum):
    """Say what comes first of a request's hedge and its transaction."""

    HEDGE_FIRST = "hedge_first"  # the transaction is asked for once the hedge is complete
    ON_INCLUSION = "on_inclusion"  # the transaction is asked for at acceptance, the hedge planned once it is in a block


class CustodianTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Say what part of the collateral a custodian should hold, bps. `address` is lower case."""

    address: str
    ratio_bps: int


class HotBand(msgspec.Struct, frozen=True, kw_only=True):
    """Bound what the minting contract itself holds of a collateral, in whole units, to pay redeems from.

    Below `minimum` it is filled up to `target` from `funder`, above `maximum` the rest goes to custody.
    """

    asset: str
    minimum: Num
    target: Num
    maximum: Num
    funder: str = ""


class TreasuryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Say what the contract should hold, and whose multisig is asked to move it. Addresses are lower case."""

    bands: tuple[HotBand, ...] = ()
    safe: str = ""


class BackTo(StrEnum):
    """Say how much of what lies outside an internalisation band is traded."""

    EDGE = "edge"  # down to the band's edge
    ZERO = "zero"  # all of it


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Let up to `width` base units of an underlying rest unhedged, so that opposite flows net before anything is sent.

    What rests is exposure like any other: the limit on net delta counts it.
    """

    underlying: str
    width: Num
    back_to: BackTo = BackTo.EDGE


class Styles(msgspec.Struct, frozen=True, kw_only=True):
    """Set how the legs of a hedge are brought to their venues, by its purpose."""

    open: Style = SWEEP
    close: Style = SWEEP
    unwind: Style = SWEEP
    rehedge: Style = SWEEP
    rebalance: Style = SWEEP


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Hold every setting a decision depends on."""

    issued: str
    assets: tuple[Asset, ...]
    pairs: tuple[Pair, ...]
    instruments: tuple[Instrument, ...]
    benefactors: tuple[str, ...]  # lower case; empty: everyone
    chain_id: int
    minting_contract: str
    gas: Num  # units of the issued dollar, deducted from the output
    quote_lifetime_ms: int
    order_expiry_min_ms: int
    last_look_bps: Num
    hedge_slippage_bps: Num
    hedge_orders_max: int
    hedge_retry_ms: int
    size_digits_max: int = 18
    integrity: Integrity = Integrity()
    settlement_order: SettlementOrder = SettlementOrder.HEDGE_FIRST
    chain_required: bool = False  # nothing is accepted or settled that the chain was not seen to permit
    delegate_slippage_bps_max: Num = Num(100)  # of value, gas included, that an order signed by a delegate may cost
    capacity_margin_bps: Num = Num(500)  # of each cap a block, left to other minters
    custodians: tuple[CustodianTarget, ...] = ()
    treasury: TreasuryPolicy = TreasuryPolicy()
    submission_expiry_margin_ms: int = 15_000  # an order is not sent any more this long before it expires
    settlement_attempts_max: int = 5
    settlement_replacements_max: int = 10  # of one attempt; as many cancels again
    transaction_cost_wei_max: int = 10**18  # gas limit times fee offered
    routing: Routing = Routing()
    bands: tuple[Band, ...] = ()
    styles: Styles = Styles()
    rebalancing: Rebalancing = Rebalancing()
    risk: Risk = Risk()

    def traded(self, underlying: str) -> tuple[Instrument, ...]:
        """Return the instruments that an underlying may be hedged with, in the policy's order."""
        return tuple(each for each in self.instruments if each.base == underlying)

    def band(self, underlying: str) -> Band | None:
        """Return the internalisation band of an underlying; without one all of its delta is traded."""
        return next((each for each in self.bands if each.underlying == underlying and each.width > ZERO), None)

    @property
    def valued(self) -> tuple[str, ...]:
        """Return the assets that must have a price: what is backed by, and the stables that hedges are paid in."""
        named = {asset.underlying for asset in self.assets} | {item.quote for item in self.instruments}
        return tuple(sorted(named - {USD}))


@catalogued
class PolicyAdopted(Event, frozen=True, kw_only=True, tag="policy.adopted.v5"):
    """The book decides by this policy from here on."""

    policy: Policy

    @property
    def originator(self) -> UUID:
        """Return the one policy stream's id."""
        return natural_id("policy")
