"""Plans of figures, the groups of runs behind them, and the words that captions share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.labels import dataset_of, objective_place, slug
from protocols.ranking.distances import FloatArray
from protocols.records import RUN, ResultRecord

if TYPE_CHECKING:  # reports without figures do without matplotlib
    from matplotlib.figure import Figure

Drawing = tuple["Figure", str]
"""A figure and its caption."""


@dataclass(frozen=True, eq=False)
class FigurePlan:
    """One figure to draw.

    Attributes:
        key: Name for files and anchors.
        title: One line.
        task: Of the records.
        datasets: Data sets by their display names.
        draw: Returns the figure and its caption; raises ValueError, KeyError, TypeError or
            IndexError where cells are not as expected.
    """

    key: str
    title: str
    task: str
    datasets: tuple[str, ...]
    draw: Callable[[], Drawing]


@dataclass(frozen=True)
class ReportFigure:
    """One figure, drawn.

    Attributes:
        key: Name for files and anchors.
        title: One line.
        caption: What it shows, and on what data.
        task: Name of the task.
        datasets: Data sets it shows, by their display names.
        svg: The drawing: SVG text, or the file that holds it.
        png: The same as a bitmap file; None where there is none.
    """

    key: str
    title: str
    caption: str
    task: str
    datasets: tuple[str, ...]
    svg: str | Path
    png: Path | None


def plan_of(
    kind: str, title: str, record: ResultRecord, draw: Callable[[], Drawing], part: str = ""
) -> FigurePlan:
    """A plan for records of one data set and protocol.

    Args:
        kind: Kind of figure, first in the key.
        title: What it shows; the data set is added, and the protocol unless named after it.
        record: One of the records.
        draw: Draws it.
        part: Distinguishes it from others of its kind on this data set.
    """
    data = dataset_of(record.dataset)
    # Protocols are often named after their only data set.
    same = slug(record.protocol).replace("-", "") in slug(record.dataset.name).replace("-", "")
    place = data if same or slug(record.protocol) in slug(data) else f"{data}, {record.protocol}"
    words = dict.fromkeys([kind, record.task, record.dataset.name, record.protocol, part])
    key = slug("-".join(filter(None, words)))
    return FigurePlan(key, f"{place}: {title}", record.task, (data,), draw)


def like_cells(
    runs: Sequence[RunEntry], names: Sequence[str], first: RunEntry
) -> Iterator[Mapping[str, Any]]:
    """The cells of each run, which must describe the same test.

    Args:
        runs: The runs.
        names: Cells, lists of names, that must be the same in all of them.
        first: The run to compare with.

    Raises:
        ValueError: A run has other names than the first one.
    """
    wanted = [list(first.cells[name]) for name in names]
    for run in runs:
        cells = run.cells
        if [list(cells[name]) for name in names] != wanted:
            raise ValueError(f"{run.file} has other {' or '.join(names)} than {first.file}.")
        yield cells


def summed_cells(
    group: RunGroup, names: Sequence[str], *counts: str
) -> tuple[tuple[FloatArray, ...], list[list[str]]]:
    """Counts summed over the seeds of a group, and the names along their axes.

    Args:
        group: The runs.
        names: Cells, lists of names, that must be the same in all of them.
        *counts: Cells, arrays of counts of one shape.

    Raises:
        ValueError: A run has other names than the first one, or counts of another shape.
    """
    alike = list(like_cells(group.runs, names, group.runs[0]))
    sums = tuple(
        np.sum([np.asarray(cells[name], dtype=np.float64) for cells in alike], axis=0)
        for name in counts
    )
    return sums, [[str(one) for one in alike[0][name]] for name in names]


def main_groups(
    runs: Sequence[RunEntry], *cells: str, kind: str = RUN
) -> tuple[tuple[RunGroup, ...], ...]:
    """Runs of the same test, as groups of seeds in the order of their objectives.

    A test is a task, its data, protocol and rule, and the training before it. Of runs that use
    labels differently only one use is shown: all labels without another training before, else the
    linear probe, else the first by name. Records of another kind, and those that lack one of the
    cells, are left out.

    Args:
        runs: All runs.
        cells: Names of the cells needed, lists or mappings.
        kind: Of the records.
    """
    uses: dict[tuple[object, ...], set[str]] = {}
    tests: dict[tuple[tuple[object, ...], str, str, str], list[RunEntry]] = {}
    for run in runs:
        record, held = run.record, run.cells
        if record.kind != kind or not all(isinstance(held.get(n), list | dict) for n in cells):
            continue
        data = (record.dataset.name, record.dataset.fingerprint, record.dataset.synthetic)
        place = (record.task, *data, record.protocol)
        uses.setdefault(place, set()).add(record.variant)
        test = (place, record.variant, record.described_rule, record.initial)
        tests.setdefault(test, []).append(run)
    shown = {
        place: min(found, key=lambda use: (use != "", use != "linear", use))
        for place, found in uses.items()
    }
    return tuple(
        tuple(sorted(group_runs(members), key=lambda g: objective_place(g.record.objective)))
        for (place, use, _, _), members in tests.items()
        if use == shown[place]
    )


def widest_tests(tests: Sequence[tuple[RunGroup, ...]]) -> tuple[tuple[RunGroup, ...], ...]:
    """Of each data set the tests with most classes; those of a part of the classes are left out."""
    most: dict[str, int] = {}
    for groups in tests:
        name, size = groups[0].record.dataset.name, len(groups[0].cells["classes"])
        most[name] = max(size, most.get(name, 0))
    return tuple(
        groups
        for groups in tests
        if len(groups[0].cells["classes"]) == most[groups[0].record.dataset.name]
    )


def leading(groups: Sequence[RunGroup]) -> RunGroup:
    """The group to show where only one can be: the whole objective's, or the last in their order.

    Of several (streams, settings) the one with most seeds.
    """
    return max(
        groups,
        key=lambda g: (
            g.record.objective == "acl",
            objective_place(g.record.objective),
            len(g.runs),
        ),
    )


def of_objectives(groups: Sequence[RunGroup], like: RunGroup) -> tuple[RunGroup, ...]:
    """One group an objective, of the streams of ``like`` where it has them; ``like`` last.

    Args:
        groups: Groups of the same test.
        like: The group that is shown alone elsewhere, which is kept.
    """
    chosen: dict[str, RunGroup] = {}
    for group in groups:
        objective = group.record.objective
        same = group.record.stream == like.record.stream
        if objective not in chosen or (
            same and chosen[objective].record.stream != like.record.stream
        ):
            chosen[objective] = group
    chosen.pop(like.record.objective, None)
    return (*chosen.values(), like)


def describe(group: RunGroup, used: int | None = None) -> str:
    """Objective, data, protocol, streams and runs behind a figure, for its caption.

    Args:
        group: The runs.
        used: Number of runs that the figure shows, from the first; None for all.
    """
    record, runs = group.record, group.runs[:used]
    parts = [
        f"{group.label} on {dataset_of(record.dataset)}",
        f"protocol {record.protocol} ({record.described_rule})",
        f"streams {record.stream}" if record.stream else "",
        describe_runs(runs),
    ]
    return ", ".join(filter(None, parts))


def describe_runs(runs: Sequence[RunEntry]) -> str:
    """The seeds, and the records that hold them."""
    return f"{describe_seeds(runs)}; {describe_files(runs)}"


def describe_seeds(runs: Sequence[RunEntry]) -> str:
    """The seeds by number, or how many runs there are where one is unknown.

    >>> describe_seeds([])
    '0 runs'
    """
    seeds = [run.record.seed for run in runs]
    if not seeds or None in seeds:
        return f"{len(seeds)} run{'' if len(seeds) == 1 else 's'}"
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(str(seed) for seed in seeds)}"


def describe_files(runs: Sequence[RunEntry]) -> str:
    """The records, by folder."""
    folders: dict[str, list[str]] = {}
    for run in runs:
        folder, _, name = run.file.rpartition("/")
        folders.setdefault(folder, []).append(name.removesuffix(".json"))
    named = [
        f"{', '.join(names)} in {folder}" if folder else ", ".join(names)
        for folder, names in folders.items()
    ]
    return f"record{'' if len(runs) == 1 else 's'} {'; '.join(named)}"
