"""What is recorded, for those who replay it."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of recorded data."""
    return Path(os.environ.get("BALLAST_SHARED", Path(__file__).parents[3] / "shared"))
