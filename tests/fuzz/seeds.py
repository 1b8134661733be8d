"""Whole, small files of every format, from which the damaged ones are made.

They are made here, always the same; some more are those of people, from the reference material
(`$ACLNET_SHARED`), where it is there.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aclnet.skeleton import load_layout

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("ACLNET_SHARED", CHECKOUT.parent / "shared"))
_MOST_BYTES = 200_000

Value = Any


class Seed(NamedTuple):
    """Files by their place below a folder, and which of these places is read."""

    files: Mapping[str, bytes]
    place: str


def _one(name: str, content: bytes | str) -> Seed:
    return Seed({name: content.encode() if isinstance(content, str) else content}, name)


def _tree(files: Mapping[str, bytes | str]) -> Seed:
    packed = {
        f"data/{name}": content.encode() if isinstance(content, str) else content
        for name, content in files.items()
    }
    return Seed(packed, "data")


def _json(value: Value) -> str:
    return json.dumps(value)


def npz(**arrays: Value) -> bytes:
    """The bytes of an archive of arrays, whose dates are always the same."""
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})
    return out.getvalue()


def _npy(array: Value) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array), allow_pickle=True)
    return out.getvalue()


def _torch(value: Value) -> bytes:
    import torch

    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


_CHANCE = np.random.default_rng(0)
_POSES = np.round(np.random.default_rng(0).uniform(1, 200, size=(8, 17, 3)), 2)
_BODY = np.round(np.random.default_rng(1).uniform(0, 1, size=(8, 25, 3)), 3)


def _shared(folder: str, *patterns: str) -> Iterator[tuple[str, bytes]]:
    """Small files of the reference material, archives unpacked."""
    root = SHARED / folder
    for pattern in patterns:
        for path in sorted(root.glob(pattern)) if root.is_dir() else ():
            if path.is_file() and path.stat().st_size <= _MOST_BYTES:
                yield path.name, path.read_bytes()


def _case(name: str) -> Iterator[Seed]:
    """A case of `cases/wrong_values`, if it is there."""
    archive = SHARED / "cases" / "wrong_values" / f"{name}.tar.gz"
    if archive.is_file():
        with tarfile.open(archive) as packed:
            files = {
                member.name: packed.extractfile(member).read()  # type: ignore[union-attr]
                for member in packed.getmembers()
                if member.isfile()
            }
        yield Seed(files, next(iter(files)) if len(files) == 1 else name)


def gaitgraph_csv() -> Iterator[Seed]:
    """Two sequences of GaitGraph's table."""
    joints = load_layout("coco17").joints
    lines = ["image_name" + "".join(f",{joint}_x,{joint}_y,{joint}_conf" for joint in joints)]
    for name in ("001-nm-01-090", "002-bg-01-018"):
        for frame in range(8):
            values = ",".join(f"{value:.1f}" for value in _POSES[frame].ravel())
            lines.append(f"f/{name}/{frame:06d}.jpg,{values}")
    yield _one("poses.csv", "\n".join(lines) + "\n")
    yield from _case("gg_bom")


def pose_pickle() -> Iterator[Seed]:
    """Pickled poses, alone and in trees."""
    yield _one("poses.pkl", pickle.dumps(_POSES.astype(np.float32), 2))
    yield _one("poses.pkl", pickle.dumps([frame.tolist() for frame in _POSES[:3]], 4))
    yield _one("poses.pkl", pickle.dumps(_POSES, 5))
    frames = {
        f"00{i}/nm-0{i}/090/090.pkl": pickle.dumps(_POSES[:4].astype(np.float32)) for i in (1, 2)
    }
    yield _tree(frames)


def hostile_pickle() -> Iterator[Seed]:
    """What has been tried against readers of pickles."""
    for name, content in _shared("cases/hostile", "*.pkl"):
        yield _one(name, content)


