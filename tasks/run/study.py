"""Studies: several arms, seeds and folds of one recipe, with one table, the same for every task.

An arm is a recipe with overrides, such as the full objective without one of its terms. A study can
be stopped and called again: finished runs are only read, interrupted ones are resumed.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from aclnet.config import load_settings
from aclnet.data.changes import content_fingerprint
from aclnet.runs.info import SETTINGS
from aclnet.training.machine.interrupts import Interrupted
from aclnet.training.settings import RESUMABLE
from protocols.records import FOLDS_TOGETHER, ResultRecord
from protocols.statistics.comparison import compare
from protocols.text import align_columns, format_mean, format_rate
from tasks.run.judged import BASELINE, BASELINE_RECORD, RECORD, Origin, make_record, read_record
from tasks.run.pipeline import train_and_evaluate
from tasks.run.resume import differences
from tasks.run.saved import read_saved
from tasks.samples.left_out import lost_data
from tasks.samples.open import open_data
from tasks.settings import ARM_WEIGHTS, TaskSettings
from tasks.spec import Report, TaskSpec

_WEIGHT = re.compile(r"\d{1,6}(\.\d{1,12})?")
_WAY_OUT = "give another folder with --runs, or delete that run"

Records = dict[tuple[str, int], ResultRecord]
"""By arm and seed."""


class TrainedArm(NamedTuple):
    """The finished runs of one arm and seed.

    Attributes:
        arm: name of the arm.
        seed: seed of its runs.
        runs: folders of its runs, one per fold.
    """

    arm: str
    seed: int
    runs: tuple[Path, ...]


@dataclass(frozen=True)
class StudyPlan:
    """The recipe and seeds of a study, and its folders.

    Attributes:
        spec: the task.
        make_settings: function of further overrides that returns the recipe's settings.
        seeds: seeds of the runs.
        runs: folder for the runs, `<arm>-seed<seed>`, followed by `-fold<fold>` if there are folds.
        results: folder for the records.
        cache: folder for converted and generated data.
        command: command line, for the records and for resuming the study.
        report: called with progress messages.
    """

    spec: TaskSpec
    make_settings: Callable[[Sequence[str]], TaskSettings]
    seeds: Sequence[int]
    runs: Path
    results: Path
    cache: Path
    command: str
    report: Report

    def train(self, settings: TaskSettings, run: Path, **options: Any) -> None:
        """Train one run, or resume it.

        Args:
            settings: settings of the run.
            run: its folder.
            **options: further arguments of `train_and_evaluate`.

        Raises:
            ValueError: as `train_and_evaluate`.
        """
        options = {"command": self.command, "report": self.report, **options}
        train_and_evaluate(self.spec, settings, run, self.cache, resume=True, **options)

    @contextmanager
    def resumable(self) -> Iterator[None]:
        """Make whatever is stopped inside say how to resume the study.

        Raises:
            Interrupted: stopped; the message names the command, without a run's --resume.
        """
        try:
            yield
        except (Interrupted, KeyboardInterrupt) as signal:
            raise Interrupted(
                "stopped; the training so far is saved: resume the study with the same command: "
                f"{self.command}",
                signal,
            ) from None


def study(
    plan: StudyPlan, arms: Sequence[str] | None = None, folds: Sequence[str] | None = None
) -> str:
    """Train every arm with every seed on every fold; finished runs are only read.

    Writes one record per arm and seed to the results, `<arm>-seed<seed>.json`.

    Args:
        plan: recipe, seeds and folders.
        arms: names in the settings' `arms`; None: the usual ones.
        folds: folds of the split, evaluated together for each seed; None: all folds.

    Returns:
        Mean and spread of each arm and of the baseline, and each arm compared with the first.

    Raises:
        ValueError: an arm is unknown, or as `run_arms`.
    """
    recipe, spec = plan.make_settings([]), plan.spec
    baseline: Records = {}
    learned: Records = {}
    for arm, seed, folders in run_arms(
        plan, chosen_arms(recipe, arms), recipe.folds() if folds is None else folds
    ):
        learned[arm, seed] = joined(spec, folders)
        learned[arm, seed].write(plan.results / f"{arm}-seed{seed}.json")
        # The baseline learns nothing: it is the same for every arm, so one per seed is kept.
        if len(folders) == 1 and (folders[0] / BASELINE_RECORD).is_file():
            baseline[BASELINE, seed] = read_record(folders[0], BASELINE_RECORD)
            baseline[BASELINE, seed].write(plan.results / f"{BASELINE}-seed{seed}.json")
    return summary(spec, {**baseline, **learned})


def chosen_arms(settings: TaskSettings, names: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """Select arms by name, in the given order.

    Args:
        settings: settings of the recipe, which define its arms.
        names: names of arms, where wanted with the weight of their terms: `acl=0.1`; None: the
            usual ones.

    Raises:
        ValueError: a name is unknown, its arm has no weight or the weight is no number above 0, or
            there are no names.
    """
    known = settings.arms()
    chosen = settings.usual_arms() if names is None else names
    if not chosen:
        raise ValueError(f"a study needs at least one arm: give some of {', '.join(known)}")
    return {name: _overrides_of(name, known) for name in chosen}


def _overrides_of(chosen: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The overrides of an arm, followed by those of its weight."""
    name, equals, weight = chosen.partition("=")
    if name not in known:
        raise ValueError(
            f"--arms: unknown arm {name!r}; known for this recipe are {', '.join(known)}"
        )
    if not equals:
        return known[name]
    if name not in ARM_WEIGHTS:
        raise ValueError(
            f"--arms {chosen}: {name} has no term to weigh; {', '.join(ARM_WEIGHTS)} have"
        )
    if not _WEIGHT.fullmatch(weight) or float(weight) == 0:
        raise ValueError(f"--arms {chosen}: the weight must be a number above 0, such as 0.1")
    return (*known[name], *(place.format(weight) for place in ARM_WEIGHTS[name]))


