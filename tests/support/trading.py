"""What a demonstration's log says of its trade: whether it goes on."""

from tests.support.demo import Demo, slowness, wait_for
from tests.support.trader import Log

TRADING_WITHIN_S = 40.0
MORE = 2


def until_trading(demo: Demo) -> None:
    """Wait until requests that were accepted from now on are completed."""
    log = Log(demo.card().auditor_dsn)
    within_s = TRADING_WITHIN_S * slowness()
    before = wait_for(lambda: _completed(log), within_s, "the log", demo.told)
    wait_for(lambda: _more(log, before), within_s, "requests completed again", demo.told)


def _completed(log: Log) -> int | None:
    """Return how many requests are completed; nothing while the log's server is away."""
    try:
        return len(log.events("request.completed.v1"))
    except OSError:
        return None


def _more(log: Log, before: int) -> bool | None:
    found = _completed(log)
    return True if found is not None and found > before + MORE else None
