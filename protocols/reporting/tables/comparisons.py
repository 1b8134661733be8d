"""One objective against another over the same seeds, paired by sample or by person."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.groups import RunGroup
from protocols.labels import BASELINE, objective_label
from protocols.reporting.model import Cell, source_of
from protocols.reporting.tables.cells import EMPTY
from protocols.statistics.comparison import compare


def comparison_cell(group: RunGroup, groups: Sequence[RunGroup]) -> Cell:
    """The difference of a group's headline rate from cross-entropy's, in points, with the verdict.

    Compared are the seeds that both have, on the same samples. Action records keep the outcome of
    every sample, re-ID records and newer gait records the counts of every person.

    Args:
        group: The group.
        groups: The groups of the same data, protocol, rule and stream, among them cross-entropy's.

    Returns:
        The cell, whose note is the plain sentence; :data:`EMPTY` where there is nothing to compare.
    """
    other = next((one for one in groups if one.record.objective == BASELINE), None)
    if other is None or other.record.objective == group.record.objective:
        return EMPTY
    theirs = {run.record.seed: run for run in other.runs}
    pairs = [(run, theirs[run.record.seed]) for run in group.runs if run.record.seed in theirs]
    if not pairs:
        return EMPTY
    first, second = ([run.record for run in runs] for runs in zip(*pairs, strict=True))
    names = (objective_label(group.record.objective), objective_label(BASELINE))
    try:
        found = compare(first, second, "seeds", names=names)
    except ValueError:  # other samples, or records without outcomes: no comparison, no figure
        return EMPTY
    difference = 100 * found.difference
    files = tuple(run.file for pair in pairs for run in pair)
    source = source_of(group.record)
    return Cell(f"{difference:+.1f}", difference, None, files, source, found.sentence)
