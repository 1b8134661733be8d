"""Sensitivity to one setting: several values and seeds in one table (Fig. 4)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.run.judged import read_record
from tasks.run.study import Records, StudyPlan, run_arms, summary


def sweep(plan: StudyPlan, setting: str, values: Sequence[str]) -> str:
    """Train with each value of one setting and each seed; finished runs are only read.

    Writes one record per run to the results, `<last part of the setting>=<value>-seed<seed>.json`,
    with the setting as its variant.

    Args:
        plan: recipe, seeds and folders.
        setting: such as `objective.overlap`.
        values: its values, as in an override.

    Returns:
        Accuracies by value, and each value compared with the first, as text.

    Raises:
        ValueError: the recipe has no such setting, a value is invalid or given twice (raised before
            any training), a finished run has other settings, or as `train_and_evaluate`.
    """
    if not values or len(set(values)) < len(values) or any("/" in value for value in values):
        raise ValueError(
            f"--values {','.join(values)}: give distinct comma-separated values without '/'"
        )
    short = setting.rpartition(".")[2]
    arms = {f"{short}={value}": (f"{setting}={value}",) for value in values}
    records: Records = {}
    for arm, seed, (run,) in run_arms(plan, arms):
        # Of its own kind, as it is not one more result of its objective.
        update = {"kind": "sweep", "variant": setting, "command": plan.command}
        records[arm, seed] = read_record(run).model_copy(update=update)
        records[arm, seed].write(plan.results / f"{arm}-seed{seed}.json")
    return summary(plan.spec, records)


def split_values(text: str) -> list[str]:
    """Split comma-separated values; commas inside brackets do not split.

    >>> split_values("2, [0.1,0.5,1.0]")
    ['2', '[0.1,0.5,1.0]']
    """
    return [value.strip() for value in re.split(r",(?![^\[]*\])", text) if value.strip()]
