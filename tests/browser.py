"""A real browser, without a window: Chromium, spoken to by its own protocol."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

from slipway.machine_tools import chromium

START_SECONDS = 60
"""A first start on a loaded machine of two cores takes ten; a minute means that it will not come."""
ANSWER_SECONDS = 60
"""For one answer, on the same machine."""


class Browser:
    """One page of it."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=ANSWER_SECONDS, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.said: list[dict[str, Any]] = []
        """Events that came meanwhile: requests, errors, messages of the page."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found
            self.said.append(answer)

    def open(self, page: Path, width: int, *, dark: bool = False, height: int = 900) -> None:
        """Loads a file at that width; returns once it is laid out."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.said.clear()
        self.ask("Page.navigate", url=page.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.said):
            self.said.append(json.loads(self._socket.recv()))  # gives up by itself after ANSWER_SECONDS

    def evaluate(self, expression: str) -> Any:
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, path: Path) -> None:
        """The whole page, not only what fits the window."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def printed(self, path: Path) -> None:
        shot = self.ask("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        path.write_bytes(base64.b64decode(shot["data"]))

    def printing(self) -> None:
        """From now on it is laid out as on paper."""
        self.ask("Emulation.setEmulatedMedia", media="print")


@contextmanager
def browser() -> Iterator[Browser]:
    """Raises LookupError where there is none on this machine."""
    program = chromium()
    if program is None:
        raise LookupError("no chromium here: ./slipway test --yes installs it")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [program, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        words += ["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
        words += ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses to run as root otherwise
        nowhere = subprocess.DEVNULL
        process = subprocess.Popen([*words, "about:blank"], stdin=nowhere, stdout=nowhere, stderr=nowhere)
        try:
            yield Browser(_address(Path(profile), process))
        finally:
            process.kill()
            process.wait()


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Where its first page listens, once it does."""
    from urllib.request import urlopen

    deadline = time.monotonic() + START_SECONDS
    told = profile / "DevToolsActivePort"
    while not (told.is_file() and told.read_text().count("\n")):
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < deadline, "it does not listen"
        time.sleep(0.1)  # nothing tells when the file is there
    port = told.read_text().split()[0]
    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=ANSWER_SECONDS) as answer:
        pages = json.load(answer)
    address: str = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    return address
