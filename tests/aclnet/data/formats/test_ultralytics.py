from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo


def detection(place: float, joints: int = 17, **more: Any) -> dict[str, Any]:
    points = {
        "x": [place + j for j in range(joints)],
        "y": [50.0 + j for j in range(joints)],
        "visible": [0.75] * joints,
    }
    box = {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
    head = {"name": "person", "class": 0, "confidence": 0.9, "box": box}
    return {**head, **more, "keypoints": points}


def line(place: float, joints: int = 17, tail: str = "") -> str:
    points = [f"{place + 0.001 * j} {0.5 + 0.001 * j} 0.75" for j in range(joints)]
    return " ".join(["0 0.5 0.5 0.2 0.4", *points, tail]).strip()


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return path


def load(path: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path, **options)
    return info, list(samples)


def test_a_list_of_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [[], [detection(10)], [], [detection(12), detection(300)]])
    assert detect(path) == detect(tmp_path) == "ultralytics_json"
    info, (sample,) = load(path)
    assert sample.frames[:, 0, 0, 0].tolist() == [0, 10, 0, 12]
    assert sample.frames[:, 1, 0, 0].tolist() == [0, 0, 0, 300]
    assert sample.frames[1, 0, 2].tolist() == [12, 52, 0.75]
    assert (info.layout["name"], info.unit) == ("coco17", "pixel")


def test_a_file_a_frame(tmp_path: Path) -> None:
    for number, people in ((1, []), (2, [detection(20)]), (10, [detection(30)])):
        write(tmp_path / "v" / f"frame_{number}.json", people)
    assert detect(tmp_path) == "ultralytics_json"
    _, (sample,) = load(tmp_path)
    assert (sample.sample, len(sample.frames)) == ("v", 10)
    assert np.flatnonzero(sample.frames[:, 0, 0, 0]).tolist() == [1, 9]


def test_track_ids_and_frames_before_tracking(tmp_path: Path) -> None:
    frames = [
        [detection(10)],
        [detection(10, track_id=3), detection(300, track_id=1)],
        [detection(300, track_id=3), detection(10, track_id=1)],
    ]
    _, samples = load(write(tmp_path / "v.json", frames), people="apart")
    found = {s.sample: s.frames[:, 0, 0, 0].tolist() for s in samples}
    assert found["v/person-3"] == [10, 300]
    assert found["v/person-1"] == [300, 10]


def test_no_visible_and_no_keypoints(tmp_path: Path) -> None:
    one = detection(10)
    del one["keypoints"]["visible"]
    one["keypoints"]["x"][1] = one["keypoints"]["y"][1] = 0
    dog = {"name": "dog", "class": 16, "confidence": 0.9, "box": {}}
    _, (sample,) = load(write(tmp_path / "v.json", [[dog, one]]), format="ultralytics_json")
    assert sample.frames[0, 0, :3, 2].tolist() == [1, 0, 1]


