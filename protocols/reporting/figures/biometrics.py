"""DET curves and histograms of genuine and impostor scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from protocols.figures.det import draw_det
from protocols.figures.score_histograms import draw_binned_scores
from protocols.records import ResultRecord
from protocols.reporting.figures.plan import (
    Drawing,
    FigurePlan,
    cells_of,
    files_told,
    group_label,
    leading,
    main_groups,
    of_objectives,
    plan_of,
    seeds_told,
    told,
)
from protocols.reporting.groups import RunGroup
from protocols.reporting.model import RunEntry
from protocols.reporting.names import dataset_of

_POOLED = "all"


def plan_biometrics(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """Of each verification: DET by objective, DET by condition, and the scores behind it.

    Curves of several seeds cannot be averaged at a threshold: the first seed is shown.

    Args:
        runs: All runs.
    """
    for groups in main_groups(runs, "det", "histogram"):
        group = leading(groups)
        record, rule = group.record, group.record.rule
        compared = of_objectives(groups, group)
        if len(compared) > 1:
            draw = partial(_draw_objectives, compared)
            yield plan_of("det", "DET by objective", record, draw, f"objectives-{rule}")
        draw = partial(_draw_conditions, group)
        yield plan_of("det", "DET by condition", record, draw, f"conditions-{rule}")
        draw = partial(_draw_histogram, group)
        title = "scores of genuine and impostor pairs"
        yield plan_of("scores", title, record, draw, rule)


def _curve(record: ResultRecord, name: str) -> tuple[list[float], list[float]]:
    """FMR and FNMR of a condition."""
    curve: Mapping[str, Any] = cells_of(record)["det"][name]
    return list(curve["fmr"]), list(curve["fnmr"])


def _named(label: str, record: ResultRecord, mark: str = "") -> str:
    """A curve's name with its EER, where the record has one."""
    rate = record.metrics.get(f"eer{mark}")
    return label if rate is None else f"{label} (EER {100 * rate:.1f} %)"


def _draw_objectives(groups: Sequence[RunGroup]) -> Drawing:
    curves = {
        _named(group_label(group), group.record): _curve(group.record, _POOLED) for group in groups
    }
    record = groups[0].record
    runs = [group.runs[0] for group in groups]
    caption = (
        f"False non-matches against false matches as the threshold moves, on probit axes, on "
        f"{dataset_of(record.dataset)}, protocol {record.protocol}, all conditions together; the "
        f"first seed of each ({seeds_told(runs[:1])}); {files_told(runs)}."
    )
    return draw_det(curves), caption


def _draw_conditions(group: RunGroup) -> Drawing:
    record = group.record
    names = [name for name in cells_of(record)["det"] if name != _POOLED]
    # One condition alone is the whole.
    marks = {name: f"/{name}" for name in names} if len(names) > 1 else {_POOLED: ""}
    curves = {_named(name, record, mark): _curve(record, name) for name, mark in marks.items()}
    caption = (
        "False non-matches against false matches as the threshold moves, on probit axes, by probe "
        f"condition. {told(group, 1)}."
    )
    return draw_det(curves), caption


def _draw_histogram(group: RunGroup) -> Drawing:
    record = group.record
    bins = cells_of(record)["histogram"][_POOLED]
    threshold = _equal_threshold(cells_of(record)["det"][_POOLED])
    figure = draw_binned_scores(
        bins["edges"], bins["genuine"], bins["impostor"], threshold=threshold, label="score"
    )
    marked = "" if threshold is None else " The dotted line is where both errors are nearest equal."
    caption = (
        "Scores of pairs of one person and of two (higher: more alike), all conditions together, "
        f"each kind as a share of its own pairs.{marked} {told(group, 1)}."
    )
    return figure, caption


def _equal_threshold(curve: Mapping[str, Any]) -> float | None:
    """The kept threshold at which both errors are nearest equal; None where it is not finite."""
    gap = np.abs(np.asarray(curve["fmr"], float) - np.asarray(curve["fnmr"], float))
    value = curve["threshold"][int(gap.argmin())]
    return None if value is None else float(value)
