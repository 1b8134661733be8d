"""Files are read as a run's own data were, as far as they are of the same kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.settings import DataSettings
from aclnet.data.store import write_store
from aclnet.runs.reading import open_file, settings_for
from aclnet.skeleton import load_layout

COCO = load_layout("coco17")


@pytest.fixture
def nameless(tmp_path: Path) -> Path:
    """Joints without names: a layout must be given."""
    path = tmp_path / "clips.npz"
    np.savez(path, joints=np.ones((9, 2, 20, 3), np.float32), offsets=np.array([0, 4, 9]))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    rows = [f"{frame},{person},1,2,3,4" for frame in range(4) for person in (0, 1)]
    path.write_text("frame,person,hip_x,hip_y,neck_x,neck_y\n" + "\n".join(rows) + "\n")
    (tmp_path / "two.yaml").write_text(
        "name: two\njoints: [hip, neck]\ncentre: hip\nbones: {neck: hip}\n"
    )
    return path


def opened(path: Path, own: dict[str, Any], **given: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = open_file(DataSettings(source="file", **own), path, given, COCO)
    return info, list(samples)


def test_the_layout_of_files_of_one_kind_is_the_runs(nameless: Path) -> None:
    own = {"path": Path("elsewhere/train.NPZ"), "layout": "msr20"}
    info, samples = opened(nameless, own)
    assert (info.layout["name"], len(samples)) == ("msr20", 2)
    info, _ = opened(nameless, own, layout="kinect20")
    assert info.layout["name"] == "kinect20"
    for other in ({**own, "path": Path("train.pkl")}, {**own, "format": "pyskl"}):
        with pytest.raises(ValueError, match="layout"):
            opened(nameless, other, format="npz")
    info, _ = opened(nameless, {**own, "path": Path("train"), "format": "npz"})
    assert info.layout["name"] == "msr20"
    with pytest.raises(ValueError, match="layout"):
        opened(nameless, own, layout=None)


def test_the_format_of_files_of_one_kind_is_the_runs(table: Path, tmp_path: Path) -> None:
    layout = str(tmp_path / "two.yaml")
    own = {"path": Path("train.csv"), "format": "keypoint_csv", "layout": layout}
    info, _ = opened(table, own)
    assert info.settings["format"] == "keypoint_csv"
    with pytest.raises(ValueError, match="the first line must be image_name"):
        opened(table, own, format="gaitgraph_csv")


def test_options_are_the_runs_unless_given(table: Path, tmp_path: Path) -> None:
    own = {
        "path": tmp_path / "train.csv",
        "format": "keypoint_csv",
        "layout": str(tmp_path / "two.yaml"),
        "options": {"people": "apart", "unit": "metre", "split": "fold"},
    }
    info, samples = opened(table, own)
    assert (len(samples), info.unit) == (2, "metre")
    info, samples = opened(table, own, people="together", persons=3, fps=25.0)
    assert (len(samples), samples[0].frames.shape[1], info.fps) == (1, 3, 25.0)
    info, samples = opened(table, own, people=None, unit=None)
    assert (len(samples), info.unit) != (2, "metre")
    with pytest.raises(ValueError, match="no option 'person'"):
        opened(table, own, person=1)


def test_a_unit_belongs_to_files_of_one_kind(nameless: Path) -> None:
    own = {"path": Path("train.pkl"), "options": {"unit": "pixel"}}
    info, _ = opened(nameless, own, layout="msr20")
    assert info.unit != "pixel"
    info, _ = opened(nameless, {**own, "path": Path("train.npz")}, layout="msr20")
    assert info.unit == "pixel"


def test_joints_are_mapped_as_the_runs(tmp_path: Path) -> None:
    path = tmp_path / "clips.npz"
    frames = np.ones((9, 1, 17, 2), np.float32)
    np.savez(path, joints=frames, offsets=np.array([0, 9]), joint_names=np.array(COCO.joints))
    info, (sample,) = opened(path, {"map_to": "coco20"})
    assert (info.layout["name"], sample.frames.shape) == ("coco20", (9, 1, 20, 2))


def test_a_store_is_taken_as_it_lies(tmp_path: Path) -> None:
    info = StoreInfo(name="a", layout=COCO.to_dict(), channels=("x", "y"), unit="pixel")
    frames = np.arange(7 * 17 * 2, dtype=np.float32).reshape(7, 1, 17, 2)
    numbers = np.arange(300, 307)
    one = Sample("one", frames, label="jump", frame_numbers=numbers, fps=25.0)
    write_store(tmp_path / "store", [one], info)
    own = {"prepare": "main_person", "layout": "coco18", "options": {"persons": 1}}
    found, (sample,) = opened(tmp_path / "store", own, fps=30.0, layout=None)
    assert (found.fps, found.layout["name"], sample.label) == (30.0, "coco17", "jump")
    np.testing.assert_array_equal(sample.frames, frames)
    np.testing.assert_array_equal(sample.numbers, numbers)
    assert sample.fps is None  # the user's rate takes the place of the recording's
    with pytest.raises(ValueError, match=r"store is a store, .*: leave out layout, persons"):
        opened(tmp_path / "store", own, layout="coco17", persons=1)


def test_embedding_takes_the_same_from_the_run_as_predicting(nameless: Path, table: Path) -> None:
    """`gait embed` and `reid embed` convert what `action predict` streams."""
    own = DataSettings(
        path=Path("train.CSV"),
        layout="two.yaml",
        map_to="coco17",
        min_frames=3,
        options={"people": "apart", "persons": 2, "unit": "metre", "split": "fold"},
    )
    # Another kind of file: only what its reader knows, and nothing of how the run's are laid out.
    other = settings_for(own, nameless)
    assert (other.path, other.layout, other.options) == (nameless, None, {})
    assert (other.map_to, other.min_frames) == ("coco17", 3)
    alike = settings_for(own, table)
    assert alike.layout == "two.yaml"
    assert alike.options == {"people": "apart", "persons": 2, "unit": "metre"}
    folds = own.model_copy(update={"path": Path("train.npz"), "options": {"split": "fold"}})
    # Which recordings are meant is the file's own affair only where the file is of another kind.
    assert settings_for(folds, nameless).options == {"split": "fold"}
    own_layout = folds.model_copy(update={"layout": "msr20", "map_to": None})
    _, samples = open_file(own_layout, nameless, {}, COCO)
    assert len(list(samples)) == 2
    gone = settings_for(own, Path("gone.csv"))
    assert (gone.path, gone.options) == (Path("gone.csv"), {})


def test_gaps_are_filled_as_in_the_runs_data(nameless: Path, tmp_path: Path) -> None:
    own = {"fill_gaps": 0.1, "layout": "msr20", "format": "npz"}
    joints = np.ones((9, 2, 20, 3), np.float32)
    joints[[2, 6], 0, 3] = 0
    np.savez(nameless, joints=joints, offsets=np.array([0, 4, 9]))
    info, samples = opened(nameless, own)
    assert all((one.frames == 1).all() for one in samples)
    assert list(info.notes.values()) == [2]


def test_recordings_are_brought_to_the_runs_rate(nameless: Path) -> None:
    own = {"resample_fps": 30, "layout": "msr20", "format": "npz"}
    info, samples = opened(nameless, own, fps=60)
    assert (info.fps, [len(one.frames) for one in samples]) == (30, [2, 3])
    info, samples = opened(nameless, own)
    assert (info.fps, [len(one.frames) for one in samples]) == (None, [4, 5])
