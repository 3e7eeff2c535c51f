"""Public feeds beside ccxt.pro in one run: the cost of a message, what goes unseen, memory, and age when it is read.

`python -m benchmarks.feeds [--file F] [--quick] [--json]`. F is a recording whose name begins with usdm, coinm or spot.
"""

import argparse
import asyncio
from pathlib import Path

import msgspec

from benchmarks.feeds_latency import receive_to_ladder
from benchmarks.feeds_memory import hour_of_market
from benchmarks.feeds_recorded import DEFAULT, mismatches, recording
from benchmarks.feeds_speed import Speed, made_up_okx, recorded_depth
from benchmarks.feeds_streams import SCRIPTS, spoilt
from benchmarks.report import Figure, Group, Line, at_least, at_most, machine, report

RECORDINGS = ("usdm_ethusdt_20240808.gz", "coinm_ethusd_perp_20240808.gz", "spot_ethusdt_20240808.gz")
RATIO_RECORDED_GOAL, RATIO_OKX_GOAL = 3.0, 2.5
RSS_GROWTH_PERCENT_GOAL = 2.0
RECEIVE_TO_LADDER_P99_MS_GOAL = 5.0
FAULT_RATE = 0.15
SEED = 20_240_808


class Much(msgspec.Struct, frozen=True):
    """Say how much to do: races of each kind, faults injected into every dialect, seconds of latency."""

    rounds: int
    injected: int
    seconds: float


FULL = Much(rounds=5, injected=10_000, seconds=30.0)
QUICK = Much(rounds=1, injected=500, seconds=3.0)


async def speed(path: Path, much: Much) -> Group:
    """Race on recorded Binance depth and on made-up OKX deltas."""
    recorded = await recorded_depth(recording(path), much.rounds)
    okx = await made_up_okx(much.rounds)
    return Group(
        title="From a message to a validated book, one core",
        columns=("ours us", "ours/s", "ccxt us", "ccxt/s", "ratio"),
        lines=(_race(f"recorded {path.name}", recorded), _race("made-up OKX deltas", okx)),
        figures=(
            at_least("feed_ratio_to_ccxt_recorded", recorded.ratio, "x", RATIO_RECORDED_GOAL),
            at_least("feed_ratio_to_ccxt_okx", okx.ratio, "x", RATIO_OKX_GOAL),
        ),
        peers={
            "ccxt_recorded_us_per_message": recorded.peer_us,
            "ccxt_okx_us_per_message": okx.peer_us,
            "ours_recorded_us_per_message": recorded.ours_us,
            "ours_okx_us_per_message": okx.ours_us,
        },
    )


def tops(folder: Path, path: Path) -> Group:
    """Compare rebuilt tops with bookTicker, on every recording there is."""
    lines: list[Line] = []
    different = 0
    for one in dict.fromkeys((path, *(folder / name for name in RECORDINGS))):
        if one.exists():
            found = mismatches(recording(one))
            different += found.different + found.lost
            lines.append(Line(one.name, (f"{found.compared:,}", str(found.different), str(found.lost))))
    return Group(
        title="Tops of rebuilt books against bookTicker, at every boundary that has one",
        columns=("compared", "different", "books lost"),
        lines=tuple(lines),
        figures=(at_most("top_of_book_mismatches", different, "tops", 0),),
    )


def gaps(much: Much) -> Group:
    """Spoil streams of every dialect."""
    lines: list[Line] = []
    undetected = 0
    for venue in SCRIPTS:
        found = spoilt(venue, SEED, much.injected, FAULT_RATE)
        undetected += found.undetected
        cells = (f"{found.messages:,}", f"{found.injected:,}", f"{found.losses:,}", f"{found.compared:,}")
        lines.append(Line(venue, (*cells, str(found.undetected))))
    return Group(
        title="Dropped, doubled and out of order: what is believed against what was true",
        columns=("messages", "injected", "books given up", "compared", "undetected"),
        lines=tuple(lines),
        figures=(Figure("undetected_gaps", undetected, "gaps", "0", undetected == 0),),
    )


async def memory(path: Path) -> Group:
    """Replay an hour of market."""
    paths = [one for one in dict.fromkeys((path, *(path.parent / name for name in RECORDINGS))) if one.exists()]
    grown = await hour_of_market(paths)
    return Group(
        title="An hour of market, three books, each handed out after every message",
        columns=("messages", "before MB", "after MB", "growth"),
        lines=(
            Line(
                "resident memory",
                (f"{grown.messages:,}", f"{grown.before_mb:.1f}", f"{grown.after_mb:.1f}", f"{grown.percent:.2f} %"),
            ),
        ),
        figures=(at_most("rss_growth_percent", grown.percent, "%", RSS_GROWTH_PERCENT_GOAL),),
    )


async def latency(much: Much) -> Group:
    """Time frames through the feed, the bus and the reading process' view."""
    found = await receive_to_ladder(much.seconds)
    return Group(
        title="From a frame's receipt to the book that a decision reads in another process: four venues, 1,000/s each",
        columns=("frames", "frames/s", "books/s", "feeds' CPU", "p50 ms", "p99 ms"),
        lines=(
            Line(
                "four venues",
                (
                    f"{found.frames:,}",
                    f"{found.frames_per_s:,.0f}",
                    f"{found.books_per_s:,.0f}",
                    f"{found.follower_cpu_percent:.0f} %",
                    f"{found.p50_ms:.2f}",
                    f"{found.p99_ms:.2f}",
                ),
            ),
        ),
        figures=(at_most("receive_to_ladder_p99_ms", found.p99_ms, "ms", RECEIVE_TO_LADDER_P99_MS_GOAL),),
    )


def _race(name: str, found: Speed) -> Line:
    rates = (f"{1e6 / found.ours_us:,.0f}", f"{found.peer_us:.1f}", f"{1e6 / found.peer_us:,.0f}")
    return Line(name, (f"{found.ours_us:.1f}", *rates, f"{found.ratio:.2f}"))


async def measure(path: Path, much: Much) -> list[Group]:
    """Return every group."""
    return [await speed(path, much), tops(DEFAULT.parent, path), gaps(much), await memory(path), await latency(much)]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=DEFAULT, help="a recording to race on")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="little of everything: does it run?")
    arguments = parser.parse_args()
    about = machine()
    groups = asyncio.run(measure(arguments.file, QUICK if arguments.quick else FULL))
    report(groups, about, as_json=arguments.json)


if __name__ == "__main__":
    main()
