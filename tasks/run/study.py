"""Several arms, several seeds, one table: what the studies of all tasks share.

An arm is a recipe with changes, such as the whole objective without one of its terms. A study can
be stopped and called again: a run that has ended is only read, one that was interrupted goes on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from protocols.records import ResultRecord
from protocols.text import align_columns, format_mean
from tasks.run.adapter import Report
from tasks.run.ended import require_same, require_same_data
from tasks.run.records import RECORD
from tasks.settings import TaskSettings

SettingsT = TypeVar("SettingsT", bound=TaskSettings)

_NO_INTER, _NO_INTRA = "objective.inter_weight=0", "objective.intra_weight=0"
_ONE_TEMPERATURE = "objective.temperatures=[0.5,0.5,0.5]"
ARMS: dict[str, tuple[str, ...]] = {
    "ce": (_NO_INTER, _NO_INTRA),
    "ce+inter-fat": (_NO_INTRA, _ONE_TEMPERATURE),
    "ce+inter": (_NO_INTRA,),
    "ce+intra": (_NO_INTER,),
    "acl": (),
}
"""The rows of the paper's Table VIII, as changes of a recipe with the whole objective.

`ce+inter-fat` is the inter-class term with one temperature for all families, the middle one, as the
paper does not say which it takes where the family-aware temperature is left out.
"""


class TrainedArm(NamedTuple):
    """What one arm and seed left.

    Attributes:
        arm: its name.
        seed: of its runs.
        runs: folders of its runs, which have ended: one a fold.
    """

    arm: str
    seed: int
    runs: tuple[Path, ...]


def chosen_arms(names: Sequence[str], kind: str = "arm") -> dict[str, tuple[str, ...]]:
    """Arms by name, in the order given.

    Args:
        names: of `ARMS`.
        kind: what the task calls them, for the message.

    Raises:
        ValueError: a name is unknown, or there is none.
    """
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise ValueError(f"unknown {kind} {unknown[0]!r}; known are {', '.join(ARMS)}")
    if not names:
        raise ValueError(f"a study needs at least one {kind}: name some of {', '.join(ARMS)}")
    return {name: ARMS[name] for name in names}


def run_arms(
    make_settings: Callable[[Sequence[str]], SettingsT],
    arms: Mapping[str, Sequence[str]],
    seeds: Sequence[int],
    runs: Path,
    train_one: Callable[[SettingsT, Path], object],
    *,
    cache: Path,
    report: Report,
    folds: Sequence[str | None] = (None,),
) -> Iterator[TrainedArm]:
    """Train every arm with every seed on every fold, where that has not been done.

    All settings are made, and all runs that have ended are compared with theirs and with the
    study's data, before the first training.

    Args:
        make_settings: the recipe's settings with further overrides.
        arms: overrides by name.
        seeds: the runs' seeds.
        runs: a folder a run goes here, `<arm>-seed<seed>` and `-fold<fold>` where there are folds.
        train_one: trains and judges a run in its folder, or goes on with it; leaves its record.
        cache: folder for converted and generated data.
        report: told which run begins.
        folds: the split's folds; (None,) where it has none.

    Yields:
        Each arm and seed when its runs have ended, seed by seed.

    Raises:
        ValueError: nothing to train, several processes, settings that the recipe does not take, a
            run that has ended with other settings or on other data, or what `train_one` raises.
    """
    _check_plan(arms, seeds, folds)
    plan = {
        (arm, seed): [_planned(make_settings, arm, changes, seed, fold, runs) for fold in folds]
        for seed in seeds
        for arm, changes in arms.items()
    }
    planned_runs = [one for planned in plan.values() for one in planned]
    ended = {one.run: one.settings for one in planned_runs if (one.run / RECORD).is_file()}
    for run, settings in ended.items():
        require_same(run, settings)
    require_same_data(ended, cache, report)
    for (arm, seed), planned in plan.items():
        for one in planned:
            if not (one.run / RECORD).is_file():
                report(one.label)
                train_one(one.settings, one.run)
        yield TrainedArm(arm, seed, tuple(one.run for one in planned))


def summary_table(
    records: Mapping[tuple[str, int], ResultRecord],
    metrics: Sequence[str],
    kind: str = "arm",
    *more: Sequence[str],
) -> str:
    """Rates in percent, mean ± standard deviation over seeds (N - 1), a row an arm.

    One seed has no spread, and none is printed. A rate that a record lacks, as its protocol may
    leave it undefined, makes the mean undefined: `nan`.

    Args:
        records: by arm and seed.
        metrics: names of the rates, the columns.
        kind: heading of the arms' column.
        more: further rows.
    """
    rows = [[kind, "seeds", *metrics]]
    for arm in dict.fromkeys(arm for arm, _ in records):
        mine = [record.metrics for (name, _), record in records.items() if name == arm]
        means = [format_mean([rates.get(name, math.nan) for rates in mine]) for name in metrics]
        rows.append([arm, str(len(mine)), *means])
    return align_columns([*rows, *more])


def _check_plan(
    arms: Mapping[str, Sequence[str]], seeds: Sequence[int], folds: Sequence[str | None]
) -> None:
    if not arms or not seeds or not folds:
        raise ValueError("a study needs at least one arm, one seed and one fold")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "a study trains its runs in one process: start it without torchrun, or train each run "
            "with `aclnet-task ... train`"
        )


@dataclass(frozen=True)
class _Planned(Generic[SettingsT]):
    """A run of a study: its folder, its settings, and what it is called in the progress."""

    run: Path
    settings: SettingsT
    label: str


def _planned(
    make_settings: Callable[[Sequence[str]], SettingsT],
    arm: str,
    changes: Sequence[str],
    seed: int,
    fold: str | None,
    runs: Path,
) -> _Planned[SettingsT]:
    chosen = [f"train.seed={seed}", *changes]
    name, label = f"{arm}-seed{seed}", f"{arm}, seed {seed}"
    if fold is not None:
        # In quotes: a bare 1 would be a number in YAML, and folds are names.
        chosen.append(f"fold={fold!r}")
        name, label = f"{name}-fold{fold}", f"{label}, fold {fold}"
    return _Planned(runs / name, make_settings(chosen), label)
