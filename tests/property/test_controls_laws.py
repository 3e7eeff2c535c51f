"""The laws of controls: no order of commands passes a limit together, and tallies are what counting anew gives."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.book import Book, evolve, remaining
from domain.codec import decoder, encode_state
from domain.controls.remembered import standing
from domain.event import Event
from domain.exposure import exposure
from domain.flow import SLOTS, Flow, Reach, Window
from domain.folds.flow import recounted
from domain.order import Order, OrderAttempted
from domain.quantity import ZERO, Num, multiply
from domain.quote import Side
from domain.request import RequestAccepted
from tests.property.numbers import decimals
from tests.support.accounts import marked, told_account
from tests.support.venues import SYMBOL, VENUES, WideDesk, wide_policy

SIZES = st.integers(1, 60).map(lambda tenths: str(Num(Decimal(tenths).scaleb(-1))))
OFTEN = ("mint", "fill", "acknowledge", "settle")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [*["mint", "fill", "acknowledge", "settle"] * 3, "redeem", "reject", "unknown", "cancel", "wake"]
        ),
        st.integers(0, 50),
        SIZES,
    ),
    min_size=4,
    max_size=14,
)


class Shop:
    """Take steps at a desk on three venues, each possible or not."""

    def __init__(self) -> None:
        self.desk = WideDesk(policy=wide_policy(hedge_orders_max=3))
        self.number = 0
        self.step("mint", 0, "3")

    def step(self, what: str, number: int, size: str) -> None:
        self.number += 1
        desk, orders = self.desk, list(self.desk.book.orders.values())
        if what in {"mint", "redeem"}:
            side = Side.MINT if what == "mint" else Side.REDEEM
            quote = desk.quote(size if side is Side.MINT else str(Num(size) * 2_000), side=side.value)
            if quote.outcome.status == "accepted":
                desk.accept(quote, nonce=self.number)
        elif what == "wake":
            desk.wake(number * 20)
        elif what == "settle" and desk.book.settlements:
            settlement_id = list(desk.book.settlements)[number % len(desk.book.settlements)]
            told: dict[str, Any] = {"settlement_id": settlement_id}
            desk.do("settlement.confirmed", told | {"reference": "0x1"})
        elif orders:
            self.report(what, orders[number % len(orders)].order, size)

    def report(self, what: str, order: Order, size: str) -> None:
        desk = self.desk
        if what == "fill":
            desk.fill(order, str(min(Num(size), order.quantity)), trade=f"t{self.number}")
        elif what == "acknowledge":
            desk.acknowledge(order, filled=str(desk.book.orders[order.order_id].filled), terminal=len(size) > 1)
        elif what == "cancel":
            desk.do("order.cancel", {"order_id": order.order_id, "text": "tried"})
        elif what in {"reject", "unknown"}:
            getattr(desk, what)(order)


def counted(flow: Flow) -> dict[str, object]:
    """Return what open orders and requests make, what came to nothing left out."""
    return {
        "lines": {key: msgspec.structs.asdict(line) for key, line in flow.lines.items()},
        "sums": {
            scope: {
                name: {unit: each for unit, each in held.items() if each} if isinstance(held, dict) else held
                for name, held in msgspec.structs.asdict(sums).items()
            }
            for scope, sums in flow.sums.items()
        },
        "accounts": {
            key: [{name: each for name, each in held.items() if each} for held in (there.gross, there.positions)]
            for key, there in flow.accounts.items()
        },
        "arriving": {asset: atoms for asset, atoms in flow.arriving.items() if atoms},
        "leaving": {asset: atoms for asset, atoms in flow.leaving.items() if atoms},
    }


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_tallies_are_what_counting_the_open_orders_and_requests_anew_gives(steps: Sequence[tuple[str, int, str]]):
    shop = Shop()
    for what, number, size in steps:
        shop.step(what, number, size)
        assert counted(shop.desk.book.flow) == counted(recounted(shop.desk.book))
    here = exposure(shop.desk.book, "ETH")
    open_orders = [remaining(order) for order in shop.desk.book.orders.values()]
    assert here.interval.high - here.interval.low >= sum((abs(each) for each in open_orders), ZERO)


BOUNDS = {
    ("net_delta", "asset:ETH"): Num(1),
    ("gross_notional", "global"): Num(2_000),
    ("gross_notional", "venue:binanceusdm"): Num(2_000),
    ("position_notional", "asset:ETH"): Num(2_000),
    ("open_order_notional", "global"): Num(2_000),
    ("mint_per_day", "pair:WETH/USDe"): Num(2_000),
    ("mint_per_block", "global"): Num(2_000),
    ("open_orders", "venue:binanceusdm"): Num(1),
    ("order_rate", "global"): Num(1),
}
"""What is held, and how much of it a room of one is."""


@pytest.mark.parametrize("held", sorted(BOUNDS))
@given(order=st.permutations(range(6)), sizes=st.lists(SIZES, min_size=6, max_size=6), room=st.integers(2, 14))
@settings(max_examples=15, deadline=None)
def test_whatever_order_concurrent_commands_come_in_no_limit_is_passed_together(
    held: tuple[str, str], order: Sequence[int], sizes: Sequence[str], room: int
):
    """Each of the commands alone is within the limit; what they come to together never is beyond it."""
    desk, bound = WideDesk(policy=wide_policy()), BOUNDS[held] * room
    assert desk.set_limit(held[0], str(bound), scope=held[1]).outcome.status == "accepted"
    quotes = [desk.quote(size) for size in sizes]
    for place in order:
        if quotes[place].outcome.status == "accepted":
            desk.accept(quotes[place], nonce=place + 1)
        assert used(desk.book, desk.events, held) <= bound
    for each in list(desk.book.orders.values())[::2]:
        desk.trade(each.order, str(each.order.quantity), trade=str(each.order.order_id))
        desk.wake(1_000)
        assert used(desk.book, desk.events, held) <= bound


def used(book: Book, events: Sequence[Event], held: tuple[str, str]) -> Num:
    """Return what is used of a limit, counted from the open orders, the requests and the events themselves."""
    match held:
        case ("net_delta", _):
            return exposure(book, "ETH").interval.worst
        case ("gross_notional", "global"):
            return sum((gross(book, venue) for venue in VENUES), ZERO) * PRICE
        case ("gross_notional" | "position_notional", _):
            return max(gross(book, venue) for venue in VENUES[: 1 if "venue" in held[1] else 3]) * PRICE
        case ("open_order_notional", _):
            return sum((value(each) for each in book.orders.values()), ZERO)
        case ("mint_per_day" | "mint_per_block", _):
            return Num(sum(each.issued.atoms for each in events if isinstance(each, RequestAccepted))) * Num("1e-18")
        case ("open_orders", _):
            return Num(sum(1 for each in book.orders.values() if each.order.venue == VENUES[0]))
        case _:
            return Num(sum(1 for each in events if isinstance(each, OrderAttempted)))


# No venue of these desks is worth less.
PRICE = Num(1_999)


def value(order: Any) -> Num:
    return multiply(abs(remaining(order)), order.order.limit_price)


def gross(book: Book, venue: str) -> Num:
    """Return the most that a venue's position may come to, counted from its orders."""
    held = book.positions.get(f"{venue}|main|{SYMBOL}")
    position = held.quantity if held is not None else ZERO
    left = [remaining(each) for each in book.orders.values() if each.order.venue == venue]
    buying = sum((each for each in left if each > 0), ZERO)
    selling = sum((-each for each in left if each < 0), ZERO)
    return max(abs(position + buying), abs(position - selling))