def pyskl() -> Iterator[Seed]:
    """Annotation files of 3-D and 2-D poses."""

    def three(action: int) -> dict[str, Value]:
        return {
            "frame_dir": f"S001C001P{action:03d}R002A{action:03d}",
            "label": action - 1,
            "total_frames": 8,
            "keypoint": np.stack([_BODY, _BODY + action]).astype(np.float16),
        }

    def two(number: int) -> dict[str, Value]:
        return {
            "frame_dir": f"gym_{number}",
            "label": number % 4,
            "img_shape": (720, 1280),
            "original_shape": (720, 1280),
            "total_frames": 8,
            "keypoint": _POSES[None, ..., :2].astype(np.float16),
            "keypoint_score": _POSES[None, ..., 2].astype(np.float16),
        }

    for make, protocol in ((three, 2), (two, 4), (two, 2)):
        found = [make(number) for number in (1, 2, 3)]
        names = [one["frame_dir"] for one in found]
        content = {"split": {"xsub_train": names[:2], "xsub_val": names[2:]}, "annotations": found}
        yield _one("ann.pkl", pickle.dumps(content, protocol))
    yield _one("ann.pkl", pickle.dumps([two(1), two(2)], 2))


def npz_format() -> Iterator[Seed]:
    """Recordings as arrays."""
    content = {
        "joints": _CHANCE.normal(size=(9, 2, 17, 3)).astype(np.float32),
        "offsets": [0, 4, 9],
        "joint_names": list(load_layout("coco17").joints),
        "subject": [1, 2],
        "label": ["walk", "run"],
    }
    yield _one("data.npz", npz(**content))
    more = {
        "frame_numbers": [7, 8, 9, 10, 0, 2, 4, 6, 8],
        "fps": [25.0, 30.0],
        "condition": ["a", "b"],
    }
    yield _one("data.npz", npz(**content, **more))
    for name, packed in _shared("cases/hostile", "npz_*.npz"):
        yield _one(name, packed)


def kgbd_text() -> Iterator[Seed]:
    """Two walks of one person."""
    sides = [
        f"{joint}-{side}"
        for joint in ("Shoulder", "Elbow", "Wrist", "Hand")
        for side in ("Right", "Left")
    ]
    legs = [
        f"{joint}-{side}"
        for joint in ("Hip", "Knee", "Ankle", "Foot")
        for side in ("Right", "Left")
    ]
    names = ["Head", "Shoulder-Center", *sides, "Spine", "Hip-centro", *legs]

    def walk(start: float) -> str:
        return "".join(
            f"{name};{start + 0.01 * frame};{number / 10};-1.5\r\n"
            for frame in range(4)
            for number, name in enumerate(names)
        )

    yield _tree({"Person001/1.txt": walk(0.1), "Person001/2.txt": walk(0.5)})
    yield Seed({"Person002/7.txt": walk(1.0).encode()}, "Person002/7.txt")


def transg_npy() -> Iterator[Seed]:
    """Released windows of one data set."""
    windows = _CHANCE.normal(size=(3, 6, 25, 3)).astype(np.float32)
    files: dict[str, bytes] = {}
    for place, before in (
        ("train_npy_data", ""),
        ("test_npy_data/probe", "t_"),
        ("test_npy_data/gallery", "t_"),
    ):
        for axis, letter in enumerate("xyz"):
            files[f"{place}/{before}source_{letter}_KS20_6.npy"] = _npy(
                windows[..., axis].reshape(18, 25)
            )
        files[f"{place}/ids_KS20_6.npy"] = _npy({0: [0, 1], 1: [2]})
        files[f"{place}/frame_id_KS20_6.npy"] = _npy([0, 0, 1])
    yield Seed({f"KS20/6/{name}": content for name, content in files.items()}, "KS20/6")


def ntu_skeleton() -> Iterator[Seed]:
    """One body and two bodies in NTU's text."""

    def text(bodies: int) -> str:
        lines = ["5"]
        for frame in range(5):
            lines.append(str(bodies))
            for body in range(bodies):
                lines += [f"7205759403794473{body} 0 1 1 1 1 0 0.02 -0.22 2", "25"]
                for x, y, z in _BODY[frame]:
                    lines.append(f"{x + body} {y} {z} 277.4 191.5 1036.6 519.2 nan -inf 0.98 0.1 2")
        return "\n".join(lines) + "\n"

    yield _one("S001C002P003R001A013.skeleton", text(1))
    yield _tree(
        {"S001C001P001R001A050.skeleton": text(2), "S001C001P001R001A001.skeleton": text(1)}
    )


