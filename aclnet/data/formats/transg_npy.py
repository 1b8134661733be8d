"""Released windows of skeleton re-identification: folders of `.npy` files (TranSG, SPC-MGR, SGE).

Source: the data of github.com/Kali-Hac/TranSG (Rao and Miao, CVPR 2023) and of its forerunners
SPC-MGR and Locality-Awareness-SGE. One folder holds one data set cut into windows of f frames:

    KS20/6/train_npy_data/, KS20/6/test_npy_data/{probe,gallery}/           also KGBD
    IAS/6/test_npy_data/{A,B}/, BIWI/6/test_npy_data/{Walking,Still}/
    CASIA_B_match/40/CASIA_B_train_npy_data/, .../CASIA_B_test_npy_data/{nm,bg,cl}/
    .../view_<0..10>/ below a test folder (SGE's cross-view division of CASIA-B)

Each of these has the coordinates of N windows, `source_{x,y,z}_<SET>_<f>.npy` of shape (N*f, V)
each (in test folders with `t_` before), `ids_<SET>_<f>.npy`, a pickled dict from label to window
numbers, and `frame_id_<SET>_<f>.npy`, (N,) labels: of windows, despite its name.

A sample is a window. The files tell its person, but no camera, take or walk; the view only in the
last form. Coordinates are as stored: not centred.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.data.formats import Progress, with_progress
from aclnet.data.formats.pickles.unpickle import as_array, loaded_npy
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.arrays import to_float32
from aclnet.skeleton import Layout, load_layout

UNPICKLES = True
_TRAIN, _TEST = "train_npy_data", "test_npy_data"
_AXES = ("x", "y", "z")
_NAME = re.compile(r"(?:t_)?(source_[xyz]|ids|frame_id)_(.+)_(\d+)\.npy\Z")
_LAYOUTS = {
    "KS20": "ntu25",
    "KGBD": "kgbd20",
    "IAS": "kinect20",
    "BIWI": "kinect20",
    "CASIA_B": "openpose14",
}
# The others have one order each; 20 joints are KGBD's or the Kinect's.
_BY_COUNT = {25: "ntu25", 14: "openpose14"}
_CONDITIONS = ("nm", "bg", "cl")
_VIEW = re.compile(r"\Aview_(\d+)\Z")
_DEGREES_A_VIEW = 18
_AGAIN = "copy the file from the download again"


def recognises(path: Path) -> bool:
    """Whether a training or test folder of `.npy` files lies in the folder or one level down."""
    return bool(_roots(path))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    frames: int = 0,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a data set's folder.

    Every window is one sample, named after data set, set and place in the file
    (KS20-probe-000123), with its set as the split: train, probe, gallery, A, B, Walking or Still.
    CASIA-B's test windows have nm, bg or cl as the condition, or the view in degrees, and the
    split test. Coordinates are read from the disk one window at a time.

    Args:
        path: the folder that holds `train_npy_data` or `test_npy_data` (such as KS20/6), or the
            one above (KS20).
        layout: the joints, where the data set is none of those named above.
        progress: called with the number of the window and their total.
        frames: frames in a window, where the folder has several lengths (KS20/6, KS20/8).

    Raises:
        ValueError: there is no such folder or no such length, a file is missing, damaged or
            refused, or the files of a folder contradict each other; while samples are drawn: a
            coordinate is not finite.
    """
    root = _root(path, frames)
    parts = [_open_windows(folder) for folder in _set_folders(root)]
    first = parts[0]
    for other in parts:
        if other.form != first.form:
            (ours, count, joints), (theirs, other_count, other_joints) = first.form, other.form
            raise ValueError(
                f"{root}: {other.folder.relative_to(root)} is {theirs} with {other_count} frames a "
                f"window and {other_joints} joints, {first.folder.relative_to(root)} is {ours} "
                f"with {count} and {joints}; convert them separately"
            )
    dataset, frame_count, joint_count = first.form
    if frames and frame_count != frames:
        raise ValueError(
            f"{root}: has windows of {frame_count} frames, not of {frames}; leave the option "
            "frames out"
        )
    chosen = layout or _layout_of(first)
    if chosen.joint_count != joint_count:
        raise ValueError(
            f"{first.folder}: has {joint_count} joints, layout {chosen.name} has "
            f"{chosen.joint_count}; name the layout of these joints"
        )
    info = StoreInfo(
        name=f"{dataset}_{frame_count}",
        layout=chosen.to_dict(),
        channels=_AXES,
        # CASIA-B's third coordinate is estimated from images, in no unit of length.
        unit="normalised" if dataset.startswith("CASIA") else "metre",
        source=path.name,
        settings={"frames": frame_count},
    )
    total = sum(len(part.labels) for part in parts)
    samples = (sample for part in parts for sample in _samples(part))
    return info, with_progress(samples, total, progress)


