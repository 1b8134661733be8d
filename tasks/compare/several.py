"""Compares several runs: each with the first, or all with one another, under one correction."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from aclnet.progress import Progress, share
from protocols.statistics.comparison import SIGNIFICANT, Comparison
from protocols.statistics.several import correct, enough_draws
from protocols.text import nouns
from tasks.compare.comparison import chosen_metrics, find_verdict, side_notes, verdict_json
from tasks.compare.sides import FileQuery, Side, obstacles, pair_sides, read_sides

_SHOWN = 6


@dataclass(frozen=True)
class Pair:
    """Two of the runs, compared.

    Attributes:
        first: name of a side.
        second: name of the other; the verdict is on it.
        verdict: corrected for the number of comparisons; None if the records do not allow one.
        sentence: the verdict in one sentence, or why there is none.
    """

    first: str
    second: str
    verdict: Comparison | None
    sentence: str


@dataclass(frozen=True)
class SeveralComparison:
    """The comparison of several sides.

    Attributes:
        sides: one or more runs each.
        metrics: names of the M selected metrics.
        values: of each side, for each metric the values of its runs.
        left_out: number of further metrics that all sides have.
        pairs: the comparisons.
        sentence: for what they were corrected.
        notes: sentences that belong to it.
    """

    sides: tuple[Side, ...]
    metrics: tuple[str, ...]
    values: tuple[tuple[tuple[float, ...], ...], ...]
    left_out: int
    pairs: tuple[Pair, ...]
    sentence: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; rates are 0..1, differences second minus first."""
        return {
            "comparisons": 1,
            "task": self.sides[0].record.task,
            "runs": [
                {
                    "name": side.name,
                    "records": [str(path) for path in side.paths],
                    "objective": side.record.objective,
                    "seeds": [record.seed for record in side.records],
                    "metrics": {
                        name: mean_and_spread(one)[0]
                        for name, one in zip(self.metrics, values, strict=True)
                    },
                }
                for side, values in zip(self.sides, self.values, strict=True)
            ],
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "verdict": None if pair.verdict is None else verdict_json(pair.verdict),
                    "sentence": pair.sentence,
                }
                for pair in self.pairs
            ],
            "correction": "holm",
            "sentence": self.sentence,
            "notes": list(self.notes),
        }


def compare_several(
    texts: Sequence[str],
    metrics: Sequence[str] = (),
    files: FileQuery | None = None,
    *,
    all_pairs: bool = False,
    progress: Progress | None = None,
) -> SeveralComparison:
    """Compare several runs, or groups of runs paired by seed.

    Args:
        texts: of each side, as for `tasks.compare.comparison.compare`.
        metrics: names of metrics to show, as there.
        files: how files of embeddings or scores are evaluated; None: by the defaults.
        all_pairs: compare all with one another; otherwise each with the first.
        progress: called with the amount done and the total.

    Raises:
        ValueError: a side is given twice, or as for two runs.
    """
    if twice := [text for row, text in enumerate(texts) if text in texts[:row]]:
        raise ValueError(f"{twice[0]} is given twice: compare each run once")
    sides = read_sides(texts, files, share(progress, 0, 2))
    chosen, left_out = chosen_metrics(sides, metrics)
    shown = chosen if metrics else chosen[:_SHOWN]
    wanted = [pair for pair in combinations(sides, 2) if all_pairs or pair[0] is sides[0]]
    pairs, notes = _compared(wanted, share(progress, 1, 2))
    return SeveralComparison(
        sides=tuple(sides),
        metrics=tuple(shown),
        values=tuple(
            tuple(tuple(record.metrics[name] for record in side.records) for name in shown)
            for side in sides
        ),
        left_out=left_out + len(chosen) - len(shown),
        pairs=pairs,
        sentence=_correction([pair.verdict for pair in pairs if pair.verdict is not None]),
        notes=tuple(dict.fromkeys([*notes, *side_notes(*sides)])),
    )


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean over the runs of a side, and their standard deviation if there are several."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def _compared(
    wanted: Sequence[tuple[Side, Side]], progress: Progress | None
) -> tuple[tuple[Pair, ...], list[str]]:
    """The corrected comparisons, and notes on them."""
    found: list[Pair] = []
    notes: list[str] = []
    draws = enough_draws(len(wanted))
    for number, (first, second) in enumerate(wanted):
        old, new, remarks = pair_sides(first, second)
        several = f"{second.name} and {first.name}: "
        notes += [f"{several}{remark}" for remark in remarks]
        why = obstacles(old.record, new.record)
        own = share(progress, number, len(wanted))
        verdict, sentence = find_verdict(old, new, why, draws, own)
        found.append(Pair(first.name, second.name, verdict, sentence))
    corrected = iter(correct([pair.verdict for pair in found if pair.verdict is not None]))
    pairs = []
    for pair in found:
        if pair.verdict is not None:
            verdict = next(corrected)
            pair = replace(pair, verdict=verdict, sentence=verdict.sentence)
        pairs.append(pair)
    return tuple(pairs), notes


def _correction(found: Sequence[Comparison]) -> str:
    """For what the p-values are corrected, what they are of, and what they do not say."""
    if not found:
        return "There is no comparison to correct."
    count = len(found)
    sentences = [
        f"Points of {found[0].measure}. The p-values are corrected for {count} "
        f"{nouns('comparisons', count)} (Holm): if all methods were equal, at most 5 % of such "
        "tables would have a significant difference."
    ]
    if any(one.p_value_of_trainings is None for one in found):
        sentences.append("With one run on each side, verdicts hold for these training runs only.")
    few = [one for one in found if count * one.least_p_value >= SIGNIFICANT]
    if few:
        units = f"{few[0].units} {nouns(few[0].resampled, few[0].units)}"
        sentences.append(f"With {units}, no difference can be significant in {count} comparisons.")
    return " ".join(sentences)
