"""Mint or redeem through the public API: ask for a quote, sign the order, place it, follow it until it is over.

    python examples/mint.py --url http://127.0.0.1:8080 --private-key 0x… --pair WETH/USDe --size 0.25
    python examples/mint.py --url http://127.0.0.1:8080 --private-key 0x… --pair WETH/USDe --size 400 --redeem

Only the public API and a wallet library are used: what an integrator would write. `--chain-id` and `--contract` name
the minting contract the order is signed for, by default Ethena's V2 on Ethereum.
"""

import argparse
import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

MAINNET_CONTRACT = "0xe3490297a08d6fC8Da46Edb7B6142E4F461b62D3"
RFQ_TIMEOUT_S = 5
ORDER_TIMEOUT_S = 60
ORDER_LIFETIME_S = 120
POLL_S = 0.25
NONCE_BITS = 63  # the contract looks at the low 64 bits only; random ones do not collide as seconds do
RETRIES_MAX = 5
TRANSIENT_CODES = {"1", "20", "21", "28"}
OVER = {"completed", "settlement_failed", "cancelled"}

# The widths of expiry and nonce are as the contract's type string has them, not as its struct has.
ORDER_TYPE = [
    {"name": "order_id", "type": "string"},
    {"name": "order_type", "type": "uint8"},
    {"name": "expiry", "type": "uint128"},
    {"name": "nonce", "type": "uint120"},
    {"name": "benefactor", "type": "address"},
    {"name": "beneficiary", "type": "address"},
    {"name": "collateral_asset", "type": "address"},
    {"name": "collateral_amount", "type": "uint128"},
    {"name": "usde_amount", "type": "uint128"},
]


class Refused(Exception):
    """Say that the API refused, with its code."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__(", ".join(f"{name}: {value}" for name, value in error.items()))
        self.code = error.get("error_code", "")


def ask(url: str, path: str, query: dict[str, str], body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the API and return its answer; raise `Refused` for an error. Code 36 (under way) is an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 # the URL is the integrator's own argument
        f"{url.rstrip('/')}{path}?{urllib.parse.urlencode(query)}", data, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ORDER_TIMEOUT_S if body else RFQ_TIMEOUT_S) as answer:  # noqa: S310 # as above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(json.load(error)["error"]) from error


def order_for(quote: dict[str, Any], benefactor: str) -> dict[str, Any]:
    """Return the order that takes a quote, exactly."""
    return {
        "order_id": quote["rfq_id"],
        "order_type": quote["side"],
        "expiry": int(time.time()) + ORDER_LIFETIME_S,
        "nonce": secrets.randbits(NONCE_BITS) | 1,
        "benefactor": benefactor,
        "beneficiary": benefactor,
        "collateral_asset": quote["collateral_asset"],
        "collateral_amount": quote["collateral_amount"],
        "usde_amount": quote["usde_amount"],
    }


def sign(order: dict[str, Any], private_key: str, chain_id: int, contract: str) -> str:
    """Sign an order as EIP-712 typed data; return 0x and 130 hex digits, each part padded."""
    message = order | {
        "order_type": 0 if order["order_type"] == "MINT" else 1,
        "collateral_amount": int(order["collateral_amount"]),
        "usde_amount": int(order["usde_amount"]),
    }
    data = encode_typed_data(
        domain_data={"name": "EthenaMinting", "version": "1", "chainId": chain_id, "verifyingContract": contract},
        message_types={"Order": ORDER_TYPE},
        message_data=message,
    )
    return "0x" + bytes(Account.sign_message(data, private_key).signature).hex()


def place(url: str, order: dict[str, Any], signature: str) -> dict[str, Any]:
    """Place an order; the same signed order may be sent again, so a transient refusal is tried again."""
    for attempt in range(RETRIES_MAX):
        try:
            return ask(url, "/order", {"signature": signature}, order)
        except Refused as refused:
            if refused.code not in TRANSIENT_CODES or attempt == RETRIES_MAX - 1:
                raise
        time.sleep(POLL_S * 2**attempt)
    raise AssertionError("the last attempt either returns or raises")


def follow(url: str, order_id: str, timeout_s: float) -> dict[str, Any]:
    """Poll until the order is over; raise TimeoutError when it takes longer than allowed."""
    deadline = time.monotonic() + timeout_s
    state = ""
    while time.monotonic() < deadline:
        answer = ask(url, "/order-confirmation", {"order_id": order_id})
        if answer["state"] != state:
            state = answer["state"]
            print(f"  {state}", answer.get("tx", ""))
        if state in OVER:
            return answer
        time.sleep(POLL_S)
    raise TimeoutError(f"{order_id} was still {state} after {timeout_s:g} s")


def main() -> int:
    """Mint or redeem once; exit 0 only when it was completed."""
    parser = argparse.ArgumentParser(description="Mint or redeem through a running Ballast.")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument(
        "--private-key", required=True, help="0x and 64 hex digits, or - to read it from standard input"
    )
    parser.add_argument("--pair", default="WETH/USDe")
    parser.add_argument("--size", default="0.25", help="units of what you give: collateral, or USDe with --redeem")
    parser.add_argument("--redeem", action="store_true")
    parser.add_argument("--chain-id", type=int, default=1)
    parser.add_argument("--contract", default=MAINNET_CONTRACT)
    parser.add_argument("--timeout", type=float, default=60, help="seconds to follow the order")
    chosen = parser.parse_args()
    private_key = sys.stdin.readline().strip() if chosen.private_key == "-" else chosen.private_key
    benefactor: str = Account.from_key(private_key).address
    side = "REDEEM" if chosen.redeem else "MINT"
    query = {"pair": chosen.pair, "type_": "ALGO", "side": side, "size": chosen.size, "benefactor": benefactor}
    try:
        quote = ask(chosen.url, "/rfq", query)
        print(f"quote {quote['rfq_id']}: {quote['collateral_amount']} collateral for {quote['usde_amount']} USDe atoms")
        order = order_for(quote, benefactor)
        placed = place(chosen.url, order, sign(order, private_key, chosen.chain_id, chosen.contract))
        print(f"order {placed['order_id']}: {placed['state']}")
        over = follow(chosen.url, placed["order_id"], chosen.timeout)
    except (Refused, TimeoutError, urllib.error.URLError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    return 0 if over["state"] == "completed" else 1


if __name__ == "__main__":
    raise SystemExit(main())
