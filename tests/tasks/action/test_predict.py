"""A tiny action run, and what it says of files that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.runs.model import Model, load
from aclnet.runs.windows import Cutting
from aclnet.skeleton import load_layout

Call = Callable[..., Any]
LAYOUT = load_layout("coco17")
RECIPE = """
data: {source: file}
split: store
hold_out: {people: 0}
clip: {frames: 8, sampling: stretch, streams: [j], augment: {mirror: 0.0}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}, neck: none}
objective: {inter_weight: 0, intra_weight: 0}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 12, optimizer: adamw, learning_rate: 2.0e-2, accelerator: cpu}
test: {clips: 2}
"""


def moving(kind: str, seed: int, length: int = 16) -> np.ndarray:
    """(T, 2, 17, 2): somebody whose wrists go up ("raise") or who stands ("stand"), and nobody."""
    generator = np.random.default_rng(seed)
    pose = np.random.default_rng(0).normal(size=(17, 2))
    frames = np.zeros((length, 2, 17, 2), dtype=np.float32)
    frames[:, 0] = pose + generator.normal(scale=0.01, size=(length, 17, 2))
    if kind == "raise":
        wrists = [LAYOUT.joints.index("left_wrist"), LAYOUT.joints.index("right_wrist")]
        frames[:, 0, wrists, 1] -= np.linspace(0, 6, length)[:, None]
    return frames


def write_npz(path: Path, recordings: list[np.ndarray], joints: int = 17) -> Path:
    offsets = np.cumsum([0, *map(len, recordings)])
    names = np.array(LAYOUT.joints[:joints])
    np.savez(
        path, joints=np.concatenate(recordings)[:, :, :joints], offsets=offsets, joint_names=names
    )
    return path


@pytest.fixture(scope="module")
def run(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predict")
    info = StoreInfo(name="tiny", layout=LAYOUT.to_dict(), channels=("x", "y"), unit="normalised")
    samples = [
        Sample(
            f"{kind}{i}", moving(kind, i), identity=str(i), label=kind,
            split="train" if i < 6 else "test",
        )
        for i in range(8)
        for kind in ("raise", "stand")
    ]  # fmt: skip
    write_store(folder / "store", samples, info)
    (folder / "tiny.yaml").write_text(RECIPE)
    done = call(
        "action", "train", "-c", folder / "tiny.yaml", "--data", folder / "store",
        "--run", folder / "run", "--cache", folder / "cache",
    )  # fmt: skip
    assert done.code == 0, done.err
    return folder / "run"


@pytest.fixture(scope="module")
def predictor(run: Path) -> Model:
    return load(run)


def test_a_short_recording_is_one_window(predictor: Model, tmp_path: Path) -> None:
    file = write_npz(tmp_path / "clip.npz", [moving("raise", 30), moving("stand", 31)])
    before = sorted(tmp_path.rglob("*"))
    first, second = predictor.classify(file, fps=10.0)
    assert (first.classes[0], second.classes[0]) == ("raise", "stand")
    assert (first.start, first.end, first.person) == (0, 16, None)
    assert (first.start_seconds, first.end_seconds) == (0.0, 1.6)
    assert sum(first.probabilities) == pytest.approx(1)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_long_recording_is_judged_piece_by_piece(predictor: Model, tmp_path: Path) -> None:
    long = np.concatenate([moving("raise", 40), moving("stand", 41), moving("raise", 42)])
    file = write_npz(tmp_path / "long.npz", [long])
    found = predictor.classify(file, window=16, stride=16, top=1)
    assert [(one.start, one.end) for one in found] == [(0, 16), (16, 32), (32, 48)]
    assert [one.classes for one in found] == [("raise",), ("stand",), ("raise",)]
    assert found[0].start_seconds is None


def test_people_apart(predictor: Model, tmp_path: Path) -> None:
    both = moving("raise", 50)
    both[:, 1] = moving("stand", 51)[:, 0]
    found = predictor.classify(write_npz(tmp_path / "two.npz", [both]), persons="apart")
    assert [(one.person, one.classes[0]) for one in found] == [(0, "raise"), (1, "stand")]
    alone = predictor.classify(write_npz(tmp_path / "one.npz", [moving("raise", 50)]))
    assert found[0].probabilities == pytest.approx(alone[0].probabilities, abs=1e-6)


def test_windows_reach_the_end() -> None:
    cutting = Cutting(window=10, stride=4)
    assert cutting.starts(7) == cutting.starts(10) == [0]
    assert cutting.starts(21) == [0, 4, 8, 11]


def test_a_window_without_anybody_is_left_out(predictor: Model, tmp_path: Path) -> None:
    frames = np.concatenate([np.zeros_like(moving("stand", 1)), moving("stand", 1)])
    (one,) = predictor.classify(write_npz(tmp_path / "late.npz", [frames]), window=16, stride=16)
    assert one.start == 16
    nobody = write_npz(tmp_path / "nobody.npz", [np.zeros_like(frames)])
    with pytest.raises(ValueError, match=r"nobody\.npz: there is nothing to predict"):
        predictor.classify(nobody)


def test_other_joints_and_channels_are_refused(predictor: Model, tmp_path: Path) -> None:
    frames = np.concatenate([moving("stand", 1), np.ones((16, 2, 17, 1), np.float32)], axis=-1)
    deep = write_npz(tmp_path / "deep.npz", [frames])
    with pytest.raises(ValueError, match=r"deep\.npz.*channels x, y, z.*trained on 17 joints"):
        predictor.classify(deep, unit="normalised")
    other = tmp_path / "other.npz"
    np.savez(other, joints=np.ones((9, 1, 20, 2)), offsets=np.array([0, 9]))
    with pytest.raises(ValueError, match=r"other\.npz.*20 joints.*trained on 17 joints \(coco17\)"):
        predictor.classify(other, layout="msr20")


def test_nan_is_refused(predictor: Model, tmp_path: Path) -> None:
    frames = moving("stand", 1)
    frames[3, 0, 5, 1] = np.nan
    with pytest.raises(ValueError, match=r"nan\.npz.*frame 3, person 0, joint 5 is not a finite"):
        predictor.classify(write_npz(tmp_path / "nan.npz", [frames]))


def test_command(call: Call, run: Path, tmp_path: Path) -> None:
    file = write_npz(tmp_path / "clip.npz", [moving("raise", 60)])
    out = tmp_path / "out.json"
    done = call("action", "predict", file, "--run", run, "--top", 1, "--fps", 8, "--json", out)
    assert done.code == 0, done.err
    assert "raise" in done.out
    assert "16 (2.00 s)" in done.out
    assert "stand" not in done.out
    (row,) = json.loads(out.read_text())
    assert (row["file"], row["classes"], row["end"]) == (str(file), ["raise"], 16)
    wrong = call("action", "predict", file, "--run", run, "--persons", "some")
    assert wrong.code == 2
    assert "'together'" in wrong.err


def test_options_of_the_format(call: Call, run: Path, tmp_path: Path) -> None:
    """What a file does not say is told by -o, and what is no option of its format is refused."""
    file = write_npz(tmp_path / "clip.npz", [moving("raise", 60)])
    predict = ("action", "predict", file, "--run", run)
    refused = call(*predict, "-o", "unit=metre")
    assert "in unit metre, but the network" in " ".join(refused.err.split())
    assert call(*predict, "-o", "unit=normalised").code == 0
    for option, sentence in (
        ("top=3", "top is not an option of a format"),
        ("people=apart", "format npz has no option 'people'"),
        ("unit", "expected NAME=VALUE"),
    ):
        refused = call(*predict, "-o", option)
        assert refused.code == 2
        assert sentence in " ".join(refused.err.split())
    wrong = call(*predict, "-o", "unit=normalised", "--prepare", "some")
    assert wrong.code == 2
    assert "'main_person'" in wrong.err
