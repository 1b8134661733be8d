"""NTU RGB+D's own text files: `SsssCcccPpppRrrrAaaa.skeleton`, one recording each.

Source: Shahroudy et al., "NTU RGB+D", CVPR 2016, and Liu et al., "NTU RGB+D 120", TPAMI 2019;
Kinect v2, metres, x to the sensor's left, y up, z depth, 30 frames a second. What is in a file is
told in `aclnet.data.formats.ntu.text`, which of the bodies become tracks in
`aclnet.data.formats.ntu.bodies`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from aclnet.data.class_names import class_names
from aclnet.data.formats import Progress
from aclnet.data.formats.ntu.bodies import clean_bodies
from aclnet.data.formats.ntu.text import read_bodies
from aclnet.data.missing import ntu_missing, read_names
from aclnet.data.names import NameFields, parse_ntu
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout, load_layout

Benchmark = Literal["ntu60", "ntu120"]
Precision = Literal["float32", "float16"]

_FPS = 30.0
_ENDING = ".skeleton"


def recognises(path: Path) -> bool:
    """Whether it is a `.skeleton` file, or a folder with one at most one level down."""
    if path.is_file():
        return path.suffix.lower() == _ENDING
    return any(next(path.glob(pattern), None) for pattern in ("*.skeleton", "*/*.skeleton"))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    benchmark: Benchmark | None = None,
    missing: str = "listed",
    persons: int = 2,
    precision: Precision = "float32",
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a folder of recordings, or one, file by file, with the published cleaning.

    Args:
        path: the folder or file.
        layout: another layout for the lines of a body; Kinect v2's 25 joints if not given.
        progress: told the files read and the files there are.
        benchmark: ntu60 leaves out the actions above 60; by default ntu120 if there is such an
            action, else ntu60. It says the classes.
        missing: "listed" leaves out the 535 names that the data set's authors list, "keep" reads
            them, too; the path of a text file leaves out the names in it besides the 535.
        persons: tracks of a sample, 1 or 2; see `clean_bodies`. A track nobody is in is zero.
        precision: float16 rounds as in the published annotation files.

    Raises:
        ValueError: there is no such file, an option is not one of the above or an action is not
            one of the data set's; while samples are drawn: a file is not as it should be.
    """
    files = _files(path)
    _check_options(benchmark, persons, precision)
    left_out = _left_out(missing)
    named = benchmark or _benchmark(files, path)
    chosen = layout or load_layout("ntu25")
    info = StoreInfo(
        name=path.stem,
        layout=chosen.to_dict(),
        channels=("x", "y", "z"),
        unit="metre",
        fps=_FPS,
        source=path.name,
        # A store with classes has a label for every sample; files with other names have none.
        classes=class_names(named) if all(parse_ntu(file.name) for file in files) else (),
        settings={
            "benchmark": named,
            "missing": missing if missing in ("listed", "keep") else Path(missing).name,
            "persons": persons,
            "precision": precision,
        },
    )
    dtype = np.dtype(precision)
    return info, _recordings(files, chosen, info, left_out, (persons, dtype), progress)


def _recordings(
    files: list[Path],
    layout: Layout,
    info: StoreInfo,
    left_out: frozenset[str],
    form: tuple[int, np.dtype[np.float32 | np.float16]],
    progress: Progress | None,
) -> Iterator[Sample]:
    labels = class_names(info.settings["benchmark"])
    persons, dtype = form
    for number, file in enumerate(files, 1):
        name = parse_ntu(file.name)
        if progress:
            progress(number, len(files))
        if file.stem in left_out:
            info.count_dropped("recordings listed as without skeleton")
        elif name and name.action > len(labels):
            info.count_dropped(f"recordings of actions above {len(labels)}")
        elif not (bodies := read_bodies(file, layout)):
            info.count_dropped("recordings without a body")
        else:
            yield Sample(
                sample=file.stem,
                frames=_with_persons(clean_bodies(bodies), persons).astype(dtype),
                label=labels[name.action - 1] if name else "",
                **(name.fields() if name else NameFields()),
            )


def _with_persons(tracks: npt.NDArray[np.float32], persons: int) -> npt.NDArray[np.float32]:
    """(T, M, V, 3) cut to, or filled up with zeros to, so many persons."""
    lacking = max(persons - tracks.shape[1], 0)
    return np.pad(tracks[:, :persons], ((0, 0), (0, lacking), (0, 0), (0, 0)))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted([*path.glob("*.skeleton"), *path.glob("*/*.skeleton")], key=lambda f: f.stem)
    if not files:
        raise ValueError(f"{path}: no *.skeleton file there")
    return files


def _left_out(missing: str) -> frozenset[str]:
    if missing == "keep":
        return frozenset()
    return ntu_missing() if missing == "listed" else ntu_missing() | read_names(missing)


def _benchmark(files: Sequence[Path], path: Path) -> Benchmark:
    """ntu60, unless there is an action above 60."""
    largest = len(class_names("ntu120"))
    found: Benchmark = "ntu60"
    for file in files:
        name = parse_ntu(file.name)
        if name and not 1 <= name.action <= largest:
            raise ValueError(
                f"{path}: {file.name} names action {name.action}, NTU RGB+D 120 has 1 to {largest}"
            )
        if name and name.action > len(class_names("ntu60")):
            found = "ntu120"
    return found


def _check_options(benchmark: str | None, persons: int, precision: str) -> None:
    for name, value, known in (
        ("benchmark", benchmark, (None, "ntu60", "ntu120")),
        ("persons", persons, (1, 2)),
        ("precision", precision, ("float32", "float16")),
    ):
        if value not in known:
            raise ValueError(f"{name} is one of {', '.join(map(str, known))}, not {value!r}")
