"""Biometric measures of embeddings: verification, thresholds that travel, open-set identification.

Everything is counted over all conditions together, as one system with one threshold would meet
them (``eer``), and for each condition (``eer/nm``). Metrics under ``@fmr0.01`` belong to the
smallest threshold whose FMR is at most 0.01 on the same comparisons; those under
``_from_development`` and ``_from_nm`` to a threshold that was chosen elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from protocols.biometrics.metrics import (
    acquisition_rates,
    count_not_acquired,
    tally_conditions,
    tally_views,
    verification_metrics,
    view_rows,
    worst_views,
)
from protocols.biometrics.open_set_table import draw_open_set
from protocols.biometrics.people_errors import count_people, people_units, threshold_grid
from protocols.biometrics.table import BiometricsTable
from protocols.biometrics.tally import POOLED, ScoreTally, metric_mark
from protocols.biometrics.thresholds import AppliedThreshold, transfer
from protocols.biometrics.trials import Trials, check_apart, given_trials, protocol_trials
from protocols.embeddings import Embeddings
from protocols.gait.gallery_probe import GalleryProbe
from protocols.pair_scores import PairScores
from protocols.ranking.distances import FloatArray, Metric

TARGETS = (0.1, 0.01, 0.001)
"""False match rates that are reported by default."""


def evaluate_biometrics(
    data: Embeddings | PairScores,
    protocol: GalleryProbe | str | None = None,
    *,
    development: Embeddings | None = None,
    metric: Metric = "cosine",
    targets: Sequence[float] = TARGETS,
    rotations: int = 10,
    not_acquired: Mapping[str, int] | None = None,
    generator: np.random.Generator | None = None,
) -> BiometricsTable:
    """Biometric measures of embeddings under a gallery-probe protocol.

    Args:
        data: One embedding a sample, or scores of pairs.
        protocol: The table of rules, or the name of a built-in one; None takes ``casia_b``, and of
            scores every pair as it is.
        development: Embeddings of other people, to choose thresholds on; None for none.
        metric: ``cosine`` or ``euclidean``; not used for scores.
        targets: False match rates (and FPIRs) wanted, each above 0.
        rotations: How often to draw who stays unenrolled; 0 for no open-set rates.
        not_acquired: Probes by condition that gave no embedding (too short, no person found);
            None where not known.
        generator: Draws the unenrolled people, and gallery takes under ``random N``; None takes
            one of seed 0.

    Returns:
        The table.

    Raises:
        ValueError: A person is among both the development and the test people, or as
            :func:`evaluate_trials` and :func:`protocols.biometrics.trials.protocol_trials`.
    """
    if development is not None:
        check_apart(data, development)
    generator = np.random.default_rng(0) if generator is None else generator
    if protocol is None and isinstance(data, PairScores):
        trials = given_trials(data)
    else:
        protocol = "casia_b" if protocol is None else protocol
        trials = protocol_trials(data, protocol, metric, generator)
    chosen_on = None
    if development is not None and protocol is not None:
        chosen_on = protocol_trials(development, protocol, metric, generator)
    return evaluate_trials(
        trials,
        chosen_on,
        targets=targets,
        rotations=rotations,
        not_acquired=not_acquired,
        generator=generator,
    )


def evaluate_trials(
    trials: Trials,
    development: Trials | None = None,
    *,
    targets: Sequence[float] = TARGETS,
    rotations: int = 10,
    not_acquired: Mapping[str, int] | None = None,
    generator: np.random.Generator,
) -> BiometricsTable:
    """Biometric measures of comparisons; see :func:`evaluate_biometrics`.

    Args:
        trials: The comparisons to report.
        development: Comparisons of other people, to choose thresholds on.
        targets: False match rates wanted.
        rotations: How often to draw who stays unenrolled.
        not_acquired: Probes by condition that gave no embedding.
        generator: Draws the unenrolled people.

    Returns:
        The table.

    Raises:
        ValueError: No condition has genuine and impostor comparisons, a target is not in (0, 1],
            or ``not_acquired`` names an unknown condition.
    """
    bad = [target for target in targets if not 0.0 < target <= 1.0]
    if bad or not targets:
        raise ValueError(
            f"Target false match rates must be above 0 and at most 1, not {bad or 'none'}: give "
            "such as 0.01."
        )
    views = tally_views(trials)
    tallies = tally_conditions(trials, views)
    applied, notes = _applied(trials, tallies, development, targets)
    metrics: dict[str, float] = {}
    for name, tally in tallies.items():
        found, remarks = verification_metrics(tally, targets, name)
        metrics |= found
        notes += remarks
    rows = view_rows(trials, views)
    metrics |= worst_views(rows)
    for row in applied:
        metrics |= {row.metric("fmr"): row.point.fmr, row.metric("fnmr"): row.point.fnmr}
    counts = trials.counts()
    for name, tally in tallies.items():
        mark = metric_mark(name)
        counts |= {f"genuine{mark}": tally.n_genuine, f"impostor{mark}": tally.n_impostor}
    counts |= count_not_acquired(trials.conditions, not_acquired)
    metrics |= acquisition_rates(metrics, counts, targets)
    comparisons = trials.comparisons
    rotations = rotations if trials.complete else 0
    open_set = draw_open_set(
        *(comparisons, trials.condition, trials.conditions, targets, generator, rotations),
        None if development is None or not development.complete else development.comparisons,
    )
    if open_set is not None:
        metrics |= open_set.metrics()
        notes += open_set.notes
        counts |= {"enrolled_in_open_set": open_set.enrolled, "non_mated": open_set.strangers}
    grid = _thresholds(tallies, applied, metrics, min(targets))
    return BiometricsTable(
        protocol=trials.protocol,
        metric=trials.metric,
        conditions=trials.conditions,
        views=trials.views,
        targets=tuple(targets),
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
        counts=counts,
        notes=tuple(dict.fromkeys([*trials.remarks(), *notes])),
        tallies=tallies,
        applied=tuple(applied),
        errors=count_people(comparisons, trials.condition, len(trials.conditions), grid),
        people=_people(trials),
        open_set=open_set,
        by_view=tuple(rows),
        resolution=comparisons.resolution,
    )


def _applied(
    trials: Trials,
    tallies: Mapping[str, ScoreTally],
    development: Trials | None,
    targets: Sequence[float],
) -> tuple[list[AppliedThreshold], list[str]]:
    """Thresholds chosen on development people, and on the condition of the gallery."""
    reference = trials.reference
    if development is not None:
        chosen_on = tally_conditions(development, tally_views(development))
        applied, notes = transfer(chosen_on[POOLED], tallies, targets, "development")
        if reference in chosen_on and len(trials.conditions) > 1:
            more, remarks = transfer(chosen_on[reference], tallies, targets, reference)
            applied, notes = applied + more, notes + remarks
            notes.append(
                f"Thresholds under from_{reference} were chosen on {reference} of the development "
                "people."
            )
        return applied, notes
    others = {name: tally for name, tally in tallies.items() if name not in (POOLED, reference)}
    if reference is None or reference not in tallies or not others:
        return [], []
    applied, notes = transfer(tallies[reference], others, targets, reference)
    remark = (
        f"No development people were given: thresholds under from_{reference} were chosen on the "
        "test people themselves, in another condition."
    )
    return applied, [remark, *notes]


def _thresholds(
    tallies: Mapping[str, ScoreTally],
    applied: Sequence[AppliedThreshold],
    metrics: Mapping[str, float],
    least: float,
) -> FloatArray:
    """Thresholds at which errors are counted by people: a grid, and every reported one."""
    grid = threshold_grid(list(tallies.values()), least / 4.0)
    named = [value for name, value in metrics.items() if name.startswith("threshold@")]
    named += [row.value for row in applied]
    every = np.concatenate([grid, np.array(named, dtype=np.float64)])
    return np.asarray(every[np.isfinite(every)])


def _people(trials: Trials) -> tuple[str, ...]:
    """Names of the people in the order that errors are counted by; none where they are groups."""
    comparisons = trials.comparisons
    number, _, units = people_units(comparisons)
    if len(np.union1d(comparisons.own, comparisons.enrolled)) > units:
        return ()
    names = np.full(units, "", dtype=object)
    names[number] = trials.people
    return tuple(names.tolist())
