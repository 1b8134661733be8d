"""Trees of pickled poses, `id/type/view/*.pkl`, as OpenGait and FastPoseGait keep them.

A file holds one sequence: an array (T, V, 3) of x, y, confidence, or (T, V, 2), (T, 1, V, C),
(T, V*C), or a list of (V, C) arrays. It does not name its joints: 17 are taken as COCO-17,
18 as OpenPose's COCO-18; for any other number the layout must be named. Nor does it name the unit:
the first file with somebody in it decides, and another unit later is refused. Only NumPy arrays and
plain containers are unpickled (`aclnet.data.formats.pickles.unpickle`).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.formats import Progress, pyskl, with_progress
from aclnet.data.formats.keypoints.picture_unit import one_unit
from aclnet.data.formats.pickles.unpickle import as_array, unpickled
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.arrays import to_float32
from aclnet.skeleton import Layout, load_layout

UNPICKLES = True
_CHANNELS = ("x", "y", "confidence")
_BY_COUNT = {17: "coco17", 18: "coco18"}
_CONDITION_TAKE = re.compile(r"([A-Za-z]+)-(\d+)\Z")

Poses = npt.NDArray[np.float32]


def recognises(path: Path) -> bool:
    """Whether it is a pickle, not of annotations, or a folder with pickles three levels down."""
    if path.is_file():
        return path.suffix.lower() in (".pkl", ".pickle") and not pyskl.recognises(path)
    return next(path.glob("*/*/*/*.pkl"), None) is not None


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    pattern: str = "*.pkl",
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a tree, or one file.

    Args:
        path: the tree's root, or a pickle.
        layout: the joints; needed where V is neither 17 nor 18.
        progress: called with the number of the file that is read and their total.
        pattern: which files of a leaf folder are poses, where it has several kinds of pickle.

    Raises:
        ValueError: there is no pose file, V is unknown, or a file is damaged or refused. While
            samples are drawn also: a file's joints, channels or unit differ from the first file's.
    """
    files = [path] if path.is_file() else sorted(path.glob(f"*/*/*/{pattern}"))
    files = [file for file in files if file.suffix.lower() in (".pkl", ".pickle")]
    files_in = Counter(file.parent for file in files)
    dropped: Counter[str] = Counter()
    if path.is_dir() and (
        elsewhere := len({*path.rglob(pattern)} - {*path.glob(f"*/*/*/{pattern}")})
    ):
        dropped[f"files {pattern} elsewhere than in id/type/view"] = elsewhere
    poses = _poses(files, layout, dropped, progress)
    first = next(poses, None)
    if first is None:
        counts = "; ".join(f"{count} {reason}" for reason, count in dropped.items())
        raise ValueError(
            f"{path}: no pose sequence in {len(files)} files id/type/view/{pattern}"
            + (f" ({counts})" if counts else "")
        )
    joints, channels = first[1].shape[1:]
    if layout is None and joints not in _BY_COUNT:
        raise ValueError(
            f"{first[0]}: {joints} joints per frame; 17 is read as coco17 and 18 as coco18, for "
            "any other number name the layout"
        )
    chosen = layout or load_layout(_BY_COUNT[joints])
    unit, checked = one_unit(itertools.chain([first], poses), lambda one: (str(one[0]), one[1]))
    info = StoreInfo.of_file(
        path,
        chosen,
        channels=_CHANNELS[:channels],
        unit=unit or "pixel",
    ).model_copy(update={"dropped": dropped})  # `_poses` keeps counting there

    def samples() -> Iterator[Sample]:
        for file, pose in checked:
            if pose.shape[1:] != (joints, channels):
                raise ValueError(
                    f"{file}: {pose.shape[1]} joints and {pose.shape[2]} channels, the first file "
                    f"has {joints} and {channels}; convert them separately"
                )
            root = path if path.is_dir() else None
            yield _sample(file, pose, root, several=files_in[file.parent] > 1)

    return info, samples()


def _poses(
    files: list[Path], layout: Layout | None, dropped: Counter[str], progress: Progress | None
) -> Iterator[tuple[Path, Poses]]:
    """The files that hold a pose sequence, each as (T, V, C)."""
    for file in with_progress(files, len(files), progress):
        with unpickled(file) as value:
            pose = _as_pose(value, layout, file)
        if pose is None:
            dropped["pickles that are not a pose sequence"] += 1
        elif pose.size == 0:
            dropped["empty sequences"] += 1
        elif not pose[..., :2].any():
            dropped["recordings without a person"] += 1
        else:
            yield file, pose


def _as_pose(value: Any, layout: Layout | None, file: Path) -> Poses | None:
    """Frames (T, V, C) with C 2 or 3, an empty array for no frames, None for other content."""
    try:
        array = as_array(value)
    except ValueError:
        raise ValueError(
            f"{file}: a list of frames of different shapes; each must be (V, 2) or (V, 3)"
        ) from None
    if array.dtype.kind not in "fiu":
        return None
    if array.size == 0:
        return np.zeros((0, 0, 0), np.float32)
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        array = _unfold(array, layout)
    if array.ndim != 3 or array.shape[2] not in (2, 3):
        return None
    if layout is not None and array.shape[1] != layout.joint_count:
        raise ValueError(
            f"{file}: {array.shape[1]} joints per frame, layout {layout.name} has "
            f"{layout.joint_count}"
        )
    return to_float32(array)


def _unfold(array: npt.NDArray[Any], layout: Layout | None) -> npt.NDArray[Any]:
    """(T, V*C) as (T, V, C) where V is known or that of the layout; else unchanged."""
    width = array.shape[1]
    for joints in (layout.joint_count,) if layout else _BY_COUNT:
        for channels in (3, 2):
            if width == joints * channels:
                return array.reshape(len(array), joints, channels)
    return array


def _sample(file: Path, pose: Poses, root: Path | None, several: bool) -> Sample:
    frames = pose[:, None]
    if root is None:
        return Sample(sample=file.stem, frames=frames)
    identity, kind, view = file.relative_to(root).parts[:3]
    parsed = _CONDITION_TAKE.match(kind)
    condition, take = parsed.groups() if parsed else ("", kind) if kind.isdigit() else (kind, "")
    return Sample(
        sample="-".join([identity, kind, view, *([file.stem] if several else [])]),
        frames=frames,
        identity=identity,
        condition=condition,
        take=take,
        view=view,
    )
