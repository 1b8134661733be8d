"""Files that a run has not seen, read as the run's own data were."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aclnet.data.convert import map_samples
from aclnet.data.formats import READERS, detect, read
from aclnet.data.sample import FIELDS, Sample, StoreInfo
from aclnet.data.store import Store, open_store
from aclnet.skeleton import load_layout
from tasks.settings import DataSettings

Preparation = Literal["none", "main_person"]

_CHOOSING = ("split", "keep", "label_from", "labels")
"""Options of readers that say which recordings train or what they are called, not how to read."""


@dataclass(frozen=True)
class Reading:
    """How files are read for a run.

    What the run's settings say of reading holds for other files too: a reader's options wherever
    the reader of the file knows them, format, layout and unit where the file is of the same kind
    (the same format or, where the settings name none, the same ending of the name), since a layout
    that is given overrules the joint names in a file.

    Attributes:
        own: the settings of the run's data.
    """

    own: DataSettings

    def open(self, path: Path, told: Mapping[str, Any]) -> tuple[StoreInfo, Iterator[Sample]]:
        """Description and samples of a file, mapped to the run's joints.

        Args:
            path: a file or folder that some reader knows, or a store, which is taken as it lies.
            told: options of `aclnet.data.formats.read` that go before the run's; None leaves an
                option of the run's out.

        Raises:
            ValueError: the file or an option is not what it should be, or a store is to be read in
                another way.
        """
        if _is_store(path):
            return _open_store(path, told)
        name = told.get("format") or self._format(path)
        options = {**self._learned(path, name), **told, "format": name}
        given = {option: value for option, value in options.items() if value is not None}
        info, samples = read(path, **given)
        target = self.own.map_to
        return (
            (info, samples) if target is None else map_samples(info, samples, load_layout(target))
        )

    def preparation(self, path: Path, asked: Preparation | None) -> Preparation:
        """How the samples of a file are prepared; a store's are as they shall be."""
        if asked is not None:
            return asked
        return "none" if _is_store(path) else self.own.prepare

    def _format(self, path: Path) -> str:
        return (self.own.format if self._same_ending(path) else None) or detect(path)

    def _learned(self, path: Path, name: str) -> dict[str, Any]:
        """What the run's settings say, as far as it fits this file."""
        if name not in READERS:
            return {}
        own = self.own
        alike = self._same_ending(path) if own.format is None else own.format == name
        known = inspect.signature(importlib.import_module(READERS[name]).read).parameters
        fitting = {*known, "unit"} - set(_CHOOSING) - (set() if alike else {"unit"})
        options = {option: value for option, value in own.options.items() if option in fitting}
        return {**options, "layout": own.layout} if alike else options

    def _same_ending(self, path: Path) -> bool:
        own = self.own.path
        return own is not None and own.suffix.lower() == path.suffix.lower()


def _is_store(path: Path) -> bool:
    return (path / "store.json").is_file()


def _open_store(path: Path, told: Mapping[str, Any]) -> tuple[StoreInfo, Iterator[Sample]]:
    """A store's samples; only the frame rate may be told."""
    unfit = [name for name, value in told.items() if value is not None and name != "fps"]
    if unfit:
        raise ValueError(
            f"{path} is a store, which says itself what it holds: leave out {', '.join(unfit)}"
        )
    store = open_store(path)
    fps = told.get("fps")
    info = store.info if fps is None else store.info.model_copy(update={"fps": fps})
    return info, _stored(store)


def _stored(store: Store) -> Iterator[Sample]:
    columns = {name: store.index[name].tolist() for name in ("sample", *FIELDS)}
    for row in range(len(store)):
        fields: dict[str, Any] = {name: str(values[row]) for name, values in columns.items()}
        yield Sample(frames=store.clip(row), **fields)
