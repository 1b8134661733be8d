"""Released windows of skeleton re-identification: folders of `.npy` files (TranSG, SPC-MGR, SGE).

Source: the data of github.com/Kali-Hac/TranSG (Rao and Miao, CVPR 2023) and of its forerunners
SPC-MGR and Locality-Awareness-SGE. One folder holds one data set cut into windows of f frames:

    KS20/6/train_npy_data/, KS20/6/test_npy_data/{probe,gallery}/           also KGBD
    IAS/6/test_npy_data/{A,B}/, BIWI/6/test_npy_data/{Walking,Still}/
    CASIA_B_match/40/CASIA_B_train_npy_data/, .../CASIA_B_test_npy_data/{nm,bg,cl}/
    .../view_<0..10>/ below a test folder (SGE's cross-view division of CASIA-B)

A sample is a window. The files say who is seen, and nothing of camera, take or walk; the view only
in the last form. Coordinates are as stored: not centred.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from aclnet.data.formats import Progress
from aclnet.data.formats.transg.files import WindowFiles, open_window_files
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout, load_layout

UNPICKLES = True
_TRAIN, _TEST = "train_npy_data", "test_npy_data"
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
_VIEW = re.compile(r"view_(\d+)\Z")
_DEGREES_A_VIEW = 18


def recognises(path: Path) -> bool:
    """Whether a training or test folder of `.npy` files lies in the folder or one level down."""
    return path.is_dir() and bool(_roots(path))


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
        progress: told the windows read and the windows there are.
        frames: frames in a window, where the folder has several lengths (KS20/6, KS20/8).

    Raises:
        ValueError: there is no such folder or no such length, a file is missing, damaged or
            refused, or the files of a folder contradict each other; while samples are drawn: a
            coordinate is not finite.
    """
    root = _root(path, frames)
    files = [open_window_files(folder) for folder in _set_folders(root)]
    first = files[0]
    for other in files:
        _check_alike(first, other, root)
    if frames and first.frame_count != frames:
        raise ValueError(
            f"{root}: has windows of {first.frame_count} frames, {frames} were asked; leave the "
            "option frames out"
        )
    chosen = layout or _layout_of(first)
    if chosen.joint_count != first.joint_count:
        raise ValueError(
            f"{first.folder}: has {first.joint_count} joints, layout {chosen.name} has "
            f"{chosen.joint_count}; name the layout of these joints"
        )
    info = StoreInfo(
        name=f"{first.dataset}_{first.frame_count}",
        layout=chosen.to_dict(),
        channels=("x", "y", "z"),
        # CASIA-B's third coordinate is guessed from images, in no unit of length.
        unit="normalised" if first.dataset.startswith("CASIA") else "metre",
        source=path.name,
        settings={"frames": first.frame_count},
    )
    return info, _windows(files, progress)


def _windows(files: Sequence[WindowFiles], progress: Progress | None) -> Iterator[Sample]:
    total, done = sum(len(part.labels) for part in files), 0
    for part in files:
        name = part.folder.name if _is_test(part.folder.parent) else "train"
        view = _VIEW.match(name)
        condition = name if name in _CONDITIONS else ""
        degrees = f"{int(view[1]) * _DEGREES_A_VIEW:03d}" if view else ""
        for number, identity in enumerate(part.labels):
            window = part.window(number)
            done += 1
            if progress:
                progress(done, total)
            yield Sample(
                sample=f"{part.dataset}-{name}-{number:06d}",
                frames=window[:, None],
                identity=identity,
                condition=condition,
                view=degrees,
                split="test" if condition or degrees else name,
            )


def _is_test(folder: Path) -> bool:
    return folder.name.endswith(_TEST)


def _sets(root: Path, kind: str) -> list[Path]:
    return sorted(child for child in root.glob(f"*{kind}") if child.is_dir())


def _is_root(folder: Path) -> bool:
    return bool(_sets(folder, _TRAIN) or _sets(folder, _TEST))


def _roots(path: Path) -> list[Path]:
    """The folder itself, or those below it that are named after a number of frames."""
    if _is_root(path):
        return [path]
    below = [child for child in path.iterdir() if child.name.isdecimal() and child.is_dir()]
    return sorted(filter(_is_root, below), key=lambda child: int(child.name))


def _root(path: Path, frames: int) -> Path:
    roots = _roots(path) if path.is_dir() else []
    if not roots:
        raise ValueError(
            f"{path}: has no folder {_TRAIN} or {_TEST}; give the folder that has, such as KS20/6"
        )
    if roots == [path]:
        return path
    lengths = ", ".join(root.name for root in roots)
    wanted = [root for root in roots if not frames or int(root.name) == frames]
    if len(wanted) != 1:
        asked = f"none of {frames}" if frames else "several"
        raise ValueError(
            f"{path}: has windows of {lengths} frames, {asked}; set the option frames to one of "
            "them"
        )
    return wanted[0]


def _set_folders(root: Path) -> list[Path]:
    """The folders with the files themselves, training first."""
    folders = list(_sets(root, _TRAIN))
    for test in _sets(root, _TEST):
        inside = sorted((child for child in test.iterdir() if child.is_dir()), key=_by_number)
        if not inside:
            raise ValueError(
                f"{test}: has no folder of a set (probe, gallery, A, B, nm, …); download or unpack "
                "it again"
            )
        folders += inside
    return folders


def _by_number(folder: Path) -> tuple[int, str]:
    """view_2 before view_10."""
    view = _VIEW.match(folder.name)
    return (int(view[1]) if view else -1, folder.name)


def _check_alike(first: WindowFiles, other: WindowFiles, root: Path) -> None:
    ours = (first.dataset, first.frame_count, first.joint_count)
    theirs = (other.dataset, other.frame_count, other.joint_count)
    if ours != theirs:
        raise ValueError(
            f"{root}: {other.folder.relative_to(root)} is {theirs[0]} with {theirs[1]} frames a "
            f"window and {theirs[2]} joints, {first.folder.relative_to(root)} is {ours[0]} with "
            f"{ours[1]} and {ours[2]}; convert them apart"
        )


def _layout_of(files: WindowFiles) -> Layout:
    known = [name for name in _LAYOUTS if files.dataset.upper().startswith(name)]
    name = _LAYOUTS[known[0]] if known else _BY_COUNT.get(files.joint_count)
    if name is None:
        raise ValueError(
            f"{files.folder}: the order of the {files.joint_count} joints of data set "
            f"{files.dataset} is not known; name the layout"
        )
    return load_layout(name)
