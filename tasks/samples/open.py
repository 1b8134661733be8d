"""Opens a run's data as a store, converted or generated on first use."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aclnet.data.gaps import to_be_filled
from aclnet.data.left_out import notes_in_words
from aclnet.data.resample import to_be_resampled
from aclnet.data.sample import StoreInfo
from aclnet.data.settings import DataSettings
from aclnet.data.store import Store, open_store, write_store
from aclnet.data.walkers.settings import WALKERS_VERSION
from aclnet.data.writer import bring_back, store_lock
from aclnet.files import Busy, wait_until_free
from aclnet.progress import Progress, counting, with_progress
from aclnet.skeleton import Layout, load_layout
from aclnet.skeleton.library import layout_file
from tasks.spec import Report, silent

_READERS_VERSION = 2
"""Raised when a reader's mistake is mended, so that what it made in a cache is not used unsaid."""


def open_data(
    settings: DataSettings, cache: Path, report: Report = silent, joints: Layout | None = None
) -> Store:
    """Open the data set.

    A store is opened in place. Any other file or folder is converted once into a store in `cache`
    and found there again until its name, size or modification time changes. Without a path the
    walkers are generated, once for each of their settings. If several processes need the same
    store at once, one makes it, and the others say so, wait for it and use it.

    Args:
        settings: the data to open.
        cache: folder for the stores made here.
        report: called before long work, and with the reader's notes.
        joints: of a trained network; data with the same ones in another order are copied in it.

    Raises:
        ValueError: there is nothing at the path, it cannot be read, it is a store with other joints
            than `map_to`, or there is no path and the source is not the walkers.
    """
    store = _opened(settings, cache, report)
    for note in notes_in_words(store.info.notes):
        report(f"{store.info.name}: {note}")
    return store if joints is None else _in_order(store, joints, cache, report)


def _opened(settings: DataSettings, cache: Path, report: Report) -> Store:
    require_data(settings, "the recipe")
    if settings.path is None:
        return _fitted(_walkers(settings, cache, report), settings, cache, report)
    path = settings.path
    bring_back(path)
    if not path.exists():
        raise ValueError(
            f"there is no file or folder {path}: correct the path (--data, or data.path in the "
            "settings)"
        )
    if (path / "store.json").is_file():
        store = _checked(open_store(path), settings, cache, report)
        return _fitted(store, settings, cache, report)
    identity = _identity(path, settings)
    former, target = (
        cache / f"{path.resolve().stem}-{_digest({**identity, **version})}"
        for version in ({}, {"readers": _READERS_VERSION})
    )
    if (former / "store.json").is_file() and not (target / "store.json").is_file():
        # Runs that were trained on it are resumed with it.
        report(
            f"{former} was converted by an older version, which read some files otherwise: delete "
            f"it to convert {path} again"
        )
        target = former
    options: dict[str, Any] = dict(settings.options)

    def make(progress: Progress | None) -> None:
        from aclnet.data.convert import convert

        try:
            # Resolved, so that data in the folder "." have a name too.
            convert(
                path.resolve(),
                target,
                format=settings.format,
                layout=settings.layout,
                map_to=settings.map_to,
                prepare=settings.prepare,
                fill_gaps=settings.fill_gaps,
                resample_fps=settings.resample_fps,
                upsample=settings.upsample,
                where=settings.keep,
                progress=progress,
                **options,
            )
        except ValueError as error:
            # An option of the recipe that was made for other data.
            words = {word for item in options.items() for word in map(str, item)}
            if words.isdisjoint(re.findall(r"[^\s'\"]+", str(error))):
                raise
            raise ValueError(
                f"{error}; the settings read it with data.options={options}: change one with -s "
                "data.options.NAME=VALUE, or clear them with -s data.options=null"
            ) from None

    return _made_once(target, make, f"converting {path} into {target}", report)


def _fitted(store: Store, settings: DataSettings, cache: Path, report: Report) -> Store:
    """A store's samples that the settings name, with gaps and frame rate as they say."""
    return _in_time(_kept(store, settings, cache, report), settings, cache, report)


