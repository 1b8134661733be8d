"""Several objectives, several seeds, one table: does the affinity contrastive objective help?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aclnet.train_settings import RESUMABLE
from protocols.records import ResultRecord
from tasks.base import Report
from tasks.continuation import differences
from tasks.gait import GaitSettings
from tasks.gait_run import (
    BASELINE,
    BASELINE_RECORD,
    RECORD,
    read_record,
    train_and_evaluate,
)

TERMS: dict[str, tuple[bool, bool]] = {
    "ce": (False, False),
    "ce+inter": (True, False),
    "ce+intra": (False, True),
    "acl": (True, True),
}
"""Which of the inter-class and the intra-class term an objective has."""


def study(
    make_settings: Callable[[Sequence[str]], GaitSettings],
    *,
    objectives: Sequence[str],
    seeds: Sequence[int],
    runs: Path,
    results: Path,
    cache: Path,
    command: str,
    report: Report,
) -> str:
    """Train every objective with every seed; a run that has ended is only read.

    Args:
        make_settings: the recipe's settings with further overrides.
        objectives: names in `TERMS`.
        seeds: the runs' seeds.
        runs: a folder a run goes here.
        results: a record a run goes here, `<objective>-seed<seed>.json`.
        cache: folder for converted and generated data.
        command: the command line, for the records.
        report: takes sentences of progress.

    Returns:
        Mean and spread of each objective and of the bone lengths, as text.

    Raises:
        ValueError: an unknown objective, a run that has ended with other settings, or what
            `train_and_evaluate` raises.
    """
    _check(objectives, seeds)
    records: list[ResultRecord] = []
    for seed in seeds:
        for objective in objectives:
            run = runs / f"{objective}-seed{seed}"
            settings = make_settings([f"train.seed={seed}", *_switches(objective)])
            if (run / RECORD).is_file():
                _require_same(run, settings)
            else:
                report(f"{objective}, seed {seed}")
                train_and_evaluate(
                    settings, run, cache, command=command, resume=True, report=report
                )
            records += _collect(run, results, seed)
    return summary(records)


def _check(objectives: Sequence[str], seeds: Sequence[int]) -> None:
    unknown = [name for name in objectives if name not in TERMS]
    if unknown:
        raise ValueError(f"unknown objective {unknown[0]!r}; known are {', '.join(TERMS)}")
    if not objectives or not seeds:
        raise ValueError("a study needs at least one objective and one seed")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "a study trains its runs in one process: start it without torchrun, or train each run "
            "with `aclnet-task gait train`"
        )


def _require_same(run: Path, settings: GaitSettings) -> None:
    """Refuse to take an ended run for one with other settings; where the data lie may change."""
    before = read_record(run).settings
    now = settings.model_dump(
        mode="json", exclude={"data": {"path", "source"}, "train": set(RESUMABLE)}
    )
    for place, old, new in differences(before, now):
        raise ValueError(
            f"{run} has ended with {place} = {old!r}, and the study wants {new!r}: name another "
            "folder with --runs, or delete that run"
        )


def summary(records: Sequence[ResultRecord]) -> str:
    """Rank-1 in percent, mean ± standard deviation over seeds (N - 1), a row an objective.

    One seed has no spread, and none is printed.
    """
    best = {(record.objective, record.seed): record for record in records}
    names = list(dict.fromkeys([BASELINE, *(name for name, _ in best)]))
    keys = [k for k in records[0].metrics if k == "rank1" or k.startswith("rank1/")]
    lines = ["objective     seeds  " + "  ".join(f"{key:>14}" for key in keys)]
    for name in names:
        mine = [record for (objective, _), record in best.items() if objective == name]
        cells = []
        for key in keys:
            # A rule may leave a mean undefined; then the record lacks it.
            values = 100 * np.array([record.metrics.get(key, np.nan) for record in mine])
            spread = f" ± {values.std(ddof=1):4.2f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():6.2f}{spread}".rjust(14))
        lines.append(f"{name:<13} {len(mine):>5}  " + "  ".join(cells))
    return "\n".join(lines)


def _switches(objective: str) -> list[str]:
    inter, intra = TERMS[objective]
    off = [] if inter else ["objective.inter_weight=0"]
    return off if intra else [*off, "objective.intra_weight=0"]


def _collect(run: Path, results: Path, seed: int) -> list[ResultRecord]:
    """Copy a run's records to the results; the baseline once a seed."""
    found = []
    for name in (BASELINE_RECORD, RECORD):
        record = read_record(run, name)
        record.write(results / f"{record.objective}-seed{seed}.json")
        found.append(record)
    return found