def test_joints_that_ultralytics_blanked_are_not_found(tmp_path: Path) -> None:
    one = detection(10)
    for axis, value in (("x", 0), ("y", 0), ("visible", 0.3)):
        one["keypoints"][axis][4] = value
    _, (sample,) = load(write(tmp_path / "v.json", [[one]]))
    assert sample.frames[0, 0, 4].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, "not an Ultralytics result"),
        ([[3]], "not an Ultralytics result"),
        ([[{"keypoints": {"x": [1]}}]], "frame 0, detection 0: keypoints must be lists x and y"),
        ([[{"keypoints": {"x": [1], "y": [1, 2]}}]], "must be lists of one length"),
        ([[detection(1)], [detection(1, 18)]], "frame 1, detection 0: 54 numbers, the first"),
        ([[detection(float("inf"))]], "frame 0, detection 0: a keypoint is NaN or infinite"),
        ([[detection(1, 12)]], "no layout of 12 joints"),
        ([[]], "nobody was found"),
    ],
)
def test_bad_json_is_refused(content: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path, format="ultralytics_json")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("tails", "tracks"),
    [
        (("", ""), ["1", "2"]),
        (("0.9", "0.8"), ["1", "2"]),
        (("7", "4"), ["4", "7"]),
        (("0.9 7", "1 4"), ["4", "7"]),
    ],
)
def test_text_rows(tails: tuple[str, str], tracks: list[str], tmp_path: Path) -> None:
    for number in (9, 10, 12):
        rows = [line(0.2, tail=tails[0]), line(0.8, tail=tails[1])]
        write(tmp_path / "labels" / f"clip_{number}.txt", "\n".join(rows) + "\n")
    assert detect(tmp_path) == "ultralytics_text"
    info, samples = load(tmp_path, people="apart")
    assert (info.unit, info.layout["name"]) == ("normalised", "coco17")
    assert sorted(s.sample.rpartition("-")[2] for s in samples) == tracks
    assert samples[0].frames.shape == (4, 1, 17, 3)
    assert not samples[0].frames[2].any()
    np.testing.assert_allclose(samples[0].frames[0, 0, 1], [0.201, 0.501, 0.75], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("0 0.5 0.5 0.1", {}, "line 1: 4 numbers are not a class"),
        (line(0.2, tail="x"), {}, "line 1: must be numbers"),
        (line(0.2, joints=18), {}, "no layout of 18 joints"),
        (line(0.2, joints=18), {"layout": "coco17"}, "59 numbers .* of 17 joints"),
        (line(0.2, tail="nan"), {"layout": "coco18"}, "57 numbers .* 18 joints"),
    ],
)
def test_bad_text_is_refused(
    content: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write(tmp_path / "clip_1.txt", content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path, format="ultralytics_text", **options)


@pytest.mark.parametrize("form", ["predictions", "images"])
def test_frames_saved_otherwise(form: str, tmp_path: Path) -> None:
    frames = [[], [detection(10)], [detection(12)]]
    images = {f"frame_{t}.jpg": people for t, people in enumerate(frames)}
    path = write(tmp_path / "v.json", {"predictions": frames} if form == "predictions" else images)
    assert detect(path) == "ultralytics_json"
    _, (sample,) = load(path)
    assert sample.frames[:, 0, 0, 0].tolist() == [0, 10, 12]


def test_frames_in_lists_of_one(tmp_path: Path) -> None:
    for number, people in ((1, []), (2, [detection(20)]), (3, [detection(30)])):
        write(tmp_path / "v" / f"{number}.json", [people])
    _, (sample,) = load(tmp_path)
    assert sample.frames[:, 0, 0, 0].tolist() == [0, 20, 30]


def test_videos_and_frames_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "1.json", [detection(10)])
    write(tmp_path / "2.json", [[], [detection(10)]])
    with pytest.raises(ValueError, match=r"2.json: has the frames of a video, other files there"):
        load(tmp_path)


def test_images_of_two_folders_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", {"a/1.jpg": [detection(1)], "2.jpg": [detection(2)]})
    with pytest.raises(ValueError, match=r"has images of 2 folders, \(none\) and a among them"):
        load(path)


def test_text_after_empty_frames_is_recognised(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path / f"clip_{number}.txt", line(0.2) if number > 25 else "")
    assert detect(tmp_path) == "ultralytics_text"
    assert len(load(tmp_path)[1][0].frames) == 30


@pytest.mark.parametrize(
    ("tails", "tracks"),
    [
        # A confidence may be 0 or 1 by chance; a line without an id is a person of its own.
        (("0.9", "1"), ["1"]),
        (("0", "1"), ["1"]),
        (("1", "0.9 1"), ["2", "1"]),
        (("", "4"), ["1", "4"]),
        (("7", "7"), ["7"]),
    ],
)
def test_all_lines_say_what_the_last_number_is(
    tails: tuple[str, str], tracks: list[str], tmp_path: Path
) -> None:
    for number, tail in enumerate(tails):
        write(tmp_path / f"clip_{number}.txt", line(0.2, tail=tail))
    _, samples = load(tmp_path, people="apart")
    assert [s.sample.rpartition("-")[2] for s in samples] == tracks


def test_text_files_in_pixels_are_pixels(tmp_path: Path) -> None:
    for number, place in ((1, 300.0), (2, 302.0)):
        write(tmp_path / "v" / f"v_{number}.txt", line(place))
    assert load(tmp_path / "v", format="ultralytics_text")[0].unit == "pixel"
    write(tmp_path / "w" / "w_1.txt", line(0.4))
    with pytest.raises(ValueError, match="coordinates are 2-D and normalised, the first"):
        load(tmp_path, format="ultralytics_text")


@pytest.mark.parametrize("form", [float, str])
def test_ids_in_other_forms_are_ids(form: Any, tmp_path: Path) -> None:
    frames = [[detection(place, track_id=form(place)) for place in (10, 900)] for _ in range(2)]
    _, samples = load(write(tmp_path / "v.json", frames), people="apart")
    assert [s.sample for s in samples] == ["v/person-10", "v/person-900"]