class _Windows(NamedTuple):
    """The windows of one folder, coordinates still on disk.

    Attributes:
        folder: that of the files.
        form: the data set's name, f and V.
        coordinates: the x, y and z files, each (N*f, V), memory-mapped.
        labels: the person in each window, (N,).
    """

    folder: Path
    form: tuple[str, int, int]
    coordinates: list[npt.NDArray[Any]]
    labels: list[str]


def _samples(part: _Windows) -> Iterator[Sample]:
    in_test = part.folder.parent.name.endswith(_TEST)
    name = part.folder.name if in_test else "train"
    condition = name if name in _CONDITIONS else ""
    view = _VIEW.match(name)
    degrees = f"{int(view[1]) * _DEGREES_A_VIEW:03d}" if view else ""
    for number, identity in enumerate(part.labels):
        yield Sample(
            sample=f"{part.form[0]}-{name}-{number:06d}",
            frames=_window(part, number)[:, None],
            identity=identity,
            condition=condition,
            view=degrees,
            split="test" if condition or degrees else name,
        )


def _window(part: _Windows, number: int) -> npt.NDArray[np.float32]:
    """One window, (f, V, 3)."""
    count = part.form[1]
    rows = slice(number * count, (number + 1) * count)
    frames = to_float32(np.stack([axis[rows] for axis in part.coordinates], axis=-1))
    bad = np.argwhere(~np.isfinite(frames))
    if len(bad):
        frame, joint, axis = bad[0].tolist()
        raise ValueError(
            f"{part.folder}: {_AXES[axis]} of joint {joint} in frame {frame} of window {number} "
            f"(row {rows.start + frame} of the file) is not a finite number; cut the windows "
            "again without the frames whose joints were not found"
        )
    return frames


def _sets(root: Path, kind: str) -> list[Path]:
    return sorted(child for child in root.glob(f"*{kind}") if child.is_dir())


def _is_root(folder: Path) -> bool:
    return bool(_sets(folder, _TRAIN) or _sets(folder, _TEST))


def _roots(path: Path) -> list[Path]:
    """The folder itself, or those below it that are named after a number of frames."""
    if not path.is_dir():
        return []
    if _is_root(path):
        return [path]
    below = [child for child in path.iterdir() if child.name.isdecimal() and child.is_dir()]
    return sorted(filter(_is_root, below), key=lambda child: int(child.name))


def _root(path: Path, frames: int) -> Path:
    roots = _roots(path)
    if not roots:
        raise ValueError(
            f"{path}: has no folder {_TRAIN} or {_TEST}; give the folder that has one, such as "
            "KS20/6"
        )
    if roots == [path]:
        return path
    wanted = [root for root in roots if not frames or int(root.name) == frames]
    if len(wanted) != 1:
        lengths = ", ".join(root.name for root in roots)
        found = f"none of {frames}" if frames else "several"
        raise ValueError(
            f"{path}: has windows of {lengths} frames, {found}; set the option frames to one of "
            "them"
        )
    return wanted[0]


def _set_folders(root: Path) -> list[Path]:
    """The folders with the files themselves, training first, view_2 before view_10."""
    folders = _sets(root, _TRAIN)
    for test in _sets(root, _TEST):
        inside = [child for child in test.iterdir() if child.is_dir()]
        if not inside:
            raise ValueError(
                f"{test}: has no folder of a set (probe, gallery, A, B, nm, …); download or unpack "
                "it again"
            )
        folders += sorted(inside, key=lambda one: ([*map(int, _VIEW.findall(one.name))], one.name))
    return folders


def _layout_of(part: _Windows) -> Layout:
    dataset, _, joint_count = part.form
    known = [name for name in _LAYOUTS if dataset.upper().startswith(name)]
    name = _LAYOUTS[known[0]] if known else _BY_COUNT.get(joint_count)
    if name is None:
        raise ValueError(
            f"{part.folder}: the order of the {joint_count} joints of data set {dataset} is not "
            "known; name the layout"
        )
    return load_layout(name)


