"""A re-identification table as text, a row a pair, with baselines."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.reid.table import ReidTable
from protocols.text import align_columns, format_rate, render_intervals, render_notes

_MEASURES = ("rank1", "rank5", "rank10", "mAP", "mINP")
_COUNTS = ("probes", "valid", "unmated", "gallery", "dropped")


def render_reid(
    table: ReidTable,
    name: str,
    *,
    baselines: Mapping[str, ReidTable] | None = None,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """Render a re-identification table, in percent.

    rank-1, rank-5, rank-10, mAP and mINP of each pair and their mean, as far as the rule reports
    them; the same of the baselines, and the chance of a random pick. Then the counts of each pair
    and the notes.

    Args:
        table: The table.
        name: Name of the run, such as ``acl``.
        intervals: From :meth:`ReidTable.intervals`.
        baselines: Other tables of the same pairs and level, by name; the name of another rule is
            added.

    Returns:
        The text, without a newline at its end.

    Raises:
        ValueError: A baseline has other pairs or another level than the table.
    """
    rows = [["", "pair", *_MEASURES], *_rows(name, table, table.metrics)]
    for other_name, other in (baselines or {}).items():
        if (_pairs(other), other.level) != (_pairs(table), table.level):
            raise ValueError(
                f"Baseline {other_name!r} has pairs {', '.join(_pairs(other))} at {other.level} "
                f"level, the table {', '.join(_pairs(table))} at {table.level} level: evaluate "
                "both alike."
            )
        shown = other_name
        if other.rule.name != table.rule.name:
            shown = f"{other_name} (rule {other.rule.name})"
        rows += _rows(shown, other, other.metrics)
    rows += _rows("chance", table, _chance(table))
    counts = [["counts", *_COUNTS]]
    for result in table.pairs:
        counts.append([result.pair.name, *(str(result.counts[key]) for key in _COUNTS)])
    ends = render_intervals(intervals or {}, table.metrics, "mean" if len(table.pairs) > 1 else "")
    parts = [_title(table), align_columns(rows, 2), ends, align_columns(counts)]
    parts.append(render_notes(table.notes))
    return "\n\n".join(part for part in parts if part)


def _pairs(table: ReidTable) -> tuple[str, ...]:
    return tuple(result.pair.name for result in table.pairs)


def _title(table: ReidTable) -> str:
    """Protocol, rule, distance and level."""
    unit = "sequences" if table.level == "sequence" else "whole walks"
    return (
        f"{table.protocol}, rule {table.rule.name}, {table.metric} distance, {unit}: in percent, "
        "probe-gallery"
    )


def _rows(name: str, table: ReidTable, rates: Mapping[str, float]) -> list[list[str]]:
    """A row a pair, and one for their mean; missing values are left empty."""
    marks = {pair: f"/{pair}" for pair in _pairs(table)}
    if len(marks) > 1:
        marks["mean"] = ""
    rows: list[list[str]] = []
    for pair, mark in marks.items():
        values = [format_rate(rates.get(f"{measure}{mark}")) for measure in _MEASURES]
        if any(values):
            rows.append([name, pair, *values])
    return rows


def _chance(table: ReidTable) -> dict[str, float]:
    """The chance of a random pick as rank-1."""
    return {
        key.replace("chance", "rank1"): rate
        for key, rate in table.metrics.items()
        if key.partition("/")[0] == "chance"
    }
