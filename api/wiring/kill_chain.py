"""The kill's way to the minting contract: its own endpoints and key, and one call.

It is run in a process of its own, so that what it loads and waits for costs the venues no time.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from adapters.chain.gatekeeper import ContractGate, ContractWatch, gate_sending
from adapters.chain.reading import Chain
from adapters.chain.settings import ChainSettings
from adapters.chain.signers import LocalSigner
from adapters.rpc.settings import Endpoint
from api.gatekeeping.memory import Notebook, Shutting
from api.gatekeeping.settings import GatekeeperSettings
from api.gatekeeping.shutting import Shutter, ordered
from api.killing.settings import KillDocument
from api.killing.settings_file import read_document
from api.settings import SettingsError, secret
from api.wiring.process import SystemClock
from domain.gatekeeping import Caps
from domain.refusal import Rejected, Unavailable

POLL_S = 0.25
BESIDE = 10
TIMEOUT_MS = 3_000


class ContractKill:
    """Shut the contract by the gatekeeper's own steps, which end only when a quorum shows it shut."""

    def __init__(self, document: KillDocument, folder: Path) -> None:
        self._document = document
        self._folder = folder
        self._wanted = GatekeeperSettings()

    async def look(self) -> str:
        """Try the call at the head without sending it."""
        async with self._opened() as (watched, gate):
            caps = await watched.caps((await watched.head()).number)
            if caps.shut:
                return "the contract is shut already"
            await gate.preflight()
            return f"{gate.sender} may shut the contract, which is open ({_told(caps)})"

    async def shut(self, reason: str) -> str:
        """Send, replace and look until it is shut; the caller bounds it."""
        place = self._kept()
        state = place.read()
        order = state.shutting if state.shutting is not None else ordered([reason], SystemClock().now_us())

        def keep(saved: Shutting) -> None:
            try:
                place.write(msgspec.structs.replace(state, shutting=saved))
            except OSError as error:
                sys.stderr.write(f"chain: the transaction is not written down: {error.strerror}\n")

        async with self._opened() as (watched, gate):
            shutter = Shutter(watched, gate, self._wanted)
            while True:
                try:
                    head = await watched.head()
                    after = await shutter.step(order, head, keep)
                except Unavailable as error:
                    sys.stderr.write(f"chain: {error}\n")
                else:
                    # Opened again since it was last shut: then this is another order.
                    order = after if after is not None else ordered([reason], SystemClock().now_us())
                    keep(order)
                    if order.shut_at:
                        sent = order.transactions[-1].tx_hash if order.transactions else "nothing was sent for it"
                        return f"minting and redeeming are off since block {order.shut_at} at the latest ({sent})"
                await asyncio.sleep(POLL_S)

    def _kept(self) -> Notebook:
        chain = self._document.chain
        place = self._document.folder / "chain"
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Notebook(place, chain.chain_id, chain.minting_contract)

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[tuple[ContractWatch, ContractGate]]:
        kill, folder = self._document.kill, self._folder
        if not kill.rpc or not kill.key:
            raise SettingsError("kill.rpc and kill.key are not set: the contract stays open")
        if not len(kill.rpc) // 2 < kill.quorum <= len(kill.rpc):
            raise SettingsError(f"kill.quorum must be a majority of its {len(kill.rpc)} rpc endpoints")
        settings = ChainSettings(
            endpoints=tuple(
                Endpoint(name=f"kill{number}", url=secret(url, folder)) for number, url in enumerate(kill.rpc, start=1)
            ),
            quorum=kill.quorum,
            chain_id=self._document.chain.chain_id,
            minting_contract=self._document.chain.minting_contract,
            timeout_ms=TIMEOUT_MS,
            head_age_ms_max=kill.head_age_ms_max,
        )
        try:
            signer = LocalSigner(secret(kill.key, folder))
        except ValueError as error:
            raise SettingsError(f"kill.key: {error}") from None
        wanted = self._wanted
        async with (
            Chain(settings) as chain,
            gate_sending(chain, signer, wanted.priority_fee_wei, wanted.max_fee_wei_max) as sending,
        ):
            gate = ContractGate(sending)
            yield ContractWatch(chain, gate.sender), gate


def _told(caps: Caps) -> str:
    return f"at most {caps.mint} minted and {caps.redeem} redeemed a block"


def main(arguments: Sequence[str]) -> int:
    """Answer one request in JSON on standard output: `CONFIG DATA_DIR shut|look REASON`."""
    config, data_dir, errand, reason = arguments
    os.nice(BESIDE)  # the venues come first
    folder = Path(config).parent
    try:
        gate = ContractKill(read_document(Path(config), data_dir), folder)
        text, done = asyncio.run(gate.look() if errand == "look" else gate.shut(reason)), True
    except (SettingsError, Rejected, Unavailable, OSError) as error:
        text, done = str(error), False
    sys.stdout.write(json.dumps({"done": done, "text": text}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