SPAN_US = 6_000_000
INSTANTS = st.lists(st.integers(0, 20_000_000), max_size=40).map(sorted)


@given(INSTANTS, st.integers(0, 4_000_000))
def test_a_window_counts_no_less_than_there_was_and_nothing_older_than_a_slot_more(instants: list[int], later: int):
    window = Window()
    for at_us in instants:
        window.add(at_us, SPAN_US)
    now = (instants[-1] if instants else 0) + later
    count = window.count(now, SPAN_US)
    assert sum(1 for each in instants if each > now - SPAN_US) <= count
    assert count <= sum(1 for each in instants if each > now - SPAN_US - SPAN_US // SLOTS)
    assert len(window.ends) <= SLOTS + 1


@given(st.lists(st.tuples(st.integers(0, 20_000_000), decimals("1", "9", 2)), max_size=30), decimals("1", "9", 2))
def test_a_reach_spans_every_price_of_the_last_while(told: list[tuple[int, Num]], price: Num):
    reach, told = Reach(), sorted(told)
    for at_us, each in told:
        reach.add(at_us, SPAN_US, each)
    now = told[-1][0] if told else 0
    low, high = reach.between(now, SPAN_US, price)
    late = [each for at_us, each in told if at_us > now - SPAN_US]
    assert all(low <= each <= high for each in (*late, price))
    assert {low, high} <= {each for _, each in told} | {price}


@given(st.lists(st.sampled_from(["mark", "account", "mint", "fill"]), max_size=8), st.integers(1_900, 2_100))
@settings(max_examples=30, deadline=None)
def test_what_is_remembered_of_accounts_is_what_would_be_reckoned_anew(steps: list[str], price: int):
    shop = Shop()
    for number, what in enumerate(steps):
        if what == "mark":
            evolve(shop.desk.book, marked(str(price + number)), shop.desk.now_us)
        elif what == "account":
            evolve(shop.desk.book, told_account(f"-{number}", str(price)), shop.desk.now_us)
        else:
            shop.step(what, number, "2")
        kept = standing(shop.desk.book, "okx", "main")
        anew = decoder(Book).decode(encode_state(shop.desk.book))
        assert kept == standing(anew, "okx", "main")
        assert kept == standing(shop.desk.book, "okx", "main")
