"""What a simulated exchange has to say: records for its journal, happenings for the account, prints for the public."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from adapters.simulators.happenings import AccountChanged, Execution, FundingPaid, Happening, OrderChanged, Print
from adapters.simulators.instruments import Instrument
from adapters.simulators.journal import IncomeKept, Record
from adapters.simulators.ledger import Income, Ledger, Order, Trade
from adapters.simulators.matching import Match


class Happened(msgspec.Struct, frozen=True):
    """Hold what happened since the last `drain`, each in order."""

    records: tuple[Record, ...]
    account: tuple[Happening, ...]
    prints: tuple[Print, ...]


class Outbox:
    """Collect what happens until it is taken: after every command and every step of the market."""

    def __init__(self, first_print_id: int) -> None:
        self.records: list[Record] = []
        self.account: list[Happening] = []
        self._prints: list[Print] = []
        self._print_id = first_print_id

    def print(self, instrument: Instrument, match: Match, now_ms: int) -> None:
        """Tell the public of a match."""
        self._print_id += 1
        made = Print(
            symbol=instrument.symbol,
            trade_id=self._print_id,
            price=instrument.price(match.price),
            quantity=instrument.quantity(match.quantity),
            buyer_is_maker=match.taker_side == "SELL",
            time_ms=now_ms,
        )
        self._prints.append(made)

    def order(
        self, order: Order, instrument: Instrument, execution: Execution, trade: Trade | None, now_ms: int
    ) -> None:
        """Tell the account of an order as it stands."""
        copy = msgspec.structs.replace(order)
        changed = OrderChanged(order=copy, instrument=instrument, execution=execution, trade=trade, time_ms=now_ms)
        self.account.append(changed)

    def wallets(
        self,
        reason: Literal["order", "funding"],
        ledger: Ledger,
        instrument: Instrument,
        assets: Sequence[str],
        mark: Decimal,
        margin_used: Decimal,
        now_ms: int,
    ) -> None:
        """Tell the account of wallets and a position as they stand."""
        changed = AccountChanged(
            reason=reason,
            instrument=instrument,
            wallets={asset: ledger.wallets[asset] for asset in assets},
            position=msgspec.structs.replace(ledger.positions[instrument.symbol]),
            leverage=ledger.leverage[instrument.symbol],
            mark=mark,
            margin_used=margin_used,
            time_ms=now_ms,
        )
        self.account.append(changed)

    def funding(
        self, ledger: Ledger, instrument: Instrument, income: Income, mark: Decimal, margin_used: Decimal, now_ms: int
    ) -> None:
        """Tell of funding that was paid, and of the wallet after it."""
        self.records.append(IncomeKept(income=income))
        paid = FundingPaid(
            instrument=instrument,
            income=income,
            position=msgspec.structs.replace(ledger.positions[instrument.symbol]),
            mark=mark,
            rate=instrument.funding_rate,
            time_ms=now_ms,
        )
        self.account.append(paid)
        self.wallets("funding", ledger, instrument, (instrument.settle,), mark, margin_used, now_ms)

    def drain(self) -> Happened:
        """Hand out what happened and forget it."""
        happened = Happened(tuple(self.records), tuple(self.account), tuple(self._prints))
        self.records.clear()
        self.account.clear()
        self._prints.clear()
        return happened