def joined(spec: TaskSpec, runs: Sequence[Path]) -> ResultRecord:
    """The record of a run, or of all folds, in which every test sample counts once.

    Args:
        spec: the task.
        runs: a finished run, or one for each fold.
    """
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
        counts={"folds": len(runs), "train_all_folds": trained, **lost_data(first.counts)},
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
    """Train every arm with every seed on every fold, unless that run is finished.

    Before the first training, all settings are made, and the settings and data of finished runs are
    compared with the study's.

    Args:
        plan: recipe, seeds and folders.
        arms: overrides by name.
        folds: folds of the split; (None,) if it has none.
        train_one: trains or resumes a run in its folder and writes its record; None: `plan.train`.

    Yields:
        Each arm and seed when its runs are finished, seed by seed.

    Raises:
        ValueError: there is nothing to train, there are several processes, the settings do not fit
            the recipe, a finished run has other settings or data, or as `train_one`.
    """
    if not arms or not plan.seeds or not folds:
        raise ValueError("a study needs at least one arm, one seed and one fold")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "a study trains its runs in one process: start it without torchrun, or train each run "
            "with `aclnet-task ... train`"
        )
    planned = {
        (arm, seed): [_planned(plan, arm, changes, seed, fold) for fold in folds]
        for seed in plan.seeds
        for arm, changes in arms.items()
    }
    finished = {
        one.run: one.settings
        for runs in planned.values()
        for one in runs
        if (one.run / RECORD).is_file()
    }
    for run, settings in finished.items():
        require_same(run, settings)
    require_same_data(finished, plan.cache, plan.report)
    for (arm, seed), runs in planned.items():
        for one in runs:
            if not (one.run / RECORD).is_file():
                plan.report(one.label)
                (train_one or plan.train)(one.settings, one.run)
        yield TrainedArm(arm, seed, tuple(one.run for one in runs))


class _Planned(NamedTuple):
    """A run of a study: its folder, its settings, and its name in the progress."""

    run: Path
    settings: TaskSettings
    label: str


def _planned(
    plan: StudyPlan, arm: str, changes: Sequence[str], seed: int, fold: str | None
) -> _Planned:
    overrides = [f"train.seed={seed}", *changes]
    name, label = f"{arm}-seed{seed}", f"{arm}, seed {seed}"
    if fold is not None:
        # Quoted: folds are names, and YAML would read a bare 1 as a number.
        overrides.append(f"fold={fold!r}")
        name, label = f"{name}-fold{fold}", f"{label}, fold {fold}"
    return _Planned(plan.runs / name, plan.make_settings(overrides), label)