def _open_windows(folder: Path) -> _Windows:
    """Open a folder's files and check them against each other; coordinates are not read."""
    dataset, frame_count, files = _files(folder)
    arrays = []
    for axis in _AXES:
        file = files[f"source_{axis}"]
        with loaded_npy(file) as array:
            if array.ndim != 2 or array.dtype.kind not in "fiu":
                kind = "objects" if array.dtype.hasobject else array.dtype
                raise ValueError(
                    f"{file}: coordinates must be numbers of shape (windows * frames, joints), it "
                    f"holds {kind} of shape {array.shape}; {_AGAIN}"
                )
            arrays.append(array)
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"{file}: {axis} has shape {array.shape}, x has {arrays[0].shape}; take all three "
                "from the same download"
            )
    rows, joint_count = arrays[0].shape
    if rows % frame_count:
        raise ValueError(
            f"{files['source_x']}: {rows} rows are not a whole number of windows of {frame_count} "
            "frames; the number in the file's name must be the frames of a window"
        )
    labels = _labels(files, rows // frame_count)
    return _Windows(folder, (dataset, frame_count, joint_count), arrays, labels)


def _files(folder: Path) -> tuple[str, int, Mapping[str, Path]]:
    """The data set's name, f, and the five files by kind."""
    found: dict[tuple[str, int], dict[str, Path]] = {}
    for file in sorted(folder.glob("*.npy")):
        if match := _NAME.match(file.name):
            found.setdefault((match[2], int(match[3])), {})[match[1]] = file
    if len(found) != 1:
        names = ", ".join(f"{dataset}_{frames}" for dataset, frames in found)
        raise ValueError(
            f"{folder}: has files of {names}; keep each in its own folder"
            if found
            else f"{folder}: has no source_x_<SET>_<f>.npy; download or unpack the folder again"
        )
    ((dataset, frames), files) = found.popitem()
    for kind in (*(f"source_{axis}" for axis in _AXES), "ids", "frame_id"):
        if kind not in files:
            raise ValueError(
                f"{folder}: has no {kind}_{dataset}_{frames}.npy, only "
                f"{', '.join(file.name for file in files.values())}; download or unpack the folder "
                "again"
            )
    if frames < 1:
        raise ValueError(f"{files['source_x']}: its name says windows of {frames} frames")
    return dataset, frames, files


def _labels(files: Mapping[str, Path], count: int) -> list[str]:
    """The person in each of the N windows; both files must agree."""
    file = files["ids"]
    labels: dict[int, str] = {}
    for label, window in _claims(file):
        if not 0 <= window < count:
            raise _disagrees(file, f"{label!r} has window {window}, and there are {count} windows")
        if labels.get(window) == label:
            raise _disagrees(file, f"{label!r} has window {window} twice")
        if window in labels:
            problem = f"window {window} belongs to {labels[window]!r} and to {label!r}"
            raise _disagrees(file, problem)
        labels[window] = label
    for window in range(count):
        if window not in labels:
            raise _disagrees(file, f"window {window} of {count} belongs to nobody")
    with loaded_npy(files["frame_id"]) as array:
        others = [_text(label, files["frame_id"]) for label in array.reshape(-1).tolist()]
    if len(others) != count:
        problem = f"has {len(others)} labels for {count} windows (it must have one per window)"
        raise _disagrees(files["frame_id"], problem)
    for window, other in enumerate(others):
        if labels[window] != other:
            problem = f"window {window} shows {other!r}, {file.name} says {labels[window]!r}"
            raise _disagrees(files["frame_id"], problem)
    return others


def _claims(file: Path) -> list[tuple[str, int]]:
    """The labels and window numbers of the pickled dict."""
    claims: list[tuple[str, int]] = []
    with loaded_npy(file) as array:
        lone = array.item() if array.size == 1 else array
        if not isinstance(lone, dict):
            raise ValueError(
                f"{file}: must hold one dict from label to window numbers, it holds "
                f"{type(lone).__name__}; {_AGAIN}"
            )
        keys: dict[str, Any] = {}
        for key, windows in lone.items():
            label = _text(key, file)
            if label in keys:
                raise ValueError(f"{file}: {label!r} occurs both as text and as a number; {_AGAIN}")
            keys[label] = key
            try:
                numbers = as_array(windows)
                sound = numbers.ndim == 1 and (numbers.dtype.kind in "iu" or not numbers.size)
            except ValueError:  # lists of different lengths
                sound = False
            if not sound:
                raise ValueError(
                    f"{file}: the window numbers of {label!r} must be a list of whole numbers; "
                    f"{_AGAIN}"
                )
            claims += [(label, int(number)) for number in numbers]
    return claims


def _disagrees(file: Path, problem: str) -> ValueError:
    return ValueError(f"{file}: {problem}; take all files from the same download")


def _text(label: Any, file: Path) -> str:
    """A label as text; 7, 7.0 and "7" are the same person."""
    if isinstance(label, bytes):
        return label.decode("latin1")
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    if label is None or isinstance(label, (str, int, float, np.generic)):
        return str(label)
    raise ValueError(
        f"{file}: labels must be text or numbers, but one is a {type(label).__name__}; {_AGAIN}"
    )
