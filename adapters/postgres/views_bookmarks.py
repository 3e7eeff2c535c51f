"""Bookmarks of workers that read the log, in the table of the projections' checkpoints."""

from adapters.postgres.views_reach import Pool, reaching
from projections.ports import Bookmark

_LOAD = "select position, schema from public.projection_checkpoints where name = $1"
_SAVE = """
insert into public.projection_checkpoints (name, position, schema) values ($1, $2, $3)
on conflict (name) do update set position = excluded.position, schema = excluded.schema, updated_at = now()
"""


class PostgresBookmarks:
    """Keep bookmarks; a name is one worker's alone and no view's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, name: str) -> Bookmark:
        """See `projections.ports.Bookmarks.load`."""
        with reaching():
            record = await self._pool.fetchrow(_LOAD, name)
        return Bookmark(0) if record is None else Bookmark(record["position"], record["schema"])

    async def save(self, name: str, bookmark: Bookmark) -> None:
        """See `projections.ports.Bookmarks.save`."""
        with reaching():
            await self._pool.execute(_SAVE, name, bookmark.position, bookmark.of)
