"""Verification by condition and probe view, and failures to acquire, as flat metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protocols.biometrics.tally import POOLED, POOLED_WORDS, ScoreTally, merge_tallies, metric_mark
from protocols.biometrics.trials import Trials
from protocols.biometrics.verification import area_under_curve, d_prime, error_curve
from protocols.names import plain
from protocols.text import nouns

FEW_ERRORS = 30
"""Errors below which a rate is only a rough estimate: the rule of 30 (Doddington et al., 2000)."""


def verification_metrics(
    tally: ScoreTally, targets: Sequence[float], name: str
) -> tuple[dict[str, float], list[str]]:
    """EER, AUC, d' and FNMR at each target.

    Args:
        tally: A complete tally.
        targets: False match rates wanted.
        name: The condition, which ends the names of the metrics; ``all`` for all together.

    Returns:
        Flat metrics by name, and a sentence for each target that needs more comparisons or rests on
        few errors.
    """
    mark = metric_mark(name)
    where = POOLED_WORDS if name == POOLED else name
    curve = error_curve(tally)
    found = {
        f"eer{mark}": curve.equal_error(),
        f"auc{mark}": area_under_curve(tally),
        f"dprime{mark}": d_prime(tally),
    }
    notes: list[str] = []
    for target in targets:
        if not curve.resolves(target):
            notes.append(
                f"An FMR of {target:g} cannot be measured on the {curve.impostor} impostor "
                f"comparisons of {where}: left out."
            )
            continue
        point = curve.at_fmr(target)
        found[f"fnmr@fmr{target:g}{mark}"] = point.fnmr
        found[f"fmr_achieved@fmr{target:g}{mark}"] = point.fmr
        found[f"threshold@fmr{target:g}{mark}"] = point.threshold
        if min(point.false_matches, point.false_non_matches) < FEW_ERRORS:
            notes.append(
                f"FNMR at an FMR of {target:g} of {where} rests on {point.false_matches} "
                f"{nouns('false matches', point.false_matches)} and {point.false_non_matches} "
                f"{nouns('false non-matches', point.false_non_matches)}: below {FEW_ERRORS} of "
                "either it is only a rough estimate."
            )
    return found, notes


def tally_views(trials: Trials) -> list[ScoreTally]:
    """Scores by condition and probe view, views fastest; one view where there is none."""
    views = max(len(trials.views), 1)
    cell = trials.condition * views + trials.view
    return trials.comparisons.tallies(cell, len(trials.conditions) * views)


def tally_conditions(trials: Trials, views: list[ScoreTally]) -> dict[str, ScoreTally]:
    """Scores by condition, first those of all conditions together; complete ones only.

    Args:
        trials: The comparisons.
        views: From :func:`tally_views`.

    Returns:
        Tallies by condition, and under ``all``.

    Raises:
        ValueError: There is no genuine or no impostor comparison in all.
    """
    step = max(len(trials.views), 1)
    parts = {
        name: merge_tallies(views[index * step : (index + 1) * step])
        for index, name in enumerate(trials.conditions)
    }
    pooled = merge_tallies(list(parts.values()))
    if not pooled.complete:
        raise ValueError(
            f"Protocol {trials.protocol!r} makes {pooled.n_genuine} genuine and "
            f"{pooled.n_impostor} impostor comparisons with these embeddings: biometric rates need "
            "both."
        )
    every = {POOLED: pooled, **parts}
    return {name: tally for name, tally in every.items() if tally.complete}


def view_rows(trials: Trials, views: list[ScoreTally]) -> list[dict[str, Any]]:
    """A row a condition and probe view with comparisons of both kinds; none without views.

    Args:
        trials: The comparisons.
        views: From :func:`tally_views`.
    """
    names = [(condition, view) for condition in trials.conditions for view in trials.views]
    if not names:
        return []
    return [
        {
            "condition": condition,
            "view": view,
            "genuine": tally.n_genuine,
            "impostor": tally.n_impostor,
            "eer": error_curve(tally).equal_error(),
        }
        for (condition, view), tally in zip(names, views, strict=True)
        if tally.complete
    ]


def worst_views(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The highest EER of any probe view, in each condition, with that view's own threshold."""
    worst: dict[str, float] = {}
    for row in rows:
        name = f"eer_worst_view/{row['condition']}"
        worst[name] = max(worst.get(name, 0.0), row["eer"])
    return worst


def count_not_acquired(
    conditions: Sequence[str], failures: Mapping[str, int] | None
) -> dict[str, int]:
    """Probes that gave no embedding, as flat counts.

    Args:
        conditions: Names of the conditions.
        failures: Probes by condition, 0 where a condition is missing; None where not known.

    Returns:
        ``not_acquired`` and ``not_acquired/<condition>``; nothing where not known.

    Raises:
        ValueError: A condition is unknown, or a count is negative.
    """
    if failures is None:
        return {}
    failed = {plain(name): count for name, count in failures.items()}
    known = {plain(name): name for name in conditions}
    unknown = sorted(set(failed) - set(known))
    if unknown or any(count < 0 for count in failed.values()):
        raise ValueError(
            f"not_acquired holds counts of at least 0 by condition, and {unknown or failed} does "
            f"not fit: the conditions are {', '.join(conditions)}."
        )
    counts = {f"not_acquired/{name}": int(failed.get(key, 0)) for key, name in known.items()}
    return {"not_acquired": sum(counts.values()), **counts}


def acquisition_rates(
    metrics: Mapping[str, float], counts: Mapping[str, int], targets: Sequence[float]
) -> dict[str, float]:
    """FTA, and with it FAR = FMR (1 - FTA) and FRR = FTA + FNMR (1 - FTA) (ISO/IEC 19795-1).

    Args:
        metrics: FNMR and achieved FMR at each target.
        counts: From :func:`count_not_acquired`, and ``probes`` of every condition.
        targets: False match rates wanted.

    Returns:
        ``fta``, ``far@fmr<target>`` and ``frr@fmr<target>``, by condition; nothing where failures
        are not known.
    """
    found: dict[str, float] = {}
    for name in [key for key in counts if key.split("/")[0] == "not_acquired"]:
        mark = name.removeprefix("not_acquired")
        tried = counts[name] + counts[f"probes{mark}"]
        if not tried:
            continue
        fta = found[f"fta{mark}"] = counts[name] / tried
        for target in targets:
            fnmr = metrics.get(f"fnmr@fmr{target:g}{mark}")
            if fnmr is not None:
                fmr = metrics[f"fmr_achieved@fmr{target:g}{mark}"]
                found[f"far@fmr{target:g}{mark}"] = fmr * (1.0 - fta)
                found[f"frr@fmr{target:g}{mark}"] = fta + fnmr * (1.0 - fta)
    return found