def nwucla_json() -> Iterator[Seed]:
    """Recordings of 20 joints."""
    frames = np.round(_BODY[:4, :20], 3).tolist()
    yield _one("a01_s02_e03_v01.json", _json({"file_name": "a", "skeletons": frames, "label": 1}))
    yield _tree(
        {f"a0{action}_s01_e00_v0{action}.json": _json({"skeletons": frames}) for action in (1, 2)}
    )


def kinetics_json() -> Iterator[Seed]:
    """Videos with a label."""

    def video(label: str) -> str:
        person = {"pose": [v for j in range(18) for v in (0.01 * j, 0.5)], "score": [0.75] * 18}
        frames = [{"frame_index": i, "skeleton": [person] * (i % 3)} for i in range(1, 6)]
        return _json({"data": frames, "label": label, "label_index": 3})

    yield _one("video.json", video("yoga"))
    yield _tree({"train/a.json": video("yoga"), "val/b.json": video("golf")})
    yield from _case("kin")


def alphapose_json() -> Iterator[Seed]:
    """AlphaPose's lists and dicts."""

    def entry(frame: int, person: int) -> dict[str, Value]:
        points = [v for j in range(17) for v in (10 * person + frame + j, 50.0 + 2 * j, 0.5)]
        return {
            "image_id": f"{frame}.jpg",
            "category_id": 1,
            "keypoints": points,
            "score": 2.0,
            "idx": person,
        }

    people = [entry(frame, person) for frame in range(4) for person in (1, 2)]
    yield _one("alphapose-results.json", _json(people))
    for name in ("alpha_grouped", "alpha_multi"):
        yield from _case(name)


def openpose_json() -> Iterator[Seed]:
    """A file a frame."""
    files = {}
    for frame in range(4):
        person = {"person_id": [-1], "pose_keypoints_2d": [float(v + frame) for v in range(75)]}
        content = {"version": 1.3, "people": [person] * (frame % 3)}
        files[f"clip/clip_{frame:012d}_keypoints.json"] = _json(content)
    yield _tree(files)
    yield from _case("op_twice")


def mmpose_json() -> Iterator[Seed]:
    """MMPose's two forms."""

    def instance(place: float) -> dict[str, Value]:
        points = [[place + j, 50.0 + 2 * j] for j in range(17)]
        return {
            "keypoints": points,
            "keypoint_scores": [0.5] * 17,
            "bbox": [[0, 0, 1, 1]],
            "bbox_score": 0.9,
        }

    frames = [{"frame_id": number, "instances": [instance(number)]} for number in range(1, 5)]
    names = {str(i): name for i, name in enumerate(load_layout("coco17").joints)}
    yield _one(
        "demo.json", _json({"meta_info": {"keypoint_id2name": names}, "instance_info": frames})
    )
    yield _one("video.json", _json(frames))
    yield from _case("mmpose_predictions_list")


