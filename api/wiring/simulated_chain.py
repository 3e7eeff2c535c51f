"""The settings of a house on the simulated chain: where it is, and keys made for it alone."""

import secrets
from pathlib import Path

import msgspec

from adapters.embedded.loopback import LOOPBACK, remembered_port
from adapters.embedded.passwords import load_passwords, save_passwords
from api.settings import Settings

CHAINSIM = "chainsim"
KEYS = ("admin", "settler", "gatekeeper", "manager", "killer")
ADMIN_TOKEN, PORT, KEPT = "admin_token", "given_port", "keys.json"
# Endpoints over the one chain: two of three must agree, as in earnest.
ENDPOINTS = ("alpha", "beta", "gamma")
QUORUM = 2
# A block a second is final sooner than one of twelve seconds.
FINALITY_BLOCKS, STUCK_BLOCKS, POLL_MS, QUIET_POLL_MS = 3, 5, 250, 2_000
KEY_BYTES = 32


def is_simulated(settings: Settings) -> bool:
    """Say whether these settings run on the simulated chain."""
    return (settings.data_dir / CHAINSIM / PORT).exists() and settings.chain.rpc == _urls("http", _port(settings))


def with_simulated_chain(settings: Settings) -> Settings:
    """Point the house at a chain of its own, under keys of its own, where it simulates and no chain is named."""
    if not settings.simulator.enabled or settings.chain.rpc:
        return settings
    home = settings.data_dir / CHAINSIM
    home.mkdir(exist_ok=True)
    keys = simulated_keys(home)
    port = remembered_port(home / PORT)
    replace = msgspec.structs.replace
    chain = replace(
        settings.chain,
        rpc=_urls("http", port),
        ws=_urls("ws", port),
        quorum=QUORUM,
        finality_blocks=FINALITY_BLOCKS,
        stuck_blocks=STUCK_BLOCKS,
        poll_ms=POLL_MS,
        quiet_poll_ms=QUIET_POLL_MS,
        sender=replace(settings.chain.sender, key=keys["settler"]),
        manager=replace(settings.chain.manager, key=keys["manager"]),
    )
    gatekeeper = replace(
        settings.gatekeeper, enabled=True, rpc=_urls("http", port), quorum=QUORUM, key=keys["gatekeeper"]
    )
    return replace(settings, chain=chain, gatekeeper=gatekeeper)


def simulated_keys(home: Path) -> dict[str, str]:
    """Return the keys of the chain's people, and the token of its door; the same as last time on the same data."""
    kept = home / KEPT
    known = load_passwords(kept, ()) if kept.exists() else {}
    if not known.keys() >= {*KEYS, ADMIN_TOKEN}:
        made = {name: f"0x{secrets.token_hex(KEY_BYTES)}" for name in KEYS}
        save_passwords(kept, {**made, ADMIN_TOKEN: secrets.token_urlsafe(KEY_BYTES), **known})
    return load_passwords(kept, (*KEYS, ADMIN_TOKEN))


def _port(settings: Settings) -> int:
    return int((settings.data_dir / CHAINSIM / PORT).read_text())


def _urls(scheme: str, port: int) -> tuple[str, ...]:
    return tuple(f"{scheme}://{LOOPBACK}:{port}/{name}" for name in ENDPOINTS)
