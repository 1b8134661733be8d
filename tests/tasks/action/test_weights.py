"""Released weights as a run: equal logits, and one sentence for whatever does not fit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.config import load_settings
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.runs.model import load
from aclnet.skeleton import load_layout
from tasks.action.settings import ActionSettings
from tasks.action.weights import read_weights

Call = Callable[..., Any]
RECIPE = """
data: {source: file}
split: store
clip:
  frames: 8
  sampling: uniform
  streams: [j]
  normalise: {centre: none, scale: none, heading: none}
network:
  encoder: {name: affinity_gcn, width: 16, blocks: 4, widen_at: [3], stride_at: [3]}
test: {clips: 1}
"""


@pytest.fixture
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "action" / "backbone_small_ntu25.npz") as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def state(golden: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {
        key.removeprefix("w/"): torch.from_numpy(array)
        for key, array in golden.items()
        if key.startswith("w/")
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    info = StoreInfo(
        name="seven",
        layout=load_layout("ntu25").to_dict(),
        channels=("x", "y", "z"),
        unit="metre",
        classes=tuple(f"c{i}" for i in range(7)),
    )
    generator = np.random.default_rng(0)
    samples = [
        Sample(
            f"s{i}{role}",
            generator.normal(size=(9, 2, 25, 3)).astype(np.float32),
            identity=role,
            label=f"c{i}",
            split=role,
        )
        for i in range(7)
        for role in ("train", "test")
    ]
    write_store(tmp_path / "store", samples, info)
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path / "store"


def importing(call: Call, file: Path, data: Path, *more: object, code: int = 0) -> Any:
    recipe = data.with_name("r.yaml")
    run = data.with_name("run")
    places = ("--run", run, "-c", recipe, "--data", data)
    return call("action", "import-weights", file, *places, *more, code=code)


def test_a_released_checkpoint_gives_equal_logits(
    call: Call, golden: dict[str, np.ndarray], state: dict[str, Tensor], data: Path
) -> None:
    file = data.with_name("epoch_150.pth")
    losses = {"cls_head.inter_loss.cl_fc.weight": torch.zeros(256, 625)}
    prefixed = {f"module.{key}": tensor for key, tensor in {**state, **losses}.items()}
    torch.save({"meta": {"epoch": 150}, "state_dict": prefixed}, file)
    done = importing(call, file, data)
    said = " ".join(done.err.split())
    assert f"{len(state)} tensors fill" in said
    assert "unused projections of the losses: 1 (cls_head" in said
    run = data.with_name("run")
    record = json.loads((run / "record.json").read_text())
    assert record["objective"] == "imported"
    assert record["counts"]["test"] == 7
    model, settings = load(run), load_settings(ActionSettings, run / "settings.yaml")
    with torch.no_grad():
        logits = model.network(torch.from_numpy(golden["x"])).logits.numpy()
    tolerance = 2e-6 * float(np.abs(golden["eval_logits"]).max())
    np.testing.assert_allclose(logits, golden["eval_logits"], rtol=0, atol=tolerance)
    assert settings.objective.name == "ce"
    assert len(model.classes) == 7
    # The last weights are the tested ones, once; evaluation and prediction find them.
    assert sorted(path.suffix for path in run.glob("*.pt")) == [".pt"]
    call("action", "eval", "--run", run, "--json", run.with_name("again.json"))
    metrics = json.loads(run.with_name("again.json").read_text())["metrics"]
    assert metrics == record["metrics"]
    call("action", "predict", data, "--run", run)


def test_what_does_not_fit_is_said_and_nothing_written(
    call: Call, state: dict[str, Tensor], data: Path
) -> None:
    file = data.with_name("w.pth")
    run = data.with_name("run")
    state["cls_head.fc_cls.weight"] = torch.zeros(60, 32)
    torch.save(state, file)
    done = importing(call, file, data, code=2)
    said = " ".join(done.err.split())
    assert "classifier.weight has shape (60, 32) instead of (7, 32)" in said
    del state["cls_head.fc_cls.weight"]
    torch.save(state, file)
    done = importing(call, file, data, code=2)
    assert "classifier.weight is missing" in " ".join(done.err.split())
    done = importing(call, file, data, "--set", "network.encoder={name: temporal_conv}", code=2)
    assert "released weights are of the encoder affinity_gcn" in " ".join(done.err.split())
    assert not run.exists()


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch harmed",)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"a": Harmful()}}, "bad.pth")
    with pytest.raises(ValueError, match=r"bad\.pth: not a PyTorch checkpoint of tensors"):
        read_weights(Path("bad.pth"))
    assert not Path("harmed").exists()


def test_other_contents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file"):
        read_weights(tmp_path / "none.pth")
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    with pytest.raises(ValueError, match="expected tensors by name"):
        read_weights(tmp_path / "epoch.pth")
