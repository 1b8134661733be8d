from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats import detect, read
from aclnet.skeleton import load_layout

ARMS = ("Shoulder", "Elbow", "Wrist", "Hand")
LEGS = ("Hip", "Knee", "Ankle", "Foot")
NAMES = ["Head", "Shoulder-Center", *(f"{j}-{side}" for j in ARMS for side in ("Right", "Left"))]
NAMES += ["Spine", "Hip-centro", *(f"{j}-{side}" for j in LEGS for side in ("Right", "Left"))]


def frame(value: float) -> list[str]:
    return [f"{name};{value};{i};-1.5" for i, name in enumerate(NAMES)]


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + "\r\n" for line in lines).encode())
    return path


def test_authors_files_are_the_npz(shared: Path) -> None:
    info, samples = read(shared / "data" / "raw_samples" / "kgbd" / "Person015")
    kept = {sample.sample: sample for sample in samples}
    assert list(kept) == ["Person015_1", "Person015_2", "Person015_3"]
    with np.load(shared / "data" / "kgbd.npz") as data:
        place = data["sequence_name"].tolist().index("Person015_2")
        start, end = data["offsets"][place : place + 2]
        wanted = data["joints"][start:end]
    sample = kept["Person015_2"]
    assert (sample.identity, sample.take) == ("015", "2")
    # The npz is rounded to 1/8192 m.
    np.testing.assert_allclose(sample.frames, wanted, atol=1 / 16384 + 1e-7)
    assert info.layout == load_layout("kgbd20").to_dict()
    assert (info.unit, info.fps, info.dropped) == ("metre", 30.0, {})


def test_walks_in_order_of_their_numbers(tmp_path: Path) -> None:
    for person, walks in (("Person002", (1,)), ("Person001", (10, 9, 1))):
        for walk in walks:
            write(tmp_path / person / f"{walk}.txt", frame(walk))
    (tmp_path / "person-data.csv").write_text("Individual,Height\n")
    _, samples = read(tmp_path)
    kept = list(samples)
    assert [s.sample for s in kept] == [
        "Person001_1",
        "Person001_9",
        "Person001_10",
        "Person002_1",
    ]
    np.testing.assert_array_equal(kept[1].frames[0, 0, :, 0], 9)
    np.testing.assert_array_equal(kept[1].frames[0, 0, :, 1], np.arange(20))


def test_two_folders_of_one_person_are_refused(tmp_path: Path) -> None:
    for folder in ("1", "Person1"):
        write(tmp_path / folder / "1.txt", frame(1))
    with pytest.raises(ValueError, match="Person1: person 1 is folder 1 too"):
        read(tmp_path)


def test_broken_frames_are_counted(tmp_path: Path) -> None:
    lacking = frame(3)
    del lacking[7]
    swapped = frame(4)
    swapped[1], swapped[2] = swapped[2], swapped[1]
    word = [*frame(5)[:-1], "Foot-Left;1;x;2"]
    short = [*frame(6)[:-1], "Foot-Left;1;2"]
    long = [*frame(7)[:-1], "Foot-Left;1;2;3;4"]
    cut = frame(8)[:9]
    lines = [
        *frame(0)[5:],
        *frame(1),
        *lacking,
        "",
        *swapped,
        *word,
        *short,
        *long,
        *frame(2),
        *cut,
    ]
    path = write(tmp_path / "Person007" / "3.txt", lines)
    info, samples = read(path, "kgbd_text")
    (sample,) = samples
    assert sample.frames[:, 0, 0, 0].tolist() == [1.0, 2.0]
    assert sample.numbers.tolist() == [1, 7]
    assert info.dropped == {"broken frames": 7}
    assert (sample.identity, sample.take) == ("007", "3")


@pytest.mark.parametrize("content", ["", "\r\n", "\r\n\r\n"])
def test_empty_files_are_counted(content: str, tmp_path: Path) -> None:
    write(tmp_path / "Person001" / "1.txt", frame(1))
    (tmp_path / "Person001" / "2.txt").write_text(content)
    info, samples = read(tmp_path)
    assert len(list(samples)) == 1
    assert info.dropped == {"empty sequences": 1}


def test_other_joints_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "Person001" / "1.txt", ["Cabeza;1;2;3", "Pie;1;2;3"])
    _, samples = read(tmp_path)
    with pytest.raises(ValueError, match=r"1.txt: names joint 'Cabeza', which layout kgbd20"):
        list(samples)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no PersonNNN"):
        read(tmp_path / "empty", "kgbd_text")


def test_an_empty_first_file_does_not_hide_the_format(tmp_path: Path) -> None:
    (tmp_path / "Person001").mkdir()
    (tmp_path / "Person001" / "1.txt").touch()
    (tmp_path / "Person001" / "2.txt").write_text("Head;-0.02;0.79;2.58\n")
    assert detect(tmp_path) == "kgbd_text"


def test_people_of_other_folders_keep_their_whole_name(tmp_path: Path) -> None:
    for person in ("Person008", "Woman008", "person8"):
        write(tmp_path / person / "1.txt", frame(1))
    _, samples = read(tmp_path)
    assert {sample.identity for sample in samples} == {"008", "Woman008", "person8"}
