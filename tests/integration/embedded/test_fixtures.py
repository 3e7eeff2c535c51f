"""The session's servers answer, and their databases are fresh."""

import asyncpg
import nats

from tests.support.servers import NatsServer, PostgresServer


async def test_database_is_empty_and_durable(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW data_checksums") == "on"
        await connection.execute("CREATE TABLE once (n int)")
    finally:
        await connection.close()


async def test_two_databases_are_two(database: str, postgres_server: PostgresServer) -> None:
    assert database != postgres_server.dsn
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("SELECT to_regclass('once')") is None
    finally:
        await connection.close()


async def test_jetstream_keeps_a_message(nats_server: NatsServer, nats_prefix: str) -> None:
    client = await nats.connect(nats_server.url)
    try:
        stream = client.jetstream()
        await stream.add_stream(name=nats_prefix, subjects=[f"{nats_prefix}.>"])
        assert (await stream.publish(f"{nats_prefix}.a", b"1")).seq == 1
        await stream.delete_stream(nats_prefix)
    finally:
        await client.close()
