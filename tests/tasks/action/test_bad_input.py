"""Spoilt PYSKL files: one sentence with file, sample and remedy, nothing run, nothing written."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Annotation = dict[str, Any]
Content = dict[str, Any]
RECIPE = """
data: {source: file}
split: store
hold_out: {people: 0}
clip: {frames: 8, sampling: uniform, streams: [j], augment: {mirror: 0.0}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}}
objective: {inter_weight: 0, intra_weight: 0}
sampler: {kind: shuffle, batch_size: 4}
train: {epochs: 1, accelerator: cpu}
test: {clips: 1}
"""


def annotation(number: int, **changes: Any) -> Annotation:
    rng = np.random.default_rng(number)
    return {
        "frame_dir": f"clip_{number}",
        "label": number % 3,
        "img_shape": (240, 320),
        "total_frames": 9,
        "keypoint": rng.uniform(1, 200, (1, 9, 17, 2)).astype(np.float16),
        "keypoint_score": rng.uniform(0.5, 1, (1, 9, 17)).astype(np.float16),
        **changes,
    }


def whole() -> Content:
    made = [annotation(number) for number in range(12)]
    names = [one["frame_dir"] for one in made]
    return {"split": {"train": names[:9], "val": names[9:]}, "annotations": made}


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch harmed",)


def with_code(content: Content) -> bytes:
    content["annotations"][5]["label"] = Harmful()
    return pickle.dumps(content)


def truncated(content: Content) -> bytes:
    return pickle.dumps(content)[:-900]


def with_nan(content: Content) -> bytes:
    content["annotations"][5]["keypoint"][0, 4, 9, 1] = np.nan
    return pickle.dumps(content)


def with_another_joint(content: Content) -> bytes:
    keypoint, score = np.ones((1, 9, 18, 2)), np.ones((1, 9, 18))
    content["annotations"][5] |= {"keypoint": keypoint, "keypoint_score": score}
    return pickle.dumps(content)


def with_18_joints(content: Content) -> bytes:
    for one in content["annotations"]:
        one |= {"keypoint": np.ones((1, 9, 18, 2)), "keypoint_score": np.ones((1, 9, 18))}
    return pickle.dumps(content)


def relabelled(label: int) -> Callable[[Content], bytes]:
    def change(content: Content) -> bytes:
        content["annotations"][5]["label"] = label
        return pickle.dumps(content)

    return change


def with_an_ntu_name(content: Content) -> bytes:
    content["annotations"][5] |= {"frame_dir": "S001C001P001R001A001", "label": 77}
    return pickle.dumps(content)


def empty_split(content: Content) -> bytes:
    content["split"]["train"] = []
    return pickle.dumps(content)


def strangers(content: Content) -> bytes:
    content["split"]["train"] = ["nobody", "no one"]
    return pickle.dumps(content)


def no_split(content: Content) -> bytes:
    content["split"] = {}
    return pickle.dumps(content)


SPOILT = [
    (truncated, "whole.pkl: not a whole pickle", "fetch or write it again"),
    (with_code, "whole.pkl: the pickle asks for posix.system", "do not trust this file"),
    (
        with_nan,
        "whole.pkl: sample 'clip_5': keypoint has 1 values that are NaN or infinite, the first in "
        "frame 4, person 0, joint left_wrist",
        "set joints that are missing to 0",
    ),
    (
        with_another_joint,
        "whole.pkl: sample 'clip_5': keypoint has 18 joints in 2-D, that of 'clip_0' has 17",
        "keep one layout per file",
    ),
    (relabelled(-1), "whole.pkl: sample 'clip_5': label must be a class number from 0", "correct"),
    (relabelled(10**6), "sample 'clip_5': label 1000000 is out of range", "correct the label"),
    (
        with_an_ntu_name,
        "whole.pkl: sample 'S001C001P001R001A001': label 77 contradicts the name, whose A001 is "
        "label 0",
        "labels count from 0: the A number - 1",
    ),
    (empty_split, "whole.pkl: split 'train' is empty", "list the names (frame_dir)"),
]
NAMES = [
    "truncated", "code", "nan", "another joint", "label -1", "label 10**6", "ntu", "empty split",
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


@pytest.mark.parametrize(("spoil", "fault", "remedy"), SPOILT, ids=NAMES)
def test_a_spoilt_file_is_one_sentence(
    spoil: Callable[[Content], bytes], fault: str, remedy: str, mistake: Any, place: Path
) -> None:
    file = place / "whole.pkl"
    file.write_bytes(spoil(whole()))
    before = sorted(path.name for path in place.iterdir())
    commands = (
        ("data", "convert", file, place / "store"),
        ("action", "train", "-c", "r.yaml", "--data", file, "--run", "run", "--cache", "stores"),
    )
    for command in commands:
        mistake(*command, words=(str(file), fault, remedy))
        assert not (place / "harmed").exists()
        assert not any((place / "stores").glob("*"))
        left = sorted(path.name for path in place.iterdir() if path.name != "stores")
        assert left == before


@pytest.mark.parametrize("spoil", [strangers, no_split])
def test_a_file_without_training_samples(
    spoil: Callable[[Content], bytes], mistake: Any, place: Path
) -> None:
    (place / "whole.pkl").write_bytes(spoil(whole()))
    words = ("finds no train sample among 12", "choose the split that belongs to these data")
    mistake("action", "train", "-c", "r.yaml", "--data", "whole.pkl", "-r", "run", words=words)
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("hold_out.people=2", ("hold_out.people=2: ", "of 2 training people")),
        ("hold_out.people=1", (" is tested but", "hold out fewer people (hold_out.people)")),
        ("split=sbux", ("split=sbux: ", "did you mean 'sbu'?")),
        ("split=ntu60_xview", ("split=ntu60_xview: ", "finds no train sample")),
        ("split=sbu", ("split=sbu, fold not set: ", "give one of")),
        ("fold=x", ("split=own.csv, fold=x: ", "has no folds")),
    ],
)
def test_a_division_that_fails_names_its_setting(
    change: str, words: tuple[str, ...], mistake: Any, place: Path
) -> None:
    content = whole()
    for number, one in enumerate(content["annotations"]):
        one |= {
            "label": number // 6,
            "frame_dir": f"S001C001P{number // 3 + 1:03}R{number:03}A{number // 6 + 1:03}",
        }
    content["split"] = {}
    (place / "own.csv").write_text("identity,role\n1|3,train\n2|4,test\n")
    (place / "whole.pkl").write_bytes(pickle.dumps(content))
    train = ("action", "train", "-c", "r.yaml", "--data", "whole.pkl", "-r", "run")
    mistake(*train, "-s", "split=own.csv", "-s", change, words=words)
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("data.options={persons: 1}", ("stream ip", "hold one person: leave it")),
        ("test.least_share=0.9", ("not with clip.sampling: uniform: set it to 1",)),
        ("clip.motion=joined\ntest.exchange_people=true", ("prepares all clips of a recording",)),
    ],
)
def test_what_does_not_fit_the_clips_is_refused_before_the_training(
    change: str, words: tuple[str, ...], mistake: Any, place: Path
) -> None:
    (place / "whole.pkl").write_bytes(pickle.dumps(whole()))
    clip = "clip={streams: [j, ip], normalise: {centre: clip}}"
    train = ("action", "train", "-c", "r.yaml", "--data", "whole.pkl", "-r", "run", "-s", clip)
    changes = [word for one in change.split("\n") for word in ("-s", one)]
    mistake(*train, *changes, words=words)
    assert not (place / "run").exists()


def test_18_joints_for_a_layout_of_17(mistake: Any, place: Path) -> None:
    file = place / "eighteen.pkl"
    file.write_bytes(with_18_joints(whole()))
    train = ("action", "train", "-c", "r.yaml", "--data", file, "--run", "run", "--cache", "stores")
    fault = f"{file}: sample 'clip_0': keypoint has 18 joints, layout coco17 has 17"
    remedy = "name the layout that the file has"
    mistake(*train, "-s", "data.layout=coco17", words=(fault, remedy))
    mistake(*train, words=("name the layout",))
    assert not (place / "run").exists()
    assert not any((place / "stores").glob("*"))


def test_what_is_spoilt_is_refused_in_prediction_too(call: Any, mistake: Any, place: Path) -> None:
    file = place / "whole.pkl"
    file.write_bytes(pickle.dumps(whole()))
    call("action", "train", "-c", "r.yaml", "--data", file, "--run", "run")
    predict = ("action", "predict", file, "--run", "run", "--json", "out.json")
    for spoil, fault in (
        (truncated, "not a whole pickle"),
        (with_code, "asks for posix.system"),
        (with_nan, "sample 'clip_5'"),
        (with_18_joints, "18 joints"),
    ):
        file.write_bytes(spoil(whole()))
        mistake(*predict, words=(str(file), fault))
        assert not (place / "out.json").exists()
        assert not (place / "harmed").exists()
