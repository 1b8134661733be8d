"""Uploaded files: they lie in a private folder while they are read, and are deleted then."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from aclnet.data.formats import detect, reader_options, unpickles
from aclnet.data.sample import Sample
from aclnet.data.store import Store, write_store
from tasks.gallery.content import person_name

if TYPE_CHECKING:
    from aclnet.runs.model import Model
    from aclnet.runs.settings import Preparation

MOST_FILES = 500
MOST_FRAMES = 100_000
"""Frames, a person each: about an hour at 30 fps."""
_LONGEST_NAME = 100
_FILES, _STORE = "upload", "store"


class UploadedFile(NamedTuple):
    """A file as it came.

    Attributes:
        name: as the browser says.
        content: to be read from its beginning.
    """

    name: str
    content: IO[bytes]


@dataclass(frozen=True)
class Upload:
    """What was uploaded, read.

    Attributes:
        name: of the file, or of the first and how many more.
        place: where they lie, until the upload is deleted.
        store: its recordings with the model's joints.
        prepare: how they are to be prepared.
    """

    name: str
    place: Path
    store: Store
    prepare: Preparation


@contextmanager
def opened(files: Sequence[UploadedFile], model: Model) -> Iterator[Upload]:
    """Read uploaded files; they are deleted when the body ends.

    Several files are one folder, such as those of a format with a file a frame. They are read in a
    process with limits of time and memory.

    Args:
        files: what was uploaded.
        model: whose joints the recordings get.

    Raises:
        ValueError: a file is a pickle or damaged, two have one name, there is none, or too much is
            in them.
    """
    if not files:
        raise ValueError("no file was sent: choose one")
    with TemporaryDirectory(prefix="aclnet-") as made:
        folder = Path(made)
        try:
            yield _read(files, folder, model)
        except ValueError as error:  # nobody knows this folder
            text = str(error).replace(f"{folder}/{_FILES}/", "")
            for own in (f"{folder}/{_FILES}", f"{folder}/{_STORE}"):
                text = text.replace(own, _named(files))
            raise ValueError(text) from None


def plain_name(name: str) -> str:
    """A name that a file can have, without folders; its ending stays.

    >>> plain_name("../../etc/pass wd.json"), plain_name(".."), plain_name("a" * 999 + ".csv")[-6:]
    ('pass_wd.json', 'file', 'aa.csv')
    """
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[-_LONGEST_NAME:] or "file"


def _read(files: Sequence[UploadedFile], folder: Path, model: Model) -> Upload:
    place = folder / _FILES
    place.mkdir()
    for one in files:
        path = place / plain_name(one.name)
        if path.exists():
            raise ValueError(f"two files are called {path.name}: rename one")
        with path.open("xb") as target:
            shutil.copyfileobj(one.content, target)
    path = place / plain_name(files[0].name) if len(files) == 1 else place
    name = _named(files)
    kind = detect(path)
    if unpickles(kind):
        raise ValueError(
            f"{name}: pickles are not accepted here, as they can run code: use the command line, "
            "or write it in another format (`aclnet-task data export`)"
        )
    reading: dict[str, Any] = {"format": kind, "apart": True}
    if "people" in reader_options(kind) and model.settings.test is None:
        reading["people"] = "apart"
    ((_, info, samples, prepare),) = model.opened(path, None, reading)
    store = write_store(folder / _STORE, _not_too_many(samples), info)
    return Upload(name, folder / _STORE, store, prepare)


def _named(files: Sequence[UploadedFile]) -> str:
    """What an upload is called."""
    first = plain_name(files[0].name)
    return first if len(files) == 1 else f"{first} and {len(files) - 1} more"


def _not_too_many(samples: Iterator[Sample]) -> Iterator[Sample]:
    left = MOST_FRAMES
    for sample in samples:
        left -= sample.frames.shape[0] * sample.frames.shape[1]
        if left < 0:
            raise ValueError(f"more than {MOST_FRAMES:,} frames of people: send a part of it")
        yield sample


def wanted_name(text: object) -> str:
    """The name to enrol somebody under.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError("say whose recording it is: the name is empty")
    return person_name(text)
