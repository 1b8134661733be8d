"""Which comparisons a protocol makes, and the condition and view that each probe belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.biometrics.scores import EXACT_BYTES, Comparisons, compare_all
from protocols.embeddings import Embeddings, TextArray
from protocols.gait.assignment import assign, only_people
from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.names import canonical, natural_order
from protocols.ranking.distances import IntArray, Metric
from protocols.ranking.exclusion import ExclusionRule, same_identity_and_group
from protocols.reid.comparison import compare_sets
from protocols.reid.pairs import Pair, PairProtocol
from protocols.reid.rules import RULES, ReidRule

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
        comparisons: P probes against G gallery samples.
        conditions: Names of conditions.
        condition: (P,) index into ``conditions``.
        views: Names of probe views; empty where there is none or only one.
        view: (P,) index into ``views``; all 0 where there is none.
        reference: The condition that the gallery was recorded in, if probes were too.
        people: (P,) names of the probes' persons.
        missing: Recordings that the protocol asks for and the data lack.
        excluded: What is not compared, as a sentence; empty for nothing.
    """

    protocol: str
    comparisons: Comparisons
    conditions: tuple[str, ...]
    condition: IntArray
    views: tuple[str, ...]
    view: IntArray
    reference: str | None
    people: TextArray
    missing: int
    excluded: str

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
        """What must be said about the comparisons, as sentences."""
        notes = [self.excluded] if self.excluded else []
        if self.comparisons.resolution:
            notes.append(
                f"So many comparisons are not kept: scores were rounded down to multiples of "
                f"{self.comparisons.resolution:g}."
            )
        return notes


def protocol_trials(
    data: Embeddings,
    protocol: GalleryProbe | str = "casia_b",
    *,
    metric: Metric = "cosine",
    subjects: Iterable[str] | None = None,
    generator: np.random.Generator | None = None,
    exact_bytes: int = EXACT_BYTES,
) -> Trials:
    """Make the comparisons of a gallery-probe protocol.

    All gallery views are one gallery here, since a decision needs one threshold. Where the protocol
    leaves identical views out of its means (``single``, or ``auto`` with two views or more) no two
    samples of one view are compared, genuine or impostor; under ``pooled`` only those of the same
    person in the same view are left out.

    Args:
        data: One embedding a sample.
        protocol: The table of rules, or the name of a built-in one.
        metric: ``cosine`` or ``euclidean``.
        subjects: The people to compare; None takes all.
        generator: Draws the gallery takes where the protocol says ``random N``.
        exact_bytes: Memory up to which scores are kept exactly.

    Returns:
        The trials.

    Raises:
        ValueError: The protocol finds no gallery or no probe, none of ``subjects`` is there, or an
            embedding has no direction under ``cosine``.
    """
    spec = load_protocol(protocol) if isinstance(protocol, str) else protocol
    used = data if subjects is None else only_people(data, subjects)
    roles = assign(spec, used, generator)
    person, view = canonical(used.subject), canonical(used.view)
    names = natural_order(view[np.concatenate([roles.gallery, roles.probe])])
    several = len(names) > 1
    exclude, sentence = None, ""
    if several:
        exclude, sentence = _exclusion(spec, person, view, roles.probe, roles.gallery)
    enrolled = set(canonical(used.condition[roles.gallery]).tolist())
    same = [name for name in roles.conditions if canonical([name])[0] in enrolled]
    return make_trials(
        used,
        roles.probe,
        roles.gallery,
        exclude,
        names if several else (),
        metric=metric,
        exact_bytes=exact_bytes,
        protocol=spec.name,
        conditions=roles.conditions,
        condition=roles.condition,
        reference=same[0] if same else None,
        missing=roles.missing,
        excluded=sentence,
    )


def make_trials(
    data: Embeddings,
    probe: IntArray,
    gallery: IntArray,
    exclude: ExclusionRule | None,
    views: Sequence[str],
    *,
    metric: Metric,
    exact_bytes: int = EXACT_BYTES,
    **labels: Any,
) -> Trials:
    """Compare rows of embeddings.

    Args:
        data: One embedding a sample.
        probe: (P,) rows.
        gallery: (G,) rows.
        exclude: Which comparisons are not made; None makes all.
        views: Names of the probes' views; none where they are not told apart.
        metric: ``cosine`` or ``euclidean``.
        exact_bytes: Memory up to which scores are kept exactly.
        labels: The other attributes of the trials.

    Raises:
        ValueError: ``cosine`` meets an embedding of zeros.
    """
    if metric == "cosine":
        data.require_directions()
    person, view = canonical(data.subject), canonical(data.view)
    places = {name: place for place, name in enumerate(views)}
    return Trials(
        comparisons=compare_all(
            data.embedding[probe],
            data.embedding[gallery],
            person[probe],
            person[gallery],
            metric=metric,
            exclude=exclude,
            exact_bytes=exact_bytes,
        ),
        views=tuple(views),
        view=np.array([places.get(name, 0) for name in view[probe].tolist()], dtype=np.int64),
        people=person[probe],
        **labels,
    )


def check_apart(
    data: Embeddings, tested: list[str] | None, development: Embeddings, chosen: list[str] | None
) -> None:
    """Refuse people who would help to choose the threshold that they are then judged by.

    Args:
        data: Embeddings to test.
        tested: The people among them to test; None for all.
        development: Embeddings to choose thresholds on.
        chosen: The people among them; None for all.

    Raises:
        ValueError: Somebody is on both sides.
    """
    sides = []
    for part, people in ((data, tested), (development, chosen)):
        there = set(canonical(part.subject).tolist())
        sides.append(there if people is None else there & set(canonical(people).tolist()))
    both = sorted(sides[0] & sides[1])
    if both:
        raise ValueError(
            f"{len(both)} people, such as {both[0]!r}, are among both the development and the test "
            "people: choose thresholds on other people."
        )


def _exclusion(
    spec: GalleryProbe, person: TextArray, view: TextArray, probe: IntArray, gallery: IntArray
) -> tuple[ExclusionRule, str]:
    """What data of several views do not compare."""
    if spec.views == "pooled":
        rule = same_identity_and_group(person[probe], person[gallery], view[probe], view[gallery])
        return rule, "No sample is compared with its own person in its own view."
    anybody = np.zeros(len(person), dtype=np.int64)
    rule = same_identity_and_group(anybody[probe], anybody[gallery], view[probe], view[gallery])
    return rule, "Samples of one view are not compared with each other."


def pair_trials(
    data: Embeddings,
    protocol: PairProtocol,
    pair: Pair,
    rule: ReidRule,
    *,
    metric: Metric = "cosine",
) -> Trials:
    """Make the comparisons of a pair.

    Args:
        data: One embedding a sequence; ``condition`` holds what the protocol's ``field`` names.
        protocol: The sets.
        pair: Which set is compared with which.
        rule: What a probe may not see. Sequences of one walk are nearly alike, so that in a
            same-set pair ``clean`` flatters; ``cross-take`` does not.
        metric: ``cosine`` or ``euclidean``.

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
    made = compare_sets(data, protocol, pair, rule)
    names = natural_order(canonical(data.view[made.probe]))
    hidden = _HIDDEN[rule.hidden] if made.exclude is not None else ""
    return make_trials(
        data,
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
    )
