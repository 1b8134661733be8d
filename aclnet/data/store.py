"""The one sample format: a folder of memory-mapped frames, an index table and a description.

```
store/
  store.json   StoreInfo: layout, channels, unit, source, counts of what the reader dropped
  frames.npy   (F, M, V, C) float32 or float16: the frames of all samples, one after another
  index.csv    one row a sample: sample, start, length, identity, label, condition, view, take,
               camera, split, and image_size if the videos' sizes differ
```

Metadata are text, so that view "018" stays "018"; an unknown field is empty. A sample of T frames
is `frames[start : start + length]`, axes (T, M, V, C). An image size is text like "340x256", width
and height in pixels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from aclnet.data.sample import (
    COLUMNS,
    FIELDS,
    SCHEMA_VERSION,
    SIZE_COLUMN,
    Frames,
    Sample,
    StoreInfo,
)
from aclnet.data.writer import write_files
from aclnet.skeleton import Layout, layout_from_dict

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]


class Store:
    """Samples behind one interface: an index table over shared, usually memory-mapped frames.

    Args:
        info: the description.
        index: one row a sample with the columns `COLUMNS` and optionally `image_size`.
        frames: (F, M, V, C).
        path: the folder, if the store lies in one.
    """

    def __init__(
        self, info: StoreInfo, index: pd.DataFrame, frames: Frames, path: Path | None = None
    ) -> None:
        self.info = info
        self.index = index.reset_index(drop=True)
        self.frames = frames
        self.path = path
        self.layout: Layout = layout_from_dict(info.layout, f"{path or info.name}: layout")
        self.starts: IndexArray = self.index["start"].to_numpy(np.int64)
        self.lengths: IndexArray = self.index["length"].to_numpy(np.int64)

    def __len__(self) -> int:
        return len(self.index)

    def clip(self, i: int) -> FloatArray:
        """All frames of sample i: float32 (T, M, V, C), a copy.

        Raises:
            ValueError: there is no sample i.
        """
        if not 0 <= i < len(self):
            raise ValueError(f"{self._where}: no sample {i}, there are {len(self)}")
        start = int(self.starts[i])
        return np.array(self.frames[start : start + int(self.lengths[i])], dtype=np.float32)

    def samples(self) -> Iterator[Sample]:
        """The N samples one by one, as a reader yields them."""
        names = ("sample", *FIELDS)
        columns = {name: self.index[name].tolist() for name in names}
        sizes = self.index[SIZE_COLUMN].tolist() if SIZE_COLUMN in self.index else [""] * len(self)
        for row in range(len(self)):
            fields: dict[str, Any] = {name: str(values[row]) for name, values in columns.items()}
            width, _, height = sizes[row].partition("x")
            size = (int(width), int(height)) if width else None
            yield Sample(frames=self.clip(row), image_size=size, **fields)

    def select(self, rows: npt.ArrayLike) -> Store:
        """The samples of a boolean mask (N,) or of row numbers, sharing the frames.

        Raises:
            ValueError: the mask has another length, or a row number is out of range.
        """
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise ValueError(
                    f"{self._where}: a mask of shape {chosen.shape} for {len(self)} samples"
                )
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64)
        _check_range(chosen, len(self), f"{self._where}: row")
        return Store(self.info, self.index.iloc[chosen], self.frames, self.path)

    def gather(self, rows: npt.ArrayLike, frame_index: npt.ArrayLike) -> FloatArray:
        """Clips of equal length from many samples in one indexing step.

        Args:
            rows: (N,) row numbers.
            frame_index: (N, T) frame numbers within each sample, 0-based, in any order.

        Returns:
            float32 (N, M, T, V, C).

        Raises:
            ValueError: a row or a frame number is out of range, or the shapes do not fit.
        """
        row = np.asarray(rows, dtype=np.int64)
        frame = np.asarray(frame_index, dtype=np.int64)
        if row.ndim != 1 or frame.ndim != 2 or len(frame) != len(row):
            raise ValueError(
                f"gather needs rows (N,) and frame_index (N, T), got {row.shape}, {frame.shape}"
            )
        _check_range(row, len(self), f"{self._where}: row")
        _check_range(frame, self.lengths[row][:, None], f"{self._where}: frame number")
        clips = self.frames[self.starts[row][:, None] + frame]
        return np.ascontiguousarray(clips.transpose(0, 2, 1, 3, 4), dtype=np.float32)

    @property
    def image_width(self) -> FloatArray:
        """The width of each sample's video in pixels: float32 (N,), NaN where it is not known.

        A sample without a size of its own has that of the store's description.
        """
        whole = self.info.image_size[0] if self.info.image_size else np.nan
        if SIZE_COLUMN not in self.index:
            return np.full(len(self), whole, dtype=np.float32)
        widths = [float(size.partition("x")[0] or whole) for size in self.index[SIZE_COLUMN]]
        return np.array(widths, dtype=np.float32)

    @property
    def _where(self) -> str:
        return str(self.path or self.info.name)


def write_store(
    path: str | Path,
    samples: Iterable[Sample],
    info: StoreInfo,
    dtype: Literal["float32", "float16"] = "float32",
    overwrite: bool = False,
) -> Store:
    """Write samples as they come and open the store; its folder appears whole, or not at all.

    Args:
        path: the folder to make.
        samples: frames (T, M, V, C) of one M.
        info: the description; the fingerprint is filled in, `dropped` read after the last sample.
        dtype: "float32", or "float16" for half the size (pixels then to 1/4 above 256).
        overwrite: replace an existing store.

    Raises:
        ValueError: the folder exists (and `overwrite` is not set, or it is no store), the layout is
            malformed, or there is no sample; a sample's key is empty or not unique, a field holds
            control characters, the label is not one of the description's classes, the image size
            is not two positive numbers, the shape does not fit, or a value is too large for the
            dtype. Nothing is left behind.
    """
    write_files(Path(path), samples, info, dtype, overwrite)
    return open_store(path)


def open_store(path: str | Path) -> Store:
    """Open a store; frames stay on disk. Sizes are checked, the fingerprint is not (`validate`).

    Raises:
        ValueError: the folder is no store, has another schema version, or its files contradict each
            other.
    """
    folder = Path(path)
    if not (folder / "store.json").is_file():
        raise ValueError(
            f"{folder} is not a store (no store.json); make one with `aclnet-task data convert`"
        )
    info = _read_info(folder / "store.json")
    try:
        frames = np.load(folder / "frames.npy", mmap_mode="r", allow_pickle=False)
        index = _read_index(folder / "index.csv")
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is damaged: {error}; convert the data again") from None
    total = int(index["length"].sum())
    store_layout = layout_from_dict(info.layout, f"{folder / 'store.json'}: layout")
    expected = (total, store_layout.joint_count, len(info.channels))
    if frames.ndim != 4 or (frames.shape[0], *frames.shape[2:]) != expected:
        raise ValueError(
            f"{folder} is damaged: frames.npy has shape {frames.shape}, index.csv and store.json "
            f"say ({total}, M, {expected[1]}, {expected[2]}); convert the data again"
        )
    # A plain view of the map: fancy indexing then makes ordinary arrays, not memmap objects.
    return Store(info, index, np.asarray(frames), folder)


def file_fingerprint(path: str | Path) -> str:
    """The SHA-256 of a store's frames and index as they are on disk."""
    folder = Path(path)
    offset = np.load(folder / "frames.npy", mmap_mode="r", allow_pickle=False).offset
    with (folder / "frames.npy").open("rb") as file:
        file.seek(offset)
        digest = hashlib.file_digest(file, "sha256")
    digest.update((folder / "index.csv").read_bytes())
    return digest.hexdigest()


