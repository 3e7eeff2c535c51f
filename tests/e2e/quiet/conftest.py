"""A house on a simulated venue, and one benefactor in it."""

from collections.abc import Iterator

import pytest

from tests.support.demo import Up
from tests.support.trader import WALLETS, Log, Trader


@pytest.fixture(scope="package")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Run `ballast up` on a simulated venue: nobody trades but the test, so that positions tell what it did."""
    running = Up(tmp_path_factory.mktemp("up") / "data", WALLETS)
    try:
        running.until_ready()
        yield running
        code = running.terminate()
        assert code == 0, f"`ballast up` ended with {code}\n{running.told()}"
    finally:
        running.end()


@pytest.fixture
def trader(quiet: Up) -> Iterator[Trader]:
    """Give a benefactor of the quiet house."""
    client = Trader(quiet.url, WALLETS[0])
    yield client
    client.close()


@pytest.fixture
def log(quiet: Up) -> Log:
    """Give the quiet house's log, read by the auditor's role."""
    return Log(quiet.settings()["services"]["postgres_auditor"])
