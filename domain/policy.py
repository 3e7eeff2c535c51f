"""The book's policy: assets, pairs, instruments and bounds. It is an event, so that history decides as it did."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.market import USD, Integrity
from domain.quantity import Num


class Hedging(StrEnum):
    """Say what protects the collateral of a pair."""

    PERPETUAL = "perpetual"  # a short perpetual, opened on mint and closed on redeem
    HOLD = "hold"  # a stable: held


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Describe an asset: its atoms per unit (10^decimals), its contract, and the underlying whose price it follows."""

    symbol: str
    decimals: int
    address: str
    underlying: str


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a venue's contract: sizes in base units, prices in quote units.

    `kind` is linear, inverse or spot, `contract_size` how many units one of the venue's contracts is; both must be what
    the venue lists.
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


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Describe what can be minted or redeemed: collateral against the issued dollar. Fees and buffers in bps."""

    name: str
    collateral: str
    hedging: Hedging
    venue: str
    symbol: str
    fee_bps: Num
    buffer_bps: Num


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

    @property
    def valued(self) -> tuple[str, ...]:
        """Return the assets that must have a price: what is backed by, and the stables that hedges are paid in."""
        named = {asset.underlying for asset in self.assets} | {item.quote for item in self.instruments}
        return tuple(sorted(named - {USD}))


@catalogued
class PolicyAdopted(Event, frozen=True, kw_only=True, tag="policy.adopted.v2"):
    """The book decides by this policy from here on."""

    policy: Policy

    @property
    def originator(self) -> UUID:
        """Return the one policy stream's id."""
        return natural_id("policy")
