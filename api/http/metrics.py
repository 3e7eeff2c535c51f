"""Numbers about a process: counters, gauges and histograms, as Prometheus text and as heartbeats of other roles.

Every role keeps a `Registry` and tells it in a `Heartbeat` on `<prefix>.health.<role>`; the API gathers the heartbeats
and shows all of them at `/metrics`, each sample with its `role`. Series are bounded: labels beyond the bound are folded
into one series labelled `other`, so that nobody can fill the memory with names.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

SERIES_MAX = 1_000
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[tuple[str, str], ...]


class Sample(msgspec.Struct, frozen=True):
    """Hold one series: a value, or a histogram's counts per bucket (not cumulative, the last one unbounded) and sum."""

    labels: dict[str, str]
    value: float = 0.0
    counts: tuple[int, ...] = ()
    sum: float = 0.0


class Family(msgspec.Struct, frozen=True):
    """Hold every series of one name; `bounds` are a histogram's upper bounds, without the infinite one."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]
    bounds: tuple[float, ...] = ()


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Show a role as it was at `at_us`; `position` is how far in the log it is, where that means something."""

    role: str
    pid: int
    at_us: int
    position: int | None = None
    families: tuple[Family, ...] = ()


_HEARTBEAT = msgspec.json.Decoder(Heartbeat)


def read_heartbeat(body: bytes) -> Heartbeat:
    """Read a heartbeat; raise msgspec.ValidationError or msgspec.DecodeError for anything else."""
    return _HEARTBEAT.decode(body)


class Meter:
    """Measure one family. Labels are given in full at each use, in any order."""

    def __init__(self, name: str, kind: Kind, text: str, bounds: tuple[float, ...] = ()) -> None:
        self._name = name
        self._kind: Kind = kind
        self._text = text
        self._bounds = bounds
        self._values: dict[Labels, float] = {}
        self._counts: dict[Labels, list[int]] = {}

    def _key(self, labels: Mapping[str, str]) -> Labels:
        key = tuple(sorted(labels.items()))
        if key in self._values or len(self._values) < SERIES_MAX:
            return key
        return tuple((name, "other") for name, _ in key)

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Count up."""
        key = self._key(labels)
        self._values[key] = self._values.get(key, 0.0) + amount

    def set(self, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._values[self._key(labels)] = value

    def observe(self, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        key = self._key(labels)
        counts = self._counts.setdefault(key, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, value)] += 1
        self._values[key] = self._values.get(key, 0.0) + value

    def family(self) -> Family:
        """Return the series as they stand."""
        samples: list[Sample] = []
        for key, value in self._values.items():
            if self._kind == "histogram":
                samples.append(Sample(dict(key), counts=tuple(self._counts[key]), sum=value))
            else:
                samples.append(Sample(dict(key), value))
        return Family(self._name, self._kind, self._text, tuple(samples), self._bounds)


class Registry:
    """Hold the meters of one process; a name is given once."""

    def __init__(self) -> None:
        self._meters: dict[str, Meter] = {}

    def _enter(self, name: str, meter: Meter) -> Meter:
        if name in self._meters:
            raise ValueError(f"two meters are called {name}")
        self._meters[name] = meter
        return meter

    def counter(self, name: str, text: str) -> Meter:
        """Return a new counter; its name ends in _total."""
        return self._enter(name, Meter(name, "counter", text))

    def gauge(self, name: str, text: str) -> Meter:
        """Return a new gauge."""
        return self._enter(name, Meter(name, "gauge", text))

    def histogram(self, name: str, text: str, bounds: Sequence[float] = LATENCY_BUCKETS_S) -> Meter:
        """Return a new histogram; bounds ascend, and an unbounded last bucket is added."""
        if list(bounds) != sorted(set(bounds)):
            raise ValueError("bounds must ascend")
        return self._enter(name, Meter(name, "histogram", text, tuple(bounds)))

    def families(self) -> tuple[Family, ...]:
        """Return every family as it stands."""
        return tuple(meter.family() for meter in self._meters.values())

    def heartbeat(self, role: str, pid: int, at_us: int, position: int | None = None) -> bytes:
        """Return the heartbeat's JSON."""
        beat = Heartbeat(role=role, pid=pid, at_us=at_us, position=position, families=self.families())
        return msgspec.json.encode(beat)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _labelled(name: str, labels: Mapping[str, str]) -> str:
    if not labels:
        return name
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if value == int(value) else repr(value)


def _histogram(family: Family, labels: Mapping[str, str], sample: Sample) -> Iterable[str]:
    total = 0
    for bound, count in zip((*family.bounds, math.inf), sample.counts, strict=True):
        total += count
        yield f"{_labelled(f'{family.name}_bucket', {**labels, 'le': _number(bound)})} {total}"
    yield f"{_labelled(f'{family.name}_sum', labels)} {_number(sample.sum)}"
    yield f"{_labelled(f'{family.name}_count', labels)} {total}"


def render(sources: Iterable[tuple[str, Iterable[Family]]]) -> str:
    """Write Prometheus text of (role, families) pairs; each family's header stands once, each sample has its role."""
    merged: dict[str, tuple[Family, list[tuple[str, Family]]]] = {}
    for role, families in sources:
        for family in families:
            merged.setdefault(family.name, (family, []))[1].append((role, family))
    lines: list[str] = []
    for name, (first, told) in merged.items():
        lines += [f"# HELP {name} {first.help}", f"# TYPE {name} {first.kind}"]
        for role, family in told:
            if family.kind != first.kind:
                continue  # two roles disagree about a name; mixing kinds would make the whole page unreadable
            for sample in family.samples:
                labels = {"role": role, **sample.labels}
                if family.kind == "histogram":
                    lines += _histogram(family, labels, sample)
                else:
                    lines.append(f"{_labelled(name, labels)} {_number(sample.value)}")
    return "\n".join([*lines, ""])