def ultralytics_json() -> Iterator[Seed]:
    """Detections by frame."""

    def detection(place: float) -> dict[str, Value]:
        points = {
            "x": [place + j for j in range(17)],
            "y": [50.0 + j for j in range(17)],
            "visible": [0.75] * 17,
        }
        box = {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
        return {
            "name": "person",
            "class": 0,
            "confidence": 0.9,
            "track_id": 1,
            "box": box,
            "keypoints": points,
        }

    yield _one("video.json", _json([[], [detection(10)], [], [detection(12), detection(300)]]))
    yield _tree({f"v/frame_{number}.json": _json([detection(number)]) for number in (1, 2, 10)})


def ultralytics_text() -> Iterator[Seed]:
    """Label files, one a frame."""

    def line(place: float, tail: str) -> str:
        points = [f"{place + 0.001 * j} {0.5 + 0.001 * j} 0.75" for j in range(17)]
        return " ".join(["0 0.5 0.5 0.2 0.4", *points, tail]).strip() + "\n"

    yield _tree({f"v/v_{number}.txt": line(0.1, " 1") + line(0.4, " 2") for number in range(1, 5)})
    yield from _case("ul_txt_conf1")


def mediapipe() -> Iterator[Seed]:
    """Landmarks as JSON and as two tables."""

    def landmarks(place: float) -> list[dict[str, float]]:
        return [
            {"x": place + 0.01 * j, "y": 0.2 + 0.01 * j, "z": -0.1, "visibility": 0.75}
            for j in range(33)
        ]

    frames = [{"frame": i, "landmarks": landmarks(0.1 * i)} for i in range(4)]
    yield _one("pose.json", _json(frames))
    yield _one("pose.json", _json([landmarks(0.1), landmarks(0.2)]))
    rows = ["frame,landmark,x,y,z,visibility"]
    names = load_layout("mediapipe33").joints
    for frame in range(3):
        for j, point in enumerate(landmarks(0.1 * frame)):
            rows.append(
                f"{frame},{names[j].upper()}," + ",".join(f"{v:.4f}" for v in point.values())
            )
    yield _one("pose.csv", "\n".join(rows) + "\n")
    columns = [f"{axis}{j}" for j in range(33) for axis in ("x", "y", "z", "v")]
    rows = [",".join(["frame", *columns])]
    for frame in range(3):
        values = [f"{v:.4f}" for point in landmarks(0.1 * frame) for v in point.values()]
        rows.append(",".join([str(frame), *values]))
    yield _one("pose.csv", "\n".join(rows) + "\n")
    yield from _case("mp_landmark")


def bvh() -> Iterator[Seed]:
    """A skeleton of three joints."""
    turn = "CHANNELS 3 Zrotation Yrotation Xrotation"
    arm = f"JOINT LArm {{ OFFSET 0 40 0 {turn} End Site {{ OFFSET 30 0 0 }} }}"
    leg = f"JOINT LLeg {{ OFFSET 5 -90 0 {turn} End Site {{ OFFSET 0 0 20 }} }}"
    root = "OFFSET 0 0 0 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    head = f"HIERARCHY\nROOT Hips {{ {root}\n{arm}\n{leg}\n}}\nMOTION\nFrames: 4\n"
    rows = "".join(f"{i} 90 0 {f'{i}.5 ' * 9}\n" for i in range(4))
    yield _one("walk.bvh", f"{head}Frame Time: 0.0083333\n{rows}")
    yield _tree({"01/01_01.bvh": f"{head}Frame Time: .05\n{rows}"})


def asf_amc() -> Iterator[Seed]:
    """A skeleton of two bones and a motion."""
    bones = "".join(
        f"begin\nid {i}\nname {name}\ndirection 0 1 0\nlength {i}.5\naxis 0 0 20 XYZ\n"
        "dof rx rz\nlimits (-10 10)\n(0 5)\nend\n"
        for i, name in ((1, "lowerback"), (2, "head"))
    )
    asf = (
        ":version 1.10\n:units\nmass 1\nlength 0.45\nangle deg\n:root\norder TX TY TZ RX RY RZ\n"
        "axis XYZ\nposition 0 0 0\norientation 0 0 0\n:bonedata\n"
        f"{bones}:hierarchy\nbegin\nroot lowerback\nlowerback head\nend\n"
    )
    frames = "".join(f"{i}\nroot 1 {i} 3 4 5 6\nlowerback {i} 2\nhead 1 {i}\n" for i in range(1, 5))
    amc = f":FULLY-SPECIFIED\n:DEGREES\n{frames}"
    yield _tree({"bd.asf": asf, "HDM_bd_walk_001_120.amc": amc})
    yield Seed({"01.asf": asf.encode(), "01_01.amc": amc.encode()}, "01_01.amc")


def c3d() -> Iterator[Seed]:
    """Four frames of COCO's joints as markers, one of them missing; none without ezc3d."""
    import tempfile

    try:
        import ezc3d
    except ImportError:
        return
    joints = load_layout("coco17").joints
    file = ezc3d.c3d()
    point = file["parameters"]["POINT"]
    point["LABELS"]["value"], point["UNITS"]["value"] = joints, ["mm"]
    point["RATE"]["value"] = [120.0]
    points = np.arange(4.0 * 17 * 4).reshape(4, 17, 4) + 1
    points[:3, 1, 2] = np.nan
    file["data"]["points"] = points
    with tempfile.TemporaryDirectory() as folder:
        file.write(f"{folder}/walk.c3d")
        content = Path(folder, "walk.c3d").read_bytes()
    yield _one("walk.c3d", content)


def trc() -> Iterator[Seed]:
    """Three frames of COCO's joints as markers, one of them missing."""
    joints = load_layout("coco17").joints
    head = ["PathFileType\t4\t(X/Y/Z)\twalk.trc"]
    head += ["DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits", "120\t120\t3\t17\tmm"]
    head += ["Frame#\tTime\t" + "\t\t\t".join(joints), "\t\tX1\tY1\tZ1", ""]
    rows = [
        "\t".join([str(t + 1), f"{t / 120:.4f}", *(f"{t + j}.5" for j in range(51))])
        for t in range(3)
    ]
    rows[1] = rows[1].replace("1.5\t2.5\t3.5", "\t\t")
    yield _one("walk.trc", "\n".join([*head, *rows]) + "\n")


def parquet() -> Iterator[Seed]:
    """Two samples of two people; none without pyarrow."""
    import tempfile

    from aclnet.data.export import export_store
    from aclnet.data.sample import Sample, StoreInfo
    from aclnet.data.store import write_store

    info = StoreInfo(
        name="walks",
        layout=load_layout("coco17").to_dict(),
        channels=("x", "y", "confidence"),
        unit="pixel",
        image_size=(640, 480),
        fps=30,
    )
    frames = np.arange(3.0 * 2 * 17 * 3, dtype=np.float32).reshape(3, 2, 17, 3) + 1
    samples = (Sample(name, frames, identity=name, label="walk") for name in ("a", "b/c"))
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder, "store"), samples, info)
        try:
            export_store(store, Path(folder, "walks.parquet"))
        except ValueError:
            return
        yield _one("walks.parquet", Path(folder, "walks.parquet").read_bytes())


