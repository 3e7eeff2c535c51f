"""A demonstration that runs while these tests do."""

from collections.abc import Iterator

import pytest

from tests.support.demo import Card, Demo


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run a demonstration, whose benefactors trade, until these tests' end; then SIGTERM, and its verdict counts."""
    running = Demo(tmp_path_factory.mktemp("demo") / "made_by_it")
    try:
        running.until_ready()
        yield running
        code = running.terminate()
        assert code == 0, f"the demonstration ended with {code}\n{running.told()}"
        assert not running.card_path.exists()
    finally:
        running.end()


@pytest.fixture
def card(demo: Demo) -> Card:
    """Give demo.json as it is now."""
    return demo.card()
