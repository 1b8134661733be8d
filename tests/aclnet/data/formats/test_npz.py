from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aclnet.data.formats import read
from aclnet.data.store import write_store
from aclnet.skeleton import layout_from_dict, load_layout

NAMES = np.array(["pelvis", "foot_left", "foot_right"])


def arrays(**changes: Any) -> dict[str, npt.NDArray[Any]]:
    content = {
        "joints": np.random.default_rng(0).normal(size=(6, 1, 3, 3)).astype(np.float32),
        "offsets": np.array([0, 2, 2, 6]),
        "joint_names": NAMES,
        "bones": np.array([[0, 1], [2, 0]]),
        "subject": np.array([1, 2, 10]),
        **changes,
    }
    return {key: np.asarray(value) for key, value in content.items() if value is not None}


def write(path: Path, **changes: Any) -> Path:
    np.savez(path, **arrays(**changes))  # type: ignore[arg-type]
    return path


def test_frame_numbers_and_rates(tmp_path: Path) -> None:
    numbers = np.array([7, 8, 0, 2, 4, 6])
    path = write(tmp_path / "a.npz", frame_numbers=numbers, fps=[10, 20, 29.97])
    info, samples = read(path)
    assert [(s.numbers.tolist(), s.fps) for s in samples] == [([7, 8], 10), ([0, 2, 4, 6], 29.97)]
    assert info.fps is None
    assert read(write(tmp_path / "b.npz", fps=25))[0].fps == 25
    _, samples = read(path, fps=30)  # the user's rate takes the place of the file's
    assert [sample.fps for sample in samples] == [None, None]
    for wrong, message in (
        ({"frame_numbers": numbers[1:]}, r"frame_numbers has shape \(5,\).*the 6 frames"),
        ({"fps": [25, 0, 25]}, r"fps must be one number from .* or one for each of the 3 samples"),
        ({"fps": np.inf}, r"fps must be one number from 0.001 to 1e\+06"),
    ):
        with pytest.raises(ValueError, match=message):
            read(write(tmp_path / "c.npz", **wrong))


def test_numbers_are_names_without_decimals_and_nan_is_none(tmp_path: Path) -> None:
    _, samples = read(write(tmp_path / "a.npz", subject=[1.0, 2, np.nan], label=[np.nan, 2, 0.5]))
    assert [(s.identity, s.label) for s in samples] == [("1", ""), ("", "0.5")]


def test_real_recordings(shared: Path) -> None:
    path = shared / "data" / "ucalgary_gait.npz"
    info, samples = read(path)
    kept = list(samples)
    with np.load(path) as data:
        joints, offsets = data["joints"], data["offsets"]
        assert len(kept) == len(offsets) - 1 == 159
        for i, sample in enumerate(kept):
            np.testing.assert_array_equal(sample.frames, joints[offsets[i] : offsets[i + 1]])
        assert [s.condition for s in kept] == data["condition"].tolist()
        assert [s.take for s in kept] == [str(run) for run in data["repetition"]]
        assert [s.sample for s in kept] == data["sequence_name"].tolist()
    assert info.layout == load_layout("ucalgary18").to_dict()
    assert (info.unit, info.channels, info.dropped) == ("metre", ("x", "y", "z"), {})


def test_labels_splits_confidence_and_duplicates(shared: Path) -> None:
    info, samples = read(shared / "data" / "msraction3d.npz")
    sample = next(samples)
    assert (sample.sample, sample.identity, sample.label, sample.take, sample.split) == (
        "a01_s01_e01",
        "1",
        "high arm wave",
        "1",
        "train",
    )
    assert info.channels == ("x", "y", "z", "confidence")
    assert sample.frames.shape[1:] == (1, 20, 4)
    # The file marks 95 of its samples as copies: they are kept (validate finds them).
    info, samples = read(shared / "data" / "nwucla.npz", split="split_xview")
    kept = list(samples)
    assert len(kept) == 1484
    assert info.settings["split"] == "split_xview"
    assert {s.split for s in kept if s.view == "3"} == {"test"}


def test_two_persons_in_an_image(shared: Path) -> None:
    info, samples = read(shared / "data" / "sbu.npz", split="fold")
    sample = next(samples)
    assert sample.frames.shape[1:] == (2, 15, 3)
    assert (info.unit, sample.split) == ("normalised", "0")


def test_shares_become_metres_by_factors(shared: Path) -> None:
    source = shared / "data" / "sbu.npz"
    info, samples = read(source, split="fold", metres="-2.56,-1.92,1.28")
    assert info.unit == "metre"
    frames = next(samples).frames
    plain = next(read(source, split="fold")[1]).frames
    np.testing.assert_allclose(frames, plain * [-2.56, -1.92, 1.28], rtol=1e-6)
    head, neck, foot = (info.layout["joints"].index(name) for name in ("head", "neck", "left_foot"))
    assert (frames[..., head, 1] > frames[..., foot, 1]).all()  # y points up
    assert 1.1 < np.median(frames[..., neck, 1] - frames[..., foot, 1]) < 1.4


