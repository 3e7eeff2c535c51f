"""Token buckets in bounded maps. No stranger can use up another's budget.

By source: the peer's address (IPv6: its /64, which one subscriber owns whole). By benefactor: a name in a query proves
nothing, so `/rfq` charges (source, benefactor): whoever names a victim spends his own. `/order` charges the signer,
whom a signature proved, and only for an order that is new and not expired: so signatures that were seen on chain cannot
be replayed to drain him. A map that is full forgets the bucket used longest ago, which only ever gives budget back.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Hashable

import msgspec

BUCKETS_MAX = 50_000
IPV6_SOURCE_BITS = 64


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Allow `per_s` requests a second on average and `burst` at once."""

    per_s: float
    burst: int


SOURCE_RATE = Rate(per_s=60, burst=120)
BENEFACTOR_RATE = Rate(per_s=25, burst=50)


class Throttle:
    """Spend tokens per key. `clock` gives monotonic seconds."""

    def __init__(self, rate: Rate, clock: Callable[[], float], buckets_max: int = BUCKETS_MAX) -> None:
        if rate.per_s <= 0 or rate.burst < 1:
            raise ValueError("a rate must be positive and its burst at least 1")
        self._rate = rate
        self._clock = clock
        self._buckets_max = buckets_max
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def spend(self, key: Hashable) -> float:
        """Take one token; return 0.0, or the seconds until there is one when there is none."""
        now = self._clock()
        tokens, then = self._buckets.pop(key, (float(self._rate.burst), now))
        tokens = min(float(self._rate.burst), tokens + (now - then) * self._rate.per_s)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate.per_s
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > self._buckets_max:
            self._buckets.popitem(last=False)
        return wait


def source_of(peer: str, forwarded_for: str, trusted_proxies: frozenset[str]) -> str:
    """Return whom a request is charged to: the peer, or, behind trusted proxies, the last hop that is not one.

    `forwarded_for` is believed only from a trusted peer. An address that cannot be read stays as it is.
    """
    source = peer
    if peer in trusted_proxies:
        for hop in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
            source = hop
            if hop not in trusted_proxies:
                break
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    if address.version == IPV4_VERSION:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_SOURCE_BITS), strict=False))


IPV4_VERSION = 4


class Recent:
    """Remember the last keys seen, with a value each, up to a bound."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[Hashable, int] = OrderedDict()

    def get(self, key: Hashable) -> int | None:
        """Return the value kept for a key, None when it is not remembered."""
        return self._entries.get(key)

    def keep(self, key: Hashable, value: int) -> None:
        """Remember a key; the one kept longest ago is forgotten when there are too many."""
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)
