"""Verification figures by condition and probe view, as flat metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocols.biometrics.table import POOLED
from protocols.biometrics.tally import ScoreTally, merge_tallies
from protocols.biometrics.trials import Trials
from protocols.biometrics.verification import area_under_curve, d_prime, error_curve

FEW_ERRORS = 30
"""Errors below which a rate is known roughly only: the rule of 30 (Doddington et al., 2000)."""


def verification_metrics(
    tally: ScoreTally, targets: Sequence[float], name: str = POOLED
) -> tuple[dict[str, float], list[str]]:
    """EER, AUC, d' and FNMR at each target.

    Args:
        tally: A complete tally.
        targets: False match rates wanted.
        name: The condition, which stands behind the names of the metrics; ``all`` for none.

    Returns:
        Flat figures by name, and a sentence for each target that cannot be seen or rests on few
        errors.
    """
    mark = "" if name == POOLED else f"/{name}"
    where = "all conditions" if name == POOLED else name
    curve = error_curve(tally)
    found = {
        f"eer{mark}": curve.equal_error().rate,
        f"auc{mark}": area_under_curve(tally),
        f"dprime{mark}": d_prime(tally),
    }
    notes: list[str] = []
    for target in targets:
        if not curve.resolves(target):
            notes.append(
                f"An FMR of {target:g} cannot be seen in the {curve.impostor} impostor comparisons "
                f"of {where}: left out."
            )
            continue
        point = curve.at_fmr(target)
        found[f"fnmr@fmr{target:g}{mark}"] = point.fnmr
        found[f"fmr_achieved@fmr{target:g}{mark}"] = point.fmr
        found[f"threshold@fmr{target:g}{mark}"] = point.threshold
        if min(point.false_matches, point.false_non_matches) < FEW_ERRORS:
            notes.append(
                f"FNMR at an FMR of {target:g} of {where} rests on {point.false_matches} false "
                f"matches and {point.false_non_matches} false non-matches: below {FEW_ERRORS} of "
                "either it is known roughly only."
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
        views: What :func:`tally_views` found.

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
        views: What :func:`tally_views` found.
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
            "eer": error_curve(tally).equal_error().rate,
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
