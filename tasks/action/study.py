"""Several objectives, several seeds, all folds, one table: does each part of the objective help?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from protocols.records import ResultRecord
from protocols.text import format_rate
from tasks.action.adapter import ActionSettings
from tasks.action.run import run_scores, train_and_evaluate
from tasks.run.adapter import Report
from tasks.run.records import read_record
from tasks.run.study import chosen_arms, run_arms, summary_table


def study(
    make_settings: Callable[[Sequence[str]], ActionSettings],
    *,
    arms: Sequence[str],
    seeds: Sequence[int],
    folds: Sequence[str | None],
    runs: Path,
    results: Path,
    cache: Path,
    command: str,
    report: Report,
) -> str:
    """Train every arm with every seed on every fold; a run that has ended is only read.

    Args:
        make_settings: the recipe's settings with further overrides.
        arms: names in `tasks.run.study.ARMS`.
        seeds: the runs' seeds.
        folds: the split's folds; (None,) where it has none. Folds of a seed are judged together.
        runs: a folder a run goes here.
        results: a record an arm and seed goes here, `<arm>-seed<seed>.json`.
        cache: folder for converted data.
        command: the command line, for the records.
        report: takes sentences of progress.

    Returns:
        Mean and spread of each arm, and each arm against the first, as text.

    Raises:
        ValueError: an unknown arm, a run that has ended with other settings, or what
            `train_and_evaluate` raises.
    """

    def train_one(settings: ActionSettings, run: Path) -> None:
        train_and_evaluate(settings, run, cache, command=command, resume=True, report=report)

    records: dict[tuple[str, int], ResultRecord] = {}
    chosen = chosen_arms(arms)
    for arm, seed, folders in run_arms(
        make_settings, chosen, seeds, runs, train_one, cache=cache, report=report, folds=folds
    ):
        records[arm, seed] = _joined(folders)
        records[arm, seed].write(results / f"{arm}-seed{seed}.json")
    return summary(records)


def _joined(runs: Sequence[Path]) -> ResultRecord:
    """The record of a run, or of all folds: every sample counts once, in the fold that tests it."""
    records = [read_record(run) for run in runs]
    first = records[0]
    if len(runs) == 1:
        return first
    table = evaluate_action(pooled([run_scores(run) for run in runs]), protocol=first.protocol)
    trained = sum(record.counts["train"] for record in records)
    return first.model_copy(
        update={
            "rule": f"{first.rule.rpartition(', fold')[0]}, {len(runs)} folds together",
            "metrics": dict(table.metrics),
            "intervals": table.intervals(np.random.default_rng(0)),
            "counts": {**table.counts, "folds": len(runs), "train_all_folds": trained},
            "settings": {**first.settings, "fold": None},
            "seconds": sum(record.seconds for record in records),
            "notes": tuple(table.notes),
            "cells": table.record_cells(),
        }
    )


def pooled(scores: Sequence[ClassScores]) -> ClassScores:
    """The scores of several folds, one after another; a sample that several folds test is marked.

    Raises:
        ValueError: the folds have different classes.
    """
    classes = scores[0].classes
    if any(not np.array_equal(part.classes, classes) for part in scores):
        raise ValueError("the folds of a study have different classes and cannot be joined")
    keys = np.concatenate([part.sample for part in scores])
    if len(np.unique(keys)) < len(keys):
        # Folds that overlap: the key says which of them, as every test counts.
        keys = np.concatenate(
            [[f"{key}@{i}" for key in part.sample.tolist()] for i, part in enumerate(scores)]
        )
    return ClassScores(
        sample=keys,
        label=np.concatenate([part.label for part in scores]),
        classes=classes,
        probabilities=np.concatenate([part.probabilities for part in scores]),
        logits=None,
        subject=np.concatenate([part.subject for part in scores]),
        subset=np.concatenate([part.subset for part in scores]),
    )


def summary(records: dict[tuple[str, int], ResultRecord]) -> str:
    """Accuracies in percent, mean ± standard deviation over seeds (N - 1), a row an arm."""
    arms = list(dict.fromkeys(arm for arm, _ in records))
    first = next(iter(records.values()))
    rates = [k for k in first.metrics if k in ("top1", "mean_class") or k.startswith("top1/")]
    majority = ["majority", "", format_rate(first.metrics["majority"])]
    table = summary_table(records, rates, "arm", majority)
    return "\n".join([table, *_comparisons(records, arms)])


def _comparisons(records: dict[tuple[str, int], ResultRecord], arms: Sequence[str]) -> list[str]:
    """Each arm against the first, sample by sample, all seeds together."""
    from protocols.statistics.comparison import compare

    lines = []
    for arm in arms[1:]:
        seeds = [seed for name, seed in records if name == arm and (arms[0], seed) in records]
        runs, baselines = ([records[name, seed] for seed in seeds] for name in (arm, arms[0]))
        lines.append(f"{arm} against {arms[0]}: {compare(runs, baselines, 'seeds').sentence}")
    return lines
