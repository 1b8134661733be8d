"""Who may ask for what: hosts, origins, tokens, sizes, paths."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.serve.access import Access
from tasks.serve.browse import Places

EVIL = "<script>window.hacked = 1</script>"


@pytest.fixture(scope="module")
def guarded(
    serving: Any, gesture_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A page that asks for a token, with a report and runs to browse."""
    folder = tmp_path_factory.mktemp("browsed")
    report, runs = folder / "report", folder / "runs"
    (report / "figures").mkdir(parents=True)
    (report / "index.html").write_text(f"<!doctype html><title>r</title>{EVIL}")
    (report / "figures" / "cmc.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (report / ".hidden.txt").write_text("secret")
    (folder / "secret.txt").write_text("secret")
    (report / "out.txt").symlink_to(folder / "secret.txt")
    (report / "up").symlink_to(folder)
    os.mkfifo(report / "pipe.txt")
    runs.mkdir()
    (runs / "good").symlink_to(gesture_run)
    (runs / "mine").mkdir()
    (runs / "mine" / "record.json").write_bytes((gesture_run / "record.json").read_bytes())
    (runs / "bad").mkdir()
    (runs / "bad" / "record.json").write_text("{")
    (runs / "new").mkdir()
    (runs / "new" / "settings.yaml").write_text("{}")
    with serving(gesture_run, places=Places(report, runs), ask_token=True) as client:
        yield client


@pytest.fixture
def stranger(guarded: Any) -> Any:
    guarded.cookies.clear()
    return guarded


@pytest.fixture
def known(stranger: Any) -> Any:
    form = f"token={stranger.access.token}".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert stranger.ask("POST", "/enter", form, kind).status == 303
    return stranger


def test_nothing_is_shown_without_the_token(stranger: Any) -> None:
    for path in ("/", "/people", "/runs", "/runs/mine", "/report", "/report/index.html", "/none"):
        done = stranger.get(path)
        assert (done.status, done.headers["location"]) == (303, "/enter")
    for path in ("/look", "/enrol", "/remove"):
        assert stranger.post(path, {"a.json": b"{}"}).status == 403
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for wrong in (b"token=", b"token=%00", b"token=%C3%A9", b"", b"token=" + b"x" * 43):
        done = stranger.ask("POST", "/enter", wrong, kind)
        assert done.status == 403
        assert "set-cookie" not in done.headers
    for value in ("", "x", stranger.access.token, "\xe9"):
        stranger.cookies[stranger.access.cookie] = value
        assert stranger.get("/").status == 303


def test_the_token_opens_the_page(known: Any) -> None:
    done = known.get("/")
    assert done.status == 200
    assert known.access.token not in done.text
    assert known.access.form_token in done.text
    (cookie,) = known.cookies.values()
    assert cookie != known.access.token


def test_no_token_is_made_for_this_machine_alone() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert Access.of(bound).token == ""
        assert len(Access.of(bound, ask_token=True).token) > 40
    with socket.socket() as bound:
        bound.bind(("0.0.0.0", 0))
        assert len(Access.of(bound).token) > 40


@pytest.mark.parametrize("token", ["", "t"])
def test_hosts(token: str) -> None:
    access = Access("127.0.0.1", 8765, token)
    for own in ("127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"):
        assert access.is_own_host(own)
    for other in (
        "", "localhost", "localhost:1", "evil.example:8765", "127.0.0.1.evil.example:8765",
        "a@localhost:8765", "localhost:8765@evil.example", "localhost:x", "[::1:8765", "[v]:8765",
    ):  # fmt: skip
        assert not access.is_own_host(other), other
    # An address that another machine sees, and this machine's name in a domain.
    for far in ("192.0.2.7:8765", f"{socket.gethostname()}.lab.example:8765"):
        assert access.is_own_host(far) == bool(token)


def test_other_sites_can_change_nothing(actions: Any, gesture_bytes: Callable[..., bytes]) -> None:
    files = {"video.npz": gesture_bytes("raise")}
    own = f"http://{actions.access.host}:{actions.access.port}"
    assert actions.post("/look", files, {"Origin": own}).status == 200
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": f"http://{actions.access.host}:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert actions.post("/look", files, headers).status == 403
    assert actions.get("/", Host="evil.example").status == 421
    for token in ("", "x", "\u00e9"):
        assert actions.post("/look", files, form_token=token).status == 403
        assert actions.post("/remove", form_token=token, person="Ann").status == 403
    assert actions.get("/look").status == 405


def test_every_answer_has_its_policy(known: Any) -> None:
    for path in ("/", "/page.css", "/page.js", "/icon.svg", "/runs", "/none", "/enter"):
        headers = known.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_large_uploads_are_refused(actions: Any) -> None:
    most = (1 << 20) + (1 << 16)
    connection = http.client.HTTPConnection(actions.access.host, actions.access.port, timeout=30)
    connection.putrequest("POST", "/look")
    connection.putheader("Content-Length", str(most + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413  # before anything was sent
    connection.close()
    # In pieces, without saying how many.
    connection = http.client.HTTPConnection(actions.access.host, actions.access.port, timeout=30)
    connection.putrequest("POST", "/look")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    pieces = [head, *[b"a" * (most // 8)] * 9]
    try:
        for piece in pieces:
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        assert connection.getresponse().status == 413
    except (ConnectionError, BrokenPipeError):
        pass  # it had hung up already
    finally:
        connection.close()
    for length in ("-1", "x", "9" * 40):
        done = actions.ask("POST", "/look", headers={"Content-Length": length})
        assert done.status in (400, 413)
    files = {f"{number}.json": b"" for number in range(501)}
    assert actions.post("/look", files).status == 400


def test_only_what_lies_in_the_folders_is_shown(known: Any) -> None:
    assert known.get("/report/figures/cmc.svg").status == 200
    listed = known.get("/report").text
    assert "figures/cmc.svg" in listed
    assert "<summary>figures (1)</summary>" in listed
    assert "There is no such page" in known.get("/nowhere").text
    for name in ("out.txt", "pipe.txt", ".hidden.txt", "secret.txt"):
        assert name not in listed
    for path in (
        "out.txt", "up/secret.txt", "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt",
        "figures/../../secret.txt", "figures/%2e%2e/%2e%2e/secret.txt", "/etc/passwd",
        "%2fetc%2fpasswd", "..%5csecret.txt", "index.html%00.txt", ".hidden.txt", "pipe.txt",
        "figures", "figures/", "", "a" * 5000,
    ):  # fmt: skip
        done = known.get(f"/report/{path}")
        assert done.status == 404, path
        assert "secret" not in done.text
    for path in ("good", "../runs/mine", "%2e%2e/runs/mine", "mine/..", "none", "new"):
        assert known.get(f"/runs/{path}").status == 404, path


def test_a_report_has_no_part_in_the_page(known: Any) -> None:
    done = known.get("/report/index.html")
    assert done.text.endswith(EVIL)
    policy = done.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in policy


def test_runs_are_browsed(known: Any, shown: Callable[[str], str]) -> None:
    listed = shown(known.get("/runs").text)
    assert "bad its record cannot be read" in listed
    assert "new no result yet" in listed
    assert "good" not in listed
    page = shown(known.get("/runs/mine").text)
    assert "train.epochs 12" in page
    assert "top1" in page
    assert known.get("/runs/bad").status == 422
