"""The garbage collector of a long-running role: what is loaded stays, and what is made is almost never a cycle.

Looking at every remembered object again and again only costs time, and costs it all at once: a full look holds a market
feed up for tens of milliseconds.
"""

import gc

THRESHOLDS = (50_000, 50, 100)


def calm_collector() -> None:
    """Leave alone what is there now, and look at the rest less often; call it when a role is ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
