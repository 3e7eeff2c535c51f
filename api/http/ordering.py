"""Reading a signed order: the body in every form clients send, its checks, and the command it becomes."""

import re
from typing import Any
from uuid import UUID

import msgspec

from api.http.codes import INVALID_ADDRESS, INVALID_PAYLOAD, INVALID_RFQ, PUBLIC
from api.http.errors import ApiError, public_error
from api.http.ports import Parties, Proven
from api.http.quoting import checked_address
from commands.chain_ports import Wallet
from commands.request import AcceptRequest
from domain.ids import natural_id
from domain.refusal import Refusal

INTEGER_DIGITS_MAX = 39  # 2^128 has 39

_ORDER_ID = re.compile(r"(?:rfq-)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.IGNORECASE)
_INTEGER = re.compile(r"[0-9]{1,39}")


class OrderBody(msgspec.Struct, frozen=True, kw_only=True):
    """Hold an order as posted. Integers may come as strings of digits too; other fields are left out."""

    order_id: str
    order_type: str
    expiry: int | str
    nonce: int | str
    benefactor: str
    beneficiary: str
    collateral_asset: str
    collateral_amount: int | str
    usde_amount: int | str


class PlacedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Hold an order's terms, checked: integers, lower-case addresses, and the id exactly as it was signed."""

    order_id: str
    order_type: str
    expiry: int
    nonce: int
    benefactor: str
    beneficiary: str
    collateral_asset: str
    collateral_amount: int
    usde_amount: int


_decode_body = msgspec.json.Decoder(OrderBody).decode


def quote_of(order_id: str) -> UUID | None:
    """Return the quote that an order id names; the prefix RFQ- is optional and case does not matter."""
    found = _ORDER_ID.fullmatch(order_id)
    return UUID(found[1]) if found is not None else None


def _integer(name: str, value: int | str) -> int:
    text = str(value) if isinstance(value, str) or 0 <= value < 10**INTEGER_DIGITS_MAX else ""
    if not _INTEGER.fullmatch(text):
        raise public_error(INVALID_PAYLOAD, f"{name} is a whole number, as an integer or in digits")
    return int(text)


def _address(name: str, text: str) -> str:
    try:
        return checked_address(text)
    except ApiError as error:
        raise public_error(INVALID_ADDRESS, name) from error


def read_order(body: bytes) -> PlacedOrder:
    """Return an order's terms; raise code 29 (not an order), 19 (no RFQ of ours), 30 (an address)."""
    try:
        posted = _decode_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        # The parser's words name the field and the types, nothing of ours.
        raise public_error(INVALID_PAYLOAD, str(error)[:200]) from error
    if posted.order_type not in {"MINT", "REDEEM"}:
        raise public_error(INVALID_PAYLOAD, "order_type is MINT or REDEEM")
    if quote_of(posted.order_id) is None:
        raise public_error(INVALID_RFQ, "order_id is the rfq_id of a quote")
    collateral = _integer("collateral_amount", posted.collateral_amount)
    issued = _integer("usde_amount", posted.usde_amount)
    if collateral == 0 or issued == 0:
        raise public_error(INVALID_PAYLOAD, "amounts are positive")
    return PlacedOrder(
        order_id=posted.order_id,
        order_type=posted.order_type,
        expiry=_integer("expiry", posted.expiry),
        nonce=_integer("nonce", posted.nonce),
        benefactor=_address("benefactor", posted.benefactor),
        beneficiary=_address("beneficiary", posted.beneficiary),
        collateral_asset=_address("collateral_asset", posted.collateral_asset),
        collateral_amount=collateral,
        usde_amount=issued,
    )


def proven_or_refused(order: PlacedOrder, found: Proven | Refusal, parties: Parties) -> Proven:
    """Return the proof that the benefactor or a delegate of his signed; raise the refusal's code, or 29.

    The Book decides who may sign; but a stranger's signature is refused here, so that it never reaches the log.
    """
    if isinstance(found, Refusal):
        raise public_error(PUBLIC[found.reason], found.text)
    if not parties.may_sign(found.signer, order.benefactor):
        text = "the signature is not over these terms by the benefactor or a delegate whom he confirmed on chain"
        raise public_error(INVALID_PAYLOAD, text)
    return found


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Hold what the chain said of an order: its benefactor's wallet and his contract's signature; None: not asked."""

    wallet: Wallet | None = None
    contract_signature: bool | None = None


def order_key(proof: Proven) -> UUID:
    """Return the id under which an order is accepted once: uuid5 of its hash and signature."""
    return natural_id("request.accept", proof.order_hash, proof.signature)


def accept_request(order: PlacedOrder, proof: Proven, signature_type: str, found: Found) -> bytes:
    """Return the command's body."""
    terms: dict[str, Any] = msgspec.structs.asdict(order)
    issued = terms.pop("usde_amount")
    command = AcceptRequest(
        **terms,
        issued_amount=issued,
        signature=proof.signature,
        signature_type=signature_type,
        order_hash=proof.order_hash,
        signer=proof.signer or order.benefactor,  # a contract wallet signs for itself
        wallet=found.wallet,
        contract_signature=found.contract_signature,
    )
    return msgspec.json.encode(command)