def require_same(run: Path, settings: TaskSettings) -> None:
    """Check that a finished run has the study's settings; the location of the data may differ.

    Raises:
        ValueError: a setting that both have differs, or the run's record is damaged.
    """
    for place, old, new in other_settings(run, settings):
        raise ValueError(
            f"{run} was trained with {place} = {old!r}, but the study has {new!r}: {_WAY_OUT}"
        )


def other_settings(run: Path, settings: TaskSettings) -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, old and new value of a finished run's settings that are others now.

    Raises:
        ValueError: the run's record is damaged.
    """
    now = settings.model_dump(
        mode="json", exclude={"data": {"path", "source"}, "train": set(RESUMABLE)}
    )
    return differences(read_record(run).settings, now)


def require_same_data(finished: Mapping[Path, TaskSettings], cache: Path, report: Report) -> None:
    """Check that finished runs used the study's data, wherever these are now.

    The data are opened once and their fingerprints compared. If they are missing, as in a study of
    which only the runs were kept, the fingerprints of the runs must agree with each other, and the
    name of their file with the study's.

    Args:
        finished: the study's settings for each finished run.
        cache: folder for converted and generated data.
        report: called with progress messages.

    Raises:
        ValueError: the data differ or cannot be read, or a run's record is damaged.
    """
    expected: dict[str, tuple[str, str]] = {}
    for run, settings in finished.items():
        record, data = read_record(run), settings.data
        source = data.model_dump_json()
        if source not in expected:
            if data.source == "file" if data.path is None else not data.path.exists():
                _check_name(run, record.settings.get("data", {}).get("path"), data.path)
                expected[source] = record.dataset.fingerprint, f"those of {run}"
            else:
                store = open_data(data, cache, report)
                expected[source] = content_fingerprint(store), "the study's"
        fingerprint, whose = expected[source]
        if record.dataset.fingerprint != fingerprint:
            raise ValueError(
                f"{run} was trained on other data (data set {record.dataset.name}, fingerprint "
                f"{record.dataset.fingerprint[:12]}) than {whose} (fingerprint "
                f"{fingerprint[:12]}): {_WAY_OUT}"
            )


def _check_name(run: Path, before: str | None, now: Path | None) -> None:
    """Compare the names of the data, all that is known of data that are missing."""
    if before is not None and now is not None and Path(before).name != now.name:
        raise ValueError(
            f"{run} was trained on data {before}, and the study's data {now} are missing and "
            f"cannot be compared: correct the path of --data, {_WAY_OUT}"
        )


def summary(spec: TaskSpec, records: Records) -> str:
    """The study's table, followed by the comparison of each arm with the first trained one."""
    first = next(record for (arm, _), record in records.items() if arm != BASELINE)
    majority = first.metrics.get("majority")
    more = [] if majority is None else [["majority", "", format_rate(majority)]]
    table = summary_table(records, spec.columns(first), more)
    return "\n".join([table, *_comparisons(records)])


def _comparisons(records: Records) -> list[str]:
    """Each arm compared with the first over all shared seeds, if the records allow it."""
    lines = []
    arms = list(dict.fromkeys(arm for arm, _ in records if arm != BASELINE))
    for arm in arms[1:]:
        seeds = [seed for name, seed in records if name == arm and (arms[0], seed) in records]
        runs, first = ([records[side, seed] for seed in seeds] for side in (arm, arms[0]))
        try:
            found = compare(runs, first, "seeds", names=(arm, arms[0]))
        except ValueError:
            continue
        lines.append(f"{arm} against {arms[0]}: {found.sentence}")
    return lines


def summary_table(
    records: Mapping[tuple[str, int], ResultRecord],
    metrics: Sequence[str],
    more: Sequence[Sequence[str]] = (),
) -> str:
    """Rates in percent, mean ± standard deviation over seeds (N - 1), one row per arm.

    For one seed only the value is shown. If a record lacks a rate, because its protocol may leave
    it undefined, the mean is `nan`.

    Args:
        records: by arm and seed.
        metrics: names of the rates, the columns.
        more: further rows.
    """
    rows = [["arm", "seeds", *metrics]]
    for arm in dict.fromkeys(arm for arm, _ in records):
        own = [record.metrics for (name, _), record in records.items() if name == arm]
        means = [format_mean([rates.get(name, math.nan) for rates in own]) for name in metrics]
        rows.append([arm, str(len(own)), *means])
    return align_columns([*rows, *more])
