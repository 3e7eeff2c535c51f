"""The client of the RFQ benchmark, in a process of its own: HTTP/1.1 over kept connections, as little as one can do.

`python -m benchmarks.rfq_load open PORT RATE SECONDS` sends at fixed times and measures from the time that was meant,
so that a server that stalls cannot hide its queue; `... closed PORT CONNECTIONS SECONDS` keeps every connection busy;
`... orders PORT RATE SECONDS` asks for a quote, signs it and places it. Each prints one JSON line.
"""

import asyncio
import gc
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, cast

import uvloop

from adapters.chain.eip712 import ContractDomain
from adapters.chain.signature import SignedOrder, address_of, sign_order
from benchmarks.report import percentile

WARM_UP_S = 2.0
DRAIN_S_MAX = 10.0
CONNECTIONS_MAX = 128
WAITING_MAX = 20_000
TICK_S = 0.001
OK = 200
ANSWERED_ORDER = (200, 202)
PRIVATE_KEY = "0x" + "4c" * 32
BENEFACTOR = address_of(PRIVATE_KEY)
EXPIRY_S = 300
NONCE_BASE_US = 1_000_000

Done = Callable[[int, bytes], None]


class Line(asyncio.Protocol):
    """Be one kept connection: a request at a time, its status and body to whoever asked."""

    def __init__(self, free: Callable[["Line"], None]) -> None:
        self._free = free
        self._done: Done | None = None
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was asked as not answered."""
        done, self._done = self._done, None
        self._transport = None
        if done is not None:
            done(0, repr(exc).encode())

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request; `done` is called once with its status, 0 without an answer."""
        if self._transport is None:
            done(0, b"no connection")
            return
        self._done = done
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take what came; answers have a length."""
        self._received += data
        head, mark, body = self._received.partition(b"\r\n\r\n")
        if not mark:
            return
        at = head.lower().find(b"\r\ncontent-length:")
        length = int(head[at + 17 :].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = body[length:]
        done, self._done = self._done, None
        if done is not None:
            done(int(head[9:12]), body[:length])
        self._free(self)


class Lines:
    """Hold the connections: a request takes one that is free, opens one up to the bound, or waits for one."""

    def __init__(self, port: int, connections_max: int = CONNECTIONS_MAX) -> None:
        self._port = port
        self._left = connections_max
        self._all: list[Line] = []
        self._free: deque[Line] = deque()
        self._waiting: deque[tuple[bytes, Done]] = deque()

    async def open(self, count: int) -> None:
        """Open connections ahead."""
        loop = asyncio.get_running_loop()
        for _ in range(min(count, self._left)):
            _, line = await loop.create_connection(lambda: Line(self._freed), "127.0.0.1", self._port)
            self._left -= 1
            self._all.append(line)
            self._free.append(line)

    def close(self) -> None:
        """Hang up everywhere."""
        for line in self._all:
            line.close()

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request as soon as a connection is free."""
        if self._free:
            self._free.pop().ask(request, done)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append((request, done))
        else:
            done(0, b"too many wait")

    def _freed(self, line: Line) -> None:
        if self._waiting:
            line.ask(*self._waiting.popleft())
        else:
            self._free.append(line)


def rfq(number: int, pair: str = "WETH/USDe", size: str = "") -> bytes:
    """Return a request for a quote of a little less or more than one unit."""
    asked = size or f"0.{500 + number % 500}"
    query = f"pair={pair}&type_=ALGO&side=MINT&size={asked}&benefactor={BENEFACTOR}"
    return f"GET /rfq?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def settled() -> None:
    """Let the collector look at nothing that stays."""
    gc.collect()
    gc.freeze()


class Tally:
    """Count what came back and how long it took."""

    def __init__(self, accepted: tuple[int, ...] = (OK,)) -> None:
        self.took_s: list[float] = []
        self.refused = Counter[str]()
        self.sent = 0
        self.answered = 0
        self._accepted = accepted

    def note(self, meant_s: float, status: int, body: bytes, *, counts: bool) -> None:
        """Note one answer."""
        self.answered += 1
        if status not in self._accepted:
            self.refused[f"{status} {body[:160].decode(errors='replace')}"] += 1
        elif counts:
            self.took_s.append(time.perf_counter() - meant_s)

    def numbers(self) -> dict[str, Any]:
        """Return quantiles in milliseconds and what was refused."""
        took = sorted(self.took_s)
        shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999}
        quantiles = {name: percentile(took, share) * 1_000 for name, share in shares.items()} if took else {}
        return {
            **quantiles,
            "max_ms": took[-1] * 1_000 if took else 0.0,
            "measured": len(took),
            "sent": self.sent,
            "errors": sum(self.refused.values()) + self.sent - self.answered,
            "refused": dict(self.refused.most_common(3)),
        }


async def drained(tally: Tally) -> None:
    """Wait until everything sent was answered, within a bound; what is missing then counts as an error."""
    deadline = time.perf_counter() + DRAIN_S_MAX
    while tally.answered < tally.sent and time.perf_counter() < deadline:  # noqa: ASYNC110 # a look now and then costs the measured less than an event an answer
        await asyncio.sleep(0.01)


