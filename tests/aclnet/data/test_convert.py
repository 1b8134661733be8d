from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.store import open_store
from aclnet.skeleton import load_layout, map_layout


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


def test_joints_are_mapped_by_name(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "raw_samples" / "kgbd" / "Person120" / "1.txt"
    plain = convert(source, tmp_path / "plain")
    mapped = convert(source, tmp_path / "mapped", map_to="ucalgary18")
    assert mapped.layout == load_layout("ucalgary18")
    assert mapped.info.settings["mapped_from"] == "kgbd20"
    columns = map_layout(plain.layout, mapped.layout)
    np.testing.assert_array_equal(mapped.frames, plain.frames[:, :, columns])
    np.testing.assert_array_equal(
        mapped.frames[:, :, mapped.layout.index("left_knee")],
        plain.frames[:, :, plain.layout.index("left_knee")],
    )


def test_an_impossible_mapping_writes_nothing(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ucalgary18 cannot become coco17: it has no nose"):
        convert(shared / "data" / "ucalgary_gait.npz", tmp_path / "s", map_to="coco17")
    assert list(tmp_path.iterdir()) == []
