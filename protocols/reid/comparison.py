"""The rows of embeddings that a pair compares under a rule, and those hidden from a probe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protocols.embeddings import Embeddings, TextArray
from protocols.names import canonical, natural_order
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import ExclusionRule, identity_codes, same_labels
from protocols.reid.pairs import Pair, PairProtocol
from protocols.reid.rules import ReidRule
from protocols.reid.walks import check_takes, number_walks
from protocols.text import nouns


@dataclass(frozen=True, eq=False)
class ReidComparison:
    """One pair, ready to be ranked.

    Attributes:
        pair: The pair.
        probe: (P,) rows of the embeddings that are probes.
        gallery: (G,) rows that are gallery.
        exclude: Which gallery rows a probe may not see; None where it may see all.
        skip: Nearest rows, whatever they are, that rank-k leaves out.
        lost: Probes at the head of the set that mAP leaves out.
        dropped: Sequences of both sets that the rule drops (of a same-set pair once).
        notes: Sentences to be read with the results.
    """

    pair: Pair
    probe: IntArray
    gallery: IntArray
    exclude: ExclusionRule | None
    skip: int = 0
    lost: int = 0
    dropped: int = 0
    notes: tuple[str, ...] = ()


def compare_sets(
    data: Embeddings, protocol: PairProtocol, pair: Pair, rule: ReidRule
) -> ReidComparison:
    """Lay out one pair.

    Args:
        data: One embedding a sequence (or walk).
        protocol: The sets.
        pair: Which sets.
        rule: The rule.

    Returns:
        The rows in file order, and which the probes may not see.

    Raises:
        ValueError: A set has no sequences, one has no person, or the rule needs a take or a camera
            that is not there.
    """
    probe_set, gallery_set = (_rows(data, protocol, letter) for letter in pair)
    probe, gallery = _kept(probe_set, rule.batch), _kept(gallery_set, rule.batch)
    data.require_people(np.concatenate([probe, gallery]))
    dropped = len(probe_set) - len(probe)
    if not pair.same_set:
        dropped += len(gallery_set) - len(gallery)
    exclude, notes = _hidden(data, pair, rule, probe, gallery)
    special = pair.same_set and not (
        protocol.sets[pair.probe].casefold() in rule.keeps_self and not data.view[probe].any()
    )
    return ReidComparison(
        pair,
        probe,
        gallery,
        exclude,
        skip=int(rule.drops_nearest and special),
        lost=rule.lost_probes if special else 0,
        dropped=dropped,
        notes=notes,
    )


def _rows(data: Embeddings, protocol: PairProtocol, letter: str) -> IntArray:
    """The rows of a set."""
    rows = np.flatnonzero(protocol.members(letter, data.condition))
    if not len(rows):
        known = ", ".join(repr(name) for name in natural_order(data.condition)[:8])
        raise ValueError(
            f"Set {letter} of protocol {protocol.name} has no sequences: their {protocol.field} "
            f"should be {protocol.sets[letter]!r}, and it is {known or 'not given'}."
        )
    return rows


def _kept(rows: IntArray, batch: int | None) -> IntArray:
    """The rows of whole batches; a set of one batch or less stays whole."""
    if batch is None or len(rows) <= batch:
        return rows
    return rows[: len(rows) - len(rows) % batch]


def _hidden(
    data: Embeddings, pair: Pair, rule: ReidRule, probe: IntArray, gallery: IntArray
) -> tuple[ExclusionRule | None, tuple[str, ...]]:
    """The gallery rows hidden from a probe, and notes on them."""
    if rule.hidden == "self":
        return _itself(data, pair, probe, gallery)
    if rule.hidden == "walk":
        if not pair.same_set:
            return None, ()  # another condition is another walk
        check_takes(data.select(probe), f"Rule {rule.name}")
        number = number_walks(data)
        return same_labels((number[probe], number[gallery])), ()
    if rule.hidden == "camera":
        camera, notes = _cameras(data, np.concatenate([probe, gallery]), rule)
        person = data.subject
        exclude = same_labels((person[probe], person[gallery]), (camera[probe], camera[gallery]))
        return exclude, notes
    return None, ()


def _itself(
    data: Embeddings, pair: Pair, probe: IntArray, gallery: IntArray
) -> tuple[ExclusionRule | None, tuple[str, ...]]:
    """The probe's own row; across sets, the row of the same name, person, take, view and camera.

    Names that repeat within a set (those made up from the labels do) are not used: they tell no
    sequences apart.
    """
    if pair.same_set:
        return same_labels((probe, gallery)), ()
    names = data.sample[probe], data.sample[gallery]
    if any(len(np.unique(side)) < len(side) for side in names):
        return None, ()
    both = np.concatenate([probe, gallery])
    plain = data.select(both)
    walk = number_walks(
        Embeddings(
            plain.embedding, plain.subject, take=plain.take, view=plain.view, camera=plain.camera
        )
    )
    own, stored = identity_codes(*names)
    size = int(walk.max(initial=0)) + 1
    left, right = own * size + walk[: len(probe)], stored * size + walk[len(probe) :]
    shared = int(np.isin(left, right).sum())
    if not shared:
        return None, ()
    note = (
        f"{pair.name}: {shared} {nouns('probes', shared)} with the same name and labels in "
        "the gallery: none is compared with itself."
    )
    return same_labels((left, right)), (note,)


def _cameras(data: Embeddings, rows: IntArray, rule: ReidRule) -> tuple[TextArray, tuple[str, ...]]:
    """(N,) camera of each row, or the view where no camera is given."""
    for field in ("camera", "view"):
        values: TextArray = getattr(data, field)
        given = values[rows] != ""
        if given.all():
            notes = (
                ()
                if field == "camera"
                else (f"Rule {rule.name}: the view is taken as the camera.",)
            )
            return canonical(values), notes
        if given.any():
            nameless = rows[~given]
            raise ValueError(
                f"Sample {str(data.sample[nameless[0]])!r} has no {field} while others have one "
                f"({len(nameless)} in all): rule {rule.name} needs it of all."
            )
    raise ValueError(
        f"Rule {rule.name} needs the camera (or view) of every sequence, and none is given: add a "
        "field camera, or take rule clean, which needs none."
    )
