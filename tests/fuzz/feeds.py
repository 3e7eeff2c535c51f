"""Let atheris search the dialects for what escapes: `python -m tests.fuzz.feeds CORPUS -max_total_time=60`.

Not part of the suite, and atheris is no dependency of it: install it beside. The first byte chooses the venue, the
second how the rest is meant: as a message, or as bytes to put into a real one. What must hold is what hypothesis holds
in `tests.property.test_feed_fuzz`.
"""

import importlib
import sys
from typing import Any

HEAD = 4


def spoil(message: bytes, data: bytes) -> bytes:
    """Put bytes into a message at the place that the first two of them name."""
    at = int.from_bytes(data[:2], "big") % len(message)
    return message[:at] + data[2:] + message[at + len(data) - 2 :]


def main() -> None:
    """Fuzz until told to stop."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["adapters.exchange.feeds"]):
        laws: Any = importlib.import_module("tests.property.test_feed_fuzz")

    def one(data: bytes) -> None:
        if len(data) < HEAD:
            return
        venue = laws.VENUES[data[0] % len(laws.VENUES)]
        known = [*laws.book_messages(venue), *laws.side_messages(venue)]
        which = data[1] % (len(known) + 1)
        payload = data[2:] if which == len(known) else spoil(known[which], data[2:])
        laws.check(laws.whole(venue), payload)
        laws.check(laws.speak(venue), payload)

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
