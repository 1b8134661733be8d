from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import load_layout

COCO = load_layout("coco17").joints


def table(
    rows: list[tuple[str, str, float]],
    joints: tuple[str, ...] = COCO,
    axes: tuple[str, ...] = ("x", "y", "conf"),
) -> str:
    lines = [
        ",".join(["frame", "person", *(f"{joint}_{axis}" for joint in joints for axis in axes)])
    ]
    for frame, person, place in rows:
        values = [
            f"{ {'x': place + j, 'y': 0.5 * j - 4, 'z': 3.0}.get(axis, 0.5) }"
            for j in range(len(joints))
            for axis in axes
        ]
        lines.append(",".join([frame, person, *values]))
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(path: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path, **options)
    return info, list(samples)


def test_rows_frames_and_gaps(tmp_path: Path) -> None:
    rows = [("12", "a", 100.0), ("2", "a", 10.0), ("2", "b", 300.0), ("3.0", "a", 20.0)]
    path = write(tmp_path / "v.csv", table(rows))
    assert detect(path) == "keypoint_csv"
    info, (sample,) = load(path)
    assert (info.layout["name"], info.unit) == ("coco17", "pixel")
    assert sample.frames[[0, 1, 10], 0, 0, 0].tolist() == [10, 20, 100]
    assert not sample.frames[2:10].any()
    assert sample.frames[:, 1, 0, 0].tolist() == [300] + [0] * 10
    _, samples = load(path, people="apart")
    assert [s.sample for s in samples] == ["v/person-a", "v/person-b"]


@pytest.mark.parametrize(
    ("people", "names"), [(("v1.0", "v1"), ["v1.0", "v1"]), (("1.0", "2.0"), ["1", "2"])]
)
def test_only_numbers_lose_their_point(
    people: tuple[str, ...], names: list[str], tmp_path: Path
) -> None:
    rows = [("1", person, 10.0 + 300 * i) for i, person in enumerate(people)]
    _, samples = load(write(tmp_path / "v.csv", table(rows)), people="apart")
    assert [s.identity.partition("-")[2] for s in samples] == names


def test_joints_by_name_in_any_order_and_spelling(tmp_path: Path) -> None:
    joints = tuple(f"{name.partition('_')[2]}_Left" if "left_" in name else name for name in COCO)
    path = write(tmp_path / "v.csv", table([("1", "1", 10.0)], joints[::-1]))
    info, (sample,) = load(path)
    assert info.layout["name"] == "coco17"
    # nose is the file's last joint
    assert sample.frames[0, 0, 0, 0] == 26
    assert sample.frames[0, 0, 16, 0] == 10


def test_a_layout_may_take_fewer_joints(tmp_path: Path) -> None:
    joints = load_layout("body25").joints
    path = write(tmp_path / "v.csv", table([("1", "1", 10.0)], joints))
    info, _ = load(path)
    assert info.layout["name"] == "body25"
    info, (sample,) = load(path, layout="coco17")
    assert sample.frames.shape[2] == 17
    assert info.settings["joints_left_out"] == 8
    assert sample.frames[0, 0, 1, 0] == 10 + joints.index("left_eye")


def test_space_and_no_confidence(tmp_path: Path) -> None:
    text = table([("1", "1", -3.0)], load_layout("kgbd20").joints, ("x", "y", "z"))
    info, (sample,) = load(write(tmp_path / "v.csv", text))
    assert info.channels == ("x", "y", "z", "confidence")
    assert (info.unit, info.layout["name"]) == ("metre", "kgbd20")
    assert sample.frames[..., 3].max() == 1


def with_column(text: str, name: str, values: list[str]) -> str:
    lines = text.splitlines()
    return "\n".join(f"{line},{value}" for line, value in zip(lines, [name, *values], strict=True))


def test_columns_that_are_not_read_are_noted(tmp_path: Path) -> None:
    text = table([("1", "a", 10.0), ("1", "b", 300.0), ("2", "a", 11.0)])
    path = write(tmp_path / "v.csv", with_column(text, "camera", ["1", "1", "1"]))
    info, _ = load(path)
    assert info.notes == {}
    write(path, with_column(with_column(text, "box", ["3", "4", "5"]), "mood", ["x", "y", "x"]))
    info, _ = load(path)
    assert info.notes == {"columns not read: box, mood": 1}


def test_a_column_that_is_not_read_must_not_tell_people_apart(tmp_path: Path) -> None:
    text = table([("1", "", 10.0), ("1", "", 300.0), ("2", "", 301.0), ("2", "", 11.0)])
    path = write(tmp_path / "v.csv", with_column(text, "player", ["a", "b", "b", "a"]))
    with pytest.raises(ValueError, match=r"v\.csv: column player has several values in frame 1,"):
        load(path)
    # Measurements do not, nor does what is the same in a frame.
    for values in (["0.5", "1", "0.25", "1"], ["3", "3", "4", "4"]):
        write(path, with_column(text, "score", values))
        info, _ = load(path)
        assert info.notes == {"columns not read: score": 1}


def test_people_without_names_are_followed(tmp_path: Path) -> None:
    rows = [("1", "", 10.0), ("1", "", 300.0), ("2", "", 301.0), ("2", "", 11.0)]
    _, (sample,) = load(write(tmp_path / "v.csv", table(rows)))
    assert sample.frames[:, 0, 0, 0].tolist() == [10, 11]


