"""What the HTTP entrance needs from the house: commands, views, proofs of signatures, keys, and what is told by others.

Protocols only: `api/wiring.py` gives the adapters.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from api.http.metrics import Heartbeat
from commands.chain_ports import Wallet
from commands.envelope import Reply
from domain.market import Witness
from domain.onchain import ContractTerms
from domain.policy import Policy
from domain.refusal import Refusal, Unavailable

Row = Mapping[str, Any]


class Commands(Protocol):
    """Send commands to the core."""

    async def request(self, kind: str, body: bytes, command_id: UUID, actor: str, trace: str) -> Reply:
        """Ask and return the reply, which comes after the commit; the same id is decided once however often it is sent.

        Raise `Unavailable` when it was surely not decided, `Unknown` when it may have been (`domain.refusal`).
        """
        ...


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Name a moment of the log: a position, or microseconds since the Unix epoch (the last event recorded by then)."""

    position: int | None = None
    at_us: int | None = None


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a page: up to `limit` rows after the cursor `after` ("" from the start), as of `at` (None: now).

    `open` keeps rows that may still change (or that may not), `field` with `equals` those with that value; `topic`
    narrows events.
    """

    limit: int
    after: str = ""
    at: Moment | None = None
    newest_first: bool = False
    open: bool | None = None
    field: str = ""
    equals: str = ""
    topic: str = ""


class ViewPage(msgspec.Struct, frozen=True, kw_only=True):
    """Hold a page: the position folded up to, the time of that event (None for an empty log), rows, the next cursor.

    Each row is a JSON document; `next` is "" on the last page.
    """

    as_of_position: int
    as_of_us: int | None
    rows: Sequence[bytes]
    next: str


class ViewRefused(Exception):
    """Say that a view cannot answer this: `code` is stable, `text` tells what would be answered. HTTP 400."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Views(Protocol):
    """Read the read models and the log. Every method raises `domain.refusal.Unavailable` when they cannot be read."""

    async def page(self, view: str, query: PageQuery) -> ViewPage:
        """Return a page of a view; raise `ViewRefused` for what it cannot answer."""
        ...

    async def wait_for(self, view: str, position: int, timeout_s: float) -> bool:
        """Return True as soon as the view has folded `position`, False when it did not within the time."""
        ...

    async def request(self, quote_id: UUID) -> Row | None:
        """Return the row of view `requests` that used this quote, None when the view has none (yet)."""
        ...

    async def head(self) -> tuple[int, int | None]:
        """Return the log's last position and the microseconds it was recorded at (None when empty)."""
        ...


class Terms(Protocol):
    """Read the fields of an order as they were signed."""

    @property
    def order_id(self) -> str: ...  # noqa: D102 # a field of the signed struct
    @property
    def order_type(self) -> str: ...  # noqa: D102 # same
    @property
    def expiry(self) -> int: ...  # noqa: D102 # same
    @property
    def nonce(self) -> int: ...  # noqa: D102 # same
    @property
    def benefactor(self) -> str: ...  # noqa: D102 # same
    @property
    def beneficiary(self) -> str: ...  # noqa: D102 # same
    @property
    def collateral_asset(self) -> str: ...  # noqa: D102 # same
    @property
    def collateral_amount(self) -> int: ...  # noqa: D102 # same
    @property
    def usde_amount(self) -> int: ...  # noqa: D102 # same


class Proven(Protocol):
    """Read what a signature proved: lower-case hex with 0x."""

    @property
    def order_hash(self) -> str: ...  # noqa: D102 # a field
    @property
    def signer(self) -> str: ...  # noqa: D102 # same
    @property
    def signature(self) -> str: ...  # noqa: D102 # same


class Orders(Protocol):
    """Prove who signed an order."""

    def verify(self, order: Terms, signature: str, signature_type: str) -> Proven | Refusal:
        """Return what the signature proves, or why it proves nothing. Addresses were checked before."""
        ...

    def read_contract(self, order: Terms, signature: str) -> Proven | Refusal:
        """Return the order's hash and a contract wallet's signature in its one form, proven by nobody yet."""
        ...


