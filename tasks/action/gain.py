"""Gain in accuracy of each class over a baseline.

Paper: Table X (classes in levels of difficulty) and Fig. 6 (the difference of each class).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.records import ResultRecord, now
from protocols.statistics.intervals import ratio
from protocols.text import align_columns, format_rate, nouns, render_notes
from tasks.run.environment import describe_environment
from tasks.run.judged import read_any, shared_by

Accuracies = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

LEVEL_ENDS = (5, 15, 30)
LEVEL_CLASSES = 60
"""The paper's levels end after 5, 15 and 30 of 60 classes; the fourth holds the rest."""

_SAME_SAMPLES = (
    "The levels are chosen by the baseline's accuracy on the same test samples, so that part of "
    "the gain of the hardest classes, and of the loss of the easiest, is due to chance."
)


@dataclass(frozen=True)
class ClassGain:
    """Accuracies of the K tested classes.

    Attributes:
        classes: class names.
        tested: (K,) number of test samples.
        baseline: (K,) accuracy 0..1, mean over the baseline's runs.
        accuracy: (K,) accuracy 0..1, mean over the compared runs.
        untested: classes without a test sample, which are excluded.
    """

    classes: tuple[str, ...]
    tested: Counts
    baseline: Accuracies
    accuracy: Accuracies
    untested: tuple[str, ...] = ()

    @property
    def difference(self) -> Accuracies:
        """(K,) accuracy minus the baseline's."""
        return self.accuracy - self.baseline


def difficulty(
    baselines: Sequence[Path], runs: Sequence[Path], command: str
) -> tuple[ResultRecord, str]:
    """Mean class accuracy in four levels, starting with the baseline's hardest classes (Table X).

    Args:
        baselines: folders of finished runs, or record files; several seeds are averaged.
        runs: the same for the runs to compare.
        command: command line, for the record.

    Returns:
        The record and the table as text.

    Raises:
        ValueError: a record is missing, the data differ, or there are fewer than four tested
            classes.
    """
    gain, records = read_gain(baselines, runs)
    order = np.argsort(gain.baseline, kind="stable")
    metrics: dict[str, float] = {}
    levels: list[dict[str, Any]] = []
    table = [["level", "baseline", "run", "gain"]]
    for first, last in level_ranges(len(order)):
        rows = order[first:last]
        before, after = float(gain.baseline[rows].mean()), float(gain.accuracy[rows].mean())
        name = f"{first + 1}-{last}"
        values = {"baseline": before, "run": after, "gain": after - before}
        metrics |= {f"{key}/{name}": value for key, value in values.items()}
        levels.append({"level": name, "classes": [gain.classes[row] for row in rows]})
        table.append([f"class {name}", *_rates(before, after)])
    notes = (*_notes(gain), _SAME_SAMPLES)
    found = {"metrics": metrics, "notes": notes, "cells": {"levels": levels, **_cells(gain)}}
    record = _record("difficulty", records, baselines, runs, command, found)
    return record, f"{align_columns(table)}\n{render_notes(notes)}"


def class_gain(
    baselines: Sequence[Path], runs: Sequence[Path], command: str
) -> tuple[ResultRecord, str]:
    """The difference of each class's accuracy, greatest gain first (Fig. 6).

    Args, Returns and Raises: as `difficulty`, with any number of classes.
    """
    gain, records = read_gain(baselines, runs)
    order = np.argsort(-gain.difference, kind="stable")
    table = [["class", "tested", "baseline", "run", "gain"]]
    for row in order:
        rates = _rates(gain.baseline[row], gain.accuracy[row])
        table.append([gain.classes[row], str(gain.tested[row]), *rates])
    metrics = {
        "mean_class/baseline": float(gain.baseline.mean()),
        "mean_class": float(gain.accuracy.mean()),
        "mean_gain": float(gain.difference.mean()),
        "share_better": float((gain.difference > 0).mean()),
        "share_worse": float((gain.difference < 0).mean()),
    }
    notes = _notes(gain)
    cells = {**_cells(gain), "sorted": [gain.classes[row] for row in order]}
    found = {"metrics": metrics, "notes": notes, "cells": cells}
    record = _record("class-gain", records, baselines, runs, command, found)
    return record, "\n".join(part for part in (align_columns(table), render_notes(notes)) if part)


