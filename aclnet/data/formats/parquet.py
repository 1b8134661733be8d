"""Parquet: the one-file table of an exported store (`aclnet.data.export.parquet`), a row a sample.

Arrow ends its process over some damaged files: it is kept in a process with limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from aclnet.data.formats import Progress
from aclnet.data.sample import FIELDS, SCHEMA_VERSION, Sample, StoreInfo
from aclnet.foreign.text import check_regular
from aclnet.foreign.version import json_version, refuse_newer
from aclnet.skeleton import Layout, layout_from_dict

NATIVE = 48
"""Most of a sample may be zeros, which take hardly any room in the file."""
LIBRARY = "pyarrow.parquet"
_MAGIC = b"PAR1"
_ABOUT = b"aclnet"
_LONGEST_REASON = 200
_COLUMNS = ("sample", *FIELDS, "fps", "image_width", "image_height", "frame_numbers", "joints")


def recognises(path: Path) -> bool:
    """Whether it is a Parquet file."""
    if not (path.is_file() and path.suffix.lower() == ".parquet"):
        return False
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def read(
    path: Path, *, layout: Layout | None = None, progress: Progress | None = None
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read a file, one row at a time.

    Args:
        path: the file.
        layout: the joints; by default those of the store that was exported.
        progress: called with the number of the sample and their total.

    Raises:
        ValueError: it is not an export of a store, it is damaged, or pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as pq
    except ImportError:
        raise ValueError(f"{path}: is read by pyarrow: install aclnet[parquet]") from None
    check_regular(path)
    arrow.set_memory_pool(arrow.system_memory_pool())  # the others reserve more than they use
    try:
        file = pq.ParquetFile(path, pre_buffer=False)
        about = (file.schema_arrow.metadata or {}).get(_ABOUT)
    except Exception as error:  # Arrow has errors of its own beside Python's
        raise _unreadable(path, error) from None
    if about is None or not set(_COLUMNS) <= set(file.schema_arrow.names):
        raise ValueError(
            f"{path}: is not a store that was exported (`data export --to parquet`): it lacks the "
            f"description {_ABOUT.decode()!r} or a column of {', '.join(_COLUMNS)}"
        )
    info = _described(about, layout, path)
    total = file.metadata.num_rows

    def samples() -> Iterator[Sample]:
        for number, row in enumerate(_rows(file, path), 1):
            try:
                sample = _sample(row, info)
            except ValueError as error:
                raise ValueError(f"{path}: row {number}: {error}") from None
            if progress:
                progress(number, total)
            yield sample

    return info, samples()


def _rows(file: Any, path: Path) -> Iterator[Any]:
    try:
        yield from file.iter_batches(batch_size=1, columns=list(_COLUMNS), use_threads=False)
    except Exception as error:
        raise _unreadable(path, error) from None


def _described(about: bytes, layout: Layout | None, path: Path) -> StoreInfo:
    refuse_newer(path, json_version(about, "schema_version"), SCHEMA_VERSION)
    try:
        info = StoreInfo.model_validate_json(about)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:40]
        raise ValueError(
            f"{path}: its description: {where!r}: {first['msg'][:80]}; export the store again"
        ) from None
    own = layout_from_dict(info.layout, f"{path}: its description")
    if layout is not None and layout.joint_count != own.joint_count:
        raise ValueError(
            f"{path}: has {own.joint_count} joints, layout {layout.name} has {layout.joint_count}"
        )
    chosen = (layout or own).to_dict()
    return info.model_copy(update={"layout": chosen, "source": path.name, "name": path.stem})


def _sample(row: Any, info: StoreInfo) -> Sample:
    """The sample of a batch of one row."""
    texts = {name: row.column(name)[0].as_py() or "" for name in ("sample", *FIELDS)}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"{', '.join(('sample', *FIELDS))} must be text")
    frames = _frames(row.column("joints"), len(info.layout["joints"]), len(info.channels))
    numbers = np.array(row.column("frame_numbers")[0].as_py(), dtype=np.int64)
    if numbers.shape != frames.shape[:1]:
        raise ValueError(f"{numbers.size} frame_numbers for {len(frames)} frames")
    fps, *size = (row.column(name)[0].as_py() for name in ("fps", "image_width", "image_height"))
    own = None if None in size else (int(size[0]), int(size[1]))
    return Sample(
        **texts,
        frames=frames,
        frame_numbers=numbers,
        fps=None if fps == info.fps else fps,
        image_size=None if own == info.image_size else own,
    )


def _frames(nested: Any, joints: int, channels: int) -> npt.NDArray[np.float32]:
    """(T, M, V, C) of nested lists in which only T is free."""
    shape: list[int] = []
    for _ in "TMVC":
        lengths = np.unique(nested.value_lengths().to_numpy(zero_copy_only=False))
        if len(lengths) != 1 or nested.null_count or not lengths[0] > 0:
            raise ValueError("its joints are not frames of persons of joints of numbers")
        shape.append(int(lengths[0]))
        nested = nested.flatten()
    if shape[2:] != [joints, channels] or nested.null_count:
        raise ValueError(f"its joints have shape {tuple(shape)}, not (T, M, {joints}, {channels})")
    return np.array(nested.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(shape)


def _unreadable(path: Path, error: Exception) -> ValueError:
    why = " ".join(str(error).split())[:_LONGEST_REASON]
    return ValueError(f"{path}: not a readable Parquet file: {why}; export the store again")
