"""Opening a store: its three files are read and checked, each and against one another.

What is checked costs little, so that 50,000 samples open in a fraction of a second. The frames
themselves are only mapped: whether their numbers are finite is checked as they are read
(`aclnet.data.store`), and whether the content is still what was written by `aclnet.data.validate`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from aclnet.data.numbering import lists_frames
from aclnet.data.sample import (
    COLUMNS,
    FASTEST_FPS,
    FIELDS,
    FPS_COLUMN,
    FRAMES_COLUMN,
    OWN_COLUMNS,
    SCHEMA_VERSION,
    SIZE_COLUMN,
    SLOWEST_FPS,
    Frames,
    StoreInfo,
)
from aclnet.data.table import read_csv
from aclnet.foreign.version import refuse_newer
from aclnet.skeleton import layout_from_dict

INFO, INDEX, FRAMES = "store.json", "index.csv", "frames.npy"

_LARGEST = {INFO: 16 << 20, INDEX: 256 << 20}
"""Bytes of the files that are read as a whole: a million samples need 100 MB of index."""
_WHOLE = r"0|[1-9]\d{0,14}"
_SIZE = r"([1-9]\d{0,8}x[1-9]\d{0,8})?"
_FPS = r"(\d{1,9}(\.\d{1,20})?)?"
_DTYPES = ("<f4", "<f2")


def read_files(folder: Path) -> tuple[StoreInfo, pd.DataFrame, Frames]:
    """Read and check the description, the index and, mapped, the frames of a store.

    Raises:
        ValueError: the folder is not a store, is of a newer version, or is damaged; the message
            names the file, the row or sample, and the field.
    """
    if not (folder / INFO).is_file():
        raise ValueError(
            f"{folder} is not a store (no store.json); make one with `aclnet-task data convert`"
        )
    for name in (INDEX, FRAMES):
        if not (folder / name).is_file():
            _damaged(folder / name, "the file is missing")
    info = _read_info(folder / INFO)
    index = _read_index(folder / INDEX, info)
    return info, index, _map_frames(folder / FRAMES, info, int(index["length"].sum()))


def _damaged(place: Path | str, fault: str) -> NoReturn:
    raise ValueError(
        f"{place}: {fault}; the store was edited or damaged: make it again from the recordings "
        "with `aclnet-task data convert --overwrite`"
    ) from None


def _check_size(file: Path) -> None:
    size, most = file.stat().st_size, _LARGEST[file.name]
    if size > most:
        _damaged(file, f"{size:,} bytes, more than the {most:,} that a store's may have")


def _read_info(file: Path) -> StoreInfo:
    _check_size(file)
    try:
        data = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        _damaged(file, f"not JSON: {error}")
    version = data.get("schema_version") if isinstance(data, dict) else None
    refuse_newer(file, version, SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        _damaged(file, f"its schema_version is {repr(version)[:40]}")
    try:
        info = StoreInfo.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        _damaged(file, f"field {place}: {first['msg'].removeprefix('Value error, ')}")
    try:
        layout_from_dict(info.layout, "field layout")
    except (ValueError, RecursionError) as error:
        _damaged(file, str(error))
    return info


def _read_index(file: Path, info: StoreInfo) -> pd.DataFrame:
    _check_size(file)
    try:
        index = read_csv(file)
    except ValueError as error:
        _damaged(file, str(error).removeprefix(f"{file}: "))
    own = [name for name in OWN_COLUMNS if name in index]
    if tuple(index.columns) != (*COLUMNS, *own):
        _damaged(file, f"it has columns {', '.join(index.columns)}, not {', '.join(COLUMNS)}")
    if index.empty:
        _damaged(file, "there is no sample")
    check = _Rows(file, index)
    keys = index["sample"]
    check("sample", keys != "", "empty")
    check("sample", ~keys.duplicated(), "the key of an earlier row too")
    for name in ("sample", *FIELDS):
        check(name, _each(index[name], str.isprintable), "not plain text")
    if info.classes:  # the writer's rule: every sample then has one of them
        known = index["label"].isin(info.classes)
        check("label", known, f"not one of the {len(info.classes)} classes in {INFO}")
    for name in ("start", "length"):
        check(name, index[name].str.fullmatch(_WHOLE), "not a whole number from 0 on")
    index = index.astype({"start": np.int64, "length": np.int64})
    before = index["length"].cumsum() - index["length"]
    check("start", index["start"] == before, "not the number of frames in the rows before")
    if SIZE_COLUMN in index:
        check(SIZE_COLUMN, index[SIZE_COLUMN].str.fullmatch(_SIZE), "not like 340x256")
    if FRAMES_COLUMN in index:
        texts = zip(index[FRAMES_COLUMN].tolist(), index["length"].tolist(), strict=True)
        listed = np.array([not text or lists_frames(text, length) for text, length in texts])
        check(FRAMES_COLUMN, listed, "not as many rising frame numbers, like 300-323")
    if FPS_COLUMN in index:
        check(FPS_COLUMN, index[FPS_COLUMN].str.fullmatch(_FPS), "not like 29.97")
        rates = index[FPS_COLUMN].replace("", "1").astype(float)
        among = rates.between(SLOWEST_FPS, FASTEST_FPS)
        check(FPS_COLUMN, among, f"not from {SLOWEST_FPS:g} to {FASTEST_FPS:g}")
    return index


class _Rows:
    """Checks of the rows of an index, each of one column."""

    def __init__(self, file: Path, index: pd.DataFrame) -> None:
        self._file, self._index = file, index

    def __call__(self, column: str, good: npt.ArrayLike, otherwise: str) -> None:
        """Refuse the first row that is not good (N,) and say what its cell is instead."""
        bad = ~np.asarray(good, dtype=np.bool_)
        if bad.any():
            row = int(bad.argmax())
            cell, key = (str(self._index[name].iat[row])[:80] for name in (column, "sample"))
            sample = "" if column == "sample" else f" (sample {key!r})"
            _damaged(f"{self._file}: row {row + 1}{sample}", f"{column} {cell!r} is {otherwise}")


def _each(column: pd.Series[str], test: Any) -> npt.NDArray[np.bool_]:
    """Which texts of a column pass a test; every distinct one is tested once."""
    codes, texts = pd.factorize(column)
    return np.array([test(text) for text in texts], dtype=np.bool_)[codes]


def _map_frames(file: Path, info: StoreInfo, total: int) -> Frames:
    """The frames on disk (F, M, V, C), not read; F, V and C must be those of the other files."""
    shape, dtype, offset = _read_header(file)
    joints, channels = len(info.layout["joints"]), len(info.channels)
    if len(shape) != 4 or (shape[0], *shape[2:]) != (total, joints, channels):
        _damaged(
            file,
            f"it has shape {shape}, {INDEX} and {INFO} say ({total}, M, {joints}, {channels})",
        )
    if shape[1] < 1:
        _damaged(file, f"it has shape {shape}, so no person")
    size, expected = file.stat().st_size, offset + math.prod(shape) * dtype.itemsize
    if size != expected:
        _damaged(file, f"{size:,} bytes, but shape {shape} of {dtype} needs {expected:,}")
    # A plain view of the map: fancy indexing then makes ordinary arrays, not memmap objects.
    return np.asarray(np.memmap(file, dtype, "r", offset, shape))


def _read_header(file: Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and place of the numbers in an .npy of float32 or float16."""
    try:
        with file.open("rb") as stream:
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError("it is of another version of the .npy format")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            offset = stream.tell()
    except Exception as error:  # the header is a Python literal
        _damaged(file, f"not a readable .npy: {error}")
    if fortran or dtype.str not in _DTYPES:
        order = " in Fortran order" if fortran else ""
        _damaged(file, f"it holds {dtype}{order}, not float32 or float16")
    return shape, dtype, offset
