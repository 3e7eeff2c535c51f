"""The operators' page in a real browser: what it shows, whom it lets grant, what it says when nobody answers.

It needs Chromium or Chrome on the machine, spoken to over its debugging protocol; it is skipped where there is none.
"""

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.http.test_server import served
from tests.support.shop import Shop

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
WITHIN_S = 60
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0")

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


class Page:
    """Speak to one page of a browser; what a person would be asked is answered with yes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.asked: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async for message in self._socket:
            told = json.loads(message.data)
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]
            if told.get("method") == "Page.javascriptDialogOpening":
                self.asked.append(told["params"]["message"])
                accept = {"accept": True, "promptText": "it is over"}
                await self._socket.send_json({"id": 0, "method": "Page.handleJavaScriptDialog", "params": accept})
        raise AssertionError("the browser went away")

    async def run(self, script: str) -> Any:
        """Return what a script comes to; what it brings about goes on behind it."""
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until a script comes to something true."""
        async with asyncio.timeout(WITHIN_S):
            while not (value := await self.run(script)):
                await self.run("new Promise(requestAnimationFrame)")
            return value

    async def log_in(self, key: str) -> None:
        await self.run(f"document.getElementById('key').value = {json.dumps(key)}")
        await self.run("document.querySelector('#login button').click()")

    async def press(self, board: str, text: str) -> None:
        """Press a button of a board as soon as it is there; a dialog that it opens is answered meanwhile."""
        found = f"[...document.querySelectorAll('#{board} button')].find((each) => each.textContent === '{text}')"
        await self.until(f"Boolean({found})")
        await self.run(f"setTimeout(() => {found}.click()); true")


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncGenerator[Page]:
    assert BROWSER is not None
    browser = await asyncio.create_subprocess_exec(
        BROWSER,
        *FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert browser.stderr is not None
    try:
        async with asyncio.timeout(WITHIN_S):
            while b"DevTools listening on " not in (line := await browser.stderr.readline()):
                assert line, "the browser did not start"
        port = line.decode().partition("ws://127.0.0.1:")[2].partition("/")[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                await page.call("Page.enable")
                await page.call("Page.navigate", url=url)
                await page.until("document.readyState === 'complete' && Boolean(document.getElementById('login'))")
                yield page
    finally:
        browser.kill()
        await browser.wait()


def text(name: str) -> str:
    return f"document.getElementById('{name}').textContent"


async def test_a_person_halts_asks_and_another_grants(tmp_path: Path) -> None:
    shop = Shop()
    await shop.core.fold()
    async with served(shop) as (url, stop, task), opened(url, tmp_path) as page:
        await page.until(f"{text('problem')}.startsWith('Type an API key')")
        await page.log_in(shop.keys["risk"])
        await page.until(f"{text('active')}.includes('global') && {text('limits')}.includes('net_delta')")
        await page.run("document.getElementById('reason').value = 'drill'")
        await page.run("setTimeout(() => document.querySelector('#halt button').click()); true")
        await page.until(f"{text('mode')} === 'global HALTED' && document.title.startsWith('global HALTED')")
        await page.press("modes", "Release")
        await page.until(f"{text('told')}.includes('another person must grant it')")
        await page.press("approvals", "Grant")
        await page.until(f"{text('told')}.includes('approval_own')")
        await page.log_in(shop.keys["risk2"])
        await page.press("approvals", "Grant")
        await page.until(f"{text('told')}.startsWith('Done as of position') && {text('mode')} === 'ACTIVE'")
        assert await page.run("document.getElementById('waiting').hidden")
        assert page.asked[:2] == ["Halt global?", "Why may global go on?"]
        assert all(each.startswith("Grant what risk asks for?") for each in page.asked[2:])
        stop.set()
        async with asyncio.timeout(WITHIN_S):
            await task
        await page.until(f"{text('problem')}.includes('does not answer') && {text('ready')} === 'no answer'")
