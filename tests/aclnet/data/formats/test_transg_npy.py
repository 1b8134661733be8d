from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aclnet.data.convert import convert
from aclnet.data.formats import detect, read
from aclnet.data.store import open_store
from aclnet.data.validate import validate
from aclnet.skeleton import load_layout

pytestmark = pytest.mark.usefixtures("in_this_process")

Frames = npt.NDArray[np.float32]


def write_windows(
    folder: Path, dataset: str, windows: Frames, labels: Sequence[Any], prefix: str = ""
) -> Frames:
    """One folder as the released ones are: windows (N, f, V, 3) and a label for each."""
    folder.mkdir(parents=True, exist_ok=True)
    count, length, joints, _ = windows.shape
    name = f"{dataset}_{length}.npy"
    for axis, letter in enumerate("xyz"):
        rows = windows[..., axis].reshape(count * length, joints)
        np.save(folder / f"{prefix}source_{letter}_{name}", rows)
    people = {label: [i for i, own in enumerate(labels) if own == label] for label in labels}
    save_objects(folder / f"ids_{name}", people)
    np.save(folder / f"frame_id_{name}", np.array(labels))
    return windows


def save_objects(file: Path, value: Any) -> None:
    np.save(file, value, allow_pickle=True)


def made(count: int, length: int, joints: int, seed: int = 0) -> Frames:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, length, joints, 3)).astype(np.float32)


@pytest.fixture
def ks20(tmp_path: Path) -> Path:
    root = tmp_path / "KS20" / "6"
    write_windows(root / "train_npy_data", "KS20", made(5, 6, 25, 0), [0, 0, 1, 2, 2])
    for seed, name in enumerate(("probe", "gallery"), 1):
        place = root / "test_npy_data" / name
        write_windows(place, "KS20", made(4, 6, 25, seed), [0, 1, 2, 2], prefix="t_")
    return root


def test_windows_become_samples(ks20: Path) -> None:
    assert detect(ks20) == detect(ks20.parent) == "transg_npy"
    seen: list[tuple[int, int]] = []
    info, samples = read(ks20, progress=lambda done, total: seen.append((done, total)))
    kept = list(samples)
    assert [(s.sample, s.identity, s.split) for s in kept[3:7]] == [
        ("KS20-train-000003", "2", "train"),
        ("KS20-train-000004", "2", "train"),
        ("KS20-gallery-000000", "0", "gallery"),
        ("KS20-gallery-000001", "1", "gallery"),
    ]
    assert [s.split for s in kept[9:]] == ["probe"] * 4
    assert {(s.condition, s.view, s.take, s.camera) for s in kept} == {("", "", "", "")}
    for first, seed in ((0, 0), (5, 2), (9, 1)):
        wanted = made(4, 6, 25, seed) if seed else made(5, 6, 25, seed)
        for i, window in enumerate(wanted):
            np.testing.assert_array_equal(kept[first + i].frames, window[:, None])
    assert kept[0].frames.dtype == np.float32
    assert seen == [(i + 1, 13) for i in range(13)]
    assert (info.name, info.unit, info.channels) == ("KS20_6", "metre", ("x", "y", "z"))
    assert info.layout == load_layout("ntu25").to_dict()


def test_golden_files_come_back(shared: Path, tmp_path: Path) -> None:
    with np.load(shared / "golden" / "reid" / "preprocess.npz") as archive:
        golden = {key: archive[key] for key in archive.files if key.startswith("casia")}
    root, wanted = tmp_path / "CASIA_B_match" / "40", {}
    for part in ("train", "nm", "cl"):
        raw = np.stack([golden[f"casia_{part}_raw_{axis}"] for axis in "xyz"], axis=-1)
        place = "train_npy_data" if part == "train" else f"test_npy_data/{part}"
        labels = golden[f"casia_{part}_raw_id"].tolist()
        wanted[part] = write_windows(
            root / f"CASIA_B_{place}", "CASIA_B", raw.reshape(-1, 40, 14, 3), labels
        )
    info, samples = read(root)
    kept = list(samples)
    assert info.layout["name"] == "openpose14"
    assert info.unit == "normalised"
    for part, windows in wanted.items():
        mine = [s for s in kept if s.sample.startswith(f"CASIA_B-{part}-")]
        np.testing.assert_array_equal(np.stack([s.frames[:, 0] for s in mine]), windows)
        assert [int(s.identity) for s in mine] == golden[f"casia_{part}_raw_id"].tolist()
        condition, split = ("", "train") if part == "train" else (part, "test")
        assert {(s.condition, s.split) for s in mine} == {(condition, split)}


