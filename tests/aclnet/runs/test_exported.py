"""Exported models are used like runs, with ONNX without torch, and checked when they are read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from aclnet.export.write import Written, export, first_recordings
from aclnet.runs.exported import Kind
from aclnet.runs.model import Model

for _needed in ("onnxruntime", "onnxscript", "safetensors"):
    pytest.importorskip(_needed)

KINDS: tuple[Kind, ...] = ("onnx", "safetensors", "torch")
USED = """
import sys
import aclnet, numpy as np
place, source, out = sys.argv[1:]
model = aclnet.load(place)
(found,) = model.classify(source)[:1]
np.savez(out, embedding=model.embed(source).embedding, shares=found.probabilities)
print(model.fingerprint, model.dimensions, *found.classes)
for unfit in (f"{place}/../safetensors", f"{place}/../run"):
    try:
        aclnet.load(unfit)
    except ValueError as error:
        print(error)
"""


def card(written: Written) -> str:
    return written.exported.sha256


@pytest.fixture(scope="module")
def exported(
    first: Path, walkers: Path, traced: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of a run and its exported models, each in a folder named by its kind."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(first, folder / "run")
    model = aclnet.load(first)
    store = first_recordings(model, walkers)
    with traced():
        for kind in KINDS:
            export(model, store, kind, folder / kind, card, named=kind != "torch")
    return folder


@pytest.fixture
def damaged(exported: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the ONNX model to be changed; its description may be, or it follows the file."""

    def make(content: bytes | None = None, **changes: object) -> Path:
        place = tmp_path / "model"
        shutil.copytree(exported / "onnx", place)
        about = json.loads((place / "model.json").read_text())
        if content is not None:
            (place / "model.onnx").write_bytes(content)
            about["sha256"] = hashlib.sha256(content).hexdigest()
        (place / "model.json").write_text(json.dumps(about | changes))
        return place

    return make


def same(found: Model, wanted: Model, source: Path) -> None:
    vectors = wanted.embed(source).embedding
    scale = np.abs(vectors).max()
    np.testing.assert_allclose(found.embed(source).embedding, vectors, rtol=0, atol=1e-5 * scale)
    assert (found.fingerprint, found.dimensions) == (wanted.fingerprint, wanted.dimensions)
    assert found.layout == wanted.layout


WATCHED = """
import os, sys
from pathlib import Path

def watch(event, arguments):
    if event == "import" and arguments[0] == "onnxruntime":
        sys.exit(0 if os.environ.get("ORT_DISABLE_TELEMETRY") == "1" else 3)

sys.addaudithook(watch)
for name in ("CI", "ORT_DISABLE_TELEMETRY"):
    os.environ.pop(name, None)
"""
DOORS = {
    "a session": "from aclnet.runs.exported import onnx_session; onnx_session(b'', Path('m.onnx'))",
    "8 bits": "from aclnet.export.integer import in_8_bits; in_8_bits(b'', None, False)",
}


@pytest.mark.parametrize("door", DOORS)
def test_onnxruntime_is_silenced_before_it_is_imported(door: str, ready: Any) -> None:
    assert ready("-c", WATCHED + DOORS[door]).wait() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_model_is_used_like_its_run(
    kind: Kind, exported: Path, first: Path, walkers: Path, tmp_path: Path
) -> None:
    run, model = aclnet.load(first), aclnet.load(exported / kind)
    same(model, run, walkers)
    assert model.classes == (("class 1", "class 2", "class 3") if kind == "torch" else run.classes)
    # Under another name, as others pass it on.
    file = exported / kind / json.loads((exported / kind / "model.json").read_text())["file"]
    renamed = tmp_path / f"gait{file.suffix}"
    shutil.copy(file, renamed)
    shutil.copy(exported / kind / "model.json", tmp_path)
    same(aclnet.load(renamed), run, walkers)


def test_onnx_runs_where_torch_is_not_installed(
    exported: Path,
    first: Path,
    walkers: Path,
    without_torch: Callable[..., str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "found.npz"
    about, *refused = without_torch(USED, exported / "onnx", walkers, out).splitlines()
    run = aclnet.load(first)
    wanted = run.classify(walkers)[0]
    assert about.split() == [run.fingerprint, str(run.dimensions), *wanted.classes]
    assert len(refused) == 2
    assert all("needs torch, which is not installed" in line for line in refused)
    with np.load(out) as found:
        np.testing.assert_allclose(found["embedding"], run.embed(walkers).embedding, atol=1e-5)
        np.testing.assert_allclose(found["shares"], wanted.probabilities, atol=1e-5)


def test_nothing_of_the_training_s_places_is_passed_on(exported: Path, first: Path) -> None:
    people = aclnet.load(first).classes
    for path in (exported / "torch").iterdir():
        content = path.read_bytes()
        assert str(first.parent).encode() not in content, path
        assert path.suffix != ".json" or not any(f'"{name}"'.encode() in content for name in people)
    graph = (exported / "onnx" / "model.onnx").read_bytes()
    assert b".py" not in graph  # the exporter notes the lines of the code


def test_a_file_that_is_not_the_described_one_is_refused(damaged: Callable[..., Path]) -> None:
    place = damaged()
    content = bytearray((place / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (place / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"is not the file that its model.json describes"):
        aclnet.load(place)
    (place / "model.onnx").unlink()
    with pytest.raises(ValueError, match=r"model.onnx is missing, which .* describes"):
        aclnet.load(place)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"content": b"no graph"}, "onnxruntime cannot open it"),
        ({"format": 2}, "is of version 2, but this program reads versions up to 1"),
        ({"kind": "safetensors"}, "is damaged: graph: only an ONNX model has one"),
        ({"kind": "safetensors", "graph": None}, "not a whole safetensors file"),
        ({"kind": "torch", "graph": None}, "not a checkpoint of aclnet"),
        ({"run": {}}, "is damaged: run.task"),
    ],
)
def test_a_damaged_model_is_refused(
    changes: dict[str, object], words: str, damaged: Callable[..., Path]
) -> None:
    with pytest.raises(ValueError, match=words):
        aclnet.load(damaged(**changes))


def test_weights_of_another_network_are_refused(exported: Path, tmp_path: Path) -> None:
    place = tmp_path / "other"
    shutil.copytree(exported / "safetensors", place)
    about = json.loads((place / "model.json").read_text())
    about["run"]["model"]["network"]["encoder"]["width"] = 16
    (place / "model.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="belongs to another model"):
        aclnet.load(place)


def test_a_file_alone_is_refused(exported: Path, tmp_path: Path) -> None:
    shutil.copy(exported / "onnx" / "model.onnx", tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=r"m.onnx has no model.json beside it"):
        aclnet.load(tmp_path / "m.onnx")


def test_other_devices_than_the_library_s_are_refused(exported: Path) -> None:
    with pytest.raises(ValueError, match="device 'tpu' cannot be used: onnxruntime here has cpu"):
        aclnet.load(exported / "onnx", "tpu")
    with pytest.raises(ValueError, match="is not a network of torch"):
        _ = aclnet.load(exported / "onnx").network


def test_a_graph_needs_no_encoder_that_is_registered(
    damaged: Callable[..., Path], exported: Path, walkers: Path
) -> None:
    place = damaged()
    about = json.loads((place / "model.json").read_text())
    about["run"]["model"]["network"]["encoder"] = {"name": "of_a_plugin", "own": 3}
    (place / "model.json").write_text(json.dumps(about))
    same(aclnet.load(place), aclnet.load(exported / "onnx"), walkers)
