"""Actions of no class: a run calibrated to refuse them, and a study of how well that works.

Whatever is calibrated is calibrated on people of the training who were held out: the recipe is
trained without each fold of them in turn, and the network that never saw them scores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aclnet.clips.settings import Rows
from aclnet.config import load_settings
from aclnet.data.store import Store
from aclnet.progress import counting
from aclnet.runs.calibration import (
    KNOWN_SCORES,
    Calibration,
    KnownScore,
    calibrated,
    known_scores,
    weights_hash,
)
from aclnet.runs.inference import score
from aclnet.runs.info import SETTINGS, read_run_info
from aclnet.runs.model import load
from protocols.action.division import LEAVE, TEST, TRAIN, Division
from protocols.action.unknown import (
    Refusals,
    calibration_error,
    fit_temperature,
    groups_of_classes,
    separation,
)
from protocols.names import natural_order
from protocols.records import ResultRecord, now
from protocols.text import align_columns, format_mean, format_rate
from tasks.action.adapter import ActionAdapter
from tasks.action.settings import ActionSettings
from tasks.run.adapter import run_info
from tasks.run.environment import describe_environment
from tasks.run.judged import RECORD, read_record
from tasks.run.pipeline import train_and_evaluate
from tasks.run.saved import require_task
from tasks.run.study import StudyPlan, require_same
from tasks.samples.open import open_data
from tasks.settings import naming_data
from tasks.spec import Report, find_task, silent

KIND = "unknown"
"""Kind of the study's records."""

_NOWHERE = np.float32(-1e4)
"""Logit of a class that a fold had no sample of."""


class LeftOutAdapter(ActionAdapter):
    """Action recognition without some classes and some of the training samples.

    Args:
        settings: resolved settings.
        store: the data set.
        report: called with messages.
        classes: those that are neither trained on nor tested.
        held: rows of the samples (after `data.min_frames`) that are not trained on.

    Attributes:
        left_out_classes: the classes that are left out.
        full: the division with these classes and samples.
    """

    def __init__(
        self,
        settings: ActionSettings,
        store: Store,
        report: Report = silent,
        *,
        classes: Sequence[str] = (),
        held: Rows | None = None,
    ) -> None:
        self.left_out_classes, self._held = tuple(classes), held
        super().__init__(settings, store, report)

    def _divided(self, report: Report) -> Division:
        self.full = super()._divided(report)
        gone = np.isin(self._label, self.left_out_classes)
        if self._held is not None:
            gone[self._held] = True
        role = np.where(gone, LEAVE, self.full.role)
        # Whatever only held-out people do cannot be tested.
        learnt = np.isin(self._label, self._label[role == TRAIN])
        role = np.where(learnt, role, LEAVE)
        return Division.of(role, self.full.subset)


