from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo


def person(place: float, joints: int = 25, identity: int = -1, unit: float = 100) -> dict[str, Any]:
    points = [[unit * (place + 0.01 * j), unit * (0.5 + 0.01 * j), 0.9] for j in range(joints)]
    return {"person_id": [identity], "pose_keypoints_2d": [v for point in points for v in point]}


def write(folder: Path, frames: dict[int, list[dict[str, Any]]], name: str = "clip") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for frame, people in frames.items():
        file = folder / f"{name}_{frame:012d}_keypoints.json"
        file.write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def load(path: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path, **options)
    return info, list(samples)


def test_frames_people_and_gaps(tmp_path: Path) -> None:
    # The second person is listed first in frame 2, nobody is in frame 1, frame 4 has no file.
    write(
        tmp_path / "clip",
        {
            0: [person(1)],
            1: [],
            2: [person(3), person(1.1)],
            3: [person(3), person(1.1)],
            5: [person(1.1)],
        },
    )
    assert detect(tmp_path) == "openpose_json"
    info, (sample,) = load(tmp_path)
    assert (sample.sample, sample.frames.shape) == ("clip", (6, 2, 25, 3))
    assert (sample.identity, sample.label) == ("", "")
    present = sample.frames[..., 2].any(axis=-1)
    assert present.T.tolist() == [
        [True, False, True, True, False, True],
        [False, False, True, True, False, False],
    ]
    np.testing.assert_allclose(sample.frames[2, 0, 3], [113, 53, 0.9], rtol=1e-6)
    assert not sample.frames[[1, 4]].any()
    assert (info.unit, info.channels) == ("pixel", ("x", "y", "confidence"))
    assert info.layout["name"] == "body25"
    assert (info.settings["persons"], info.settings["max_gap"]) == (2, 30)
    assert info.classes == ()


def test_people_apart(tmp_path: Path) -> None:
    write(tmp_path / "v", {0: [person(1)], 1: [person(1), person(5)], 2: [person(1)]})
    info, samples = load(tmp_path, people="apart")
    assert [(s.sample, s.identity, s.frames.shape) for s in samples] == [
        ("v/person-1", "v/person-1", (3, 1, 25, 3)),
        ("v/person-2", "v/person-2", (1, 1, 25, 3)),
    ]
    assert info.settings["persons"] == 1


def test_ids_of_the_file_and_people_beyond(tmp_path: Path) -> None:
    write(tmp_path, {t: [person(1, identity=4), person(5, identity=t % 3)] for t in range(6)})
    info, samples = load(tmp_path, people="apart")
    assert {s.sample.rpartition("-")[2] for s in samples} == {"0", "1", "2", "4"}
    info, (together,) = load(tmp_path, persons=1)
    assert together.frames.shape[1] == 1
    assert together.frames[0, 0, 0, 0] == pytest.approx(100)
    assert info.dropped == {"people beyond the 1 seen in most frames": 3}


def test_coco18_is_openposes_order(tmp_path: Path) -> None:
    write(tmp_path / "v", {0: [person(0.1, joints=18, unit=1)]})
    info, _ = load(tmp_path)
    assert (info.layout["name"], info.unit) == ("coco18", "normalised")
    store = convert(tmp_path, tmp_path / "store", map_to="coco17")
    # coco17's left eye is place 15 of OpenPose's order.
    np.testing.assert_allclose(store.clip(0)[0, 0, 1, 0], 0.25, rtol=1e-6)


def test_a_joint_that_was_not_found_is_zero(tmp_path: Path) -> None:
    one = person(1)
    one["pose_keypoints_2d"][:6] = [0, 0, 0.4, 70, 80, 0]
    write(tmp_path / "v", {0: [one, {"pose_keypoints_2d": [0] * 75}, {"pose_keypoints_2d": []}]})
    info, (sample,) = load(tmp_path)
    assert not sample.frames[0, 0, :2].any()
    assert sample.frames[0, 0, 2:].all()
    assert info.dropped == {"people without a joint": 1}


