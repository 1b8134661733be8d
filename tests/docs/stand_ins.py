"""Small files in the place of those that the pages name: same layout, a few people, short clips."""

from __future__ import annotations

import csv
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.data.walkers.dataset import make_walkers
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.skeleton import load_layout

Call = Callable[..., Any]
WALKERS_RECORDS = Path(__file__).resolve().parents[2] / "results" / "gait" / "walkers"
WALKERS: dict[str, Any] = {"views": (0, 90), "nm_takes": 6, "bg_takes": 2, "cl_takes": 2}
NTU = [(action, person) for action in range(1, 4) for person in (1, 2, 3, 4, 6)]
"""Actions and people; 1, 2 and 4 train in the cross-subject split."""


def write_pose_csv(path: Path) -> None:
    """CASIA-B as GaitGraph's table: four people who train and two who are tested."""
    _, samples = make_walkers(WalkerSettings(identities=6, frames=(21, 22), **WALKERS))
    joints = load_layout("coco17").joints
    names = {"005": "075", "006": "076"}
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        values = [f"{joint}_{axis}" for joint in joints for axis in ("x", "y", "conf")]
        table.writerow(["image_name", *values])
        for one in samples:
            who = names.get(one.identity, one.identity)
            name = f"{who}-{one.condition}-{one.take}-{one.view}"
            for number, frame in enumerate(one.frames[:, 0]):
                numbers = [f"{value:.2f}" for value in frame.ravel()]
                table.writerow([f"poses/{name}/{number:06d}.jpg", *numbers])


def _ntu_body(action: int, person: int) -> np.ndarray:
    """(10, 25, 3): a body of this person's that one joint leaves, as the action says."""
    body = np.random.default_rng(person).normal(2, 0.3, (1, 25, 3))
    frames = np.repeat(body, 10, axis=0)
    frames[:, action, 1] += np.linspace(0, 1, 10)
    return frames.astype(np.float32)


def write_ntu_pickle(path: Path) -> None:
    """NTU RGB+D 60 as PYSKL's pickle."""
    found: list[dict[str, Any]] = [
        {
            "frame_dir": f"S001C001P{person:03d}R001A{action:03d}",
            "label": action - 1,
            "total_frames": 10,
            "keypoint": _ntu_body(action, person)[None].astype(np.float16),
        }
        for action, person in NTU
    ]
    names = [one["frame_dir"] for one in found]
    path.write_bytes(pickle.dumps({"split": {"xsub_train": names}, "annotations": found}, 4))


def write_ntu_skeletons(folder: Path) -> None:
    """The same recordings as NTU's own text files."""
    folder.mkdir()
    for action, person in NTU:
        lines = ["10"]
        for frame in _ntu_body(action, person):
            lines += ["1", "72057594037944730 0 1 1 1 1 0 0.02 -0.22 2", "25"]
            lines += [f"{x} {y} {z} 277.4 191.5 1036.6 519.2 0 0 0 1 2" for x, y, z in frame]
        name = f"S001C001P{person:03d}R001A{action:03d}.skeleton"
        (folder / name).write_text("\n".join(lines) + "\n")


def write_transg(root: Path) -> None:
    """TranSG's folder of CASIA-B: three people who train and two who are tested."""
    places = {"train_npy_data": (1, 1, 2, 2, 3, 3)}
    places |= {f"test_npy_data/{name}": (63, 63, 64, 64) for name in ("nm", "bg", "cl")}
    for place, labels in places.items():
        folder = root / f"CASIA_B_{place}"
        folder.mkdir(parents=True)
        values = np.random.default_rng(0).normal(size=(3, len(labels) * 40, 14))
        for axis, rows in zip("xyz", values, strict=True):
            np.save(folder / f"source_{axis}_CASIA_B_40.npy", rows)
        people: Any = {who: [i for i, own in enumerate(labels) if own == who] for who in labels}
        np.save(folder / "ids_CASIA_B_40.npy", people, allow_pickle=True)
        np.save(folder / "frame_id_CASIA_B_40.npy", np.array(labels))


def write_kgbd(call: Call, path: Path) -> None:
    """KGBD as one `.npz`: five people, four walks each, in metres."""
    layout, generator = load_layout("kinect20"), np.random.default_rng(0)

    def samples() -> Iterator[Sample]:
        for person in range(1, 6):
            body = generator.normal(0, 0.4, (20, 3))
            for take in range(1, 5):
                frames = body + generator.normal(0, 0.02, (64, 1, 20, 3))
                split = ("train", "train", "gallery", "probe")[take - 1]
                key = f"{person:03d}-{take}"
                yield Sample(
                    key, frames.astype(np.float32), f"{person:03d}", take=str(take), split=split
                )

    info = StoreInfo(
        name="kgbd", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre", synthetic=True
    )
    write_store(path.with_suffix(""), samples(), info)
    call("data", "export", path.with_suffix(""), path)


