"""Law of an acceptance: its first orders are checked once, and the same controls would let them pass again."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.control import Sending, check_order, in_usd
from commands.handler import Decision
from domain.book import Book, evolve
from domain.codec import decoder, encode_state
from domain.hedge import HedgePlanned
from domain.order import Order, OrderSubmissionRequested
from domain.quantity import Num
from domain.refusal import Refusal
from tests.support.venues import WideDesk

# What may stop an order, each from so tight that it does to so wide that it does not.
LIMITS = (
    ("net_delta", "asset:ETH", ("0.5", "4", "12", "18", "200")),
    ("gross_notional", "venue:okx", ("1000", "20000", "1000000")),
    ("position_notional", "global", ("3000", "30000", "1000000")),
    ("open_order_notional", "global", ("2500", "25000", "1000000")),
    ("open_orders", "global", ("1", "2", "100")),
    ("order_notional", "global", ("5000", "30000", "100000")),
    ("price_collar", "global", ("40", "60", "100")),
    ("price_collar_period", "global", ("40", "60", "500")),
    ("order_rate", "global", ("2", "5", "100")),
    ("repeated_execution", "global", ("2", "5", "100")),
    ("duplicate_orders", "global", ("1", "3")),
)
TIGHT = st.lists(
    st.sampled_from([(control, scope, value) for control, scope, values in LIMITS for value in values]), max_size=2
)
SIZES = st.sampled_from(["0.3", "1.5", "4", "9", "14"])


def opened(desk: WideDesk, size: str, number: int) -> None:
    """Mint, and leave the orders open."""
    quote = desk.quote(size)
    if quote.outcome.status == "accepted":
        accepted(desk, lambda: desk.accept(quote, nonce=number))


def given_back(desk: WideDesk, size: str, number: int) -> None:
    """Redeem a value of so many units, and leave the orders open."""
    quote = desk.quote(str(Num(size) * 2_000), side="REDEEM")
    if quote.outcome.status == "accepted":
        accepted(desk, lambda: desk.accept(quote, nonce=number))


def filled(desk: WideDesk, _size: str, number: int) -> None:
    """Let every order fill."""
    for each in tuple(desk.book.orders.values()):
        desk.trade(each.order, str(each.order.quantity), trade=f"t{number}{each.order.order_id}")


def waited(desk: WideDesk, _size: str, _number: int) -> None:
    """Let time pass."""
    desk.wake(700)


STEPS = st.lists(
    st.tuples(st.sampled_from([opened, opened, given_back, filled, waited]), SIZES), min_size=2, max_size=6
)


def accepted(desk: WideDesk, accept: Callable[[], Decision]) -> None:
    """Accept, and hold every first order to all controls at the moment at which its intent is recorded."""
    before = encode_state(desk.book)
    decision = accept()
    book, ahead, planned = decoder(Book).decode(before), list[Order](), None
    for event in decision.events:
        if isinstance(event, OrderSubmissionRequested):
            assert planned is not None
            assert again(book, planned, event.order, ahead) is None
            ahead.append(event.order)
        elif not ahead:
            planned = event if isinstance(event, HedgePlanned) else planned
            evolve(book, event, desk.now_us)


def again(book: Book, planned: HedgePlanned, order: Order, ahead: list[Order]) -> Refusal | None:
    """Hold an order to every control, the request being in the Book."""
    leg = next(each for each in planned.legs if (each.venue, each.symbol) == (order.venue, order.symbol))
    quote = book.instrument(order.venue, order.symbol).quote
    sending = Sending(underlying=planned.underlying, purpose=planned.purpose, at_us=book.at_us)
    return check_order(book, order, sending, (leg.reference, in_usd(book, quote, leg.reference)), tuple(ahead))


@settings(max_examples=80)
@given(TIGHT, STEPS)
def test_what_acceptance_let_through_passes_again(
    limits: list[tuple[str, str, str]], steps: list[tuple[Callable[[WideDesk, str, int], None], str]]
) -> None:
    desk = WideDesk(depth="10")
    desk.book.backing["WETH"] = 20 * 10**18
    for control, scope, value in limits:
        desk.set_limit(control, value, scope=scope)
    for number, (step, size) in enumerate(steps, 1):
        step(desk, size, number)
