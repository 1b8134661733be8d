"""The samples that the settings name, as a store: opened, converted once, or generated once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from aclnet.data.store import Store, open_store
from aclnet.data.walker_settings import WALKERS_VERSION
from tasks.settings import DataSettings

Report = Callable[[str], None]


def open_data(settings: DataSettings, cache: Path, report: Report | None = None) -> Store:
    """Open the data set.

    A store is opened where it lies. Any other file or folder is converted once into a store under
    `cache`, found again while its name, size and time of change stay the same. Without a path the
    walkers are generated, once for each of their settings.

    Args:
        settings: what to open.
        cache: folder of the stores made here.
        report: takes a sentence before long work.

    Raises:
        ValueError: there is nothing at the path, or it cannot be read.
    """
    if settings.path is None:
        return _walkers(settings, cache, report)
    path = settings.path
    if not path.exists():
        raise ValueError(f"there is no file or folder {path}: give the data with --data")
    if (path / "store.json").is_file():
        return open_store(path)
    target = cache / f"{path.stem}-{_digest(_identity(settings))}"
    if not (target / "store.json").is_file():
        from aclnet.data.convert import convert

        if report is not None:
            report(f"converting {path} into {target}")
        convert(
            path,
            target,
            format=settings.format,
            layout=settings.layout,
            map_to=settings.map_to,
            overwrite=True,
        )
    return open_store(target)


def _walkers(settings: DataSettings, cache: Path, report: Report | None) -> Store:
    walkers = settings.walkers
    made_by = {"version": WALKERS_VERSION, **walkers.model_dump(mode="json")}
    target = cache / f"walkers-{_digest(made_by)}"
    if not (target / "store.json").is_file():
        from aclnet.data.walkers import write_walkers

        sequences = walkers.nm_takes + walkers.bg_takes + walkers.cl_takes
        count = walkers.identities * sequences * len(walkers.views)
        if report is not None:
            report(f"generating {walkers.identities} walkers ({count} sequences) into {target}")
        write_walkers(target, walkers)
    return open_store(target)


def _identity(settings: DataSettings) -> dict[str, object]:
    """What a conversion depends on: the file as it is now, and how it is read."""
    path = settings.path
    if path is None:
        return {}
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    newest = max((file.stat().st_mtime_ns for file in files), default=0)
    return {
        "path": str(path.resolve()),
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "changed": newest,
        **settings.model_dump(mode="json", include={"format", "layout", "map_to"}),
    }


def _digest(value: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]
