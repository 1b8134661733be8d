"""`aclnet-task serve` as a process: what it says, how it ends, what it connects to."""

from __future__ import annotations

import platform
import re
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OFFLINE = Path(__file__).parents[1] / "offline_commands.py"


Start = Callable[..., tuple[Any, list[str]]]


@pytest.fixture
def start(ready: Callable[..., Any]) -> Iterator[Start]:
    """Start a process; it, and its lines up to the token or the address."""
    started: list[Any] = []

    def run(*command: object, **environment: str) -> tuple[Any, list[str]]:
        process = ready(*command, "--port", "0", env=environment, pipes=True)
        started.append(process)
        return process, [process.stdout.readline() for _ in range(1 + ("--ask-token" in command))]

    yield run
    for process in started:
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(start: Start, gesture_run: Path, number: signal.Signals) -> None:
    process, lines = start("-m", "tasks", "serve", "--run", gesture_run, "--ask-token")
    found = re.fullmatch(r"serving on (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", lines[0])
    assert found is not None
    assert re.fullmatch(r"token: \S{43}\n", lines[1])
    with urllib.request.urlopen(found[1], timeout=20) as page:
        assert page.url.endswith("/enter")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, "")
    assert err == "error: stopped: nothing is kept but who was enrolled\n"


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="a filter of system calls is known for Linux on x86-64 and ARM only",
)
def test_no_socket_but_the_listening_one(
    start: Start, gesture_run: Path, gesture_bytes: Callable[..., bytes]
) -> None:
    """The kernel ends the process, or its readers, where they ask for another."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    command = (OFFLINE, "after listening", "--", "serve", "--run", gesture_run)
    process, lines = start(*command, **proxies)
    address = lines[0].split()[2]
    with urllib.request.urlopen(address, timeout=20) as page:
        (token,) = set(re.findall(r'name="form_token" value="([^"]+)"', page.read().decode()))
    edge = b"edge-of-a-part"
    parts = ((b"form_token", token.encode()), (b'files"; filename="a.npz', gesture_bytes("raise")))
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (edge, *part)
        for part in parts
    )
    kind = {"Content-Type": f"multipart/form-data; boundary={edge.decode()}"}
    asked = urllib.request.Request(f"{address}look", body + b"--%s--\r\n" % edge, kind)
    with urllib.request.urlopen(asked, timeout=60) as page:
        assert "<h3>raise</h3>" in page.read().decode()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1].startswith("error: stopped")
    assert process.returncode == 128 + signal.SIGINT


def test_mistakes(mistake: Callable[..., str], gesture_run: Path, tmp_path: Path) -> None:
    run = ("serve", "--run", gesture_run, "--port", "0")
    mistake("serve", "--run", tmp_path / "none", words=["none"])
    mistake(*run, "--gallery", tmp_path / "none", words=["there is no gallery"])
    mistake(*run, "--runs", tmp_path / "none", words=["--runs", "no such folder"])
    mistake(*run, "--host", "example.org", words=["--host example.org", "numeric"])
    mistake(*run, "--host", "192.0.2.1", words=["cannot listen on 192.0.2.1", "--host"])
