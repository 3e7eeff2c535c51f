"""DIR/demo.json, by which others find the running demonstration."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from adapters.embedded.passwords import write_private
from api.demo.benefactors import Wallet
from api.settings import Settings


class Card:
    """Keep DIR/demo.json, by which others find the running demonstration."""

    def __init__(self, data_dir: Path, wallets: Sequence[Wallet], keys: Mapping[str, str]) -> None:
        self._path = data_dir / "demo.json"
        self._path.unlink(missing_ok=True)
        self._wallets = wallets
        self._keys = keys
        self._settings: Settings | None = None
        self._pids: dict[str, int] = {}

    def ready(self, settings: Settings, pids: Mapping[str, int]) -> None:
        """Write it for the first time: everything is up."""
        self._settings = settings
        self.update(pids)

    def update(self, pids: Mapping[str, int]) -> None:
        """Write it again when a process was restarted; one that is down keeps its last id until then."""
        settings = self._settings
        self._pids |= pids
        if settings is None:
            return
        card = {
            "url": f"http://{settings.http.host}:{settings.http.port}",
            "keys": dict(self._keys),
            "benefactors": self._wallets,
            "postgres": settings.services.postgres_owner,
            "auditor_dsn": settings.services.postgres_auditor,
            "nats": settings.services.nats_subscriber,
            "pids": self._pids,
            "chain": {
                "rpc": settings.chain.rpc[0],
                "chain_id": settings.chain.chain_id,
                "minting_contract": settings.chain.minting_contract,
            },
        }
        write_private(self._path, msgspec.json.encode(card))

    def remove(self) -> None:
        """Take it away: the demonstration is over."""
        self._path.unlink(missing_ok=True)
