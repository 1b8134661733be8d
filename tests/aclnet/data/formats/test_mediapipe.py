from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import load_layout

NAMES = load_layout("mediapipe33").joints


def landmarks(place: float, world: bool = False) -> list[dict[str, float]]:
    """33 landmarks; the hips are numbers 23 and 24."""
    points = [
        {"x": place + 0.01 * j, "y": 0.2 + 0.01 * j, "z": -0.1, "visibility": 0.75}
        for j in range(33)
    ]
    if world:
        for j, point in enumerate(points):
            point.update(x=0.01 * j - 0.235, y=0.03 * j - 0.705)
    return points


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def load(path: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path, **options)
    return info, list(samples)


def long_csv(frames: list[int], named: bool) -> str:
    rows = ["frame_id,landmark_id,landmark_name,x,y,z,visibility"]
    if named:
        rows = ["frame,landmark,x,y,z,visibility"]
    for frame in frames:
        for j, point in reversed(list(enumerate(landmarks(0.1 * frame)))):
            values = ",".join(f"{value:.6f}" for value in point.values())
            name = f"PoseLandmark.{NAMES[j].upper()}"
            rows.append(f"{frame},{name},{values}" if named else f"{frame},{j},{name},{values}")
    return "\n".join(rows) + "\n"


def wide_csv(frames: list[int], first: int, frame_column: bool) -> str:
    columns = [f"{axis}{first + j}" for j in range(33) for axis in ("x", "y", "z", "v")]
    rows = [",".join([*(["frame"] if frame_column else ["class"]), *columns])]
    for frame in frames:
        values = [f"{value:.6f}" for point in landmarks(0.1 * frame) for value in point.values()]
        rows.append(",".join([str(frame) if frame_column else "squat", *values]))
    return "\n".join(rows) + "\n"


def check(sample: Sample, frames: list[int]) -> None:
    assert sample.frames.shape == (frames[-1] - frames[0] + 1, 2, 33, 4)
    present = np.flatnonzero(sample.frames[:, 0, 0, 3]) + frames[0]
    assert present.tolist() == frames
    for frame in frames:
        point = landmarks(0.1 * frame)[12]
        np.testing.assert_allclose(
            sample.frames[frame - frames[0], 0, 12], list(point.values()), atol=1e-6
        )


