"""The gain of each class over cross-entropy (Fig. 6 of the paper)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from protocols.figures.class_gain import draw_class_gain
from protocols.ranking.distances import FloatArray, IntArray
from protocols.reporting.figures.plan import (
    Drawing,
    FigurePlan,
    cells_of,
    files_told,
    leading,
    main_groups,
    plan_of,
    seeds_told,
    told,
    widest_tests,
)
from protocols.reporting.groups import RunGroup
from protocols.reporting.model import RunEntry
from protocols.reporting.names import objective_label
from protocols.reporting.tables.comparisons import BASELINE
from protocols.statistics.intervals import ratio


def plan_class_gain(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a test of all classes, where cross-entropy and a further objective were run.

    Args:
        runs: All runs.
    """
    for groups in widest_tests(main_groups(runs, "classes", "tested", "correct")):
        group = leading(groups)
        other = [
            one
            for one in groups
            if one.record.objective == BASELINE and one.record.stream == group.record.stream
        ]
        if not other or group.record.objective == BASELINE:
            continue
        title = f"gain of each class, {objective_label(group.record.objective)} over cross-entropy"
        yield plan_of("class-gain", title, group.record, partial(_draw, other[0], group))


def _draw(baseline: RunGroup, group: RunGroup) -> Drawing:
    classes = list(cells_of(group.record)["classes"])
    before, _ = _pooled(baseline.runs, classes)
    after, tested = _pooled(group.runs, classes)
    both = [objective_label(BASELINE), objective_label(group.record.objective)]
    figure = draw_class_gain(
        classes, before, after, tested=tested.tolist(), names=(both[0], both[1])
    )
    caption = (
        f"Accuracy of each class minus that under cross-entropy, in points, the seeds of each "
        f"pooled; in brackets the class's test samples a seed. {told(group)}. Cross-entropy: "
        f"{seeds_told(baseline.runs)}; {files_told(baseline.runs)}. No class is tested for chance: "
        f"one sample more or less moves a small class by several points."
    )
    return figure, caption


def _pooled(runs: Sequence[RunEntry], classes: list[str]) -> tuple[FloatArray, IntArray]:
    """(K,) accuracies over all seeds, NaN for a class without a sample, and (K,) samples a seed."""
    correct, tested = np.zeros(len(classes)), np.zeros(len(classes))
    for run in runs:
        cells = cells_of(run.record)
        if list(cells["classes"]) != classes:
            raise ValueError(f"{run.file} has other classes than the runs it is compared with.")
        correct += np.asarray(cells["correct"], dtype=np.float64)
        tested += np.asarray(cells["tested"], dtype=np.float64)
    return ratio(correct, tested), np.round(tested / len(runs)).astype(np.int64)
