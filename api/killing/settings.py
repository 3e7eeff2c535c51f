"""The kill's settings: its own keys, endpoints and files, none of them another process's. Times in milliseconds."""

from pathlib import Path

import msgspec


class KillVenue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name a venue account and the kill's own key to it: it reads and cancels, and needs no right to withdraw.

    `without` are parts that the account does not have, by the names that the report gives them: they are not asked for.
    """

    name: str
    account: str = "main"
    api_key: str = ""
    api_secret: str = ""
    passphrase: str = ""
    without: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Leave the keys out."""
        return f"KillVenue({self.name}/{self.account})"


class KillSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set the kill. Keys, `postgres` and `rpc` may be `env:` or `file:` references; whatever is empty is not tried.

    Nothing here is needed by anything else: what is missing or away is said in the report, and the rest is done.
    """

    venues: tuple[KillVenue, ...] = ()
    url: str = ""  # of the API, which is asked to record HALTED
    api_key: str = ""  # of role risk there
    postgres: str = ""  # a login that may end the senders' sessions (pg_signal_backend), and take their leases
    rpc: tuple[str, ...] = ()
    quorum: int = 1
    key: str = ""  # holds GATEKEEPER_ROLE and nothing else, and is not the gatekeeper's
    folder: str = ""  # of the reports; empty: data_dir/kill
    senders_ms: int = 1_000  # for the local senders to be gone
    fence_ms: int = 1_500  # for the API and Postgres to answer
    ask_ms: int = 5_000  # for one answer of a venue
    venue_ms: int = 60_000  # for a venue to be silent
    chain_ms: int = 180_000  # for the contract to be shut
    pause_ms: int = 50  # between sweeps
    late_ms: int = 5_500  # a last sweep begins so long after the senders were stopped: venues take older requests not
    head_age_ms_max: int = 120_000  # 0: any age, for chains that make blocks on demand


class OtherAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Name an account that Ballast trades on, as its own section says it."""

    name: str
    account: str = "main"
    private: bool = True


class _Book(msgspec.Struct, frozen=True):
    prefix: str = "ballast"


class _Services(msgspec.Struct, frozen=True):
    data_dir: str = ".ballast"


class _Chain(msgspec.Struct, frozen=True):
    chain_id: int = 1
    minting_contract: str = ""


class _Loopback(msgspec.Struct, frozen=True):
    port: int = 0
    ca: str = ""


class KillDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what the kill reads of a settings file; whatever else is in the file, or wrong in it, is not looked at."""

    kill: KillSettings = KillSettings()
    venues: tuple[OtherAccount, ...] = ()
    book: _Book = _Book()
    services: _Services = _Services()
    chain: _Chain = _Chain()
    loopback: _Loopback = _Loopback()

    @property
    def data_dir(self) -> Path:
        """Return the house's folder, where its local senders stand in a list."""
        return Path(self.services.data_dir)

    @property
    def folder(self) -> Path:
        """Return the folder of the kill's own files."""
        return Path(self.kill.folder) if self.kill.folder else self.data_dir / "kill"

    @property
    def leases(self) -> tuple[str, ...]:
        """Return the names of the leases that senders hold."""
        accounts = {f"{each.name}:{each.account}" for each in (*self.kill.venues, *self.traded)}
        return tuple(f"{self.book.prefix}:{name}" for name in (*sorted(accounts), "chain"))

    @property
    def traded(self) -> tuple[OtherAccount, ...]:
        """Return the accounts that Ballast acts on."""
        return tuple(each for each in self.venues if each.private)

    @property
    def uncovered(self) -> tuple[OtherAccount, ...]:
        """Return the accounts that Ballast acts on and the kill has no key to."""
        covered = {(each.name, each.account) for each in self.kill.venues}
        return tuple(each for each in self.traded if (each.name, each.account) not in covered)