def keypoint_csv() -> Iterator[Seed]:
    """A row a person and frame, with a table of labels beside it."""
    joints = load_layout("coco17").joints
    head = ",".join(
        ["frame", "person", *(f"{joint}_{axis}" for joint in joints for axis in ("x", "y", "conf"))]
    )
    rows = [
        ",".join([str(frame), person, *(f"{v:.1f}" for v in _POSES[frame].ravel())])
        for frame in range(4)
        for person in "ab"
    ]
    yield _one("v.csv", "\n".join([head, *rows]) + "\n")
    yield from _case("csv_trail")


def keypoint_labels() -> Iterator[Seed]:
    """Tables that say who is in which recording."""
    yield _one(
        "labels.csv", "sample,identity,label,take\na 1,a 1,walk,1\nb-2,b,run,2\n001,d,run,3\n"
    )


def store() -> Iterator[Seed]:
    """Stores in metres and in pixels."""
    import hashlib

    layout = load_layout("coco17").to_dict()
    frames = _POSES[:, None].astype(np.float32)
    header = io.BytesIO()
    np.save(header, frames)
    index = (
        "sample,start,length,identity,label,condition,view,take,camera,split\n"
        "a,0,3,1,walk,nm,090,01,,train\nb,3,5,2,run,nm,018,02,,test\n"
    )
    own = index.replace("split\n", "split,image_size,frames,fps\n")
    own = own.replace("train\n", "train,340x256,300-302,29.97\n").replace("test\n", "test,,,\n")
    for text in (index, own):
        digest = hashlib.sha256(frames.tobytes() + text.encode()).hexdigest()
        info = {
            "schema_version": 1,
            "name": "made",
            "source": "made",
            "layout": layout,
            "channels": ["x", "y", "confidence"],
            "unit": "pixel",
            "fps": 30.0,
            "image_size": [640, 480],
            "classes": ["walk", "run"],
            "dropped": {"empty sequences": 1},
            "settings": {"format": "npz"},
            "synthetic": True,
            "fingerprint": digest,
        }
        yield _tree({"store.json": _json(info), "index.csv": text, "frames.npy": header.getvalue()})


_LABELS = {
    "subject": [f"{i % 4:03d}" for i in range(12)],
    "condition": ["nm", "bg", "cl"] * 4,
    "take": [f"{1 + i // 4:02d}" for i in range(12)],
    "view": ["000", "090"] * 6,
}
_VECTORS = np.round(np.random.default_rng(2).normal(size=(12, 6)), 4).astype(np.float32)


def _label_rows() -> list[list[str]]:
    return [list(row) for row in zip(*_LABELS.values(), strict=True)]


