"""The portfolio: the backing that settlements brought, the dollars they issued, and the positions beside it."""

import msgspec

from domain.fill import FillRecorded, Position
from domain.instant import rfc3339
from domain.policy import PolicyAdopted
from domain.quantity import Num, to_units
from domain.quote import Side
from domain.settlement import SettlementConfirmed
from projections.positions import PositionLine, filled, position_line
from projections.view import LateRows, Row, View

ISSUED_DECIMALS = 18
"""The issued dollar has 18 decimals by its contract."""


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


class Balance(msgspec.Struct, gc=False):
    """Hold the sum of an asset's confirmed settlements in atoms, and how many they were."""

    asset: str
    atoms: int = 0
    settlements: int = 0


class Portfolio(LateRows[PortfolioLine]):
    """Hold backing, issued dollars and positions by row key, and the decimals of each asset by the policy in force."""

    decimals: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    backing: dict[str, Balance] = msgspec.field(default_factory=dict[str, Balance])
    issued: dict[str, Balance] = msgspec.field(default_factory=dict[str, Balance])
    held: dict[str, Position] = msgspec.field(default_factory=dict[str, Position])


def _policy(state: Portfolio, event: PolicyAdopted, _position: int, _at_us: int) -> tuple[Row[PortfolioLine], ...]:
    state.decimals = {asset.symbol: asset.decimals for asset in event.policy.assets}
    state.decimals[event.policy.issued] = ISSUED_DECIMALS
    return ()


def _settled(state: Portfolio, event: SettlementConfirmed, position: int, at_us: int) -> tuple[Row[PortfolioLine], ...]:
    sign = 1 if event.side is Side.MINT else -1
    for balances, kind, amount in (
        (state.backing, "backing", event.collateral),
        (state.issued, "issued", event.issued),
    ):
        key = f"{kind}|{amount.asset}"
        balance = balances.get(key)
        if balance is None:
            balance = balances[key] = Balance(amount.asset)
        balance.atoms += sign * amount.atoms
        balance.settlements += 1
        state.touch(key, position, at_us)
    return ()


def _filled(state: Portfolio, event: FillRecorded, position: int, at_us: int) -> tuple[Row[PortfolioLine], ...]:
    state.touch(filled(state.held, event), position, at_us)
    return ()


def _lines(state: Portfolio) -> tuple[Row[PortfolioLine], ...]:
    return state.write(lambda key, at_us: _line(state, key, at_us))


def _line(state: Portfolio, key: str, at_us: int) -> PortfolioLine:
    if key in state.held:
        return HeldLine(position=position_line(state.held[key], at_us))
    line_type, balances = (BackingLine, state.backing) if key in state.backing else (IssuedLine, state.issued)
    balance = balances[key]
    decimals = state.decimals.get(balance.asset)
    return line_type(
        asset=balance.asset,
        atoms=str(balance.atoms),
        units=None if decimals is None else to_units(balance.atoms, decimals),
        settlements=balance.settlements,
        updated_at=rfc3339(at_us),
    )


PORTFOLIO = View(
    name="portfolio",
    document=PortfolioLine,
    state=Portfolio,
    steps={PolicyAdopted: _policy, SettlementConfirmed: _settled, FillRecorded: _filled},
    render=_lines,
)
