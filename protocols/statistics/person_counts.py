"""The rank-1 hits and trials of every person, read back from a record of any task that keeps them.

A gait record keeps them by condition, a re-identification record by pair of sets; either is what
:func:`protocols.statistics.people.compare_people` compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protocols.records import BIOMETRICS, ResultRecord
from protocols.statistics.people import reid_person_counts

PartCounts = dict[str, dict[str, tuple[int, int]]]
"""Hits and trials by part (condition or pair) and person."""


def person_counts(record: ResultRecord) -> PartCounts:
    """The counts of a gait or re-identification record, under its main rule.

    Args:
        record: The record.

    Returns:
        Hits and trials by part and person.

    Raises:
        ValueError: The record keeps no such counts, or they are damaged.
    """
    if record.task not in ("gait", "reid"):
        raise ValueError(
            f"A record of {record.task} counts samples, not the rank-1 of people: compare its "
            "outcomes."
        )
    if record.kind == BIOMETRICS:
        raise ValueError(
            "A record of biometric measures keeps errors at thresholds, not the rank-1 of people: "
            "compare the records of the runs themselves."
        )
    if record.task == "gait":
        return gait_person_counts(record.cells)
    main = (record.cells or {}).get("main")
    return reid_person_counts(main if isinstance(main, Mapping) else record.cells)


def gait_person_counts(cells: Mapping[str, Any] | None) -> PartCounts:
    """Read the counts of every person from the cells of a gait record.

    Args:
        cells: ``ResultRecord.cells``, as ``GaitTable.record_cells`` writes them.

    Returns:
        Hits and trials by condition and person.

    Raises:
        ValueError: The cells hold no counts by person, or lists of different lengths.
    """
    people = (cells or {}).get("people")
    if not isinstance(people, Mapping):
        raise ValueError(
            "The record keeps no counts by person under cells.people: write it again with "
            "`aclnet-task gait eval --run RUN --json FILE`."
        )
    try:
        names, trials, hits = (people[key] for key in ("names", "trials", "rank1_hits"))
        found = {str(part): _rows(names, hits[part], trials[part]) for part in trials}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "The counts by person of the record are damaged: names must be a list, trials and "
            "rank1_hits a list of whole numbers of that length for each condition."
        ) from error
    return found


def _rows(
    names: Sequence[Any], hits: Sequence[Any], trials: Sequence[Any]
) -> dict[str, tuple[int, int]]:
    """Hits and trials by person, of one condition."""
    rows = zip(names, hits, trials, strict=True)
    return {str(name): (int(hit), int(tried)) for name, hit, tried in rows}


def sum_counts(runs: Sequence[PartCounts]) -> PartCounts:
    """Counts of several runs as one: hits and trials of each part and person summed.

    Seeds of one person are no further people, so that a comparison over seeds sums them first.

    >>> sum_counts([{"nm": {"a": (1, 2)}}, {"nm": {"a": (2, 2), "b": (0, 2)}}])
    {'nm': {'a': (3, 4), 'b': (0, 2)}}
    """
    total: PartCounts = {}
    for run in runs:
        for part, people in run.items():
            known = total.setdefault(part, {})
            for name, (hits, trials) in people.items():
                before = known.get(name, (0, 0))
                known[name] = (before[0] + hits, before[1] + trials)
    return total
