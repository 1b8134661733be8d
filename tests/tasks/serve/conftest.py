"""Pages that are served for the tests, and a small client."""

from __future__ import annotations

import http.client
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra page is not installed")
pytest.importorskip("uvicorn", reason="the extra page is not installed")

from aclnet.training.machine.interrupts import StopRequest
from tasks import Gallery
from tasks.serve.access import Access
from tasks.serve.app import make_app
from tasks.serve.browse import Places
from tasks.serve.desk import Desk
from tasks.serve.listening import answer, listen

Call = Callable[..., Any]


class Answer(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]


@dataclass
class Client:
    """A browser without a window, which does not hold itself back."""

    access: Access
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(self.access.host, self.access.port, timeout=60)
        sent = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        connection.request(method, path, body or None, sent | dict(headers or {}))
        got = connection.getresponse()
        text = got.read().decode("utf-8", "replace")
        connection.close()
        found = {name.lower(): value for name, value in got.getheaders()}
        if "set-cookie" in found:
            name, _, value = found["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(got.status, text, found)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(
        self,
        path: str,
        files: Mapping[str, bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: str,
    ) -> Answer:
        """Send a form as this page's, unless its token is given."""
        fields = {"form_token": self.access.form_token} | fields
        edge = secrets.token_hex(8)
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
            for k, v in fields.items()
        ]
        parts += [
            f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in (files or {}).items()
        ]
        kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        body = b"".join(parts) + f"--{edge}--\r\n".encode()
        return self.ask("POST", path, body, kind | dict(headers or {}))


@contextmanager
def _serving(
    run: Path,
    gallery: Path | None = None,
    places: Places | None = None,
    ask_token: bool = False,
    most: int = 1 << 20,
) -> Iterator[Client]:
    desk = Desk(run, None if gallery is None else str(gallery), 3, 0.05)
    stop = StopRequest()
    with listen("127.0.0.1", 0) as bound:
        access = Access.of(bound, ask_token)
        app = make_app(desk, places or Places(), access, most)
        thread = threading.Thread(target=answer, args=(app, bound, stop))
        thread.start()
        try:
            yield Client(access)
        finally:
            stop.number = 15
            thread.join(30)
            desk.close()
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    """Serve a page while entered."""
    return _serving


@pytest.fixture(scope="session")
def keypoints(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key points of walkers in files of MMPose: `001/nm-01-090.json`."""
    folder = tmp_path_factory.mktemp("keypoints") / "all"
    call("data", "walkers", folder, "--people", 6)
    return folder


@pytest.fixture(scope="module")
def gallery(first: Path, keypoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery with a threshold, and nobody in it."""
    place = tmp_path_factory.mktemp("gallery") / "people.gallery"
    with Gallery.create(place, first) as made:
        files = [
            (person, keypoints / person / f"nm-0{take}-090.json")
            for person in ("003", "004", "005", "006")
            for take in (1, 2, 3)
        ]
        found = made._loaded().embed([file for _, file in files], people="apart")
        made.calibrate_embeddings([who for who, _ in files], found.embedding, target=0.1)
    return place


@pytest.fixture(scope="module")
def page(first: Path, gallery: Path) -> Iterator[Client]:
    """The page of a gallery."""
    with _serving(first, gallery) as client:
        yield client


@pytest.fixture(scope="module")
def actions(gesture_run: Path) -> Iterator[Client]:
    """The page of a run of action recognition."""
    with _serving(gesture_run) as client:
        yield client


@pytest.fixture
def gesture_bytes(clips_file: Callable[..., Path], gesture: Call) -> Callable[..., bytes]:
    """The content of a file of one gesture."""

    def make(kind: str, seed: int = 20) -> bytes:
        frames: np.ndarray = gesture(kind, seed)
        return clips_file(f"{kind}{seed}.npz", frames).read_bytes()

    return make


def words(text: str) -> str:
    """What a page shows, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


@pytest.fixture(scope="session")
def shown() -> Callable[[str], str]:
    """What a page shows, without its markup."""
    return words
