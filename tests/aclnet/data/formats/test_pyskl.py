from __future__ import annotations

import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.class_names import class_names
from aclnet.data.convert import convert
from aclnet.data.formats import detect, read
from aclnet.data.formats.pyskl.kpfiles import decompress_pose
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.validate import validate

pytestmark = pytest.mark.usefixtures("in_this_process")

Annotation = dict[str, Any]
Write = Callable[..., Path]


def ntu(action: int, person: int = 1, camera: int = 1, **more: Any) -> Annotation:
    rng = np.random.default_rng(action * 100 + person)
    people, frames = 1 + action % 2, 10 + person
    return {
        "frame_dir": f"S001C{camera:03d}P{person:03d}R002A{action:03d}",
        "label": action - 1,
        "total_frames": frames,
        "keypoint": rng.normal(size=(people, frames, 25, 3)).astype(np.float16),
        **more,
    }


def gym(number: int, **more: Any) -> Annotation:
    rng = np.random.default_rng(number)
    frames = 10 + number
    return {
        "frame_dir": f"gym_{number}",
        "label": number % 4,
        "img_shape": (720, 1280),
        "original_shape": (720, 1280),
        "total_frames": frames,
        "keypoint": rng.uniform(1, 700, size=(1, frames, 17, 2)).astype(np.float16),
        "keypoint_score": rng.uniform(size=(1, frames, 17)).astype(np.float16),
        **more,
    }


def splits(annotations: list[Annotation]) -> dict[str, list[str]]:
    names = [annotation["frame_dir"] for annotation in annotations]
    return {"xsub_train": names[::2], "xsub_val": names[1::2], "xview_train": names[:1]}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(annotations: Any, split: Any = None, protocol: int = 2) -> Path:
        file = tmp_path / "made.pkl"
        content = {"split": split if split is not None else {}, "annotations": annotations}
        file.write_bytes(pickle.dumps(content, protocol))
        return file

    return put


def drawn(file: Path, **options: Any) -> tuple[StoreInfo, list[Sample]]:
    info, samples = read(file, **options)
    return info, list(samples)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_ntu(protocol: int, write: Write) -> None:
    made = [ntu(1), ntu(60, person=2, camera=3), ntu(2)]
    file = write(made, splits(made), protocol)
    assert detect(file) == "pyskl"
    info, samples = drawn(file)
    assert info.layout["name"] == "ntu25"
    assert (info.channels, info.unit, info.image_size) == (("x", "y", "z"), "metre", None)
    assert info.classes == class_names("ntu60")
    assert info.settings == {"format": "pyskl", "min_frames": 0, "persons": 2}
    assert info.dropped == {}
    rows = [
        (s.sample, s.label, s.identity, s.camera, s.condition, s.take, s.split, s.image_size)
        for s in samples
    ]
    assert rows == [
        ("S001C001P001R002A001", "drink water", "1", "1", "1", "2", "xsub_train xview_train", None),
        ("S001C003P002R002A060", info.classes[59], "2", "3", "1", "2", "xsub_val", None),
        ("S001C001P001R002A002", "eat meal", "1", "1", "1", "2", "xsub_train", None),
    ]
    for sample, annotation in zip(samples, made, strict=True):
        keypoint = annotation["keypoint"].transpose(1, 0, 2, 3)
        people = keypoint.shape[1]
        assert sample.frames.dtype == np.float16
        assert sample.frames.shape == (*keypoint.shape[:1], 2, 25, 3)
        np.testing.assert_array_equal(sample.frames[:, :people], keypoint)
        assert not sample.frames[:, people:].any()


def test_ntu120_by_its_labels(write: Write) -> None:
    info, samples = drawn(write([ntu(60), ntu(61)]))
    assert info.classes == class_names("ntu120")
    assert [s.label for s in samples] == list(info.classes[59:61])


@pytest.mark.parametrize("classes", [None, "ntu60", "ntu120"])
def test_labels_that_contradict_ntu_names(classes: str | None, write: Write) -> None:
    # One of the three has a name of another kind: NTU's are checked all the same.
    made = [ntu(3), ntu(2, frame_dir="mine"), ntu(1, label=77)]
    with pytest.raises(
        ValueError,
        match=r"made.pkl: sample 'S001C001P001R002A001': label 77 contradicts the name, whose A001 "
        r"is label 0; correct the label \(labels count from 0: the A number - 1\), or give a list",
    ):
        read(write(made), classes=classes)


