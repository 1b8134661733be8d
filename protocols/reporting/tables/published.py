"""Published figures, kept as CSV beside this package: a figure a row, each with its source."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib.resources import files

_REQUIRED = ("table", "method", "dataset", "setting", "metric", "value", "source")


@dataclass(frozen=True)
class PublishedFigure:
    """One figure as it was printed.

    Attributes:
        table: Key of the table that it belongs to.
        method: The method, with the stream or variant where there are several.
        citation: Where the method appeared, such as ``CVPR 2023``; empty where not known.
        poses: Pose estimator; empty where not known or of no matter.
        dataset: Data set.
        setting: Split, condition or pair, such as ``X-Sub`` or ``C-N``.
        metric: What was measured, such as ``top-1``.
        printed: The figure with the decimals it was printed with; rates in percent.
        source: Where it was read.
        note: What must be said beside it.
    """

    table: str
    method: str
    citation: str
    poses: str
    dataset: str
    setting: str
    metric: str
    printed: str
    source: str
    note: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Data set, setting and metric: the column it stands in."""
        return self.dataset, self.setting, self.metric

    @property
    def value(self) -> float:
        """The figure as a number."""
        return float(self.printed)


FIELDS = tuple(f.name if f.name != "printed" else "value" for f in fields(PublishedFigure))
"""Columns of the files."""


def load_published(key: str) -> tuple[PublishedFigure, ...]:
    """Read the published figures of a table.

    Args:
        key: Key of the table, such as ``table-6``.

    Returns:
        The figures in the order of the file.

    Raises:
        ValueError: There is no such table, or a row of its file is damaged.
    """
    folder = files("protocols") / "published"
    file = folder / f"{key}.csv"
    if not file.is_file():
        known = ", ".join(published_tables())
        raise ValueError(f"There are no published figures {key!r}; there are {known}.")
    return parse_published(file.read_text(encoding="utf-8").splitlines(), f"{key}.csv")


def published_tables() -> tuple[str, ...]:
    """Keys of all tables that have published figures, sorted."""
    names = (entry.name for entry in (files("protocols") / "published").iterdir())
    return tuple(sorted(name.removesuffix(".csv") for name in names if name.endswith(".csv")))


def parse_published(lines: Iterable[str], name: str) -> tuple[PublishedFigure, ...]:
    """Read the lines of such a file.

    Args:
        lines: The header first.
        name: What to call the file in messages.

    Raises:
        ValueError: The header is another, a required field is empty, a value is no number, or the
            same figure stands there twice.
    """
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) != FIELDS:
        raise ValueError(f"{name} must have the columns {', '.join(FIELDS)}.")
    figures: list[PublishedFigure] = []
    seen: set[tuple[str, ...]] = set()
    for number, row in enumerate(reader, start=2):
        figure = _figure(row, f"{name}, line {number}")
        identity = (figure.method, *figure.place)
        if identity in seen:
            raise ValueError(f"{name}, line {number} repeats {' / '.join(identity)}.")
        seen.add(identity)
        figures.append(figure)
    return tuple(figures)


def _figure(row: dict[str, str], place: str) -> PublishedFigure:
    """One row, checked."""
    if None in row or None in row.values():
        raise ValueError(f"{place} must have {len(FIELDS)} fields: quote a text that has commas.")
    empty = [field for field in _REQUIRED if not row[field].strip()]
    if empty:
        raise ValueError(f"{place} says nothing under {', '.join(empty)}.")
    try:
        float(row["value"])
    except ValueError:
        raise ValueError(f"{place}: the value {row['value']!r} is no number.") from None
    return PublishedFigure(printed=row.pop("value"), **row)
