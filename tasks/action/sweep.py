"""One setting, several values, several seeds, one table: how much hangs on the value (Fig. 4)?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.run.judged import read_record
from tasks.run.study import Records, StudyPlan, run_arms, summary


def sweep(plan: StudyPlan, setting: str, values: Sequence[str]) -> str:
    """Train with each value of one setting and each seed; a run that has ended is only read.

    A record a run goes into the results, `<last part of the setting>=<value>-seed<seed>.json`,
    whose variant is the setting.

    Args:
        plan: recipe, seeds and folders.
        setting: such as `objective.overlap`.
        values: its values, as in an override.

    Returns:
        Accuracies by value, and each value against the first, as text.

    Raises:
        ValueError: the recipe has no such setting or it cannot have such a value (said before any
            training), a run has ended with other settings, or what `train_and_evaluate` raises.
    """
    _check(values)
    short = setting.rpartition(".")[2]
    arms = {f"{short}={value}": (f"{setting}={value}",) for value in values}
    records: Records = {}
    for arm, seed, (run,) in run_arms(plan, arms):
        # One of a sweep is no further result of its objective.
        update = {"kind": "sweep", "variant": setting, "command": plan.command}
        records[arm, seed] = read_record(run).model_copy(update=update)
        records[arm, seed].write(plan.results / f"{arm}-seed{seed}.json")
    return summary(plan.spec, records)


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
