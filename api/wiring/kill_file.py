"""The kill's own settings file of a simulated house: `DIR/run/kill.json`, with keys that nobody else is given."""

import secrets
from pathlib import Path

import msgspec

from adapters.embedded.passwords import PasswordsUnusable, load_passwords, new_passwords, save_passwords, write_private
from adapters.postgres.roles import Login, create_kill_login, login_dsn
from api.killing.settings import KillSettings, KillVenue
from api.settings import Settings
from api.wiring.simulated_chain import is_simulated, simulated_keys
from domain.codec import encode

KILL_FILE = "kill.json"
# Beside the simulator's accounts: their second keys, by venue.
KILL_KEYS = "kill_keys.json"
LOGIN = "ballast_kill"


def kill_keys(home: Path, venues: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Return the kill's key and secret to each simulated account, made once and kept in the simulator's folder."""
    place = home / KILL_KEYS
    kept = msgspec.json.decode(place.read_bytes(), type=dict[str, tuple[str, str]]) if place.exists() else {}
    keys = {name: (secrets.token_urlsafe(24), secrets.token_urlsafe(24)) for name in venues} | kept
    write_private(place, msgspec.json.encode(keys))
    return keys


async def write_kill_file(settings: Settings, simulator: Path, superuser: str) -> None:
    """Write it; `superuser` is the address of our own Postgres' superuser, empty where the server is somebody else's.

    What is not simulated is as the settings have it.
    """
    replace = msgspec.structs.replace
    keys = kill_keys(simulator, tuple(venue.name for venue in settings.venues))
    venues = tuple(
        KillVenue(
            name=venue.name,
            account=venue.account,
            api_key=keys[venue.name][0],
            api_secret=keys[venue.name][1],
            passphrase=venue.passphrase,
        )
        for venue in settings.venues
        if venue.private
    )
    kill = replace(
        settings.kill,
        venues=venues,
        url=f"http://{settings.http.host}:{settings.http.port}",
        folder=str((settings.data_dir / "kill").absolute()),
    )
    if is_simulated(settings):
        key = simulated_keys(settings.data_dir / "chainsim")["killer"]
        kill = replace(kill, rpc=settings.chain.rpc, quorum=settings.chain.quorum, key=key)
    if superuser:
        kill = replace(kill, postgres=await _login(settings, superuser))
    services = {"data_dir": str(settings.data_dir.absolute())}
    document = {
        "kill": kill,
        "venues": [{"name": each.name, "account": each.account, "private": each.private} for each in settings.venues],
        "book": settings.book,
        "services": services,
        "chain": {"chain_id": settings.chain.chain_id, "minting_contract": settings.chain.minting_contract},
        "loopback": settings.loopback,
    }
    write_private(settings.data_dir / "run" / KILL_FILE, encode(document))


async def _login(settings: Settings, superuser: str) -> str:
    """Return the dsn of the kill's login, which may end sessions and nothing else."""
    kept = settings.data_dir / "kill_login.json"
    try:
        passwords = load_passwords(kept, (LOGIN,))
    except PasswordsUnusable:
        passwords = new_passwords((LOGIN,))
        save_passwords(kept, passwords)
    login = Login(LOGIN, passwords[LOGIN])
    await create_kill_login(superuser, login)
    return login_dsn(settings.services.postgres_owner, login)


def without_kill(settings: Settings) -> Settings:
    """Return settings for the roles: none of them is given the kill's keys."""
    return msgspec.structs.replace(settings, kill=KillSettings())
