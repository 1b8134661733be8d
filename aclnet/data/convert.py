"""From a file in some format to a store, with the joints in another layout if asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from aclnet.data.formats import Progress, read
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store, write_store
from aclnet.skeleton import Layout, layout_from_dict, load_layout, map_layout


def convert(
    source: str | Path,
    target: str | Path,
    *,
    format: str | None = None,
    layout: Layout | str | Path | None = None,
    map_to: Layout | str | Path | None = None,
    min_frames: int = 0,
    dtype: Literal["float32", "float16"] = "float32",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Store:
    """Write a store from a file or folder that one of the readers understands.

    Args:
        source: the file or folder.
        target: the store's folder.
        format: as `aclnet.data.formats.read`.
        layout: the joints of the source, where it does not say them.
        map_to: the layout that the store shall have; joints are found by name.
        min_frames: shorter sequences are left out and counted.
        dtype: of the stored frames.
        overwrite: replace a store that is already there.
        progress: told how far the reader is.
        **options: the format's own options.

    Raises:
        ValueError: the source, an option or the target is not what it should be; nothing is
            written then.
    """
    info, samples = read(
        source, format, layout=layout, min_frames=min_frames, progress=progress, **options
    )
    if map_to is not None:
        wanted = map_to if isinstance(map_to, Layout) else load_layout(map_to)
        info, samples = map_samples(info, samples, wanted)
    return write_store(target, samples, info, dtype, overwrite)


def map_samples(
    info: StoreInfo, samples: Iterator[Sample], target: Layout
) -> tuple[StoreInfo, Iterator[Sample]]:
    """The same samples with the joints of another layout, found by name.

    Raises:
        ValueError: the samples' layout lacks a joint of the target.
    """
    columns = map_layout(layout_from_dict(info.layout), target)
    settings = {**info.settings, "mapped_from": info.layout["name"]}
    # The copy shares `dropped` with the reader, which goes on counting there.
    mapped = info.model_copy(update={"layout": target.to_dict(), "settings": settings})
    return mapped, (replace(sample, frames=sample.frames[:, :, columns]) for sample in samples)
