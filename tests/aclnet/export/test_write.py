"""An exported network answers as the run's does, on recordings of real people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from aclnet.export.write import Written, export, shareable
from aclnet.runs.calibration import CALIBRATION, Calibration
from aclnet.runs.info import InitialWeights

from .conftest import ENCODERS, Made

for _needed in ("onnxruntime", "onnxscript"):
    pytest.importorskip(_needed)

Untrained = Callable[..., Made]
# Tracing takes long, most of it the preparation's, so that each preparation is traced with one
# network and the other networks see clips as they are. With "action" they see two persons in
# several parts of clips.
AS_THEY_ARE = {
    "normalise": {"scale": "none", "centre": "none", "heading": "none"},
    "streams": ["j"],
    "motion": "clip",
}
EACH: dict[str, tuple[str, dict[str, Any]]] = {
    "affinity_gcn": ("action", AS_THEY_ARE),
    "clip_mlp": ("action", AS_THEY_ARE),
    "ctr_gcn": (
        "action",
        {
            "normalise": {"scale": "none", "centre": "people", "heading": "people"},
            "streams": ["j", "ip", "ipm", "jd"],
            "motion": "clip",
        },
    ),
    "joint_transformer": ("action", {}),
    "resgcn": ("action", AS_THEY_ARE),
    "skate_former": ("action", AS_THEY_ARE),
    "st_gcn": (
        "action",
        {"normalise": {"scale": "none", "centre": "joint", "heading": "shoulders"}},
    ),
    "temporal_conv": (
        "gait",
        {
            "normalise": {
                "scale": "torso",
                "centre": "frame",
                "heading": "frame",
                "heading_smooth_frames": 5,
            }
        },
    ),
    "transg": ("reid", {}),
}


def card(written: Written) -> str:
    return f"# {written.exported.kind}\n"


# With every task, and with a network that takes one number of frames alone.
ALWAYS = ("clip_mlp", "ctr_gcn", "temporal_conv", "transg")


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoder",
    [
        name if name in ALWAYS else pytest.param(name, marks=pytest.mark.thorough)
        for name in ENCODERS
    ],
)
def test_onnx_answers_as_torch(encoder: str, untrained: Untrained, tmp_path: Path) -> None:
    task, changes = EACH[encoder]
    model, store = untrained(encoder, task, **changes)
    written = export(model, store, "onnx", tmp_path / "out", card, named=True)
    graph = written.exported.graph
    assert graph is not None
    assert written.comparison.difference < 1e-5
    assert (written.comparison.lengths or 0) < 1e-5
    assert graph.persons is None
    # The mean over equal parts of a clip is not an operator of ONNX.
    assert graph.frames == (model.settings.clip.frames if encoder == "clip_mlp" else None)
    found = aclnet.load(tmp_path / "out")
    walks = [store.clip(row) for row in range(4)]
    wanted = model.embed(walks).embedding
    np.testing.assert_allclose(
        found.embed(walks).embedding, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max()
    )
    for one, other in zip(found.classify(walks), model.classify(walks), strict=True):
        assert one.classes == other.classes
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


@pytest.mark.parametrize("text", [None, "{}"])
def test_a_calibration_of_other_weights_is_left_out(
    text: str | None, untrained: Untrained, tmp_path: Path
) -> None:
    made, store = untrained("temporal_conv", "action")
    model = replace(made, run=tmp_path)
    (tmp_path / model.settings.weights).write_bytes(b"weights")
    known = Calibration(
        score="logit", temperature=1, known=(0.5,), people=1, error=(0.1, 0.1), weights="others"
    )
    known.write(tmp_path)
    if text is not None:
        (tmp_path / CALIBRATION).write_text(text)
    said: list[str] = []
    export(model, store, "torch", tmp_path / "out", card, named=True, report=said.append)
    assert not (tmp_path / "out" / CALIBRATION).exists()
    (line,) = (line for line in said if line.startswith("exporting without a calibration: "))
    assert "action calibrate" in line


def test_what_is_shared_names_neither_places_nor_people(untrained: Untrained) -> None:
    model, _ = untrained("temporal_conv", "action")
    initial = InitialWeights(
        run="/home/me/runs/first", task="action", objective="acl", fingerprint="", loaded=1, left={}
    )
    data = model.settings.data.model_copy(
        update={
            "path": Path("/home/me/walks.npz"),
            "layout": "/home/me/own.yaml",
            "map_to": "/home/me/own.yaml",
            "options": {
                "labels": "/home/me/labels.csv",
                "markers": "/home/m.yaml",
                "missing": "/home/me/m.txt",
                "persons": 2,
            },
            "fill_gaps": 0.3,
            "resample_fps": 30,
        }
    )
    info = model.info.model_copy(update={"initial": initial})
    shared = shareable(info, model.settings.model_copy(update={"data": data}), named=False)
    text = shared.model_dump_json()
    assert "/home/me" not in text
    assert not any(name in text for name in model.classes)
    assert shared.model is not None
    kept = ("path", "layout", "map_to", "options", "fill_gaps", "resample_fps")
    found = [shared.model["data"][name] for name in kept]
    assert found == ["data.npz", None, "own", {"persons": 2}, 0.3, 30]
