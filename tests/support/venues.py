"""A desk that hedges on three venues, one of them the cheapest: its books, its orders by venue, and its surprises."""

from typing import Any

import msgspec

from commands.handler import Decision
from domain.depth import BookEvidence
from domain.hedge import OpenHedge
from domain.market import Witness
from domain.order import Order
from domain.policy import Policy
from domain.quantity import Num
from tests.support.desk import Desk
from tests.support.given import a_book, a_policy, a_witness, an_oracle, pegged

VENUES = ("binanceusdm", "okx", "bybit")
"""The best first: each pays half a dollar less than the one before."""
BIDS: dict[str, str] = dict(zip(VENUES, ("2000", "1999.5", "1999"), strict=True))
SYMBOL = "ETH/USDT:USDT"


def key(venue: str) -> str:
    """Return the key of a venue's instrument."""
    return f"{venue}|main|{SYMBOL}"


def wide_policy(venues: tuple[str, ...] = VENUES, **changes: Any) -> Policy:
    """Return a policy whose underlying is traded on several venues; the first is the home."""
    policy = a_policy(**changes)
    first = policy.instruments[0]
    return msgspec.structs.replace(
        policy, instruments=tuple(msgspec.structs.replace(first, venue=venue) for venue in venues)
    )


def a_venue_book(venue: str, bid: str = "2000", *, depth: str = "50", age_ms: int = 20) -> BookEvidence:
    """Return a venue's book, ten cents wide, two levels of `depth` on each side."""
    return msgspec.structs.replace(a_book(bid, str(Num(bid) + Num("0.1")), depth=depth, age_ms=age_ms), venue=venue)


class WideDesk(Desk):
    """Feed a desk whose books are as deep as told, venue by venue."""

    def __init__(self, *, depth: str = "50", policy: Policy | None = None) -> None:
        super().__init__(policy=policy or wide_policy())
        self.show(**dict.fromkeys(VENUES, depth))

    def show(self, **depths: str) -> None:
        """Let the venues show so much at each of their two best prices; one that is not named shows none."""
        self.evidence = tuple(a_venue_book(venue, BIDS[venue], depth=depth) for venue, depth in depths.items())

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """Return every venue's word on the books that are shown, and the oracles'."""
        if self.heard is not None:
            return self.heard
        shown = {each.venue: each for each in self.evidence}
        heard = [shown.get(venue) or a_venue_book(venue, bid) for venue, bid in BIDS.items()]
        venues = (
            a_witness(each.venue, bid=each.bids[0].price, ask=each.asks[0].price, age_ms=each.age_ms) for each in heard
        )
        mid = heard[0].mid
        return (*venues, an_oracle("pyth", mid), an_oracle("redstone", mid), *pegged())

    def orders(self) -> dict[str, Order]:
        """Return the open orders by venue, of which each has one at most."""
        found = [each.order for each in self.book.orders.values()]
        assert len(found) == len({each.venue for each in found})
        return {each.venue: each for each in found}

    def hedge(self) -> OpenHedge:
        """Return the one hedge under way."""
        (hedge,) = self.book.hedges.values()
        return hedge

    def mint(self, size: str = "90", *, nonce: int = 1) -> dict[str, Order]:
        """Let a mint be accepted, and return the orders that its hedge begins with."""
        accepted = self.accept(self.quote(size), nonce=nonce)
        assert accepted.outcome.status == "accepted", accepted.outcome
        return self.orders()

    def refuse(self, order: Order, code: str) -> Decision:
        """Let the venue refuse an order with a code."""
        body = {"order_id": order.order_id, "attempt": 1, "code": code, "text": "for this test"}
        return self.do("order.rejected", body)

    def whole(self, order: Order, *, trade: str = "") -> Decision:
        """Let the venue fill an order."""
        return self.trade(order, str(order.quantity), trade=trade or str(order.order_id))

    def surprise(
        self, venue: str, quantity: str, *, kind: str = "adl", trade: str = "s1", **changes: object
    ) -> Decision:
        """Let a venue trade a signed quantity that no order of ours asked for."""
        body: dict[str, object] = {
            "venue": venue,
            "account": "main",
            "symbol": SYMBOL,
            "trade_id": trade,
            "venue_order_id": f"forced-{trade}",
            "client_order_id": "",
            "side": "sell" if quantity.startswith("-") else "buy",
            "price": "2000",
            "quantity": quantity.removeprefix("-"),
            "fee_asset": "USDT",
            "fee": "0",
            "kind": kind,
            "source": "stream",
            "traded_at_us": self.now_us,
        }
        return self.do("fill.recorded", body | changes)
