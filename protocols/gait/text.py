"""A gait table as text, by condition and view, with baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping

from protocols.gait.gallery_probe import MEASURES
from protocols.gait.table import GaitTable
from protocols.text import align_columns, format_rate, render_intervals, render_notes


def render_gait(
    table: GaitTable,
    name: str,
    *,
    baselines: Mapping[str, GaitTable] | None = None,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """Render a gait table, in percent.

    With views: rank-1 by probe view (mean over the other gallery views) and the mean, for each
    condition and over all; with a single condition also every probe view against every gallery
    view. Without views: the protocol's measures. Then the baselines in the same columns, the chance
    of a random pick, the intervals, the counts and the notes.

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
    columns = [*table.views, "mean"] if by_view else list(table.measures)
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
    parts = [_title(table), align_columns(rows, 2)]
    if by_view and table.measures != MEASURES:
        parts += _further_measures(name, table)
    if table.grid.single and len(table.conditions) == 1:
        parts.append(_matrix(table))
    over = "mean" if len(table.conditions) > 1 else ""
    parts.append(render_intervals(intervals or {}, table.metrics, over))
    parts.append(render_notes(table.notes, table.counts))
    return "\n\n".join(part for part in parts if part)


def _further_measures(name: str, table: GaitTable) -> list[str]:
    """The means of what the protocol reports beside rank-1, if anything."""
    further = table.measures[1:]
    rows = [["", "condition", *further]]
    for condition in table.conditions:
        rates = [table.metrics.get(f"{measure}/{condition}") for measure in further]
        rows.append([name, condition, *(_percent(rate, table) for rate in rates)])
    return [align_columns(rows, 2)] if further else []


def _matrix(table: GaitTable) -> str:
    """Probe views down, gallery views across, with the means of both."""
    rates, overall = table.rank1[0], table.metrics.get("rank1", math.nan)
    rows = [["probe \\ gallery", *table.grid.gallery_views, "mean"]]
    for view, cells, mean in zip(table.views, rates, table.probe_mean[0], strict=True):
        rows.append([view, *(_percent(rate, table) for rate in (*cells.tolist(), float(mean)))])
    margin = (*table.gallery_mean[0].tolist(), overall)
    rows.append(["mean", *(_percent(rate, table) for rate in margin)])
    return align_columns(rows)


def _title(table: GaitTable) -> str:
    """Protocol, rule, distance and measure."""
    what = "in percent"
    if len(table.views) > 1:
        what = "rank-1 in percent by probe view"
    if table.grid.single:
        what += f", identical views {'excluded' if table.grid.excludes else 'included'}"
    distance = f"{table.metric} distance"
    if table.rerank:
        distance += f" re-ranked {table.rerank}"
    return f"{table.protocol}, rule {table.rule.name}, {distance}: {what}"


def _rows(name: str, table: GaitTable, by_view: bool) -> list[list[str]]:
    """A row a condition, and one for their mean."""
    rows: list[list[str]] = []
    for index, condition in enumerate(table.conditions):
        values: list[float | None] = [table.metrics.get(f"{m}/{condition}") for m in table.measures]
        if by_view:
            values = [*table.probe_mean[index].tolist(), table.metrics.get(f"rank1/{condition}")]
        rows.append([name, condition, *(_percent(value, table) for value in values)])
    if len(table.conditions) > 1 and not table.headline:
        means = [_percent(table.metrics.get(measure), table) for measure in table.measures]
        if by_view:
            means = [""] * len(table.views) + means[:1]
        rows.append([name, "mean", *means])
    return rows


def _percent(rate: float | None, table: GaitTable) -> str:
    """A rate in percent with the rule's decimals; a dash where there is none."""
    return format_rate(rate, decimals=table.rule.table_decimals, missing="-")