def level_ranges(count: int) -> list[tuple[int, int]]:
    """Split `count` sorted classes into four non-empty levels, with the paper's proportions.

    Raises:
        ValueError: there are fewer than four classes.

    >>> level_ranges(60)
    [(0, 5), (5, 15), (15, 30), (30, 60)]
    """
    if count < len(LEVEL_ENDS) + 1:
        raise ValueError(
            f"four levels of difficulty need at least four tested classes, but there are {count}: "
            "use `aclnet-task action class-gain` instead"
        )
    ends = [0]
    for end in LEVEL_ENDS:
        ends.append(max(int(count * end / LEVEL_CLASSES + 0.5), ends[-1] + 1))
    ends.append(count)
    return list(pairwise(ends))


def read_gain(
    baselines: Sequence[Path], runs: Sequence[Path]
) -> tuple[ClassGain, list[ResultRecord]]:
    """The class accuracies of two groups of runs, and the records, the baselines' first.

    Raises:
        ValueError: a group is empty, a record has no classes, or the data differ.
    """
    if not baselines or not runs:
        raise ValueError("give at least one --baseline and one --run to compare")
    paths = [*baselines, *runs]
    records = [read_any(path) for path in paths]
    first = records[0]
    for path, record in zip(paths, records, strict=True):
        cells = record.cells or {}
        if not {"classes", "tested", "correct"} <= set(cells):
            raise ValueError(f"{path} has no class counts: give a finished run of `action train`")
        if "trained_epochs" in record.counts:
            raise ValueError(
                f"{path}: its training is not finished (epoch {record.counts['trained_epochs']}): "
                "give a finished run of `action train`"
            )
        known = first.cells or {}
        same = all(cells[key] == known[key] for key in ("classes", "tested"))
        if not same or record.dataset.fingerprint != first.dataset.fingerprint:
            raise ValueError(
                f"{path} was tested on other samples than {paths[0]}: compare runs of one data "
                "set, one split and one fold (or a study's records over all folds)"
            )
    known = first.cells or {}
    tested = np.array(known["tested"], dtype=np.int64)
    correct = np.array([(record.cells or {})["correct"] for record in records], dtype=np.int64)
    shares = ratio(correct, tested)
    rows = np.flatnonzero(tested > 0)
    split = len(baselines)
    gain = ClassGain(
        classes=tuple(known["classes"][row] for row in rows),
        tested=tested[rows],
        baseline=shares[:split, rows].mean(axis=0),
        accuracy=shares[split:, rows].mean(axis=0),
        untested=tuple(known["classes"][row] for row in np.flatnonzero(tested == 0)),
    )
    return gain, records


def _rates(before: float, after: float) -> list[str]:
    return [format_rate(before), format_rate(after), format_rate(after - before, sign="+")]


def _notes(gain: ClassGain) -> tuple[str, ...]:
    if not gain.untested:
        return ()
    count = len(gain.untested)
    return (f"Excluded for lack of a test sample: {count} {nouns('classes', count)}.",)


def _cells(gain: ClassGain) -> dict[str, Any]:
    return {
        "classes": list(gain.classes),
        "tested": gain.tested.tolist(),
        "baseline": gain.baseline.tolist(),
        "run": gain.accuracy.tolist(),
    }


def _record(
    kind: str,
    records: Sequence[ResultRecord],
    baselines: Sequence[Path],
    runs: Sequence[Path],
    command: str,
    found: dict[str, Any],
) -> ResultRecord:
    """A record with what the compared runs and baselines share, and what was found."""
    own = records[len(baselines) :]
    settings = {"baseline": [str(p) for p in baselines], "run": [str(p) for p in runs]}
    counts = {"baselines": len(baselines), "runs": len(runs)}
    return own[0].model_copy(
        update={
            "kind": kind,
            "variant": records[0].objective,
            "seed": own[0].seed if len(own) == 1 else None,
            "intervals": {},
            "counts": {**shared_by([record.counts for record in records]), **counts},
            "settings": {**shared_by([record.settings for record in records]), **settings},
            "environment": describe_environment(),
            "seconds": sum(record.seconds for record in own),
            "command": command,
            "created": now(),
            **found,
        }
    )
