"""The public routes, compatible with Ethena's mint and redeem API."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import MediaType, Response, get, post
from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from api.http.codes import (
    BEING_PROCESSED,
    CODES,
    FEES_NOT_APPLICABLE,
    INVALID_PAYLOAD,
    NOT_MINED,
    ORDER_NOT_FOUND,
    UNAVAILABLE,
)
from api.http.errors import ErrorDetail, public_error, public_refusal, throttled
from api.http.house import IDEMPOTENCY_KEY_MAX, Asked, House, caller, command_id, house_of, source, trace
from api.http.ordering import BODY_BYTES_MAX, accept_request, proven_or_refused, quote_of, read_order
from api.http.ports import PageQuery, Row
from api.http.quoting import RfqAnswer, checked_address, is_address, read_rfq, rfq_answer
from commands.envelope import Reply
from domain.codec import decode_event
from domain.mode import GLOBAL, Mode, strictest
from domain.policy import Hedging, Policy
from domain.quantity import add, plain
from domain.quote import QuoteIssued
from domain.refusal import Unavailable, Unknown

CONFIRMATION_WAIT_S = 2.0
MODE_ROWS_MAX = 500
OVER = frozenset({"completed", "settlement_failed", "cancelled"})
"""States after which a request does not change."""


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer an accepted order; its settlement is followed at `/order-confirmation`."""

    order_id: str
    state: str


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Show how far an order is; `tx` is the transaction that settled it. Until it is over, `error` carries code 36."""

    order_id: str
    state: str
    tx: str = ""
    error: ErrorDetail | None = None


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """List the pairs that can be minted and redeemed now."""

    mint: list[str]
    redeem: list[str]


class PairFees(msgspec.Struct, frozen=True, kw_only=True):
    """Show a pair's fees in basis points, as text, on top of the market's own costs."""

    pair: str
    token: str
    mint_bps: str
    redeem_bps: str


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """List the fees of every pair."""

    fees: list[PairFees]


def _json(body: bytes, status: int = 200) -> Response[Any]:
    return Response(body, status_code=status, media_type=MediaType.JSON)


def idempotency_key(asked: Asked) -> str | None:
    """Return the Idempotency-Key header; raise code 29 when it is empty, too long or not plain ASCII."""
    key = asked.headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= IDEMPOTENCY_KEY_MAX or not key.isascii() or not key.isprintable():
        raise public_error(INVALID_PAYLOAD, f"an Idempotency-Key has 1 to {IDEMPOTENCY_KEY_MAX} printable characters")
    return key


async def bounded_body(asked: Asked, bytes_max: int = BODY_BYTES_MAX) -> bytes | None:
    """Return the body, or None as soon as it is longer than the bound; the rest is not read."""
    body = bytearray()
    chunks: AsyncIterator[bytes] = asked.stream()
    async for chunk in chunks:
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)


def _issued(reply: Reply) -> QuoteIssued | None:
    for event in reply.events:
        if event.topic == QuoteIssued.TOPIC:
            quote = decode_event(event.topic, bytes(event.state))
            if isinstance(quote, QuoteIssued):
                return quote
    return None


@get(
    "/rfq",
    operation_id="rfq",
    summary="Ask for a binding quote",
    tags=["public"],
)
async def rfq(
    request: Asked,
    pair: Annotated[str | None, QueryParameter(examples=[Example(value="WETH/USDe")])] = None,
    type_: Annotated[str | None, QueryParameter(examples=[Example(value="ALGO")], description="ALGO or UI")] = None,
    side: Annotated[str | None, QueryParameter(examples=[Example(value="MINT")], description="MINT or REDEEM")] = None,
    size: Annotated[
        str | None,
        QueryParameter(examples=[Example(value="0.25")], description="Units of what is given: collateral or USDe"),
    ] = None,
    benefactor: Annotated[str | None, QueryParameter(description="0x and 40 hex digits")] = None,
) -> Response[RfqAnswer]:
    """Return a price for one benefactor, used at most once and only until it expires."""
    house = house_of(request)
    if benefactor and is_address(benefactor):
        wait_s = house.named.spend((source(request), benefactor.lower()))
        if wait_s > 0:
            raise throttled(wait_s)
    policy = house.ports.policy()
    command = read_rfq(policy, pair, type_, side, size, benefactor)
    key = idempotency_key(request)
    person = caller(request)
    owner = person or f"source {source(request)}"
    try:
        reply = await house.ports.commands.request(
            "quote.issue", msgspec.json.encode(command), command_id(owner, key), person or "public", trace(request)
        )
    except (Unavailable, Unknown) as error:
        raise public_error(UNAVAILABLE) from error
    if reply.status != "accepted":
        raise public_refusal(reply)
    quote = _issued(reply)
    if quote is None or policy is None:
        raise public_error(UNAVAILABLE, "the quote of this Idempotency-Key is no longer at hand; ask with a new one")
    return _json(rfq_answer(policy, quote))


def _charge_signer(house: House, order_key: str, signer: str, expiry_s: int) -> None:
    """Charge the signer for an order that is new and alive; a replay by anyone costs only its source."""
    if house.orders_seen.get(order_key) is not None or expiry_s * 1_000_000 <= house.clocks.now_us():
        return
    wait_s = house.signers.spend(signer)
    if wait_s > 0:
        raise throttled(wait_s)
    house.orders_seen.keep(order_key, 1)


@post(
    "/order",
    status_code=202,
    operation_id="order",
    summary="Place a signed order for a quote",
    tags=["public"],
)
async def order(
    request: Asked,
    signature: Annotated[str | None, QueryParameter(description="0x and 130 hex digits: r, s, v")] = None,
    signature_type: Annotated[str | None, QueryParameter(description="EIP712 (the default)")] = None,
) -> Response[OrderAnswer]:
    """Accept an order: the same signed order again gets the same outcome, however often it is sent."""
    house = house_of(request)
    body = await bounded_body(request)
    if body is None:
        raise public_error(INVALID_PAYLOAD, f"the body is longer than {BODY_BYTES_MAX} bytes")
    placed = read_order(body)
    kind = signature_type or "EIP712"
    if not signature:
        raise public_error(INVALID_PAYLOAD, "signature is required")
    proof = proven_or_refused(placed, house.ports.orders.verify(placed, signature, kind))
    order_key, command = accept_request(placed, proof, kind)
    _charge_signer(house, str(order_key), proof.signer, placed.expiry)
    try:
        reply = await house.ports.commands.request(
            "request.accept", command, order_key, f"benefactor:{proof.signer}", trace(request)
        )
    except Unavailable as error:
        raise public_error(UNAVAILABLE) from error
    except Unknown as error:
        raise public_error(BEING_PROCESSED, "send the same order again, or ask /order-confirmation") from error
    if reply.status != "accepted":
        raise public_refusal(reply)
    house.orders_accepted.keep(quote_of(placed.order_id), reply.position)
    return _json(msgspec.json.encode(OrderAnswer(order_id=placed.order_id, state="accepted")), 202)


async def _followed(house: House, order_id: str) -> Row | None:
    quote_id = quote_of(order_id)
    if quote_id is None:
        return None
    views = house.ports.views
    row = await views.request(quote_id)
    if row is not None:
        return row
    position = house.orders_accepted.get(quote_id)
    if position is None:
        return None
    # Accepted here a moment ago: the view is only behind, so the order is not "not found".
    await views.wait_for("requests", position, CONFIRMATION_WAIT_S)
    return await views.request(quote_id) or {"order_id": order_id, "state": "accepted"}


@get(
    "/order-confirmation",
    operation_id="order_confirmation",
    summary="Follow an order until it is settled",
    tags=["public"],
)
async def order_confirmation(
    request: Asked, order_id: Annotated[str | None, QueryParameter(description="The rfq_id; RFQ- is optional")] = None
) -> Response[Confirmation]:
    """Return 202 with code 36 while the order is under way, 200 once it is over."""
    if not order_id:
        raise public_error(INVALID_PAYLOAD, "order_id is required")
    try:
        row = await _followed(house_of(request), order_id)
    except Unavailable as error:
        raise public_error(UNAVAILABLE) from error
    if row is None:
        raise public_error(ORDER_NOT_FOUND)
    state = str(row["state"])
    answer = Confirmation(order_id=str(row["order_id"]), state=state, tx=str(row.get("tx", "")))
    if state in OVER:
        return _json(msgspec.json.encode(answer))
    code = CODES[NOT_MINED]
    pending = ErrorDetail(error_code=str(NOT_MINED), error_name=code.name)
    return _json(msgspec.json.encode(msgspec.structs.replace(answer, error=pending)), code.status)


def _available(policy: Policy, modes: dict[str, Mode]) -> Availability:
    answer = Availability(mint=[], redeem=[])
    underlying = {asset.symbol: asset.underlying for asset in policy.assets}
    for pair in policy.pairs:
        scopes = [GLOBAL, f"pair:{pair.name}", f"asset:{underlying[pair.collateral]}"]
        if pair.hedging is Hedging.PERPETUAL:
            scopes.append(f"venue:{pair.venue}")
        mode = strictest(modes, *scopes)
        if mode is not Mode.HALTED:
            answer.redeem.append(pair.name)
        if mode is Mode.ACTIVE:
            answer.mint.append(pair.name)
    return answer


@get(
    "/asset-availability",
    operation_id="asset_availability",
    summary="List the pairs that can be minted and redeemed now",
    tags=["public"],
)
async def asset_availability(request: Asked) -> Response[Availability]:
    """Return the pairs by side; a halted one is in neither, one that only reduces is not minted."""
    house = house_of(request)
    policy = house.ports.policy()
    if policy is None:
        raise public_error(UNAVAILABLE)
    try:
        page = await house.ports.views.page("mode", PageQuery(limit=MODE_ROWS_MAX))
    except Unavailable as error:
        raise public_error(UNAVAILABLE) from error
    rows = [msgspec.json.decode(row) for row in page.rows]
    return _json(msgspec.json.encode(_available(policy, {row["scope"]: Mode(row["mode"]) for row in rows})))


@get("/fees", operation_id="fees", summary="List the fees", tags=["public"])
async def fees(
    request: Asked, benefactor: Annotated[str | None, QueryParameter(description="0x and 40 hex digits")] = None
) -> Response[Fees]:
    """Return every pair's fees in basis points; with a benefactor, code 31 when it is not whitelisted."""
    policy = house_of(request).ports.policy()
    if policy is None:
        raise public_error(UNAVAILABLE)
    if benefactor is not None:
        known = checked_address(benefactor)
        if policy.benefactors and known not in policy.benefactors:
            raise public_error(FEES_NOT_APPLICABLE)
    listed: list[PairFees] = []
    for pair in policy.pairs:
        text = plain(add(pair.fee_bps, pair.buffer_bps))
        listed.append(PairFees(pair=pair.name, token=pair.collateral, mint_bps=text, redeem_bps=text))
    return _json(msgspec.json.encode(Fees(fees=listed)))


HANDLERS = (rfq, order, order_confirmation, asset_availability, fees)
