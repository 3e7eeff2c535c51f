"""Placing a signed order: proof, wallet, the Book's decision, and the transaction that settles it."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import QueryParameter

from api.http.bodies import ORDER_BYTES_MAX, bounded_body, written_json
from api.http.codes import (
    BEING_PROCESSED,
    CODES,
    EXPIRED,
    INVALID_PAYLOAD,
    NOT_MINED,
    UNAVAILABLE,
    fallen_code,
)
from api.http.errors import ApiError, ErrorDetail, public_error, public_refusal, throttled
from api.http.house import Asked, House, house_of, source, trace
from api.http.ordering import (
    Found,
    PlacedOrder,
    accept_request,
    order_key,
    proven_or_refused,
    quote_of,
    read_order,
)
from api.http.ports import ChainPort, Progress, Proven
from commands.chain_ports import Wallet
from commands.envelope import EventView, Reply
from domain.ids import natural_id
from domain.policy import Policy
from domain.refusal import Reason, Refusal, Unavailable, Unknown

CHAIN_ASKED_MAX = 64
"""So many orders wait for the chain at once; more are told to come back."""

EIP712, EIP1271 = "EIP712", "EIP1271"
SEEN, ACCEPTED = 1, 2
RETRY_S = 1


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer an order whose transaction was submitted: its hash."""

    tx: str


class OrderPending(msgspec.Struct, frozen=True, kw_only=True):
    """Answer an accepted order that has no transaction yet; it is followed at `/order-confirmation`."""

    order_id: str
    state: str
    error: ErrorDetail


class _Accepted(msgspec.Struct, frozen=True):
    request_id: UUID


_read_accepted = msgspec.json.Decoder(_Accepted).decode


def _away(error: Exception | None = None) -> ApiError:
    answer = public_error(UNAVAILABLE, "the chain cannot be asked now")
    answer.retry_after_s = RETRY_S
    answer.__cause__ = error
    return answer


def _given_token(house: House, policy: Policy | None, order: PlacedOrder) -> str:
    """Return the contract of what the benefactor gives, "" when it is none of ours: nothing is asked about that."""
    if order.order_type == "REDEEM":
        return house.settings.issued_token
    known = policy.assets if policy is not None else ()
    return order.collateral_asset if any(asset.address == order.collateral_asset for asset in known) else ""


async def _look(house: House, chain: ChainPort, order: PlacedOrder, proof: Proven, *, contract: bool) -> Found:
    """Ask the chain for the wallet and, for a contract's signature, whether it is one; both at once, within a bound."""
    token = _given_token(house, house.ports.policy(), order)

    async def wallet() -> Wallet | None:
        return await chain.wallet(order.benefactor, token) if token else None

    async def signature() -> bool | None:
        if not contract:
            return None
        return await chain.contract_signature(order.benefactor, proof.order_hash, proof.signature)

    if house.wallets_asked >= CHAIN_ASKED_MAX:
        raise _away()
    house.wallets_asked += 1
    try:
        async with asyncio.timeout(house.settings.wallet_wait_ms / 1_000):
            held, owned = await asyncio.gather(wallet(), signature())
    except (Unavailable, Unknown, TimeoutError) as error:
        raise _away(error) from error
    finally:
        house.wallets_asked -= 1
    if contract and not owned:
        raise public_error(INVALID_PAYLOAD, "the benefactor's wallet does not own to this signature")
    return Found(wallet=held, contract_signature=owned)


def _proof(request: Asked, order: PlacedOrder, signature: str, kind: str) -> Proven:
    """Return what the signature proves, as far as this machine can tell."""
    house = house_of(request)
    if kind != EIP1271:
        return proven_or_refused(order, house.ports.orders.verify(order, signature, kind), house.ports.parties)
    if house.ports.chain is None:
        raise public_error(INVALID_PAYLOAD, "contract signatures (EIP1271) need the chain, and none is read here")
    found = house.ports.orders.read_contract(order, signature)
    if isinstance(found, Refusal):
        raise public_error(INVALID_PAYLOAD, found.text)
    return found


def _charge(request: Asked, order: PlacedOrder, proof: Proven, *, alive: bool) -> None:
    """Charge an order that is new and alive; a replay by anyone costs only its source.

    A signature that proves a key charges its signer. A contract wallet's proves nothing before the chain was asked, so
    it charges the source for this benefactor: nobody can use up another's budget by naming him.
    """
    house, key = house_of(request), order_key(proof)
    if house.orders_seen.get(key) is not None or not alive:
        return
    if proof.signer:
        wait_s = house.signers.spend(proof.signer)
    else:
        wait_s = house.wallets.spend((source(request), order.benefactor))
    if wait_s > 0:
        raise throttled(wait_s)
    house.orders_seen.keep(key, SEEN)


