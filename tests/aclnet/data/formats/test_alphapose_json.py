from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo


def entry(image: str | int, place: float, joints: int = 17, **more: Any) -> dict[str, Any]:
    points = [v for j in range(joints) for v in (place + j, 50.0 + 2 * j, 0.5)]
    return {"image_id": image, "category_id": 1, "keypoints": points, "score": 2.0, **more}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def load(path: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path, **options)
    return info, list(samples)


def test_the_real_file(shared: Path) -> None:
    file = shared / "data" / "raw_samples" / "alphapose" / "alphapose-results.json"
    assert detect(file) == detect(file.parent) == "alphapose_json"
    info, (sample,) = load(file)
    assert (info.layout["name"], info.unit) == ("coco17", "pixel")
    # 206 images without numbers at the end of every name: one frame an image, in natural order.
    assert sample.frames.shape == (206, 2, 17, 3)
    people = json.loads(file.read_text())
    first = np.array(people[0]["keypoints"], np.float32).reshape(17, 3)
    assert people[0]["image_id"] == min(person["image_id"] for person in people)
    np.testing.assert_array_equal(sample.frames[0, 0], first)
    # Its ids are all 0, with several people in an image: tracking was off.
    _, apart = load(file, people="apart")
    assert len(apart) > 2
    assert sum(int(s.frames[..., 2].any(axis=(1, 2)).sum()) for s in apart) == len(people)


def test_images_in_numeric_order_with_gaps(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [entry("12.jpg", 12), entry("2.jpg", 2), entry("9.jpg", 9)])
    _, (sample,) = load(path)
    assert sample.frames.shape == (11, 2, 17, 3)
    there = sample.frames[:, 0, 0, 0]
    assert there.tolist() == [2, 0, 0, 0, 0, 0, 0, 9, 0, 0, 12]
    assert not sample.frames[1:7].any()


@pytest.mark.parametrize(
    ("first", "second"), [("a_{}.jpg", "b_{}.jpg"), ("{}.jpg", "{}.png"), ("{}.jpg", "{:04}.jpg")]
)
def test_two_videos_in_a_file_are_refused(first: str, second: str, tmp_path: Path) -> None:
    names = [name.format(number) for name in (first, second) for number in range(3)]
    path = write(tmp_path / "v.json", [entry(name, 9) for name in names])
    with pytest.raises(ValueError, match=r"v\.json: has images .* seem to belong to two videos"):
        load(path)


@pytest.mark.parametrize("shape", ["number", "list", "merged"])
def test_ids_in_every_shape(shape: str, tmp_path: Path) -> None:
    def idx(name: int) -> object:
        return {"number": name, "list": [float(name)], "merged": [[name], [99]]}[shape]

    people = [entry("1.jpg", 10, idx=idx(3)), entry("1.jpg", 400, idx=idx(8))]
    people += [entry("2.jpg", 400, idx=idx(3)), entry("2.jpg", 10, idx=idx(8))]
    path = write(tmp_path / "v.json", people)
    _, samples = load(path, people="apart")
    assert [(s.sample, s.frames[:, 0, 0, 0].tolist()) for s in samples] == [
        ("v/person-3", [10, 400]),
        ("v/person-8", [400, 10]),
    ]


def test_18_joints_are_not_guessed_in_a_list(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [entry("1.jpg", 5, joints=18)])
    with pytest.raises(
        ValueError, match=r"18 joints per person may be coco18 or coco17_neck18; nam"
    ):
        load(path)
    info, _ = load(path, layout="coco17_neck18")
    assert info.layout["joints"][17] == "neck"
    with pytest.raises(ValueError, match="18 joints per person, layout coco17 has 17"):
        load(path, layout="coco17")


@pytest.mark.parametrize("keys", [("bodies", "joints"), ("people", "pose_keypoints_2d")])
def test_the_other_forms_are_openposes_order(keys: tuple[str, str], tmp_path: Path) -> None:
    people, points = keys
    row = entry("1.jpg", 5, joints=18)["keypoints"]
    path = write(
        tmp_path / "v.json",
        {
            "10.jpg": {"version": "AlphaPose v0.3", people: [{points: row}]},
            "9.jpg": {"version": "AlphaPose v0.3", people: []},
        },
    )
    assert detect(path) == "alphapose_json"
    info, (sample,) = load(path)
    assert info.layout["name"] == "coco18"
    assert len(sample.frames) == 2
    assert not sample.frames[0].any()


@pytest.mark.parametrize(
    ("joints", "name", "kept"), [(26, "halpe26", 26), (136, "halpe26", 26), (133, "coco17", 17)]
)
def test_halpe_and_whole_bodies(joints: int, name: str, kept: int, tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [entry("1.jpg", 5, joints=joints)])
    info, (sample,) = load(path)
    assert info.layout["name"] == name
    assert sample.frames.shape[2] == kept
    assert info.settings.get("joints_left_out", 0) == joints - kept


def test_coco_results_have_numbers_as_images(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [entry(7, 5), entry(5, 6)])
    assert detect(path) == "alphapose_json"
    _, (sample,) = load(path)
    assert sample.frames[:, 0, 0, 0].tolist() == [6, 0, 5]


