"""Fixtures every test may ask for: real servers, once a session, and fresh names on them."""

import secrets
from collections.abc import Iterator

import pytest

from tests.support.servers import NatsServer, PostgresServer, fresh_database, running_nats, running_postgres


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
