"""One objective against another over the same seeds, paired by sample or by person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocols.groups import RunGroup
from protocols.labels import BASELINE, objective_label
from protocols.records import ResultRecord
from protocols.reporting.model import Cell, source_of
from protocols.reporting.tables.cells import EMPTY
from protocols.statistics.outcomes import Outcomes
from protocols.statistics.paired import SeedComparison, compare_seeds
from protocols.statistics.people import PeopleComparison, compare_people, reid_person_counts

PersonCounts = dict[str, dict[str, tuple[int, int]]]


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
    names = (objective_label(group.record.objective), objective_label(BASELINE))
    records = [(first.record, second.record) for first, second in pairs]
    try:
        found = _compare(records, names)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # other samples, or records without outcomes: no comparison, no figure
        return EMPTY
    difference = 100 * (found.mean if isinstance(found, SeedComparison) else found.difference)
    files = tuple(run.file for pair in pairs for run in pair)
    source = source_of(group.record)
    return Cell(f"{difference:+.1f}", difference, None, files, source, found.sentence)


def _compare(
    records: Sequence[tuple[ResultRecord, ResultRecord]], names: tuple[str, str]
) -> SeedComparison | PeopleComparison:
    """By sample or by person, whichever the records keep."""
    if records[0][0].task == "action":
        outcomes = [
            (Outcomes.from_cells(first.cells), Outcomes.from_cells(second.cells))
            for first, second in records
        ]
        return compare_seeds(outcomes, names=names)
    first, second = (_summed([pair[side] for pair in records]) for side in (0, 1))
    return compare_people(first, second, names=names)


def _summed(records: Sequence[ResultRecord]) -> PersonCounts:
    """Hits and trials by part and person, summed over seeds: a person stays one unit."""
    total: PersonCounts = {}
    for record in records:
        for part, people in _person_counts(record).items():
            known = total.setdefault(part, {})
            for name, (hits, trials) in people.items():
                before = known.get(name, (0, 0))
                known[name] = (before[0] + hits, before[1] + trials)
    return total


def _person_counts(record: ResultRecord) -> PersonCounts:
    """Hits and trials by part and person of a re-ID record's own rule, or of a gait record."""
    cells = record.cells or {}
    if record.task != "gait":
        main = cells.get("main")
        return reid_person_counts(main if isinstance(main, Mapping) else cells)
    people = cells.get("people")
    if not isinstance(people, Mapping):
        raise ValueError("The gait record keeps no counts by person: run it with this version.")
    found: PersonCounts = {}
    for condition, hits in people["rank1_hits"].items():
        rows = zip(people["names"], hits, people["trials"][condition], strict=True)
        # A person without probes of a condition has no part in it.
        found[condition] = {name: (int(hit), int(tried)) for name, hit, tried in rows}
    return found
