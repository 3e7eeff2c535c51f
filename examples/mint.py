"""Mint or redeem through the public API: ask for a quote, sign the order, place it, follow it until it is over.

    python examples/mint.py --url http://127.0.0.1:8080 --private-key 0x… --pair WETH/USDe --size 0.25
    python examples/mint.py --url http://127.0.0.1:8080 --private-key 0x… --pair WETH/USDe --size 400 --redeem

Only the public API and a wallet library are used: what an integrator would write. `--chain-id` and `--contract` name
the minting contract the order is signed for, by default Ethena's V2 on Ethereum. With `--rpc-url` the contract's
allowance over what you give is looked at first, and approved when it is too low: a transaction of your own.
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
MAINNET_ISSUED = "0x4c9EDD5852cd905f086C759E8383e09bff1E68B3"
ALLOWANCE, APPROVE = "0xdd62ed3e", "0x095ea7b3"  # allowance(address,address), approve(address,uint256)
APPROVE_GAS = 120_000
MINED_S_MAX = 180
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


def rpc(url: str, method: str, *params: Any) -> Any:
    """Ask an Ethereum node; raise RuntimeError with its own words for an error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 # the integrator's own node
    with urllib.request.urlopen(request, timeout=RFQ_TIMEOUT_S) as answer:  # noqa: S310 # as above
        told = json.load(answer)
    if "error" in told:
        raise RuntimeError(f"{method}: {told['error'].get('message', told['error'])}")
    return told["result"]


def word(value: int | str) -> str:
    """Return a number or an address as the 64 hex digits of a word."""
    return f"{value if isinstance(value, int) else int(value, 16):064x}"


def send(url: str, private_key: str, chain_id: int, to: str, data: str) -> None:
    """Send a transaction of one's own and wait until it is mined; raise RuntimeError when it failed or never was."""
    sender = Account.from_key(private_key).address
    base_fee = int(rpc(url, "eth_feeHistory", "0x1", "latest", [])["baseFeePerGas"][-1], 16)
    tip = int(rpc(url, "eth_maxPriorityFeePerGas"), 16)
    transaction = {
        "type": 2,
        "chainId": chain_id,
        "nonce": int(rpc(url, "eth_getTransactionCount", sender, "pending"), 16),
        "to": to,
        "data": data,
        "value": 0,
        "gas": APPROVE_GAS,
        "maxPriorityFeePerGas": tip,
        "maxFeePerGas": 2 * base_fee + tip,
    }
    raw = Account.sign_transaction(transaction, private_key).raw_transaction
    tx_hash = rpc(url, "eth_sendRawTransaction", "0x" + bytes(raw).hex())
    deadline = time.monotonic() + MINED_S_MAX
    while time.monotonic() < deadline:
        receipt = rpc(url, "eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            if int(receipt["status"], 16) != 1:
                raise RuntimeError(f"{tx_hash} failed")
            return
        time.sleep(POLL_S)
    raise RuntimeError(f"{tx_hash} was not mined within {MINED_S_MAX} s")


def ensure_allowance(url: str, private_key: str, chain_id: int, contract: str, token: str, amount: int) -> None:
    """Let the minting contract take `amount` of a token; a token such as USDT wants the old allowance reset first."""
    owner = Account.from_key(private_key).address
    data = ALLOWANCE + word(owner) + word(contract)
    allowed = int(rpc(url, "eth_call", {"to": token, "data": data}, "latest"), 16)
    if allowed >= amount:
        return
    for wanted in (0, amount) if allowed > 0 else (amount,):
        print(f"approve {wanted} of {token}")
        send(url, private_key, chain_id, token, APPROVE + word(contract) + word(wanted))


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


def settle(url: str, order: dict[str, Any], placed: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Say what the answer to an order was, and follow it: a transaction, or code 36 while there is none yet."""
    print(f"order {order['order_id']}: {placed.get('tx') or placed['error']['error_name']}")
    return follow(url, order["order_id"], timeout_s)


def follow(url: str, order_id: str, timeout_s: float) -> dict[str, Any]:
    """Poll until the order is over; raise TimeoutError when it takes longer than allowed."""
    deadline = time.monotonic() + timeout_s
    state = ""
    while time.monotonic() < deadline:
        answer = ask(url, "/order-confirmation", {"order_id": order_id})
        if answer["state"] != state:
            state = answer["state"]
            print(f"  {state}", answer.get("tx", ""), f"block {answer['block']}" if "block" in answer else "")
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
    parser.add_argument("--issued", default=MAINNET_ISSUED, help="the issued dollar's contract, for --redeem")
    parser.add_argument("--rpc-url", default="", help="a node of yours: approve what is given when that is needed")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to follow the order")
    chosen = parser.parse_args()
    private_key = sys.stdin.readline().strip() if chosen.private_key == "-" else chosen.private_key
    benefactor: str = Account.from_key(private_key).address
    side = "REDEEM" if chosen.redeem else "MINT"
    query = {"pair": chosen.pair, "type_": "ALGO", "side": side, "size": chosen.size, "benefactor": benefactor}
    try:
        quote = ask(chosen.url, "/rfq", query)
        if chosen.rpc_url:
            token, given = (
                (chosen.issued, quote["usde_amount"])
                if chosen.redeem
                else (quote["collateral_asset"], quote["collateral_amount"])
            )
            ensure_allowance(chosen.rpc_url, private_key, chosen.chain_id, chosen.contract, token, int(given))
            quote = ask(chosen.url, "/rfq", query)  # approving takes longer than a quote lives
        print(f"quote {quote['rfq_id']}: {quote['collateral_amount']} collateral for {quote['usde_amount']} USDe atoms")
        order = order_for(quote, benefactor)
        placed = place(chosen.url, order, sign(order, private_key, chosen.chain_id, chosen.contract))
        over = settle(chosen.url, order, placed, chosen.timeout)
    except (Refused, TimeoutError, RuntimeError, urllib.error.URLError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    return 0 if over["state"] == "completed" else 1


if __name__ == "__main__":
    raise SystemExit(main())
