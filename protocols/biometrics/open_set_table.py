"""Open-set rates over several draws of who is enrolled: mean, spread, intervals over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.biometrics.open_set import OpenSetPoint, OpenSetScores, rotate_unenrolled
from protocols.biometrics.scores import Comparisons
from protocols.biometrics.tally import POOLED_WORDS
from protocols.ranking.distances import FloatArray, IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.statistics.intervals import mean_rate, named_intervals

SHORTLIST = 5
"""Length of the longer list of candidates that is reported too."""


@dataclass(frozen=True, eq=False)
class OpenSetCell:
    """One condition at one target, over R rotations that have mated and non-mated probes.

    Attributes:
        mark: The end of the metric names: empty, or ``/`` and the condition.
        target: The FPIR wanted.
        points: (R) the error rates at the threshold of each rotation, for one candidate.
        longer: (R) FNIR of the longer list at the same threshold.
        hits: (S, R) mated probes of each person that are found.
        trials: (S, R) mated probes of each person.
    """

    mark: str
    target: float
    points: tuple[OpenSetPoint, ...]
    longer: tuple[float, ...]
    hits: IntArray
    trials: IntArray

    @property
    def dir(self) -> float:
        """Mean over the rotations of the detection and identification rate."""
        return 1.0 - float(np.mean([point.fnir for point in self.points]))

    @property
    def name(self) -> str:
        """The end of its metric names, such as ``0.01/nm``."""
        return f"{self.target:g}{self.mark}"

    def metrics(self) -> dict[str, float]:
        """Flat rates by name."""
        rates, name = [point.fnir for point in self.points], self.name
        found = {
            f"dir@far{name}": self.dir,
            f"fnir@fpir{name}": float(np.mean(rates)),
            f"fnir_r{SHORTLIST}@fpir{name}": float(np.mean(self.longer)),
            f"fpir_achieved@fpir{name}": float(np.mean([point.fpir for point in self.points])),
        }
        if len(rates) > 1:
            found[f"dir_spread@far{name}"] = float(np.std(rates, ddof=1))
        return found


@dataclass(frozen=True, eq=False)
class TransferredCell:
    """One condition at a threshold that was chosen on development people.

    Attributes:
        mark: The end of the metric names: empty, or ``/`` and the condition.
        target: The FPIR wanted on the development people.
        points: (R) the error rates at the threshold in each rotation, for one candidate.
        missed: (S, R) mated probes of each person that are not found.
        mated: (S, R) mated probes of each person.
        named: (S, R) non-mated probes of each person for which somebody is named.
        strangers: (S, R) non-mated probes of each person.
    """

    mark: str
    target: float
    points: tuple[OpenSetPoint, ...]
    missed: IntArray
    mated: IntArray
    named: IntArray
    strangers: IntArray

    def metric(self, rate: str) -> str:
        """Name of a rate, such as ``fnir_from_development@fpir0.01/nm``."""
        return f"{rate}_from_development@fpir{self.target:g}{self.mark}"

    def metrics(self) -> dict[str, float]:
        """Flat rates by name, means over the rotations."""
        return {
            self.metric(rate): float(np.mean([getattr(point, rate) for point in self.points]))
            for rate in ("fnir", "fpir")
        }

    def intervals(
        self, generator: np.random.Generator, draws: int
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap over people of both rates."""
        return {
            **_interval(self.metric("fnir"), self.missed, self.mated, generator, draws),
            **_interval(self.metric("fpir"), self.named, self.strangers, generator, draws),
        }


def _interval(
    name: str, counts: IntArray, trials: IntArray, generator: np.random.Generator, draws: int
) -> dict[str, tuple[float, float]]:
    """Bootstrap over people of a rate, each person with all rotations."""

    def mean(counts: FloatArray, trials: FloatArray) -> FloatArray:
        return mean_rate(counts, trials)[:, None]

    people = [int(np.count_nonzero(trials.sum(axis=1)))]
    return named_intervals([name], people, counts, trials, generator, mean, draws)


