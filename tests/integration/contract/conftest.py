"""One deployment for all of these tests; each of them starts from it as it was made."""

from collections.abc import Iterator

import pytest

from tests.integration.contract.stage import Stage


@pytest.fixture(scope="session")
def deployed() -> Stage:
    """Give the one deployment, for tests that only ask, or that rewind themselves."""
    return Stage()


@pytest.fixture
def stage(deployed: Stage) -> Iterator[Stage]:
    """Give the deployment, and take back afterwards what the test did."""
    with deployed.rewound():
        yield deployed
