"""Biometric measures as text: verification, thresholds that travel, open-set identification."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.biometrics.table import BiometricsTable
from protocols.biometrics.tally import POOLED, metric_mark
from protocols.text import align_columns, format_rate, render_notes

_SIDES = ("genuine", "impostor")


def render_biometrics(
    table: BiometricsTable, *, intervals: Mapping[str, tuple[float, float]] | None = None
) -> str:
    """Render biometric measures, rates in percent.

    First EER, FNMR at each target FMR, d' and AUC of every condition; then the error rates at
    thresholds chosen elsewhere; then open-set identification, mean and spread over rotations;
    failures to acquire, the counts and the notes.

    Args:
        table: The measures.
        intervals: From ``table.intervals``; shown behind the rates, None for none.

    Returns:
        The text, without a newline at its end.
    """
    ends = intervals or {}
    title = f"{table.protocol}, {table.metric} scores: verification, rates in percent"
    parts = [title, align_columns(_verification_rows(table, ends))]
    if table.applied:
        parts += ["thresholds chosen elsewhere", align_columns(_applied_rows(table, ends), 3)]
    if table.open_set is not None and table.open_set.cells:
        parts.append(
            f"open set, {table.open_set.enrolled} people enrolled, mean of "
            f"{table.open_set.rotations} draws of them (spread over the draws)"
        )
        parts.append(align_columns(_open_set_rows(table, ends)))
        if table.open_set.transferred:
            parts.append("open set, thresholds chosen on development people")
            parts.append(align_columns(_transferred_rows(table, ends), 2))
    if "fta" in table.metrics:
        parts.append(_acquisition(table))
    shown = (*_SIDES, "not_acquired")
    counts = {key: n for key, n in table.counts.items() if key.split("/")[0] not in shown}
    return "\n\n".join([*parts, render_notes(table.notes, counts)])


def _verification_rows(
    table: BiometricsTable, ends: Mapping[str, tuple[float, float]]
) -> list[list[str]]:
    """A row a condition, all together last."""
    named = [f"FNMR@FMR {100 * target:g}" for target in table.targets]
    rows = [["condition", "genuine", "impostor", "EER", "worst view", *named, "d'", "AUC"]]
    for name, mark in _marks(table):
        genuine, impostor = (table.counts.get(f"{side}{mark}", 0) for side in _SIDES)
        rates = [f"eer{mark}", f"eer_worst_view{mark}"]
        rates += [f"fnmr@fmr{target:g}{mark}" for target in table.targets]
        others = [format_rate(table.metrics.get(f"dprime{mark}"), scale=1)]
        others.append(format_rate(table.metrics.get(f"auc{mark}"), scale=1, decimals=4))
        cells = [format_rate(table.metrics.get(rate), ends.get(rate)) for rate in rates]
        rows.append([name, str(genuine), str(impostor), *cells, *others])
    return rows


def _applied_rows(
    table: BiometricsTable, ends: Mapping[str, tuple[float, float]]
) -> list[list[str]]:
    """A row a threshold and condition."""
    rows = [["chosen on", "at FMR", "applied to", "threshold", "FMR", "FNMR"]]
    for applied in table.applied:
        names = [applied.source, f"{100 * applied.target:g}", applied.condition]
        rates = [
            format_rate(rate, ends.get(applied.metric(name)))
            for name, rate in (("fmr", applied.point.fmr), ("fnmr", applied.point.fnmr))
        ]
        rows.append([*names, f"{applied.value:.4f}", *rates])
    return rows


def _open_set_rows(
    table: BiometricsTable, ends: Mapping[str, tuple[float, float]]
) -> list[list[str]]:
    """A row a condition: DIR at each target FAR."""
    rows = [["condition", *(f"DIR@FAR {100 * target:g}" for target in table.targets)]]
    for name, mark in _marks(table):
        cells = []
        for target in table.targets:
            key = f"dir@far{target:g}{mark}"
            cell = format_rate(table.metrics.get(key), ends.get(key))
            spread = table.metrics.get(f"dir_spread@far{target:g}{mark}")
            cells.append(cell if spread is None else f"{cell} ({100 * spread:.2f})")
        rows.append([name, *cells])
    return rows


def _transferred_rows(
    table: BiometricsTable, ends: Mapping[str, tuple[float, float]]
) -> list[list[str]]:
    """A row a threshold and condition."""
    rows = [["at FPIR", "applied to", "threshold", "FPIR", "FNIR"]]
    names_of = {mark: name for name, mark in _marks(table)}
    for cell in table.open_set.transferred if table.open_set is not None else ():
        if cell.mark not in names_of:
            continue
        names = [f"{100 * cell.target:g}", names_of[cell.mark]]
        rates = cell.metrics()
        shown = [
            format_rate(rates[cell.metric(rate)], ends.get(cell.metric(rate)))
            for rate in ("fpir", "fnir")
        ]
        rows.append([*names, f"{cell.points[0].threshold:.4f}", *shown])
    return rows


def _acquisition(table: BiometricsTable) -> str:
    """Failures to acquire in one line."""
    shares = [
        f"{name} {table.counts[f'not_acquired{mark}']} ({format_rate(table.metrics[f'fta{mark}'])})"
        for name, mark in _marks(table)
        if f"fta{mark}" in table.metrics
    ]
    return f"Failed to acquire, probes (percent): {', '.join(shares)}."


def _marks(table: BiometricsTable) -> list[tuple[str, str]]:
    """Conditions with the ends of their metric names; all together last."""
    # A protocol may call its one condition by the name of all together.
    every = [(name, metric_mark(name)) for name in table.conditions]
    return every if len(every) == 1 else [*every, (POOLED, "")]
