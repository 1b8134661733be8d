"""A folder with a file for each recording, and a table of labels beside it.

The files lie where their keys say: that of sample `s1/person-2` is `OUT/s1/person-2.csv`, so that
reading the folder gives the same keys. `OUT.labels.csv` has the other fields
(`aclnet.data.formats.keypoints.labels`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from aclnet.data.formats import Progress, with_progress
from aclnet.data.formats.keypoints.labels import NOBODY, UNFILLED
from aclnet.data.sample import FIELDS, Sample
from aclnet.data.store import Store
from aclnet.files import make_folder, private, whole_file, whole_folder

_LONGEST_NAME = 200  # bytes, with an ending


class Form(NamedTuple):
    """How a format writes recordings.

    Attributes:
        ending: of its files.
        check: refuses a store that it cannot hold.
        texts: the files of one recording: what is added to its key, and the text.
        options: those that read them back.
        beside: further files, by what is added to the folder's name.
    """

    ending: str
    check: Callable[[Store], None]
    texts: Callable[[Store, Sample], Iterator[tuple[str, str]]]
    options: Callable[[Store], Mapping[str, str]]
    beside: Callable[[Store], Mapping[str, str]] = lambda _: {}


def write_recordings(
    store: Store, out: Path, form: Form, overwrite: bool, progress: Progress | None
) -> dict[str, str]:
    """Write the recordings of a store; arguments and errors are those of `export_store`."""
    form.check(store)
    single = out.suffix.lower() == form.ending
    if single and len(store) > 1:
        raise ValueError(
            f"{out}: there are {len(store)} recordings, one file each: name a folder, and the "
            "format (--to)"
        )
    base = out.with_suffix("") if single else out
    fields = [name for name in FIELDS if (store.index[name] != "").any()]
    _check_fields(store, fields)
    labels = base.with_name(f"{base.name}.labels.csv")
    beside = {base.with_name(base.name + end): text for end, text in form.beside(store).items()}
    for file in (*beside, *([labels] if fields else []), *([out] if single else [])):
        if file.exists() and not overwrite:
            raise ValueError(f"{file} already exists; remove it or set --overwrite")
    rows: list[tuple[str, Sample]] = []

    def written() -> Iterator[tuple[str, str]]:
        for sample in with_progress(store.samples(), len(store), progress):
            for more, text in form.texts(store, sample):
                rows.append(((base.name if single else sample.sample) + more, sample))
                yield rows[-1][0], text

    if single:
        ((_, text),) = written()
        _write(out, text)
    else:
        _write_tree(out, written(), form.ending)
    for file, text in beside.items():
        _write(file, text)
    if fields:
        _write(labels, _table(rows, fields))
    return {**form.options(store), **({"labels": str(labels)} if fields else {})}


def _write_tree(out: Path, written: Iterator[tuple[str, str]], ending: str) -> None:
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    with whole_folder(out) as draft:
        for name, text in written:
            file = _file_of(name, ending)
            files.add(file)
            folders.update(file.parents)
            if file in folders or not files.isdisjoint(file.parents):
                raise ValueError(f"{file} would be a file and a folder: rename a sample")
            make_folder(draft / file.parent)
            with open(draft / file, "x", encoding="utf-8", newline="\n", opener=private) as stream:
                stream.write(text)


def _write(file: Path, text: str) -> None:
    with whole_file(file) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def _file_of(name: str, ending: str) -> PurePosixPath:
    """Where a recording's file lies below the folder."""
    parts = name.split("/")
    parts[-1] += ending
    if any(one.startswith(".") or not one or len(one.encode()) > _LONGEST_NAME for one in parts):
        raise ValueError(
            f"sample {name[:80]!r}: not a possible file name: every part must have 1 to "
            f"{_LONGEST_NAME} bytes and not begin with a dot"
        )
    return PurePosixPath(*parts)


def _check_fields(store: Store, fields: Sequence[str]) -> None:
    """Refuse what means something else in a table of labels."""
    for name in fields:
        column = store.index[name]
        bad = (column == UNFILLED) | ((column == NOBODY) & (name == "identity"))
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(
                f"sample {store.index['sample'].iat[row]!r}: a table of labels cannot hold {name} "
                f"{column.iat[row]}; rename it"
            )


def _table(rows: Sequence[tuple[str, Sample]], fields: Sequence[str]) -> str:
    """The table of labels as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("sample", *fields))
    writer.writerows((name, *(getattr(one, field) for field in fields)) for name, one in rows)
    return stream.getvalue()


def number(value: float) -> str:
    """A number of 32 bits as text that reads back the same.

    >>> number(1 / 3), number(300.0)
    ('0.333333333', '300')
    """
    return f"{value:.9g}"
