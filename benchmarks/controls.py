"""The controls: how long all take before a decision, how soon a breach is told, how soon a kill has all orders gone.

`python -m benchmarks.controls [--quick] [--json]`.
"""

import argparse

from benchmarks import controls_alert, controls_kill
from benchmarks.controls_check import FULL, QUICK, checking
from benchmarks.report import machine, report


def main() -> None:
    """Measure, print, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few probes: does it run")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    asked = parser.parse_args()
    about = machine()
    groups = [
        checking(QUICK if asked.quick else FULL),
        controls_alert.alerting(controls_alert.QUICK if asked.quick else controls_alert.FULL),
        controls_kill.killing(controls_kill.QUICK if asked.quick else controls_kill.FULL),
    ]
    report(groups, about, as_json=asked.json)


if __name__ == "__main__":
    main()
