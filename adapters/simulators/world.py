"""One world market per base asset, from which every venue's books and every oracle's price derive.

Prices are in US dollars: a seeded walk in integer points for each asset. Venues add their own small basis and spread,
and quote in a stable's own price, so that all sources agree unless a fault says otherwise. A recording that is replayed
leads its asset while it lasts: the world follows it. Same seed and number of steps: same world.
"""

import random
from collections.abc import Mapping
from decimal import Decimal

import msgspec

DOLLAR = "USD"
# How far an asset can be moved at once, as parts of its price.
MOVE_MIN, MOVE_MAX = Decimal("0.05"), Decimal(20)


class Habit(msgspec.Struct, frozen=True, kw_only=True):
    """Describe how an asset moves: where it is at home, what a point is, how many points a step moves at most.

    With `of`, all this is in units of another asset: a staked coin follows its coin.
    """

    home: Decimal
    point: Decimal
    move_max: int
    jump_one_in: int = 300
    jump_times: int = 8
    of: str = DOLLAR


_STABLE_POINT = Decimal("0.000001")
HABITS: Mapping[str, Habit] = {
    "ETH": Habit(home=Decimal(2682), point=Decimal("0.01"), move_max=25),
    "BTC": Habit(home=Decimal(61_700), point=Decimal("0.1"), move_max=30),
    "USDT": Habit(home=Decimal(1), point=_STABLE_POINT, move_max=2, jump_times=1),
    "USDC": Habit(home=Decimal(1), point=_STABLE_POINT, move_max=2, jump_times=1),
    "USDe": Habit(home=Decimal(1), point=_STABLE_POINT, move_max=3, jump_times=1),
    "stETH": Habit(home=Decimal("0.9995"), point=_STABLE_POINT, move_max=2, jump_times=1, of="ETH"),
    "wstETH": Habit(home=Decimal("1.2151"), point=_STABLE_POINT, move_max=2, jump_times=1, of="ETH"),
}


class World:
    """Hold the true prices. Nobody trades here; venues and oracles look. Assets may be written in any case."""

    def __init__(self, seed: int, habits: Mapping[str, Habit] = HABITS) -> None:
        self._walks = {asset.upper(): _Walk(habit, f"{seed}:{asset}") for asset, habit in habits.items()}
        self._led: set[str] = set()
        self._resumed: set[str] = set()

    def price_of(self, asset: str) -> Decimal | None:
        """Return an asset's price in dollars, None when the world does not know it."""
        if asset == DOLLAR:
            return Decimal(1)
        walk = self._walks.get(asset.upper())
        if walk is None:
            return None
        return walk.price if walk.of == DOLLAR else walk.price * self._known(walk.of)

    def pair(self, base: str, quote: str) -> Decimal:
        """Return the price of one asset in another; both must be known."""
        return self._known(base) / self._known(quote)

    def step(self) -> None:
        """Move every asset that nothing leads by one step."""
        for asset, walk in self._walks.items():
            if asset not in self._led:
                walk.step()

    def set_price(self, asset: str, price: Decimal) -> None:
        """Put an asset where a test or a fault wants it, in its own unit; it walks on from there."""
        self._walks[asset.upper()].put(price)

    def move(self, asset: str, factor: Decimal, steps: int) -> None:
        """Bring an asset to `factor` of its price, evenly over so many steps (at least 1); it is at home there then.

        Raise ValueError for an asset that the world does not know, and for what is no move.
        """
        walk = self._walks.get(asset.upper())
        if walk is None or not factor.is_finite() or not MOVE_MIN <= factor <= MOVE_MAX or steps < 1:
            raise ValueError(f"a known asset moves to between {MOVE_MIN} and {MOVE_MAX} of its price in 1 step or more")
        walk.move(factor, steps)

    def lead(self, asset: str, price: Decimal) -> None:
        """Let a recording say the price; the asset does not walk until it is released."""
        self._led.add(asset.upper())
        self._walks[asset.upper()].put(price)

    def release(self, asset: str) -> None:
        """Let an asset walk again from where it is."""
        self._led.discard(asset.upper())

    def resume(self, asset: str, price: Decimal) -> None:
        """Go on from where a venue's memory says the market stood; who comes first says it."""
        asset = asset.upper()
        if asset in self._walks and asset not in self._resumed:
            self._resumed.add(asset)
            self._walks[asset].put(price)

    def _known(self, asset: str) -> Decimal:
        price = self.price_of(asset)
        if price is None:
            raise KeyError(f"the simulated world has no price of {asset}")
        return price


class _Walk:
    """Walk at random: a few points a step, sometimes a jump, drifting back to where it began."""

    def __init__(self, habit: Habit, seed: str) -> None:
        self._habit = habit
        self._random = random.Random(seed)  # noqa: S311 - a seeded market, not a secret
        self._home = int(habit.home / habit.point)
        self._points = self._home
        self._steps_left = 0

    @property
    def price(self) -> Decimal:
        return self._habit.point * self._points

    @property
    def of(self) -> str:
        return self._habit.of

    def put(self, price: Decimal) -> None:
        self._points = max(1, int(price / self._habit.point))

    def move(self, factor: Decimal, steps: int) -> None:
        self._home = max(1, int(self._points * factor))
        self._steps_left = steps

    def step(self) -> None:
        if self._steps_left:
            self._points += (self._home - self._points) // self._steps_left
            self._steps_left -= 1
        habit, pick = self._habit, self._random
        reach = habit.move_max * (habit.jump_times if pick.randrange(habit.jump_one_in) == 0 else 1)
        move = pick.randint(-reach, reach)
        # One step in four leans home: the walk stays where a demo's limits make sense, whatever its length.
        if pick.randrange(4) == 0 and self._points != self._home:
            move = abs(move) // 2 * (1 if self._points < self._home else -1)
        self._points = max(1, self._points + move)