def _read_info(path: Path) -> StoreInfo:
    try:
        data = json.loads(path.read_text("utf-8"))
        version = data.get("schema_version") if isinstance(data, dict) else None
        if version != SCHEMA_VERSION:
            raise ValueError(
                f"{path}: schema version {version}, this program reads version {SCHEMA_VERSION}; "
                "convert the data again"
            )
        return StoreInfo.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path}: field {place}: {first['msg']}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from None


def _read_index(path: Path) -> pd.DataFrame:
    index = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    if tuple(index.columns) not in (COLUMNS, (*COLUMNS, SIZE_COLUMN)):
        raise ValueError(f"{path.name} has columns {', '.join(index.columns)}")
    if SIZE_COLUMN in index and not index[SIZE_COLUMN].str.fullmatch(r"([1-9]\d*x[1-9]\d*)?").all():
        raise ValueError(f"{path.name} has an {SIZE_COLUMN} that is not like 340x256")
    return index.astype({"start": np.int64, "length": np.int64})


def _check_range(values: IndexArray, limit: IndexArray | int, what: str) -> None:
    bad = (values < 0) | (values >= limit)
    if bad.any():
        value = int(values[bad][0])
        end = int(np.broadcast_to(limit, values.shape)[bad][0])
        raise ValueError(f"{what} {value} is not in 0..{end - 1}")
