"""A log as a busy book writes it: mints and redeems from quote to completion, interleaved, one log per seed."""

import random
from collections.abc import Generator, Iterator
from decimal import Decimal
from uuid import UUID

import msgspec

from benchmarks.mint_hedge import ACCOUNT, SYMBOL, VENUE, hedge
from domain.chain import GENESIS, chain_hash
from domain.codec import encode
from domain.event import Event
from domain.ids import derive_id, natural_id
from domain.instant import rfc3339
from domain.limit import Control, LimitSet
from domain.limits import CONTROLS
from domain.log import StoredEvent
from domain.policy import Asset, Hedging, Instrument, Pair, Policy, PolicyAdopted
from domain.quantity import Amount, Num, multiply
from domain.quote import Decomposition, QuoteIssued, QuoteUsed, Side, Source
from domain.request import RequestAccepted, RequestCompleted
from domain.settlement import SettlementConfirmed, SettlementSubmissionRequested

CONCURRENT = 40
"""So many requests are under way at once."""
IDLE_QUOTES = 2
"""So many quotes go unused for each that is accepted."""
START_US = 1_790_000_000_000_000
BENEFACTOR = "0x" + "ab" * 20


def policy() -> Policy:
    """Return the policy of the book that the log is of."""
    zero = Num(0)
    return Policy(
        issued="USDe",
        assets=(
            Asset(symbol="WETH", decimals=18, address="0x" + "11" * 20, underlying="ETH"),
            Asset(symbol="USDT", decimals=6, address="0x" + "22" * 20, underlying="USDT"),
        ),
        pairs=(
            Pair(
                name="WETH/USDe",
                collateral="WETH",
                hedging=Hedging.PERPETUAL,
                venue=VENUE,
                symbol=SYMBOL,
                fee_bps=Num(5),
                buffer_bps=Num(2),
            ),
        ),
        instruments=(
            Instrument(
                venue=VENUE,
                account=ACCOUNT,
                symbol=SYMBOL,
                base="ETH",
                quote="USDT",
                lot=Num("0.001"),
                tick=Num("0.01"),
                minimum_quantity=Num("0.001"),
                minimum_notional=Num(20),
                taker_fee_bps=Num(4),
            ),
        ),
        benefactors=(),
        chain_id=1,
        minting_contract="0x" + "33" * 20,
        gas=zero,
        quote_lifetime_ms=15_000,
        order_expiry_min_ms=30_000,
        last_look_bps=Num(10),
        hedge_slippage_bps=Num(20),
        hedge_orders_max=5,
        hedge_retry_ms=500,
    )


POLICY = policy()


def events(seed: int = 7) -> Iterator[tuple[Event, int]]:
    """Yield events and when they were decided (microseconds since the Unix epoch), without end."""
    chance = random.Random(seed)
    at_us = START_US
    yield PolicyAdopted(policy=POLICY), at_us
    for control, scope in ((Control.ORDER_NOTIONAL, "global"), (Control.NET_DELTA, "asset:ETH")):
        limit = LimitSet(
            control=control,
            scope=scope,
            value=Num(1_000_000),
            unit=CONTROLS[control].unit,
            author="risk",
            reason="opening",
        )
        yield limit, at_us
    number = 0
    under_way: list[Generator[Event, int, None]] = []
    while True:
        while len(under_way) < CONCURRENT:
            number += 1
            request = _request(number, chance, at_us)
            under_way.append(request)
            yield next(request), at_us
        at_us += chance.randint(100, 2_000)
        chosen = chance.randrange(len(under_way))
        try:
            yield under_way[chosen].send(at_us), at_us
        except StopIteration:
            under_way.pop(chosen)


def _request(number: int, chance: random.Random, at_us: int) -> Generator[Event, int, None]:
    side = Side.MINT if chance.random() < 0.7 else Side.REDEEM
    base = Num(Decimal(chance.randint(10, 5_000)) / 1_000)
    price = Num(Decimal(chance.randint(290_000, 310_000)) / 100)
    collateral = Amount("WETH", int(base * 10**18))
    issued = Amount("USDe", int(multiply(base, price) * 10**18))
    for idle in range(IDLE_QUOTES):
        at_us = yield _quote(natural_id("idle", str(number), str(idle)), side, base, price, at_us)
    quote = _quote(natural_id("quote", str(number)), side, base, price, at_us)
    at_us = yield quote
    request_id = natural_id("request", str(number))
    at_us = yield QuoteUsed(quote_id=quote.quote_id, request_id=request_id)
    at_us = yield RequestAccepted(
        request_id=request_id,
        order_id=str(quote.quote_id),
        quote_id=quote.quote_id,
        pair=quote.pair,
        side=side,
        benefactor=BENEFACTOR,
        beneficiary=BENEFACTOR,
        signer=BENEFACTOR,
        nonce=number,
        expiry_us=at_us + 60_000_000,
        collateral=collateral,
        issued=issued,
        order_hash="0x" + request_id.hex * 2,
        signature="0x" + "5a" * 65,
        accepted_at_us=at_us,
    )
    yield from hedge(request_id, (side, base, price), POLICY, chance)
    settlement_id = derive_id(request_id, "settlement")
    yield SettlementSubmissionRequested(
        settlement_id=settlement_id, request_id=request_id, side=side, collateral=collateral, issued=issued
    )
    yield SettlementConfirmed(
        settlement_id=settlement_id,
        request_id=request_id,
        side=side,
        collateral=collateral,
        issued=issued,
        reference="0x" + settlement_id.hex * 2,
    )
    yield RequestCompleted(request_id=request_id, settlement_id=settlement_id)


def _quote(quote_id: UUID, side: Side, base: Num, price: Num, at_us: int) -> QuoteIssued:
    return QuoteIssued(
        quote_id=quote_id,
        pair="WETH/USDe",
        side=side,
        kind="ALGO",
        size=base,
        benefactor=BENEFACTOR,
        collateral=Amount("WETH", int(base * 10**18)),
        issued=Amount("USDe", int(multiply(base, price) * 10**18)),
        price=price,
        decomposition=Decomposition(
            reference=price,
            hedge_price=price,
            hedge_cost_bps=Num("1.5"),
            venue_fee_bps=Num(4),
            fee_bps=Num(5),
            buffer_bps=Num(2),
            gas=Amount("USDe", 0),
        ),
        sources=(Source(venue=VENUE, symbol=SYMBOL, sequence=at_us // 1000, age_ms=12, bid=price, ask=price),),
        issued_at_us=at_us,
        expires_at_us=at_us + 15_000_000,
    )


def stored(told: Iterator[tuple[Event, int]], count: int) -> Iterator[StoredEvent]:
    """Yield the first `count` events as they stand in a log, chained."""
    chain = GENESIS
    versions: dict[UUID, int] = {}
    for position, (event, at_us) in enumerate(told, 1):
        if position > count:
            return
        originator = event.originator
        version = versions[originator] = versions.get(originator, 0) + 1
        command_id = natural_id("command", str(position))
        metadata = msgspec.json.encode(
            {
                "actor": "core",
                "at": rfc3339(at_us),
                "cause": "",
                "command_id": str(command_id),
                "command_sha256": "0" * 64,
                "recorded_at": rfc3339(at_us + 500),
                "trace": "",
            }
        )
        state = encode(event)
        chain = chain_hash(chain, position, originator, version, event.TOPIC, state, metadata)
        yield StoredEvent(
            position=position,
            originator_id=originator,
            version=version,
            topic=event.TOPIC,
            state=state,
            metadata=metadata,
            chain_hash=chain,
            command_id=command_id,
            recorded_at_us=at_us + 500,
        )
