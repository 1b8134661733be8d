"""Confusion matrices: which class is taken for which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from protocols.figures.confusion import dense_confusion, draw_confusion
from protocols.reporting.figures.plan import (
    Drawing,
    FigurePlan,
    cells_of,
    leading,
    main_groups,
    plan_of,
    told,
    widest_tests,
)
from protocols.reporting.groups import RunGroup
from protocols.reporting.model import RunEntry


def plan_confusion(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A matrix a test of all classes, of the whole objective where it was run, seeds summed.

    Args:
        runs: All runs.
    """
    for groups in widest_tests(main_groups(runs, "classes", "confusion")):
        group = leading(groups)
        yield plan_of("confusion", "confusion of the classes", group.record, partial(_draw, group))


def _draw(group: RunGroup) -> Drawing:
    classes = list(cells_of(group.record)["classes"])
    total = np.zeros((len(classes), len(classes)))
    for run in group.runs:
        cells = cells_of(run.record)
        if list(cells["classes"]) != classes:
            raise ValueError(f"{run.file} has other classes than {group.runs[0].file}.")
        total += dense_confusion(cells["confusion"], len(classes))
    right = 100 * float(np.trace(total) / max(total.sum(), 1))
    caption = (
        f"Share of each class's test samples (rows) by predicted class (columns), counts of all "
        f"seeds summed: {int(total.sum())} predictions, {right:.1f} % right. {told(group)}."
    )
    return draw_confusion(total, classes), caption
