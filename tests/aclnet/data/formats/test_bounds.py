"""Small files that would become large or take long, whatever the format."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.formats import detect, read
from aclnet.data.formats.keypoints.labels import read_labels
from aclnet.data.names import composed
from aclnet.skeleton import load_layout

LARGEST = 64 << 20


def person(image: str | int, place: int = 100, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "keypoints": [place + i % 7 for i in range(51)], **more}


def skeleton(bodies: int) -> str:
    body = "{} 0 0 0 0 0 0 0 0 2\n25\n" + "{} 0 1 0 0 0 0 0 0 0 0 2\n" * 25
    return f"1\n{bodies}\n" + "".join(body.format(i, *[i] * 25) for i in range(bodies))


def drawn(path: Path, format: str | None = None, **options: Any) -> int:
    """The bytes of all samples, with a look at the time."""
    start = time.process_time()
    try:
        return sum(sample.frames.nbytes for sample in read(path, format, **options)[1])
    finally:
        assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ([person("0.jpg"), person("2000000000.jpg")], {}, ""),
        ([person(0), person(10**12)], {}, ""),
        ([person("1" * 5000 + ".jpg"), person("2" * 5000 + ".jpg")], {}, ""),
        ([person("a" + "_1" * 100_000), person("b" + "_1" * 100_000)], {}, ""),
        ([person("1.jpg", 1000 * i) for i in range(1500)], {}, ""),
        ([person(f"{i}.jpg", 10_000 * i) for i in range(4000)], {}, ""),
        (
            {**{f"{99 * i}.jpg": [] for i in range(30_000)}, "1.jpg": [person("1.jpg")]},
            {},
            "people in 1 places, and gaps, would take",
        ),
        (
            [person(f"{i}.jpg", idx=i % 1500) for i in (*range(1500), *range(2998, 4498))],
            {"people": "apart"},
            "people in 3000 places, and gaps, would take",
        ),
        ([person("1.jpg", 10**400)], {}, "cannot be read as alphapose_json"),
        ([person("1.jpg", idx=10**400)], {}, ""),
    ],
    ids=["gap", "ids", "digits", "numbers", "crowd", "tracks", "images", "apart", "int", "idx"],
)
def test_sparse_keypoints(
    content: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    if message:
        with pytest.raises(ValueError, match=rf"a.json: {message}"):
            drawn(path, "alphapose_json", **options)
    else:
        assert drawn(path, "alphapose_json", **options) < LARGEST


GAITGRAPH = "image_name," + ",".join(
    f"{joint}_{axis}" for joint in load_layout("coco17").joints for axis in ("x", "y", "conf")
)


@pytest.mark.parametrize(
    ("name", "text", "format", "message"),
    [
        ("a.csv", ",".join(f"a{i}" for i in range(90_000)) + "\n1\n", "keypoint_csv", "1 cells"),
        ("a.csv", "frame,x\n" + '"' + "x" * 200_000, "keypoint_csv", "field larger"),
        ("a.csv", "frame,x\n" + "e" + "\u0301" * 90_000, "keypoint_csv", "marks in a row"),
        ("a.skeleton", skeleton(600), "ntu_skeleton", "at most 50 bodies"),
        ("a.skeleton", "9" * 5000, "ntu_skeleton", "the number of frames"),
        ("a.json", "[" * 90_000, "nwucla_json", "not JSON"),
    ],
)
def test_tables_and_texts(name: str, text: str, format: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"{name}: .*{message}"):
        drawn(path, format)


def test_frame_numbers_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"f/001-nm-01-090/{frame}.jpg{',1' * 51}" for frame in ("-5", "9" * 20, "7")]
    path.write_text("\n".join([GAITGRAPH, *rows]))
    info, samples = read(path)
    (sample,) = samples
    assert sample.frame_numbers is not None
    assert sample.frame_numbers.tolist() == [7]
    assert info.dropped == {"rows with an unreadable image name": 2}


def test_labels_that_would_grow(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("sample,identity" + ",label" * 3000 + "\na\n" * 9)
    with pytest.raises(ValueError, match=r"labels.csv: column label appears twice"):
        read_labels(path)
    path.write_text("sample," + ",".join(map(str, range(3000))) + "\n" + "a\n" * 3000)
    with pytest.raises(ValueError, match=r"labels.csv: 3000 rows of 3001 columns hold 3000 cells"):
        read_labels(path)


def test_marks_on_a_letter() -> None:
    assert composed("Zoe\u0308" + "e\u0301" * 500) == "Zo\u00eb" + "\u00e9" * 500
    with pytest.raises(ValueError, match="more than 30 combining marks in a row"):
        composed("x" * 99 + "\u0301\u0316" * 16)


def _change(path: Path, **changes: Any) -> Path:
    joints = load_layout("coco17").joints
    arrays: dict[str, Any] = {
        "joints": np.full((6, 1, 17, 2), 300.0), "offsets": [0, 2, 6], "joint_names": joints
    }  # fmt: skip
    np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": [0, 7, 6]}, "offsets must increase"),
        ({"offsets": [0, 10**15]}, "offsets must increase"),
        ({"offsets": None}, "has no key 'offsets'; it has joints, joint_names"),
        ({"label": [0, 9], "class_names": ["a"]}, "label 9 has no name"),
        ({"label": [0, -1], "class_names": ["a"]}, "label -1 has no name"),
        ({"label": [0.0, 0.0], "class_names": ["a"]}, "label must be whole numbers"),
        ({"label": 0}, "label must be one list"),
        ({"joint_names": [["a"] * 17]}, "joint_names must be one list"),
        ({"bones": [[0, 99]]}, "bones must be pairs of whole numbers from 0 to 16"),
        ({"bones": [0.5]}, "bones must be pairs of whole numbers from 0 to 16"),
    ],
)
def test_numbers_of_an_npz(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"a.npz: {message}"):
        drawn(_change(tmp_path / "a.npz", **changes), "npz")
    assert drawn(_change(tmp_path / "a.npz", unknown=np.array([object()]))) > 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_pipes_and_links_among_files(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("0.json", "0.csv", "0.txt", "a01_s01_e00_v01.json", "0.skeleton"):
        os.mkfifo(folder / name)
    (folder / "loop").symlink_to(folder)
    (folder / "1.json").symlink_to(folder / "1.json")
    (folder / "v.json").write_text(json.dumps([person("1.jpg"), person("2.jpg")]))
    with pytest.raises(ValueError, match=r"0.skeleton: is not a regular file"):
        drawn(folder, "ntu_skeleton")
    (folder / "0.skeleton").unlink()
    assert detect(folder) == "alphapose_json"
    assert [sample.sample for sample in read(folder)[1]] == ["v"]
    for place in (folder / "0.json", Path("/dev/zero"), folder / "gone", "a\0b", "x" * 5000):
        with pytest.raises(ValueError, match=r"not a regular file|no such file|null|too long"):
            read(place)
        with pytest.raises(ValueError, match=r"not a regular file|no such file|null|too long"):
            read(place, "npz")


def test_a_folder_of_many_files(tmp_path: Path) -> None:
    for number in range(20_000):
        (tmp_path / f"{number}.bin").touch()
    start = time.process_time()
    with pytest.raises(ValueError, match="not recognised as"):
        detect(tmp_path)
    assert time.process_time() - start < 10


def test_any_other_fault_of_a_reader_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aclnet.data.formats import npz

    def broken(fault: Exception) -> Callable[..., Any]:
        def raising(*_: Any, **__: Any) -> Any:
            raise fault

        return raising

    path = _change(tmp_path / "a.npz")
    for name in ("read", "_frames"):
        with monkeypatch.context() as patched:
            patched.setattr(npz, name, broken(IndexError("9")))
            with pytest.raises(ValueError, match=r"a.npz: cannot be read as npz \(IndexError: 9\)"):
                convert(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