@pytest.mark.parametrize("metres", ["2", "1,2,x", "1,0,2", "1,2,nan", "1 2 3"])
def test_factors_that_make_no_metres_are_refused(shared: Path, metres: str) -> None:
    with pytest.raises(ValueError, match="metres must be 3 numbers other than 0, one for each"):
        read(shared / "data" / "sbu.npz", split="fold", metres=metres)


def test_empty_sequences_are_counted(tmp_path: Path) -> None:
    info, samples = read(write(tmp_path / "x.npz"))
    kept = list(samples)
    assert [(s.sample, s.identity, len(s.frames)) for s in kept] == [
        ("x-00000", "1", 2),
        ("x-00002", "10", 4),
    ]
    assert info.dropped == {"empty sequences": 1}


def test_an_unknown_skeleton_is_built_from_its_bones(tmp_path: Path) -> None:
    info, _ = read(write(tmp_path / "x.npz"))
    layout = layout_from_dict(info.layout)
    assert layout.joints == ("pelvis", "left_foot", "right_foot")
    assert layout.bones == (("left_foot", "pelvis"), ("right_foot", "pelvis"))
    assert layout.parts["right_leg"] == ("right_foot",)
    assert layout.mirror == (("left_foot", "right_foot"),)
    assert layout.centre == "pelvis"


@pytest.mark.parametrize(
    ("joints", "unit"),
    [
        (np.full((6, 1, 3, 2), 120.0), "pixel"),
        (np.full((6, 1, 3, 2), 0.4), "normalised"),
        (np.full((6, 1, 3, 3), 0.4), "normalised"),
        (np.full((6, 1, 3, 3), -0.4), "metre"),
        (np.full((6, 1, 3, 2), np.nan), "normalised"),
    ],
)
def test_units_are_recognised(joints: npt.NDArray[np.float64], unit: str, tmp_path: Path) -> None:
    assert read(write(tmp_path / "x.npz", joints=joints))[0].unit == unit


def test_samples_in_pixels_and_in_shares_are_refused(tmp_path: Path) -> None:
    joints = np.zeros((6, 1, 3, 2))
    joints[2:] = 0.4
    offsets = [0, 1, 2, 4, 6]  # the first two are empty and say nothing
    path = write(tmp_path / "x.npz", joints=joints, offsets=offsets, subject=None)
    assert read(path)[0].unit == "normalised"
    joints[4:] = 5  # bodies may be normalised by their size
    assert read(write(path, joints=joints, offsets=offsets, subject=None))[0].unit == "normalised"
    joints[4:] = 120
    write(path, joints=joints, offsets=offsets, subject=None)
    with pytest.raises(ValueError, match=r"'x-00003': coordinates are pixel, those of .*x-00002"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joints": np.zeros((6, 3, 3))}, r"joints must be numbers .* float64 \(6, 3, 3\)"),
        ({"joints": np.zeros((6, 1, 4, 3))}, "joints has 4 joints, layout x has 3"),
        ({"offsets": [0, 2, 7]}, "offsets must increase from 0 to the 6 frames"),
        ({"offsets": [0, 4, 2, 6]}, "offsets must increase"),
        ({"offsets": [0.0, 6.0]}, "offsets must increase"),
        ({"joint_names": None}, "has no joint_names; name the layout"),
        ({"bones": None}, "no shipped layout has the joints pelvis, foot_left, foot_right"),
        ({"bones": [[0, 1], [1, 0]]}, "joint_names and bones: layout x: the bones are not a tree"),
        ({"subject": [1, 2]}, "2 values of identity for 3 samples"),
        ({"label": [0, 1, 2], "class_names": ["a", "b"]}, "label 2 has no name"),
        ({"confidence": np.zeros((5, 1, 3))}, r"confidence has shape \(5, 1, 3\)"),
    ],
)
def test_what_does_not_fit_is_named(changes: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", **changes)
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_splits_are_asked_for_where_there_are_several(tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", split_a=[1, 2, 1], split_b=["probe", "gallery", "train"])
    assert [s.split for s in read(path)[1]] == ["", ""]
    assert [s.split for s in read(path, split="split_a")[1]] == ["train", "train"]
    assert [s.split for s in read(path, split="split_b")[1]] == ["probe", "train"]
    with pytest.raises(ValueError, match="no split 'split_c'; it has split_a, split_b"):
        read(path, split="split_c")


def test_keys_that_lack(tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", offsets=None)
    with pytest.raises(ValueError, match="has no key 'offsets'; it has joints, joint_names"):
        read(path, "npz")
    pickled = tmp_path / "y.npz"
    np.savez(pickled, joints=np.array([{}], dtype=object), offsets=np.array([0, 1]))
    with pytest.raises(ValueError, match=r"not a readable .npz without pickles"):
        read(pickled)


def test_all_splits_together(tmp_path: Path) -> None:
    splits = {"split_xview": [1, 2, 1], "split1": [2, 2, 1], "split": ["probe", "gallery", "train"]}
    path = write(tmp_path / "x.npz", fold=[0, 1, 2], **splits)
    info, samples = read(path, split="*")
    assert [s.split for s in samples] == [
        "xview_train 1_test probe",
        "xview_train 1_train train",
    ]
    assert info.settings["split"] == "*"


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, r"no split '\*'; it has none"),
        ({"split1": [1, 2]}, "split1 must have one word or number per sample"),
        ({"split1": 3}, "split1 must have one word or number per sample"),
        ({"split_a": ["x y", "z", "z"]}, "split_a must have one word"),
    ],
)
def test_splits_that_are_none(splits: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / "x.npz", **splits), split="*")


