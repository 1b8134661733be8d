"""Chromium without a window, driven through a pipe of its own protocol."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60.0


class Chromium:
    """A tab, by the DevTools protocol over file descriptors 3 and 4."""

    def __init__(self, program: str, profile: Path) -> None:
        for_it, self.to = os.pipe()
        self.back, from_it = os.pipe()
        command = [
            program,
            "--headless=new",
            "--no-sandbox",  # tests in containers run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        plumbing = f'exec 3<&{for_it} 4>&{from_it}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", plumbing, "bash", *command],
            pass_fds=(for_it, from_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(for_it)
        os.close(from_it)
        self.number = 0
        self.rest = b""
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []

    def open_tab(self) -> None:
        tab = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: object) -> dict[str, Any]:
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.back], [], [], PATIENCE)
            part = os.read(self.back, 1 << 20) if ready else b""
            if not part:
                raise ConnectionError("Chromium does not answer")
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def run(self, script: str) -> Any:
        """What a JavaScript expression gives."""
        found = self("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def show(
        self, file: Path, state: str = "", width: int = 1280, scheme: str = "light"
    ) -> list[dict[str, Any]]:
        """Open a file; what happened meanwhile."""
        preference = {"name": "prefers-color-scheme", "value": scheme}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self("Emulation.setEmulatedMedia", features=[preference, calm])
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        # Only another page is loaded anew; another place in the same is not.
        self("Page.navigate", url="about:blank")
        self.events.clear()
        self("Page.navigate", url=f"{file.as_uri()}{state}")
        end = time.monotonic() + PATIENCE
        while self.run("document.readyState !== 'complete' || location.protocol === 'about:'"):
            assert time.monotonic() < end
            time.sleep(0.02)
        return list(self.events)

    def press(self, key: str, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            code = {"Enter": 13, "Tab": 9}[key]
            extra = {"text": text} if text and kind == "keyDown" else {}
            self(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **extra,
            )

    def close(self) -> None:
        try:
            self.session = None
            self("Browser.close")
            self.process.wait(PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.back)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None or sys.platform == "win32":
        pytest.skip(f"no Chromium among {', '.join(NAMES)}: apt-get install chromium")
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    try:
        try:
            browser.open_tab()
        except OSError as error:
            pytest.skip(f"{program} is there and does not start: {error}")
        yield browser
    finally:
        browser.close()
