"""A store as one Parquet file, one row per sample, which `aclnet.data.formats.parquet` reads.

Any program that reads Parquet has it, as `datasets.load_dataset("parquet", data_files=...)` or
pandas. The columns: `sample` and the other fields as text (empty: not known), `fps` (null: not
known), `image_width`, `image_height` (likewise), `frame_numbers`, a list of T whole numbers, and
`joints`, lists of T frames of M persons of V joints of C numbers: `numpy.array(row["joints"])` is
(T, M, V, C). What they mean (layout, channels, unit) is the store's description, as JSON under the
key `aclnet` of the schema's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.formats import Progress, with_progress
from aclnet.data.sample import FIELDS, Sample
from aclnet.data.store import Store
from aclnet.files import whole_file

ABOUT = b"aclnet"
_NUMBERS = 4_000_000
"""About so many are written at once."""


def schema() -> Any:
    """The columns and their types.

    Raises:
        ValueError: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
    except ImportError:
        raise ValueError("Parquet needs pyarrow: install aclnet[parquet]") from None
    joints = arrow.float32()
    for _ in "TMVC":
        joints = arrow.list_(joints)
    return arrow.schema(
        [
            *((name, arrow.string()) for name in ("sample", *FIELDS)),
            ("fps", arrow.float64()),
            ("image_width", arrow.int64()),
            ("image_height", arrow.int64()),
            ("frame_numbers", arrow.list_(arrow.int64())),
            ("joints", joints),
        ]
    )


def write_parquet(store: Store, out: Path, progress: Progress | None = None) -> None:
    """Write a store as one file, whole or not at all.

    Raises:
        ValueError: pyarrow is not installed, or the store is damaged.
    """
    about = json.dumps(store.info.model_dump(mode="json", exclude={"fingerprint"}))
    columns = schema().with_metadata({ABOUT: about})
    import pyarrow.parquet as pq

    with whole_file(out) as draft, pq.ParquetWriter(draft, columns) as file:
        waiting: list[Sample] = []
        for sample in with_progress(store.samples(), len(store), progress):
            waiting.append(sample)
            if sum(one.frames.size for one in waiting) > _NUMBERS:
                file.write_table(_table(store, waiting, columns))
                waiting = []
        if waiting:
            file.write_table(_table(store, waiting, columns))


def _table(store: Store, samples: Sequence[Sample], columns: Any) -> Any:
    import pyarrow as arrow

    info = store.info
    sizes = [one.image_size or info.image_size or (None, None) for one in samples]
    rows: dict[str, Any] = {
        name: [getattr(one, name) for one in samples] for name in ("sample", *FIELDS)
    }
    rows["fps"] = [one.fps or info.fps for one in samples]
    rows["image_width"], rows["image_height"] = zip(*sizes, strict=True)
    rows["frame_numbers"] = [one.numbers for one in samples]
    rows["joints"] = _nested([one.frames for one in samples])
    return arrow.table(rows, schema=columns)


def _nested(frames: Sequence[npt.NDArray[Any]]) -> Any:
    """Lists of lists of arrays (T, M, V, C) that differ in T."""
    import pyarrow as arrow

    found = arrow.array(np.concatenate([one.ravel() for one in frames]).astype(np.float32))
    for size in frames[0].shape[:0:-1]:  # C, V, M
        ends = np.arange(0, len(found) + 1, size, dtype=np.int32)
        found = arrow.ListArray.from_arrays(ends, found)
    ends = np.cumsum([0, *(len(one) for one in frames)]).astype(np.int32)
    return arrow.ListArray.from_arrays(ends, found)
