"""Following an order until it is over: its state, its transaction, the block that holds it and how deep that is."""

from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter

from api.http.bodies import written_json
from api.http.codes import CODES, INVALID_PAYLOAD, NOT_MINED, ORDER_NOT_FOUND, UNAVAILABLE
from api.http.errors import ErrorDetail, public_error
from api.http.house import Asked, House, house_of
from api.http.ordering import quote_of
from api.http.ports import Row
from domain.refusal import Unavailable

CONFIRMATION_WAIT_S = 2.0
OVER = frozenset({"completed", "settlement_failed", "cancelled"})
"""States after which a request does not change."""


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Show how far an order is. Until it is over, `error` carries code 36.

    `tx` is the transaction that settles it, `block` the number of the block that holds it, and `confirmations` how many
    blocks there were from that one on when the contract was read last.
    """

    order_id: str
    state: str
    tx: str = ""
    block: int | None = None
    confirmations: int | None = None
    error: ErrorDetail | None = None


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


def _confirmation(house: House, row: Row) -> Confirmation:
    block = row.get("block")
    terms = house.ports.contract()
    deep = max(terms.block_number - block + 1, 1) if terms is not None and block is not None else None
    return Confirmation(
        order_id=str(row["order_id"]),
        state=str(row["state"]),
        tx=str(row.get("tx", "")),
        block=block,
        confirmations=deep,
    )


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
    house = house_of(request)
    try:
        row = await _followed(house, order_id)
    except Unavailable as error:
        raise public_error(UNAVAILABLE) from error
    if row is None:
        raise public_error(ORDER_NOT_FOUND)
    answer = _confirmation(house, row)
    if answer.state in OVER:
        return written_json(msgspec.json.encode(answer))
    code = CODES[NOT_MINED]
    pending = ErrorDetail(error_code=str(NOT_MINED), error_name=code.name)
    return written_json(msgspec.json.encode(msgspec.structs.replace(answer, error=pending)), code.status)


HANDLERS = (order_confirmation,)
