from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.formats import read

pytestmark = pytest.mark.usefixtures("in_this_process")

POSES = np.random.default_rng(0).uniform(1, 200, size=(6, 17, 3))


def objects(poses: Any) -> Any:
    frames = np.empty(len(poses), dtype=object)
    frames[:] = [frame.tolist() for frame in poses]
    return frames


def put(root: Path, place: str, content: Any) -> Path:
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(content))
    return file


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (POSES, POSES),
        (POSES.astype(np.float32), POSES),
        (POSES[..., :2], POSES[..., :2]),
        (list(POSES), POSES),
        ([frame.tolist() for frame in POSES], POSES),
        (POSES.reshape(6, 51), POSES),
        (POSES[..., :2].reshape(6, 34), POSES[..., :2]),
        (POSES[:, None], POSES),
        (objects(POSES), POSES),
    ],
    ids=["TV3", "float32", "TV2", "list", "nested", "T51", "T34", "T1V3", "objects"],
)
def test_shapes_on_users_disks(content: Any, expected: Any, tmp_path: Path) -> None:
    put(tmp_path, "001/nm-01/018/018.pkl", content)
    info, samples = read(tmp_path)
    (sample,) = samples
    np.testing.assert_array_equal(sample.frames[:, 0], expected.astype(np.float32))
    assert info.channels == ("x", "y", "confidence")[: expected.shape[2]]
    assert info.layout["name"] == "coco17"
    assert info.unit == "pixel"


def test_a_tree_with_other_files(tmp_path: Path) -> None:
    put(tmp_path, "002/cl-02/090/090.pkl", POSES)
    put(tmp_path, "001/bg-01/000/000.pkl", POSES[:3])
    put(tmp_path, "001/00/000/000.pkl", POSES[:4])
    put(tmp_path, "001/U0_D0/000/000.pkl", POSES[:5])
    put(tmp_path, "001/bg-02/000/000.pkl", POSES[:0])
    put(tmp_path, "001/bg-03/000/000.pkl", [])
    (tmp_path / "001/bg-01/000/mapping.txt").write_text("0 1\n")
    (tmp_path / "partition.json").write_text("{}")
    info, samples = read(tmp_path)
    rows = [(s.sample, s.identity, s.condition, s.take, s.view, len(s.frames)) for s in samples]
    assert rows == [
        ("001-00-000", "001", "", "00", "000", 4),
        ("001-U0_D0-000", "001", "U0_D0", "", "000", 5),
        ("001-bg-01-000", "001", "bg", "01", "000", 3),
        ("002-cl-02-090", "002", "cl", "02", "090", 6),
    ]
    assert info.dropped == {"empty sequences": 2}


def test_leaves_with_several_pickles(tmp_path: Path) -> None:
    put(tmp_path, "001/nm-01/000/pose_000.pkl", POSES)
    put(tmp_path, "001/nm-01/000/float_000.pkl", np.zeros((6, 17, 64, 48), np.float16))
    put(tmp_path, "001/nm-01/000/map_000.pkl", np.zeros((6, 2, 64, 64), np.uint8))
    put(tmp_path, "001/nm-01/000/words.pkl", ["a", "b"])
    info, samples = read(tmp_path)
    assert [s.sample for s in samples] == ["001-nm-01-000-pose_000"]
    assert info.dropped == {"pickles that are not a pose sequence": 3}
    info, samples = read(tmp_path, pattern="pose_*.pkl")
    assert [s.sample for s in samples] == ["001-nm-01-000"]
    assert info.dropped == {}


def test_eighteen_joints_and_shares(tmp_path: Path) -> None:
    put(tmp_path, "a/b/c/d.pkl", np.random.default_rng(0).uniform(size=(5, 18, 3)))
    info, _ = read(tmp_path)
    assert info.layout["name"] == "coco18"
    assert info.unit == "normalised"


def test_other_joints_need_a_layout(tmp_path: Path) -> None:
    put(tmp_path, "a/b/c/d.pkl", np.ones((5, 20, 2)))
    with pytest.raises(ValueError, match=r"d.pkl: 20 joints per frame; .* name the layout"):
        read(tmp_path)
    info, samples = read(tmp_path, layout="kinect20")
    assert info.layout["name"] == "kinect20"
    assert next(samples).frames.shape == (5, 1, 20, 2)
    with pytest.raises(ValueError, match=r"d.pkl: 20 joints per frame, layout sbu15 has 15"):
        read(tmp_path, layout="sbu15")
    put(tmp_path, "a/b/c/d.pkl", np.ones((5, 60)))
    _, samples = read(tmp_path, layout="kinect20")
    assert next(samples).frames.shape == (5, 1, 20, 3)
    with pytest.raises(
        ValueError, match=r"no pose sequence in 1 files .*1 pickles that are not a pose"
    ):
        read(tmp_path)


def test_mixed_trees_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/nm-01/c/d.pkl", POSES)
    put(tmp_path, "a/nm-02/c/e.pkl", POSES[..., :2])
    _, samples = read(tmp_path)
    with pytest.raises(
        ValueError, match=r"e.pkl: 17 joints and 2 channels, .* convert them separately"
    ):
        list(samples)


def test_the_unit_is_that_of_the_first_file_with_somebody(case: Callable[[str], Path]) -> None:
    info, samples = read(case("og_zero_first"))
    assert (info.unit, [len(sample.frames) for sample in samples]) == ("pixel", [20] * 3)
    assert info.dropped == {"recordings without a person": 1}


def test_pixels_and_shares_in_one_tree_are_refused(tmp_path: Path) -> None:
    for take, poses in enumerate((0 * POSES, POSES / 200, 0 * POSES, POSES)):
        put(tmp_path, f"a/nm-0{take}/c/d.pkl", poses)
    info, samples = read(tmp_path)
    assert info.unit == "normalised"
    with pytest.raises(ValueError, match=r"nm-03.*are pixel, those of .*nm-01.* normalised"):
        list(samples)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    put(tmp_path, "a/b/c/0.pkl", POSES)
    for content, message in (
        (pickle.dumps(POSES)[:-100], r"x.pkl: not a whole pickle"),
        (pickle.dumps([POSES[0], POSES[0, :4]]), r"x.pkl: a list of frames of different shapes"),
    ):
        put(tmp_path, "a/b/d/x.pkl", None).write_bytes(content)
        _, samples = read(tmp_path)
        with pytest.raises(ValueError, match=message):
            list(samples)


def test_one_file(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    file = put(tmp_path, "walk.pkl", POSES)
    info, samples = read(file, progress=lambda done, total: seen.append((done, total)))
    (sample,) = samples
    assert (info.name, sample.sample, sample.identity) == ("walk", "walk", "")
    assert seen == [(1, 1)]


def test_all_counts_reach_the_description(tmp_path: Path) -> None:
    # One empty file before the first pose, one after it.
    for place, content in (("a", POSES[:0]), ("b", POSES), ("c", POSES[:0])):
        put(tmp_path, f"1/nm-01/{place}/x.pkl", content)
    info, samples = read(tmp_path)
    assert len(list(samples)) == 1
    assert info.dropped == {"empty sequences": 2}


def test_files_elsewhere_are_counted(tmp_path: Path) -> None:
    for place in ("a/nm-01/c/d.pkl", "a/nm-02/d.pkl", "a/nm-03/c/e/d.pkl"):
        put(tmp_path, place, POSES)
    info, samples = read(tmp_path)
    assert len(list(samples)) == 1
    assert info.dropped == {"files *.pkl elsewhere than in id/type/view": 2}
