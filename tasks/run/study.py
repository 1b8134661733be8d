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
from typing import Generic, NamedTuple, TypeVar

from aclnet.config import load_settings
from aclnet.runs.info import SETTINGS
from aclnet.training.interrupts import Interrupted
from protocols.records import FOLDS_TOGETHER, ResultRecord
from protocols.statistics.comparison import compare
from protocols.text import align_columns, format_mean, format_rate
from tasks.run.adapter import Report
from tasks.run.ended import require_same, require_same_data
from tasks.run.judged import BASELINE, BASELINE_RECORD, RECORD, Origin, make_record, read_record
from tasks.run.pipeline import MakeAdapter, train_and_evaluate
from tasks.run.saved import read_saved
from tasks.settings import TaskSettings
from tasks.spec import TaskSpec

SettingsT = TypeVar("SettingsT", bound=TaskSettings)
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


def study(
    spec: TaskSpec,
    make_settings: Callable[[Sequence[str]], TaskSettings],
    *,
    arms: Sequence[str] | None,
    seeds: Sequence[int],
    folds: Sequence[str] | None = None,
    runs: Path,
    results: Path,
    cache: Path,
    command: str,
    report: Report,
) -> str:
    """Train every arm with every seed on every fold; a run that has ended is only read.

    Args:
        spec: the task.
        make_settings: the recipe's settings with further overrides.
        arms: names in the settings' `arms`; None: the usual ones.
        seeds: the runs' seeds.
        folds: of the split; None: all that it names. Folds of a seed are judged together.
        runs: a folder a run goes here.
        results: a record an arm and seed goes here, `<arm>-seed<seed>.json`.
        cache: folder for converted and generated data.
        command: the command line, for the records.
        report: takes sentences of progress.

    Returns:
        Mean and spread of each arm and of the floor, and each arm against the first, as text.

    Raises:
        ValueError: an unknown arm, a run that has ended with other settings, or what
            `train_and_evaluate` raises.
        Interrupted: stopped; the same command goes on.
    """
    recipe = make_settings([])
    chosen = chosen_arms(recipe, arms)
    train_one = trainer(spec, cache, command, report)
    floor: Records = {}
    learned: Records = {}
    for arm, seed, folders in run_arms(
        make_settings,
        chosen,
        seeds,
        runs,
        train_one,
        cache=cache,
        report=report,
        folds=recipe.folds() if folds is None else folds,
    ):
        learned[arm, seed] = _joined(spec, folders, command)
        learned[arm, seed].write(results / f"{arm}-seed{seed}.json")
        # The floor learns nothing: every arm has the same, and one a seed is kept.
        if len(folders) == 1 and (folders[0] / BASELINE_RECORD).is_file():
            floor[BASELINE, seed] = read_record(folders[0], BASELINE_RECORD)
            floor[BASELINE, seed].write(results / f"{BASELINE}-seed{seed}.json")
    return summary(spec, {**floor, **learned})


def trainer(
    spec: TaskSpec,
    cache: Path,
    command: str,
    report: Report,
    make_adapter: Callable[[Path], MakeAdapter] | None = None,
) -> Callable[[TaskSettings, Path], None]:
    """What trains one run of a study, or goes on with it.

    Args:
        spec: the task.
        cache: folder for converted and generated data.
        command: the command line, for the record and for who stops it.
        report: takes sentences of progress.
        make_adapter: of the run's folder: the adapter of a study that keeps more of the training.

    Returns:
        A function of settings and the run's folder. It raises what `train_and_evaluate` raises;
        `Interrupted` says which command goes on.
    """

    def train_one(settings: TaskSettings, run: Path) -> None:
        try:
            train_and_evaluate(
                spec,
                settings,
                run,
                cache,
                command=command,
                resume=True,
                report=report,
                make_adapter=None if make_adapter is None else make_adapter(run),
            )
        except Interrupted:
            # A single run says --resume, which a study has not: it always goes on.
            raise Interrupted(
                f"stopped in the run {run}; everything is saved: give the same command again to "
                f"go on with the study: {command}"
            ) from None

    return train_one


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


def _joined(spec: TaskSpec, runs: Sequence[Path], command: str) -> ResultRecord:
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
    return make_record(spec.name, judged, origin, first.command or command)


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
