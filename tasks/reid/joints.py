"""The margin of the right person, for the study of the joints that mattered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.inference import embed
from protocols.embeddings import Embeddings
from protocols.reid.comparison import compare_sets
from protocols.reid.rules import reid_rule
from tasks.joints.right import RightScore, margin
from tasks.reid.adapter import ReidAdapter


def right_score(adapter: ReidAdapter, network: SkeletonNetwork, tested: Embeddings) -> RightScore:
    """The probes of the run's first pair against its gallery."""
    settings = adapter.settings
    protocol, pairs = settings.chosen_pairs()
    rule = reid_rule(settings.rule)
    compared = compare_sets(tested, protocol, pairs[0], rule)
    place_of = {row: place for place, row in enumerate(compared.probe.tolist())}

    def gallery_of(row: int) -> Rows:
        place, gallery = place_of[row], compared.gallery
        if compared.exclude is not None:
            gallery = gallery[~compared.exclude(slice(place, place + 1))[0]]
        return gallery

    def embedded(copies: Store) -> npt.NDArray[np.float32]:
        return embed(network, copies, adapter.clip_input, settings.embed)

    return margin(tested, rule.metric, compared.probe, gallery_of, embedded)
