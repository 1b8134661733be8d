"""PYSKL files written here, from the command line all the way: train, test, fuse, predict."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.action.scores import load_class_scores
from tasks.recipes import find_recipe

ROOM = """
data: {source: file, prepare: main_person, options: {classes: NAMES}}
split: ntu60_xsub
hold_out: {people: 1}
clip:
  frames: 8
  sampling: uniform
  streams: [j]
  motion: recording
  normalise: {centre: none, scale: none}
  augment: {mirror: 0.0, rotate: 0.2}
network: {encoder: {name: temporal_conv, width: 16, blocks: 1}}
objective: {start_epoch: 1, queue_size: 16, projection_dim: 8, neighbours: 2, overlap: 1}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 20, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu}
test: {clips: 2}
"""
ACTIONS = ("wave", "sit", "kick")
# What a recipe for hundreds of thousands of recordings is made smaller by.
SMALL = """
base: {base}
network: {{encoder: {{name: affinity_gcn, width: 16, blocks: 2, widen_at: [2], stride_at: [2]}}}}
clip: {{frames: 8}}
objective: {{queue_size: 16}}
sampler: {{batch_size: 8}}
train: {{epochs: 2, accelerator: cpu}}
test: {{clips: 2}}
"""


def in_a_room(performer: int, action: int, take: int) -> dict[str, Any]:
    """An NTU annotation: who acts moves five joints by the action, and may be the second person."""
    rng = np.random.default_rng([performer, action, take])
    frames = int(rng.integers(9, 30))
    keypoint = np.zeros((2, frames, 25, 3))
    main = (performer + take) % 2
    pose = np.random.default_rng(0).normal(0, 0.4, (25, 3)) + rng.normal(0, 0.03, (25, 3))
    keypoint[main] = pose + rng.normal(0, 0.01, (frames, 25, 3)) + (rng.normal(), 0, 3)
    moved = slice(4 + 4 * action, 8 + 4 * action)
    keypoint[main][:, moved, 1] += np.sin(np.linspace(0, 6, frames))[:, None]
    keypoint[1 - main, : frames // 3] = rng.normal(size=3)  # somebody passes by
    return {
        "frame_dir": f"S001C001P{performer:03d}R{take:03d}A{action:03d}",
        "label": action - 1,
        "total_frames": frames,
        "keypoint": keypoint.astype(np.float16),
    }


def in_a_picture(number: int) -> dict[str, Any]:
    """A FineGYM-like annotation; the pictures have two sizes."""
    rng = np.random.default_rng(number)
    frames, size = int(rng.integers(6, 20)), ((240, 320), (480, 640))[number % 2]
    keypoint = rng.uniform(0.3, 0.7, (1, 1, 17, 2)) * size[::-1]
    keypoint = keypoint + rng.normal(0, 2, (1, frames, 17, 2))
    keypoint[0, :, 3 * (number % 3), 1] += 40 * np.sin(np.linspace(0, 6, frames))
    return {
        "frame_dir": f"clip_{number}",
        "label": number % 3,
        "img_shape": size,
        "original_shape": size,
        "total_frames": frames,
        "keypoint": keypoint.astype(np.float16),
        "keypoint_score": rng.uniform(0.5, 1, (1, frames, 17)).astype(np.float16),
    }


def write(path: Path, annotations: list[dict[str, Any]], **split: list[str]) -> Path:
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))
    return path


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = [in_a_room(p, a, r) for p in range(1, 7) for a in (1, 2, 3) for r in (1, 2)]
    names = [annotation["frame_dir"] for annotation in made]
    folder = tmp_path_factory.mktemp("room")
    return write(folder / "room.pkl", made, xview_train=names[::2], xview_val=names[1::2])


def spoken(done: Any) -> str:
    return " ".join(done.out.split())


@pytest.fixture(scope="module")
def runs(call: Any, room: Path) -> list[Path]:
    """A run on joints and one on bones."""
    folder, names = room.parent, room.parent / "names.txt"
    names.write_text("\n".join(ACTIONS))
    (folder / "tiny.yaml").write_text(ROOM.replace("NAMES", json.dumps(str(names))))
    folders = [folder / "j", folder / "b"]
    for folder in folders:
        spoken(
            call(
                "action", "train", "-c", room.parent / "tiny.yaml", "--data", room, "--run", folder,
                "--cache", room.parent / "stores", "-s", f"clip.streams=[{folder.name}]",
            )
        )  # fmt: skip
    return folders


def record_of(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text())
    return record


@pytest.mark.slow
def test_two_streams_are_trained_tested_and_fused(
    call: Any, runs: list[Path], tmp_path: Path
) -> None:
    assert len(list((runs[0].parent / "stores").iterdir())) == 1  # converted once for both
    for run in runs:
        record = record_of(run / "record.json")
        roles = [record["counts"][role] for role in ("train", "validation", "test")]
        assert roles == [18, 6, 12]  # performers 1, 2, 4, 5 and 3, 6; one of the former validates
        assert record["metrics"]["top1"] > 0.6  # a third by chance
    ten = tmp_path / "ten.json"
    said = spoken(
        call("action", "eval", "--run", runs[0], "--clips", 10, "--json", ten,
             "--cache", runs[0].parent / "stores")
    )  # fmt: skip
    assert "top1" in said
    record = record_of(ten)
    assert record["rule"] == "10 clips, best epoch in validation"
    assert record["metrics"]["top1"] > 0.6
    fused = tmp_path / "fused.npz"
    spoken(call("action", "fuse", *runs, "--weights", "2s", "--out", fused, "--json", ten))
    one, other = (load_class_scores(run / "scores.npz") for run in runs)
    both = load_class_scores(fused)
    assert both.sample.tolist() == one.sample.tolist() == other.sample.tolist()
    total = one.probabilities + other.probabilities
    np.testing.assert_array_equal(both.probabilities.argmax(1), total.argmax(1))
    assert record_of(ten)["stream"] != record["stream"]


@pytest.mark.slow
def test_prediction_equals_the_test(
    call: Any, runs: list[Path], room: Path, tmp_path: Path
) -> None:
    """The same recordings, prepared and cut the same way, get the same probabilities."""
    out = tmp_path / "said.json"
    said = spoken(call("action", "predict", room, "--run", runs[0], "--top", 3, "--json", out))
    assert "S001C001P003R001A001" in said
    rows = {row["sample"]: row for row in json.loads(out.read_text())}
    assert len(rows) == 36
    scores = load_class_scores(runs[0] / "scores.npz")
    assert scores.classes.tolist() == list(ACTIONS)
    for sample, tested in zip(scores.sample, scores.probabilities, strict=True):
        row = rows[str(sample)]
        found = dict(zip(row["classes"], row["probabilities"], strict=True))
        np.testing.assert_allclose([found[name] for name in ACTIONS], tested, atol=1e-5)
    plain = tmp_path / "plain.json"
    spoken(call("action", "predict", room, "--run", runs[0], "--json", plain, "--prepare", "none"))
    assert json.loads(plain.read_text()) != json.loads(out.read_text())


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    found = [line["train/loss"] for line in lines if line["kind"] == "epoch"]
    assert len(found) == 2
    return found


@pytest.mark.slow
def test_the_recipe_of_pictures_flips_them(call: Any, tmp_path: Path) -> None:
    """FineGYM's recipe on small data: both picture sizes, 17 joints made 20, ten clips joined."""
    made = [in_a_picture(number) for number in range(24)]
    names = [annotation["frame_dir"] for annotation in made]
    data = write(tmp_path / "gym.pkl", made, train=names[:16], val=names[16:])
    recipe = tmp_path / "small.yaml"
    recipe.write_text(SMALL.format(base=json.dumps(str(find_recipe("action/finegym")))))
    train = ("action", "train", "-c", recipe, "--data", data, "--cache", tmp_path / "stores")
    spoken(call(*train, "--run", tmp_path / "run"))
    settings = record_of(tmp_path / "run" / "record.json")["settings"]
    assert settings["clip"]["augment"]["image_flip"] == 0.5
    spoken(call(*train, "--run", tmp_path / "plain", "-s", "clip.augment.image_flip=0"))
    assert losses(tmp_path / "run") != losses(tmp_path / "plain")
    out = tmp_path / "said.json"
    spoken(call("action", "predict", data, "--run", tmp_path / "run", "--json", out))
    assert [row["sample"] for row in json.loads(out.read_text())] == names
