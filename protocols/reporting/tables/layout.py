"""What a table of published figures is: its columns, and which runs of this program fill them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.records import RUN, ResultRecord


@dataclass(frozen=True)
class PaperColumn:
    """One column, and how runs of this program fill it.

    Attributes:
        name: Heading.
        place: Data set, setting and metric of the published figures in it.
        protocol: Protocol of the records that fill it; empty where none can.
        metric: Name of their metric, after the variant's prefix.
        unit: Unit.
        higher_is_better: None where neither end is better.
    """

    name: str
    place: tuple[str, str, str]
    protocol: str = ""
    metric: str = "top1"
    unit: str = "%"
    higher_is_better: bool | None = True


@dataclass(frozen=True)
class Variant:
    """A row that each group of runs gets, and the prefix of its metrics in the records."""

    label: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class PaperTable:
    """One table.

    Attributes:
        key: Key of the table and of its published figures.
        title: One line.
        task: ``action``, ``gait`` or ``reid``.
        columns: The columns.
        data: Parts of the names of data sets whose records may fill it, in small letters and
            digits: a run on other data under the same protocol is not this table's.
        objectives: Objectives whose records fill it.
        variants: Rows a group of runs gets.
        accepts: Further condition on a record.
        notes: Sentences under the table.
    """

    key: str
    title: str
    task: str
    columns: tuple[PaperColumn, ...]
    data: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ("acl", "imported")
    variants: tuple[Variant, ...] = (Variant(),)
    accepts: Callable[[ResultRecord], bool] = lambda record: record.kind == RUN
    notes: tuple[str, ...] = ()


NTU60, NTU120 = "NTU RGB+D 60", "NTU RGB+D 120"
"""Data sets that several tables share, as the published figures name them."""