@dataclass(frozen=True)
class OpenSetTable:
    """Open-set rates by condition and target.

    Attributes:
        enrolled: People enrolled in each rotation.
        rotations: Number of rotations.
        strangers: Least number of non-mated probes of a rotation, all conditions.
        cells: One a condition and target.
        notes: Sentences on rates that could not be computed.
        transferred: The same at thresholds of development people, where there are any.
    """

    enrolled: int
    rotations: int
    strangers: int
    cells: tuple[OpenSetCell, ...]
    notes: tuple[str, ...]
    transferred: tuple[TransferredCell, ...] = ()

    def metrics(self) -> dict[str, float]:
        """Flat rates by name: ``dir@far0.01``, ``dir_spread@far0.01/nm`` ..."""
        every: tuple[OpenSetCell | TransferredCell, ...] = (*self.cells, *self.transferred)
        return {name: value for cell in every for name, value in cell.metrics().items()}

    def intervals(
        self, generator: np.random.Generator, draws: int
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap over people of DIR, FNIR and FPIR."""
        found: dict[str, tuple[float, float]] = {}
        for cell in self.cells:
            ends = _interval(cell.name, cell.hits, cell.trials, generator, draws)
            for name, (low, high) in ends.items():
                found[f"dir@far{name}"] = (low, high)
                found[f"fnir@fpir{name}"] = (1.0 - high, 1.0 - low)
        for transferred in self.transferred:
            found |= transferred.intervals(generator, draws)
        return found

    def record_cells(self) -> dict[str, Any]:
        """Each rotation's rates as plain lists, for a record."""
        transferred = [
            {
                "condition": cell.mark.removeprefix("/") or "all",
                "target": cell.target,
                "threshold": _finite(cell.points[0].threshold),
                "fnir": [point.fnir for point in cell.points],
                "fpir": [point.fpir for point in cell.points],
            }
            for cell in self.transferred
        ]
        return {
            **({"from_development": transferred} if transferred else {}),
            "enrolled": self.enrolled,
            "rotations": self.rotations,
            "cells": [
                {
                    "condition": cell.mark.removeprefix("/") or "all",
                    "target": cell.target,
                    "dir": [1.0 - point.fnir for point in cell.points],
                    "fpir": [point.fpir for point in cell.points],
                    "threshold": [_finite(point.threshold) for point in cell.points],
                }
                for cell in self.cells
            ],
        }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def draw_open_set(
    comparisons: Comparisons,
    condition: IntArray,
    conditions: Sequence[str],
    targets: Sequence[float],
    generator: np.random.Generator,
    rotations: int,
    development: Comparisons | None = None,
) -> OpenSetTable | None:
    """Take half of the people out of the gallery several times and tabulate the rates.

    With development people the same is done with them first, all their rotations together give a
    threshold at each target, and the rates there are tabulated too.

    Args:
        comparisons: P probes and their gallery.
        condition: (P,) index into ``conditions``.
        conditions: Their names.
        targets: FPIRs wanted.
        generator: Draws the people.
        rotations: How often; 0 for not at all.
        development: Comparisons of other people, to choose thresholds on.

    Returns:
        The table, with a note on each target that a rotation has too few non-mated probes for;
        None without rotations, or where fewer than two people are enrolled.
    """
    people = len(np.unique(comparisons.enrolled))
    if rotations == 0 or people < 2:
        return None
    found = rotate_unenrolled(comparisons, generator, rotations)
    person = np.unique(comparisons.own, return_inverse=True)[1]
    size = int(person.max()) + 1
    # Keyed by mark, as a protocol may call a condition "all".
    groups = {"": np.ones(len(condition), dtype=np.bool_)}
    groups |= {f"/{name}": condition == index for index, name in enumerate(conditions)}
    cells: list[OpenSetCell] = []
    notes: list[str] = []
    for target in targets:
        lacking: list[str] = []
        for mark, rows in groups.items():
            try:
                parts = [scores.select(rows) for scores in found]
                cells.append(_cell(parts, person[rows], size, mark, target))
            except ValueError:
                lacking.append(mark.removeprefix("/") or POOLED_WORDS)
        if lacking:
            notes.append(
                f"An FPIR of {target:g} cannot be measured on the non-mated probes of "
                f"{', '.join(lacking)}: no open-set rate there."
            )
    transferred: list[TransferredCell] = []
    if development is not None:
        thresholds, remarks = _thresholds(development, targets, generator, rotations)
        notes += remarks
        transferred = [
            _transferred([one.select(rows) for one in found], person[rows], size, mark, *chosen)
            for chosen in thresholds.items()
            for mark, rows in groups.items()
            if all(0 < scores.mated[rows].sum() < rows.sum() for scores in found)
        ]
    strangers = min(int(np.count_nonzero(~scores.mated)) for scores in found)
    enrolled = people - round(people / 2)
    return OpenSetTable(
        enrolled, rotations, strangers, tuple(cells), tuple(notes), tuple(transferred)
    )


def _thresholds(
    development: Comparisons,
    targets: Sequence[float],
    generator: np.random.Generator,
    rotations: int,
) -> tuple[dict[float, float], list[str]]:
    """The threshold at each target on all rotations of other people, and what cannot be seen."""
    people = len(np.unique(development.enrolled))
    if people < 2:
        return {}, ["Fewer than two development people are enrolled: no open-set thresholds."]
    drawn = rotate_unenrolled(development, generator, rotations)
    pooled = OpenSetScores(*map(np.concatenate, zip(*drawn, strict=True)))
    # A probe is counted in each rotation, and is still one probe.
    probes = int(np.count_nonzero(~np.all([scores.mated for scores in drawn], axis=0)))
    found: dict[float, float] = {}
    notes = []
    for target in targets:
        if target * probes < 1.0:
            notes.append(
                f"An FPIR of {target:g} cannot be measured on {probes} non-mated probes of the "
                "development people: no open-set threshold."
            )
            continue
        found[target] = pooled.at_fpir(target).threshold
    if not found:
        return found, notes
    enrolled = people - round(people / 2)
    notes.append(
        f"Open-set thresholds under from_development were chosen with {enrolled} enrolled people "
        f"and {probes} non-mated probes; with more enrolled, more strangers are named."
    )
    return found, notes


def _transferred(
    parts: Sequence[OpenSetScores],
    person: IntArray,
    people: int,
    mark: str,
    target: float,
    threshold: float,
) -> TransferredCell:
    """One condition at a threshold chosen elsewhere."""
    return TransferredCell(
        mark,
        target,
        tuple(scores.at_threshold(threshold) for scores in parts),
        missed=_count(person, people, [x.mated & ~x.found(threshold) for x in parts]),
        mated=_count(person, people, [x.mated for x in parts]),
        named=_count(person, people, [~x.mated & (x.top >= threshold) for x in parts]),
        strangers=_count(person, people, [~x.mated for x in parts]),
    )


def _cell(
    parts: Sequence[OpenSetScores], person: IntArray, people: int, mark: str, target: float
) -> OpenSetCell:
    """One condition at one target."""
    points = tuple(scores.at_fpir(target) for scores in parts)
    both = list(zip(parts, [point.threshold for point in points], strict=True))
    return OpenSetCell(
        mark,
        target,
        points,
        tuple(scores.at_threshold(threshold, SHORTLIST).fnir for scores, threshold in both),
        hits=_count(person, people, [scores.found(threshold) for scores, threshold in both]),
        trials=_count(person, people, [scores.mated for scores in parts]),
    )


def _count(person: IntArray, people: int, chosen: Sequence[BoolArray]) -> IntArray:
    """(S, R) how many of the chosen probes of each rotation, masks (P,), are of each person."""
    counts = [np.bincount(person[rows], minlength=people) for rows in chosen]
    return np.stack(counts, axis=1)
