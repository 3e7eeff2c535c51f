"""Numbers that are none, sizes that cannot be, what nobody knows, time that goes backwards: refused with a reason."""

from typing import Any

import msgspec
import pytest

from commands.envelope import Envelope
from commands.handler import Decision
from domain.depth import Level
from domain.ids import natural_id
from domain.quantity import Num
from tests.support.controlled import account, mark
from tests.support.desk import Desk, reason
from tests.support.given import BENEFACTOR, a_book, an_oracle, pegged

NO_NUMBERS = ["NaN", "sNaN", "Infinity", "-Infinity", "1e400", "", "ten"]


def ask(desk: Desk, **changes: object) -> Any:
    body: dict[str, object] = {
        "pair": "WETH/USDe",
        "side": "MINT",
        "kind": "ALGO",
        "size": "1",
        "benefactor": BENEFACTOR,
    }
    return desk.ask("quote.issue", body | changes)


class TestSizes:
    @pytest.mark.parametrize("size", NO_NUMBERS)
    def test_what_is_no_number_is_not_even_read(self, size: str):
        told = ask(Desk(), size=size)
        assert told.status == "malformed"

    @pytest.mark.parametrize(
        ("size", "told"),
        [
            ("0", "SIZE_NOT_POSITIVE"),
            ("-1", "SIZE_NOT_POSITIVE"),
            ("0.000000000000000001", "SIZE_BELOW_GAS"),
            ("100000000000000000000", "ROOM_INSUFFICIENT"),
        ],
    )
    def test_what_no_size_is_refused_with_its_reason(self, size: str, told: str):
        assert reason(ask(Desk(), size=size)) == told

    def test_more_of_a_stable_than_there_is_on_earth_is_above_every_limit(self):
        assert reason(ask(Desk(), pair="USDT/USDe", size="100000000000000000000")) == "ORDER_NOTIONAL"

    @pytest.mark.parametrize("pair", ["DOGE/USDe", "", "WETH"])
    def test_what_nobody_knows_is_not_priced(self, pair: str):
        assert reason(ask(Desk(), pair=pair)) == "PAIR_UNSUPPORTED"


class TestPrices:
    @pytest.mark.parametrize("price", ["0", "-2000"])
    def test_a_book_without_a_price_above_zero_is_none(self, price: str):
        desk = Desk()
        quote = desk.quote("1.5")
        seen = a_book()
        desk.evidence = (msgspec.structs.replace(seen, bids=(Level(Num(price), Num(50)),)),)
        assert reason(desk.accept(quote)) == "REFERENCE_MISSING"

    @pytest.mark.parametrize("absurd", ["0.000001", "2000000000"])
    def test_a_price_of_another_scale_than_all_others_is_believed_by_nobody(self, absurd: str):
        desk = Desk()
        desk.evidence = (a_book(absurd, str(Num(absurd) * Num("1.00005"))),)
        desk.heard = (*(an_oracle(name) for name in ("pyth", "redstone")), *pegged())
        assert reason(ask(desk)) == "QUORUM_MISSING"

    @pytest.mark.parametrize("price", ["0", "-1"])
    def test_a_mark_that_is_no_price_above_zero_moves_nothing(self, price: str):
        desk = Desk()
        body = {"destination": "custodian:copper", "asset": "WETH", "reason": "for this test"}
        desk.granted(desk.do("destination.add", body, actor="ada"))
        mark(desk, ETH=price)
        transfer = {
            "transfer_id": str(natural_id("transfer")),
            "asset": "WETH",
            "quantity": "1",
            "source": "chain:0xab",
            "destination": "custodian:copper",
            "reason": "for this test",
        }
        refused = desk.do("transfer.plan", transfer, actor="ada")
        assert (reason(refused), refused.outcome.control) == ("VALUE_UNKNOWN", "transfer_notional")


class TestTime:
    def test_time_that_goes_backwards_stands_still_for_every_control(self):
        desk = Desk()
        desk.set_limit("mint_per_day", "3500")
        assert reason(desk.accept(desk.quote("1.5"))) == ""
        desk.trade(desk.order(), "1.5")
        desk.confirm()
        desk.now_us -= 2 * 86_400_000_000
        refused = desk.quote("1.5")
        assert reason(refused) == "MINT_CAPACITY"
        assert refused.envelope.at_us == desk.handler.at_us > desk.now_us

    def test_a_venue_that_tells_the_past_is_not_heard(self):
        desk = Desk()
        account(desk, "1000")
        desk.now_us -= 1
        assert account(desk, "9").events == ()


def test_a_command_that_is_no_json_or_of_no_kind_is_counted_and_never_kept():
    desk = Desk()
    for kind, body in (("transfer.plan", b"{"), ("control.release", b"[]"), ("luck.try", b"{}")):
        envelope = Envelope(
            command_id=natural_id(kind), kind=kind, actor="api", body=msgspec.Raw(body), at_us=desk.now_us
        )
        answer = desk.handler.offer(envelope)
        assert not isinstance(answer, Decision)
        assert answer.status == "malformed"
