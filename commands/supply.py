"""The issued token's total, as a final block shows it: recorded when it says something new, and every so often."""

from collections.abc import Mapping

from commands.context import Context
from commands.envelope import Command, command
from commands.process import Message, Record
from domain.book import Book
from domain.event import Event
from domain.instant import SECOND_US
from domain.policy import PolicyAdopted
from domain.refusal import Reason, Refusal
from domain.supply import SENDERS_MAX, TOTAL_END, SupplyFrom, SupplyObserved, uncertain
from domain.watch import SUPPLY_AREA, AlertResolved

# Its reporter's clock may be so far ahead of ours.
AHEAD_MAX_US = 60 * SECOND_US
HASH_LENGTH = 66


@command("supply.observe")
class ObserveSupply(Command, frozen=True, kw_only=True):
    """Report the issued token's total, atoms, at a final block.

    `counts` say of each sender that the book ever sent from how many transactions were included by then.
    """

    total: int
    block_number: int
    block_hash: str
    counts: Mapping[str, int]
    observed_at_us: int


def observe_supply(book: Book, command: ObserveSupply, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveSupply`: the same again, or what an older block shows, says nothing.

    However surprising a total is, a final block shows it. Only one that may have an open settlement in it waits until
    the log tells what became of that: else it would count again when it is confirmed.
    """
    policy, supply = book.policy, book.supply
    if policy is None:
        return Refusal(reason=Reason.VALUE_INVALID, text="there is no policy: nobody knows what is issued")
    wrong = _faults(command, context.at_us)
    if wrong:
        return Refusal(reason=Reason.VALUE_INVALID, text=wrong, value=str(command.total))
    if policy.risk.supply is SupplyFrom.SETTLEMENTS or command.block_number < supply.floor:
        return ()
    last = supply.observed
    if last is not None and command.block_number <= last.block_number:
        return ()
    if uncertain(book.settlements.values(), command.counts, command.block_number):
        text = f"a settlement may be in block {command.block_number} or before, and its end is not told yet"
        return Refusal(reason=Reason.SETTLEMENT_WAITS, text=text)
    settled = supply.settled(book.issued, command.block_number)
    if not supply.is_news(command.total - settled, command.observed_at_us):
        return ()
    return (
        SupplyObserved(
            total=command.total,
            settled=settled,
            before=supply.difference,
            block_number=command.block_number,
            block_hash=command.block_hash,
            observed_at_us=command.observed_at_us,
        ),
    )


def _faults(command: ObserveSupply, at_us: int) -> str:
    """Say what no chain could have shown, "" where it might have."""
    if not 0 <= command.total < TOTAL_END:
        return "a total is not negative, and fits a word"
    if command.block_number < 0 or not _is_hash(command.block_hash):
        return "a block has a number and a hash"
    if len(command.counts) > SENDERS_MAX or any(count < 0 for count in command.counts.values()):
        return f"transactions are counted of {SENDERS_MAX} senders at most, from none up"
    if not 0 <= command.observed_at_us <= at_us + AHEAD_MAX_US:
        return "a total is not of the future"
    return ""


def _is_hash(text: str) -> bool:
    return len(text) == HASH_LENGTH and text.startswith("0x") and all(each in "0123456789abcdef" for each in text[2:])


def react_observed(book: Book, event: SupplyObserved, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of another difference than there is now."""
    if event.difference == event.before:
        return ()
    text = "another difference is told of" if event.difference else "the chain and the settlements agree again"
    return _resolve(book, text)


def react_policy(book: Book, event: PolicyAdopted, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts about a count that nobody goes by any more."""
    if event.policy.risk.supply is SupplyFrom.CHAIN:
        return ()
    return _resolve(book, "the policy counts what the book itself issued")


def _resolve(book: Book, text: str) -> tuple[Message, ...]:
    return tuple(
        Record(AlertResolved(alert_id=alert_id, text=text))
        for alert_id, alert in book.alerts.items()
        if alert.raised.area == SUPPLY_AREA
    )
