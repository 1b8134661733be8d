"""The comparisons of a protocol, and the condition and view of each probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from protocols.biometrics.scores import Comparisons, compare_all, compare_given
from protocols.embeddings import Embeddings, TextArray
from protocols.gait.assignment import assign, check_labels, read_views
from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.names import canonical, natural_order, plain
from protocols.pair_scores import GIVEN, PairScores, split_scores
from protocols.ranking.distances import IntArray, Metric
from protocols.ranking.exclusion import ExclusionRule, same_labels
from protocols.reid.comparison import compare_sets
from protocols.reid.pairs import Pair, PairProtocol
from protocols.reid.rules import RULES, ReidRule

_ONE_VIEW = "Samples of one view are not compared with each other."
_OWN_VIEW = "No sample is compared with its own person in its own view."
_HIDDEN = {
    "nothing": "",
    "self": "No sequence is compared with itself.",
    "walk": "No sequence is compared with its own walk.",
    "camera": "No sequence is compared with its own person before its own camera.",
}


@dataclass(frozen=True, eq=False)
class Trials:
    """Comparisons with their labels.

    Attributes:
        protocol: Name of the protocol.
        metric: ``cosine``, ``euclidean``, or ``given`` where a file holds the scores.
        comparisons: P probes against G gallery samples.
        conditions: Names of conditions.
        condition: (P,) index into ``conditions``.
        views: Names of probe views; empty where there is none or only one.
        view: (P,) index into ``views``; all 0 where there is none.
        reference: The condition that the gallery was recorded in, if probes were too.
        people: (P,) names of the probes' persons.
        missing: Recordings in the protocol's table that the data lack.
        excluded: A sentence on the comparisons that are left out; empty where none are.
        notes: Sentences on labels that were read alike, or on pairs without a score.
        complete: Whether every comparison that could be made has a score.
    """

    protocol: str
    metric: str
    comparisons: Comparisons
    conditions: tuple[str, ...]
    condition: IntArray
    views: tuple[str, ...]
    view: IntArray
    reference: str | None
    people: TextArray
    missing: int
    excluded: str
    notes: tuple[str, ...] = ()
    complete: bool = True

    def counts(self) -> dict[str, int]:
        """Flat counts of samples and people for a result record."""
        comparisons = self.comparisons
        found = {
            "probes": len(comparisons.own),
            "gallery": len(comparisons.enrolled),
            "probe_subjects": len(np.unique(comparisons.own)),
            "gallery_subjects": len(np.unique(comparisons.enrolled)),
            "missing": self.missing,
        }
        for index, name in enumerate(self.conditions):
            found[f"probes/{name}"] = int(np.count_nonzero(self.condition == index))
        return found

    def remarks(self) -> list[str]:
        """Sentences on the comparisons."""
        notes = [self.excluded, *self.notes] if self.excluded else [*self.notes]
        if self.comparisons.resolution:
            notes.append(
                "There are too many comparisons to keep: scores were rounded down to multiples of "
                f"{self.comparisons.resolution:g}."
            )
        return notes


def given_trials(scores: PairScores) -> Trials:
    """Make the comparisons that a file of scores holds, without a protocol.

    Args:
        scores: The scores; a probe's condition, if known, is its condition. No sample is compared
            with itself.

    Returns:
        The trials, under the name ``pairs``.

    Raises:
        ValueError: A sample has no person, or there are too many samples.
    """
    count = len(scores.samples)
    probe, gallery = (np.unique(side) for side in np.divmod(scores.pair, count))
    data = scores.samples
    data.require_people(np.union1d(probe, gallery))
    condition = canonical(data.condition[probe])
    names = natural_order(condition)
    known = "" not in names
    itself = same_labels((probe, gallery))
    return make_trials(
        scores,
        probe,
        gallery,
        itself,
        (),
        metric="euclidean",
        protocol="pairs",
        conditions=tuple(names) if known else ("all",),
        condition=np.array([names.index(name) if known else 0 for name in condition.tolist()]),
        reference=None,
        missing=0,
        excluded="",
        notes=data.read_alike("condition"),
    )


def protocol_trials(
    data: Embeddings | PairScores,
    protocol: GalleryProbe | str,
    metric: Metric,
    generator: np.random.Generator,
) -> Trials:
    """Make the comparisons of a gallery-probe protocol.

    All gallery views are one gallery here, since a decision needs one threshold. Where the protocol
    leaves identical views out of its means (``single`` unless it includes them, or ``auto`` with
    two views or more) no two samples of one view are compared, genuine or impostor; under
    ``pooled`` only those of the same person in the same view are left out.

    Args:
        data: One embedding a sample, or scores of pairs.
        protocol: The table of rules, or the name of a built-in one.
        metric: ``cosine`` or ``euclidean``; not used for scores.
        generator: Draws the gallery takes where the protocol says ``random N``.

    Returns:
        The trials.

    Raises:
        ValueError: The protocol finds no gallery or no probe, has a gallery for each condition or
            puts probes into several, a sample has no view or take and the protocol needs it, or an
            embedding has no direction under ``cosine``.
    """
    spec = load_protocol(protocol) if isinstance(protocol, str) else protocol
    scores, data = split_scores(data, None)
    roles = assign(spec, data, generator)
    if not roles.apart:
        raise ValueError(
            f"Protocol {spec.name} has a gallery for each condition, or probes of several "
            "conditions, and a threshold needs one gallery and each probe once: take another "
            "protocol."
        )
    check_labels(spec, data, roles)
    person, view = data.subject, read_views(spec, data)
    data = replace(data, view=view)
    scores = None if scores is None else replace(scores, samples=data)
    names = natural_order(view[np.concatenate([roles.gallery, roles.probe])])
    several = len(names) > 1 and spec.views != "ignored"
    exclude: ExclusionRule | None = None
    sentence = ""
    if several and (spec.views == "pooled" or spec.identical_views == "excluded"):
        people, views = ((labels[roles.probe], labels[roles.gallery]) for labels in (person, view))
        exclude, sentence = same_labels(views), _ONE_VIEW
        if spec.views == "pooled":
            exclude, sentence = same_labels(people, views), _OWN_VIEW
    if spec.rerank:
        sentence = f"{sentence} Scores are of plain distances, not re-ranked ones.".lstrip()
    enrolled = set(canonical(data.condition[roles.gallery]).tolist())
    same = [name for name in roles.conditions if plain(name) in enrolled]
    return make_trials(
        scores or data,
        roles.probe,
        roles.gallery,
        exclude,
        names if several else (),
        metric=metric,
        protocol=spec.name,
        conditions=roles.conditions,
        condition=roles.condition,
        reference=same[0] if same else None,
        missing=roles.missing,
        excluded=sentence,
        notes=roles.notes,
    )


def make_trials(
    data: Embeddings | PairScores,
    probe: IntArray,
    gallery: IntArray,
    exclude: ExclusionRule | None,
    views: Sequence[str],
    *,
    metric: Metric,
    **labels: Any,
) -> Trials:
    """Compare rows of embeddings, or take their scores.

    Args:
        data: One embedding a sample, or scores of pairs.
        probe: (P,) rows.
        gallery: (G,) rows.
        exclude: Which comparisons are not made; None makes all.
        views: Names of the probes' views; none where they count as one.
        metric: ``cosine`` or ``euclidean``; not used for scores.
        labels: The other attributes of the trials.

    Raises:
        ValueError: ``cosine`` meets an embedding of zeros, or there are too many scores.
    """
    scores, data = split_scores(data, None)
    if scores is not None:
        return _of_scores(scores, probe, gallery, exclude, views, labels)
    if metric == "cosine":
        data.require_directions()
    person = data.subject
    made = compare_all(
        data.embedding[probe],
        data.embedding[gallery],
        person[probe],
        person[gallery],
        metric=metric,
        exclude=exclude,
    )
    return _labelled(data, probe, views, metric, made, labels)


def _of_scores(
    scores: PairScores,
    probe: IntArray,
    gallery: IntArray,
    exclude: ExclusionRule | None,
    views: Sequence[str],
    labels: Mapping[str, Any],
) -> Trials:
    """The comparisons of a file of scores, with a note on those that it lacks."""
    made = compare_given(scores, probe, gallery, exclude)
    trials = _labelled(scores.samples, probe, views, GIVEN, made, labels)
    absent = np.isnan(scores.matrix(probe, gallery))
    wanted = np.ones_like(absent) if exclude is None else ~exclude(slice(0, len(probe)))
    lacking = int(np.count_nonzero(absent & wanted))
    if not lacking:
        return trials
    note = (
        f"{lacking} of {wanted.sum()} pairs of a probe and a gallery sample have no score and are "
        "not counted; open-set rates need them all."
    )
    return replace(trials, notes=(*trials.notes, note), complete=False)


def _labelled(
    data: Embeddings,
    probe: IntArray,
    views: Sequence[str],
    metric: str,
    made: Comparisons,
    labels: Mapping[str, Any],
) -> Trials:
    """Comparisons with the view and person of each probe, and the other labels."""
    view = canonical(data.view)[probe].tolist()
    places = {name: place for place, name in enumerate(views)}
    return Trials(
        metric=metric,
        comparisons=made,
        views=tuple(views),
        view=np.array([places.get(name, 0) for name in view], dtype=np.int64),
        people=data.subject[probe],
        **labels,
    )


def check_apart(data: Embeddings | PairScores, development: Embeddings) -> None:
    """Refuse people who would help to choose the threshold that they are then judged by.

    Args:
        data: Embeddings to test.
        development: Embeddings to choose thresholds on.

    Raises:
        ValueError: A person is in both, or the tested are scores, which have another scale.
    """
    if isinstance(data, PairScores):
        raise ValueError(
            "Thresholds of development embeddings do not fit scores of another system: leave the "
            "development people out."
        )
    both = np.intersect1d(data.subject, development.subject)
    if len(both):
        raise ValueError(
            f"People among both the development and the test people: {len(both)}, such as "
            f"{str(both[0])!r}: choose thresholds on other people."
        )


def pair_trials(
    data: Embeddings | PairScores,
    protocol: PairProtocol,
    pair: Pair,
    rule: ReidRule,
    *,
    metric: Metric = "cosine",
) -> Trials:
    """Make the comparisons of a pair.

    Args:
        data: One embedding a sequence, or scores of pairs; ``condition`` holds what the protocol's
            ``field`` names.
        protocol: The sets.
        pair: Which set is compared with which.
        rule: What a probe may not see. Sequences of one walk are nearly alike, so that in a
            same-set pair ``clean`` flatters; ``cross-take`` does not.
        metric: ``cosine`` or ``euclidean``; not used for scores.

    Returns:
        The trials, of the one condition ``pair.name``.

    Raises:
        ValueError: A set has no sequences, the rule needs a take or a camera that is not there, it
            is one that drops some of the nearest or of the last sequences, or cosine meets an
            embedding of zeros.
    """
    if rule.drops_nearest or rule.batch is not None:
        usable = ", ".join(
            name for name, one in RULES.items() if not (one.drops_nearest or one.batch)
        )
        raise ValueError(
            f"Rule {rule.name} judges rankings and drops some of the nearest or the last "
            f"sequences, which single comparisons do not have: choose one of {usable}."
        )
    scores, data = split_scores(data, None)
    made = compare_sets(data, protocol, pair, rule)
    names = natural_order(canonical(data.view[made.probe]))
    hidden = _HIDDEN[rule.hidden] if made.exclude is not None else ""
    return make_trials(
        scores or data,
        made.probe,
        made.gallery,
        made.exclude,
        names if len(names) > 1 and "" not in names else (),
        metric=metric,
        protocol=f"{protocol.name} {pair.name}",
        conditions=(pair.name,),
        condition=np.zeros(len(made.probe), dtype=np.int64),
        reference=None,
        missing=0,
        excluded=" ".join([*([hidden] if hidden else []), *made.notes]),
        notes=data.read_alike("condition", "take", "view", "camera"),
    )
