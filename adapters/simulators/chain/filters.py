"""Which logs are asked for: addresses, topics by place, a range of blocks."""

from collections.abc import Iterator

import msgspec

from adapters.simulators.chain.blocks import Block, Included, Log
from adapters.simulators.chain.refused import INVALID_PARAMS, Refused
from adapters.simulators.chain.shapes import Json, log_json, read_address, read_hash

TOPICS_MAX = 4
CHOICES_MAX = 1_000


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what a log must be; an empty set, or None in a topic's place, asks nothing."""

    addresses: frozenset[bytes] = frozenset()
    topics: tuple[frozenset[bytes] | None, ...] = ()

    def wants(self, log: Log) -> bool:
        """Say whether a log is asked for."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(log.topics) < len(self.topics):
            return False
        return all(choice is None or topic in choice for topic, choice in zip(log.topics, self.topics, strict=False))

    def found(self, block: Block, *, removed: bool = False) -> Iterator[Json]:
        """Yield a block's logs that are asked for."""
        for index, included in enumerate(block.included):
            yield from self._of(included, block, index, removed=removed)

    def _of(self, included: Included, block: Block, index: int, *, removed: bool) -> Iterator[Json]:
        for at, log in enumerate(included.logs):
            if self.wants(log):
                yield log_json(log, included, block, index, included.first_log + at, removed=removed)


def read_filter(value: object) -> LogFilter:
    """Return the filter of `eth_getLogs` and of a subscription. Raise Refused when it is none."""
    if not isinstance(value, dict):
        raise Refused("invalid argument 0: not an object", code=INVALID_PARAMS)
    given: dict[str, object] = {str(key): each for key, each in value.items()}
    address, topics = given.get("address"), given.get("topics")
    addresses = address if isinstance(address, list) else [] if address is None else [address]
    if not isinstance(topics, list | None) or len(topics or ()) > TOPICS_MAX or len(addresses) > CHOICES_MAX:
        raise Refused("invalid argument 0: too many or malformed addresses or topics", code=INVALID_PARAMS)
    return LogFilter(
        addresses=frozenset(read_address(each) for each in addresses),
        topics=tuple(_choice(each) for each in topics or ()),
    )


def _choice(value: object) -> frozenset[bytes] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        return frozenset((read_hash(value),))
    if len(value) > CHOICES_MAX:
        raise Refused("invalid argument 0: too many topics", code=INVALID_PARAMS)
    return frozenset(read_hash(each) for each in value) or None
