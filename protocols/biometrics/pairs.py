"""The comparisons of one pair of sets as verification trials: every probe with every sequence."""

from __future__ import annotations

import numpy as np

from protocols.biometrics.trials import Trials, make_trials
from protocols.embeddings import Embeddings
from protocols.names import canonical, natural_order
from protocols.ranking.distances import Metric
from protocols.reid.comparison import compare_sets
from protocols.reid.pairs import Pair, PairProtocol
from protocols.reid.rules import RULES, ReidRule

_HIDDEN = {
    "nothing": "",
    "self": "No sequence is compared with itself.",
    "walk": "No sequence is compared with its own walk.",
    "camera": "No sequence is compared with its own person before its own camera.",
}


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
