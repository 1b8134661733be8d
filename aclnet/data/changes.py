"""Whether a store is still what was converted: its content, compared cheaply where possible."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from aclnet.data.store import Store, file_fingerprint

Stamps = Mapping[str, tuple[int, int]]
"""Size in bytes and time of the last change in nanoseconds, by file name."""


def stamps(store: Store) -> Stamps:
    """The stamps of the files that hold a store's content; none of a store in memory."""
    if store.path is None:
        return {}
    found = ((name, (store.path / name).stat()) for name in ("frames.npy", "index.csv"))
    return {name: (about.st_size, about.st_mtime_ns) for name, about in found}


def content_fingerprint(store: Store, known: Stamps | None = None) -> str:
    """The fingerprint of a store's content as it is now; `store.info` has that of the conversion.

    Args:
        store: the store.
        known: stamps of the files when they were as `store.info` says; the files are read only if
            theirs differ.
    """
    now = stamps(store)
    if store.path is None or now == known:
        return store.info.fingerprint
    return _of_files(store.path.resolve(), tuple(sorted(now.items())))


@lru_cache(maxsize=64)
def _of_files(path: Path, _stamps: tuple[tuple[str, tuple[int, int]], ...]) -> str:
    return file_fingerprint(path)
