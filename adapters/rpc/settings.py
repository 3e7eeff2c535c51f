"""Which endpoints to ask, how many of them must agree, and how long to wait for one."""

from pathlib import Path

import msgspec


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Name one JSON-RPC endpoint. Its URLs may hold a key: only `name` is ever told.

    `ws_url` is its WebSocket, "" for none: it tells when there is a new block, never what is in it.
    """

    name: str
    url: str
    ws_url: str = ""

    def __repr__(self) -> str:
        """Leave the URLs out."""
        return f"Endpoint({self.name})"


class RpcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Say whom to ask and how many must say the same. A majority must, so that no two answers can both win.

    `ca_file` is the authority to trust for a simulator. An endpoint that breaks a connection off is asked `retries`
    times more within its time; one that is slow is not.
    """

    endpoints: tuple[Endpoint, ...]
    quorum: int
    chain_id: int
    ca_file: Path | None = None
    timeout_ms: int = 3_000
    lag_blocks_max: int = 5
    retries: int = 1
