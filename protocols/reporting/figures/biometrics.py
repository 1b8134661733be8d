"""DET curves and histograms of genuine and impostor scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from protocols.figures.det import draw_det
from protocols.figures.score_histograms import draw_binned_scores
from protocols.records import BIOMETRICS, ResultRecord
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


class _Part(NamedTuple):
    """Comparisons of one condition or pair, or of all together.

    Attributes:
        name: Of the condition or pair; ``all`` for all together.
        mark: What stands behind the names of its metrics.
        det: Its curve in the record's cells.
        histogram: Its scores in the record's cells.
    """

    name: str
    mark: str
    det: Mapping[str, Any]
    histogram: Mapping[str, Any]


def plan_biometrics(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """Of each verification: DET by objective, DET by condition or pair, and scores behind it.

    Curves of several seeds cannot be averaged at a threshold: the first seed is shown.

    Args:
        runs: All runs.
    """
    for groups in main_groups(runs, kind=BIOMETRICS):
        group = leading(groups)
        record = group.record
        compared = of_objectives(groups, group)
        if len(compared) > 1:
            draw = partial(_draw_objectives, compared)
            yield plan_of("det", "DET by objective", record, draw, "objectives")
        what = "pair of conditions" if record.task == "reid" else "condition"
        yield plan_of("det", f"DET by {what}", record, partial(_draw_parts, group), "conditions")
        title = "scores of genuine and impostor pairs"
        yield plan_of("scores", title, record, partial(_draw_histogram, group))


def _parts(record: ResultRecord) -> list[_Part]:
    """The parts of a record, those of all conditions together first where it has them.

    Raises:
        KeyError: A part has no curve or no histogram.
    """
    cells = cells_of(record)
    tables = list(cells["pairs"].values()) if "pairs" in cells else [cells]
    found = [
        _Part(name, "" if name == _POOLED else f"/{name}", det, table["histogram"][name])
        for table in tables
        for name, det in table["det"].items()
    ]
    return sorted(found, key=lambda part: part.name != _POOLED)


def _hardest(record: ResultRecord) -> _Part:
    """All conditions together, or the pair of the highest EER where pairs are kept apart."""
    parts = _parts(record)
    if not parts:
        raise ValueError("its records hold no comparisons.")
    if parts[0].name == _POOLED:
        return parts[0]
    return max(parts, key=lambda part: record.metrics.get(f"eer{part.mark}", 0.0))


def _place(part: _Part) -> str:
    return "all conditions together" if part.name == _POOLED else f"pair {part.name} alone"


def _named(label: str, record: ResultRecord, mark: str) -> str:
    """A curve's name with its EER, where the record has one."""
    rate = record.metrics.get(f"eer{mark}")
    return label if rate is None else f"{label} (EER {100 * rate:.1f} %)"


def _draw_objectives(groups: Sequence[RunGroup]) -> Drawing:
    # The leading group stands last: its hardest part is compared.
    chosen = _hardest(groups[-1].record)
    curves = {}
    for group in groups:
        part = next(part for part in _parts(group.record) if part.name == chosen.name)
        label = _named(group_label(group), group.record, part.mark)
        curves[label] = (part.det["fmr"], part.det["fnmr"])
    record = groups[0].record
    runs = [group.runs[0] for group in groups]
    caption = (
        f"False non-matches against false matches as the threshold moves, on probit axes, on "
        f"{dataset_of(record.dataset)}, protocol {record.protocol}, {_place(chosen)}; the first "
        f"seed of each ({seeds_told(runs[-1:])}); {files_told(runs)}."
    )
    return draw_det(curves), caption


def _draw_parts(group: RunGroup) -> Drawing:
    record = group.record
    parts = _parts(record)
    # One condition alone is the whole.
    apart = [part for part in parts if part.name != _POOLED]
    shown = apart if len(apart) > 1 else parts[:1]
    curves = {
        _named(part.name, record, part.mark): (part.det["fmr"], part.det["fnmr"]) for part in shown
    }
    what = "pair of probe and gallery condition" if record.task == "reid" else "probe condition"
    caption = (
        "False non-matches against false matches as the threshold moves, on probit axes, by "
        f"{what}. {told(group, 1)}."
    )
    return draw_det(curves), caption


def _draw_histogram(group: RunGroup) -> Drawing:
    part = _hardest(group.record)
    bins, threshold = part.histogram, _equal_threshold(part.det)
    figure = draw_binned_scores(
        bins["edges"], bins["genuine"], bins["impostor"], threshold=threshold, label="score"
    )
    marked = "" if threshold is None else " The dotted line is where both errors are nearest equal."
    caption = (
        f"Scores of pairs of one person and of two (higher: more alike), {_place(part)}, "
        f"each kind as a share of its own pairs.{marked} {told(group, 1)}."
    )
    return figure, caption


def _equal_threshold(curve: Mapping[str, Any]) -> float | None:
    """The kept threshold at which both errors are nearest equal; None where it is not finite."""
    gap = np.abs(np.asarray(curve["fmr"], float) - np.asarray(curve["fnmr"], float))
    value = curve["threshold"][int(gap.argmin())]
    return None if value is None else float(value)
