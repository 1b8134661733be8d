from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.formats import detect, read
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import load_layout


def instance(place: float, joints: int = 17, dims: int = 2, **more: Any) -> dict[str, Any]:
    points = [[place + j, 50.0 + 2 * j, -0.5][:dims] for j in range(joints)]
    return {
        "keypoints": points,
        "keypoint_scores": [0.5] * joints,
        "bbox": [[0, 0, 1, 1]],
        "bbox_score": 0.9,
        **more,
    }


def frame(number: int, *instances: dict[str, Any]) -> dict[str, Any]:
    return {"frame_id": number, "instances": list(instances)}


def named(layout: str) -> dict[str, Any]:
    joints = load_layout(layout).joints
    return {"keypoint_id2name": {str(i): name for i, name in enumerate(joints)}}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))
    return path


def load(path: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(path, **options)
    return info, list(samples)


@pytest.mark.parametrize("form", ["demo", "inferencer"])
def test_a_video(form: str, tmp_path: Path) -> None:
    frames = [frame(2, instance(10)), frame(1, instance(300), instance(11)), frame(4, instance(9))]
    frames.append(frame(5))
    content = {"meta_info": named("coco17"), "instance_info": frames} if form == "demo" else frames
    path = write(tmp_path / "v.json", content)
    assert detect(path) == detect(tmp_path) == "mmpose_json"
    info, (sample,) = load(path)
    assert sample.frames.shape == (5, 2, 17, 3)
    assert sample.frames[:, 0, 0, 0].tolist() == [11, 10, 0, 9, 0]
    assert sample.frames[:, 1, 0, 0].tolist() == [300, 0, 0, 0, 0]
    np.testing.assert_array_equal(sample.frames[0, 0, 3], [14, 56, 0.5])
    assert (info.layout["name"], info.unit) == ("coco17", "pixel")


def test_images_of_a_folder_are_its_frames(tmp_path: Path) -> None:
    for number in (2, 10, 9):
        write(tmp_path / "v" / f"img_{number}.json", [instance(number)])
    write(tmp_path / "v" / "img_11.json", [])
    assert detect(tmp_path) == "mmpose_json"
    _, (sample,) = load(tmp_path)
    assert sample.sample == "v"
    assert sample.frames[[0, 7, 8, 9], 0, 0, 0].tolist() == [2, 9, 10, 0]
    assert len(sample.frames) == 10
    _, (one,) = load(tmp_path / "v" / "img_2.json")
    assert one.frames.shape == (1, 2, 17, 3)


def test_lifted_joints_are_found_by_their_names(tmp_path: Path) -> None:
    lifted = instance(-8, dims=3)
    lifted["keypoints"] = [[x / 10, y / 100, z] for x, y, z in lifted["keypoints"]]
    lifted["keypoints"][0] = [0, 0, 0]
    content = {"meta_info": named("h36m17"), "instance_info": [frame(0, lifted)]}
    info, (sample,) = load(write(tmp_path / "v.json", content))
    assert (info.layout["name"], info.unit) == ("h36m17", "metre")
    assert info.channels == ("x", "y", "z", "confidence")
    assert sample.frames[0, 0, 0].tolist() == [0, 0, 0, 0.5]
    np.testing.assert_allclose(sample.frames[0, 0, 1], [-0.7, 0.52, -0.5, 0.5], rtol=1e-6)


def test_17_joints_in_space_are_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [frame(0), frame(1, instance(1, dims=3))])
    with pytest.raises(ValueError, match="17 joints per person may be h36m17 or coco17; name the"):
        load(path)
    info, _ = load(path, layout="h36m17")
    assert info.layout["name"] == "h36m17"


def test_a_level_too_many_is_taken_off(tmp_path: Path) -> None:
    lifted = instance(1, dims=3)
    lifted["keypoints"], lifted["keypoint_scores"] = (
        [lifted["keypoints"]],
        [lifted["keypoint_scores"]],
    )
    path = write(tmp_path / "v.json", [frame(0, lifted)])
    _, (sample,) = load(path, layout="h36m17")
    assert sample.frames[0, 0, 2].tolist() == [3, 54, -0.5, 0.5]


def test_whole_bodies_are_cut_to_the_body(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [frame(0, instance(1, joints=133))])
    info, (sample,) = load(path)
    assert info.layout["name"] == "coco17"
    assert sample.frames.shape[2] == 17
    names = {"keypoint_id2name": {**named("coco17")["keypoint_id2name"]}}
    names["keypoint_id2name"].update({str(i): f"face_{i}" for i in range(17, 133)})
    content = {"meta_info": names, "instance_info": [frame(0, instance(1, joints=133))]}
    info, _ = load(write(tmp_path / "w.json", content))
    assert (info.layout["name"], info.settings["joints_left_out"]) == ("coco17", 116)


