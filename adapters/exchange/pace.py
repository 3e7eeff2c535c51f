"""Keep calls apart, first come first served, outside ccxt: so that an order's validity is checked after its wait."""

import asyncio


class Pace:
    """Let one caller through every `interval_s`; the first at once."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._turn = asyncio.Lock()
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            pause = self._next - loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
            self._next = loop.time() + self._interval_s
