"""What is known about recordings whose files do not say it: a CSV table.

```
sample,identity,label,camera
walk-01,anna,walking,1
walk-02/person-3,ben,walking,1
```

`sample` is a recording's key (its path below the folder that is read, without the ending) or one
of its people's; of identity, label, condition, view, take, camera and split any may be there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from aclnet.data.sample import FIELDS, Sample
from aclnet.skeleton.names import nearest_name

PERSON = "/person-"
"""Stands between a recording's key and a track's name in the key of one person's sample."""


@dataclass(frozen=True)
class LabelsTable:
    """The table: known fields by sample key.

    Args:
        path: the file, for error messages.
        rows: by sample key the fields that are not empty.
    """

    path: Path
    rows: Mapping[str, Mapping[str, str]]

    def fill(self, sample: Sample) -> Sample:
        """The sample with the fields of its row, or of its recording's row."""
        recording = sample.sample.rpartition(PERSON)[0]
        known: dict[str, Any] = {
            **self.rows.get(recording, {}),
            **self.rows.get(sample.sample, {}),
        }
        return replace(sample, **known)

    def check(self, recordings: Iterable[str]) -> None:
        """Refuse a row that no recording belongs to, most likely a misspelt key.

        Raises:
            ValueError: there is such a row.
        """
        known = list(recordings)
        for sample in self.rows:
            if sample not in known and sample.rpartition(PERSON)[0] not in known:
                raise ValueError(
                    f"{self.path}: sample {sample!r} is no recording"
                    f"{nearest_name(sample, known)}; there are {', '.join(known[:3])}"
                    f"{', …' if len(known) > 3 else ''}"
                )


def read_labels(path: str | Path) -> LabelsTable:
    """Read such a table.

    Raises:
        ValueError: there is no such file, it is no CSV, a column is unknown, sample or every
            field lacks, or a sample is empty or comes twice.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"{file}: no such file; labels is the path of a CSV with a column sample")
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not a readable CSV: {' '.join(str(error).split())}") from None
    columns = [str(column).strip() for column in table.columns]
    table.columns = pd.Index(columns)
    unknown = [column for column in columns if column not in ("sample", *FIELDS)]
    if unknown or "sample" not in columns or len(columns) < 2:
        hint = nearest_name(unknown[0], ("sample", *FIELDS)) if unknown else ""
        raise ValueError(
            f"{file}: the columns must be sample and any of {', '.join(FIELDS)}, they are "
            f"{', '.join(columns)}{hint}"
        )
    rows: dict[str, dict[str, str]] = {}
    for number, row in enumerate(table.to_dict("records"), 2):
        fields = {str(name): str(value).strip() for name, value in row.items()}
        sample = fields.pop("sample")
        if not sample or sample in rows:
            raise ValueError(
                f"{file}: line {number}: sample {sample!r} is "
                + ("given twice; keep one line" if sample else "empty; name a recording")
            )
        rows[sample] = {name: value for name, value in fields.items() if value}
    return LabelsTable(file, rows)
