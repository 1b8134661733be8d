"""A gait table as text, by condition and view, with baselines."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.gait.table import GaitTable
from protocols.text import align_columns, format_rate, render_intervals, render_notes

_MEASURES = ("rank1", "rank5", "rank10", "mAP", "mINP")


def render_gait(
    table: GaitTable,
    name: str,
    *,
    baselines: Mapping[str, GaitTable] | None = None,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """Render a gait table, in percent.

    With views: rank-1 by probe view (mean over the other gallery views) and the mean, for each
    condition and over all. Without: rank-1, rank-5, rank-10, mAP and mINP. Then the baselines in
    the same columns, the chance of a random pick, the intervals, the counts and the notes.

    Args:
        table: The table.
        name: Name of the run, such as ``acl``.
        baselines: Other tables of the same protocol, by name.
        intervals: From :meth:`GaitTable.intervals`.

    Returns:
        The text, without a newline at its end.

    Raises:
        ValueError: A baseline has other conditions or views than the table.
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
    ends = render_intervals(
        intervals or {}, table.metrics, "mean" if len(table.conditions) > 1 else ""
    )
    closing = render_notes(table.notes, table.counts)
    parts = [_title(table), align_columns(rows, 2), ends, closing]
    return "\n\n".join(part for part in parts if part)


def _title(table: GaitTable) -> str:
    """Protocol, rule, distance and measure."""
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
            values = [*table.probe_mean[index].tolist(), table.metrics.get(f"rank1/{condition}")]
        rows.append([name, condition, *(_percent(value, table) for value in values)])
    if len(table.conditions) > 1:
        means = [_percent(table.metrics.get(measure), table) for measure in _MEASURES]
        if by_view:
            means = [""] * len(table.views) + means[:1]
        rows.append([name, "mean", *means])
    return rows


def _percent(rate: float | None, table: GaitTable) -> str:
    """A rate in percent with the rule's decimals; a dash where there is none."""
    return format_rate(rate, decimals=table.rule.table_decimals, missing="-")
