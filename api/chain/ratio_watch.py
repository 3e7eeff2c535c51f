"""The ratios' watch: reads what liquid staking tokens and vault shares stand for, and tells it as often as it may move.

What the Book would refuse is not told but raised as an alert: a token that moved further than such tokens do needs a
person, who looks at its contract and puts the ratio in the policy. So does one that cannot be read for long.
"""

import logging

from api.chain.watched import RatioSource, Watched
from api.replica import Replica
from api.telling import readable, tell
from commands.context import Context
from commands.ports import Clock, Facts
from commands.ratio import ObserveRatio, observe_ratio
from commands.watch import RaiseAlert
from domain.ids import natural_id
from domain.instant import SECOND_US
from domain.policy import Asset
from domain.quantity import to_units
from domain.ratio import EVERY_US
from domain.refusal import Refusal, Rejected, Unavailable
from domain.transaction import Block
from domain.watch import RATIO_AREA, Severity

SOURCE = "chain"
# What could not be read is asked for again after so long, and a person is told once it is unread for so long.
AGAIN_US = 60 * SECOND_US
UNREAD_MAX_US = 6 * EVERY_US
_log = logging.getLogger("ballast.ratios")


class RatioWatch:
    """Watch the ratios of some tokens, at heads that somebody else waits for."""

    def __init__(self, replica: Replica, watched: Watched, facts: Facts, clock: Clock) -> None:
        self._replica = replica
        self._watched = watched
        self._facts = facts
        self._clock = clock
        self._next_us: dict[str, int] = {}
        self._read_us: dict[str, int] = {}

    async def look(self, head: Block) -> None:
        """Look from a head at every ratio that is due; one that cannot be read keeps no other from it."""
        policy, number = self._replica.book.policy, head.number - self._watched.finality_blocks
        if policy is None or number < 0:
            return
        assets = {asset.symbol: asset for asset in policy.assets}
        for source in self._watched.ratios:
            now_us, asset = self._clock.now_us(), assets.get(source.asset)
            if asset is None or now_us < self._next_us.get(source.asset, 0):
                continue
            self._read_us.setdefault(source.asset, now_us)
            try:
                answer = await self._watched.reader.number_of(source.view(asset), number)
            except (Rejected, Unavailable) as error:
                self._next_us[source.asset] = now_us + AGAIN_US
                await self._unread(source, asset, now_us, readable(str(error)))
                continue
            self._next_us[source.asset], self._read_us[source.asset] = now_us + EVERY_US, now_us
            await self._tell(source, asset, answer, now_us)

    async def _tell(self, source: RatioSource, asset: Asset, answer: int, now_us: int) -> None:
        """Tell a ratio; raise an alert instead where the Book would refuse it."""
        told = ObserveRatio(
            asset=asset.symbol,
            ratio=to_units(answer, source.decimals),
            source=source.source,
            observed_at_us=now_us,
        )
        context = Context(command_id=natural_id("ratio", asset.symbol), actor=SOURCE, at_us=now_us)
        found = observe_ratio(self._replica.book, told, context)
        if isinstance(found, Refusal):
            text = f"{source.source} tells {told.ratio}, which is not believed: {found.text}"
            await self._alert(asset, "refused", Severity.CRITICAL, text)
        elif found:
            await tell(self._facts, SOURCE, told.KIND, f"ratio|{asset.symbol}|{now_us}", told)

    async def _unread(self, source: RatioSource, asset: Asset, now_us: int, why: str) -> None:
        _log.warning("the ratio of %s is not read: %s", asset.symbol, why)
        if now_us - self._read_us[asset.symbol] >= UNREAD_MAX_US:
            counts = self._replica.book.ratio(asset)
            text = f"{source.function} of {source.contract} is not read any more, {counts} goes on counting: {why}"
            await self._alert(asset, "unread", Severity.WARNING, text)

    async def _alert(self, asset: Asset, trouble: str, severity: Severity, text: str) -> None:
        """Raise an alert once for the ratio in force."""
        known = self._replica.book.outside.ratios.get(asset.symbol)
        subject = f"{self._replica.book.ratio(asset)}|{0 if known is None else known.observed_at_us}"
        alert = RaiseAlert(
            alert_id=natural_id("ratio", trouble, asset.symbol, subject),
            severity=severity,
            area=RATIO_AREA,
            subject=asset.symbol,
            text=text,
            cause_position=self._replica.position,
        )
        if alert.alert_id not in self._replica.book.alerts:
            await tell(self._facts, SOURCE, alert.KIND, f"{trouble}|{asset.symbol}|{subject}", alert)
