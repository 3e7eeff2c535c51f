"""Given what happened and what things are worth, how near each bound is: limits by use, margin, backing, stress."""

from benchmarks.mint_log import START_US, policy
from domain.event import Event
from domain.limit import Control, LimitSet
from domain.mark import InstrumentMark, Mark, RiskMarked
from domain.order import OrderSide
from domain.policy import PolicyAdopted
from domain.quantity import Num
from domain.warning import LimitApproached
from projections.limits import LIMITS
from tests.spec.projections.test_views import accepted, fill, order, planned
from tests.support.told import lines

ADOPTED = PolicyAdopted(policy=policy())


def put(control: Control, value: str, scope: str = "global", unit: str = "USD") -> LimitSet:
    return LimitSet(control=control, scope=scope, value=Num(value), unit=unit, author="ada", reason="a reason")


def marked(eth: str = "3000", usdt: str = "1") -> RiskMarked:
    return RiskMarked(
        assets=tuple(
            Mark(asset=asset, low=Num(price), mid=Num(price), high=Num(price))
            for asset, price in (("ETH", eth), ("USDT", usdt))
        ),
        instruments=(InstrumentMark(venue="binanceusdm", symbol="ETH/USDT:USDT", price=Num(eth)),),
        marked_at_us=START_US,
    )


HELD: tuple[Event, ...] = (ADOPTED, accepted(), planned(), order(), fill(1, OrderSide.SELL, "2", "3000"))


class TestLimitsByUse:
    def test_a_limit_shows_what_is_used_of_it_where_and_in_which_band_of_warning(self):
        gross = put(Control.GROSS_NOTIONAL, "8000", "venue:binanceusdm")
        warned = LimitApproached(
            control=Control.GROSS_NOTIONAL,
            scope="venue:binanceusdm",
            subject="venue:binanceusdm",
            band=7_000,
            before=0,
            used=Num(6000),
            limit=Num(8000),
            unit="USD",
        )
        (line,) = lines(LIMITS, *HELD, gross, marked(), warned)
        assert (line["value"], line["used"], line["unit"], line["share_bps"]) == ("8000", "6000", "USD", 7500)
        assert (line["band"], line["bound"], line["in_force"]) == (7_000, "maximum", True)
        (line,) = lines(LIMITS, *HELD, gross, marked(), warned, marked("3300"))
        assert (line["used"], line["share_bps"]) == ("6600", 8250)

    def test_a_limit_of_all_names_the_narrower_scope_that_is_nearest_to_it(self):
        (line,) = lines(LIMITS, *HELD, put(Control.POSITION_NOTIONAL, "12000"), marked())
        assert (line["scope"], line["used"], line["share_bps"]) == ("global", "6000", 5_000)
        assert "binanceusdm" in line["subject"]

    def test_what_has_no_price_and_what_is_of_single_orders_is_not_told(self):
        unpriced = fill(1, OrderSide.SELL, "2", "3000", None)
        told = (ADOPTED, unpriced, put(Control.GROSS_NOTIONAL, "8000"), put(Control.PRICE_COLLAR, "100", unit="bps"))
        gross, collar = lines(LIMITS, *told)
        assert (gross["used"], gross["share_bps"], gross["subject"]) == (None, None, "")
        assert (collar["used"], collar["share_bps"]) == (None, None)
