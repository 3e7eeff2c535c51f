"""Faults as data: what goes wrong, where, and the how-manieth time, so that a failing world can be made smaller.

Every site draws from its own substream each time it is passed, whether or not a fault can fire there: taking one fault
away never shifts another. A fault's key is `site#n`, for the n-th passage of the site, counted from 1; crashes are
faults too, at the site `crash.<process>.<point>`, so they are keyed by meaning and not by step.
"""

from random import Random

import msgspec

RATES_PER_MILLE = (2, 10, 30, 100, 300)
"""What a swarm draws from for each site it turns on."""
SITES_ON_PER_MILLE = 350
"""Share of sites that a swarm turns on: a mix of few faults finds what a mix of all hides."""
READERS_SHARE = 0.4
"""Share of worlds in which read models and alerts run too: they cost as much again as the rest."""
ON_INCLUSION_SHARE = 0.5
"""Share of worlds whose settlements come before their hedges."""
THREE_VENUES_SHARE = 0.3
"""Share of worlds with a third venue: each costs an account to act on."""
SHARES = (0.0, 0.05, 0.3, 1.0)
"""Share of picks that are not first in, first out; drawn per seed."""
CRASH_RATES_PER_MILLE = (2, 5, 15, 50)
"""Crashes are rarer than lost messages: every one of them costs a recovery."""
SELDOM_RATES_PER_MILLE = (50, 150, 300, 600)
"""Sites that a world passes only a few times need higher rates to fire at all."""
BLOCK_RATES_PER_MILLE = (150, 400, 700)
"""The blocks of a world that matter to its transactions are few."""
SELDOM = ("clock.", "venue.", "chain.", "crash.execution.venue.", "crash.chain.chain.", "crash.core.log.take_over")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Say everything that makes one world: the seed, its size, and its faults.

    `rates` gives faults per mille by site, for sites that are not named here none. `forced` are keys that fire in any
    case, `suppressed` keys that never do. `crash_steps` kills a process after its n-th step, counted over all its
    incarnations. `readers` says whether read models and alerts run too, `on_inclusion` that requests are settled before
    they are hedged, `venues` on how many venues there is to hedge.
    """

    seed: int
    commands: int = 6
    share: float = 0.0
    readers: bool = False
    rates: dict[str, int] = {}
    forced: frozenset[str] = frozenset()
    suppressed: frozenset[str] = frozenset()
    crash_steps: frozenset[tuple[str, int]] = frozenset()
    on_inclusion: bool = False
    venues: int = 2


def swarm(seed: int, sites: tuple[str, ...], commands: tuple[int, int]) -> Plan:
    """Draw the mix of faults of one seed, and the number of commands between the two given."""
    chance = Random(f"swarm/{seed}")
    rates: dict[str, int] = {}
    share = chance.choice(SHARES)
    count = chance.randint(*commands)
    for site in sites:
        on = chance.randrange(1000) < SITES_ON_PER_MILLE
        rate = chance.choice(_rates(site))
        if on:
            rates[site] = rate
    readers = chance.random() < READERS_SHARE
    on_inclusion = chance.random() < ON_INCLUSION_SHARE
    venues = 3 if chance.random() < THREE_VENUES_SHARE else 2
    return Plan(
        seed=seed,
        commands=count,
        share=share,
        readers=readers,
        rates=rates,
        on_inclusion=on_inclusion,
        venues=venues,
    )


def _rates(site: str) -> tuple[int, ...]:
    if site.startswith("block."):
        return BLOCK_RATES_PER_MILLE
    if site.startswith(SELDOM):
        return SELDOM_RATES_PER_MILLE
    return CRASH_RATES_PER_MILLE if site.startswith("crash.") else RATES_PER_MILLE


class Faults:
    """Decide, passage by passage, what goes wrong in one world; keep what did."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.fired: list[str] = []
        self.healed = False
        self._streams: dict[str, Random] = {}
        self.counts: dict[str, int] = {}
        self._order = Random(f"{plan.seed}/order")

    def _stream(self, site: str) -> Random:
        stream = self._streams.get(site)
        if stream is None:
            stream = self._streams[site] = Random(f"{self.plan.seed}/{site}")
        return stream

    def hit(self, site: str) -> bool:
        """Pass a site once; say whether its fault fires."""
        count = self.counts[site] = self.counts.get(site, 0) + 1
        drawn = self._stream(site).randrange(1000)
        if self.healed:
            return False
        key = f"{site}#{count}"
        if key in self.plan.suppressed:
            return False
        if drawn < self.plan.rates.get(site, 0) or key in self.plan.forced:
            self.fired.append(key)
            return True
        return False

    def between(self, site: str, low: int, high: int) -> int:
        """Draw an integer of the closed range from the site's own substream: a latency, a quantity."""
        return self._stream(f"{site}/between").randint(low, high)

    def pick(self, count: int) -> int:
        """Choose the next of `count` ready callbacks."""
        if self.plan.share and self._order.random() < self.plan.share:
            return self._order.randrange(count)
        return 0

    def heal(self) -> None:
        """Let nothing go wrong from now on; draws go on, so that worlds stay comparable."""
        self.healed = True
