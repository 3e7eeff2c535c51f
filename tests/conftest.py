"""Fixtures every test may ask for: real servers, once a session, and fresh names on them."""

import importlib
import secrets
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.servers import NatsServer, PostgresServer, fresh_database, running_nats, running_postgres

# py_ecc raises the recursion limit when it is first imported, by whichever test's library: what is refused for being
# nested too deeply would overflow the stack. Once here, and undone, it cannot do so again.
_LIMIT = sys.getrecursionlimit()
importlib.import_module("py_ecc")
sys.setrecursionlimit(_LIMIT)

# Every law, wherever it stands, is searched the same way on every run, and how busy the machine is fails none of them;
# `--hypothesis-profile=search` looks elsewhere, and longer.
_PATIENT = [HealthCheck.too_slow]
settings.register_profile(
    "suite", derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=_PATIENT
)
settings.register_profile("search", deadline=None, max_examples=3_000, suppress_health_check=_PATIENT, print_blob=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one Postgres 18 for the session, fsync on."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the owner's DSN of a fresh, empty database; it is dropped afterwards."""
    with fresh_database(postgres_server.dsn) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """Run one NATS server with JetStream for the session."""
    with running_nats() as server:
        yield server


@pytest.fixture
def nats_prefix() -> str:
    """Give a first subject token that no other test uses."""
    return f"t{secrets.token_hex(4)}"