def write_bvh(path: Path) -> None:
    """A body of three joints in centimetres that moves for four frames."""
    turn = "CHANNELS 3 Zrotation Yrotation Xrotation"
    move = "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
    arm = f"JOINT LArm {{ OFFSET 0 60 0 {turn} End Site {{ OFFSET 60 0 0 }} }}"
    leg = f"JOINT LLeg {{ OFFSET 5 -45 0 {turn} End Site {{ OFFSET 0 -45 0 }} }}"
    rows = "".join(f"{frame} 90 0 {'5 ' * 9}\n" for frame in range(4))
    head = f"HIERARCHY\nROOT Hips {{ OFFSET 0 0 0 {move}\n{arm}\n{leg}\n}}\n"
    path.write_text(f"{head}MOTION\nFrames: 4\nFrame Time: 0.0333\n{rows}")


def write_actions(path: Path) -> None:
    """Three people of whom each raises one joint, three, and none."""

    def samples() -> Iterator[Sample]:
        for person in "abcdef":
            for label, joints in (("none", 0), ("one", 1), ("three", 3)):
                frames = np.random.default_rng(ord(person)).normal(300, 50, (20, 1, 17, 3))
                frames[:, 0, :joints, 1] += np.linspace(0, 100, 20)[:, None]
                frames[..., 2] = 1
                yield Sample(f"{label}-{person}", frames.astype(np.float32), person, label)

    layout = load_layout("coco17").to_dict()
    channels = ("x", "y", "confidence")
    info = StoreInfo(name="own", layout=layout, channels=channels, unit="pixel")
    write_store(path, samples(), info)


def write_embeddings(folder: Path, names: Sequence[str]) -> None:
    """Vectors of CASIA-B's walks of six people, each system a little noisier than the last."""
    generator = np.random.default_rng(0)
    labels = [
        (f"{person:03d}", condition, f"{take:02d}", view)
        for person in range(75, 81)
        for condition, takes in (("nm", 6), ("bg", 2), ("cl", 2))
        for take in range(1, takes + 1)
        for view in ("000", "090")
    ]
    subject, condition, take, view = map(np.array, zip(*labels, strict=True))
    centre = generator.normal(size=(6, 8))[subject.astype(int) - 75]
    for number, name in enumerate(names):
        embedding = centre + (0.4 + 0.2 * number) * generator.normal(size=centre.shape)
        np.savez(
            folder / f"{name}.npz",
            embedding=embedding, subject=subject, condition=condition, take=take, view=view,
        )  # fmt: skip


def make_world(call: Call, folder: Path, light: Callable[[Sequence[str]], list[str]]) -> None:
    """Everything that a page may name, in one folder.

    Args:
        call: calls `aclnet-task`.
        folder: an empty folder, which is the current one.
        light: adds to the words of a training what makes it short.
    """
    call("data", "walkers", "keypoints", "--people", 6)
    Path("keypoints", "006").rename(Path("keypoints", "025"))
    pattern = "{identity}/{condition}-{take}-{view}"
    call("data", "labels", "keypoints", "-o", "labels.csv", "--pattern", pattern)
    options = ("-o", "people=apart", "-o", "labels=labels.csv")
    call("data", "convert", "keypoints", "people", *options)
    call("data", "convert", "keypoints", "members", *options, "--keep", "identity=025")
    shutil.copytree("people", "others")
    Path("labels.csv").unlink()
    call(*light(["gait", "train", "-c", "gait/own", "--data", "people", "--run", "runs/own"]))
    recording = folder / "keypoints" / "025" / "nm-01-090.json"
    for name in ("walk", "walk1", "walk2", "ann", "clip"):
        shutil.copy(recording, f"{name}.json")
    call("data", "export", "members", "exported", "--to", "csv")
    for name, written in zip(("walk1", "walk2"), Path("exported").rglob("*.csv"), strict=False):
        shutil.copy(written, f"{name}.csv")
    for name in ("acl", "ce"):
        shutil.copy(WALKERS_RECORDS / f"{name}-seed0.json", f"{name}.json")
    write_pose_csv(folder / "casia-b_pose.csv")
    write_ntu_pickle(folder / "ntu60_3danno.pkl")
    write_ntu_skeletons(folder / "nturgb+d_skeletons")
    write_transg(folder / "Datasets" / "CASIA_B_match" / "40")
    write_kgbd(call, folder / "kgbd.npz")
    shutil.copytree("runs/own", "runs/mine")
    Path("results").mkdir()
    shutil.copy("runs/own/record.json", "results/own.json")
    write_bvh(folder / "recordings.bvh")
    write_actions(folder / "my_actions")
    write_embeddings(folder, ("anybody", "mine", "theirs", "A", "B"))
