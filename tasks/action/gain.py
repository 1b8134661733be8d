"""Which classes gain: the accuracy of each class, a baseline's beside that of other runs.

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

from protocols.records import ResultRecord
from protocols.statistics.intervals import ratio
from protocols.text import align_columns, format_rate, render_notes
from tasks.run.environment import describe_environment
from tasks.run.judged import read_any

Accuracies = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

LEVEL_ENDS = (5, 15, 30)
LEVEL_CLASSES = 60
"""The paper's levels end after 5, 15 and 30 of 60 classes; the fourth holds the others."""

_SAME_SAMPLES = (
    "The levels follow the baseline's accuracy on these same test samples, so that part of the "
    "gain of the hardest classes, and of the loss of the easiest, is chance."
)


@dataclass(frozen=True)
class ClassGain:
    """Accuracies of the K tested classes.

    Attributes:
        classes: their names.
        tested: (K,) test samples of each.
        baseline: (K,) accuracy 0..1, mean over the baseline's runs.
        accuracy: (K,) the same of the other runs.
        untested: classes without a test sample, which have no part in it.
    """

    classes: tuple[str, ...]
    tested: Places
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
    """Mean class accuracy in four levels, from the classes hardest for the baseline on (Table X).

    Args:
        baselines: folders of ended runs, or record files; several seeds are averaged.
        runs: the same of what is compared with them.
        command: the command line, for the record.

    Returns:
        The record and the table as text.

    Raises:
        ValueError: a record is missing, they are of different data, or there are fewer than four
            tested classes.
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
        metrics |= {
            f"baseline/{name}": before,
            f"run/{name}": after,
            f"gain/{name}": after - before,
        }
        levels.append({"level": name, "classes": [gain.classes[row] for row in rows]})
        table.append([f"class {name}", *_rates(before, after)])
    notes = (*_notes(gain), _SAME_SAMPLES)
    record = _record("difficulty", records, baselines, runs, command).model_copy(
        update={"metrics": metrics, "notes": notes, "cells": {"levels": levels, **_cells(gain)}}
    )
    return record, f"{align_columns(table)}\n{render_notes(notes)}"


def class_gain(
    baselines: Sequence[Path], runs: Sequence[Path], command: str
) -> tuple[ResultRecord, str]:
    """The difference of each class's accuracy, from the greatest gain on (Fig. 6).

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
    record = _record("class-gain", records, baselines, runs, command).model_copy(
        update={"metrics": metrics, "notes": notes, "cells": cells}
    )
    return record, "\n".join(part for part in (align_columns(table), render_notes(notes)) if part)


def level_ranges(count: int) -> list[tuple[int, int]]:
    """The four levels of `count` sorted classes: the paper's shares, none of them empty.

    Raises:
        ValueError: fewer than four classes.

    >>> level_ranges(60)
    [(0, 5), (5, 15), (15, 30), (30, 60)]
    """
    if count < len(LEVEL_ENDS) + 1:
        raise ValueError(
            f"four levels of difficulty need at least four tested classes, and there are {count}: "
            "see `aclnet-task action class-gain` instead"
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
        ValueError: no run, a record without classes, or records of different data.
    """
    if not baselines or not runs:
        raise ValueError("give at least one --baseline and one --run to compare")
    paths = [*baselines, *runs]
    records = [read_any(path) for path in paths]
    first = records[0]
    for path, record in zip(paths, records, strict=True):
        cells = record.cells or {}
        if not {"classes", "tested", "correct"} <= set(cells):
            raise ValueError(f"{path} counts no classes: give a run that `action train` ended")
        known = first.cells or {}
        same = all(cells[key] == known[key] for key in ("classes", "tested"))
        if not same or record.dataset.fingerprint != first.dataset.fingerprint:
            raise ValueError(
                f"{path} was tested on other samples than {paths[0]}: compare runs of one data "
                "set, one split and one fold (or the records that a study joins of all folds)"
            )
    known = first.cells or {}
    tested = np.array(known["tested"], dtype=np.int64)
    correct = np.array([(record.cells or {})["correct"] for record in records], dtype=np.int64)
    shares = ratio(correct, tested)
    there = np.flatnonzero(tested > 0)
    split = len(baselines)
    gain = ClassGain(
        classes=tuple(known["classes"][place] for place in there),
        tested=tested[there],
        baseline=shares[:split, there].mean(axis=0),
        accuracy=shares[split:, there].mean(axis=0),
        untested=tuple(known["classes"][place] for place in np.flatnonzero(tested == 0)),
    )
    return gain, records


def _rates(before: float, after: float) -> list[str]:
    return [format_rate(before), format_rate(after), format_rate(after - before, sign="+")]


def _notes(gain: ClassGain) -> tuple[str, ...]:
    if not gain.untested:
        return ()
    return (f"{len(gain.untested)} classes have no test sample and no part in this.",)


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
) -> ResultRecord:
    """The compared runs' record with what holds for all of them, without figures yet."""
    own = records[len(baselines) :]
    return own[0].model_copy(
        update={
            "kind": kind,
            "variant": records[0].objective,
            "seed": own[0].seed if len(own) == 1 else None,
            "intervals": {},
            "counts": {"baselines": len(baselines), "runs": len(runs)},
            "settings": {"baseline": [str(p) for p in baselines], "run": [str(p) for p in runs]},
            "environment": describe_environment(),
            "seconds": sum(record.seconds for record in own),
            "command": command,
        }
    )
