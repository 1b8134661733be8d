"""Files that a run has not seen, read as the run's own data were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aclnet.data.convert import map_samples
from aclnet.data.formats import READERS, detect, read, reader_options
from aclnet.data.sample import FIELDS, Sample, StoreInfo
from aclnet.data.settings import DataSettings
from aclnet.data.store import Store, open_store
from aclnet.runs.settings import Preparation
from aclnet.skeleton import load_layout

_CHOOSING = ("split", "keep", "label_from", "labels")
"""Options of readers that say which recordings train or what they are called, not how to read."""


@dataclass(frozen=True)
class Reading:
    """How files are read for a run: to be embedded (`settings`) or to be looked at once (`open`).

    What the run's settings say of reading holds for other files too: a reader's options wherever
    the reader of the file knows them; format, layout, unit and which recordings are meant where
    the file is of the same kind (the same format or, where the settings name none, the same ending
    of the name), since a layout that is given overrules the joint names in a file.

    Attributes:
        own: the settings of the run's data.
    """

    own: DataSettings

    def settings(self, path: Path, format: str | None = None) -> DataSettings:
        """The run's settings for another file: what does not fit it is left out.

        Args:
            path: a file or folder, or a store, which says itself what it holds.
            format: the file's format, where it is known.

        Raises:
            ValueError: no reader recognises what lies there.
        """
        own = self.own
        if _is_store(path):
            return own.model_copy(
                update={"path": path, "format": format, "layout": None, "options": {}}
            )
        same_ending = own.path is not None and own.path.suffix.lower() == path.suffix.lower()
        chosen = format or (own.format if same_ending else None)
        if not path.exists():  # who opens it says that nothing is there
            layout = own.layout if same_ending else None
            return own.model_copy(
                update={"path": path, "format": chosen, "layout": layout, "options": {}}
            )
        name = chosen or detect(path)
        alike = same_ending if own.format is None else own.format == name
        return own.model_copy(
            update={
                "path": path,
                "format": chosen,
                "layout": own.layout if alike else None,
                "options": self._fitting(name, alike),
            }
        )

    def open(self, path: Path, told: Mapping[str, Any]) -> tuple[StoreInfo, Iterator[Sample]]:
        """Description and samples of a file, mapped to the run's joints.

        All its recordings are read, whichever of its own the run took.

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
        learned = self.settings(path, told.get("format"))
        how = {name: value for name, value in learned.options.items() if name not in _CHOOSING}
        options = {**how, "layout": learned.layout, **told, "format": learned.format}
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

    def _fitting(self, name: str, alike: bool) -> dict[str, Any]:
        """The run's options that the reader of this name takes."""
        if name not in READERS:
            return {}
        fitting = {*reader_options(name), "unit"} - (set() if alike else {*_CHOOSING, "unit"})
        return {option: value for option, value in self.own.options.items() if option in fitting}


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