@pytest.mark.parametrize(
    ("dataset", "joints", "sets", "layout"),
    [
        ("KGBD", 20, ("gallery", "probe"), "kgbd20"),
        ("IAS", 20, ("A", "B"), "kinect20"),
        ("BIWI", 20, ("Still", "Walking"), "kinect20"),
    ],
)
def test_the_other_depth_sets(
    dataset: str, joints: int, sets: tuple[str, str], layout: str, tmp_path: Path
) -> None:
    for name in sets:
        place = tmp_path / "6" / "test_npy_data" / name
        write_windows(place, dataset, made(2, 6, joints), ["a", "b"])
    info, samples = read(tmp_path / "6")
    assert info.layout["name"] == layout
    assert [(s.split, s.identity) for s in samples] == [(n, who) for n in sets for who in "ab"]


def test_views_are_in_degrees(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        place = tmp_path / "CASIA_B_test_npy_data" / f"view_{number}"
        write_windows(place, "CASIA_B", made(1, 20, 14), [70])
    _, samples = read(tmp_path)
    assert [(s.view, s.split, s.sample) for s in samples] == [
        ("000", "test", "CASIA_B-view_0-000000"),
        ("036", "test", "CASIA_B-view_2-000000"),
        ("180", "test", "CASIA_B-view_10-000000"),
    ]


def test_one_of_several_lengths(ks20: Path) -> None:
    write_windows(ks20.parent / "8" / "train_npy_data", "KS20", made(2, 8, 25), [0, 1])
    _, samples = read(ks20.parent, frames=8)
    assert [s.frames.shape for s in samples] == [(8, 1, 25, 3)] * 2
    with pytest.raises(ValueError, match=r"KS20: has windows of 6, 8 frames, several; set the opt"):
        read(ks20.parent)
    with pytest.raises(ValueError, match=r"windows of 6, 8 frames, none of 10"):
        read(ks20.parent, frames=10)
    with pytest.raises(ValueError, match=r"windows of 6 frames, not of 8"):
        read(ks20, frames=8)


def test_a_store_of_them_is_sound(ks20: Path, tmp_path: Path) -> None:
    convert(ks20, tmp_path / "store")
    store = open_store(tmp_path / "store")
    assert store.info.settings["frames"] == 6
    assert store.index["split"].value_counts().to_dict() == {"train": 5, "probe": 4, "gallery": 4}
    assert [f for f in validate(store, min_frames=6) if f.severity == "error"] == []


def test_labels_are_the_same_person_in_any_number_type(ks20: Path) -> None:
    place = ks20 / "train_npy_data"
    people = {np.int64(0): np.array([0, 1]), 1.0: [np.int32(2)], b"2": (3, 4)}
    save_objects(place / "ids_KS20_6.npy", people)
    save_objects(place / "frame_id_KS20_6.npy", np.array(["0", 0, 1.0, 2, "2"], dtype=object))
    _, samples = read(ks20)
    assert [next(samples).identity for _ in range(5)] == ["0", "0", "1", "2", "2"]


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch pwned",)


def ids(value: Any) -> Callable[[Path], None]:
    return lambda folder: save_objects(folder / "ids_KS20_6.npy", value)


def frame_labels(value: Any) -> Callable[[Path], None]:
    return lambda folder: save_objects(folder / "frame_id_KS20_6.npy", np.array(value))


def axis(letter: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: save_objects(folder / f"t_source_{letter}_KS20_6.npy", value)


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-30]) and None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "t_source_y_KS20_6.npy").unlink(), "probe: has no source_y_KS20"),
        (lambda folder: (folder / "ids_KS20_6.npy").unlink(), "has no ids_KS20_6.npy, only"),
        (
            lambda folder: [file.unlink() for file in folder.iterdir()],
            "probe: has no source_x_<SET>_<f>.npy; download",
        ),
        (axis("y", np.zeros((24, 20))), r"y has shape \(24, 20\), x has \(24, 25\)"),
        (axis("z", np.zeros((18, 25))), r"z has shape \(18, 25\), x has \(24, 25\)"),
        (axis("x", np.zeros(24)), r"must be numbers of shape .* float64 of shape \(24,\)"),
        (axis("x", np.array(["a"])), r"t_source_x_KS20_6.npy: coordinates must be numbers"),
        (axis("x", np.array([{}])), r"must be numbers .* it holds objects of shape"),
        (axis("x", np.array([Evil()])), r"t_source_x_KS20_6.npy: the pickle asks for posix.system"),
        (cut("t_source_x_KS20_6.npy"), r"t_source_x_KS20_6.npy: not a whole .npy file"),
        (cut("ids_KS20_6.npy"), r"ids_KS20_6.npy: not a whole pickle"),
        (
            ids(Evil()),
            r"ids_KS20_6.npy: the pickle asks for posix.system, but only .* do not trust",
        ),
        (ids([0, 1, 2, 2]), r"ids_KS20_6.npy: must hold one dict from label to window numbers"),
        (ids({0: [0.5], 1: [1]}), "the window numbers of '0' must be a list of whole numbers"),
        (ids({0: [[0], [1, 2]]}), "the window numbers of '0' must be a list of whole numbers"),
        (ids({(0,): [0]}), "ids_KS20_6.npy: labels must be text or numbers, but one is a tuple"),
        (ids({0: [0], 1: [1], 2: [2, 4]}), "'2' has window 4, and there are 4 windows; take all"),
        (ids({0: [0], 1: [1], 2: [-1, 2]}), "'2' has window -1, and there are 4 windows"),
        (ids({0: [0], 1: [1, 2], 2: [2, 3]}), "window 2 belongs to '1' and to '2'"),
        (ids({0: [0], 1: [1], 2: [2, 3, 3]}), "'2' has window 3 twice"),
        (ids({0: [0], 1: [1], 2: [3]}), "ids_KS20_6.npy: window 2 of 4 belongs to nobody"),
        (
            frame_labels([0, 1, 1, 2]),
            "frame_id_KS20_6.npy: window 2 shows '1', ids_KS20_6.npy says '2'",
        ),
        (frame_labels([0, 1, 2]), "frame_id_KS20_6.npy: has 3 labels for 4 windows"),
    ],
)
def test_damage_is_one_sentence(damage: Callable[[Path], Any], message: str, ks20: Path) -> None:
    damage(ks20 / "test_npy_data" / "probe")
    with pytest.raises(ValueError, match=message) as caught:
        read(ks20)
    assert str(ks20 / "test_npy_data" / "probe") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("pwned").exists()


