"""Writing a store sample by sample: its folder appears whole, or not at all.

It is written beside its place, as `.NAME.new`, and renamed; with `overwrite` the former store waits
as `.NAME.old` between two renames. `.NAME.lock` is held meanwhile (`aclnet.files.owned`), so that
only one process writes a store, and what is found of these names is from a killed one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from aclnet.data.numbering import numbers_to_text
from aclnet.data.sample import (
    COLUMNS,
    FASTEST_FPS,
    FIELDS,
    LARGEST_EDGE,
    OWN_COLUMNS,
    SLOWEST_FPS,
    Frames,
    Sample,
    StoreInfo,
)
from aclnet.files import make_folder, naming, owned, private
from aclnet.skeleton import layout_from_dict

_FILES = ("store.json", "frames.npy", "index.csv")
"""The description first: what is removed in part is not a store."""


def write_files(
    path: Path, samples: Iterable[Sample], info: StoreInfo, dtype: str, overwrite: bool
) -> None:
    """Write the files of a store; arguments and errors are those of `write_store`."""
    if dtype not in ("float32", "float16"):
        raise ValueError(f"a store's dtype must be float32 or float16, not {dtype!r}")
    joints = layout_from_dict(info.layout, f"{path}: layout").joint_count
    place = Path(os.path.realpath(path))  # a link stays
    remedy = "wait for it to end, or choose another folder"
    folder = _neighbour(place, "new")
    with owned(store_lock(place), path, remedy), naming(path, folder):
        _tidy(place)
        _check_free(path, overwrite)
        make_folder(folder)
        try:
            index, digest = _write_frames(folder / "frames.npy", path, samples, info, joints, dtype)
            digest.update(index.encode())
            _write(folder / "index.csv", index)
            info = info.model_copy(update={"fingerprint": digest.hexdigest()})
            # Without notes as before there were any, so that older programs read it too.
            about = info.model_dump(mode="json", exclude=set() if info.notes else {"notes"})
            text = json.dumps(about, indent=1, ensure_ascii=False)
            _write(folder / "store.json", text + "\n")
            _check_free(path, overwrite)
            if place.exists():
                os.replace(place, _neighbour(place, "old"))
            os.replace(folder, place)
        finally:
            _tidy(place)


def store_lock(path: Path) -> Path:
    """The file that a process holds locked while it writes the store at a path."""
    return _neighbour(Path(os.path.realpath(path)), "lock")


def bring_back(path: Path) -> None:
    """Bring back a store whose overwriting was killed between its two renames.

    Raises:
        Busy: another process is writing it.
        OSError: it cannot be renamed.
    """
    place = Path(os.path.realpath(path))
    if not place.exists() and any(_left(place, "old")):
        with owned(store_lock(place), path, "try again"):
            _tidy(place)


def _tidy(place: Path) -> None:
    """Bring back the store where it is missing, and remove what killed processes left of it."""
    for old in _left(place, "old"):
        if place.exists() or not (old / "store.json").is_file():
            _remove_store(old)
        else:
            os.replace(old, place)
    for new in _left(place, "new"):
        _remove_store(new)


def _write_frames(
    file: Path, path: Path, samples: Iterable[Sample], info: StoreInfo, joints: int, dtype: str
) -> tuple[str, Any]:
    """Write the frames; returns the text of the index and the frames' SHA-256."""
    digest = hashlib.sha256()
    classes, origin = frozenset(info.classes), info.source or path
    rows: dict[str, tuple[str, ...]] = {}
    own: list[tuple[str, ...]] = []
    shape = [0, 0, joints, len(info.channels)]
    with open(file, "wb", opener=private) as stream:
        for sample in samples:
            try:
                frames = _cast(sample, info, shape, np.dtype(dtype))
                fields = _fields(sample, info, classes)
            except ValueError as error:
                raise ValueError(f"{origin}: {error}") from None
            if not sample.sample or sample.sample in rows:
                raise ValueError(f"{origin}: sample key {sample.sample!r} is empty or not unique")
            own.append((_size_text(sample), _frames_text(sample), _fps_text(sample)))
            if not rows:
                shape[1] = frames.shape[1]
                stream.write(_npy_header(shape, dtype))
            content = frames.tobytes()
            digest.update(content)
            stream.write(content)
            rows[sample.sample] = (sample.sample, str(shape[0]), str(len(frames)), *fields)
            shape[0] += len(frames)
        if not rows:
            dropped = f" (dropped: {dict(info.dropped)})" if info.dropped else ""
            raise ValueError(f"{origin}: there is no sample to write{dropped}")
        stream.seek(0)
        stream.write(_npy_header(shape, dtype))
    index = pd.DataFrame(list(rows.values()), columns=list(COLUMNS))
    for name, texts in zip(OWN_COLUMNS, zip(*own, strict=True), strict=True):
        if any(texts):  # other stores keep their bytes and fingerprints
            index[name] = texts
    return index.to_csv(index=False, lineterminator="\n"), digest