def test_empty_cells_are_not_found(tmp_path: Path) -> None:
    lines = table([("1", "1", 10.0)]).splitlines()
    cells = lines[1].split(",")
    cells[2:5] = ["", "", ""]
    path = write(tmp_path / "v.csv", "\n".join([lines[0], ",".join(cells)]))
    _, (sample,) = load(path)
    assert not sample.frames[0, 0, 0].any()
    assert sample.frames[0, 0, 1:].any(axis=-1).all()
    cells[2] = "5"
    write(path, "\n".join([lines[0], ",".join(cells)]))
    with pytest.raises(ValueError, match="frame 1, person 1: nose is '5, , '; write finite"):
        load(path)


def test_an_empty_last_column_is_none(case: Callable[[str], Path]) -> None:
    _, (sample,) = load(case("csv_trail"))
    assert sample.frames[:, 0, 0, 0].tolist() == list(range(300, 324, 2))
    assert not sample.frames[:, 1].any()


def test_a_row_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", table([("1", "1", 1.0)]).rpartition(",")[0])
    with pytest.raises(ValueError, match="row 1 has 52 cells, the header 53"):
        load(path)


def test_a_folder_of_files(tmp_path: Path) -> None:
    for label, name in (("run", "a"), ("walk", "b")):
        write(tmp_path / label / f"{name}.csv", table([("1", "1", 10.0)]))
    assert detect(tmp_path) == "keypoint_csv"
    _, samples = load(tmp_path, label_from="folder")
    assert [(s.sample, s.label) for s in samples] == [("run/a", "run"), ("walk/b", "walk")]
    labels = write(tmp_path / "labels.csv", "sample,identity\nrun/a,anna\n")
    assert detect(tmp_path) == "keypoint_csv"
    _, samples = load(tmp_path, labels=labels)
    assert [(s.sample, s.identity) for s in samples] == [("run/a", "anna"), ("walk/b", "")]


def test_one_name_from_two_layouts_joints(tmp_path: Path) -> None:
    """coco18 and coco17_neck18 have the same joints: the file's order says which, or neither."""
    for name in ("coco18", "coco17_neck18"):
        joints = load_layout(name).joints
        info, _ = load(write(tmp_path / f"{name}.csv", table([("1", "1", 10.0)], joints)))
        assert info.layout["name"] == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,person\n1,1\n", "no column <joint>_x and <joint>_y; the columns must be frame"),
        ("image,nose_x,nose_y\n1,1,1\n", "no column frame"),
        ("Video,frame,nose_x,nose_y\na,1,1,1\nb,1,1,1\n", "column Video has 2 values; write a"),
        ("frame,nose_x,nose_x\n1,1,1\n", "column nose_x appears twice"),
        (table([]), "it has no rows"),
        ("", "not a readable CSV"),
        (table([("x", "1", 1.0)]), "line 2: frame 'x' is not a whole number"),
        (table([("1", "1", 1.0), ("1", "1", 2.0)]), "line 3: person 1 is in frame 1 twice"),
        (table([("1", "1", float("nan"))]), "frame 1, person 1: nose is 'nan, -4.0, 0.5'"),
        (table([("1", "1", 1.0)], COCO[:16]), "no shipped layout has the 16 joints nose"),
        (
            "frame,nose_x,nose_y,eye_x,eye_y,eye_z\n1,1,1,1,1,1\n",
            "joint eye has x, y, z, the first",
        ),
    ],
)
def test_bad_tables_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", text)
    with pytest.raises(ValueError, match=message) as caught:
        load(path, format="keypoint_csv")
    assert str(path) in str(caught.value)


def test_joints_that_lack_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", table([("1", "1", 1.0)], COCO[:16]))
    with pytest.raises(ValueError, match="has no joint right_ankle, which layout coco17 has"):
        load(path, layout="coco17")


def test_shares_are_recognised(tmp_path: Path) -> None:
    text = "frame,nose_x,nose_y,neck_x,neck_y\n" + "\n".join(f"{t},0.5,0.9,1.1,0.2" for t in (1, 2))
    layout = write(
        tmp_path / "two.yaml", "name: two2\njoints: [nose, neck]\ncentre: neck\nbones: {nose: neck}"
    )
    info, (sample,) = load(write(tmp_path / "v.csv", text), layout=layout)
    assert info.unit == "normalised"
    np.testing.assert_allclose(sample.frames[1, 0, 1], [1.1, 0.2, 1], rtol=1e-6)


def test_every_fifth_frame_is_a_video_of_its_own(tmp_path: Path) -> None:
    rows = [(str(5 * t), "1", 10.0 + t) for t in (3, 0, 1, 2, 5)]
    _, (sample,) = load(write(tmp_path / "v.csv", table(rows)))
    assert sample.frames[:, 0, 0, 0].tolist() == [10, 11, 12, 13, 0, 15]


def test_people_whose_names_differ_in_spaces_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", table([("1", "ann", 10.0), ("2", "ann ", 11.0)]))
    with pytest.raises(ValueError, match="person 'ann ' also occurs with other spaces"):
        load(path)


def test_a_row_of_its_number_alone_is_a_frame_without_anybody(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = ["frame,person,hip_x,hip_y,neck_x,neck_y", "0,,,,,", "1,1,1,2,3,4", "2,,,,,", "3,1,,,,"]
    file.write_text("\n".join(rows))
    layout = tmp_path / "two.yaml"
    layout.write_text("name: two\njoints: [hip, neck]\ncentre: hip\nbones: {neck: hip}\n")
    info, (sample,) = read(file, layout=layout)
    assert sample.frames.any(axis=(1, 2, 3)).tolist() == [False, True, False, False]
    assert info.dropped == {"people without a joint": 1}
