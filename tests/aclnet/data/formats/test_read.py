from __future__ import annotations

import importlib
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.formats import READERS, detect, read, register_reader

HEADER = "image_name" + "".join(f",j{i}_x,j{i}_y,j{i}_conf" for i in range(17))

KEYPOINTS = {
    "alphapose_json": ("alpha", "alphapose-results.json", [{"image_id": "1.jpg", "keypoints": []}]),
    "openpose_json": ("open", "v_000000000001_keypoints.json", {"version": 1.3, "people": []}),
    "mmpose_json": ("mm", "v.json", [{"frame_id": 0, "instances": []}]),
    "ultralytics_json": (
        "yolo",
        "v.json",
        [[], [{"name": "person", "box": {"x1": 0}, "keypoints": {"x": [1], "y": [1]}}]],
    ),
    "ultralytics_text": ("labels", "v_1.txt", "0 0.5 0.5 0.2 0.4" + " 0.5 0.5 0.9" * 17),
    "mediapipe": ("mp", "v.json", [{"frame": 0, "pose_landmarks": []}]),
    "kinetics_json": ("k400", "v.json", {"data": [{"frame_index": 1, "skeleton": []}]}),
    "bvh": ("bvh", "v.bvh", "HIERARCHY\nROOT Hips\n"),
    "trc": ("trc", "v.trc", "PathFileType\t4\t(X/Y/Z)\tv.trc\n"),
    "asf_amc": ("amc", "v.amc", ":FULLY-SPECIFIED\n:DEGREES\n1\n"),
    "keypoint_csv": ("csv", "v.csv", "frame,person,nose_x,nose_y,neck_x,neck_y\n"),
}

PLUGIN = """
import numpy as np
from aclnet.data.formats import register_reader
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import load_layout

def recognises(path):
    return path.suffix == ".still"

def read(path, *, layout=None, progress=None, place=1.0):
    joints = (layout or load_layout("coco17")).to_dict()
    info = StoreInfo(name="still", layout=joints, channels=("x", "y"), unit="pixel")
    return info, iter([Sample("one", np.full((2, 1, 17, 2), place))])

register_reader("still", __name__)
"""

UCLA = '{"file_name": "a01_s01_e00_v01", "skeletons": []}'


def write_npz(path: Path, lengths: tuple[int, ...] = (2, 3)) -> Path:
    offsets = np.cumsum((0, *lengths))
    joints = np.random.default_rng(0).normal(size=(offsets[-1], 1, 3, 3))
    names = np.array(["pelvis", "foot_left", "foot_right"])
    bones = np.array([[1, 0], [2, 0]])
    np.savez(path, joints=joints, offsets=offsets, joint_names=names, bones=bones)
    return path


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    csv = tmp_path / "poses.csv"
    csv.write_text(HEADER)
    leaf = tmp_path / "tree" / "001" / "nm-01" / "000"
    leaf.mkdir(parents=True)
    (leaf / "000.pkl").write_bytes(pickle.dumps(np.ones((2, 17, 3))))
    person = tmp_path / "kgbd" / "Person001"
    person.mkdir(parents=True)
    (person / "1.txt").write_text("Head;-0.02;0.79;2.58\r\n")
    windows = tmp_path / "KS20" / "6" / "train_npy_data"
    windows.mkdir(parents=True)
    np.save(windows / "source_x_KS20_6.npy", np.zeros((6, 25)))
    (tmp_path / "annotations.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": []}))
    for name, content in (("S001C001P001R001A001.skeleton", "0"), ("a01_s01_e00_v01.json", UCLA)):
        (tmp_path / name).write_text(content)
    table = tmp_path / "walk.parquet"
    table.write_bytes(b"PAR1")
    capture = tmp_path / "walk.c3d"
    capture.write_bytes(b"\x02P" + bytes(510))
    for folder, name, content in KEYPOINTS.values():
        (tmp_path / folder).mkdir()
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / folder / name).write_text(text)
    return {
        **{name: tmp_path / folder for name, (folder, _, _) in KEYPOINTS.items()},
        "gaitgraph_csv": csv,
        "pose_pickle": tmp_path / "tree",
        "pyskl": tmp_path / "annotations.pkl",
        "npz": write_npz(tmp_path / "poses.npz"),
        "c3d": capture,
        "parquet": table,
        "kgbd_text": tmp_path / "kgbd",
        "transg_npy": tmp_path / "KS20" / "6",
        "ntu_skeleton": tmp_path / "S001C001P001R001A001.skeleton",
        "nwucla_json": tmp_path / "a01_s01_e00_v01.json",
    }


def test_every_format_is_recognised(places: dict[str, Path]) -> None:
    assert set(places) == set(READERS)
    assert {name: detect(place) for name, place in places.items()} == {
        name: name for name in READERS
    }
    assert detect(places["kgbd_text"] / "Person001") == "kgbd_text"
    assert detect(places["pose_pickle"] / "001/nm-01/000/000.pkl") == "pose_pickle"


