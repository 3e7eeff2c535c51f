"""Write the golden file of every event that has none: `python -m tests.golden.write`.

A golden file is what a log written today will hold for ever. It is never written again: an event whose shape changes
takes a new version of its tag and an upcaster from the old one, and both tags keep their files.
"""

import sys
from pathlib import Path

from domain.catalogue import EVENTS
from domain.codec import encode
from tests.golden.examples import example, metadata_example

FOLDER = Path(__file__).parent / "events"
METADATA = Path(__file__).parent / "metadata.json"


def missing() -> dict[Path, bytes]:
    """Return the files that are not there yet and what they will hold."""
    wanted = {FOLDER / f"{tag}.json": encode(example(event_type)) for tag, event_type in EVENTS.items()}
    wanted[METADATA] = encode(metadata_example())
    return {path: state for path, state in wanted.items() if not path.exists()}


def main() -> int:
    """Write what is missing; nothing that exists is touched."""
    FOLDER.mkdir(exist_ok=True)
    for path, state in missing().items():
        with path.open("xb") as file:
            file.write(state)
        sys.stdout.write(f"wrote {path.name}: look at it, then commit it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
