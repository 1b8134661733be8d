"""Several objectives, several seeds, one table: does the affinity contrastive objective help?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from protocols.records import ResultRecord
from tasks.gait.adapter import GaitSettings
from tasks.gait.run import train_and_evaluate
from tasks.run.adapter import Report
from tasks.run.embeddings import BASELINE, BASELINE_RECORD
from tasks.run.records import read_record
from tasks.run.study import chosen_arms, run_arms, summary_table


def study(
    make_settings: Callable[[Sequence[str]], GaitSettings],
    *,
    objectives: Sequence[str],
    seeds: Sequence[int],
    runs: Path,
    results: Path,
    cache: Path,
    command: str,
    report: Report,
) -> str:
    """Train every objective with every seed; a run that has ended is only read.

    Args:
        make_settings: the recipe's settings with further overrides.
        objectives: names in `tasks.run.study.ARMS`.
        seeds: the runs' seeds.
        runs: a folder a run goes here.
        results: a record a run goes here, `<objective>-seed<seed>.json`.
        cache: folder for converted and generated data.
        command: the command line, for the records.
        report: takes sentences of progress.

    Returns:
        Mean and spread of each objective and of the bone lengths, as text.

    Raises:
        ValueError: an unknown objective, a run that has ended with other settings, or what
            `train_and_evaluate` raises.
    """

    def train_one(settings: GaitSettings, run: Path) -> None:
        train_and_evaluate(settings, run, cache, command=command, resume=True, report=report)

    arms = chosen_arms(objectives, "objective")
    floor: dict[tuple[str, int], ResultRecord] = {}
    learned: dict[tuple[str, int], ResultRecord] = {}
    for arm, seed, (run,) in run_arms(
        make_settings, arms, seeds, runs, train_one, cache=cache, report=report
    ):
        # The bone lengths learn nothing: every objective has the same, and one a seed is kept.
        floor[BASELINE, seed] = read_record(run, BASELINE_RECORD)
        learned[arm, seed] = read_record(run)
        floor[BASELINE, seed].write(results / f"{BASELINE}-seed{seed}.json")
        learned[arm, seed].write(results / f"{arm}-seed{seed}.json")
    return summary({**floor, **learned})


def summary(records: Mapping[tuple[str, int], ResultRecord]) -> str:
    """Rank-1 in percent, mean ± standard deviation over seeds (N - 1), a row an objective."""
    first = next(iter(records.values()))
    rates = [name for name in first.metrics if name == "rank1" or name.startswith("rank1/")]
    return summary_table(records, rates, "objective")