def test_rows_that_are_no_windows(ks20: Path) -> None:
    for letter in "xyz":
        axis(letter, np.zeros((25, 25)))(ks20 / "test_npy_data" / "probe")
    with pytest.raises(
        ValueError, match=r"t_source_x_KS20_6.npy: 25 rows are not a whole number of"
    ):
        read(ks20)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_is_named(value: float, ks20: Path) -> None:
    rows = np.zeros((24, 25))
    rows[20, 7] = value
    axis("y", rows)(ks20 / "test_npy_data" / "probe")
    _, samples = read(ks20)
    with pytest.raises(
        ValueError, match=r"probe: y of joint 7 in frame 2 of window 3 \(row 20 of the file\)"
    ):
        list(samples)


def test_what_does_not_belong_together(ks20: Path, tmp_path: Path) -> None:
    write_windows(ks20 / "test_npy_data" / "other", "KGBD", made(1, 6, 20), [0])
    with pytest.raises(
        ValueError, match=r"other is KGBD with 6 frames a window and 20 joints, train_.* separately"
    ):
        read(ks20)
    write_windows(ks20 / "test_npy_data" / "other", "KS20", made(1, 6, 25), [0])
    with pytest.raises(ValueError, match=r"other: has files of KGBD_6, KS20_6; keep each in its"):
        read(ks20)
    (tmp_path / "empty" / "test_npy_data").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"test_npy_data: has no folder of a set"):
        read(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"has no folder train_npy_data or test_npy_data"):
        read(ks20 / "train_npy_data", "transg_npy")


def test_other_joints_need_a_layout(ks20: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 25 joints, layout kinect20 has 20"):
        read(ks20, layout="kinect20")
    write_windows(tmp_path / "own" / "train_npy_data", "Ours", made(2, 6, 20), [0, 1])
    with pytest.raises(ValueError, match="order of the 20 joints of data set Ours is not known"):
        read(tmp_path / "own")
    info, _ = read(tmp_path / "own", layout="kinect20")
    assert info.layout["name"] == "kinect20"


def test_coordinates_stay_on_the_disk(tmp_path: Path) -> None:
    count = 4000
    labels = [i % 40 for i in range(count)]
    write_windows(tmp_path / "train_npy_data", "KS20", made(count, 6, 25), labels)
    on_disk = sum(file.stat().st_size for file in tmp_path.rglob("*source*"))
    tracemalloc.start()
    _, samples = read(tmp_path)
    assert sum(len(sample.frames) for sample in samples) == count * 6
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < on_disk / 3


def test_a_text_and_a_number_are_not_one_person(ks20: Path) -> None:
    save_objects(ks20 / "train_npy_data" / "ids_KS20_6.npy", {0: [0, 1], "0": [2], 2: [3, 4]})
    with pytest.raises(ValueError, match="'0' occurs both as text and as a number"):
        read(ks20)