async def open_loop(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Send at `rate` a second, each at its own time, however late the answers are."""
    lines, tally = Lines(port), Tally()
    await lines.open(CONNECTIONS_MAX)
    settled()
    began = time.perf_counter() + 0.1
    counted_from, end = began + WARM_UP_S, began + WARM_UP_S + seconds
    number, meant = 0, began
    while meant < end:
        now = time.perf_counter()
        while meant <= now and meant < end:
            tally.sent += 1
            lines.ask(rfq(number), _noted(tally, meant, counts=meant >= counted_from))
            number += 1
            meant = began + number / rate
        await asyncio.sleep(min(TICK_S, max(0.0, meant - time.perf_counter())))
    await drained(tally)
    lines.close()
    return tally.numbers()


def _noted(tally: Tally, meant: float, *, counts: bool) -> Done:
    def done(status: int, body: bytes) -> None:
        tally.note(meant, status, body, counts=counts)

    return done


async def closed_loop(port: int, connections: int, seconds: float) -> dict[str, Any]:
    """Keep every connection busy; return the rate."""
    lines, tally = Lines(port, connections), Tally()
    await lines.open(connections)
    counting = stopped = False

    def again(_status: int = OK, _body: bytes = b"") -> None:
        if stopped:
            return
        meant, number = time.perf_counter(), tally.sent
        tally.sent += 1

        def done(status: int, body: bytes) -> None:
            tally.note(meant, status, body, counts=counting)
            # Not at once: this connection is free only after its answer was handed over.
            asyncio.get_running_loop().call_soon(again)

        lines.ask(rfq(number), done)

    for _ in range(connections):
        again()
    await asyncio.sleep(WARM_UP_S)
    settled()
    counting, began = True, time.perf_counter()
    await asyncio.sleep(seconds)
    counting, elapsed = False, time.perf_counter() - began
    stopped = True
    await drained(tally)
    lines.close()
    return tally.numbers() | {"per_s": len(tally.took_s) / elapsed}


class Orders:
    """Ask for quotes, sign them and place them; keep when each order was sent, by its id."""

    def __init__(self, lines: Lines, domain: ContractDomain) -> None:
        self.quotes, self.orders = Tally(), Tally(ANSWERED_ORDER)
        self.sent_ns: dict[str, int] = {}
        self._lines = lines
        self._domain = domain
        self._nonce = time.time_ns() // NONCE_BASE_US

    def begin(self, number: int) -> None:
        """Ask for a quote and place it when it comes."""
        meant = time.perf_counter()
        self.quotes.sent += 1

        def quoted(status: int, body: bytes) -> None:
            self.quotes.note(meant, status, body, counts=True)
            if status == OK:
                self._place(json.loads(body))

        self._lines.ask(rfq(number, size="0.05"), quoted)

    def _place(self, quote: dict[str, Any]) -> None:
        self._nonce += 1
        order = SignedOrder(
            order_id=quote["rfq_id"],
            order_type=quote["side"],
            expiry=int(time.time()) + EXPIRY_S,
            nonce=self._nonce,
            benefactor=BENEFACTOR,
            beneficiary=BENEFACTOR,
            collateral_asset=quote["collateral_asset"],
            collateral_amount=int(quote["collateral_amount"]),
            usde_amount=int(quote["usde_amount"]),
        )
        body = json.dumps({name: getattr(order, name) for name in order.__struct_fields__})
        head = f"POST /order?signature={sign_order(self._domain, order, PRIVATE_KEY)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        self.orders.sent += 1
        self.sent_ns[order.order_id] = time.monotonic_ns()
        self._lines.ask(request, _noted(self.orders, time.perf_counter(), counts=True))


async def place_orders(port: int, rate: float, seconds: float, chain_id: int, contract: str) -> dict[str, Any]:
    """Place orders at `rate` a second; return when each was sent, in nanoseconds of the machine's monotonic clock."""
    lines = Lines(port)
    await lines.open(CONNECTIONS_MAX)
    orders = Orders(lines, ContractDomain(chain_id=chain_id, verifying_contract=contract))
    settled()
    for number in range(int(rate * seconds)):
        orders.begin(number)
        await asyncio.sleep(1 / rate)
    await drained(orders.quotes)
    await drained(orders.orders)
    lines.close()
    errors = orders.quotes.numbers()["errors"] + orders.orders.numbers()["errors"]
    return orders.orders.numbers() | {"errors": errors, "sent_ns": orders.sent_ns, "quotes": orders.quotes.numbers()}


def main(arguments: list[str]) -> None:
    """Be the client that the first argument names."""
    name, port, first, second = arguments[0], int(arguments[1]), float(arguments[2]), float(arguments[3])
    if name == "open":
        told = uvloop.run(open_loop(port, first, second))
    elif name == "closed":
        told = uvloop.run(closed_loop(port, int(first), second))
    else:
        told = uvloop.run(place_orders(port, first, second, int(arguments[4]), arguments[5]))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
