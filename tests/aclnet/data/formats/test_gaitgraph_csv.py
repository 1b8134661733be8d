from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample
from aclnet.skeleton import load_layout

JOINTS = load_layout("coco17").joints
HEADER = "image_name" + "".join(f",{joint}_x,{joint}_y,{joint}_conf" for joint in JOINTS)


def row(name: str, frame: int, value: float = 1.0) -> str:
    return f"f/{name}/{frame:06d}.jpg" + f",{value}" * 51


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def values(sample: Sample) -> list[float]:
    return [float(value) for value in sample.frames[:, 0, 0, 0]]


def test_golden_file(shared: Path) -> None:
    golden = shared / "golden" / "gait"
    info, samples = read(golden / "casia_b_pose_sample.csv", min_frames=61)
    conditions = {"nm": 0, "bg": 1, "cl": 2}
    with np.load(golden / "casia_b_pose_sample_expected.npz") as expected:
        kept = []
        for sample in samples:
            key = (
                int(sample.identity),
                conditions[sample.condition],
                int(sample.take),
                int(sample.view),
            )
            kept.append(key)
            wanted = expected["pose/" + "-".join(map(str, key))]
            np.testing.assert_array_equal(sample.frames[:, 0], wanted)
        np.testing.assert_array_equal(kept, expected["targets"])
    assert info.dropped == {
        "sequences shorter than 61 frames": 2,
        "rows without 51 values": 1,
        "rows with a value that is not a number": 2,
    }


def test_all_lengths_are_kept_by_default(shared: Path) -> None:
    info, samples = read(shared / "golden" / "gait" / "casia_b_pose_sample.csv")
    lengths = {sample.sample: len(sample.frames) for sample in samples}
    # Files with 64, 63, 61, 61 and 60 rows, of which three are broken.
    assert lengths == {
        "075-nm-01-000": 61,
        "075-nm-05-018": 60,
        "076-bg-02-180": 62,
        "077-cl-01-090": 60,
        "078-nm-06-162": 63,
    }
    assert info.unit == "pixel"
    assert info.channels == ("x", "y", "confidence")


def test_fields_come_from_the_name(tmp_path: Path) -> None:
    _, samples = read(write(tmp_path / "p.csv", row("007-cl-02-018", 1)))
    (sample,) = samples
    assert (sample.identity, sample.condition, sample.take, sample.view) == (
        "007",
        "cl",
        "02",
        "018",
    )
    assert sample.frames.shape == (1, 1, 17, 3)
    assert sample.frames.dtype == np.float32


def test_frames_come_by_their_numbers_and_a_later_row_replaces(tmp_path: Path) -> None:
    name = "001-nm-01-000"
    rows = [row(name, frame, value) for frame, value in ((5, 1), (9, 2), (3, 3), (5, 4))]
    info, samples = read(write(tmp_path / "p.csv", *rows))
    (sample,) = samples
    assert (values(sample), sample.numbers.tolist()) == ([3.0, 4.0, 2.0], [3, 5, 9])
    assert info.dropped == {"rows replaced by a later row of the same frame": 1}


@pytest.mark.parametrize("name", ["gg_lex", "gg_bom"])
def test_rows_in_text_order_and_a_byte_order_mark(name: str, case: Callable[[str], Path]) -> None:
    path = case(name) / "p.csv"
    assert detect(path) == "gaitgraph_csv"
    _, (sample,) = read(path)
    count = len(sample.frames)
    assert (sample.sample, count) == ("001-nm-01-090", 12)
    assert values(sample) == [300 + 2 * t for t in range(count)]


def test_a_row_with_more_cells_than_the_header_is_refused(tmp_path: Path) -> None:
    rows = (row("001-nm-01-000", 1), row("001-nm-01-000", 2) + ",1")
    write(tmp_path / "p.csv", *rows)
    with pytest.raises(ValueError, match=r"p\.csv: row 2 has 53 cells, the header 52"):
        read(tmp_path / "p.csv")


def test_an_empty_last_column_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", row("001-nm-01-000", 1, 2.0) + ",")
    path.write_text(path.read_text().replace("_conf\n", "_conf,\n"))
    info, (sample,) = read(path)
    assert (values(sample), info.dropped) == ([2.0], {})


