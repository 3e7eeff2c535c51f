"""Books made of events alone, for laws: what is open in them is known, and so is every way it may turn out."""

from uuid import UUID

import msgspec

from domain.account import AccountObserved, Balance, Held
from domain.book import Book, evolve
from domain.event import Event
from domain.fill import FillKind, FillRecorded, FillSource, fill_id
from domain.funding import FundingPaid
from domain.hedge import HedgePlanned, Purpose
from domain.ids import client_order_id, natural_id
from domain.mark import InstrumentMark, Mark, RiskMarked
from domain.order import Order, OrderAttempted, OrderOutcomeUnknown, OrderSide, OrderSubmissionRequested, TimeInForce
from domain.policy import Asset, Policy, PolicyAdopted
from domain.quantity import ZERO, Amount, Num
from domain.quote import Side
from domain.request import RequestAccepted
from domain.settlement import SettlementConfirmed, SettlementSubmissionRequested
from domain.state import underlying_exposure
from domain.vault import CustodySettlementObserved
from domain.watch import DependencyDegraded
from tests.support.given import BENEFACTOR, CUSTODIANS, START_US, WETH, a_policy

HOME, OTHER, COINS = "binanceusdm", "okx", "deribit"
AT = Num(2000)
LINEAR, INVERSE = "ETH/USDT:USDT", "ETH/USD:ETH"
STAKED = Asset(symbol="wstETH", decimals=18, address=WETH[:-1] + "9", underlying="ETH", ratio=Num("1.2"))


def two_venues(**changes: object) -> Policy:
    """Return a policy that hedges ether on two venues, and knows a token that stands for more than one."""
    policy = a_policy()
    (first,) = policy.instruments
    other = msgspec.structs.replace(first, venue=OTHER)
    known: dict[str, object] = {"instruments": (first, other), "assets": (*policy.assets, STAKED)}
    return msgspec.structs.replace(policy, **(known | changes))


