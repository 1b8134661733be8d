from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.class_names import class_names
from aclnet.data.formats import detect, read
from aclnet.skeleton import load_layout

FRAME = [[0.1 * i, -0.2, 3.0] for i in range(20)]


def write(folder: Path, name: str, content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_authors_files_are_the_npz(shared: Path) -> None:
    folder = shared / "data" / "raw_samples" / "nwucla"
    assert detect(folder) == "nwucla_json"
    seen: list[tuple[int, int]] = []
    info, samples = read(folder, progress=lambda done, total: seen.append((done, total)))
    kept = {sample.sample: sample for sample in samples}
    assert len(kept) == 18
    assert seen == [(i + 1, 18) for i in range(18)]
    whole, all_samples = read(shared / "data" / "nwucla.npz", split="split_xview")
    wanted = {sample.sample: sample for sample in all_samples}
    for name, sample in kept.items():
        np.testing.assert_array_equal(sample.frames, wanted[name].frames)
        for field in ("identity", "label", "view", "take"):
            assert getattr(sample, field) == getattr(wanted[name], field)
    assert info.classes == whole.classes == class_names("nwucla")
    assert info.layout == whole.layout == load_layout("kinect20").to_dict()
    assert (info.unit, info.channels) == (whole.unit, whole.channels)


def test_action_numbers_lack_seven_and_ten(tmp_path: Path) -> None:
    for action in (6, 8, 9, 11, 12):
        write(tmp_path, f"a{action:02d}_s10_e03_v02", {"skeletons": [FRAME], "label": 1})
    _, samples = read(tmp_path)
    kept = list(samples)
    assert [s.label for s in kept] == ["stand up", "donning", "doffing", "throw", "carry"]
    assert (kept[0].identity, kept[0].view, kept[0].camera, kept[0].take) == ("10", "2", "2", "3")
    path = write(tmp_path, "a07_s10_e03_v02", {"skeletons": [FRAME]})
    with pytest.raises(ValueError, match=r"a07_s10_e03_v02.json: names action 7; the data set has"):
        read(path)


def test_empty_recordings_are_counted_and_other_names_have_no_class(tmp_path: Path) -> None:
    write(tmp_path, "mine", {"skeletons": [FRAME, FRAME]})
    write(tmp_path, "none", {"skeletons": []})
    info, samples = read(tmp_path, "nwucla_json")
    (sample,) = samples
    assert sample.frames.shape == (2, 1, 20, 3)
    assert (sample.sample, sample.label, info.classes) == ("mine", "", ())
    assert info.dropped == {"empty sequences": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"skeletons": [[', "not JSON, or cut off .*; write or copy the file again"),
        ("[1]", "expected an object with a list 'skeletons'"),
        ({"skeletons": 3}, "expected an object with a list 'skeletons'"),
        ({"frames": []}, "has no key 'skeletons'; it has frames"),
        ({"skeletons": [FRAME, FRAME[:18]]}, r"frame 1: expected 20 joints .*, got \(18, 3\)"),
        ({"skeletons": [[*FRAME[:19], [1, 2]]]}, "frame 0: .* got something else"),
        ({"skeletons": [[*FRAME[:19], ["x", "y", "z"]]]}, "frame 0: .* got something else"),
        ({"skeletons": [[*FRAME[:19], [None, 1, 2]]]}, "frame 0: .* got something else"),
    ],
)
def test_bad_files_are_named(content: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, "a01_s01_e00_v01", content)
    with pytest.raises(ValueError, match=message) as caught:
        list(read(path, "nwucla_json")[1])
    assert str(caught.value).startswith(f"{path}: ")


def test_other_json_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path, "a01_s01_e00_v01", {"keypoints": []})
    with pytest.raises(ValueError, match="not recognised"):
        detect(tmp_path)


def test_an_empty_first_file_does_not_hide_the_format(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"a01_s01_e0{number}_v01.json").touch()
    (tmp_path / "a01_s01_e09_v01.json").write_text('{"skeletons": []}')
    assert detect(tmp_path) == "nwucla_json"


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a01_s01_e00_v01", {"skeletons": [FRAME, [[float("nan"), 0, 1]] * 20]})
    with pytest.raises(ValueError, match="skeletons, frame 1: a number is NaN or infinite"):
        list(read(path)[1])


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a01_s01_e00_v01", '{"skeletons": [], "skeletons": []}')
    with pytest.raises(ValueError, match="has key 'skeletons' twice in one object"):
        list(read(path)[1])