def test_published_divisions_of_real_recordings(shared: Path) -> None:
    _, samples = read(shared / "data" / "nwucla.npz", split="*")
    counts = Counter(s.split.split()[0] for s in samples)
    assert counts == {"xview_train": 1020, "xview_test": 464}
    _, samples = read(shared / "data" / "jhmdb.npz", split="*")
    assert {word.split("_")[0] for s in samples for word in s.split.split()} == {"1", "2", "3"}


def test_samples_are_kept_by_a_key(shared: Path) -> None:
    info, samples = read(shared / "data" / "msraction3d.npz", keep="used_in_cvpr12")
    assert len(list(samples)) == 557
    assert info.dropped == {"not used_in_cvpr12": 10}
    assert info.settings["keep"] == "used_in_cvpr12"


def test_what_is_kept_must_be_a_boolean(tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", good=[1, 0, 1], marks=[1, 2, 0], few=[True])
    info, samples = read(path, keep="good")
    assert len(list(samples)) == 2
    assert info.dropped == {"not good": 1}  # the empty one is not counted twice
    with pytest.raises(ValueError, match="no key 'goood' to keep samples by; it has joints"):
        read(path, keep="goood")
    for key in ("marks", "few"):
        with pytest.raises(ValueError, match=f"{key} must be 3 times True or False"):
            read(path, keep=key)


def test_classes_keep_the_files_order(tmp_path: Path) -> None:
    labels = {"label": [1, 0, 1], "class_names": ["walk", "eat"]}
    info, samples = read(write(tmp_path / "x.npz", **labels))
    assert info.classes == ("walk", "eat")
    assert [s.label for s in samples] == ["eat", "eat"]
    twice = read(write(tmp_path / "y.npz", label=[0, 1, 1], class_names=["a", "a"]))[0]
    numbers = read(write(tmp_path / "z.npz", label=[0, 1, 1]))[0]
    assert (twice.classes, numbers.classes) == ((), ())


def test_stores_keep_their_fingerprints(shared: Path, tmp_path: Path) -> None:
    # That of results/gait/ucalgary_gait: later options must not change what was published.
    info, samples = read(shared / "data" / "ucalgary_gait.npz")
    store = write_store(tmp_path / "store", samples, info)
    assert store.info.fingerprint.startswith("7db4d278cbb7d61ab2be5ed1b3c47754")


def test_a_score_among_the_coordinates_is_refused(tmp_path: Path) -> None:
    path, names = tmp_path / "x.npz", np.array(load_layout("coco17").joints)
    joints = np.random.default_rng(0).uniform(size=(4, 1, 17, 3)) * (640, 480, 1)
    np.savez(path, joints=joints, offsets=[0, 4], joint_names=names)
    with pytest.raises(ValueError, match="third number of joints looks like a score"):
        read(path)


def test_bytes_are_names(tmp_path: Path) -> None:
    names = {"subject": np.array([b"ann", b"bob", b"c"]), "label": [0, 1, 1]}
    path = write(tmp_path / "x.npz", **names, class_names=np.array(["w\u00e4lk".encode(), b"sit"]))
    info, samples = read(path)
    assert [(s.identity, s.label) for s in samples] == [("ann", "w\u00e4lk"), ("c", "sit")]
    assert info.classes == ("w\u00e4lk", "sit")


@pytest.mark.parametrize("labels", [[0.0, 1.0, 1.0], [True, False, True], ["0", "1", "1"]])
def test_labels_with_class_names_are_their_places(labels: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "x.npz", label=labels, class_names=["a", "b"])
    with pytest.raises(ValueError, match="label must be whole numbers, the places in class_names"):
        read(path)
