"""The portfolio: the backing that settlements brought, the dollars they issued, and the positions beside it."""

import msgspec

from domain.fill import FillRecorded
from domain.instant import rfc3339
from domain.policy import PolicyAdopted
from domain.quantity import Num, to_units
from domain.quote import Side
from domain.settlement import SettlementConfirmed
from projections.positions import PositionLine, after, position_key
from projections.view import Row, Rows, View


class BackingLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="backing"):
    """Show the collateral of one asset that confirmed settlements brought in, less what they gave back.

    `atoms` is a whole number in text; `units` is None while no policy tells the asset's decimals.
    """

    asset: str
    atoms: str
    units: Num | None
    settlements: int
    updated_at: str


class IssuedLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="issued"):
    """Show how many issued dollars confirmed settlements minted, less what they burned."""

    asset: str
    atoms: str
    units: Num | None
    settlements: int
    updated_at: str


class HeldLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="position"):
    """Show one position of the portfolio, in the terms of `PositionLine`."""

    position: PositionLine


PortfolioLine = BackingLine | IssuedLine | HeldLine


class Portfolio(Rows[PortfolioLine]):
    """Hold every line, and the decimals of each asset as the policy in force tells them."""

    decimals: dict[str, int] = msgspec.field(default_factory=dict[str, int])


ISSUED_DECIMALS = 18
"""The issued dollar has 18 decimals by its contract."""


def _policy(state: Portfolio, event: PolicyAdopted, _position: int, _at_us: int) -> tuple[Row[PortfolioLine], ...]:
    state.decimals = {asset.symbol: asset.decimals for asset in event.policy.assets}
    state.decimals[event.policy.issued] = ISSUED_DECIMALS
    return ()


def _units(state: Portfolio, asset: str, atoms: int) -> Num | None:
    decimals = state.decimals.get(asset)
    return None if decimals is None else to_units(atoms, decimals)


def _settled(state: Portfolio, event: SettlementConfirmed, position: int, at_us: int) -> tuple[Row[PortfolioLine], ...]:
    sign = 1 if event.side is Side.MINT else -1
    at = rfc3339(at_us)
    rows: tuple[Row[PortfolioLine], ...] = ()
    for line_type, amount in ((BackingLine, event.collateral), (IssuedLine, event.issued)):
        key = f"{line_type.__struct_config__.tag}|{amount.asset}"
        held = state.find(key)
        atoms, settlements = sign * amount.atoms, 1
        if isinstance(held, line_type):
            atoms, settlements = atoms + int(held.atoms), held.settlements + 1
        line = line_type(
            asset=amount.asset,
            atoms=str(atoms),
            units=_units(state, amount.asset, atoms),
            settlements=settlements,
            updated_at=at,
        )
        rows += state.keep(key, position, line)
    return rows


def _filled(state: Portfolio, event: FillRecorded, position: int, at_us: int) -> tuple[Row[PortfolioLine], ...]:
    key = f"position|{position_key(event)}"
    held = state.find(key)
    line = after(held.position if isinstance(held, HeldLine) else None, event, at_us)
    return state.keep(key, position, HeldLine(position=line))


PORTFOLIO = View(
    name="portfolio",
    document=PortfolioLine,
    state=Portfolio,
    steps={PolicyAdopted: _policy, SettlementConfirmed: _settled, FillRecorded: _filled},
)