def test_ntu_names_with_classes_of_ones_own(write: Write, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("drink\nread\n")
    made = [ntu(1), ntu(61, label=1)]
    info, samples = drawn(write(made), classes=str(names))
    assert info.classes == ("drink", "read")
    assert [(s.label, s.identity) for s in samples] == [("drink", "1"), ("read", "1")]
    unlabelled = [{**annotation, "label": None} for annotation in made]
    info, samples = drawn(write(unlabelled))
    assert (info.classes, [s.label for s in samples]) == ((), ["", ""])


def test_two_dimensions_with_scores(write: Write) -> None:
    made = [gym(i, label=i * 4) for i in range(4)]
    info, samples = drawn(write(made, splits(made)), persons=1)
    assert info.layout["name"] == "coco17"
    assert (info.channels, info.unit) == (("x", "y", "confidence"), "pixel")
    assert info.image_size == (1280, 720)
    assert info.classes == tuple(f"{i:02d}" for i in range(13))
    assert list(info.classes) == sorted(info.classes)
    assert [s.label for s in samples] == ["00", "04", "08", "12"]
    for sample, annotation in zip(samples, made, strict=True):
        np.testing.assert_array_equal(sample.frames[:, 0, :, :2], annotation["keypoint"][0])
        np.testing.assert_array_equal(sample.frames[:, 0, :, 2], annotation["keypoint_score"][0])
        assert sample.frames.dtype == np.float16
        assert sample.image_size is None


def test_videos_of_different_sizes_and_a_bare_list(tmp_path: Path) -> None:
    made = [gym(0), gym(1, img_shape=[480, 640]), gym(2)]
    made[2].pop("img_shape")
    for annotation in made:
        annotation["filename"] = annotation.pop("frame_dir")
        annotation.pop("keypoint_score")
    file = tmp_path / "old.pkl"
    file.write_bytes(pickle.dumps(made))
    assert detect(file) == "pyskl"
    info, samples = drawn(file)
    assert info.image_size is None
    assert info.channels == ("x", "y")
    assert [s.image_size for s in samples] == [(1280, 720), (640, 480), None]
    assert {s.split for s in samples} == {""}


def test_persons_are_cut_in_the_order_of_the_file(write: Write) -> None:
    made = gym(0, keypoint=np.random.default_rng(0).uniform(size=(4, 10, 17, 2)))
    made["keypoint_score"] = np.ones((4, 10, 17), np.float32)
    made["label"] = None
    for persons in (1, 3, 6):
        info, (sample,) = drawn(write([made]), persons=persons)
        assert sample.frames.shape == (10, persons, 17, 3)
        kept = min(persons, 4)
        expected = made["keypoint"][:kept].transpose(1, 0, 2, 3)
        np.testing.assert_array_equal(sample.frames[:, :kept, :, :2], expected)
        assert (info.classes, sample.label) == ((), "")


@pytest.mark.parametrize("persons", [0, 1])
def test_what_is_left_out_is_counted(persons: int, write: Write) -> None:
    shape = (persons, 11, 17)
    empty = gym(1, keypoint=np.zeros((*shape, 2)), keypoint_score=np.zeros(shape))
    split = {"train": ["gym_0", "gym_1", "gone", "gone"], "other val": ["lost", "gym_0", "gym_0"]}
    info, samples = drawn(write([gym(0), empty, gym(2)], split))
    assert [(s.sample, s.split) for s in samples] == [("gym_0", "train other_val"), ("gym_2", "")]
    assert info.dropped == {
        "names in a split without an annotation": 2,
        "annotations without a person": 1,
    }


def test_class_names_from_a_file_or_a_shipped_list(write: Write, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("vault\nfloor\n\nbeam\nbars\n")
    info, samples = drawn(write([gym(3), gym(1)]), classes=str(names))
    assert info.classes == ("vault", "floor", "beam", "bars")
    assert [s.label for s in samples] == ["bars", "floor"]
    info, samples = drawn(write([gym(3)]), classes="pku51")
    assert next(iter(samples)).label == class_names("pku51")[3]
    for text, message in (
        ("a\nb\na\n", "list each class name once"),
        ("", "list each class name once"),
        ("a\nb\n", r"sample 'gym_3': label 3 is out of range, .* are 0 to 1; correct the label"),
    ):
        names.write_text(text)
        with pytest.raises(ValueError, match=message):
            read(write([gym(0), gym(3)]), classes=str(names))
    with pytest.raises(ValueError, match=r"gone.txt: cannot be read as class names"):
        read(write([gym(0)]), classes=str(tmp_path / "gone.txt"))


def test_a_store_of_it(write: Write, tmp_path: Path) -> None:
    made = [gym(i) for i in range(12)]
    store = convert(write(made, splits(made)), tmp_path / "store", dtype="float16")
    assert store.frames.dtype == np.float16
    np.testing.assert_array_equal(
        store.clip(3)[:, 0, :, :2], made[3]["keypoint"][0].astype(np.float32)
    )
    assert not [finding for finding in validate(store) if finding.severity == "error"]


def broken(annotation: Annotation, field: str, place: tuple[int, ...], value: float) -> Annotation:
    array = annotation[field].copy()
    array[place] = value
    return {**annotation, field: array}


def other(annotation: Annotation, **fields: Any) -> Annotation:
    return {**annotation, **fields}


def without(annotation: Annotation, field: str) -> Annotation:
    return {name: value for name, value in annotation.items() if name != field}


BAD: list[tuple[Annotation, dict[str, Any], str]] = [
    (
        broken(gym(1), "keypoint", (0, 3, 5, 1), np.nan),
        {},
        r"sample 'gym_1': keypoint has 1 values that are NaN or infinite, the first in frame 3, "
        r"person 0, joint left_shoulder; set joints",
    ),
    (broken(gym(1), "keypoint_score", (0, 0, 0), np.inf), {}, r"'gym_1': keypoint_score has 1 val"),
    (
        other(gym(1), keypoint=np.ones((1, 11, 18, 2)), keypoint_score=np.ones((1, 11, 18))),
        {},
        r"'gym_1': keypoint has 18 joints in 2-D, that of 'gym_0' has 17 in 2-D; keep one layout",
    ),
    (gym(1), {"layout": "coco18"}, r"'gym_0': keypoint has 17 joints, layout coco18 has 18; name"),
    (
        other(gym(1), keypoint=np.ones((1, 0, 17, 2)), keypoint_score=np.ones((1, 0, 17))),
        {},
        r"'gym_1': keypoint has no frame; take the annotation out",
    ),
    (
        other(gym(1), keypoint_score=np.ones((1, 11, 16))),
        {},
        r"'gym_1': keypoint_score has shape \(1, 11, 16\), keypoint \(1, 11, 17, 2\); it must be",
    ),
    (without(gym(1), "keypoint_score"), {}, r"'gym_1': keypoint_score is missing, unlike that of"),
    (without(gym(1), "keypoint"), {}, r"'gym_1': keypoint is missing, and there is no raw_file"),
    (
        other(gym(1), keypoint=np.ones((11, 17, 2))),
        {},
        r"with 4 axes, it is an array \(11, 17, 2\)",
    ),
    (other(gym(1), keypoint=[1, 2]), {}, r"'gym_1': keypoint must be a NumPy array .* type list"),
    (other(gym(1), keypoint=np.ones((1, 11, 17, 4))), {}, r"must be \(persons, frames, joints, 2"),
    (other(gym(1), keypoint=np.zeros((1, 11, 17, 2), "S1")), {}, r"array of numbers .* of \|S1"),
    (other(gym(1), total_frames=12), {}, r"'gym_1': total_frames is 12, keypoint has 11 frames"),
    (other(gym(1), total_frames="a"), {}, r"'gym_1': total_frames must be a number of frames"),
    (other(gym(1), label=-1), {}, r"'gym_1': label must be a class number from 0, it is -1"),
    (other(gym(1), label=10**9), {}, r"'gym_1': label 1000000000 is out of range, .* 0 to 9999"),
    (other(gym(1), label=10**50), {}, r"'gym_1': label must be a class number .* type int"),
    (other(gym(1), label="jump"), {}, r"'gym_1': label must be a class number .* type str"),
    (without(gym(1), "label"), {}, r"'gym_1': label is missing, unlike that of 'gym_0'"),
    (other(gym(1), img_shape=(720,)), {}, r"'gym_1': img_shape must be \(height, width\)"),
    (other(gym(1), frame_dir="gym_0"), {}, r"'gym_0': frame_dir appears twice; name every sample"),
    (without(gym(1), "frame_dir"), {}, r"annotation 1: frame_dir \(or filename\) must be the"),
    (
        {**without(gym(1), "keypoint"), "raw_file": "a.pkl"},
        {},
        r"'gym_1': keypoint is missing, unlike that of 'gym_0'; keep annotations with raw_file",
    ),
    (gym(1), {"persons": 0}, r"persons and max_persons must be at least 1, they are 0, 10"),
    (gym(1), {"kpfiles": "x"}, r"option kpfiles x, but the annotations have their keypoints"),
]


@pytest.mark.parametrize(("second", "options", "message"), BAD, ids=range(len(BAD)))
def test_bad_annotations_leave_nothing_behind(
    second: Annotation, options: dict[str, Any], message: str, write: Write, tmp_path: Path
) -> None:
    file = write([gym(0), second])
    with pytest.raises(ValueError, match=message) as caught:
        convert(file, tmp_path / "store", **options)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{file}: ") or options
    assert os.listdir(tmp_path) == [file.name]


def test_no_annotations_and_unknown_joints(write: Write) -> None:
    with pytest.raises(ValueError, match=r"made.pkl: holds no annotation"):
        read(write([]))
    for shape in ((1, 5, 18, 2), (1, 5, 17, 3), (1, 5, 25, 2)):
        file = write([{"frame_dir": "a", "label": 0, "keypoint": np.ones(shape)}])
        with pytest.raises(ValueError, match=r"sample 'a': keypoint has .* name the layout"):
            read(file)
    info, (sample,) = drawn(file, layout="body25", persons=1)
    assert (info.layout["name"], info.channels) == ("body25", ("x", "y"))
    assert sample.frames.shape == (5, 1, 25, 2)


def boxes(number: int, count: int) -> tuple[Annotation, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(number)
    annotation = {
        "frame_dir": f"video_{number}",
        "label": number,
        "img_shape": (340, 256 + number),
        "total_frames": 9,
        "raw_file": f"/home/someone/kpfiles/part{number % 2}.pkl",
        "frame_inds": np.sort(rng.integers(0, 9, count)).astype(np.int16),
        "box_score": rng.uniform(size=count).astype(np.float32),
        "valid": {0.5: 3, 0.7: 1},
    }
    return annotation, rng.uniform(1, 300, size=(count, 17, 3)).astype(np.float16)


@pytest.fixture
def kinetics(write: Write, tmp_path: Path) -> tuple[Path, Path, list[Any]]:
    """Index, folder of kpfiles and what is in them; the videos of a kpfile are not neighbours."""
    made = [boxes(number, count) for number, count in enumerate((12, 30, 0, 5, 8))]
    folder = tmp_path / "kpfiles"
    folder.mkdir()
    for part in (0, 1):
        videos = {a["frame_dir"]: {"keypoint": kp} for a, kp in made[part::2]}
        (folder / f"part{part}.pkl").write_bytes(pickle.dumps(videos))
    return write([a for a, _ in made], {"train": ["video_0"]}), folder, made


@pytest.mark.parametrize("squeeze", [True, False])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_kinetics(
    squeeze: bool, threshold: float | None, kinetics: tuple[Path, Path, list[Any]]
) -> None:
    file, folder, made = kinetics
    assert detect(file) == "pyskl"
    options = {"squeeze": squeeze, "box_threshold": threshold, "max_persons": 3}
    info, samples = drawn(file, kpfiles=str(folder), **options)
    assert info.channels == ("x", "y", "confidence")
    assert info.layout["name"] == "coco17"
    assert options.items() <= info.settings.items()
    lost = Counter({"annotations without a person": 1})
    found = {sample.sample: sample for sample in samples}
    assert sorted(found) == ["video_0", "video_1", "video_3", "video_4"]
    for annotation, keypoint in made[:2] + made[3:]:
        keep = annotation["box_score"] >= (0.0 if threshold is None else threshold)
        inds = annotation["frame_inds"]
        expected = decompress_pose(keypoint[keep], inds[keep], 9, squeeze=squeeze, max_persons=3)
        sample = found[annotation["frame_dir"]]
        frames, persons = np.unique(inds[keep], return_counts=True)
        assert sample.numbers.tolist() == (frames.tolist() if squeeze else list(range(9)))
        lost[f"boxes with a score below {threshold}"] += int((~keep).sum())
        lost["boxes beyond the 3 of a frame"] += int(np.maximum(persons - 3, 0).sum())
        lost["frames without a person"] += (9 - len(frames)) * squeeze
        assert sample.frames.dtype == np.float16
        got = sample.frames.transpose(1, 0, 2, 3)
        np.testing.assert_array_equal(got[: len(expected)], expected[:2])
        lost["people beyond the 2 seen in most frames"] += max(len(expected) - 2, 0)
        assert sample.image_size == (256 + annotation["label"], 340)
        assert sample.label == str(annotation["label"])
    assert found["video_0"].split == "train"
    assert info.dropped == +lost


def spoil_missing_video(annotation: Annotation, videos: dict[str, Any]) -> None:
    videos.pop("video_3")


def spoil_nan(annotation: Annotation, videos: dict[str, Any]) -> None:
    videos["video_3"]["keypoint"][2, 3, 1] = np.nan


def spoil_joints(annotation: Annotation, videos: dict[str, Any]) -> None:
    videos["video_3"]["keypoint"] = np.ones((5, 18, 3))


def spoil_count(annotation: Annotation, videos: dict[str, Any]) -> None:
    videos["video_3"]["keypoint"] = np.ones((4, 17, 3))


def spoil_frames(annotation: Annotation, videos: dict[str, Any]) -> None:
    annotation["frame_inds"] = annotation["frame_inds"] + 20


def spoil_scores(annotation: Annotation, videos: dict[str, Any]) -> None:
    annotation["box_score"] = np.ones(3)


def spoil_type(annotation: Annotation, videos: dict[str, Any]) -> None:
    annotation["frame_inds"] = np.ones(5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_missing_video, r"part1.pkl: sample 'video_3' is missing, its annotation names"),
        (spoil_nan, r"part1.pkl: sample 'video_3': keypoint has values that are NaN"),
        (spoil_joints, r"part1.pkl: sample 'video_3': keypoint has shape \(5, 18, 3\), it must"),
        (spoil_count, r"part1.pkl: sample 'video_3': frame_inds has shape \(5,\) for 4 boxes"),
        (spoil_frames, r"part1.pkl: sample 'video_3': frame_inds has frame \d+ of a video of 9"),
        (spoil_scores, r"made.pkl: sample 'video_3': box_score has shape \(3,\), frame_inds"),
        (spoil_type, r"made.pkl: sample 'video_3': frame_inds is of float64; it must be whole"),
    ],
)
def test_kinetics_that_does_not_fit(
    spoil: Callable[[Annotation, dict[str, Any]], None],
    message: str,
    kinetics: tuple[Path, Path, list[Any]],
    write: Write,
    tmp_path: Path,
) -> None:
    _, folder, made = kinetics
    videos = {a["frame_dir"]: {"keypoint": kp.copy()} for a, kp in made[1::2]}
    annotation = dict(made[3][0])
    spoil(annotation, videos)
    (folder / "part1.pkl").write_bytes(pickle.dumps(videos))
    file = write([made[0][0], made[1][0], annotation])
    with pytest.raises(ValueError, match=message) as caught:
        convert(file, tmp_path / "store", kpfiles=str(folder), box_threshold=0.1)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["kpfiles", "made.pkl"]


def test_kpfiles_must_be_named_and_there(
    kinetics: tuple[Path, Path, list[Any]], write: Write
) -> None:
    file, folder, made = kinetics
    with pytest.raises(ValueError, match=r"'video_0': its keypoints are in part0.pkl; name the fo"):
        read(file)
    (folder / "part0.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match=r"part0.pkl: a kpfile is a dict of frame_dir and"):
        drawn(file, kpfiles=str(folder))
    (folder / "part1.pkl").unlink()
    with pytest.raises(ValueError, match=r"sample 'video_1': .*part1.pkl is not there; fetch it"):
        read(file, kpfiles=str(folder))
    # The folder that the authors' disk had, or any other, is never looked into.
    for raw in ("../../etc/passwd", "..\\..\\passwd"):
        with pytest.raises(ValueError, match=r"kpfiles/passwd is not there"):
            read(write([{**made[0][0], "raw_file": raw}]), kpfiles=str(folder))
    with pytest.raises(ValueError, match="there is no raw_file that names another file"):
        read(write([{**made[0][0], "raw_file": ".."}]), kpfiles=str(folder))


def test_names_are_composed(write: Write) -> None:
    made = [gym(0, frame_dir="Zoe\u0308"), gym(1)]
    info, (sample, _) = drawn(write(made, {"train": ["Zo\u00eb"], "test": ["gym_1"]}))
    assert (sample.sample, sample.split, info.dropped) == ("Zo\u00eb", "train", {})


def test_the_persons_seen_in_most_frames_stay(write: Write) -> None:
    made = gym(0, keypoint=np.ones((5, 10, 17, 2)), keypoint_score=np.ones((5, 10, 17)))
    made["keypoint"] *= np.arange(5)[:, None, None, None]  # the first is nobody
    made["keypoint"][1, 3:] = 0
    for persons, kept in ((3, [2, 3, 4]), (2, [2, 3]), (5, [0, 1, 2, 3, 4])):
        info, (sample,) = drawn(write([made]), persons=persons)
        assert sample.frames[0, :, 0, 0].tolist() == kept
        beyond = f"people beyond the {persons} seen in most frames"
        assert info.dropped == ({} if persons == 5 else {beyond: 4 - persons})


def test_a_third_person_is_counted(case: Callable[[str], Path]) -> None:
    info, (sample,) = drawn(case("pk_three.pkl"))
    assert info.dropped == {"people beyond the 2 seen in most frames": 1}
    assert sample.frames[0, :, 0, 0].tolist() == [100, 300]


@pytest.mark.parametrize("layout", [None, "coco17"])
def test_the_third_number_may_be_the_score(layout: str | None, case: Callable[[str], Path]) -> None:
    info, (sample,) = drawn(case("pk_xyc.pkl"), layout=layout)
    assert (info.channels, info.unit) == (("x", "y", "confidence"), "pixel")
    nose = sample.frames[:, 0, 0]
    assert nose[:, 0].tolist() == list(range(100, 140, 2))
    np.testing.assert_allclose(nose[:, 2], 0.9, rtol=1e-3)


def test_a_third_number_alone_is_the_score(write: Write) -> None:
    full = np.concatenate([gym(2)["keypoint"], gym(2)["keypoint_score"][..., None]], axis=-1)
    made = [gym(n, keypoint=full * k, keypoint_score=None) for n, k in ((2, 0), (2, 1))]
    made[0]["frame_dir"] = "nobody"
    info, samples = drawn(write(made))
    assert (info.channels, info.unit) == (("x", "y", "confidence"), "pixel")
    np.testing.assert_array_equal(samples[0].frames[:, 0], full[0])
    made.append(gym(0, keypoint=np.full((1, 10, 17, 3), -1.0), keypoint_score=None))
    _, mixed = read(write(made))
    with pytest.raises(ValueError, match="'gym_0': keypoint seems to have a coordinate as the th"):
        list(mixed)


def test_pixels_and_shares_in_one_file_are_refused(write: Write) -> None:
    made = [gym(number) for number in range(4)]
    made[0]["keypoint"] = made[0]["keypoint"] * 0  # says nothing
    for one in made[1:]:
        one["keypoint"] = one["keypoint"] / 700
    info, samples = drawn(write(made))
    assert (info.unit, len(samples), info.dropped) == (
        "normalised",
        3,
        {"annotations without a person": 1},
    )
    made[3] = gym(3)
    with pytest.raises(
        ValueError, match=r"'gym_3': coordinates are pixel, those of .*'gym_1' norm"
    ):
        drawn(write(made))
