"""Tables as text: gait by condition and view, classification by subset; baselines below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from protocols.action.confusion import worst_classes
from protocols.action.table import ClassTable
from protocols.gait.table import GaitTable
from protocols.text import Style

_MEASURES = ("rank1", "rank5", "rank10", "mAP", "mINP")
_ACCURACIES = ("top1", "top5", "mean_class")


def render_gait(
    table: GaitTable,
    name: str,
    *,
    baselines: Mapping[str, GaitTable] | None = None,
    style: Style = "plain",
) -> str:
    """Render a gait table, in percent.

    With views: rank-1 by probe view (mean over the other gallery views) and the mean, for each
    condition and over all. Without: rank-1, rank-5, rank-10, mAP and mINP. Then the baselines in
    the same columns, the chance of a random pick, the counts and the notes.

    Args:
        table: The table.
        name: What is shown, such as ``acl``.
        baselines: Other tables of the same protocol, by name.
        style: ``plain`` or ``markdown``.

    Returns:
        The text, without a newline at its end.

    Raises:
        ValueError: A baseline has other conditions or views than the table, or the style is
            unknown.
    """
    by_view = len(table.views) > 1
    columns = [*table.views, "mean"] if by_view else list(_MEASURES)
    rows = [["", "condition", *columns], *_rows(name, table, by_view)]
    for other_name, other in (baselines or {}).items():
        if (other.conditions, other.views) != (table.conditions, table.views):
            raise ValueError(
                f"Baseline {other_name!r} has conditions {', '.join(other.conditions)} and views "
                f"{', '.join(other.views)}, the table {', '.join(table.conditions)} and "
                f"{', '.join(table.views)}: evaluate both on the same samples."
            )
        rows += _rows(other_name, other, by_view)
    for condition in table.conditions:
        row = [""] * len(columns)
        row[-1 if by_view else 0] = _percent(table.metrics.get(f"chance/{condition}"), table)
        rows.append(["chance", condition, *row])
    return "\n".join([_title(table), "", _layout(rows, style), "", render_counts(table)])


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
        rate = _share(table.metrics[constant])
        rows.append([constant, "all", str(table.counts["test"]), rate, "", "", ""])
    shown = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    accuracies = _layout([[row[column] for column in shown] for row in rows], style)
    parts = [f"{table.protocol}: accuracy in percent", accuracies]
    if mistaken := _mistaken_rows(table, worst):
        header = ["lowest accuracy", "taken for", "tested", "top1"]
        parts.append(_layout([header, *mistaken], style))
    return "\n\n".join([*parts, render_counts(table)])


def _accuracy_rows(
    name: str, table: ClassTable, intervals: Mapping[str, tuple[float, float]]
) -> list[list[str]]:
    """A row for all test samples and one a subset; what does not exist is left empty."""
    rows: list[list[str]] = []
    for subset in ("", *table.subsets):
        mark = f"/{subset}" if subset else ""
        ends = intervals.get(f"top1{mark}")
        values = [_share(table.metrics.get(f"{measure}{mark}")) for measure in _ACCURACIES]
        values.insert(1, "" if ends is None else f"{_share(ends[0])} to {_share(ends[1])}")
        tested = str(table.counts[f"test{mark}"])
        rows.append([name, subset or "all", tested, *values])
    return rows


def _mistaken_rows(table: ClassTable, count: int) -> list[list[str]]:
    """The worst classes, each with the three classes it is taken for most."""
    rows: list[list[str]] = []
    for row in worst_classes(table.confused_with(top=3), count):
        others = [f"{other.name} ({other.count})" for other in row.taken_for]
        rows.append([row.name, ", ".join(others), str(row.tested), _share(row.accuracy)])
    return rows


def _share(rate: float | None) -> str:
    """A rate in percent with two decimals; empty where there is none."""
    return "" if rate is None else f"{100.0 * rate:.2f}"


def render_counts(table: GaitTable | ClassTable) -> str:
    """The counts in one line, then each note in one."""
    counts = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in table.counts.items())
    return "\n".join([f"Counts: {counts}.", *(f"Note: {note}" for note in table.notes)])


def _title(table: GaitTable) -> str:
    """What the figures are."""
    what = "in percent"
    if len(table.views) > 1:
        what = "rank-1 in percent by probe view"
    if table.grid.single:
        what += ", identical views excluded"
    return f"{table.protocol}, rule {table.rule.name}, {table.metric} distance: {what}"


def _rows(name: str, table: GaitTable, by_view: bool) -> list[list[str]]:
    """A row a condition, and one for their mean."""
    rows: list[list[str]] = []
    for index, condition in enumerate(table.conditions):
        values: list[float | None] = [table.metrics.get(f"{m}/{condition}") for m in _MEASURES]
        if by_view:
            values = [*table.probe_mean[index].tolist(), float(table.condition_mean[index])]
        rows.append([name, condition, *(_percent(value, table) for value in values)])
    if len(table.conditions) > 1:
        means = [_percent(table.metrics.get(measure), table) for measure in _MEASURES]
        if by_view:
            means = [""] * len(table.views) + means[:1]
        rows.append([name, "mean", *means])
    return rows


def _percent(rate: float | None, table: GaitTable) -> str:
    """A rate in percent with the rule's decimals; a dash where there is none."""
    if rate is None or not math.isfinite(rate):
        return "-"
    return f"{100.0 * rate:.{table.rule.table_decimals}f}"


def _layout(rows: Sequence[Sequence[str]], style: Style) -> str:
    """Align the columns; the first row is the header."""
    if style not in ("plain", "markdown"):
        raise ValueError(f"style must be plain or markdown, not {style!r}.")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths = [max(width, 3) for width in widths]
    aligned = [
        [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    if style == "plain":
        rule = ["-" * width for width in widths]
        return "\n".join("  ".join(row).rstrip() for row in [aligned[0], rule, *aligned[1:]])
    marks = [
        "-" * width if place < 2 else "-" * (width - 1) + ":" for place, width in enumerate(widths)
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [aligned[0], marks, *aligned[1:]])
