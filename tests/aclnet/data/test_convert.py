from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.prepare import prepare_recording
from aclnet.data.store import open_store
from aclnet.skeleton import load_layout, map_joints


def test_real_recordings_become_a_store(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "ucalgary_gait.npz"
    store = convert(source, tmp_path / "s", fps=30)
    with np.load(source) as data:
        np.testing.assert_array_equal(store.frames, data["joints"])
        assert store.index["identity"].tolist() == [str(n) for n in data["subject"]]
        assert store.index["condition"].tolist() == data["condition"].tolist()
    assert store.info.fps == 30
    assert store.info.source == "ucalgary_gait.npz"
    # No absolute path is written down: a store can be handed on.
    assert str(source.parent) not in (tmp_path / "s" / "store.json").read_text()


def test_dropped_counts_and_settings_are_kept(shared: Path, tmp_path: Path) -> None:
    convert(
        shared / "golden" / "gait" / "casia_b_pose_sample.csv",
        tmp_path / "s",
        min_frames=61,
        image_size=(320, 240),
    )
    info = open_store(tmp_path / "s").info
    assert info.dropped == {
        "sequences shorter than 61 frames": 2,
        "rows without 51 values": 1,
        "rows with a value that is not a number": 2,
    }
    assert info.settings == {"format": "gaitgraph_csv", "min_frames": 61}
    assert info.image_size == (320, 240)


def test_kept_classes_keep_their_order(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "in.npz",
        joints=np.ones((4, 1, 17, 2)),
        offsets=np.arange(5),
        joint_names=np.array(load_layout("coco17").joints),
        label=np.array([2, 0, 1, 0]),
        class_names=np.array(["walk", "sit", "caf\u00e9"]),
    )
    store = convert(tmp_path / "in.npz", tmp_path / "s", where={"label": ["cafe\u0301", "walk"]})
    assert store.info.classes == ("walk", "caf\u00e9")
    assert store.index["label"].tolist() == ["caf\u00e9", "walk", "walk"]


def test_joints_are_mapped_by_name(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "raw_samples" / "kgbd" / "Person120" / "1.txt"
    plain = convert(source, tmp_path / "plain")
    mapped = convert(source, tmp_path / "mapped", map_to="ucalgary18")
    assert mapped.layout == load_layout("ucalgary18")
    assert mapped.info.settings["mapped_from"] == "kgbd20"
    columns = map_joints(plain.layout, mapped.layout).columns
    np.testing.assert_array_equal(mapped.frames, plain.frames[:, :, columns])
    np.testing.assert_array_equal(
        mapped.frames[:, :, mapped.layout.index("left_knee")],
        plain.frames[:, :, plain.layout.index("left_knee")],
    )


def test_an_impossible_mapping_writes_nothing(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ucalgary18 cannot become coco17: it has no nose"):
        convert(shared / "data" / "ucalgary_gait.npz", tmp_path / "s", map_to="coco17")
    assert list(tmp_path.iterdir()) == []


def two_people(path: Path, joints: tuple[str, ...], channels: int) -> np.ndarray[Any, Any]:
    """Two recordings of 5 frames; in one the second person is there longer than the first."""
    random = np.random.default_rng(0)
    frames = random.normal(size=(10, 2, len(joints), channels)).astype(np.float32) + 3
    frames[[0, 1, 4], 0] = 0
    frames[2, 1] = 0
    np.savez(
        path,
        joints=frames,
        offsets=[0, 5, 10],
        subject=["a", "b"],
        joint_names=list(joints),
    )
    return frames


def test_the_main_person_comes_first_without_its_empty_frames(tmp_path: Path) -> None:
    layout = load_layout("ntu25")
    frames = two_people(tmp_path / "in.npz", layout.joints, 3)
    store = convert(tmp_path / "in.npz", tmp_path / "s", prepare="main_person")
    assert store.lengths.tolist() == [4, 5]
    expected = prepare_recording(frames[:5], layout.index("spine_mid"))
    np.testing.assert_array_equal(store.clip(0), expected)
    np.testing.assert_array_equal(store.clip(0)[0, 0, 1], 0)
    info = open_store(tmp_path / "s").info
    assert info.settings["prepare"] == "main_person"
    assert info.dropped == {"frames without the main person": 1}
    assert store.frame_numbers(0).tolist() == [0, 1, 3, 4]
    plain = convert(tmp_path / "in.npz", tmp_path / "plain")
    assert "prepare" not in plain.info.settings
    np.testing.assert_array_equal(plain.frames, frames)


def test_what_cannot_be_prepared_writes_nothing(tmp_path: Path) -> None:
    two_people(tmp_path / "in.npz", load_layout("coco17").joints, 2)
    with pytest.raises(ValueError, match="coco17 has no joint spine"):
        convert(tmp_path / "in.npz", tmp_path / "s", prepare="main_person")
    assert not (tmp_path / "s").exists()


def test_coco17_becomes_coco20(tmp_path: Path) -> None:
    frames = two_people(tmp_path / "in.npz", load_layout("coco17").joints, 2)
    store = convert(tmp_path / "in.npz", tmp_path / "s", map_to="coco20")
    assert store.layout == load_layout("coco20")
    np.testing.assert_array_equal(store.frames[:, :, :17], frames)
    hips, shoulders = frames[:, :, 11:13].mean(axis=2), frames[:, :, 5:7].mean(axis=2)
    np.testing.assert_allclose(store.frames[:, :, 17], hips)
    np.testing.assert_allclose(store.frames[:, :, 18], (hips + shoulders) / 2, rtol=1e-6)
    np.testing.assert_allclose(store.frames[:, :, 19], shoulders)
    assert store.info.settings["derived"] == ["hip_centre", "neck", "spine"]
    assert store.info.settings["mapped_from"] == "coco17"
