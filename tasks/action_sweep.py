"""One setting, several values, several seeds, one table: how much hangs on the value (Fig. 4)?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from aclnet.train_settings import RESUMABLE
from protocols.records import ResultRecord
from tasks.action import ActionSettings
from tasks.action_run import RECORD, read_record, train_and_evaluate
from tasks.action_study import summary
from tasks.base import Report
from tasks.continuation import differences


def sweep(
    make_settings: Callable[[Sequence[str]], ActionSettings],
    setting: str,
    values: Sequence[str],
    *,
    seeds: Sequence[int],
    runs: Path,
    results: Path,
    cache: Path,
    command: str,
    report: Report,
) -> str:
    """Train with each value of one setting and each seed; a run that has ended is only read.

    Args:
        make_settings: the recipe's settings with further overrides.
        setting: such as `objective.overlap`.
        values: its values, as in an override.
        seeds: the runs' seeds.
        runs: a folder a run goes here.
        results: a record a run goes here, `<last part of the setting>=<value>-seed<seed>.json`.
        cache: folder for converted data.
        command: the command line, for the records.
        report: takes sentences of progress.

    Returns:
        Accuracies by value, and each value against the first, as text.

    Raises:
        ValueError: the recipe has no such setting or it cannot have such a value (said before any
            training), a run has ended with other settings, or what `train_and_evaluate` raises.
    """
    _check(values)
    short = setting.rpartition(".")[2]
    chosen = {
        (f"{short}={value}", seed): make_settings([f"train.seed={seed}", f"{setting}={value}"])
        for seed in seeds
        for value in values
    }
    for (name, seed), settings in chosen.items():
        run = runs / f"{name}-seed{seed}"
        if (run / RECORD).is_file():
            _require_same(run, settings)
    records: dict[tuple[str, int], ResultRecord] = {}
    for (name, seed), settings in chosen.items():
        run = runs / f"{name}-seed{seed}"
        if not (run / RECORD).is_file():
            report(f"{name}, seed {seed}")
            train_and_evaluate(settings, run, cache, command=command, resume=True, report=report)
        records[name, seed] = read_record(run)
        records[name, seed].write(results / f"{name}-seed{seed}.json")
    return summary(records)


def split_values(text: str) -> list[str]:
    """Values by commas; commas inside brackets belong to a value.

    >>> split_values("2, [0.1,0.5,1.0]")
    ['2', '[0.1,0.5,1.0]']
    """
    return [value.strip() for value in re.split(r",(?![^\[]*\])", text) if value.strip()]


def _check(values: Sequence[str]) -> None:
    if not values or len(set(values)) < len(values) or any("/" in value for value in values):
        raise ValueError(
            f"--values {','.join(values)}: give different values by commas, without '/'"
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("a sweep trains its runs in one process: start it without torchrun")


def _require_same(run: Path, settings: ActionSettings) -> None:
    """Refuse to take an ended run for one with other settings; where the data lie may change."""
    now = settings.model_dump(
        mode="json", exclude={"data": {"path", "source"}, "train": set(RESUMABLE)}
    )
    for place, old, new in differences(read_record(run).settings, now):
        raise ValueError(
            f"{run} has ended with {place} = {old!r}, and the sweep wants {new!r}: name another "
            "folder with --runs, or delete that run"
        )
