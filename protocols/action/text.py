"""A classification as text: accuracies by subset, baselines below, the worst classes."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.action.confusion import worst_classes
from protocols.action.table import ClassTable
from protocols.text import Style, align_columns, format_ends, format_rate, render_notes

_ACCURACIES = ("top1", "top5", "mean_class")


def render_classification(
    table: ClassTable,
    name: str,
    *,
    baselines: Mapping[str, ClassTable] | None = None,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    worst: int = 5,
    style: Style = "plain",
) -> str:
    """Render a classification, in percent.

    top-1, top-5 and the mean over classes of all test samples, top-1 of each subset; the same of
    the baselines, and what answering the most frequent class or guessing would reach. Then the
    classes of lowest accuracy and what they are taken for, the counts and the notes.

    Args:
        table: The table.
        name: What is shown, such as ``acl``.
        baselines: Other tables of the same classes, by name.
        intervals: From :meth:`ClassTable.intervals`; those of top-1 are shown.
        worst: How many classes to name.
        style: ``plain`` or ``markdown``.

    Returns:
        The text, without a newline at its end.

    Raises:
        ValueError: A baseline has other classes or test samples, or the style is unknown.
    """
    rows = [["", "subset", "tested", "top1", "interval", "top5", "mean class"]]
    rows += _accuracy_rows(name, table, intervals or {})
    for other_name, other in (baselines or {}).items():
        mine, theirs = table.outcomes, other.outcomes
        if table.classes != other.classes or mine.sample.tolist() != theirs.sample.tolist():
            raise ValueError(
                f"Baseline {other_name!r} has {len(theirs)} test samples of {len(other.classes)} "
                f"classes that are not the table's {len(mine)} of {len(table.classes)}: evaluate "
                "both on the same samples."
            )
        rows += _accuracy_rows(other_name, other, {})
    for constant in ("majority", "chance"):
        rate = format_rate(table.metrics[constant])
        rows.append([constant, "all", str(table.counts["test"]), rate])
    parts = [f"{table.protocol}: accuracy in percent", align_columns(rows, style, 2)]
    if mistaken := _mistaken_rows(table, worst):
        header = ["lowest accuracy", "taken for", "tested", "top1"]
        parts.append(align_columns([header, *mistaken], style, 2))
    return "\n\n".join([*parts, render_notes(table.notes, table.counts)])


def _accuracy_rows(
    name: str, table: ClassTable, intervals: Mapping[str, tuple[float, float]]
) -> list[list[str]]:
    """A row for all test samples and one a subset; what does not exist is left empty."""
    rows: list[list[str]] = []
    for subset in ("", *table.subsets):
        mark = f"/{subset}" if subset else ""
        values = [format_rate(table.metrics.get(f"{measure}{mark}")) for measure in _ACCURACIES]
        values.insert(1, format_ends(intervals.get(f"top1{mark}")))
        tested = str(table.counts[f"test{mark}"])
        rows.append([name, subset or "all", tested, *values])
    return rows


def _mistaken_rows(table: ClassTable, count: int) -> list[list[str]]:
    """The worst classes, each with the three classes it is taken for most."""
    rows: list[list[str]] = []
    for row in worst_classes(table.confused_with(top=3), count):
        others = [f"{other.name} ({other.count})" for other in row.taken_for]
        rows.append([row.name, ", ".join(others), str(row.tested), format_rate(row.accuracy)])
    return rows