def embeddings_npz() -> Iterator[Seed]:
    """Embeddings as arrays."""
    yield _one("emb.npz", npz(embedding=_VECTORS, **_LABELS))
    parts = np.stack([_VECTORS, _VECTORS + 1], axis=2)
    yield _one("emb.npz", npz(features=parts, pid=np.arange(12), camid=np.arange(12) % 2))
    for name, content in _shared("cases", "hostile/emb_*.npz", "wrong_values/*_case.npz"):
        yield _one(name, content)


def embeddings_csv() -> Iterator[Seed]:
    """Embeddings as a table, a column a number or all in one."""
    head = ",".join([*_LABELS, *(f"e{i}" for i in range(6))])
    rows = [
        ",".join([*labels, *map(str, vector)])
        for labels, vector in zip(_label_rows(), _VECTORS, strict=True)
    ]
    yield _one("emb.csv", "\n".join([head, *rows]) + "\n")
    rows = [
        ",".join([*labels, " ".join(map(str, vector))])
        for labels, vector in zip(_label_rows(), _VECTORS, strict=True)
    ]
    yield _one("emb.csv", "\n".join([",".join([*_LABELS, "embedding"]), *rows]) + "\n")


def embeddings_parquet() -> Iterator[Seed]:
    """Embeddings as a Parquet table, where pyarrow is installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return
    out = io.BytesIO()
    parquet.write_table(pyarrow.table({**_LABELS, "embedding": _VECTORS.tolist()}), out)
    yield _one("emb.parquet", out.getvalue())


def embeddings_npy() -> Iterator[Seed]:
    """Vectors beside their labels."""
    text = "\n".join([",".join(_LABELS), *(",".join(row) for row in _label_rows())]) + "\n"
    yield Seed({"emb.npy": _npy(_VECTORS), "emb.csv": text.encode()}, "emb.npy")


def class_scores() -> Iterator[Seed]:
    """Scores over classes."""
    raised = np.exp(_VECTORS[:8, :3].astype(np.float64))
    whole = {
        "sample": [f"clip-{i}" for i in range(8)],
        "label": [0, 1, 2, -1, 0, 1, 2, 0],
        "classes": ["a", "b", "c"],
        "probabilities": (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32),
    }
    yield _one("scores.npz", npz(**whole))
    yield _one(
        "scores.npz", npz(**whole, logits=_VECTORS[:8, :3], subject=["x"] * 8, subset=["s", ""] * 4)
    )


def pair_scores() -> Iterator[Seed]:
    """Scores of pairs, with the labels of their samples."""
    names = ["p1", "p2", "g1", "g2"]
    labels = "sample,subject,condition,take,view\n" + "".join(
        f"{n},{n[1]},nm,0{n[1]},090\n" for n in names
    )
    pairs = [(p, g) for p in names[:2] for g in names[2:]]
    rows = "".join(f"{p},{g},{0.25 * i}\n" for i, (p, g) in enumerate(pairs))
    table = ("probe,gallery,score\n" + rows).encode()
    yield Seed({"pairs.csv": table, "labels.csv": labels.encode()}, "pairs.csv")
    arrays = npz(
        probe=[p for p, _ in pairs], gallery=[g for _, g in pairs], distance=[0.0, 1.0, 2.0, 3.0]
    )
    yield Seed({"pairs.npz": arrays, "labels.csv": labels.encode()}, "pairs.npz")


def record() -> Iterator[Seed]:
    """Records of this project's own results, one of each kind."""
    chosen = (
        *("action/msr_as1/acl-seed0.json", "cost/gait-kgbd-temporal_conv.json"),
        *("gait/ucalgary_gait/ce-seed0.json", "reid/kgbd/bone-length-seed0.json"),
        *(
            "action/msr_action3d_studies/difficulty-acl.json",
            "action/msr_action3d_studies/class-gain-acl.json",
        ),
    )
    for name in chosen:
        path = CHECKOUT / "results" / name
        if path.is_file():
            yield _one("record.json", path.read_bytes())
    for name, content in _shared("cases/hostile/long_name_records", "*.json"):
        yield _one(name, content)