class Worlds:
    """Fold events into a Book, one after the other, each a moment later."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.book = Book()
        self.at_us = START_US
        self.count = 0
        self.tell(PolicyAdopted(policy=policy or two_venues()))

    def tell(self, event: Event, later_us: int = 1) -> None:
        self.at_us += later_us
        evolve(self.book, event, self.at_us)

    def _id(self, kind: str) -> UUID:
        self.count += 1
        return natural_id("worlds", kind, str(self.count))

    def request(self, side: Side, collateral: str, atoms: int, issued: int, pair: str = "WETH/USDe") -> UUID:
        """Accept a request."""
        request_id = self._id("request")
        self.tell(
            RequestAccepted(
                request_id=request_id,
                order_id=f"RFQ-{self.count}",
                quote_id=request_id,
                pair=pair,
                side=side,
                benefactor=BENEFACTOR,
                beneficiary=BENEFACTOR,
                signer=BENEFACTOR,
                nonce=self.count,
                expiry_us=self.at_us + 10**9,
                collateral=Amount(collateral, atoms),
                issued=Amount("USDe", issued),
                order_hash=f"0x{self.count:064x}",
                signature="0x",
                accepted_at_us=self.at_us,
            )
        )
        return request_id

    def settling(self, request_id: UUID, *, routed: bool = False) -> UUID:
        """Ask for the settlement of a request."""
        settlement_id, asked = self._id("settlement"), self.book.requests[request_id].accepted
        self.tell(
            SettlementSubmissionRequested(
                settlement_id=settlement_id,
                request_id=request_id,
                side=asked.side,
                collateral=asked.collateral,
                issued=asked.issued,
                custodians=CUSTODIANS if routed else (),
                ratios=(6_000, 4_000) if routed else (),
            )
        )
        return settlement_id

    def settle(self, request_id: UUID, *, routed: bool = False) -> None:
        """Let a request be settled for good."""
        settlement_id, asked = self.settling(request_id, routed=routed), self.book.requests[request_id].accepted
        self.tell(
            SettlementConfirmed(
                settlement_id=settlement_id,
                request_id=request_id,
                side=asked.side,
                collateral=asked.collateral,
                issued=asked.issued,
                reference="0x1",
            )
        )

    def held(self, atoms: int, issued: int, collateral: str = "WETH", *, routed: bool = False) -> None:
        """Let collateral be there from a mint that is settled."""
        pair = "USDT/USDe" if collateral == "USDT" else "WETH/USDe"
        self.settle(self.request(Side.MINT, collateral, atoms, issued, pair), routed=routed)

    def hedge(self, request_id: UUID) -> None:
        """Plan the hedge of a request."""
        accepted = self.book.requests[request_id].accepted
        delta = underlying_exposure(self.book, accepted)
        self.tell(
            HedgePlanned(
                hedge_id=request_id,
                request_id=request_id,
                purpose=Purpose.OPEN if accepted.side is Side.MINT else Purpose.CLOSE,
                underlying=self.book.asset(accepted.collateral.asset).underlying,
                exposure=delta,
                quantity=-delta,
                reference=Num(2000),
                legs=(),
            )
        )

    def order(
        self, venue: str, quantity: Num, limit_price: Num = AT, *, unknown: bool = False, symbol: str = LINEAR
    ) -> Order:
        """Let an order (signed quantity) be at its venue, or nobody know whether it is."""
        hedge_id, order_id = self._id("hedge"), self._id("order")
        self.tell(
            HedgePlanned(
                hedge_id=hedge_id,
                request_id=hedge_id,
                purpose=Purpose.OPEN,
                underlying="ETH",
                exposure=-quantity,
                quantity=quantity,
                reference=limit_price,
                legs=(),
            )
        )
        order = Order(
            order_id=order_id,
            venue=venue,
            account="main",
            symbol=symbol,
            side=OrderSide.BUY if quantity > 0 else OrderSide.SELL,
            quantity=abs(quantity),
            limit_price=limit_price,
            time_in_force=TimeInForce.IOC,
            reduce_only=False,
        )
        self.tell(OrderSubmissionRequested(order=order, hedge_id=hedge_id))
        client_id = client_order_id(order_id, 1)
        self.tell(
            OrderAttempted(order_id=order_id, attempt=1, client_order_id=client_id, send_before_us=self.at_us + 1_000)
        )
        if unknown:
            self.tell(OrderOutcomeUnknown(order_id=order_id, attempt=1, text="timed out"))
        return order

    def fill(
        self,
        venue: str,
        signed: Num,
        price: Num,
        *,
        order: Order | None = None,
        symbol: str = LINEAR,
        fee: Num = ZERO,
    ) -> None:
        """Let a venue trade for us, of an order of ours or of none."""
        self.count += 1
        side = OrderSide.BUY if signed > 0 else OrderSide.SELL
        trade_id = str(self.count)
        self.tell(
            FillRecorded(
                fill_id=fill_id(venue, "main", symbol, trade_id, trade_id, side.value),
                venue=venue,
                account="main",
                symbol=symbol,
                trade_id=trade_id,
                venue_order_id=trade_id,
                order_id=None if order is None else order.order_id,
                side=side,
                price=price,
                quantity=abs(signed),
                fee_asset="ETH" if symbol == INVERSE else "USDT",
                fee=fee,
                kind=FillKind.TRADE,
                source=FillSource.STREAM,
                traded_at_us=self.at_us,
            )
        )

    def funded(self, venue: str, amount: Num, *, symbol: str = LINEAR, asset: str = "USDT") -> None:
        """Let a venue pay funding, or take it."""
        self.tell(
            FundingPaid(
                venue=venue,
                account="main",
                symbol=symbol,
                payment_id=str(self.at_us),
                asset=asset,
                amount=amount,
                paid_at_us=self.at_us,
            )
        )

    def paid_out(self, venue: str, asset: str, profit: Num) -> None:
        """Let a custodian settle profit with a venue."""
        self.tell(
            CustodySettlementObserved(
                settlement_id=str(self.at_us),
                custodian="copper",
                venue=venue,
                account="main",
                asset=asset,
                profit=profit,
                settled_at_us=self.at_us,
            )
        )

    def away(self, venue: str) -> None:
        """Let a venue not be heard of any more."""
        self.tell(DependencyDegraded(dependency=venue, text="timed out"))

    def marked(self, assets: dict[str, tuple[Num, Num]], instruments: dict[str, Num] | None = None) -> None:
        """Mark assets between two ends, and instruments (`venue|symbol`)."""
        marks = tuple(
            Mark(asset=name, low=low, mid=(low + high) * Num("0.5"), high=high) for name, (low, high) in assets.items()
        )
        told = tuple(
            InstrumentMark(venue=key.split("|")[0], symbol=key.split("|")[1], price=price)
            for key, price in (instruments or {}).items()
        )
        self.tell(RiskMarked(assets=marks, instruments=told, marked_at_us=self.at_us))

    def seen(
        self, venue: str, balances: tuple[Balance, ...], positions: tuple[Held, ...] = (), *, account: str = "main"
    ) -> None:
        """Let a sweep see an account."""
        self.tell(
            AccountObserved(
                venue=venue, account=account, balances=balances, positions=positions, observed_at_us=self.at_us
            )
        )


def a_balance(asset: str, wallet: Num, margin: Num | None = None, maintenance: Num = ZERO) -> Balance:
    """Return a balance; without unrealised profit unless told otherwise."""
    whole = wallet if margin is None else margin
    return Balance(
        asset=asset,
        wallet=wallet,
        margin=whole,
        available=whole,
        initial_margin=Num(0),
        maintenance_margin=maintenance,
    )


def a_position(quantity: Num, entry: Num, mark: Num, symbol: str = LINEAR, **told: Num) -> Held:
    """Return a linear position as its venue tells it."""
    held = Held(
        symbol=symbol,
        quantity=quantity,
        entry_price=entry,
        mark_price=mark,
        unrealised=quantity * (mark - entry),
        liquidation_price=Num(0),
        initial_margin=Num(0),
        maintenance_margin=Num(0),
    )
    return msgspec.structs.replace(held, **told)
