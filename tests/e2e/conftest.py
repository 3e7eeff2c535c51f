"""Running houses, started once for all tests that can share one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo import Card, Demo, Up
from tests.support.trader import WALLETS, Log, Trader


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run a demonstration, whose benefactors trade, until the session's end; then SIGTERM, and its verdict counts."""
    running = Demo(tmp_path_factory.mktemp("demo") / "made_by_it")
    try:
        running.until_ready()
        yield running
        code = running.terminate()
        assert code == 0, f"the demonstration ended with {code}\n{running.told()}"
    finally:
        running.end()


@pytest.fixture
def card(demo: Demo) -> Card:
    """Give demo.json as it is now."""
    return demo.card()


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


@pytest.fixture(scope="package")
def shared_data() -> Path:
    """Give the folder of recorded data."""
    return Path(os.environ.get("BALLAST_SHARED", Path(__file__).parents[3] / "shared"))
