"""A classification as text: accuracies by subset, then the worst classes."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.action.confusion import worst_classes
from protocols.action.table import ClassTable
from protocols.text import align_columns, format_rate, render_notes

_ACCURACIES = ("top1", "top5", "mean_class")


def render_classification(
    table: ClassTable, name: str, intervals: Mapping[str, tuple[float, float]] | None = None
) -> str:
    """Render a classification, in percent.

    top-1, top-5 and the mean over classes of all test samples, top-1 of each subset; what answering
    the most frequent class or guessing would reach. Then the classes of lowest accuracy and what
    they are taken for, the counts and the notes.

    Args:
        table: The table.
        name: What is shown, such as ``acl``.
        intervals: From :meth:`ClassTable.intervals`; those of top-1 are shown.

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
    if mistaken := _mistaken_rows(table):
        header = ["lowest accuracy", "taken for", "tested", "top1"]
        parts.append(align_columns([header, *mistaken], 2))
    return "\n\n".join([*parts, render_notes(table.notes, table.counts)])


def _mistaken_rows(table: ClassTable) -> list[list[str]]:
    """The worst classes, each with the three classes it is taken for most."""
    rows: list[list[str]] = []
    for row in worst_classes(table.confused_with(top=3)):
        others = [f"{other.name} ({other.count})" for other in row.taken_for]
        rows.append([row.name, ", ".join(others), str(row.tested), format_rate(row.accuracy)])
    return rows