class ChainPort(Protocol):
    """Ask the chain about a benefactor. Each method raises `Unavailable` when its endpoints do not answer or agree."""

    async def wallet(self, owner: str, token: str) -> Wallet:
        """Return an owner's balance of a token and its allowance to the minting contract."""
        ...

    async def contract_signature(self, wallet: str, order_hash: str, signature: str) -> bool:
        """Ask a contract wallet (EIP-1271) whether a signature is its own."""
        ...


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Show how far a request is: `tx` is the newest call that was submitted for it, "" before there is one.

    Once it is `over`, `fell` says why it came to nothing, "" if it was completed.
    """

    state: str
    tx: str = ""
    over: bool = False
    fell: str = ""


class Requests(Protocol):
    """Follow requests."""

    async def transaction(self, request_id: UUID, position: int, timeout_s: float) -> Progress | None:
        """Wait until a request has a transaction or is over, within a bound; return how far it is then.

        `position` is where it was accepted. None: it was over so long ago that only the read model knows of it.
        """
        ...


class Parties(Protocol):
    """Know who may act for whom."""

    def may_sign(self, signer: str, benefactor: str) -> bool:
        """Say whether the chain was seen to let an address sign for a benefactor."""
        ...


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Name the person a key belongs to and the role it carries."""

    person: str
    role: str


class Keys(Protocol):
    """Know the API keys."""

    def holder(self, key: str) -> Holder | None:
        """Return whose key this is, in a time that does not depend on how much of it is right."""
        ...


class Dependencies(Protocol):
    """Know what this process needs to answer."""

    async def check(self) -> Mapping[str, str]:
        """Return each dependency's name with "" when it answers, else what is wrong; bounded in time, never raises."""
        ...


class Heartbeats(Protocol):
    """Know what the other roles told about themselves."""

    def latest(self) -> Sequence[Heartbeat]:
        """Return the newest heartbeat of each role."""
        ...


class MarketBoard(Protocol):
    """Know what every source of the market says now."""

    def board(self) -> Sequence[Witness]:
        """Return every source's word with its age, one per source and symbol; raise `Unavailable` without a market."""
        ...

    def suspended(self, witness: Witness) -> str:
        """Return why a source may not be believed now, as the log has it; "" when it may."""
        ...


class SeriesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Ask a table of the time series for rows from `from_us` (inclusive) to `to_us` (exclusive), at most `limit`.

    `source` and `symbol` are a venue and its symbol, or an oracle and its feed. With `after_us` the rows behind the one
    at that time whose tie is `after_tie`.
    """

    table: str
    source: str
    symbol: str
    from_us: int
    to_us: int
    limit: int
    after_us: int | None = None
    after_tie: str = ""


class SeriesRow(Protocol):
    """Read a row of the time series: its place (the time, and the tie among rows of one time) and a JSON document."""

    @property
    def at_us(self) -> int: ...  # noqa: D102 # a field
    @property
    def tie(self) -> str: ...  # noqa: D102 # same
    @property
    def document(self) -> bytes: ...  # noqa: D102 # same


class Series(Protocol):
    """Read the time series."""

    async def read(self, asked: SeriesQuery, /) -> Sequence[SeriesRow]:
        """Return rows in order of time; raise ValueError for a tie that cannot be, `Unavailable` without a server."""
        ...


class NoMarket:
    """Stand where no market is heard: nothing can be told of it."""

    def board(self) -> Sequence[Witness]:
        """Raise `Unavailable`."""
        raise Unavailable("no market is heard here")

    def suspended(self, witness: Witness) -> str:
        """Raise `Unavailable`."""
        raise Unavailable(f"no market is heard here: {witness.source}")


class NoSeries:
    """Stand where no time series is kept."""

    async def read(self, asked: SeriesQuery, /) -> Sequence[SeriesRow]:
        """Raise `Unavailable`."""
        raise Unavailable(f"no time series is kept here: {asked.table}")


class NoRequests:
    """Stand where nobody follows requests: whoever waits is told at once that his is under way."""

    async def transaction(self, request_id: UUID, position: int, timeout_s: float) -> Progress | None:
        """Return that it was accepted, and no more."""
        del request_id, position, timeout_s  # nothing is known of any
        return Progress(state="accepted")


class OwnersOnly:
    """Stand where no chain is read: everyone signs for himself."""

    def may_sign(self, signer: str, benefactor: str) -> bool:
        """Say whether they are the same."""
        return signer == benefactor


def no_contract() -> ContractTerms | None:
    """Stand where no contract is read."""
    return None


ContractInForce = Callable[[], ContractTerms | None]
"""Give the minting contract's parameters as seen last, None before they were."""

PolicyInForce = Callable[[], Policy | None]
"""Give the policy in force, None before the first one is known."""