def test_unknown_names_are_said(tmp_path: Path) -> None:
    meta = {"keypoint_id2name": {str(i): f"marker_{i}" for i in range(17)}}
    path = write(tmp_path / "v.json", {"meta_info": meta, "instance_info": [frame(0, instance(1))]})
    with pytest.raises(ValueError, match="no shipped layout has the 17 joints marker_0, marker_1"):
        load(path)
    with pytest.raises(ValueError, match=r"has no joint nose, left_eye, .* layout coco17"):
        load(path, layout="coco17")


def test_track_ids_where_they_are(tmp_path: Path) -> None:
    frames = [
        frame(0, instance(10, track_id=5), instance(300, track_id=[6])),
        frame(1, instance(300, track_id=5), instance(10, track_id=[6])),
    ]
    _, samples = load(write(tmp_path / "v.json", frames), people="apart")
    assert {s.sample: s.frames[:, 0, 0, 0].tolist() for s in samples} == {
        "v/person-5": [10, 300],
        "v/person-6": [300, 10],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"instance_info": 3}, "not an MMPose result"),
        ([{"frame_id": 0}], "not an MMPose result"),
        ([{"predictions": None}], "not an MMPose result"),
        ([frame(0, instance(1)), frame(0, instance(9))], "has frame 0 2 times; write a file for"),
        ([frame(0, {**instance(1), "keypoint_scores": [1]})], "17 keypoints and 1 keypoint_scores"),
        ([frame(0, {"keypoints": [[1, 2]]})], "1 keypoints and no keypoint_scores"),
        ([frame(0, {})], "0 keypoints and no keypoint_scores"),
        ([frame(3, instance(float("nan")))], "frame 3, person 0: a keypoint is NaN"),
        (
            [frame(0, instance(1)), frame(1, instance(1, dims=3))],
            "frame 1, person 0: keypoints must be lists of 2 numbers",
        ),
        ([frame(0, instance(1)), frame(1, instance(1, joints=18))], "54 numbers, the first person"),
        ([frame(0)], "nobody was found"),
    ],
)
def test_bad_files_are_refused(content: object, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path, format="mmpose_json")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", ["lists", "predictions", "results", "images"])
def test_predictions_saved_by_hand(form: str, tmp_path: Path) -> None:
    frames: list[list[dict[str, Any]]] = [[], [instance(10)], [instance(11), instance(300)]]
    content = {
        "lists": frames,
        "predictions": {"predictions": frames},
        "results": [{"visualization": None, "predictions": [people]} for people in frames],
        "images": {f"{t}.jpg": people for t, people in enumerate(frames)},
    }[form]
    path = write(tmp_path / "v.json", content)
    assert detect(path) == "mmpose_json"
    _, (sample,) = load(path)
    assert sample.frames[..., 0, 0].tolist() == [[0, 0], [10, 0], [11, 300]]


def test_images_in_lists_of_one_frame(tmp_path: Path) -> None:
    write(tmp_path / "v" / "1.json", [[]])
    write(tmp_path / "v" / "2.json", [[instance(10, dims=3)]])
    _, (sample,) = load(tmp_path, layout="h36m17", format="mmpose_json")
    assert sample.frames[:, 0, 0, 0].tolist() == [0, 10]


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1")])
def test_videos_and_images_are_not_mixed(order: tuple[str, str], tmp_path: Path) -> None:
    write(tmp_path / f"{order[0]}.json", [frame(0, instance(1)), frame(1, instance(1))])
    write(tmp_path / f"{order[1]}.json", [instance(1)])
    with pytest.raises(ValueError, match=r"2\.json: has .*, other files there have .* separately"):
        load(tmp_path)


def test_instances_and_frames_are_not_mixed(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", [frame(0, instance(1)), instance(1)])
    with pytest.raises(ValueError, match="not an MMPose result"):
        load(path)


def test_images_that_name_other_joints_are_refused(tmp_path: Path) -> None:
    for number, layout in ((1, "coco17"), (2, "h36m17")):
        content = {"meta_info": named(layout), "instance_info": [instance(1)]}
        write(tmp_path / "v" / f"{number}.json", content)
    with pytest.raises(ValueError, match=r"2\.json: names other joints than earlier frames"):
        load(tmp_path)


def test_names_for_other_joints_are_refused(tmp_path: Path) -> None:
    content = {"meta_info": named("halpe26"), "instance_info": [frame(0, instance(1))]}
    path = write(tmp_path / "v.json", content)
    with pytest.raises(ValueError, match="meta_info names 26 joints, a person has 17; name the l"):
        load(path)
    assert load(path, layout="coco17")[0].layout["name"] == "coco17"


def test_images_of_two_folders_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", {"a/1.jpg": [instance(1)], "b/1.jpg": [instance(2)]})
    with pytest.raises(ValueError, match="has images of 2 folders, a and b among them"):
        load(path)


def test_frames_of_which_some_have_a_number_are_refused(tmp_path: Path) -> None:
    frames = [frame(3, instance(9)), {"instances": [instance(9)]}]
    with pytest.raises(ValueError, match="some frames have a number and others do not"):
        load(write(tmp_path / "v.json", frames))
