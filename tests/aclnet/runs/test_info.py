"""What `run.json` and `settings.yaml` say of a run's network, in today's form and in the older."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import aclnet
from aclnet.data.store import open_store
from aclnet.runs.info import read_run_info, read_run_model
from aclnet.runs.windows import window_store
from aclnet.skeleton import load_layout
from aclnet.training.checkpoint import load_checkpoint, save_checkpoint

MSR = load_layout("msr20").to_dict()


def change(path: Path, **values: Any) -> None:
    """Replace values of a YAML or JSON file (JSON is YAML), by dotted name."""
    content = yaml.safe_load(path.read_text())
    for name, value in values.items():
        *above, last = name.split("__")
        part = content
        for key in above:
            part = part[key]
        part[last] = value
    path.write_text(json.dumps(content))


@pytest.fixture(params=["gait", "action"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    origin = request.getfixturevalue({"gait": "first", "action": "gesture_run"}[request.param])
    return Path(shutil.copytree(origin, tmp_path / "run"))


def test_an_older_run_reads_the_same(run: Path, gesture: Callable[..., np.ndarray]) -> None:
    today, frames = aclnet.load(run), gesture("raise", 3)
    channels = len(today.info.channels)
    frames = np.concatenate([frames, np.ones_like(frames)], axis=-1)[..., :channels]
    change(run / "run.json", model=None)
    older = aclnet.load(run)
    assert older.settings == today.settings
    np.testing.assert_array_equal(older.embed(frames).embedding, today.embed(frames).embedding)


def test_contradicting_files_are_refused(run: Path) -> None:
    change(run / "settings.yaml", embed__stride=5)
    with pytest.raises(ValueError, match=r"settings\.yaml and run\.json contradict .* in embed"):
        aclnet.load(run)


def test_the_tested_weights_are_loaded(run: Path) -> None:
    saved = load_checkpoint(run / "checkpoint.pt")
    saved.pop("aclnet_checkpoint", None)
    name = "network.classifier.weight"
    last = saved["task"][name]
    saved["task"][name] = best = last + 1
    change(run / "run.json", model__weights="best.pt")
    for file in run.glob("best.pt"):
        file.unlink()
    with pytest.raises(ValueError, match=r"has no best epoch \(best\.pt\)"):
        aclnet.load(run)
    save_checkpoint(run / "best.pt", saved)
    assert torch.equal(aclnet.load(run).network.classifier.weight, best)
    change(run / "run.json", model__weights="checkpoint.pt")
    assert torch.equal(aclnet.load(run).network.classifier.weight, last)


def test_an_older_run_names_its_weights_by_its_settings(run: Path) -> None:
    change(run / "run.json", model=None)
    for file in run.glob("best.pt"):
        file.unlink()
    change(run / "settings.yaml", train__keep_best=None)
    assert read_run_model(run).weights == "checkpoint.pt"
    change(run / "settings.yaml", train__keep_best="validation/rank1")
    # In action recognition nobody may have validated; the last epoch was then tested.
    classifies = read_run_model(run).test is not None
    assert read_run_model(run).weights == ("checkpoint.pt" if classifies else "best.pt")
    (run / "best.pt").touch()
    assert read_run_model(run).weights == "best.pt"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("run.json", "{", r"run\.json is damaged: file: Invalid JSON"),
        ("run.json", "{}", r"run\.json is damaged: task: Field required"),
        ("settings.yaml", "[", r"settings\.yaml, line 1.* cannot be read as YAML"),
        ("settings.yaml", None, "is not a run: it has no settings.yaml;"),
        ("checkpoint.pt", None, r"checkpoint\.pt: there is no checkpoint"),
        ("checkpoint.pt", "x", r"checkpoint\.pt: not a checkpoint of aclnet"),
    ],
)
def test_damaged_runs_are_refused(copy: Path, name: str, text: str | None, message: str) -> None:
    (copy / name).unlink()
    if text is not None:
        (copy / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        aclnet.load(copy)


def test_a_backbone_that_nobody_registered_is_named(copy: Path) -> None:
    for file, part in (("settings.yaml", "network"), ("run.json", "model__network")):
        change(copy / file, **{f"{part}__encoder__name": "mine"})
    with pytest.raises(ValueError, match=r"nothing is registered as 'mine': load the file"):
        aclnet.load(copy)


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_no_such_device(copy: Path, device: str) -> None:
    with pytest.raises(ValueError, match=f"device '{device}' cannot be used"):
        aclnet.load(copy, device=device)


def test_weights_of_another_network_are_refused(copy: Path) -> None:
    for file in ("settings.yaml", "run.json"):
        part = "model__network" if file == "run.json" else "network"
        change(copy / file, **{f"{part}__encoder__width": 9})
    with pytest.raises(ValueError, match=r"another model .*settings\.yaml or run\.json edited"):
        aclnet.load(copy)


def test_the_remedy_for_other_joints_exists(first: Path, walkers: Path) -> None:
    """A layout that came with a file has no name that --map-to knows: the run stands for it."""
    info, store = read_run_info(first), open_store(walkers)
    with pytest.raises(ValueError, match="STORE --map-to coco17`"):
        info.require(window_store([], store.info.model_copy(update={"layout": MSR})), first)
    own = info.model_copy(update={"layout": {**MSR, "name": "mine"}})
    with pytest.raises(ValueError, match=f"STORE --map-to {first}`"):
        own.require(store, first)
    flat = store.info.model_copy(update={"channels": ("x", "y")})
    with pytest.raises(ValueError, match="give data with these channels"):
        info.require(window_store([], flat), first)
