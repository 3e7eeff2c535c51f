"""Parties: whom the chain lets mint, be paid, sign and keep collateral, and whom it did before."""

import msgspec

from domain.instant import rfc3339
from domain.onchain import PartyAdmitted, PartyChange, PartyKind, PartyRemoved, party_key
from projections.view import Row, Rows, View

OPEN_MAX = 50_000
"""Anyone may make the contract log delegations: the oldest right leaves the view's state first, told as forgotten."""


class PartyLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Show a right: `party` has it, for `owner` where somebody owns it. `state` is admitted, removed or forgotten."""

    kind: PartyKind
    party: str
    owner: str
    state: str
    block_number: int
    tx_hash: str
    since: str


class Parties(Rows[PartyLine]):
    """Hold the rights in force; `keys` finds a right's row, since one that was removed may be given anew."""

    keys: dict[str, str] = msgspec.field(default_factory=dict[str, str])


def _line(change: PartyChange, state: str, at_us: int) -> PartyLine:
    return PartyLine(
        kind=change.kind,
        party=change.party,
        owner=change.owner,
        state=state,
        block_number=change.block_number,
        tx_hash=change.tx_hash,
        since=rfc3339(at_us),
    )


def _admitted(state: Parties, event: PartyAdmitted, position: int, at_us: int) -> tuple[Row[PartyLine], ...]:
    right = party_key(event.change)
    key = state.keys.setdefault(right, f"{right}|{position}")
    rows = state.keep(key, position, _line(event.change, "admitted", at_us))
    while len(state.keys) > OPEN_MAX:
        oldest = next(iter(state.keys))
        gone = state.keys.pop(oldest)
        line = state.rows[gone].document
        rows += state.close(gone, position, msgspec.structs.replace(line, state="forgotten"))
    return rows


def _removed(state: Parties, event: PartyRemoved, position: int, at_us: int) -> tuple[Row[PartyLine], ...]:
    right = party_key(event.change)
    key = state.keys.pop(right, f"{right}|{position}")
    return state.close(key, position, _line(event.change, "removed", at_us))


PARTIES = View(
    name="parties",
    document=PartyLine,
    state=Parties,
    steps={PartyAdmitted: _admitted, PartyRemoved: _removed},
    lookups=frozenset({"kind", "party", "owner"}),
)
