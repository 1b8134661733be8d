"""A classification as text: accuracies by subset, then the worst classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from protocols.action.table import ClassTable
from protocols.text import align_columns, format_rate, render_intervals, render_notes

_ACCURACIES = ("top1", "top5", "mean_class")
_WORST = 5


def render_classification(
    table: ClassTable, name: str, intervals: Mapping[str, tuple[float, float]] | None = None
) -> str:
    """Render a classification, in percent.

    top-1, top-5 and the mean over classes of all test samples, top-1 of each subset, of the most
    frequent class and of guessing. Then the five classes of lowest accuracy with the classes they
    are taken for, the counts and the notes.

    Args:
        table: The table.
        name: Name of the run, such as ``acl``.
        intervals: From :meth:`ClassTable.intervals`.

    Returns:
        The text, without a newline at its end.
    """
    rows = [["", "subset", "tested", "top1", "interval", "top5", "mean class"]]
    for subset in ("", *table.subsets):
        mark = f"/{subset}" if subset else ""
        values = [format_rate(table.metrics.get(f"{measure}{mark}")) for measure in _ACCURACIES]
        ends = (intervals or {}).get(f"top1{mark}")
        values.insert(1, " to ".join(format_rate(end) for end in ends or ()))
        rows.append([name, subset or "all", str(table.counts[f"test{mark}"]), *values])
    for constant in ("majority", "chance"):
        rate = format_rate(table.metrics[constant])
        rows.append([constant, "all", str(table.counts["test"]), rate])
    parts = [f"{table.protocol}: accuracy in percent", align_columns(rows, 2)]
    others = {key: ends for key, ends in (intervals or {}).items() if not key.startswith("top1")}
    if others:
        parts.append(render_intervals(others, table.metrics, "all"))
    if mistaken := _mistaken_rows(table):
        header = ["lowest accuracy", "taken for", "tested", "top1"]
        parts.append(align_columns([header, *mistaken], 2))
    return "\n\n".join([*parts, render_notes(table.notes, table.counts)])


def _mistaken_rows(table: ClassTable) -> list[list[str]]:
    """The worst classes, each with the three classes it is taken for most."""
    missed = np.flatnonzero(table.correct < table.tested)
    accuracy = table.correct[missed] / table.tested[missed]
    rows: list[list[str]] = []
    for place in np.argsort(accuracy, kind="stable")[:_WORST].tolist():
        number = int(missed[place])
        others = table.confusion[number].copy()
        others[number] = 0
        order = [other for other in np.argsort(-others, kind="stable")[:3] if others[other]]
        named = ", ".join(f"{table.classes[other]} ({others[other]})" for other in order)
        tested = str(table.tested[number])
        rows.append([table.classes[number], named, tested, format_rate(float(accuracy[place]))])
    return rows