def _cast(
    sample: Sample, info: StoreInfo, shape: list[int], dtype: np.dtype[np.floating[Any]]
) -> Frames:
    frames: npt.NDArray[Any] = np.asarray(sample.frames)
    persons = frames.shape[1] if frames.ndim == 4 else 0
    if not persons or [shape[1] or persons, *shape[2:]] != list(frames.shape[1:]):
        wanted = ", ".join(map(str, ("T", shape[1] or "M", *shape[2:])))
        raise ValueError(
            f"sample {sample.sample!r}: frames must be (T, M, V, C) = ({wanted}) for layout "
            f"{info.layout['name']} and channels {', '.join(info.channels)}, not {frames.shape}"
        )
    with np.errstate(over="ignore"):
        cast_frames = np.ascontiguousarray(frames, dtype=dtype)
    if np.any(np.isinf(cast_frames) & np.isfinite(frames)):
        raise ValueError(
            f"sample {sample.sample!r}: frames hold values too large for {dtype}; use float32 or "
            "another unit"
        )
    return cast_frames


def _fields(sample: Sample, info: StoreInfo, classes: frozenset[str]) -> list[str]:
    """The metadata of a sample, each checked to be one line of text."""
    for name in ("sample", *FIELDS):
        value = getattr(sample, name)
        if not isinstance(value, str) or not (value.isprintable() or value == ""):
            raise ValueError(f"sample {sample.sample!r}: {name} must be plain text: {value!r}")
    if classes and sample.label not in classes:
        known = info.classes if len(info.classes) <= 6 else (*info.classes[:5], "...")
        raise ValueError(
            f"sample {sample.sample!r}: label {sample.label!r} is not one of the "
            f"{len(info.classes)} classes of {info.name} ({', '.join(known)})"
        )
    return [getattr(sample, name) for name in FIELDS]


def _size_text(sample: Sample) -> str:
    """Width and height like 340x256, or nothing where they are not known."""
    size = sample.image_size
    if size is None:
        return ""
    if len(size) != 2 or not all(int(edge) == edge and 0 < edge <= LARGEST_EDGE for edge in size):
        raise ValueError(
            f"sample {sample.sample!r}: image_size must be width and height in whole pixels above "
            f"0, not {size}"
        )
    return f"{int(size[0])}x{int(size[1])}"


def _frames_text(sample: Sample) -> str:
    """The frames' numbers in the recording like 300-323, or nothing where they are 0 to T - 1."""
    if sample.frame_numbers is None:
        return ""
    numbers = np.asarray(sample.frame_numbers)
    rising = numbers.dtype.kind in "iu" and not (np.diff(numbers.astype(np.int64)) <= 0).any()
    if numbers.shape != (len(sample.frames),) or not rising or numbers.min(initial=0) < 0:
        raise ValueError(
            f"sample {sample.sample!r}: frame_numbers must be {len(sample.frames)} rising whole "
            "numbers from 0 on, one per frame"
        )
    return numbers_to_text(numbers.astype(np.int64))


def _fps_text(sample: Sample) -> str:
    """Frames a second, or nothing where the store's are its own."""
    if sample.fps is None:
        return ""
    if not SLOWEST_FPS <= sample.fps <= FASTEST_FPS:
        raise ValueError(f"sample {sample.sample!r}: fps must be 0.001 to 1e6, not {sample.fps}")
    return np.format_float_positional(sample.fps, trim="-")


def _npy_header(shape: list[int], dtype: str) -> bytes:
    """A .npy header for (F, M, V, C); NumPy pads it so that F may grow without moving the data."""
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": descr, "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def _check_free(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise ValueError(f"{path} already exists; remove it or set overwrite")
    if path.exists() and not (path / "store.json").is_file():
        raise ValueError(f"{path} is not a store; it is left as it is")
    if path.exists() and (foreign := sorted(set(os.listdir(path)) - set(_FILES))):
        raise ValueError(
            f"{path} holds {foreign[0]}, which is not part of a store, so it is not deleted: move "
            "it away, or choose another folder"
        )


def _neighbour(place: Path, kind: str) -> Path:
    return place.with_name(f".{place.name}.{kind}")


def _left(place: Path, kind: str) -> list[Path]:
    """The folders of a kind that killed processes left; older versions added a number."""
    form = re.compile(re.escape(_neighbour(place, kind).name) + r"(-\d+-[0-9a-f]{8})?")
    folder = place.parent
    names = os.listdir(folder) if folder.is_dir() else []
    return [folder / name for name in names if form.fullmatch(name)]


def _write(file: Path, text: str) -> None:
    with open(file, "wb", opener=private) as stream:
        stream.write(text.encode())


def _remove_store(folder: Path) -> None:
    """Remove a store's own files and, if there are no others, its folder."""
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
