"""The recipes for one's own data, on as little as they promise to work with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.data.walkers.dataset import write_walkers
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.skeleton import load_layout
from aclnet.training.log import read_log

Call = Callable[..., Any]
SHORT = ("-s", "train.epochs=5", "-s", "objective.start_epoch=1")


def in_space(path: Path) -> Path:
    """Five people of the depth sensor's joints with a confidence, two walks each, in metres."""
    rng = np.random.default_rng(0)
    layout = load_layout("kinect20")
    samples = []
    for person in "abcde":
        body = rng.normal(0, 0.4, (20, 3))
        for take in "12":
            frames = body + rng.normal(0, 0.02, (30, 1, 20, 3))
            seen = np.concatenate([frames, np.ones((30, 1, 20, 1))], axis=-1)
            key = f"{person}-{take}"
            samples.append(Sample(key, seen.astype(np.float32), person, "walk", take=take))
    channels = ("x", "y", "z", "confidence")
    info = StoreInfo(name="own", layout=layout.to_dict(), channels=channels, unit="metre")
    write_store(path, samples, info)
    return path


def in_pictures(path: Path) -> Path:
    """Five walkers, two walks each."""
    settings = WalkerSettings(
        identities=5, nm_takes=2, bg_takes=0, cl_takes=0, views=(90,), frames=(24, 30)
    )
    write_walkers(path, settings)
    return path


@pytest.mark.parametrize(
    ("recipe", "write"),
    [
        ("gait/own", in_pictures),
        ("gait/own_3d", in_space),
        ("reid/own", in_pictures),
        ("reid/own_3d", in_space),
    ],
)
def test_five_people_with_two_walks_each(
    recipe: str, write: Callable[[Path], Path], call: Call, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    short = (*SHORT, "-s", "sampler.steps_per_epoch=2")
    call(
        *(
            recipe.split("/", maxsplit=1)[0],
            "train",
            "-c",
            recipe,
            "--data",
            write(tmp_path / "store"),
        ),
        *("--run", run, "--cache", tmp_path / "cache", *short),
    )
    record = json.loads((run / "record.json").read_text())
    assert record["counts"]["train_subjects"] == 3
    assert record["counts"]["test_subjects"] == 2
    losses = [line["train/loss"] for line in read_log(run / "log.jsonl") if "train/loss" in line]
    assert losses
    assert np.isfinite(losses).all()


def test_three_actions_of_three_people(call: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pose = rng.normal(size=(17, 2))
    samples = []
    for person in "abc":
        for number, label in enumerate(("sit", "wave", "kick")):
            frames = pose + rng.normal(0, 0.05, (20, 1, 17, 2))
            frames[:, 0, 5 * number : 5 * number + 5, 1] += np.linspace(0, 2, 20)[:, None]
            samples.append(Sample(f"{label}-{person}", frames.astype(np.float32), person, label))
    layout = load_layout("coco17").to_dict()
    info = StoreInfo(name="own", layout=layout, channels=("x", "y"), unit="normalised")
    write_store(tmp_path / "store", samples, info)
    run = tmp_path / "run"
    call(
        *("action", "train", "-c", "action/own", "--data", tmp_path / "store"),
        *("--run", run, "--cache", tmp_path / "cache", *SHORT),
    )
    record = json.loads((run / "record.json").read_text())
    assert (record["counts"]["train"], record["counts"]["test"]) == (6, 3)
    assert record["protocol"] == "own"
    losses = [line["train/loss"] for line in read_log(run / "log.jsonl") if "train/loss" in line]
    assert np.isfinite(losses).all()
