"""The rules by which re-identification toolboxes judge a ranking, and our own, as data.

All of them rank the gallery for every probe sequence and look for its mates (same identity). They
differ in what a probe may see, in the same-set pairs (N-N, B-B, C-C: the probes ARE the gallery),
in unmated probes and in ties:

==============  =========  =====================================  ==================  =========
rule            distance   a probe does not see                   unmated probes      ties in AP
==============  =========  =====================================  ==================  =========
``clean``       cosine     itself                                 wrong everywhere    by row
``cross-take``  cosine     its own walk (same person, condition,  wrong everywhere    by row
                           take, view and camera)
``market1501``  cosine     its own identity in its own camera     left out            by row
``transg``      Euclidean  nothing (see below)                    wrong in rank-k,    grouped
                                                                  left out of mAP
``spc-mgr``     Euclidean  as ``transg``; N-N see below           as ``transg``       grouped
``sge``         Euclidean  as ``transg``; rank-1 only             wrong               -
==============  =========  =====================================  ==================  =========

``transg`` is bit-faithful to TranSG (Rao and Miao, CVPR 2023) and its kin (Hi-MPC, SimMC, MoCos):
in a same-set pair rank-k covers the sorted positions 2 to k+1, whatever is at position 1 (a
duplicate may), and mAP loses the first probe of the file and keeps the self-match of all others at
distance 0, which inflates it. The last partial batch of 256 sequences of each set (in file order)
is dropped on both sides. Embeddings are compared raw, by Euclidean distance; scikit-learn's AP
groups equal distances. It reports no mINP, and neither do we under it.

``spc-mgr`` (Rao and Miao, IJCAI 2022): an operator precedence slip leaves the self-match in N-N
unless views are given. ``sge`` (Rao et al., TPAMI 2021): rank-1 only, the second nearest in a
same-set pair; nothing is dropped.

``market1501`` is that of torchreid and fast-reid (Zheng et al., ICCV 2015), with a result also
where the released code aborts (no probe has a match) or raises (filtered galleries shorter than the
depth). Where no camera is given the view is the camera.

Cosine is the default of our own rules because the embeddings of the models here are trained as unit
vectors; ``metric`` of :func:`protocols.reid.evaluate.evaluate_reid` takes another.

The released code leaves equal distances to an unstable sort; here the lowest gallery row wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from protocols.ranking.distances import Metric
from protocols.ranking.identification import Unmated
from protocols.ranking.precision import Ties

ReidRuleName = Literal["clean", "cross-take", "market1501", "transg", "spc-mgr", "sge"]
Hidden = Literal["nothing", "self", "walk", "camera"]
Measure = Literal["rank1", "rank5", "rank10", "mAP", "mINP"]

_ALL: tuple[Measure, ...] = ("rank1", "rank5", "rank10", "mAP", "mINP")


@dataclass(frozen=True)
class ReidRule:
    """One way to judge a ranking.

    Attributes:
        name: Name in results.
        metric: The distance, unless another is chosen.
        hidden: Gallery rows that a probe may not see: ``nothing``; ``self``; ``walk``, the same
            identity's sequences of the same condition, take, view and camera; ``camera``, the same
            identity's sequences of the same camera.
        drops_nearest: Whether rank-k in a same-set pair starts at the second nearest row.
        lost_probes: Probes at the head of a same-set pair that mAP leaves out.
        keeps_self: Sets whose same-set pair is judged like any other where no view is given.
        batch: Batch size whose last partial batch is dropped from a set of more than one batch;
            None drops nothing.
        unmated: How rank-k counts a probe without a mate: ``wrong`` or ``skip``.
        unmated_precision: The same for mAP and mINP.
        ties: How AP treats equal distances.
        measures: The measures that are reported.
    """

    name: str
    metric: Metric = "cosine"
    hidden: Hidden = "nothing"
    drops_nearest: bool = False
    lost_probes: int = 0
    keeps_self: tuple[str, ...] = ()
    batch: int | None = None
    unmated: Unmated = "wrong"
    unmated_precision: Unmated = "wrong"
    ties: Ties = "row"
    measures: tuple[Measure, ...] = _ALL


_TRANSG = ReidRule(
    "transg",
    metric="euclidean",
    drops_nearest=True,
    lost_probes=1,
    batch=256,
    unmated_precision="skip",
    ties="grouped",
    measures=("rank1", "rank5", "rank10", "mAP"),
)
RULES: Mapping[str, ReidRule] = {
    rule.name: rule
    for rule in (
        ReidRule("clean", hidden="self"),
        ReidRule("cross-take", hidden="walk"),
        ReidRule("market1501", hidden="camera", unmated="skip", unmated_precision="skip"),
        _TRANSG,
        replace(_TRANSG, name="spc-mgr", keeps_self=("nm",)),
        ReidRule("sge", metric="euclidean", drops_nearest=True, measures=("rank1",)),
    )
}
"""The rules by name."""


def reid_rule(name: str) -> ReidRule:
    """The rule of a name.

    Raises:
        ValueError: There is none.
    """
    if name not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, not {name!r}.")
    return RULES[name]
