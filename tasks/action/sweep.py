"""One setting, several values, several seeds, one table: how much hangs on the value (Fig. 4)?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from protocols.records import ResultRecord
from tasks.run.adapter import Report
from tasks.run.judged import read_record
from tasks.run.study import Records, run_arms, summary, trainer
from tasks.settings import TaskSettings
from tasks.spec import TaskSpec


def sweep(
    spec: TaskSpec,
    make_settings: Callable[[Sequence[str]], TaskSettings],
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
        spec: the task.
        make_settings: the recipe's settings with further overrides.
        setting: such as `objective.overlap`.
        values: its values, as in an override.
        seeds: the runs' seeds.
        runs: a folder a run goes here.
        results: a record a run goes here, `<last part of the setting>=<value>-seed<seed>.json`,
            whose variant is the setting.
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
    train_one = trainer(spec, cache, command, report)
    short = setting.rpartition(".")[2]
    arms = {f"{short}={value}": (f"{setting}={value}",) for value in values}
    records: Records = {}
    for arm, seed, (run,) in run_arms(
        make_settings, arms, seeds, runs, train_one, cache=cache, report=report
    ):
        records[arm, seed] = _marked(read_record(run), setting, command)
        records[arm, seed].write(results / f"{arm}-seed{seed}.json")
    return summary(spec, records)


def _marked(record: ResultRecord, setting: str, command: str) -> ResultRecord:
    """The record of a run as one of a sweep, which is no further result of its objective."""
    update = {"kind": "sweep", "variant": setting, "command": command}
    return record.model_copy(update=update)


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