def test_labels_by_folder_and_by_table(tmp_path: Path) -> None:
    for label, name in (("run", "a"), ("walk", "b"), ("walk", "c")):
        write(tmp_path / "data" / label / name, {0: [person(1)]})
    _, samples = load(tmp_path / "data", label_from="folder")
    assert [(s.sample, s.label) for s in samples] == [
        ("run/a", "run"),
        ("walk/b", "walk"),
        ("walk/c", "walk"),
    ]
    table = tmp_path / "labels.csv"
    table.write_text("sample,label,identity,split\nwalk/c,stroll,anna,test\n")
    info, samples = load(tmp_path / "data", label_from="folder", labels=table)
    assert [(s.label, s.identity, s.split) for s in samples] == [
        ("run", "", ""),
        ("walk", "", ""),
        ("stroll", "anna", "test"),
    ]
    assert info.settings["labels"] == "labels.csv"
    table.write_text("sample,label\nwalk/d,x\n")
    with pytest.raises(ValueError, match="'walk/d' is not a recording"):
        load(tmp_path / "data", labels=table)


def test_recordings_without_a_person_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "a", {0: [], 1: []})
    write(tmp_path / "b", {0: [person(1)]})
    seen: list[tuple[int, int]] = []
    info, samples = load(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert [s.sample for s in samples] == ["b"]
    assert info.dropped == {"recordings without a person": 1}
    assert seen == [(1, 2), (2, 2)]
    with pytest.raises(ValueError, match="nobody was found in any of the 1 recordings"):
        load(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON, or cut off"),
        ('{"people": 3}', "not an OpenPose frame"),
        ("[1]", "not an OpenPose frame"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "2 numbers, the first person has 75"),
        ('{"people": [{"pose_keypoints_2d": [NaN, 1, 1]}]}', "3 numbers, the first person has 75"),
        ('{"people": [{"pose_keypoints_2d": "1 2"}]}', "must be a list of numbers"),
        ('{"people": [{"pose_keypoints_2d": [null]}]}', "must be a list of numbers"),
    ],
)
def test_bad_frames_are_refused(content: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "v", {0: [person(1)]})
    (tmp_path / "v" / "clip_000000000001_keypoints.json").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path, format="openpose_json")
    assert str(tmp_path / "v") in str(caught.value)


def test_nan_is_refused_with_its_place(tmp_path: Path) -> None:
    bad = person(1)
    bad["pose_keypoints_2d"][4] = float("nan")
    write(tmp_path / "v", {0: [person(1)], 1: [person(1), bad]})
    with pytest.raises(ValueError, match=r"000001_keypoints.json, person 1: a keypoint is NaN"):
        load(tmp_path)


def test_the_wrong_layout_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "v", {0: [person(1, joints=18)]})
    with pytest.raises(ValueError, match="18 joints per person, layout coco17 has 17"):
        load(tmp_path, layout="coco17")
    write(tmp_path / "w", {0: [person(1, joints=14)]})
    with pytest.raises(ValueError, match="no layout of 14 joints"):
        load(tmp_path / "w")
    with pytest.raises(ValueError, match="14 joints per person, layout coco18 has 18"):
        load(tmp_path)


def test_units_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "a", {0: [person(1)]})
    write(tmp_path / "b", {0: [person(0.1, unit=1)]})
    with pytest.raises(ValueError, match="2-D and normalised, the first recording's 2-D and pixel"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"people": "both"}, "people must be together or apart, not 'both'"),
        ({"persons": 0}, "persons must be a whole number from 1 on, not 0"),
        ({"max_gap": 1.5}, "max_gap must be a whole number from 0 on"),
        ({"label_from": "file"}, "label_from must be none or folder"),
        ({"labels": "gone.csv"}, "gone.csv: no such file"),
    ],
)
def test_options_are_checked(option: dict[str, Any], message: str, tmp_path: Path) -> None:
    write(tmp_path / "v", {0: [person(1)]})
    with pytest.raises(ValueError, match=message):
        load(tmp_path, **option)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"contains no \.json file"):
        load(tmp_path, format="openpose_json")