def test_no_reader_takes_another_ones_files(places: dict[str, Path]) -> None:
    for name, place in places.items():
        inside = place / KEYPOINTS[name][1] if name in KEYPOINTS else place
        for reader, module in READERS.items():
            recognises = importlib.import_module(module).recognises
            assert [recognises(place), recognises(inside)] == [reader == name] * 2, (reader, name)


@pytest.mark.parametrize(
    "name",
    [
        *("data/raw_samples/kgbd/Person015/2.txt", "data/raw_samples/nwucla/a01_s01_e00_v01.json"),
        *("golden/gait/casia_b_pose_sample.csv", "cases/csv_trail/a.csv"),
        *("cases/ntu_three/S001C001P001R001A050.skeleton", "cases/pr_late.json"),
    ],
)
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(
    name: str, shared: Path, case: Callable[[str], Path], tmp_path: Path
) -> None:
    root, _, rest = name.partition("/")
    plain = case(rest.split("/")[0]).parent / rest if root == "cases" else shared / name
    marked = tmp_path / "marked" / plain.name
    marked.parent.mkdir()
    lines = plain.read_text("utf-8").splitlines()
    marked.write_bytes(("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode())
    assert detect(marked) == detect(plain)
    for one, other in zip(read(marked)[1], read(plain)[1], strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
        assert one.label == other.label


@pytest.mark.parametrize(
    ("folder", "first"), [("kgbd/Person015", "0.txt"), ("nwucla", "a01_s01_e00_v00.json")]
)
def test_an_empty_first_file_says_nothing(
    folder: str, first: str, shared: Path, tmp_path: Path
) -> None:
    place = shared / "data" / "raw_samples" / folder
    copied = tmp_path / place.name
    copied.mkdir()
    (copied / first).touch()
    for file in place.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    assert detect(copied) == detect(place)


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, content in (
        ("a.csv", "x,y\n1,2"),
        ("a.npz", "no zip"),
        ("a.txt", "words"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match="not recognised as gaitgraph_csv, pose_pickle"):
            detect(tmp_path / name)
    np.savez(tmp_path / "b.npz", scores=np.zeros(3))
    with pytest.raises(ValueError, match="not recognised"):
        detect(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="not recognised"):
        detect(tmp_path)
    (tmp_path / "c" / "d").mkdir(parents=True)
    with pytest.raises(ValueError, match="c: the folder holds no file"):
        detect(tmp_path / "c")
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="a: the file is empty"):
        detect(tmp_path / "a")
    with pytest.raises(ValueError, match="no such file or folder"):
        detect(tmp_path / "gone")
    with pytest.raises(ValueError, match="no such file or folder"):
        read(tmp_path / "gone", "npz")


def test_options_are_checked(places: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="no format 'nzp'; there are gaitgraph_csv"):
        read(places["npz"], "nzp")
    with pytest.raises(ValueError, match=r"npz has no option 'spilt' \(did you mean split\?\)"):
        read(places["npz"], spilt="x")
    with pytest.raises(ValueError, match="kgbd_text has no option 'split'; it has none of its own"):
        read(places["kgbd_text"], split="x")
    with pytest.raises(ValueError, match="unit 'furlong'"):
        read(places["npz"], unit="furlong")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "still_reader.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("still_reader")
    (tmp_path / "a.still").touch()
    yield tmp_path / "a.still"
    del READERS["still"], sys.modules["still_reader"]


def test_a_reader_from_a_file_is_a_format(plugin: Path, tmp_path: Path) -> None:
    assert (convert(plugin, tmp_path / "store", place=3.0).clip(0) == 3).all()
    with pytest.raises(ValueError, match=r"still has no option 'plaice' \(did you mean place\?"):
        read(plugin, plaice=1)
    with pytest.raises(ValueError, match=r"no format 'stil'; there are .*keypoint_csv, .*, still$"):
        read(plugin, "stil")
    with pytest.raises(ValueError, match="still is already read by still_reader; register x"):
        register_reader("still", "x")


def test_the_users_description_overrides_the_readers(places: dict[str, Path]) -> None:
    info, _ = read(places["npz"], fps=25, image_size=(320, 240), unit="pixel", min_frames=3)
    assert (info.fps, info.image_size, info.unit) == (25, (320, 240), "pixel")
    assert info.settings == {"format": "npz", "min_frames": 3, "split": ""}


def test_short_sequences_are_counted(places: dict[str, Path]) -> None:
    info, samples = read(places["npz"], min_frames=3)
    assert [len(sample.frames) for sample in samples] == [3]
    assert info.dropped == {"sequences shorter than 3 frames": 1}


def test_progress_is_reported(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    _, samples = read(
        write_npz(tmp_path / "x.npz"), progress=lambda done, total: seen.append((done, total))
    )
    assert len(list(samples)) == 2
    assert seen == [(1, 2), (2, 2)]
