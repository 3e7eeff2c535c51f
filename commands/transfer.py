"""Transfers: collateral is planned to move only where two persons let it go, and no more of it than the limits allow.

Who moves it comes with the adapters of custodians and venues: they follow `transfer.planned`, and nothing else.
"""

from uuid import UUID

from commands.context import Context
from commands.destination import VENUE, check_asset, check_place, place_of
from commands.envelope import Command, command
from commands.latch import check_reason
from domain.book import Book
from domain.controls import Probe, check
from domain.controls.prices import Prices
from domain.event import Event
from domain.limit import Control
from domain.limits import Stage
from domain.mode import GLOBAL, Action, forbid
from domain.quantity import ZERO, Num, Rounding, round_to
from domain.refusal import Reason, Refusal, least
from domain.vault import TransferPlanned

USD_STEP = Num("0.01")


@command("transfer.plan")
class PlanTransfer(Command, frozen=True, kw_only=True):
    """Ask that `quantity` units of an asset move from one place to another."""

    transfer_id: UUID
    asset: str
    quantity: Num
    source: str
    destination: str
    reason: str


def plan_transfer(book: Book, command: PlanTransfer, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `PlanTransfer`: at the dearest that the asset is marked at, so that no limit is passed by its price."""
    refusal = _check_asked(book, command) or _check_mode(book, command)
    if refusal is not None:
        return refusal
    notional = _worth(book, command)
    probe = Probe(
        stage=Stage.TRANSFER,
        at_us=context.at_us,
        asset=command.asset,
        quantity=command.quantity,
        notional=ZERO if isinstance(notional, Refusal) else notional,
        source=command.source,
        destination=command.destination,
    )
    refusal = least(check(book, probe), notional if isinstance(notional, Refusal) else None)
    if refusal is not None or isinstance(notional, Refusal):
        return refusal or ()
    return (
        TransferPlanned(
            transfer_id=command.transfer_id,
            asset=command.asset,
            quantity=command.quantity,
            notional=notional,
            source=command.source,
            destination=command.destination,
            author=context.actor,
            reason=command.reason.strip(),
        ),
    )


def _check_asked(book: Book, command: PlanTransfer) -> Refusal | None:
    refusal = (
        check_reason(command.reason)
        or check_place(command.source)
        or check_place(command.destination)
        or check_asset(book, command.asset)
    )
    if refusal is not None:
        return refusal
    if command.source == command.destination:
        return Refusal(reason=Reason.VALUE_INVALID, text="a transfer goes from one place to another")
    if command.quantity <= 0:
        return Refusal(reason=Reason.SIZE_NOT_POSITIVE, text="a transfer moves more than nothing")
    if command.transfer_id in book.versions:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"{command.transfer_id} was planned already")
    return None


def _check_mode(book: Book, command: PlanTransfer) -> Refusal | None:
    """Refuse to move what is halted, or between places that are."""
    places = (place_of(command.source), place_of(command.destination))
    venues = (f"venue:{name.split('|')[0]}" for kind, name in places if kind == VENUE)
    mode = book.mode(f"asset:{command.asset}", f"asset:{_followed(book, command.asset)[0]}", *venues)
    return forbid(mode, Action.TRANSFER, f"{command.asset} is not moved while halted")


def _followed(book: Book, asset: str) -> tuple[str, Num]:
    """Return what an asset's price follows, and how many units of that one of it stands for."""
    known = book.policy.assets if book.policy is not None else ()
    followed = ((each.underlying, book.ratio(each)) for each in known if each.symbol == asset)
    return next(followed, (asset, Num(1)))


def _worth(book: Book, command: PlanTransfer) -> Num | Refusal:
    """Return what is moved at the dearest mark of it, USD; without a mark, at the price that controls go by."""
    unit, ratio = _followed(book, command.asset)
    marked = book.marks.assets.get(unit)
    price = marked.high if marked is not None else Prices(book).of(unit)
    if price is None or price <= 0:
        return Refusal(
            reason=Reason.VALUE_UNKNOWN,
            text=f"nobody can tell what {command.asset} is worth",
            control=Control.TRANSFER_NOTIONAL,
            scope=GLOBAL,
        )
    return round_to(command.quantity * ratio * price, USD_STEP, Rounding.UP)
