"""The rules by which toolboxes turn the same ranking into a table, and our own.

All of them count, for every (condition, probe view, gallery view), the probes whose nearest gallery
sequence of that view shows the same person, and keep a probe without a mate in the denominator.
They differ in distance, rounding, the diagonal (identical views) and empty cells:

=============  =========  ============================  =========================================
rule           distance   cells                         also printed as "accuracy"
=============  =========  ============================  =========================================
``exact``      cosine     exact                         nothing
``gaitgraph``  Euclidean  exact                         mean of all cells, the diagonal set to 0
                                                        (10/11 of the true mean for 11 views)
``gaitgraph2`` cosine     exact; the printed table has  mean of all cells, diagonal included
                          percent with one decimal
``opengait``   Euclidean  percent rounded to two        nothing
                          decimals before averaging
=============  =========  ============================  =========================================

The condition score is the mean over probe views of the mean over the other gallery views, the
headline the mean over conditions. Under ``exact`` a mean runs over the cells that exist (the view
has probes and a gallery) and a note says which do not; a toolbox's rule lets the undefined cell
spread, as the toolbox does, and the measure is then left out with a note.

Embeddings of several parts, (N, C, P), are compared part by part under every rule, and the distance
is the mean over the parts, as in OpenGait (:mod:`protocols.ranking.distances`).

Sources, as executed by the golden data's authors: GaitGraph e7a3995 (Teepe et al., ICIP 2021),
GaitGraph2 0c619f3 (Teepe et al., CVPRW 2022), OpenGait 0efafd4 (Fan et al., CVPR 2023). The
released toolboxes leave ties to file order (GaitGraph) or to the library; here the lowest gallery
row always wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from protocols.ranking.distances import Metric

RuleName = Literal["exact", "gaitgraph", "gaitgraph2", "opengait"]


@dataclass(frozen=True)
class TableRule:
    """One way to make a table.

    Attributes:
        name: Name in results.
        metric: The distance, unless another is chosen.
        cell_decimals: Decimals of a cell in percent before it is averaged; None keeps it exact.
        table_decimals: Decimals of the printed table in percent.
        diagonal: How ``accuracy_avg`` counts identical views: ``zero`` or ``keep``; None reports no
            such measure.
        empty: What a cell without probes or gallery does to a mean: ``skip`` or ``spread``.
    """

    name: RuleName
    metric: Metric
    cell_decimals: int | None
    table_decimals: int
    diagonal: Literal["zero", "keep"] | None
    empty: Literal["skip", "spread"]


RULES: Mapping[RuleName, TableRule] = {
    "exact": TableRule("exact", "cosine", None, 2, None, "skip"),
    "gaitgraph": TableRule("gaitgraph", "euclidean", None, 2, "zero", "spread"),
    "gaitgraph2": TableRule("gaitgraph2", "cosine", None, 1, "keep", "spread"),
    "opengait": TableRule("opengait", "euclidean", 2, 2, None, "spread"),
}
"""The rules by name."""
