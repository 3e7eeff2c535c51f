"""Destinations: where collateral may be sent, which two persons say and one may take back; how a place is written."""

from commands.asking import Granted, ask
from commands.context import Context
from commands.envelope import Command, command
from commands.latch import check_reason
from domain.approvals import DestinationAdded
from domain.book import Book
from domain.event import Event
from domain.limit import Control
from domain.refusal import Reason, Refusal
from domain.vault import DestinationAdmitted, DestinationRemoved, destination_key

PLACE_LENGTH_MAX = 160
DESTINATIONS_MAX = 256
CUSTODIAN, VENUE, CHAIN = "custodian", "venue", "chain"


@command("destination.add")
class AddDestination(Command, frozen=True, kw_only=True):
    """Ask that transfers of an asset may go to a destination."""

    destination: str
    asset: str
    reason: str


@command("destination.remove")
class RemoveDestination(Command, frozen=True, kw_only=True):
    """Ask that transfers of an asset may not go to a destination any more."""

    destination: str
    asset: str
    reason: str


def place_of(text: str) -> tuple[str, str]:
    """Return the kind of a place and its id: of `custodian:<id>`, `venue:<id>|<account>` or `chain:<address>`.

    Both are empty for what is none.
    """
    kind, _, name = text.partition(":")
    fits = kind in {CUSTODIAN, VENUE, CHAIN} and (kind == VENUE) == (name.count("|") == 1 and all(name.split("|")))
    if not fits or not name or not text.isprintable() or len(text) > PLACE_LENGTH_MAX or " " in text:
        return "", ""
    return kind, name


def check_place(text: str) -> Refusal | None:
    """Refuse what is not written like a place."""
    if place_of(text)[0]:
        return None
    wanted = "custodian:<id>, venue:<id>|<account> or chain:<address>"
    return Refusal(reason=Reason.VALUE_INVALID, text=f"a place is {wanted}, not {text[:PLACE_LENGTH_MAX]!r}")


def check_asset(book: Book, asset: str) -> Refusal | None:
    """Refuse a token of our own, and what the policy does not know: neither collateral nor what a hedge is paid in."""
    policy = book.policy
    if policy is None:
        return Refusal(reason=Reason.POLICY_MISSING, text="the book has no policy yet")
    if asset == policy.issued or asset in policy.risk.own_tokens:
        text = f"{asset} is a token of our own: it is no collateral, and never moved as one"
        return Refusal(reason=Reason.OWN_TOKEN, text=text, control=Control.OWN_TOKEN, scope=f"asset:{asset}")
    known = {each.symbol for each in policy.assets} | {each.quote for each in policy.instruments}
    if asset in known:
        return None
    return Refusal(reason=Reason.ASSET_UNSUPPORTED, text=f"{asset[:64]!r} is no asset of the policy")


def add_destination(book: Book, command: AddDestination, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `AddDestination`: another person must grant it; what is admitted already stays so."""
    refusal = check_reason(command.reason) or check_place(command.destination) or check_asset(book, command.asset)
    if refusal is not None:
        return refusal
    if destination_key(command.destination, command.asset) in book.vault.destinations:
        return ()
    if len(book.vault.destinations) >= DESTINATIONS_MAX:
        return Refusal(reason=Reason.VALUE_INVALID, text=f"{DESTINATIONS_MAX} destinations are kept: remove one")
    change = DestinationAdded(destination=command.destination, asset=command.asset, reason=command.reason.strip())
    return ask(book, change, context)


def grant_destination(book: Book, change: DestinationAdded, granted: Granted) -> tuple[Event, ...] | Refusal:
    """Admit a destination that one person asked for and another granted."""
    refusal = check_asset(book, change.asset)
    if refusal is not None:
        return refusal
    return (
        DestinationAdmitted(
            destination=change.destination,
            asset=change.asset,
            author=granted.author,
            reason=change.reason,
            approval_id=granted.approval_id,
            approved_by=granted.approved_by,
        ),
    )


def remove_destination(book: Book, command: RemoveDestination, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `RemoveDestination`: at once, by one person; of what is not admitted, nothing."""
    refusal = check_reason(command.reason)
    if refusal is not None:
        return refusal
    if destination_key(command.destination, command.asset) not in book.vault.destinations:
        return ()
    return (
        DestinationRemoved(
            destination=command.destination,
            asset=command.asset,
            author=context.actor,
            reason=command.reason.strip(),
        ),
    )
