"""How much of its underlying a token stands for, as its contract tells it: recorded when it moved, within bounds."""

from commands.context import Context
from commands.envelope import Command, command
from commands.process import Message, Record
from domain.book import Book
from domain.event import Event
from domain.instant import SECOND_US
from domain.quantity import BPS, Num, multiply, subtract
from domain.ratio import EVERY_US, STEP_BPS_MAX, RatioObserved
from domain.refusal import Reason, Refusal
from domain.watch import RATIO_AREA, AlertResolved

NAME_LENGTH_MAX = 64
# Its reporter's clock may be so far ahead of ours.
AHEAD_MAX_US = 60 * SECOND_US


@command("ratio.observe")
class ObserveRatio(Command, frozen=True, kw_only=True):
    """Report how many units of its underlying one unit of an asset stands for, and who says so."""

    asset: str
    ratio: Num
    source: str
    observed_at_us: int


def observe_ratio(book: Book, command: ObserveRatio, context: Context) -> tuple[Event, ...] | Refusal:
    """Decide `ObserveRatio`: the same again, or what is older than the last, says nothing.

    A token that stands for exactly one by the policy has no ratio to observe. What moves further or sooner than such
    tokens do is refused: a mistake there is a hedge of the wrong size.
    """
    asset = next((each for each in book.policy.assets if each.symbol == command.asset), None) if book.policy else None
    if asset is None:
        return Refusal(reason=Reason.ASSET_UNSUPPORTED, text=f"the policy knows no asset {command.asset}")
    named = 0 < len(command.source) <= NAME_LENGTH_MAX and command.source.isprintable()
    if asset.ratio == 1 or command.ratio <= 0 or not named or command.observed_at_us > context.at_us + AHEAD_MAX_US:
        text = "a ratio is above zero, of a token that the policy gives one, told by somebody, and not of the future"
        return Refusal(reason=Reason.VALUE_INVALID, text=text, value=str(command.ratio))
    now, last = book.ratio(asset), book.outside.ratios.get(asset.symbol)
    if command.ratio == now or (last is not None and command.observed_at_us <= last.observed_at_us):
        return ()
    most = multiply(now, STEP_BPS_MAX)
    moved = abs(subtract(command.ratio, now))
    if multiply(moved, BPS) > most:
        text = f"{asset.symbol} stood for {now} {asset.underlying}: {STEP_BPS_MAX} bps at once is the most"
        return Refusal(reason=Reason.VALUE_INVALID, text=text, limit=str(STEP_BPS_MAX), value=str(command.ratio))
    if last is not None and command.observed_at_us < last.observed_at_us + EVERY_US:
        return ()
    return (
        RatioObserved(
            asset=asset.symbol, ratio=command.ratio, source=command.source, observed_at_us=command.observed_at_us
        ),
    )


def react_observed(book: Book, event: RatioObserved, _at_us: int) -> tuple[Message, ...]:
    """Resolve the alerts that told of a ratio which was not believed, or not read."""
    return tuple(
        Record(AlertResolved(alert_id=alert_id, text=f"{event.source} tells {event.ratio}, which is believed"))
        for alert_id, alert in book.alerts.items()
        if (alert.raised.area, alert.raised.subject) == (RATIO_AREA, event.asset)
    )