@pytest.mark.parametrize("named", [True, False])
def test_a_row_a_landmark(named: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", long_csv([2, 3, 10], named))
    assert detect(path) == "mediapipe"
    info, (sample,) = load(path)
    check(sample, [2, 3, 10])
    assert (info.unit, info.layout["name"]) == ("normalised", "mediapipe33")
    assert info.channels == ("x", "y", "z", "confidence")


@pytest.mark.parametrize("first", [0, 1])
def test_a_row_a_frame(first: int, tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", wide_csv([1, 2, 4], first, frame_column=True))
    assert detect(path) == "mediapipe"
    _, (sample,) = load(path)
    check(sample, [1, 2, 4])
    path = write(tmp_path / "w.csv", wide_csv([1, 2, 3], first, frame_column=False))
    assert detect(path) == "mediapipe"
    _, (sample,) = load(path)
    check(sample, [1, 2, 3])


def test_json_forms(tmp_path: Path) -> None:
    plain = [landmarks(0.1), [], landmarks(0.3)]
    objects = [
        {"frame": 1, "pose_landmarks": landmarks(0.1), "pose_world_landmarks": landmarks(0, True)},
        {"frame": 2, "pose_landmarks": None, "pose_world_landmarks": None},
        {"frame": 3, "pose_landmarks": landmarks(0.3), "pose_world_landmarks": landmarks(0, True)},
    ]
    lists = [[[*point.values()] for point in frame] for frame in plain]
    people = {
        "frames": [{"landmarks": [landmarks(0.1)]}, {"landmarks": []}, {"landmarks": plain[2:]}]
    }
    for name, content in (("plain", plain), ("objects", objects), ("people", people)):
        path = write(tmp_path / f"{name}.json", content)
        assert detect(path) == "mediapipe"
        info, (sample,) = load(path)
        check(sample, [1, 3])
        assert info.unit == "normalised"
    _, (sample,) = load(write(tmp_path / "lists.json", lists), format="mediapipe")
    check(sample, [1, 3])


def test_several_people_in_a_frame(tmp_path: Path) -> None:
    frames = [{"landmarks": [landmarks(0.1), landmarks(5)]}] * 2
    _, (sample,) = load(write(tmp_path / "v.json", frames))
    assert sample.frames[..., 3].all()


def test_one_person_at_a_time_is_one_person(tmp_path: Path) -> None:
    frames = [landmarks(0.1), *([[]] * 40), landmarks(0.9)]
    _, (sample,) = load(write(tmp_path / "v.json", frames))
    assert np.flatnonzero(sample.frames[:, 0, 0, 3]).tolist() == [0, 41]
    assert not sample.frames[:, 1].any()


def test_world_landmarks_are_metres(tmp_path: Path) -> None:
    frame = {"pose_landmarks": landmarks(0.1), "pose_world_landmarks": landmarks(0, True)}
    path = write(tmp_path / "v.json", [frame])
    info, (sample,) = load(path, space="world")
    assert info.unit == "metre"
    np.testing.assert_allclose(sample.frames[0, 0, 0, :2], [-0.235, -0.705], atol=1e-6)
    info, _ = load(write(tmp_path / "w.json", [{"pose_world_landmarks": landmarks(0, True)}]))
    assert info.unit == "metre"


def test_without_z_and_as_coco(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", wide_csv([1, 2], 0, frame_column=True))
    info, (sample,) = load(path, dims=2)
    assert info.channels == ("x", "y", "confidence")
    assert sample.frames.shape[-1] == 3
    store = convert(path, tmp_path / "store", map_to="coco17", dims=2)
    np.testing.assert_allclose(store.clip(0)[0, 0, 5, 0], 0.1 + 0.11, atol=1e-6)
    flat = [[{"x": 0.5, "y": 0.5, "visibility": 1}] * 33]
    with pytest.raises(ValueError, match="its landmarks have no z; set dims to 2"):
        load(write(tmp_path / "f.json", flat), dims=3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([landmarks(0.1)[:32]], "frame 0, person 0: 32 landmarks; MediaPipe Pose has 33"),
        ([{"face": []}], r"not a list of MediaPipe landmarks \(frame 0\)"),
        (3, "not a list of MediaPipe landmarks"),
        ({"pose_landmarks": landmarks(0.1)}, "not a list of MediaPipe landmarks"),
        ([[[1, 1, 1, 1]] * 32 + [[1, 1, 1]]], "some landmarks have z and others do not"),
        ({"a/1": landmarks(0.1), "b/1": landmarks(0.1)}, "has images of 2 folders, a and b"),
        ([[{"x": 1}] * 33], "a landmark must be an object x, y"),
        ([landmarks(float("nan"))], "frame 0, person 0: a keypoint is NaN"),
        ([[]], "nobody was found"),
        ("[", "not JSON"),
    ],
)
def test_bad_json_is_refused(content: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path, format="mediapipe")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,landmark,x,y\n1,NOSE,1,1\n1,nose,1,1\n", "line 3: landmark nose is in frame 1 twi"),
        ("frame,landmark,x,y\n1,elbow,1,1\n", "no landmark 'elbow' in MediaPipe Pose"),
        ("frame,landmark,x,y\n1,33,1,1\n", "no landmark '33'"),
        ("landmark,x,y\n1,1,1\n", "no column frame"),
        ("frame,landmark,x,y\n1,nose,1,nan\n", "frame 1: nose is '1, nan'"),
        ("frame,landmark,x,y\n1,nose,1,1\n", "has no joint left_eye_inner"),
        ("frame,landmark,x,y\n", "it has no rows"),
    ],
)
def test_bad_csv_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path / "v.csv", text), format="mediapipe", layout="mediapipe33")


@pytest.mark.parametrize("option", [{"space": "room"}, {"dims": 4}])
def test_options_are_checked(option: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="space must be image or world and dims 2 or 3"):
        load(write(tmp_path / "v.json", [landmarks(0.1)]), **option)


def test_other_json_forms(tmp_path: Path) -> None:
    plain = [landmarks(0.1), [], landmarks(0.3)]
    inner = [{"landmark": frame} for frame in plain]
    many = [None] * 2000
    forms: dict[str, object] = {
        "inner": inner,
        "objects": [{"poseLandmarks": frame} for frame in inner],
        "people": [{"pose_landmarks": [frame] if frame["landmark"] else [[]]} for frame in inner],
        "numbers": {str(frame): item for frame, item in zip((1, 2, 3), plain, strict=True)},
        "late": [{"pose_landmarks": item} for item in (*many, *plain)],
    }
    for name, content in forms.items():
        path = write(tmp_path / f"{name}.json", content)
        assert detect(path) == "mediapipe", name
        info, (sample,) = load(path)
        check(replace(sample, frames=sample.frames[-3:]), [1, 3])
        assert info.unit == "normalised"