def test_interleaved_sequences_are_put_together(tmp_path: Path) -> None:
    rows = [
        row(f"00{person}-nm-01-000", frame, 10 * person + frame)
        for frame in range(4)
        for person in (3, 1, 2)
    ]
    head, rest = rows[:3], rows[3:]
    random.Random(0).shuffle(rest)
    _, samples = read(write(tmp_path / "p.csv", *head, *rest))
    found = {sample.identity: sorted(values(sample)) for sample in samples}
    assert list(found) == ["003", "001", "002"]
    assert found["002"] == [20.0, 21.0, 22.0, 23.0]


def test_broken_rows_are_counted(tmp_path: Path) -> None:
    good = row("001-nm-01-000", 1)
    info, samples = read(
        write(
            tmp_path / "p.csv",
            good,
            "",
            row("001-nm-01-000", 2).rpartition(",")[0],
            row("001-nm-01-000", 4).replace("1.0", "x", 1),
            "001-nm-01-000/000005.jpg" + ",1" * 51,
            row("001-nm-01", 6),
            row("abc-nm-01-000", 7),
            row("002-nm-01-000", 8).rpartition(",")[0],
        )
    )
    assert [len(sample.frames) for sample in samples] == [1]
    assert info.dropped == {
        "rows without 51 values": 2,
        "rows with a value that is not a number": 1,
        "rows with an unreadable image name": 3,
        "sequences without a readable row": 1,
    }


def test_the_file_is_read_as_it_streams(tmp_path: Path) -> None:
    rows = [row(f"{person:03d}-nm-01-000", frame) for person in range(9) for frame in range(3)]
    path = write(tmp_path / "p.csv", *rows, "f/bad/1.jpg,1")
    info, samples = read(path)
    assert next(samples).identity == "000"
    assert info.dropped == {}
    assert len(list(samples)) == 8
    assert info.dropped == {"rows with an unreadable image name": 1}


def test_a_name_again_after_other_sequences(tmp_path: Path) -> None:
    names = ["001-nm-01-000", "002-nm-01-000", "001-nm-01-000"]
    path = write(tmp_path / "p.csv", *(row(name, i) for i, name in enumerate(names)))
    _, samples = read(path)
    assert [(s.sample, len(s.frames)) for s in samples] == [(names[0], 2), (names[1], 1)]


def test_people_whose_numbers_are_written_differently_are_two(tmp_path: Path) -> None:
    names = ["001-nm-01-090", "1-nm-01-090"]
    info, samples = read(write(tmp_path / "p.csv", *(row(name, 1) for name in names)))
    assert [(s.sample, s.identity) for s in samples] == [(names[0], "001"), (names[1], "1")]
    assert info.dropped == {}


def test_a_sequence_in_two_folders_is_refused(tmp_path: Path) -> None:
    one = row("001-nm-01-090", 1)
    write(tmp_path / "p.csv", one, "g" + one[1:])
    with pytest.raises(ValueError, match=r"p\.csv: sequence 001-nm-01-090 is in folder f and in g"):
        read(tmp_path / "p.csv")


def test_the_header_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("image_name,nose_x,nose_y\n")
    with pytest.raises(
        ValueError, match=r"first line must be image_name and 17 times.*has 3 fields"
    ):
        read(path)
    swapped = HEADER.replace("left_eye", "XX").replace("right_eye", "left_eye")
    path.write_text(swapped.replace("XX", "right_eye"))
    with pytest.raises(ValueError, match=r"column 4 is of joint right_eye.*left_eye there"):
        read(path)
    with pytest.raises(ValueError, match="17 joints, layout kgbd20 has 20"):
        read(path, layout="kgbd20")


def test_sequences_in_pixels_and_in_shares_are_refused(tmp_path: Path) -> None:
    rows = [row("001-nm-01-000", 1, 0.0), row("001-nm-02-000", 1, 0.4)]
    assert read(write(tmp_path / "p.csv", *rows))[0].unit == "normalised"
    _, samples = read(write(tmp_path / "p.csv", *rows, row("001-nm-03-000", 1, 120.0)))
    with pytest.raises(ValueError, match=r"001-nm-03-000: coordinates are pixel, those of .*nm-02"):
        list(samples)


def test_a_value_that_is_no_number_leaves_its_row_out(tmp_path: Path) -> None:
    rows = (row("001-nm-01-000", t, value) for t, value in enumerate((1, float("nan"), 3)))
    info, (sample,) = read(write(tmp_path / "p.csv", *rows))
    assert sample.numbers.tolist() == [0, 2]
    assert info.dropped == {"rows with a value that is not a number": 1}
