"""The margin of the right person, for the study of the joints that mattered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.inference import embed
from protocols.embeddings import Embeddings
from protocols.gait.assignment import assign, read_views
from protocols.gait.ranking import own_view
from protocols.gait.rules import RULES
from tasks.gait.adapter import GaitAdapter
from tasks.joints.right import RightScore, margin


def right_score(adapter: GaitAdapter, network: SkeletonNetwork, tested: Embeddings) -> RightScore:
    """Every probe against its gallery, as the run's protocol has them."""
    settings = adapter.settings
    protocol = settings.gallery_probe()
    roles = assign(protocol, tested, np.random.default_rng(settings.train.seed))
    view = read_views(protocol, tested)
    galleries = {
        row: gallery
        for places, gallery in reversed(roles.settings())
        for row in roles.probe[places].tolist()
    }

    def gallery_of(row: int) -> Rows:
        gallery = galleries[row]
        return gallery[~own_view(tested, view, row, gallery)]

    def embedded(copies: Store) -> npt.NDArray[np.float32]:
        return embed(network, copies, adapter.clip_input, settings.embed)

    probes = np.unique(roles.probe)
    return margin(tested, RULES[settings.rule].metric, probes, gallery_of, embedded)
