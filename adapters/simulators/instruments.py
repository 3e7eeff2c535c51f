"""The simulated venue's instruments and what its filters say of an order: exact, in integer ticks and lots."""

from decimal import Decimal, localcontext

import msgspec

_DIGITS_MAX = 60


class VenueError(Exception):
    """Refuse a request as the true venue does: a code, a message and an HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one linear perpetual: sizes in base units, prices and money in quote units."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    price_min: Decimal
    price_max: Decimal
    notional_min: Decimal
    band_up: Decimal
    band_down: Decimal
    maintenance_rate: Decimal
    leverage_max: int
    maker_rate: Decimal
    taker_rate: Decimal

    def price(self, ticks: int) -> Decimal:
        """Return the price of that many ticks."""
        return self.tick * ticks

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of that many lots."""
        return self.step * lots

    def ticks(self, price: Decimal) -> int:
        """Return a price as ticks; refuse one between ticks or outside the limits."""
        if price <= 0:
            raise VenueError(-4001, "Price less than 0.")
        if price < self.price_min:
            raise VenueError(-4013, f"Price less than min price. Min price: {self.price_min}")
        if price > self.price_max:
            raise VenueError(-4002, f"Price greater than max price. Max price: {self.price_max}")
        if _digits_after_point(price) > _digits_after_point(self.tick):
            raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
        count, rest = divmod(price, self.tick)
        if rest:
            raise VenueError(-4014, f"Price not increased by tick size. Tick size: {self.tick}")
        return int(count)

    def lots(self, quantity: Decimal) -> int:
        """Return a quantity as lots; refuse one between lots or outside the limits."""
        if quantity <= 0:
            raise VenueError(-4003, "Quantity less than or equal to zero.")
        if quantity < self.quantity_min:
            raise VenueError(-4004, f"Quantity less than min quantity. Min quantity: {self.quantity_min}")
        if quantity > self.quantity_max:
            raise VenueError(-4005, f"Quantity greater than max quantity. Max quantity: {self.quantity_max}")
        if _digits_after_point(quantity) > _digits_after_point(self.step):
            raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
        count, rest = divmod(quantity, self.step)
        if rest:
            raise VenueError(-4023, f"Quantity not increased by step size. Step size: {self.step}")
        return int(count)

    def check_notional(self, notional: Decimal) -> None:
        """Refuse an order too small to be worth the venue's while. Reduce-only orders are exempt: ask for none."""
        if notional < self.notional_min:
            raise VenueError(
                -4164,
                f"Order's notional must be no smaller than {self.notional_min} (unless you choose reduce only).",
            )

    def check_band(self, side: str, price: Decimal, mark: Decimal) -> None:
        """Refuse a limit price too far through the mark."""
        if side == "BUY" and price > mark * self.band_up:
            raise VenueError(-4016, f"Limit price can't be higher than {plain(mark * self.band_up)}.")
        if side == "SELL" and price < mark * self.band_down:
            raise VenueError(-4024, f"Limit price can't be lower than {plain(mark * self.band_down)}.")


def _digits_after_point(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise VenueError(-1102, "Mandatory parameter was not sent, was empty/null, or malformed.")
    return max(0, -exponent)


def plain(value: Decimal) -> str:
    """Return a decimal as the venue writes it: no exponent, no needless zeros."""
    with localcontext() as context:
        context.prec = _DIGITS_MAX
        text = format(value.normalize(), "f")
    return "0" if text == "-0" else text


def parse_decimal(text: str, name: str) -> Decimal:
    """Return the decimal a parameter spells; refuse anything else as the venue does."""
    malformed = VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    if not text or len(text) > _DIGITS_MAX or not set(text) <= set("0123456789.+-eE"):
        raise malformed
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise malformed from None
    if not value.is_finite():
        raise malformed
    return value


def _linear(symbol: str, base: str, *, tick: str, step: str, notional_min: str, quantity_max: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        base=base,
        quote="USDT",
        tick=Decimal(tick),
        step=Decimal(step),
        quantity_min=Decimal(step),
        quantity_max=Decimal(quantity_max),
        price_min=Decimal(tick),
        price_max=Decimal(4529764),
        notional_min=Decimal(notional_min),
        band_up=Decimal("1.05"),
        band_down=Decimal("0.95"),
        maintenance_rate=Decimal("0.005"),
        leverage_max=100,
        maker_rate=Decimal("0.0002"),
        taker_rate=Decimal("0.0005"),
    )


# The filters Binance USD-M had for these two in 2024; the recorded lines of the shared data obey them.
ETHUSDT = _linear("ETHUSDT", "ETH", tick="0.01", step="0.001", notional_min="20", quantity_max="10000")
BTCUSDT = _linear("BTCUSDT", "BTC", tick="0.10", step="0.001", notional_min="100", quantity_max="1000")
INSTRUMENTS: tuple[Instrument, ...] = (ETHUSDT, BTCUSDT)
