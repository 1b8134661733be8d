"""A store as files of another format: `export_store`.

An `.npz` or a Parquet file holds the whole store; the other formats are a folder with a file for
each recording, and what their files cannot hold (people, conditions, views) as a table of labels
beside it. `data convert` reads all of them back (docs/formats.md says with which options).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from aclnet.data.export import keypoint_csv, kinetics_json, npz, parquet, trc
from aclnet.data.export.recordings import write_recordings
from aclnet.data.formats import Progress
from aclnet.data.store import Store

Target = Literal["npz", "parquet", "csv", "trc", "kinetics"]

TARGETS: tuple[Target, ...] = get_args(Target)
_FILES: dict[str, Callable[[Store, Path, Progress | None], None]] = {
    "npz": npz.write_npz,
    "parquet": parquet.write_parquet,
}
_FOLDERS = {"csv": keypoint_csv.FORM, "trc": trc.FORM, "kinetics": kinetics_json.FORM}


def target_of(out: Path, wanted: Target | None = None) -> Target:
    """The format of an export: the one named, or that of the file's ending.

    Raises:
        ValueError: none is named, and the ending says none.

    >>> target_of(Path("walks.parquet")), target_of(Path("walks"), "trc")
    ('parquet', 'trc')
    """
    found: Target | None = wanted or next(
        (one for one in TARGETS if out.suffix.lower() == f".{one}"), None
    )
    if found is None:
        raise ValueError(f"{out}: give a name that ends in .npz, or a format: {', '.join(TARGETS)}")
    return found


def export_store(
    store: Store,
    out: str | Path,
    to: Target | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Write a store in another format; what is written appears whole, or not at all.

    Args:
        store: the store.
        out: the file, or the folder of a format with a file for each recording; of a single
            recording a file too.
        to: the format; by default by the file's ending.
        overwrite: replace a file that is there; a folder is never replaced.
        progress: called with the number of samples written and their total.

    Returns:
        The options with which `aclnet.data.formats.read` reads it back, as text by name.

    Raises:
        ValueError: the format cannot hold the store, the name has another ending, or something is
            there already.
    """
    place, target = Path(out), target_of(Path(out), to)
    if target in _FOLDERS:
        return write_recordings(store, place, _FOLDERS[target], overwrite, progress)
    if place.suffix.lower() != f".{target}":
        raise ValueError(f"{place}: the file's name must end in .{target}")
    if place.exists() and not overwrite:
        raise ValueError(f"{place} already exists; remove it or set --overwrite")
    _FILES[target](store, place, progress)
    return {}
