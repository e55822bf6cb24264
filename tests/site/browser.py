"""Headless Chromium by its DevTools protocol over a pipe: no driver, no port, no way out."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = [
    "--headless=new", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
    "--hide-scrollbars",
]  # fmt: skip
KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37,
        "ArrowRight": 39, "Tab": 9}  # fmt: skip


class Tab:
    """One tab. `complaints` are console errors and exceptions, `requests` the URLs asked for."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._number, self._buffer = write, read, 0, b""
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its answer; what happens meanwhile is kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._hear(answer)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, url: str) -> None:
        """Go there and wait for its load event."""
        self.complaints, self.requests = [], []
        self.call("Page.navigate", url="about:blank")  # a change of the hash alone loads nothing
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + 30
        while self.run("document.readyState + location.href.slice(0, 5)") in {
            "completeabout", "loadingabout", "loadingfile:", "interactivefile:", "interactiveabout",
        }:  # fmt: skip
            assert time.monotonic() < deadline, f"{url} does not load"
            time.sleep(0.02)
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def run(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key; a text is typed."""
        if key not in KEYS and len(key) > 1:
            self.call("Input.insertText", text=key)
            return
        plain = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS.get(key, 0)}
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **plain, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **plain)

    def size(self, width: int, height: int = 900, phone: bool = False) -> None:
        """The window."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=phone)  # fmt: skip

    def media(self, scheme: str = "light", medium: str = "") -> None:
        """Light or dark; "print" as the medium."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=medium, features=features)

    def picture(self, path: Path, whole: bool = True) -> None:
        """A screenshot of the whole page."""
        made = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(made["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser is gone"
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def _hear(self, event: dict[str, Any]) -> None:
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(str(params["entry"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])


@contextlib.contextmanager
def browser(profile: Path, reaches: str = "") -> Iterator[Tab]:
    """A browser that can reach nothing but files, and the host that is named."""
    to_child, write = os.pipe()
    read, from_child = os.pipe()
    options = [*OPTIONS, f"--user-data-dir={profile}"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND" + (f", EXCLUDE {reaches}" * bool(reaches))]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []

    def wire() -> None:  # the protocol's pipes are 3 and 4, whatever numbers ours have
        high = [os.dup2(to_child, 60), os.dup2(from_child, 61)]
        for number, end in enumerate(high, start=3):
            os.dup2(end, number)

    child = subprocess.Popen(
        [str(CHROMIUM), *options], preexec_fn=wire, pass_fds=(3, 4),  # noqa: PLW1509
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_child)
    os.close(from_child)
    try:
        yield Tab(write, read)
    finally:
        child.terminate()
        child.wait(10)
        os.close(write)
        os.close(read)
