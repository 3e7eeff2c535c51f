"""The public routes that ask and list, compatible with Ethena's mint and redeem API."""

from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from api.http.bodies import idempotency_key, written_json
from api.http.codes import FEES_NOT_APPLICABLE, UNAVAILABLE
from api.http.errors import public_error, public_refusal, throttled
from api.http.house import Asked, caller, command_id, house_of, source, trace
from api.http.ports import PageQuery
from api.http.quoting import Quoted, RfqAnswer, checked_address, is_address, read_quoted, read_rfq, rfq_answer
from commands.envelope import Reply
from domain.mode import GLOBAL, SEVERITY, Mode, mildest, strictest
from domain.onchain import ContractTerms
from domain.policy import Hedging, Policy
from domain.quantity import add, plain
from domain.refusal import Unavailable, Unknown

MODE_ROWS_MAX = 500
ISSUED = "quote.issued."


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


def _issued(reply: Reply) -> Quoted | None:
    found = next((event for event in reply.events if event.topic.startswith(ISSUED)), None)
    return read_quoted(bytes(found.state)) if found is not None else None


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
    return written_json(rfq_answer(policy, quote))


def _taken(terms: ContractTerms | None, address: str) -> tuple[bool, bool]:
    """Say whether the contract mints and redeems against a collateral: active, and no cap at zero."""
    if terms is None:
        return True, True
    asset = next((each for each in terms.assets if each.address == address), None)
    if asset is None or not asset.active:
        return False, False
    mints = min(asset.max_mint_per_block, terms.global_max_mint_per_block) > 0
    return mints, min(asset.max_redeem_per_block, terms.global_max_redeem_per_block) > 0


def _available(policy: Policy, modes: dict[str, Mode], terms: ContractTerms | None) -> Availability:
    answer = Availability(mint=[], redeem=[])
    assets = {asset.symbol: asset for asset in policy.assets}
    underlying = {symbol: asset.underlying for symbol, asset in assets.items()}
    for pair in policy.pairs:
        mints, redeems = _taken(terms, assets[pair.collateral].address)
        scopes = [GLOBAL, f"pair:{pair.name}", f"asset:{underlying[pair.collateral]}"]
        mode = strictest(modes, *scopes)
        if pair.hedging is Hedging.PERPETUAL:
            traded = (f"venue:{each.venue}" for each in policy.traded(underlying[pair.collateral]))
            mode = max(mode, mildest(modes, *traded), key=SEVERITY.__getitem__)
        if redeems and mode is not Mode.HALTED:
            answer.redeem.append(pair.name)
        if mints and mode is Mode.ACTIVE:
            answer.mint.append(pair.name)
    return answer


@get(
    "/asset-availability",
    operation_id="asset_availability",
    summary="List the pairs that can be minted and redeemed now",
    tags=["public"],
)
async def asset_availability(request: Asked) -> Response[Availability]:
    """Return the pairs by side; a halted one is in neither, one that only reduces is not minted.

    Nor is one of which the contract takes nothing: inactive, or its cap or that of all is zero.
    """
    house = house_of(request)
    policy = house.ports.policy()
    if policy is None:
        raise public_error(UNAVAILABLE)
    try:
        await house.told.shown(house.ports.views, "mode")
        page = await house.ports.views.page("mode", PageQuery(limit=MODE_ROWS_MAX))
    except Unavailable as error:
        raise public_error(UNAVAILABLE) from error
    rows = [msgspec.json.decode(row) for row in page.rows]
    modes = {row["scope"]: Mode(row["mode"]) for row in rows}
    return written_json(msgspec.json.encode(_available(policy, modes, house.ports.contract())))


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
    return written_json(msgspec.json.encode(Fees(fees=listed)))


HANDLERS = (rfq, asset_availability, fees)
