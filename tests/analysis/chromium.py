"""A headless Chromium, spoken to over a pipe: nothing to install but itself."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 60.0


def find() -> str | None:
    """The program: `RECFLEET_CHROMIUM` if set, else the first of `NAMES` that is installed."""
    return os.environ.get("RECFLEET_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A page in Chromium, by the DevTools protocol (chromedevtools.github.io/devtools-protocol).

    events: all that the page has sent since it was opened: what it logged, threw and asked the network for.
    """

    def __init__(self, program: str) -> None:
        self._home = tempfile.mkdtemp(prefix="recfleet-chromium-")
        (their_input, self._out), (self._in, their_output) = os.pipe(), os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4; copies above 10 cannot be overwritten by these.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (their_input, their_output)]
        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self._home}", "about:blank"],
            preexec_fn=lambda: [os.dup2(end, fd) for end, fd in zip(ends, (3, 4), strict=True)] and None,
            pass_fds=(3, 4),
            env=os.environ | {"TMPDIR": self._home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (their_input, their_output, *ends):
            os.close(end)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": arguments}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return dict(answer["result"])
            self.events.append(answer)

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(until - time.monotonic(), 0))
            assert ready, "Chromium does not answer"
            chunk = os.read(self._in, 1 << 20)
            assert chunk, "Chromium went away"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))

    def open(self, file: Path, width: int = 1200, height: int = 900, *, script: bool = True, **media: str) -> None:
        """Show a file. media: features such as prefers_color_scheme="dark", or media="print"."""
        kind = media.pop("media", "")
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self("Emulation.setEmulatedMedia", media=kind, features=features)
        self("Emulation.setScriptExecutionDisabled", value=not script)
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self.events.clear()
        self("Page.navigate", url=file.absolute().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())
        if script:
            self.settle()

    def settle(self) -> None:
        """Wait until the page has been laid out twice."""
        self.value("new Promise(go => requestAnimationFrame(() => requestAnimationFrame(() => go(1))))")

    def value(self, expression: str) -> Any:
        """What an expression is worth in the page."""
        found = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key."""
        text: dict[str, Any] = {"text": key} if len(key) == 1 else {}
        if key == "Enter":
            text = {"text": "\r", "windowsVirtualKeyCode": 13}
        self("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self("Input.dispatchKeyEvent", type="keyUp", key=key)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the mouse at a place of the view."""
        button = "none" if kind == "mouseMoved" else "left"
        self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=1, clickCount=1)

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self._home, ignore_errors=True)
