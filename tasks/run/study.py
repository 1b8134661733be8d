"""Several arms, several seeds, all folds, one table, the same for every task.

An arm is a recipe with changes, such as the whole objective without one of its terms. A study can
be stopped and called again: a run that has ended is only read, one that was interrupted goes on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from aclnet.config import load_settings
from aclnet.runs.info import SETTINGS
from aclnet.training.interrupts import Interrupted
from protocols.records import FOLDS_TOGETHER, ResultRecord
from protocols.statistics.comparison import compare
from protocols.text import align_columns, format_mean, format_rate
from tasks.run.adapter import Report
from tasks.run.ended import require_same, require_same_data
from tasks.run.judged import BASELINE, BASELINE_RECORD, RECORD, Origin, make_record, read_record
from tasks.run.pipeline import train_and_evaluate
from tasks.run.saved import read_saved
from tasks.settings import TaskSettings
from tasks.spec import TaskSpec

Records = dict[tuple[str, int], ResultRecord]
"""By arm and seed."""


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


@dataclass(frozen=True)
class StudyPlan:
    """Of which recipe a study makes runs, and where they go.

    Attributes:
        spec: the task.
        make_settings: the recipe's settings with further overrides.
        seeds: the runs' seeds.
        runs: a folder a run goes here, `<arm>-seed<seed>` and `-fold<fold>` where there are folds.
        results: records go here.
        cache: folder for converted and generated data.
        command: the command line, for the records, and for who stops the study.
        report: takes sentences of progress.
    """

    spec: TaskSpec
    make_settings: Callable[[Sequence[str]], TaskSettings]
    seeds: Sequence[int]
    runs: Path
    results: Path
    cache: Path
    command: str
    report: Report

    def train(self, settings: TaskSettings, run: Path, **how: Any) -> None:
        """Train one run, or continue it.

        Args:
            settings: of the run.
            run: its folder.
            how: further arguments of `train_and_evaluate`.

        Raises:
            ValueError: what `train_and_evaluate` raises.
            Interrupted: stopped; the message names the command that continues the study.
        """
        told = {"command": self.command, "report": self.report, **how}
        try:
            train_and_evaluate(self.spec, settings, run, self.cache, resume=True, **told)
        except Interrupted:
            # A single run says --resume, which a study does not have: it always continues.
            raise Interrupted(
                f"stopped in the run {run}; everything is saved: give the same command again to "
                f"continue the study: {self.command}"
            ) from None


def study(
    plan: StudyPlan, arms: Sequence[str] | None = None, folds: Sequence[str] | None = None
) -> str:
    """Train every arm with every seed on every fold; a run that has ended is only read.

    A record an arm and seed goes into the results, `<arm>-seed<seed>.json`.

    Args:
        plan: recipe, seeds and folders.
        arms: names in the settings' `arms`; None: the usual ones.
        folds: of the split; None: all that it names. Folds of a seed are judged together.

    Returns:
        Mean and spread of each arm and of the floor, and each arm against the first, as text.

    Raises:
        ValueError: an unknown arm, or what `run_arms` raises.
        Interrupted: stopped; the same command continues.
    """
    recipe, spec = plan.make_settings([]), plan.spec
    floor: Records = {}
    learned: Records = {}
    for arm, seed, folders in run_arms(
        plan, chosen_arms(recipe, arms), recipe.folds() if folds is None else folds
    ):
        learned[arm, seed] = _joined(spec, folders)
        learned[arm, seed].write(plan.results / f"{arm}-seed{seed}.json")
        # The floor learns nothing: every arm has the same, and one a seed is kept.
        if len(folders) == 1 and (folders[0] / BASELINE_RECORD).is_file():
            floor[BASELINE, seed] = read_record(folders[0], BASELINE_RECORD)
            floor[BASELINE, seed].write(plan.results / f"{BASELINE}-seed{seed}.json")
    return summary(spec, {**floor, **learned})


def chosen_arms(settings: TaskSettings, names: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """Arms by name, in the order given.

    Args:
        settings: a recipe's, which say what may be compared.
        names: of its arms; None: the usual ones.

    Raises:
        ValueError: a name is unknown, or there is none.
    """
    known = settings.arms()
    chosen = settings.usual_arms() if names is None else names
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise ValueError(
            f"--arms: unknown arm {unknown[0]!r}; known for this recipe are {', '.join(known)}"
        )
    if not chosen:
        raise ValueError(f"a study needs at least one arm: name some of {', '.join(known)}")
    return {name: known[name] for name in chosen}


def _joined(spec: TaskSpec, runs: Sequence[Path]) -> ResultRecord:
    """The record of a run, or of all folds: every sample counts once, in the fold that tests it."""
    first = read_record(runs[0])
    if len(runs) == 1:
        return first
    records = [read_record(run) for run in runs]
    settings = load_settings(spec.settings, runs[0] / SETTINGS)
    judged = spec.judge(spec.join([read_saved(spec, run) for run in runs]), settings, None)
    trained = sum(record.counts["train"] for record in records)
    origin = replace(
        Origin.of_run(runs[0]),
        fold=FOLDS_TOGETHER,
        counts={"folds": len(runs), "train_all_folds": trained},
        settings={**first.settings, "fold": None},
        seconds=sum(record.seconds for record in records),
    )
    return make_record(spec.name, judged, origin, first.command)


def run_arms(
    plan: StudyPlan,
    arms: Mapping[str, Sequence[str]],
    folds: Sequence[str | None] = (None,),
    train_one: Callable[[TaskSettings, Path], object] | None = None,
) -> Iterator[TrainedArm]:
    """Train every arm with every seed on every fold, where that has not been done.

    All settings are made, and all runs that have ended are compared with theirs and with the
    study's data, before the first training.

    Args:
        plan: recipe, seeds and folders.
        arms: overrides by name.
        folds: the split's folds; (None,) where it has none.
        train_one: trains a run in its folder, or continues it, and leaves its record; None:
            `plan.train`.

    Yields:
        Each arm and seed when its runs have ended, seed by seed.

    Raises:
        ValueError: nothing to train, several processes, settings that the recipe does not take, a
            run that has ended with other settings or on other data, or what `train_one` raises.
    """
    _check_plan(arms, plan.seeds, folds)
    planned = {
        (arm, seed): [_planned(plan, arm, changes, seed, fold) for fold in folds]
        for seed in plan.seeds
        for arm, changes in arms.items()
    }
    every = [one for runs in planned.values() for one in runs]
    ended = {one.run: one.settings for one in every if (one.run / RECORD).is_file()}
    for run, settings in ended.items():
        require_same(run, settings)
    require_same_data(ended, plan.cache, plan.report)
    for (arm, seed), runs in planned.items():
        for one in runs:
            if not (one.run / RECORD).is_file():
                plan.report(one.label)
                (train_one or plan.train)(one.settings, one.run)
        yield TrainedArm(arm, seed, tuple(one.run for one in runs))


def summary(spec: TaskSpec, records: Records) -> str:
    """The study's table and, under it, each arm against the first that learns."""
    first = next(record for (arm, _), record in records.items() if arm != BASELINE)
    majority = first.metrics.get("majority")
    more = [] if majority is None else [["majority", "", format_rate(majority)]]
    table = summary_table(records, spec.columns(first), more)
    return "\n".join([table, *_comparisons(records)])


