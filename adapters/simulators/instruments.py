"""What a simulated venue lists, and what its filters say of an order: exact, in integer ticks and lots.

Quantities are in the units in which the venue takes orders: contracts of `contract_size`, or coins where that is 1. A
linear contract is worth size x price in quote money; an inverse one is `contract_size` quote money and settles in base.
"""

from decimal import Context, Decimal
from typing import Literal

import msgspec

from adapters.simulators.refusals import Refusal, Refused

Kind = Literal["linear", "inverse", "spot"]
EIGHT_HOURS_MS = 8 * 3_600_000
DIGITS_MAX = 60
# Inverse values are quotients: kept to this many digits, so that sums of them are exact.
FINE = Decimal("1e-16")
_WIDE = Context(prec=DIGITS_MAX)


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Describe margin from a position's value on, in the settle asset; `deducted` keeps the steps without jumps."""

    floor: Decimal
    rate: Decimal
    leverage_max: int
    deducted: Decimal = Decimal(0)


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one market. `settle` is the asset of margin, profit and fees; on spot it is the quote asset.

    `step`, `quantity_min` and `quantity_max` are in order units; `notional_min` is in quote money. Rates are fractions
    of the traded value, negative for a rebate.
    """

    symbol: str
    base: str
    quote: str
    settle: str
    kind: Kind
    contract_size: Decimal = Decimal(1)
    tick: Decimal
    step: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    price_min: Decimal
    price_max: Decimal
    notional_min: Decimal = Decimal(0)
    band_up: Decimal = Decimal("1.05")
    band_down: Decimal = Decimal("0.95")
    maintenance_rate: Decimal = Decimal("0.005")
    leverage_max: int = 100
    maker_rate: Decimal = Decimal("0.0002")
    taker_rate: Decimal = Decimal("0.0005")
    funding_interval_ms: int = EIGHT_HOURS_MS
    funding_rate: Decimal = Decimal("0.0001")
    # From which value of a position on, in the settle asset, margin doubles; None: never.
    second_tier_from: Decimal | None = None

    def price(self, ticks: int) -> Decimal:
        """Return the price of that many ticks."""
        return self.tick * ticks

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of that many lots, in order units."""
        return self.step * lots

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a quantity is worth at a price, in the settle asset, with the quantity's sign."""
        if self.kind == "inverse":
            return (quantity * self.contract_size / price).quantize(FINE)
        return quantity * self.contract_size * price

    def average(self, value: Decimal, quantity: Decimal) -> Decimal:
        """Return the price at which a quantity has that value, 0 for nothing."""
        if not quantity or not value:
            return Decimal(0)
        if self.kind == "inverse":
            return quantity * self.contract_size / value
        return value / (quantity * self.contract_size)

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a quantity is worth in quote money."""
        size = quantity * self.contract_size
        return size if self.kind == "inverse" else size * price

    def tiers(self) -> tuple[Tier, ...]:
        """Return the margin tiers, lowest first."""
        first = Tier(floor=Decimal(0), rate=self.maintenance_rate, leverage_max=self.leverage_max)
        if self.second_tier_from is None:
            return (first,)
        floor = self.second_tier_from
        second = Tier(
            floor=floor, rate=2 * first.rate, leverage_max=first.leverage_max // 2, deducted=floor * first.rate
        )
        return (first, second)

    def tier_of(self, value: Decimal) -> Tier:
        """Return the tier of a position worth so much."""
        return next(tier for tier in reversed(self.tiers()) if value >= tier.floor)

    def next_funding_ms(self, now_ms: int) -> int:
        """Return when funding is due next."""
        return now_ms - now_ms % self.funding_interval_ms + self.funding_interval_ms

    def ticks(self, price: Decimal) -> int:
        """Return a price as ticks; refuse one between ticks or outside the limits."""
        if price <= 0:
            raise Refused(Refusal.PRICE_NOT_POSITIVE)
        if price < self.price_min:
            raise Refused(Refusal.PRICE_TOO_LOW, limit=self.price_min)
        if price > self.price_max:
            raise Refused(Refusal.PRICE_TOO_HIGH, limit=self.price_max)
        if _digits_after_point(price) > _digits_after_point(self.tick):
            raise Refused(Refusal.PRICE_PRECISION, limit=self.tick)
        count, rest = divmod(price, self.tick)
        if rest:
            raise Refused(Refusal.PRICE_STEP, limit=self.tick)
        return int(count)

    def lots(self, quantity: Decimal) -> int:
        """Return a quantity as lots; refuse one between lots or outside the limits."""
        if quantity <= 0:
            raise Refused(Refusal.SIZE_NOT_POSITIVE)
        if quantity < self.quantity_min:
            raise Refused(Refusal.SIZE_TOO_SMALL, limit=self.quantity_min)
        if quantity > self.quantity_max:
            raise Refused(Refusal.SIZE_TOO_BIG, limit=self.quantity_max)
        if _digits_after_point(quantity) > _digits_after_point(self.step):
            raise Refused(Refusal.SIZE_PRECISION, limit=self.step)
        count, rest = divmod(quantity, self.step)
        if rest:
            raise Refused(Refusal.SIZE_STEP, limit=self.step)
        return int(count)

    def check_notional(self, notional: Decimal) -> None:
        """Refuse an order too small to be worth the venue's while. Reduce-only orders are exempt: ask for none."""
        if notional < self.notional_min:
            raise Refused(Refusal.MIN_NOTIONAL, limit=self.notional_min)

    def check_band(self, side: str, price: Decimal, mark: Decimal) -> None:
        """Refuse a limit price too far through the mark."""
        if side == "BUY" and price > mark * self.band_up:
            raise Refused(Refusal.PRICE_BAND_ABOVE, limit=mark * self.band_up)
        if side == "SELL" and price < mark * self.band_down:
            raise Refused(Refusal.PRICE_BAND_BELOW, limit=mark * self.band_down)


def _digits_after_point(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise Refused(Refusal.MALFORMED)
    return max(0, -exponent)


def plain(value: Decimal) -> str:
    """Return a decimal as venues write it: no exponent, no needless zeros."""
    text = format(_WIDE.normalize(value), "f")
    return "0" if text == "-0" else text


def parse_decimal(text: str, name: str) -> Decimal:
    """Return the decimal a parameter spells; refuse anything else."""
    malformed = Refused(Refusal.MALFORMED, name)
    if not text or len(text) > DIGITS_MAX or not set(text) <= set("0123456789.+-eE"):
        raise malformed
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise malformed from None
    if not value.is_finite():
        raise malformed
    return value