def test_folders_name_the_recordings(tmp_path: Path) -> None:
    for label, name in (("run", "a"), ("walk", "b")):
        write(tmp_path / label / name / "alphapose-results.json", [entry("1.jpg", 5)])
        write(tmp_path / label / name / "sep-json" / "1.json", {"people": []})
    _, samples = load(tmp_path, label_from="folder")
    assert [(s.sample, s.label) for s in samples] == [("run/a", "run"), ("walk/b", "walk")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"image_id": "1.jpg"}], "not an AlphaPose result"),
        ([3], "not an AlphaPose result"),
        ({"1.jpg": {"people": 3}}, "not an AlphaPose result"),
        ("text", "not an AlphaPose result"),
        ([entry("1.jpg", float("nan"))], r"entry 0 \(1.jpg\): a keypoint is NaN"),
        ([entry("1.jpg", 1), entry("2.jpg", 1, joints=18)], "54 numbers, the first person has 51"),
        ([{"image_id": "1.jpg", "keypoints": [1, 2]}], "2 numbers are not triples"),
        ([], "nobody was found"),
    ],
)
def test_bad_files_are_refused(content: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path, format="alphapose_json")
    assert str(path) in str(caught.value)


def test_a_file_cut_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [entry("1.jpg", 1)])
    path.write_text(path.read_text()[:-20])
    assert detect(path) == "alphapose_json"
    with pytest.raises(ValueError, match="not JSON, or cut off"):
        load(path)


def test_people_grouped_by_image(tmp_path: Path) -> None:
    people = {f"{t}.jpg": [entry(f"{t}.jpg", t, idx=4)] for t in (12, 9)}
    del people["9.jpg"][0]["image_id"]
    path = write(tmp_path / "v.json", {"8.jpg": [], **people})
    assert detect(path) == "alphapose_json"
    _, (sample,) = load(path, people="together")
    assert sample.frames[:, 0, 0, 0].tolist() == [0, 9, 0, 0, 12]
    write(path, {"1.jpg": [entry("2.jpg", 1)]})
    with pytest.raises(ValueError, match="not an AlphaPose result"):
        load(path)


@pytest.mark.parametrize("form", ["list", "grouped", "cmu"])
def test_folders_of_images_are_recordings(form: str, tmp_path: Path) -> None:
    people = [entry(f"{video}/{t}.jpg", t + 1) for t in range(2) for video in ("run/a", "walk/b")]
    row = entry("", 5, joints=18)["keypoints"]
    content = {
        "list": people,
        "grouped": {person["image_id"]: [person] for person in people},
        "cmu": {person["image_id"]: {"bodies": [{"joints": row}]} for person in people},
    }[form]
    path = write(tmp_path / "v.json", content)
    _, samples = load(path, label_from="folder")
    assert [(s.sample, s.label, len(s.frames)) for s in samples] == [
        ("v/run/a", "run", 2),
        ("v/walk/b", "walk", 2),
    ]


def test_one_folder_of_images_is_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [entry("out/1.jpg", 1), entry("out/2.jpg", 2)])
    _, (sample,) = load(path)
    assert (sample.sample, len(sample.frames)) == ("v", 2)


def test_a_person_without_keypoints_does_not_decide_their_number(tmp_path: Path) -> None:
    people = [{**entry("1.jpg", 1), "keypoints": []}, entry("2.jpg", 2), entry("2.jpg", 2)]
    info, (sample,) = load(write(tmp_path / "v.json", people))
    assert sample.frames[:, 0, 0, 0].tolist() == [0, 2]
    assert info.dropped == {"people without a joint": 1, "people listed twice in a frame": 1}


def test_a_face_alone_does_not_decide_the_unit(tmp_path: Path) -> None:
    face = entry("1.jpg", 5, joints=136)
    face["keypoints"][: 3 * 26] = [0] * 3 * 26
    write(tmp_path / "a.json", [face])
    write(tmp_path / "b.json", [entry("1.jpg", 5, joints=136)])
    info, samples = load(tmp_path)
    assert (info.unit, len(samples)) == ("pixel", 2)


def test_names_in_one_file_say_nothing_of_another(tmp_path: Path) -> None:
    row = entry("1.jpg", 5, joints=18)["keypoints"]
    write(tmp_path / "a.json", {"1.jpg": {"version": "x", "people": [{"joints": row}]}})
    write(tmp_path / "b.json", [entry("1.jpg", 5, joints=18)])
    with pytest.raises(
        ValueError, match=r"b.json: 18 joints per person may be coco18 or coco17_neck"
    ):
        load(tmp_path)
    assert len(load(tmp_path, layout="coco18")[1]) == 2


def test_long_ids_are_exact(tmp_path: Path) -> None:
    people = [entry(f"{t}.jpg", 9 + 500 * p, idx=1234567.0 + p) for t in (1, 2) for p in (0, 1)]
    _, samples = load(write(tmp_path / "v.json", people), people="apart")
    assert [s.sample for s in samples] == ["v/person-1234567", "v/person-1234568"]


def test_a_negative_id_is_none(tmp_path: Path) -> None:
    people = [entry(f"{t}.jpg", 9 + 5000 * (t > 1), idx=-1) for t in range(4)]
    _, samples = load(write(tmp_path / "v.json", people), people="apart")
    assert [len(s.frames) for s in samples] == [2, 2]