def _comparisons(records: Records) -> list[str]:
    """Each arm against the first, all seeds together; nothing where the records cannot tell."""
    lines = []
    arms = list(dict.fromkeys(arm for arm, _ in records if arm != BASELINE))
    for arm in arms[1:]:
        seeds = [seed for name, seed in records if name == arm and (arms[0], seed) in records]
        runs, first = ([records[side, seed] for seed in seeds] for side in (arm, arms[0]))
        try:
            found = compare(runs, first, "seeds")
        except ValueError:
            continue
        lines.append(f"{arm} against {arms[0]}: {found.sentence}")
    return lines


def summary_table(
    records: Mapping[tuple[str, int], ResultRecord],
    metrics: Sequence[str],
    more: Sequence[Sequence[str]] = (),
) -> str:
    """Rates in percent, mean ± standard deviation over seeds (N - 1), a row an arm.

    One seed has no spread, and none is printed. A rate that a record lacks, as its protocol may
    leave it undefined, makes the mean undefined: `nan`.

    Args:
        records: by arm and seed.
        metrics: names of the rates, the columns.
        more: further rows.
    """
    rows = [["arm", "seeds", *metrics]]
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


class _Planned(NamedTuple):
    """A run of a study: its folder, its settings, and its name in the progress."""

    run: Path
    settings: TaskSettings
    label: str


def _planned(
    plan: StudyPlan, arm: str, changes: Sequence[str], seed: int, fold: str | None
) -> _Planned:
    chosen = [f"train.seed={seed}", *changes]
    name, label = f"{arm}-seed{seed}", f"{arm}, seed {seed}"
    if fold is not None:
        # In quotes: a bare 1 would be a number in YAML, and folds are names.
        chosen.append(f"fold={fold!r}")
        name, label = f"{name}-fold{fold}", f"{label}, fold {fold}"
    return _Planned(plan.runs / name, plan.make_settings(chosen), label)
