"""The one sample format: a folder of memory-mapped frames, an index table and a description.

```
store/
  store.json   StoreInfo: layout, channels, unit, source, counts of what the reader dropped
  frames.npy   (F, M, V, C) float32 or float16: the frames of all samples, one after another
  index.csv    one row per sample: sample, start, length, identity, label, condition, view, take,
               camera, split, and where samples have their own: image_size, frames, fps
```

Metadata are text, so that view "018" stays "018"; an unknown field is empty. A sample of T frames
is `frames[start : start + length]`, axes (T, M, V, C). An image size is text like "340x256", width
and height in pixels. `frames` are the numbers of the sample's frames in the recording as it was
filmed, text like "300-323" (`aclnet.data.numbering`), empty where they are 0 to T - 1; `fps` are
that recording's frames per second, empty where they are those of the description.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from aclnet.data.numbering import numbers_to_text, text_to_numbers
from aclnet.data.opening import read_files
from aclnet.data.sample import (
    FIELDS,
    FPS_COLUMN,
    FRAMES_COLUMN,
    OWN_COLUMNS,
    SIZE_COLUMN,
    Frames,
    Sample,
    StoreInfo,
)
from aclnet.data.writer import bring_back, write_files
from aclnet.skeleton import Layout, layout_from_dict

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]


class Store:
    """Samples behind one interface: an index table over shared, usually memory-mapped frames.

    Args:
        info: the description.
        index: one row per sample with the columns `COLUMNS` and any of `OWN_COLUMNS`.
        frames: (F, M, V, C).
        path: the folder, if the store lies in one.
    """

    def __init__(
        self, info: StoreInfo, index: pd.DataFrame, frames: Frames, path: Path | None = None
    ) -> None:
        self.info = info
        self.frames = frames
        self.path = path
        self.layout: Layout = layout_from_dict(info.layout, f"{path or info.name}: layout")
        self._set_index(index)

    def _set_index(self, index: pd.DataFrame) -> None:
        self.index = index.reset_index(drop=True)
        self.starts: IndexArray = self.index["start"].to_numpy(np.int64)
        self.lengths: IndexArray = self.index["length"].to_numpy(np.int64)

    def _with_index(self, index: pd.DataFrame) -> Store:
        """Other samples over the same frames."""
        other = copy(self)
        other._set_index(index)
        return other

    def __len__(self) -> int:
        return len(self.index)

    def clip(self, i: int) -> FloatArray:
        """All frames of sample i: float32 (T, M, V, C), a copy.

        Raises:
            ValueError: there is no sample i, or it has values that are not finite.
        """
        if not 0 <= i < len(self):
            raise ValueError(f"{self._where}: no sample {i}, there are {len(self)}")
        start = int(self.starts[i])
        clip = np.array(self.frames[start : start + int(self.lengths[i])], dtype=np.float32)
        self._check_finite(clip[None], np.array([i]))
        return clip

    def sample(self, i: int) -> Sample:
        """Sample i with all its fields; frames as `clip`.

        Raises:
            ValueError: there is no sample i, or its values or frame numbers are damaged.
        """
        clip = self.clip(i)
        row = {name: column[i] for name, column in self._columns.items()}
        width, _, height = row.get(SIZE_COLUMN, "").partition("x")
        return Sample(
            row["sample"],
            clip,
            **{name: row[name] for name in FIELDS},
            image_size=(int(width), int(height)) if height else None,
            frame_numbers=self.frame_numbers(i) if row.get(FRAMES_COLUMN, "") else None,
            fps=float(row[FPS_COLUMN]) if row.get(FPS_COLUMN, "") else None,
        )

    def frame_numbers(self, i: int) -> IndexArray:
        """The number of each frame of sample i in its recording: int64 (T,), rising.

        Raises:
            ValueError: the index has numbers that do not fit the sample.
        """
        text = str(self.index[FRAMES_COLUMN].iat[i]) if FRAMES_COLUMN in self.index else ""
        try:
            return text_to_numbers(text, int(self.lengths[i]))
        except ValueError as error:
            name = self.index["sample"].iat[i]
            raise ValueError(f"{self._where}: sample {name!r}: {error}") from None

    @property
    def first_numbers(self) -> IndexArray:
        """The number of each sample's first frame in its recording: int64 (N,)."""
        texts = self.index.get(FRAMES_COLUMN, [""] * len(self))
        firsts = [int(text.split(" ", 1)[0].split("-", 1)[0] or 0) for text in texts]
        return np.array(firsts, dtype=np.int64)

    def fps(self, i: int) -> float | None:
        """Frames a second of the recording of sample i; None where it is not known."""
        own = str(self.index[FPS_COLUMN].iat[i]) if FPS_COLUMN in self.index else ""
        return float(own) if own else self.info.fps

    def cut(self, rows: npt.ArrayLike, first: npt.ArrayLike, lengths: npt.ArrayLike) -> Store:
        """Parts of samples as samples, sharing the frames; the frames keep their numbers.

        Args:
            rows: (W,) the sample of each part.
            first: (W,) its first frame within that sample.
            lengths: (W,) its frames.

        Returns:
            A store of W samples, each with the fields of its sample.

        Raises:
            ValueError: a row is out of range.
        """
        owner, begin = np.asarray(rows, dtype=np.int64), np.asarray(first, dtype=np.int64)
        count = np.asarray(lengths, dtype=np.int64)
        _check_range(owner, len(self), f"{self._where}: row")
        index = self.index.iloc[owner].reset_index(drop=True)
        index["start"], index["length"] = self.starts[owner] + begin, count
        numbers = {row: self.frame_numbers(row) for row in np.unique(owner).tolist()}
        parts = zip(owner.tolist(), begin.tolist(), (begin + count).tolist(), strict=True)
        index[FRAMES_COLUMN] = [numbers_to_text(numbers[row][a:b]) for row, a, b in parts]
        return self._with_index(index)

    def samples(self) -> Iterator[Sample]:
        """The N samples one by one, as a reader yields them."""
        return map(self.sample, range(len(self)))

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
        return self._with_index(self.index.iloc[chosen])

    def gather(self, rows: npt.ArrayLike, frame_index: npt.ArrayLike) -> FloatArray:
        """Clips of equal length from many samples in one indexing step.

        Args:
            rows: (N,) row numbers.
            frame_index: (N, T) frame numbers within each sample, 0-based, in any order.

        Returns:
            float32 (N, M, T, V, C).

        Raises:
            ValueError: a row or a frame number is out of range, the shapes do not fit, or values
                are not finite.
        """
        row = np.asarray(rows, dtype=np.int64)
        frame = np.asarray(frame_index, dtype=np.int64)
        if row.ndim != 1 or frame.ndim != 2 or len(frame) != len(row):
            raise ValueError(
                f"gather needs rows (N,) and frame_index (N, T), got {row.shape}, {frame.shape}"
            )
        _check_range(row, len(self), f"{self._where}: row")
        _check_range(frame, self.lengths[row][:, None], f"{self._where}: frame number")
        count, persons, joints, channels = self.frames.shape
        # Persons as rows of their own: each is copied to its place at once.
        place = (self.starts[row][:, None, None] + frame[:, None]) * persons
        place = place + np.arange(persons)[:, None]
        people = self.frames.reshape(count * persons, joints * channels)
        gathered = np.asarray(people.take(place, axis=0), dtype=np.float32)
        gathered = gathered.reshape(*place.shape, joints, channels)
        self._check_finite(gathered, row)
        return gathered

    def _check_finite(self, clips: FloatArray, rows: IndexArray) -> None:
        """Refuse clips (N, ...) of these rows (N,) with NaN or infinite values."""
        flat = clips.ravel()
        # One pass without a copy; what is not finite, or large, makes it infinite or NaN.
        if math.isfinite(np.vdot(flat, flat)):
            return
        bad = ~np.isfinite(clips.reshape(len(clips), -1)).all(axis=1)
        if bad.any():
            name = self.index["sample"].iat[int(rows[bad.argmax()])]
            raise ValueError(
                f"{self._where}: sample {name!r} has values that are NaN or infinite; "
                "`aclnet-task data validate` lists them all: mend the recordings and convert again"
            )

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

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        """The texts of the index as lists: a row of a table takes twenty times a clip's time."""
        names = ("sample", *FIELDS, *(name for name in OWN_COLUMNS if name in self.index))
        return {name: self.index[name].tolist() for name in names}

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
        ValueError: the folder exists (and `overwrite` is not set, or it is not a store, or holds
            other files too), another process is writing it, the layout is malformed, or there is no
            sample; a sample's key is empty or not unique, a field holds control characters, the
            label is not one of the description's classes, the image size is not two positive
            numbers, the shape does not fit, or a value is too large for the dtype. Nothing is left
            behind.
        OSError: it cannot be written, as on a full disk. Nothing is left behind.
    """
    write_files(Path(path), samples, info, dtype, overwrite)
    return open_store(path)


def open_store(path: str | Path) -> Store:
    """Open a store; frames stay on disk.

    Everything but the frames' values is checked (`aclnet.data.opening`). Whether those are finite
    is checked as they are read, and that the files are what was written by
    `aclnet.data.validate.validate`.

    Raises:
        ValueError: the folder is not a store, is of a newer version, or its files are damaged or
            contradict each other.
    """
    folder = Path(path)
    bring_back(folder)
    return Store(*read_files(folder), folder)


def file_fingerprint(path: str | Path) -> str:
    """The SHA-256 of a store's frames and index as they are on disk."""
    folder = Path(path)
    offset = np.load(folder / "frames.npy", mmap_mode="r", allow_pickle=False).offset
    with (folder / "frames.npy").open("rb") as file:
        file.seek(offset)
        digest = hashlib.file_digest(file, "sha256")
    digest.update((folder / "index.csv").read_bytes())
    return digest.hexdigest()


def _check_range(values: IndexArray, limit: IndexArray | int, what: str) -> None:
    bad = (values < 0) | (values >= limit)
    if bad.any():
        value = int(values[bad][0])
        end = int(np.broadcast_to(limit, values.shape)[bad][0])
        raise ValueError(f"{what} {value} is not in 0..{end - 1}")