def recipe(task: str) -> Iterator[Seed]:
    """The recipes of a task; those with a base lie beside it."""
    folder = CHECKOUT / "configs" / task
    for path in sorted(folder.glob("*.yaml"))[:4]:
        files = {f"data/{other.name}": other.read_bytes() for other in folder.glob("*.yaml")}
        if b"base:" in files[f"data/{path.name}"]:
            yield Seed(files, f"data/{path.name}")
        else:
            yield _one(path.name, path.read_bytes())
    for name, content in _shared("cases/hostile", "python_tag.yaml", "laughs.yaml"):
        yield _one(name, content)


def layout() -> Iterator[Seed]:
    """The shipped layouts."""
    for name in ("coco17", "ntu25", "coco20", "sbu15"):
        path = CHECKOUT / "aclnet" / "skeleton" / "layouts" / f"{name}.yaml"
        yield _one("own.yaml", path.read_bytes())


def _splits(kind: str, *suffixes: str) -> Iterator[Seed]:
    folder = CHECKOUT / "protocols" / "splits" / kind
    files = {f"data/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
    for name, content in files.items():
        if name.endswith(suffixes):
            yield Seed(files if b"table:" in content else {name: content}, name)


def gait_protocol() -> Iterator[Seed]:
    """The shipped protocols of gait."""
    yield from _splits("gait", ".csv", ".yaml")


def people_split() -> Iterator[Seed]:
    """The shipped division of people."""
    yield from _splits("people", ".csv")


def pair_protocol() -> Iterator[Seed]:
    """The shipped protocols of re-identification."""
    yield from _splits("reid", ".yaml")


def action_split() -> Iterator[Seed]:
    """The shipped splits of action recognition."""
    yield from _splits("action", ".csv")


def probe_names() -> Iterator[Seed]:
    """Lists of probes."""
    yield _one("partition.json", _json({"TRAIN_SET": ["1"], "PROBE_SET": ["0001-1", "0002-1"]}))
    yield _one("probes.txt", "0001-1\n0002-1\n")


def run_info() -> Iterator[Seed]:
    """What a run remembers."""
    info = {
        "task": "gait",
        "classes": ["1", "2"],
        "layout": load_layout("coco17").to_dict(),
        "channels": ["x", "y"],
        "unit": "pixel",
        "dataset": "made",
        "fingerprint": "0" * 64,
        "synthetic": True,
    }
    yield _tree({"run.json": json.dumps(info, indent=2), "settings.yaml": "protocol: casia_b\n"})


def run_log() -> Iterator[Seed]:
    """A log of two epochs."""
    lines = [
        {"kind": "step", "epoch": 1, "step": step, "loss": 0.5 / step, "seconds": 0.1}
        for step in (1, 2, 3)
    ]
    lines.append({"kind": "epoch", "epoch": 1, "step": 3, "loss": 0.25, "seconds": 1.5})
    yield _one("log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))


def checkpoint() -> Iterator[Seed]:
    """A training's state."""
    import torch

    generator = torch.Generator().manual_seed(0)
    state = {
        "aclnet_checkpoint": 1,
        "task": {
            "weight": torch.randn(4, 3, generator=generator),
            "seen": torch.zeros(3, dtype=torch.int64),
        },
        "optimizer": {
            "state": {0: {"step": torch.tensor(3.0)}},
            "param_groups": [{"lr": 0.1, "params": [0]}],
        },
        "state": {"epoch": 2, "step": 3, "best": None},
        "recipe": "protocol: casia_b\n",
    }
    yield _one("checkpoint.pt", _torch(state))


def weights() -> Iterator[Seed]:
    """Released weights of a small network, bare and inside a checkpoint of mmcv."""
    import torch

    path = SHARED / "golden" / "action" / "backbone_small_ntu25.npz"
    if not path.is_file():
        return
    with np.load(path) as file:
        state = {
            key.removeprefix("w/"): torch.from_numpy(file[key])
            for key in file.files
            if key.startswith("w/") and file[key].size < 3000
        }
    yield _one("weights.pth", _torch(state))
    yield _one("weights.pth", _torch({"meta": {"epoch": 3}, "state_dict": state}))


def names() -> Iterator[Seed]:
    """Lists of classes and of recordings to leave out, one name per line."""
    yield _one("classes.txt", "walk\nrun\nsit down\n")
