"""Let atheris search the oracle parsers for what escapes: `python -m tests.fuzz.oracles CORPUS -max_total_time=60`.

Not part of the suite, and atheris is no dependency of it: install it beside. A first byte chooses the parser, so one
corpus serves all. What must hold is written in `tests.support.oracle_fuzz`; hypothesis holds the same in the suite.
"""

import importlib
import sys
from typing import Any


def main() -> None:
    """Fuzz until told to stop."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["adapters.oracle"]):
        laws: Any = importlib.import_module("tests.support.oracle_fuzz")

    def one(data: bytes) -> None:
        if data:
            laws.give(laws.PARSERS[data[0] % len(laws.PARSERS)], data[1:])

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
