"""A fresh Postgres directory for each test, copied from one made once."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.embedded.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def cluster_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a cluster once a session; it never runs."""
    root = tmp_path_factory.mktemp("template") / "postgres"
    asyncio.run(EmbeddedPostgres(root).prepare())
    return root / "cluster"


@pytest.fixture
def new_postgres_root(cluster_template: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Give a function that makes a Postgres directory by copying the template, owners included."""

    def make(name: str) -> Path:
        root = tmp_path / name
        root.mkdir(parents=True)
        copy = shutil.which("cp")
        assert copy is not None
        subprocess.run([copy, "-a", cluster_template, root / "cluster"], check=True)
        return root

    return make


@pytest.fixture
def postgres_root(new_postgres_root: Callable[[str], Path]) -> Path:
    """Give one Postgres directory, never started."""
    return new_postgres_root("postgres")
