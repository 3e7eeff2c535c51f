"""Numbers: Prometheus text of this process and of the roles it heard, bounded."""

import pytest

from api.http.metrics import SERIES_MAX, Registry, read_heartbeat, render


def test_counters_gauges_and_histograms_are_written_as_prometheus_reads_them() -> None:
    registry = Registry()
    registry.counter("a_total", "Count.").add(2, path='x"\n\\')
    registry.gauge("b", "Gauge.").set(-1.5)
    histogram = registry.histogram("c_seconds", "Time.", (0.1, 1))
    for value in (0.05, 0.1, 0.5, 9):
        histogram.observe(value)
    assert render([("core", registry.families())]).splitlines() == [
        "# HELP a_total Count.",
        "# TYPE a_total counter",
        'a_total{path="x\\"\\n\\\\",role="core"} 2',
        "# HELP b Gauge.",
        "# TYPE b gauge",
        'b{role="core"} -1.5',
        "# HELP c_seconds Time.",
        "# TYPE c_seconds histogram",
        'c_seconds_bucket{le="0.1",role="core"} 2',
        'c_seconds_bucket{le="1",role="core"} 3',
        'c_seconds_bucket{le="+Inf",role="core"} 4',
        'c_seconds_sum{role="core"} 9.65',
        'c_seconds_count{role="core"} 4',
    ]


def test_a_heartbeat_carries_every_number_to_another_process() -> None:
    registry = Registry()
    registry.histogram("c_seconds", "Time.").observe(0.2)
    registry.gauge("queue_depth", "Depth.").set(3, queue="commands")
    beat = read_heartbeat(registry.heartbeat("core", 7, 1_000, 42))
    assert (beat.role, beat.pid, beat.at_us, beat.position) == ("core", 7, 1_000, 42)
    assert render([("core", beat.families)]) == render([("core", registry.families())])


def test_two_roles_share_one_header_and_a_quarrel_about_kinds_is_left_out() -> None:
    first, second, third = Registry(), Registry(), Registry()
    first.gauge("depth", "Depth.").set(1)
    second.gauge("depth", "Depth.").set(2)
    third.counter("depth", "Depth.").add(3)
    text = render([("a", first.families()), ("b", second.families()), ("c", third.families())])
    assert text.count("# TYPE depth") == 1
    assert text.splitlines()[2:] == ['depth{role="a"} 1', 'depth{role="b"} 2']


def test_series_are_bounded() -> None:
    registry = Registry()
    counter = registry.counter("a_total", "Count.")
    for number in range(SERIES_MAX + 500):
        counter.add(name=str(number))
    samples = counter.family().samples
    assert len(samples) == SERIES_MAX + 1
    assert next(sample.value for sample in samples if sample.labels == {"name": "other"}) == 500


def test_a_name_is_given_once_and_bounds_ascend() -> None:
    registry = Registry()
    registry.gauge("a", "A.")
    with pytest.raises(ValueError, match="two meters"):
        registry.counter("a", "A.")
    with pytest.raises(ValueError, match="ascend"):
        registry.histogram("b", "B.", (1, 0.5))
