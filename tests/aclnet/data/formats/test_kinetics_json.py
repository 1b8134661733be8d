from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo


def frame(number: int, *places: float, joints: int = 18) -> dict[str, Any]:
    people = [
        {
            "pose": [v for j in range(joints) for v in (place + 0.01 * j, 0.5)],
            "score": [0.75] * joints,
        }
        for place in places
    ]
    return {"frame_index": number, "skeleton": people}


def write(path: Path, frames: list[Any], **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"data": frames, **more}))
    return path


def load(path: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path, **options)
    return info, list(samples)


def test_a_data_set(tmp_path: Path) -> None:
    root = tmp_path / "kinetics-skeleton"
    many = [frame(number) for number in range(1, 300)]
    write(root / "kinetics_train" / "a.json", [*many, frame(300, 0.25, 0.5)], label="yoga")
    write(root / "kinetics_val" / "b.json", [frame(1, 0.25)], label="golf")
    table = {"a": {"has_skeleton": True, "label": "yoga", "label_index": 1}}
    (root / "kinetics_train_label.json").write_text(json.dumps(table))
    assert detect(root) == detect(root / "kinetics_train") == "kinetics_json"
    info, samples = load(root)
    assert [(s.sample, s.label, s.frames.shape) for s in samples] == [
        ("kinetics_train/a", "yoga", (300, 2, 18, 3)),
        ("kinetics_val/b", "golf", (1, 2, 18, 3)),
    ]
    assert samples[0].frames[299, :, 0].tolist() == [[0.25, 0.5, 0.75], [0.5, 0.5, 0.75]]
    assert (info.layout["name"], info.unit) == ("coco18", "normalised")
    _, samples = load(root, label_from="folder")
    assert [s.label for s in samples] == ["kinetics_train", "kinetics_val"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([3], "not a Kinetics skeleton"),
        ([{"frame_index": 1}], "not a Kinetics skeleton"),
        ([{"skeleton": []}], "not a Kinetics skeleton"),
        (
            [{"frame_index": 1, "skeleton": [{"pose": [1, 2]}]}],
            "frame 1, person 0: must have a pose",
        ),
        ([frame(1, 0.1, joints=17)], "no layout of 17 joints"),
        ([frame(1, 0.1), frame(1, 0.1)], "has frame 1 2 times; write a file for each video"),
        ([frame(1, float("nan"))], "frame 1, person 0: a keypoint is NaN"),
        ([], "nobody was found"),
    ],
)
def test_bad_files_are_refused(frames: list[Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", frames, label="yoga")
    with pytest.raises(ValueError, match=message) as caught:
        load(path, format="kinetics_json")
    assert str(path) in str(caught.value)
