"""The servers of the RFQ benchmark: the product's own API role, whole, and a bare Litestar route beside it.

`python -m benchmarks.rfq_api api SETTINGS` and `python -m benchmarks.rfq_api bare PORT` run until terminated; both use
the product's server with its settings.
"""

import asyncio
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvloop
from litestar import Litestar, get
from litestar.datastructures import State

from api.collecting import calm_collector
from api.http.server import serve
from api.settings import read_settings
from api.wiring import entrance
from api.wiring.process import Process
from benchmarks.rfq_chain import open_plenty

ANSWER = {
    "rfq_id": "RFQ-6c0f4f5e-9d5b-5d0a-8f0e-ba11a5700001",
    "pair": "WETH/USDe",
    "side": "MINT",
    "size": 0.731,
    "gas": 0.5,
    "collateral_asset": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    "collateral_amount": "731000000000000000",
    "usde_amount": "1957452513000000000000",
}


@get("/rfq")
async def bare() -> dict[str, Any]:
    """Answer what a quote looks like, and do nothing for it."""
    return ANSWER


def ready() -> None:
    """Do what `api.wiring.roles` does when a role is ready, and say so."""
    calm_collector()
    print("READY", flush=True)


def _stopping() -> asyncio.Event:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    return stop


async def be_api(path: Path) -> None:
    """Run the product's API role, the chain's endpoints apart."""
    entrance.open_chain = open_plenty  # pyright: ignore[reportAttributeAccessIssue] # as the entrance uses it
    await entrance.run_api(Process(read_settings(path), path.parent, ready, _stopping()))


async def be_bare(port: int) -> None:
    """Serve the bare route as the product serves its own."""
    house = SimpleNamespace(broadcast=SimpleNamespace(close=lambda: None))
    app = Litestar([bare], state=State({"house": house}), openapi_config=None, logging_config=None)
    await serve(app, "127.0.0.1", port, ready=lambda _: ready(), stop=_stopping())


def main(name: str, argument: str) -> None:
    """Be the server that the first argument names."""
    uvloop.run(be_api(Path(argument)) if name == "api" else be_bare(int(argument)))


if __name__ == "__main__":
    main(*sys.argv[1:])
