"""A headless Chromium, spoken to through its own debugging protocol: what a page shows, says and asks for.

Chromium is not part of the project; where there is none, tests that need it are skipped.
"""

import asyncio
import base64
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome", "chrome") if (found := shutil.which(name))),
    None,
)
T = TypeVar("T")
_DOMAINS = ("Page", "Runtime", "Network", "Log", "Accessibility")
PATIENCE = 120


class Tab:
    """One tab: where it is, how wide, in which light, and what it noticed since it was led there."""

    def __init__(self, runner: asyncio.Runner, address: str) -> None:
        self._runner = runner
        self._address = address
        self._number = 0
        self.noticed: list[dict[str, Any]] = []
        self._session: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse

    def __enter__(self) -> Self:
        self._run(self._open())
        for domain in _DOMAINS:
            self.ask(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._socket.close())
        self._run(self._session.close())

    def go(self, address: str, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Open a page and wait until it is loaded."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        # By way of nowhere: an address that differs in its fragment alone would not be loaded anew.
        for place in ("about:blank", address):
            self.noticed.clear()
            self.ask("Page.navigate", url=place)
            self._wait("Page.loadEventFired")

    def follow(self, expression: str) -> None:
        """Do something that leads to another page, and wait until that is loaded."""
        self.noticed.clear()
        self.ask("Runtime.evaluate", expression=expression)
        self._wait("Page.loadEventFired")

    def say(self, expression: str) -> Any:
        """Return the value of an expression in the page; the page's policy does not bind who debugs it."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        codes = {"Tab": 9, "Enter": 13}
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])

    def picture(self, *, whole: bool = True) -> bytes:
        """Return a screenshot as PNG, of the whole page or of what is in sight."""
        return base64.b64decode(
            self.ask(
                "Page.captureScreenshot", format="png", captureBeyondViewport=whole, **(self._box() if whole else {})
            )["data"]
        )

    def printed(self) -> bytes:
        """Return the page as it would be printed, as PDF."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for since it was opened."""
        sent = [one for one in self.noticed if one["method"] == "Network.requestWillBeSent"]
        return [one["params"]["request"]["url"] for one in sent]

    @property
    def complaints(self) -> list[str]:
        """What the browser said in its console: errors, warnings, refusals of the page's policy."""
        said = []
        for one in self.noticed:
            if one["method"] == "Log.entryAdded":
                said.append(one["params"]["entry"]["text"])
            elif one["method"] == "Runtime.consoleAPICalled":
                said.append(str(one["params"]["args"]))
            elif one["method"] == "Runtime.exceptionThrown":
                said.append(str(one["params"]["exceptionDetails"]))
        return said

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer; what happens meanwhile is noticed."""
        return self._run(self._ask(method, parameters))

    def _box(self) -> dict[str, Any]:
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _wait(self, method: str) -> None:
        async def until() -> None:
            while not any(one["method"] == method for one in self.noticed):
                self.noticed.append(await self._socket.receive_json(timeout=PATIENCE))

        self._run(until())

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.put(f"{self._address}/json/new?about:blank") as answer:
            target = await answer.json()
        self._socket = await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)

    async def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json(timeout=PATIENCE)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self.noticed.append(answer)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)


@contextmanager
def browser() -> Iterator[Tab]:
    """Start Chromium with a profile that is thrown away, and give one tab of it."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory(prefix="orders-chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                PROGRAM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--remote-debugging-address=127.0.0.1",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert process.stderr is not None
        try:
            with asyncio.Runner() as runner, Tab(runner, _address(process.stderr)) as tab:
                yield tab
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stderr.close()


def _address(said: Iterable[str]) -> str:
    for line in said:
        if "DevTools listening on ws://" in line:
            return "http://" + line.split("ws://", 1)[1].split("/", 1)[0]
    raise AssertionError("Chromium ended before it listened")


def saved(tab: Tab, path: Path, *, whole: bool = True) -> Path:
    """Write a screenshot to a file."""
    path.write_bytes(tab.picture(whole=whole))
    return path
