"""What `data show` looks at: a store or any recordings; files of moving skeletons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aclnet.data.formats import read
from aclnet.data.numbering import numbers_to_text
from aclnet.data.sample import FIELDS, FPS_COLUMN, FRAMES_COLUMN
from aclnet.data.show.moving import MovingClip, MovingGroup, write_page
from aclnet.data.show.viewer import write_recording
from aclnet.data.store import Store, open_store
from aclnet.runs.reading import is_store
from aclnet.runs.windows import window_store

_CLIPS = 12
"""Samples on a page, if none is named."""

MOVING = (".html", ".rrd")
"""Endings of files with moving skeletons."""


def open_shown(path: Path) -> Store:
    """Open a store, or read recordings in another format, a file or a folder, into memory.

    Raises:
        ValueError: it is neither, or it has no samples.
    """
    if is_store(path) or not path.exists():
        return open_store(path)
    info, found = read(path)
    samples = list(found)
    if not samples:
        raise ValueError(f"{path} has no samples")
    store = window_store([sample.frames for sample in samples], info)
    index = store.index
    for name in ("sample", *FIELDS):
        index[name] = [getattr(sample, name) for sample in samples]
    index[FRAMES_COLUMN] = [numbers_to_text(sample.numbers) for sample in samples]
    index[FPS_COLUMN] = ["" if sample.fps is None else str(sample.fps) for sample in samples]
    return Store(info, index, store.frames)


def write_moving(out: Path, title: str, groups: Sequence[MovingGroup]) -> Path:
    """Write moving skeletons: a page, .html, or a recording for rerun's viewer, .rrd.

    Raises:
        ValueError: as `write_page` and `write_recording`.
    """
    write = write_recording if out.suffix.lower() == ".rrd" else write_page
    return write(out, title, groups)


def write_clips(store: Store, rows: Sequence[int] | None, out: Path) -> None:
    """Write samples as moving skeletons, with what is known of each.

    Args:
        store: the samples.
        rows: which of them; None: the first dozen.
        out: the page or recording.

    Raises:
        ValueError: as `write_moving`.
    """
    chosen = range(min(len(store), _CLIPS)) if rows is None else rows
    title = store.info.name + (" (synthetic)" if store.info.synthetic else "")
    write_moving(out, title, [MovingGroup("", [moving_clip(store, row) for row in chosen])])


def moving_clip(store: Store, row: int) -> MovingClip:
    """A sample as a clip of a page."""
    about = store.index.iloc[row]
    # A person is often the label as well, and a camera the view.
    twice = {"label": "identity", "camera": "view"}
    told = [name for name in FIELDS if about[name] and about[name] != about.get(twice.get(name))]
    words = tuple(f"{name}: {about[name]}" for name in told)
    return MovingClip(
        store.clip(row),
        store.info.model_copy(update={"fps": store.fps(row)}),
        str(about["sample"]),
        words=words,
        numbers=store.frame_numbers(row),
    )