def test_three_numbers_are_x_y_z_where_the_third_is_no_share(tmp_path: Path) -> None:
    frames = [[[0.5, 0.5, z] for z in (0.5, *[0.1] * 32)] for _ in range(2)]
    info, (sample,) = load(write(tmp_path / "v.json", frames), format="mediapipe")
    assert info.channels == ("x", "y", "confidence")
    frames[1][3][2] = -0.2
    info, (sample,) = load(write(tmp_path / "v.json", frames), format="mediapipe")
    assert info.channels == ("x", "y", "z", "confidence")
    np.testing.assert_allclose(sample.frames[1, 0, 3], [0.5, 0.5, -0.2, 1], rtol=1e-6)


def test_a_file_is_of_one_space(tmp_path: Path) -> None:
    frames = [
        {"pose_landmarks": [], "pose_world_landmarks": landmarks(0, world=True)},
        {"pose_landmarks": landmarks(0.1), "pose_world_landmarks": landmarks(0, world=True)},
    ]
    info, (sample,) = load(write(tmp_path / "v.json", frames))
    assert info.unit == "normalised"
    assert sample.frames[:, 0, 0, 0].tolist() == pytest.approx([0, 0.1])


def test_files_of_both_spaces_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [landmarks(0.1)])
    write(tmp_path / "b.json", [landmarks(0, world=True)])
    with pytest.raises(ValueError, match="3-D and metre, the first recording's 3-D and normalised"):
        load(tmp_path)


def test_a_body_beyond_the_edge_is_in_the_image(tmp_path: Path) -> None:
    info, _ = load(write(tmp_path / "v.json", [landmarks(-0.1)]))
    assert info.unit == "normalised"


def test_numbers_from_1_on(tmp_path: Path) -> None:
    rows = long_csv([2, 3], named=False).splitlines()
    cells = [row.split(",") for row in rows[1:]]
    shifted = [",".join([row[0], str(int(row[1]) + 1), *row[2:]]) for row in cells]
    _, (sample,) = load(write(tmp_path / "v.csv", "\n".join([rows[0], *shifted])))
    check(sample, [2, 3])


def test_a_person_listed_twice_is_one(tmp_path: Path) -> None:
    frames = [[landmarks(0.1)] * 2, *[[]] * 40, [landmarks(5)]]
    info, (sample,) = load(write(tmp_path / "v.json", frames))
    assert not sample.frames[:, 1].any()
    assert info.dropped == {"people listed twice in a frame": 1}


def test_rows_of_several_classes_are_no_video(tmp_path: Path) -> None:
    path = write(tmp_path / "v.csv", wide_csv([0, 1, 2], 1, frame_column=False))
    info, _ = load(path)
    assert info.notes == {"columns not read: class": 1}
    path.write_text(path.read_text().replace("squat", "lunge", 1))
    with pytest.raises(ValueError, match="column class has 2 values, and no column frame says"):
        load(path)


def test_columns_of_a_table_of_landmarks_that_are_not_read_are_noted(tmp_path: Path) -> None:
    lines = long_csv([0, 1], named=False).splitlines()
    text = "\n".join(f"{line},{'mood' if not row else 'x'}" for row, line in enumerate(lines))
    info, _ = load(write(tmp_path / "v.csv", text))
    assert info.notes == {"columns not read: mood": 1}
    text = "\n".join(f"{line},{'clip' if not row else row < 40}" for row, line in enumerate(lines))
    with pytest.raises(ValueError, match="column clip has 2 values; write a file for each"):
        load(write(tmp_path / "v.csv", text))


def test_a_frame_twice_is_refused(tmp_path: Path) -> None:
    frames = [{"frame": frame, "landmarks": landmarks(0.1 * frame)} for frame in (1, 2, 1)]
    with pytest.raises(ValueError, match="has frame 1 2 times; write a file for each video"):
        load(write(tmp_path / "v.json", frames))


def test_frames_of_which_some_have_a_number_are_refused(tmp_path: Path) -> None:
    frames = [{"frame": 3, "landmarks": landmarks(0.1)}, {"landmarks": landmarks(0.2)}]
    with pytest.raises(ValueError, match="some frames have a number and others do not"):
        load(write(tmp_path / "v.json", frames))