class Scores(NamedTuple):
    """Scores of N samples over the K classes of a training.

    Attributes:
        logits: (N, K), mean over the test clips.
        plain: (N, K) probabilities without calibration.
        label: (N,) classes; -1 for those that were left out.
        subject: (N,) people; the sample's key where nobody is named.
    """

    logits: npt.NDArray[np.float32]
    plain: npt.NDArray[np.float32]
    label: Rows
    subject: npt.NDArray[np.str_]

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(N,) whether the class was trained on."""
        return self.label >= 0


@dataclass(frozen=True)
class HeldOut:
    """What trainings need that leave people out.

    Attributes:
        adapter: of the whole training, with or without some classes.
        folds: number of folds of the training people.
        cache: folder for converted data.
        command: command line, for the records.
        report: called with progress messages.
    """

    adapter: LeftOutAdapter
    folds: int
    cache: Path
    command: str
    report: Report

    def scores(self, runs: Path) -> tuple[Scores, int]:
        """The training samples, each scored by a network that saw nobody of its fold.

        Args:
            runs: prefix of the runs' folders, one a fold; finished runs are only read.

        Returns:
            Their scores, samples of left-out classes among them, and the number of people; 0 where
            the data do not name everybody, so that recordings were held out.

        Raises:
            ValueError: there is only one training person.
        """
        store = self.adapter.store
        trained = self.adapter.full.rows(TRAIN)
        people, keys = (store.index[n].to_numpy().astype(np.str_) for n in ("identity", "sample"))
        named = bool((people[trained] != "").all())
        unit = people if named else keys
        units = natural_order(unit[trained])
        folds = min(self.folds, len(units))
        if folds < 2:
            raise ValueError(
                f"data set {store.info.name}: there is one training person, and none is left to "
                "train on when that one is held out: train on two or more"
            )
        order = np.random.default_rng(self.adapter.settings.train.seed).permutation(len(units))
        parts = []
        for fold, part in enumerate(np.array_split(order, folds)):
            rows = trained[np.isin(unit[trained], [units[place] for place in part])]
            run = runs.with_name(f"{runs.name}-fold{fold}")
            self.report(f"{run.name}: {len(part)} of {len(units)} held out")
            self.train(run, rows)
            parts.append(self.score(run, rows))
        return Scores(*map(np.concatenate, zip(*parts, strict=True))), len(units) * named

    def train(self, run: Path, held: Rows | None = None) -> None:
        """Train without the held rows, unless the run is finished.

        Raises:
            ValueError: the finished run had other settings, classes or people, or as
                `train_and_evaluate`.
        """
        settings, store = self.adapter.settings, self.adapter.store
        left_out = self.adapter.left_out_classes
        if (run / RECORD).is_file():
            require_same(run, settings)
            own = LeftOutAdapter(settings, store, classes=left_out, held=held)
            if read_run_info(run).division != run_info("action", own).division:
                raise ValueError(
                    f"{run} was trained without other classes or people: give another folder with "
                    "--runs, or delete that run"
                )
            return
        train_and_evaluate(
            find_task("action"),
            settings,
            run,
            self.cache,
            command=self.command,
            resume=True,
            report=self.report,
            make_adapter=partial(LeftOutAdapter, classes=left_out, held=held),
        )

    def score(self, run: Path, rows: Rows) -> Scores:
        """Score samples with a finished run; those that are of no class of it by mishap are not.

        A fold may lack a class that only its held-out people do.
        """
        model, adapter = load(run), self.adapter
        label = adapter.store.index["label"].to_numpy()
        rows = rows[np.isin(label[rows], [*model.classes, *adapter.left_out_classes])]
        samples = adapter.store.select(rows)
        with counting(self.report, "testing") as progress:
            test = adapter.settings.test
            scored = score(model.network, samples, model.clip_input, test, progress=progress)
        number = {name: place for place, name in enumerate(adapter.classes)}
        columns = [number[name] for name in model.classes]
        logits = np.full((len(rows), len(number)), _NOWHERE, dtype=np.float32)
        plain = np.zeros_like(logits)
        logits[:, columns], plain[:, columns] = scored.logits, scored.probabilities
        keys, people = (samples.index[n].to_numpy().astype(np.str_) for n in ("sample", "identity"))
        known = np.array([number.get(name, -1) for name in label[rows]], dtype=np.int64)
        return Scores(logits, plain, known, np.where(people == "", keys, people))


def calibrate(
    run: Path,
    runs: Path,
    folds: int,
    chosen: KnownScore,
    cache: Path,
    command: str,
    report: Report,
) -> Calibration:
    """Calibrate a run on its training people, each held out once, and write that to its folder.

    Args:
        run: a finished run, whose weights stay as they are.
        runs: prefix of the folders of the trainings without a fold of the people.
        folds: number of folds.
        chosen: the score by which unknown actions are told.
        cache: folder for converted data.
        command: command line.
        report: called with progress messages.

    Raises:
        ValueError: the folder is not a finished run of action recognition, its bodies are varied,
            its data are gone, or there is one training person.
    """
    require_task(find_task("action"), run)
    model = load(run)
    settings = load_settings(ActionSettings, run / SETTINGS)
    if model.clip_input.bodies.count > 1:
        raise ValueError(f"{run}: a classifier of several bodies (clip.bodies) is not calibrated")
    adapter = _opened(settings, cache, report)
    model.info.require(adapter.store, run)
    scores, people = HeldOut(adapter, folds, cache, command, report).scores(runs)
    temperature = fit_temperature(scores.logits, scores.label)
    made = Calibration(
        score=chosen,
        temperature=temperature,
        known=tuple(np.sort(known_scores(scores.logits, temperature, chosen)).tolist()),
        people=people,
        error=_errors(scores, temperature),
        weights=weights_hash(run / model.settings.weights),
        command=command,
    )
    made.write(run)
    return made


def unknown_study(plan: StudyPlan, groups: int, folds: int, false_alarms: float) -> str:
    """Leave every class out once, in groups, and see how often its actions are refused.

    For every group the recipe is trained on the other classes, calibrated on held-out people, and
    tested. The score is the one that refuses most of the held-out people's left-out actions, over
    all groups; the test people only show how well it does.

    Args:
        plan: recipe, seeds and folders.
        groups: number of groups.
        folds: number of folds of the training people.
        false_alarms: share of known actions that may be called unknown.

    Returns:
        The table; each seed's record is written to the results as `unknown-seed<seed>.json`.

    Raises:
        ValueError: the groups do not fit the classes, or as `StudyPlan.train`.
    """
    records = []
    for seed in plan.seeds:
        settings = plan.make_settings([f"train.seed={seed}"])
        if not isinstance(settings, ActionSettings):
            raise ValueError("classes are left out of action recognition only")
        whole = _opened(settings, plan.cache, plan.report)
        names = np.array(whole.classes)
        parts = groups_of_classes(len(names), groups, seed)
        found = []
        for place, part in enumerate(parts):
            plan.report(f"seed {seed}, group {place + 1} of {groups}: {', '.join(names[part])}")
            adapter = _opened(settings, plan.cache, silent, names[part].tolist())
            held = HeldOut(adapter, folds, plan.cache, plan.command, plan.report)
            run = plan.runs / f"seed{seed}-group{place}"
            held_scores, people = held.scores(run)
            held.train(run)
            tested = held.score(run, adapter.full.rows(TEST))
            found.append(_Group(held_scores, tested, people))
        first = read_record(plan.runs / f"seed{seed}-group0")
        left_out = [names[part].tolist() for part in parts]
        record = _record(first, found, left_out, false_alarms, plan.command)
        record.write(plan.results / f"{KIND}-seed{seed}.json")
        records.append(record)
    return _table(records)


def _opened(
    settings: ActionSettings, cache: Path, report: Report, classes: Sequence[str] = ()
) -> LeftOutAdapter:
    store = open_data(settings.data, cache, report)
    with naming_data(settings.data):
        return LeftOutAdapter(settings, store, report, classes=classes)


def _errors(scores: Scores, temperature: float) -> tuple[float, float]:
    """Calibration error of the known samples before and after."""
    logits, plain, label = (part[scores.known] for part in scores[:3])
    after = calibrated(logits, temperature)
    return calibration_error(plain, label), calibration_error(after, label)


class _Group:
    """One training without some classes.

    Args:
        held: scores of the held-out training people.
        tested: scores of the test people.
        people: number of held-out people.
    """

    def __init__(self, held: Scores, tested: Scores, people: int) -> None:
        self.held, self.tested, self.people = held, tested, people
        known = held.known
        self.temperature = fit_temperature(held.logits[known], held.label[known])

    def refusals(self, scores: Scores, kind: KnownScore, false_alarms: float) -> Refusals:
        """Which samples are refused, by the threshold of the held-out people."""
        known = self.values(self.held, kind)[self.held.known]
        threshold = Calibration(
            score=kind,
            temperature=self.temperature,
            known=tuple(known.tolist()),
            people=self.people,
            error=(0.0, 0.0),
            weights="",
        ).threshold(false_alarms)
        refused = self.values(scores, kind) < threshold
        return Refusals(scores.known, refused, scores.subject)

    def values(self, scores: Scores, kind: KnownScore) -> npt.NDArray[np.float64]:
        """(N,) how known each sample looks."""
        return known_scores(scores.logits, self.temperature, kind)

    def separation(self, kind: KnownScore) -> float:
        """Chance that a known test sample looks more known than an unknown one."""
        values, known = self.values(self.tested, kind), self.tested.known
        return separation(values[known], values[~known])


def _record(
    first: ResultRecord,
    groups: Sequence[_Group],
    left_out: Sequence[Sequence[str]],
    false_alarms: float,
    command: str,
) -> ResultRecord:
    """The record of a seed."""

    def together(side: str, kind: KnownScore) -> Refusals:
        return Refusals.joined(
            [group.refusals(getattr(group, side), kind, false_alarms) for group in groups]
        )

    held = {
        f"held_out/refused/{kind}": together("held", kind).rates()["refused"]
        for kind in KNOWN_SCORES
    }
    best = _chosen(held)
    refusals = together("tested", best)
    errors = np.array([_errors(group.tested, group.temperature) for group in groups])
    right = np.concatenate(
        [group.tested.plain.argmax(axis=1) == group.tested.label for group in groups]
    )
    known = refusals.known
    metrics = {
        **refusals.rates(),
        "top1": float(right[known].mean()),
        "ece/before": float(errors[:, 0].mean()),
        "ece/after": float(errors[:, 1].mean()),
        "separation": float(np.mean([group.separation(best) for group in groups])),
        "temperature": float(np.mean([group.temperature for group in groups])),
        **held,
        **{f"refused/{kind}": together("tested", kind).rates()["refused"] for kind in KNOWN_SCORES},
    }
    note = (
        f"Every class is left out of training once, in {len(groups)} groups; temperature, score "
        f"({best}) and threshold come from held-out training people."
    )
    return first.model_copy(
        update={
            "kind": KIND,
            "variant": f"{100 * false_alarms:g} % false alarms",
            "metrics": metrics,
            "intervals": refusals.intervals(np.random.default_rng(0)),
            "counts": {
                "groups": len(groups),
                "known": int(known.sum()),
                "unknown": int((~known).sum()),
                "held_out": sum(len(group.held.label) for group in groups),
                "held_out_people": groups[0].people,
            },
            "settings": {**first.settings, "unknown": {"rate": false_alarms}},
            "environment": describe_environment(),
            "seconds": first.seconds,
            "command": command,
            "created": now(),
            "notes": (*first.data_notes, note),
            "cells": {"left_out": [list(part) for part in left_out]},
            "tested": "",
        }
    )


def _chosen(metrics: Mapping[str, float]) -> KnownScore:
    """The score that refuses most of the held-out people's left-out actions."""
    return max(KNOWN_SCORES, key=lambda kind: metrics[f"held_out/refused/{kind}"])


def _table(records: Sequence[ResultRecord]) -> str:
    """Refused unknowns and false alarms by seed, and the calibration error before and after."""
    rows = [["seed", "score", "refused", "false alarms", "top-1", "ECE before", "after"]]
    names = ("refused", "false_alarms", "top1", "ece/before", "ece/after")
    for record in records:
        values = [format_rate(record.metrics[name]) for name in names]
        rows.append([str(record.seed), _chosen(record.metrics), *values])
    if len(records) > 1:
        means = [format_mean([record.metrics[name] for record in records]) for name in names]
        rows.append(["mean", "", *means])
    return align_columns(rows, names=2)
