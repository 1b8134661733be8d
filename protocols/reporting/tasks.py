"""Titles, measures and data sets of the known tasks; others are shown by their records alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ShownTask:
    """The presentation of a task.

    Attributes:
        title: Heading of its part of the page.
        subject: In the titles of its tables, after the name of the data set.
        measures: Its rates in the order of the columns, the headline first: it is compared, and
            shown with its interval and by condition. Empty for those of its records.
        datasets: Names of data sets, and whether they were generated, that have a table even where
            nothing was run.
        by_rule: Whether the rule decides what counts as found, so that results of different rules
            do not compare; otherwise it only describes the test.
        by_frames: Whether rows of other clip lengths have a heading of their own.
    """

    title: str
    subject: str
    measures: tuple[str, ...] = ()
    datasets: tuple[tuple[str, bool], ...] = ()
    by_rule: bool = True
    by_frames: bool = False


_RANKS = ("rank1", "rank5", "rank10", "rank20", "mAP", "mINP")

TASKS = {
    "action": ShownTask(
        "Action recognition",
        "actions",
        ("top1", "top5", "mean_class"),
        tuple((name, False) for name in ("msraction3d", "utkinect", "nwucla", "sbu", "jhmdb")),
        by_rule=False,
    ),
    "gait": ShownTask(
        "Gait recognition",
        "gait",
        _RANKS,
        (("kgbd", False), ("ucalgary_gait", False), ("walkers", True)),
    ),
    "reid": ShownTask(
        "Person re-identification",
        "re-identification",
        _RANKS,
        (("kgbd", False), ("walkers", True)),
        by_frames=True,
    ),
    "pretrain": ShownTask(
        "Self-supervised pre-training", "pre-training", ("top1", "top5", "mean_class")
    ),
    "cost": ShownTask("Cost", "cost"),
    "reliability": ShownTask("Reliability", "reliability"),
    "benchmarks": ShownTask("Speed", "benchmarks"),
}
"""The known tasks in the order in which they are shown."""

GUESSES = {"majority": "Most frequent class", "chance": "Random pick"}
"""Metrics of guessing, and the labels of their rows."""


def shown_task(name: str) -> ShownTask:
    """The presentation of a task; an unknown one has its name as title."""
    return TASKS.get(name, ShownTask(name, name))


def task_place(name: str) -> tuple[int, str]:
    """Sorting key: the known tasks in their order, then the others by name."""
    known = list(TASKS)
    return (known.index(name) if name in known else len(known), name)


def main_measure(task: str, metrics: Iterable[str]) -> str:
    """The metric that is compared and has its interval shown; empty where there is none."""
    plain = (name for name in metrics if "/" not in name and name not in GUESSES)
    return next(iter(shown_task(task).measures), next(plain, ""))
