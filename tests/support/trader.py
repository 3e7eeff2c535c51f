"""A client of the HTTP API, as an integrator would write one, and what the log says about it."""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import psycopg

from adapters.chain.eip712 import ContractDomain
from adapters.chain.signature import SignedOrder, address_of, sign_order
from api.demo.benefactors import private_key
from tests.support.demo import Wallet, wait_for

DOMAIN = ContractDomain(chain_id=1, verifying_contract="0xe3490297a08d6fc8da46edb7b6142e4f461b62d3")
COMPLETED_WITHIN_S = 60.0
ANSWER_WITHIN_S = 20.0
OVER = frozenset({"completed", "settlement_failed", "cancelled"})
LIFETIME_S = 120
# What benefactors ask the core for.
ASKED = ["quote.issue", "request.accept"]
NONCE_BITS = 63

WALLETS = [Wallet(address_of(key), key) for key in (private_key(99, number) for number in range(3))]

Answer = tuple[int, dict[str, Any]]


class Trader:
    """One benefactor."""

    def __init__(self, url: str, wallet: Wallet) -> None:
        self.wallet = wallet
        self.http = httpx.Client(base_url=url, timeout=ANSWER_WITHIN_S)

    def close(self) -> None:
        self.http.close()

    def quote(self, pair: str, side: str, size: str) -> dict[str, Any]:
        """Return a quote; fail when it is refused."""
        asked = {"pair": pair, "type_": "ALGO", "side": side, "size": size, "benefactor": self.wallet.address}
        answer = self.http.get("/rfq", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def terms(self, quote: Mapping[str, Any], **changed: Any) -> SignedOrder:
        """Return the order that takes a quote, with some terms changed."""
        order = SignedOrder(
            order_id=quote["rfq_id"],
            order_type=quote["side"],
            expiry=int(time.time()) + LIFETIME_S,
            nonce=secrets.randbits(NONCE_BITS) | 1,
            benefactor=self.wallet.address,
            beneficiary=self.wallet.address,
            collateral_asset=quote["collateral_asset"],
            collateral_amount=int(quote["collateral_amount"]),
            usde_amount=int(quote["usde_amount"]),
        )
        return msgspec.structs.replace(order, **changed)

    def sign(self, terms: SignedOrder) -> str:
        return sign_order(DOMAIN, terms, self.wallet.private_key)

    def place(self, terms: SignedOrder, signature: str | None = None) -> Answer:
        """Post an order; return status and body."""
        signed = self.sign(terms) if signature is None else signature
        answer = self.http.post("/order", params={"signature": signed}, content=msgspec.json.encode(terms))
        return answer.status_code, answer.json()

    def until_over(self, order_id: str) -> str:
        """Return the state in which an order ends."""

        def look() -> str | None:
            answer = self.http.get("/order-confirmation", params={"order_id": order_id})
            assert answer.status_code in {200, 202}, answer.text
            state = answer.json()["state"]
            return state if state in OVER else None

        return wait_for(look, COMPLETED_WITHIN_S, f"the end of {order_id}")


def code_of(answer: Answer) -> str:
    """Return the error's code of an answer."""
    return str(answer[1]["error"]["error_code"])


class Log:
    """What the log holds, read by the role that may only select."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def head(self) -> int:
        """Return the last position."""
        return int(self._rows("select coalesce(max(notification_id), 0) from stored_events")[0][0])

    def decided(self) -> int:
        """Return how many commands of benefactors were decided: the house has some of its own at any time."""
        return int(self._rows("select count(*) from command_outcomes where kind = any(%s)", ASKED)[0][0])

    def events(self, topic: str) -> list[dict[str, Any]]:
        """Return the bodies of the events of a topic."""
        found = self._rows("select state from stored_events where topic = %s order by notification_id", topic)
        return [json.loads(row[0]) for row in found]

    def requests(self, order_id: str) -> list[dict[str, Any]]:
        """Return the accepted requests of an order id."""
        return [event for event in self.events("request.accepted.v2") if event["order_id"] == order_id]

    def _rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            return connection.execute(query.encode(), arguments).fetchall()
