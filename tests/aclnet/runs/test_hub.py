"""Push to and pull from a Hub of our own on this machine, which speaks as much as is needed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import aclnet
from aclnet.export.write import CARD, export, first_recordings
from aclnet.runs.calibration import CALIBRATION
from aclnet.runs.hub import is_on_hub, pull, push

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789" * 4
PROGRAM = """
import sys
from pathlib import Path
import aclnet
from aclnet.runs.hub import push
folder, walks = sys.argv[1:]
print(push(Path(folder), "ann/gait", "MODEL_CARD.md"))
model = aclnet.load("hf://ann/gait")
print(model.fingerprint, len(model.embed(walks).sample))
try:
    aclnet.load(Path("hf://ann/other"))
except ValueError as error:
    print(error)
"""


class Hub(BaseHTTPRequestHandler):
    """One repository, ann/gait."""

    files: dict[str, bytes]
    asked: list[str]
    private: list[bool]

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    @property
    def base(self) -> str:
        return f"http://{self.headers['Host']}"

    def answer(self, content: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def say(self, **values: Any) -> None:
        self.answer(json.dumps(values).encode(), Content_Type="application/json")

    def do_POST(self) -> None:
        self.asked.append(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not text and "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                text += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if self.path == "/api/repos/create":
            asked = json.loads(text)
            self.private.append(asked.get("private") or asked.get("visibility") == "private")
            self.say(url=f"{self.base}/ann/gait", name="ann/gait", id="ann/gait")
        elif "/preupload/" in self.path:
            names = [one["path"] for one in json.loads(text)["files"]]
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            self.say(files=[{"path": name, **modes} for name in names])
        elif "/commit/" in self.path:
            for line in map(json.loads, text.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            place = f"{self.base}/ann/gait/commit/{COMMIT}"
            self.say(success=True, commitOid=COMMIT, commitUrl=place)
        else:
            self.say()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        kept = re.fullmatch(r"/ann/gait/resolve/\w+/(.+)", path)
        if kept and kept[1] in self.files:
            content = self.files[kept[1]]
            tag = hashlib.sha1(content).hexdigest()
            self.answer(content, ETag=f'"{tag}"', X_Repo_Commit=COMMIT)
        elif path.startswith("/api/models/ann/gait/tree"):
            listed = [
                {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                for n, c in self.files.items()
            ]
            self.answer(json.dumps(listed).encode(), Content_Type="application/json")
        elif path.startswith("/api/models/ann/gait"):
            self.say(id="ann/gait", sha=COMMIT, siblings=[{"rfilename": n} for n in self.files])
        else:
            self.answer(b"{}", 404, X_Error_Code="RepoNotFound")


@pytest.fixture
def hub() -> Iterator[tuple[str, type[Hub]]]:
    """The address of a Hub that holds nothing yet, and what it was asked."""
    handler = type("Empty", (Hub,), {"files": {}, "asked": [], "private": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        server.server_close()


def test_a_model_is_pushed_and_pulled(
    hub: tuple[str, type[Hub]], first: Path, walkers: Path, ready: Any, tmp_path: Path
) -> None:
    address, served = hub
    model, folder = aclnet.load(first), tmp_path / "model"
    store = first_recordings(model, walkers)
    export(model, store, "safetensors", folder, lambda _: "# Card\n", named=False)
    (folder / CALIBRATION).write_text("{}")
    environment = {
        "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_none",
        "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }  # fmt: skip
    process = ready("-c", PROGRAM, folder, walkers, env=environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    commit, loaded, refused = out.splitlines()
    assert commit == f"{address}/ann/gait/commit/{COMMIT}"
    assert loaded == f"{model.fingerprint} {len(model.embed(walkers).sample)}"
    assert refused.startswith("hf://ann/other: the Hub cannot be used: ")
    assert served.private == [True]
    assert [*(tmp_path / "home").rglob(CALIBRATION)]
    assert served.files.keys() == {"README.md", "model.json", "model.safetensors", CALIBRATION}
    assert served.files["README.md"] == (folder / CARD).read_bytes()
    assert not any("telemetry" in path for path in served.asked)


def test_addresses_on_the_hub_are_known_by_their_form() -> None:
    assert is_on_hub("hf://ann/gait")
    assert is_on_hub(Path("hf://ann/gait@v1"))
    assert not any(map(is_on_hub, ("ann/gait", "hf://ann", "hf://ann/gait/model.onnx", "/hf:/a/b")))
    with pytest.raises(ValueError, match="an address on the Hub is hf://USER/NAME"):
        pull("hf://ann")
    with pytest.raises(ValueError, match="'gait' is not a repository of the Hub: give USER/NAME"):
        push(Path("model"), "gait", CARD)
