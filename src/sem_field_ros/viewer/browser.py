"""A headless Chromium, driven over its DevTools protocol: for pictures of the viewer and for its tests."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from sem_field_ros.atomic import atomic_write
from sem_field_ros.errors import ViewerError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # Chromium's sandbox does not start for root
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--no-proxy-server",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-features=BackForwardCache",  # a page that was left must close its connection
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
_START_S = 60.0


def find_browser() -> str | None:
    """The path of an installed Chromium or Chrome, None if there is none."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


class Browser:
    """One tab. A context manager; raises ViewerError if no browser is installed or it does not start."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        path = find_browser()
        if path is None:
            raise ViewerError("no Chromium found: install it (Debian: apt install chromium; Ubuntu: snap or chrome)")
        self._profile = tempfile.TemporaryDirectory(prefix="sem_field_browser_", ignore_cleanup_errors=True)
        flags = [*_FLAGS, f"--user-data-dir={self._profile.name}", f"--window-size={width},{height}", "about:blank"]
        self._process = subprocess.Popen([path, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._count = 0
        try:
            self._socket = self._connect()
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            self.command("Emulation.setDeviceMetricsOverride", **size)
        except BaseException:
            self._end_process()
            raise

    def open(self, url: str) -> None:
        """Load a page; `wait_for` what should be on it afterwards."""
        self.command("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The JSON-able value of a JavaScript expression (promises are awaited). Raises ViewerError if it throws."""
        answer = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise ViewerError(f"the page: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 30.0, what: str = "") -> Any:
        """Evaluate until the value is truthy and return it. Raises ViewerError with `what` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                value, problem = self.evaluate(expression), ""
            except ViewerError as error:  # the page may still be loading
                value, problem = None, f" ({error})"
            if value:
                return value
            if time.monotonic() > deadline:
                raise ViewerError(f"the page: not within {timeout_s:g} s: {what or expression}{problem}")
            time.sleep(0.1)

    def text(self) -> str:
        """The text on the page."""
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def picture(self) -> bytes:
        """The page as the bytes of a PNG."""
        return base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])

    def save_picture(self, path: str | Path) -> None:
        """Write the page to a PNG file, atomically."""
        content = self.picture()
        with atomic_write(path) as file:
            file.write(content)

    def click(self, x: float, y: float) -> None:
        """Press and release the left mouse button at a pixel of the page."""
        self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """One DevTools command and its answer."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_START_S))
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise ViewerError(f"browser: {method}: {answer['error'].get('message')}")
                return dict(answer["result"])

    def close(self) -> None:
        """End the browser."""
        self._socket.close()
        self._end_process()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> Any:
        ports = Path(self._profile.name) / "DevToolsActivePort"
        deadline = time.monotonic() + _START_S
        while not (ports.is_file() and len(ports.read_text().splitlines()) >= 2):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ViewerError(f"Chromium did not start (exit code {self._process.poll()})")
            time.sleep(0.05)
        port = ports.read_text().splitlines()[0]
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://127.0.0.1:{port}/json/list", timeout=_START_S) as answer:
            tabs = json.load(answer)
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        return connect(address, max_size=None, open_timeout=_START_S, proxy=None)

    def _end_process(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()