def require_data(settings: DataSettings, recipe: str) -> None:
    """Check that a recipe for real data names its data, rather than generate walkers.

    Args:
        settings: the data to open.
        recipe: the recipe's name in the message.

    Raises:
        ValueError: the source is `file`, and there is no path.
    """
    if settings.source == "file" and settings.path is None:
        raise ValueError(
            f"{recipe} needs data: give it with --data FILE (a store, or a file or folder that "
            "`aclnet-task data convert` reads)"
        )


def without_short(store: Store, min_frames: int, report: Report = silent) -> Store:
    """Drop short sequences.

    Args:
        store: N sequences.
        min_frames: minimum number of frames.
        report: called with the number of dropped sequences, if any.

    Raises:
        ValueError: no sequence is long enough.
    """
    long_enough = store.lengths >= min_frames
    short = int((~long_enough).sum())
    if short:
        report(f"dropping {short} of {len(store)} sequences with fewer than {min_frames} frames")
    if not long_enough.any():
        raise ValueError(
            f"data set {store.info.name}: none of its {len(store)} sequences has the {min_frames} "
            f"frames of data.min_frames; the longest has {store.lengths.max(initial=0)}"
        )
    return store.select(long_enough)


def dropped_counts(info: StoreInfo) -> dict[str, int]:
    """What a reader dropped, as counts of a record: `dropped_<reason>`."""
    return {f"dropped_{'_'.join(why.split())}": count for why, count in info.dropped.items()}


def _walkers(settings: DataSettings, cache: Path, report: Report) -> Store:
    walkers = settings.walkers
    made_by = {"version": WALKERS_VERSION, **walkers.model_dump(mode="json")}
    target = cache / f"walkers-{_digest(made_by)}"

    def make(progress: Progress | None) -> None:
        from aclnet.data.walkers.dataset import write_walkers

        write_walkers(target, walkers, progress=progress)

    count = f"{walkers.recordings} sequences"
    what = f"generating {walkers.identities} walkers ({count}) into {target}"
    return _made_once(target, make, what, report)


def _made_once(
    target: Path, make: Callable[[Progress | None], object], message: str, report: Report
) -> Store:
    """The store at `target`, made here or by another process that is making it already."""
    while not (target / "store.json").is_file():
        wait_until_free(store_lock(target), report, target)
        if (target / "store.json").is_file():
            break
        report(message)
        try:
            with counting(report, message.split(maxsplit=1)[0]) as progress:
                make(progress)
        except Busy:
            continue  # both started at once
        except (ValueError, OSError):
            # Another process may have been faster, so that the target existed already.
            if not (target / "store.json").is_file():
                raise
    try:
        return open_store(target)
    except ValueError as error:
        raise ValueError(f"{error}; or delete {target}, which is then made again") from None


def _in_order(store: Store, wanted: Layout, cache: Path, report: Report) -> Store:
    """The store, or a copy in the cache if only the order or spelling of its joints differs."""
    from aclnet.data.convert import in_joint_order

    info, samples = in_joint_order(store.info, store.samples(), wanted)
    if info is store.info:
        return store
    made_by: dict[str, object] = {"fingerprint": info.fingerprint, "layout": wanted.to_dict()}
    name = info.name if store.path is None else store.path.resolve().name
    target = cache / f"{name}-{_digest(made_by)}"
    message = f"bringing the joints of {name} into the order of {wanted.name}, in {target}"

    def make(progress: Progress | None) -> None:
        write_store(target, with_progress(samples, len(store), progress), info)

    return _made_once(target, make, message, report)


