"""A CSV table of metadata for recordings whose files have none.

```
sample,identity,label,camera
walk-01,anna,walking,1
walk-02/person-3,ben,walking,1
```

`sample` is the key of a recording (its path below the folder that is read, without the ending) or
of one of its people; identity, label, condition, view, take, camera and split are optional. Keys
are compared composed (`aclnet.data.names.composed`). Whoever has the identity `-` is left out, such
as a passer-by. `aclnet-task data labels` writes such a table to fill in, with a `?` in each cell
that needs a value, and two columns more, frames and place, which are for people only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from aclnet.data.names import composed
from aclnet.data.sample import FIELDS, Sample
from aclnet.data.table import read_csv
from aclnet.skeleton.names import nearest_name

PERSON = "/person-"
"""Between a recording's key and a track's name in the key of one person's sample."""

UNFILLED, NOBODY = "?", "-"
"""A cell that waits for a value, and the identity of whoever is left out."""

HINTS = ("frames", "place")
"""Columns by which people recognise a sample; they are not read."""


def is_track(sample: str, identity: str) -> bool:
    """Whether an identity is only a track's key, which another file may have for somebody else.

    >>> is_track("walk-02/person-3", "walk-02/person-3"), is_track("walk-02/person-3", "ben")
    (True, False)
    """
    return identity == sample and PERSON in sample


class LabelsTable(NamedTuple):
    """The table.

    Attributes:
        path: the file, for error messages.
        rows: by sample key, composed, the fields that are not empty.
    """

    path: Path
    rows: Mapping[str, Mapping[str, str]]

    def fill(self, sample: Sample) -> Sample:
        """The sample with the fields of its row, or of its recording's row."""
        recording = sample.sample.rpartition(PERSON)[0]
        fields: dict[str, Any] = {}
        for key in (recording, sample.sample):
            fields |= self.rows.get(key, {})
        return replace(sample, **fields)

    def check_people(self, samples: Collection[str]) -> None:
        """Refuse a row of a person who is none of the samples.

        Raises:
            ValueError: there is such a row.
        """
        known: dict[str, set[str]] = {}
        for key in map(composed, samples):
            known.setdefault(key.rpartition(PERSON)[0], set()).add(key)
        for sample in self.rows:
            recording, mark, _ = sample.rpartition(PERSON)
            there = known.get(recording, set())
            if mark and there and sample not in there:
                people = sorted(there)
                raise ValueError(
                    f"{self.path}: sample {sample!r} is not a person of the "
                    f"recordings{nearest_name(sample, people)}; they are "
                    f"{', '.join(people[:3])}{', …' if len(people) > 3 else ''}"
                )

    def check(self, recordings: Iterable[str], apart: bool) -> None:
        """Refuse a row without a recording, most likely a misspelt key, or one that nothing takes.

        Args:
            recordings: the recordings' keys.
            apart: whether each person is a sample.

        Raises:
            ValueError: there is such a row, or one of a person who is not a sample.
        """
        known = dict.fromkeys(map(composed, recordings))
        for sample in self.rows:
            recording = sample.rpartition(PERSON)[0]
            if not apart and sample not in known and recording in known:
                raise ValueError(
                    f"{self.path}: sample {sample!r} is one person, but all people of a recording "
                    f"are one sample here: name {recording!r}, or set the option people=apart"
                )
            if sample not in known and recording not in known:
                raise ValueError(
                    f"{self.path}: sample {sample!r} is not a recording"
                    f"{nearest_name(sample, [*known])}; there are {', '.join([*known][:3])}"
                    f"{', …' if len(known) > 3 else ''}"
                )


def read_labels(path: str | Path) -> LabelsTable:
    """Read a table of this form.

    Raises:
        ValueError: there is no such file, it is not a CSV, a column is unknown, sample or all
            fields are missing, a cell waits for its value, a sample is empty or comes twice, two
            identities differ only in the spaces around them, or a row is longer than the header.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{file}: no such file; labels is the path of a CSV with a column sample")
    table = read_csv(file, ragged=True)
    table = table.drop(columns=[name for name in HINTS if name in table.columns])
    columns = list(table.columns)
    unknown = [column for column in columns if column not in ("sample", *FIELDS)]
    if unknown or "sample" not in columns or len(columns) < 2:
        hint = nearest_name(unknown[0], ("sample", *FIELDS)) if unknown else ""
        raise ValueError(
            f"{file}: the columns must be sample and any of {', '.join(FIELDS)}, they are "
            f"{', '.join(columns)}{hint}"
        )
    _check_filled(file, table)
    rows: dict[str, dict[str, str]] = {}
    written: dict[str, str] = {}
    for number, row in enumerate(table.to_dict("records"), 2):
        fields = {str(name): str(value).strip() for name, value in row.items()}
        sample = fields.pop("sample")
        if not sample or sample in rows:
            raise ValueError(
                f"{file}: line {number}: sample {sample!r} is "
                + ("listed twice; keep one line" if sample else "empty; name a recording")
            )
        identity = str(row.get("identity", ""))
        if written.setdefault(identity.strip(), identity) != identity:
            raise ValueError(
                f"{file}: line {number}: identity {identity!r} also occurs without these spaces, "
                "and spaces around names are ignored; rename one of them"
            )
        rows[sample] = {name: value for name, value in fields.items() if value}
    return LabelsTable(file, rows)


def _check_filled(file: Path, table: pd.DataFrame) -> None:
    """Refuse a table whose cells are not all filled in."""
    waiting = table.apply(lambda column: column.str.strip() == UNFILLED)
    count = int(waiting.to_numpy().sum())
    if count:
        row = int(waiting.any(axis=1).argmax())
        column = str(waiting.columns[int(waiting.iloc[row].argmax())])
        sample = str(table["sample"].iat[row]) if "sample" in table else f"line {row + 2}"
        still = f"{count} of its cells {'is' if count == 1 else 'are'} still {UNFILLED}"
        raise ValueError(
            f"{file}: the table is not filled in: {still}, the first is {column} of sample "
            f"{sample!r}; write a value there, or the identity {NOBODY} to leave somebody out"
        )
