"""An inbox that remembers what it was told."""

from typing import Any

import msgspec


class ToldFacts:
    """Hold every fact, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, bytes]] = []

    async def publish(self, source: str, kind: str, natural_key: str, body: bytes) -> object:
        """Take a fact."""
        del source
        self.told.append((kind, natural_key, body))
        return None

    def kinds(self) -> list[str]:
        """Return the kinds told, in order."""
        return [kind for kind, _, _ in self.told]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Return the bodies of one kind."""
        return [msgspec.json.decode(body) for told, _, body in self.told if told == kind]
