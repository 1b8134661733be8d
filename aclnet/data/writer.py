"""Writing a store, sample by sample, so that it appears whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from aclnet.data.sample import COLUMNS, FIELDS, SIZE_COLUMN, Frames, Sample, StoreInfo
from aclnet.skeleton import layout_from_dict


class StoreWriter:
    """Writes a store sample by sample; the folder appears whole at the end, or not at all.

    Args:
        path: the folder to make.
        info: the description; its fingerprint is filled in, its `dropped` read at the end.
        dtype: "float32", or "float16" for half the size (pixels then to 1/4 above 256).
        overwrite: replace a store that is already there.

    Raises:
        ValueError: the folder exists (and is no store, or `overwrite` is not given), or the
            description's layout is not sound.
    """

    def __init__(
        self,
        path: str | Path,
        info: StoreInfo,
        dtype: Literal["float32", "float16"] = "float32",
        overwrite: bool = False,
    ) -> None:
        if dtype not in ("float32", "float16"):
            raise ValueError(f"a store's dtype is float32 or float16, not {dtype!r}")
        self.path = Path(path)
        self.info = info
        self._dtype = np.dtype(dtype)
        self._joints = layout_from_dict(info.layout, f"{path}: layout").joint_count
        self._overwrite = overwrite
        self._rows: list[tuple[str, ...]] = []
        self._sizes: list[str] = []
        self._classes = frozenset(info.classes)
        self._keys: set[str] = set()
        self._count = 0
        self._persons: int | None = None
        self._hash = hashlib.sha256()
        self._check_free()
        self._temporary = _beside(self.path, "new")

    def __enter__(self) -> StoreWriter:
        self._temporary.mkdir(parents=True)
        self._file = (self._temporary / "frames.npy").open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            _remove_store(self._temporary)

    def add(self, sample: Sample) -> None:
        """Append one sample.

        Raises:
            ValueError: the key is empty or already there, a field holds control characters, the
                label is not one of the description's classes, the image size is not two positive
                numbers, the shape does not fit, or a value is too large for the dtype.
        """
        frames = self._cast(sample)
        row = (sample.sample, *(getattr(sample, name) for name in FIELDS))
        for name, value in zip(("sample", *FIELDS), row, strict=True):
            if not isinstance(value, str) or not (value.isprintable() or value == ""):
                raise ValueError(f"sample {sample.sample!r}: {name} must be plain text: {value!r}")
        if not sample.sample or sample.sample in self._keys:
            raise ValueError(f"{self.path}: sample key {sample.sample!r} is empty or not unique")
        if self._classes and sample.label not in self._classes:
            raise ValueError(
                f"sample {sample.sample!r}: label {sample.label!r} is not one of the "
                f"{len(self._classes)} classes of {self.info.name} "
                f"({_shortened(self.info.classes)})"
            )
        size = _size_text(sample)
        if not self._rows:
            self._persons = frames.shape[1]
            self._file.write(self._header())
        content = frames.tobytes()
        self._hash.update(content)
        self._file.write(content)
        self._keys.add(sample.sample)
        self._sizes.append(size)
        self._rows.append((row[0], str(self._count), str(len(frames)), *row[1:]))
        self._count += len(frames)

    def _cast(self, sample: Sample) -> Frames:
        frames = np.asarray(sample.frames)
        wanted = ("T", self._persons or "M", self._joints, len(self.info.channels))
        fits = frames.ndim == 4 and all(
            isinstance(size, str) or size == there
            for size, there in zip(wanted, frames.shape, strict=False)
        )
        if not fits or frames.shape[1] == 0:
            raise ValueError(
                f"sample {sample.sample!r}: frames must be (T, M, V, C) = "
                f"({', '.join(map(str, wanted))}) for layout {self.info.layout['name']} and "
                f"channels {', '.join(self.info.channels)}, not {frames.shape}"
            )
        with np.errstate(over="ignore"):
            cast_frames = np.ascontiguousarray(frames, dtype=self._dtype)
        if np.any(np.isinf(cast_frames) & np.isfinite(frames)):
            raise ValueError(
                f"sample {sample.sample!r}: frames hold values too large for {self._dtype}; "
                "use float32 or another unit"
            )
        return cast_frames

    def _index(self) -> pd.DataFrame:
        index = pd.DataFrame(self._rows, columns=list(COLUMNS))
        # Only where there is something to say: the other stores keep their bytes and fingerprints.
        return index.assign(**{SIZE_COLUMN: self._sizes}) if any(self._sizes) else index

    def _header(self) -> bytes:
        return _npy_header((self._count, self._persons or 1, self._joints), self)

    def _check_free(self) -> None:
        if not self.path.exists():
            return
        if not self._overwrite:
            raise ValueError(f"{self.path} exists already; remove it or ask to overwrite it")
        if not (self.path / "store.json").is_file():
            raise ValueError(f"{self.path} is not a store; it is left as it is")

    def _finish(self) -> None:
        if not self._rows:
            raise ValueError(
                f"{self.path}: there is no sample to write"
                + (f" (dropped: {dict(self.info.dropped)})" if self.info.dropped else "")
            )
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()
        index = self._index().to_csv(index=False, lineterminator="\n")
        self._hash.update(index.encode())
        (self._temporary / "index.csv").write_bytes(index.encode())
        info = self.info.model_copy(update={"fingerprint": self._hash.hexdigest()})
        text = json.dumps(info.model_dump(mode="json"), indent=1, ensure_ascii=False)
        (self._temporary / "store.json").write_text(text + "\n", "utf-8")
        self._check_free()
        if self.path.exists():
            old = _beside(self.path, "old")
            os.replace(self.path, old)
            os.replace(self._temporary, self.path)
            _remove_store(old)
        else:
            os.replace(self._temporary, self.path)


def _npy_header(shape: tuple[int, int, int], writer: StoreWriter) -> bytes:
    """A .npy header for (F, M, V, C); NumPy pads it so that F may grow without moving the data."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer,
        {
            "descr": np.lib.format.dtype_to_descr(writer._dtype),
            "fortran_order": False,
            "shape": (*shape, len(writer.info.channels)),
        },
    )
    return buffer.getvalue()


def _size_text(sample: Sample) -> str:
    """Width and height like 340x256, or nothing where they are not known."""
    size = sample.image_size
    if size is None:
        return ""
    if len(size) != 2 or not all(int(edge) == edge and edge > 0 for edge in size):
        raise ValueError(
            f"sample {sample.sample!r}: image_size must be width and height in whole pixels above "
            f"0, not {size}"
        )
    return f"{int(size[0])}x{int(size[1])}"


def _shortened(names: tuple[str, ...]) -> str:
    return ", ".join(names if len(names) <= 6 else (*names[:5], "..."))


def _beside(path: Path, kind: str) -> Path:
    return path.parent / f".{path.name}.{kind}-{os.getpid()}-{os.urandom(4).hex()}"


def _remove_store(folder: Path) -> None:
    for name in ("frames.npy", "index.csv", "store.json"):
        (folder / name).unlink(missing_ok=True)
    if folder.exists():
        folder.rmdir()