async def _accept(request: Asked, order: PlacedOrder, proof: Proven, kind: str) -> Reply:
    house, key = house_of(request), order_key(proof)
    alive = order.expiry * 1_000_000 > house.clocks.now_us()
    _charge(request, order, proof, alive=alive)
    chain, found = house.ports.chain, Found()
    # What was accepted before is answered from memory, and what has expired is refused: the chain need not be asked.
    if chain is not None and alive and house.orders_seen.get(key) != ACCEPTED:
        found = await _look(house, chain, order, proof, contract=kind == EIP1271)
    command = accept_request(order, proof, kind, found)
    actor = f"benefactor:{proof.signer or order.benefactor}"
    try:
        reply = await house.ports.commands.request("request.accept", command, key, actor, trace(request))
    except Unavailable as error:
        raise public_error(UNAVAILABLE) from error
    except Unknown as error:
        raise public_error(BEING_PROCESSED, "send the same order again, or ask /order-confirmation") from error
    if reply.status != "accepted":
        if not alive and reply.reason == Reason.CHAIN_UNKNOWN.name:
            raise public_error(EXPIRED)
        raise public_refusal(reply)
    house.orders_seen.keep(key, ACCEPTED)
    return reply


def _is_acceptance(event: EventView) -> bool:
    return event.topic.startswith("request.accepted.")


async def _progress(house: House, order: PlacedOrder, proof: Proven, reply: Reply) -> Progress:
    """Follow an accepted order until it has a transaction or is over, within the configured wait."""
    accepted = next((bytes(event.state) for event in reply.events if _is_acceptance(event)), None)
    request_id = natural_id("request", proof.order_hash) if accepted is None else _read_accepted(accepted).request_id
    followed = await house.ports.requests.transaction(request_id, reply.position, house.settings.order_wait_ms / 1_000)
    if followed is not None:
        return followed
    quote_id = quote_of(order.order_id)
    row = await house.ports.views.request(quote_id) if quote_id is not None else None
    if row is None:
        return Progress(state="accepted")
    fell = str(row["text"]) or str(row["state"]) if row["state"] in {"cancelled", "settlement_failed"} else ""
    return Progress(state=str(row["state"]), tx=str(row["tx"]), over=True, fell=fell)


def _answer(order: PlacedOrder, progress: Progress) -> Response[Any]:
    """Write how an order stands; raise the code of one that fell before it had a transaction."""
    if progress.tx:
        return written_json(msgspec.json.encode(OrderAnswer(tx=progress.tx)))
    if progress.fell:
        code = fallen_code(progress.fell)
        detail = ErrorDetail(error_code=str(code.number), error_name=code.name, reason=progress.state)
        raise ApiError(code.status, detail, edge=False)
    code = CODES[NOT_MINED]
    pending = OrderPending(
        order_id=order.order_id,
        state=progress.state,
        error=ErrorDetail(error_code=str(NOT_MINED), error_name=code.name),
    )
    return written_json(msgspec.json.encode(pending), code.status)


@post(
    "/order",
    status_code=200,
    operation_id="order",
    summary="Place a signed order for a quote",
    tags=["public"],
)
async def order(
    request: Asked,
    signature: Annotated[str | None, QueryParameter(description="0x and 130 hex digits: r, s, v")] = None,
    signature_type: Annotated[str | None, QueryParameter(description="EIP712 (the default) or EIP1271")] = None,
) -> Response[OrderAnswer]:
    """Settle an order: 200 with its transaction, or 202 with code 36 while there is none yet.

    The same signed order again gets the same outcome, however often it is sent.
    """
    house = house_of(request)
    body = await bounded_body(request)
    if body is None:
        raise public_error(INVALID_PAYLOAD, f"the body is longer than {ORDER_BYTES_MAX} bytes")
    placed = read_order(body)
    kind = signature_type or EIP712
    if not signature:
        raise public_error(INVALID_PAYLOAD, "signature is required")
    proof = _proof(request, placed, signature, kind)
    reply = await _accept(request, placed, proof, kind)
    house.orders_accepted.keep(quote_of(placed.order_id), reply.position)
    try:
        progress = await _progress(house, placed, proof, reply)
    except Unavailable:
        progress = Progress(state="accepted")  # it is: only the read models cannot tell how far it is
    return _answer(placed, progress)


HANDLERS = (order,)
