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


@dataclass(frozen=True)
class OpenSetTable:
    """Open-set rates by condition and target.

    Attributes:
        enrolled: People enrolled in each rotation.
        rotations: Number of rotations.
        strangers: Least number of non-mated probes of a rotation, all conditions.
        cells: One a condition and target.
        notes: Sentences on rates that could not be computed.
    """

    enrolled: int
    rotations: int
    strangers: int
    cells: tuple[OpenSetCell, ...]
    notes: tuple[str, ...]

    def metrics(self) -> dict[str, float]:
        """Flat rates by name: ``dir@far0.01``, ``dir_spread@far0.01/nm`` ..."""
        return {name: value for cell in self.cells for name, value in cell.metrics().items()}

    def intervals(
        self, generator: np.random.Generator, draws: int
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap over people of DIR and FNIR, each person with all rotations."""

        def mean(hits: FloatArray, trials: FloatArray) -> FloatArray:
            return mean_rate(hits, trials)[:, None]

        found: dict[str, tuple[float, float]] = {}
        for cell in self.cells:
            people = [int(np.count_nonzero(cell.trials.sum(axis=1)))]
            counts = (cell.hits, cell.trials)
            ends = named_intervals([cell.name], people, *counts, generator, mean, draws)
            for name, (low, high) in ends.items():
                found[f"dir@far{name}"] = (low, high)
                found[f"fnir@fpir{name}"] = (1.0 - high, 1.0 - low)
        return found

    def record_cells(self) -> dict[str, Any]:
        """Each rotation's rates as plain lists, for a record."""
        return {
            "enrolled": self.enrolled,
            "rotations": self.rotations,
            "cells": [
                {
                    "condition": cell.mark.removeprefix("/") or "all",
                    "target": cell.target,
                    "dir": [1.0 - point.fnir for point in cell.points],
                    "fpir": [point.fpir for point in cell.points],
                    "threshold": [
                        point.threshold if np.isfinite(point.threshold) else None
                        for point in cell.points
                    ],
                }
                for cell in self.cells
            ],
        }


def draw_open_set(
    comparisons: Comparisons,
    condition: IntArray,
    conditions: Sequence[str],
    targets: Sequence[float],
    generator: np.random.Generator,
    rotations: int,
) -> OpenSetTable | None:
    """Take half of the people out of the gallery several times and tabulate the rates.

    Args:
        comparisons: P probes and their gallery.
        condition: (P,) index into ``conditions``.
        conditions: Their names.
        targets: FPIRs wanted.
        generator: Draws the people.
        rotations: How often; 0 for not at all.

    Returns:
        The table, with a note on each target that a rotation has too few non-mated probes for;
        None without rotations, or where fewer than two people are enrolled.
    """
    people = len(np.unique(comparisons.enrolled))
    if rotations == 0 or people < 2:
        return None
    found = rotate_unenrolled(comparisons, generator, rotations)
    person = np.unique(comparisons.own, return_inverse=True)[1].astype(np.int64)
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
                cells.append(_cell(parts, person[rows], mark, target, int(person.max()) + 1))
            except ValueError:
                lacking.append(mark.removeprefix("/") or POOLED_WORDS)
        if lacking:
            notes.append(
                f"An FPIR of {target:g} cannot be seen in the non-mated probes of "
                f"{', '.join(lacking)}: no open-set rate there."
            )
    strangers = min(int(np.count_nonzero(~scores.mated)) for scores in found)
    enrolled = people - round(people / 2)
    return OpenSetTable(enrolled, rotations, strangers, tuple(cells), tuple(notes))


def _cell(
    parts: Sequence[OpenSetScores], person: IntArray, mark: str, target: float, people: int
) -> OpenSetCell:
    """One condition at one target."""
    points = tuple(scores.at_fpir(target) for scores in parts)
    hits, trials, longer = [], [], []
    for scores, point in zip(parts, points, strict=True):
        found = scores.found(point.threshold)
        hits.append(np.bincount(person[found], minlength=people))
        trials.append(np.bincount(person[scores.mated], minlength=people))
        longer.append(scores.at_threshold(point.threshold, SHORTLIST).fnir)
    return OpenSetCell(
        mark,
        target,
        points,
        tuple(longer),
        np.stack(hits, axis=1).astype(np.int64),
        np.stack(trials, axis=1).astype(np.int64),
    )
