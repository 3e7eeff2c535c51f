"""The vault: what custodians hold for us beside the chain, where collateral may be sent, and what is on its way.

Controls of transfers and custodians are decided over these facts; who moves and who reports comes with its adapters.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from domain.event import Event, catalogued
from domain.ids import natural_id
from domain.quantity import ZERO, Num, add


@catalogued
class TransferPlanned(Event, frozen=True, kw_only=True, tag="transfer.planned.v1"):
    """The book means to move collateral: `quantity` units of an asset worth `notional` USD, to a known destination.

    Places are `custodian:<id>`, `venue:<id>|<account>` or `chain:<address>`.
    """

    transfer_id: UUID
    asset: str
    quantity: Num
    notional: Num
    source: str
    destination: str
    author: str
    reason: str

    @property
    def originator(self) -> UUID:
        """Return the transfer's id."""
        return self.transfer_id


@catalogued
class DestinationAdmitted(Event, frozen=True, kw_only=True, tag="destination.admitted.v1"):
    """Transfers of an asset may go to a destination from here on."""

    destination: str
    asset: str
    author: str
    reason: str
    approval_id: UUID | None = None
    approved_by: str = ""

    @property
    def originator(self) -> UUID:
        """Return the destination's stream."""
        return natural_id("destination", self.destination, self.asset)


@catalogued
class DestinationRemoved(Event, frozen=True, kw_only=True, tag="destination.removed.v1"):
    """Transfers of an asset may not go to a destination any more."""

    destination: str
    asset: str
    author: str
    reason: str

    @property
    def originator(self) -> UUID:
        """Return the destination's stream."""
        return natural_id("destination", self.destination, self.asset)


class Holding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Hold what a custodian says that it keeps of an asset for us, units; `mirrored` of it stands at venues."""

    asset: str
    quantity: Num
    mirrored: Num = ZERO


@catalogued
class CustodyBalanceObserved(Event, frozen=True, kw_only=True, tag="custody.balance_observed.v1"):
    """A custodian said what it keeps for us."""

    custodian: str
    holdings: tuple[Holding, ...]
    observed_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the custodian's stream."""
        return natural_id("custody", self.custodian)


@catalogued
class CustodySettlementObserved(Event, frozen=True, kw_only=True, tag="custody.settlement_observed.v1"):
    """A custodian and a venue settled what was won or lost between them: `profit` units, negative when we paid."""

    settlement_id: str
    custodian: str
    venue: str
    account: str
    asset: str
    profit: Num
    settled_at_us: int

    @property
    def originator(self) -> UUID:
        """Return the settlement's own id: a stream of one event, so the log's key forbids a second."""
        return natural_id("custody", "settlement", self.custodian, self.settlement_id)


class Vault(msgspec.Struct, kw_only=True):
    """Hold what was told of custody and transfers: by custodian, by `destination|asset`, and USD moved on a UTC day."""

    custody: dict[str, CustodyBalanceObserved] = {}
    destinations: dict[str, int] = {}
    day: int = 0
    moved: dict[str, Num] = {}
    settled_us: dict[str, int] = {}
    settled: dict[str, Num] = {}  # profit that was paid out, less what we paid, by `venue|account|asset`


DAY_US = 86_400_000_000
GLOBAL = "global"


def destination_key(destination: str, asset: str) -> str:
    """Return the key of a destination."""
    return f"{destination}|{asset}"


def settled_key(venue: str, account: str, asset: str) -> str:
    """Return the key of what was settled with a venue."""
    return f"{venue}|{account}|{asset}"


def _planned(vault: Vault, event: TransferPlanned, at_us: int) -> None:
    day = at_us // DAY_US
    if day != vault.day:
        vault.day = day
        vault.moved.clear()
    for place in (GLOBAL, event.destination):
        vault.moved[place] = add(vault.moved.get(place, ZERO), event.notional)


def _admitted(vault: Vault, event: DestinationAdmitted, at_us: int) -> None:
    vault.destinations[destination_key(event.destination, event.asset)] = at_us


def _removed(vault: Vault, event: DestinationRemoved, _at_us: int) -> None:
    vault.destinations.pop(destination_key(event.destination, event.asset), None)


def _observed(vault: Vault, event: CustodyBalanceObserved, _at_us: int) -> None:
    vault.custody[event.custodian] = event


def _settled(vault: Vault, event: CustodySettlementObserved, _at_us: int) -> None:
    key = f"{event.venue}|{event.account}"
    vault.settled_us[key] = max(vault.settled_us.get(key, 0), event.settled_at_us)
    paid = settled_key(event.venue, event.account, event.asset)
    vault.settled[paid] = add(vault.settled.get(paid, ZERO), event.profit)


FOLDS: dict[type[Event], Callable[[Vault, Any, int], None]] = {
    TransferPlanned: _planned,
    DestinationAdmitted: _admitted,
    DestinationRemoved: _removed,
    CustodyBalanceObserved: _observed,
    CustodySettlementObserved: _settled,
}
"""How each of these events is folded."""