def _in_time(store: Store, settings: DataSettings, cache: Path, report: Report) -> Store:
    """The store, or a copy in the cache with gaps filled and the frame rate of the settings."""
    gaps, fps, upsample = settings.fill_gaps, settings.resample_fps, settings.upsample
    if gaps is not None and not to_be_filled(store, gaps):
        gaps = None
    if fps is not None and not to_be_resampled(store, fps, upsample=upsample):
        fps = None
    if gaps is None and fps is None:
        return store
    info = store.info
    # What the store lacks already is counted in it too.
    whole = info.model_copy(update={"dropped": dict(info.dropped), "notes": dict(info.notes)})
    made_by: dict[str, object] = {"fingerprint": info.fingerprint, "fps": [info.fps, fps, upsample]}
    if gaps is not None:
        made_by["fill_gaps"] = gaps
    name = info.name if store.path is None else store.path.resolve().name
    target = cache / f"{name}-{_digest(made_by)}"
    filling = () if gaps is None else (f"filling gaps of up to {gaps:g} s in {name}",)
    rate = () if fps is None else (f"resampling {name} to {fps:g} frames per second",)
    message = f"{', '.join((*filling, *rate))}, in {target}"

    def make(progress: Progress | None) -> None:
        from aclnet.data.convert import in_time

        read = with_progress(store.samples(), len(store), progress)
        made, samples = in_time(whole, read, gaps, fps, upsample=upsample)
        write_store(target, samples, made)

    return _made_once(target, make, message, report)


def _kept(store: Store, settings: DataSettings, cache: Path, report: Report) -> Store:
    """The store, or a copy in the cache of the samples that `data.keep` names."""
    if not settings.keep:
        return store
    from aclnet.data.convert import keep_samples

    info, name = store.info, store.info.name
    if store.path is not None:
        name = store.path.resolve().name
    made_by: dict[str, object] = {"fingerprint": info.fingerprint, "keep": settings.keep}
    target = cache / f"{name}-{_digest(made_by)}"

    def make(progress: Progress | None) -> None:
        # What the store lacks already is counted in it too.
        whole = info.model_copy(update={"dropped": dict(info.dropped)})
        read = with_progress(store.samples(), len(store), progress)
        kept, samples = keep_samples(whole, read, settings.keep)
        write_store(target, samples, kept)

    words = ", ".join(f"{field} {' or '.join(one)}" for field, one in settings.keep.items())
    return _made_once(target, make, f"keeping the samples of {words}, in {target}", report)


def _checked(store: Store, settings: DataSettings, cache: Path, report: Report) -> Store:
    """A store with the joints of `map_to`; only their order may differ."""
    if settings.map_to is not None:
        wanted = load_layout(settings.map_to)
        store = _in_order(store, wanted, cache, report)
        if store.layout.joints != wanted.joints:
            raise ValueError(
                f"{settings.path} is a store of {store.layout.name} joints, but data.map_to is "
                f"{wanted.name}: convert the recordings with --map-to {settings.map_to}"
            )
    return store


def _identity(path: Path, settings: DataSettings) -> dict[str, object]:
    """What a conversion depends on: the file as it is now, and the reading options."""
    root = path.resolve()
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    newest = max((file.stat().st_mtime_ns for file in files), default=0)
    # Such as a table of labels.
    named = [Path(value).resolve() for value in settings.options.values() if isinstance(value, str)]
    beside = [file for file in named if file.is_file()]
    names = [name for name in (settings.layout, settings.map_to) if name is not None]
    layouts = [file for name in names if (file := layout_file(name)) is not None]
    return {
        "path": str(root),
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "changed": newest,
        "layouts": [layout.read_text("utf-8") for layout in layouts],
        **settings.model_dump(mode="json", include={"format", "layout", "map_to"}),
        # Defaults are left out, so that stores made by older versions are found again.
        **({"options": settings.options} if settings.options else {}),
        **({"beside": _seen(beside)} if beside else {}),
        **({"each": _seen(files)} if root.is_dir() else {}),
        **({} if settings.prepare == "none" else {"prepare": settings.prepare}),
        **({} if settings.fill_gaps is None else {"fill_gaps": settings.fill_gaps}),
        **(
            {}
            if settings.resample_fps is None
            else settings.model_dump(include={"resample_fps", "upsample"})
        ),
        **({"keep": settings.model_dump()["keep"]} if settings.keep else {}),
    }


def _seen(files: list[Path]) -> str:
    """Names, sizes and times of files, in short: the same as long as nobody changed one."""
    found = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _digest({"files": found})


def _digest(value: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]
