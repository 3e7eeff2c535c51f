"""The contract of the log, against Postgres."""

import asyncio

import pytest

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.migrate import migrate
from tests.contract.event_log import EventLogContract, OpenLog, Scenario


class TestPostgresEventLog(EventLogContract):
    @pytest.fixture(autouse=True)
    def _database(self, database: str) -> None:
        self._dsn = database

    def run(self, scenario: Scenario) -> None:
        opened: list[PostgresEventLog] = []

        def open_log() -> PostgresEventLog:
            log = PostgresEventLog(self._dsn)
            opened.append(log)
            return log

        async def main(open_log: OpenLog) -> None:
            await migrate(self._dsn)
            try:
                await scenario(open_log)
            finally:
                for log in opened:
                    await log.close()

        asyncio.run(main(open_log))
