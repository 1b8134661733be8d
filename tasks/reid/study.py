"""Several objectives, several seeds, one table of re-identification figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from protocols.records import ResultRecord
from tasks.reid.run import train_and_evaluate
from tasks.reid.settings import ReidSettings
from tasks.run.adapter import Report
from tasks.run.embeddings import BASELINE, BASELINE_RECORD
from tasks.run.records import read_record
from tasks.run.study import chosen_arms, run_arms, summary_table

TRANSG = "transg"
DEFAULT_OBJECTIVES = ("ce", "acl")


def study(
    make_settings: Callable[[Sequence[str]], ReidSettings],
    *,
    objectives: Sequence[str] | None,
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
        objectives: names in `tasks.run.study.ARMS`; None: `DEFAULT_OBJECTIVES`, or TranSG's own
            objective alone where the recipe has it.
        seeds: the runs' seeds.
        runs: a folder a run goes here.
        results: a record a run goes here, `<objective>-seed<seed>.json`.
        cache: folder for converted and generated data.
        command: the command line, for the records.
        report: takes sentences of progress.

    Returns:
        Mean and spread of each objective and of the bone lengths, as text.

    Raises:
        ValueError: an unknown objective, one named for a recipe with TranSG's own, a run that has
            ended with other settings, or what `train_and_evaluate` raises.
    """

    def train_one(settings: ReidSettings, run: Path) -> None:
        train_and_evaluate(settings, run, cache, command=command, resume=True, report=report)

    arms = _arms(make_settings([]), objectives)
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


def _arms(
    settings: ReidSettings, objectives: Sequence[str] | None
) -> Mapping[str, tuple[str, ...]]:
    """The objectives to compare, as changes of the recipe."""
    if settings.transg is None:
        return chosen_arms(objectives or DEFAULT_OBJECTIVES, "objective")
    if objectives is not None and list(objectives) != [TRANSG]:
        raise ValueError(
            f"the recipe trains TranSG's own objective, and --objectives {','.join(objectives)} "
            "would change nothing: leave --objectives out, or take a recipe without transg"
        )
    return {TRANSG: ()}


def summary(records: Mapping[tuple[str, int], ResultRecord]) -> str:
    """Rank-1 and mAP in percent, mean ± standard deviation over seeds, a row an objective."""
    first = next(iter(records.values()))
    rates = [
        name for name in first.metrics if name.split("/")[0] in ("rank1", "mAP") and "/" in name
    ]
    rates = ["rank1", "mAP", *rates] if len(rates) > 2 else ["rank1", "rank5", "rank10", "mAP"]
    return summary_table(records, rates, "objective")
