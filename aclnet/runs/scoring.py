"""Class scores of recordings: several clips of each, their probabilities averaged."""

from __future__ import annotations

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.averages import Answering, Scored, mean_scores, scoring_frames
from aclnet.runs.settings import ScoringSettings
from aclnet.runs.whole import TorchAnswering, WholeNetwork, evaluating

__all__ = ["Scored", "score", "scoring_frames"]


def score(
    network: SkeletonNetwork | Answering,
    store: Store,
    clip_input: ClipInput,
    test: ScoringSettings,
    *,
    hidden: Rows | None = None,
) -> Scored:
    """Score recordings over their test clips; where all ranks score, each does a share.

    Args:
        network: in evaluation mode during the call; or one that prepares its clips itself.
        store: N recordings.
        clip_input: prepares clips as in training.
        test: number of clips, and of those scored at once.
        hidden: joints set to zero in every clip, as if they had not been seen.

    Raises:
        ValueError: there is no recording.
    """
    if not isinstance(network, SkeletonNetwork):
        return mean_scores(network, store, test, hidden=hidden)
    with evaluating(network):
        answering = TorchAnswering(WholeNetwork(network, clip_input, None))
        return mean_scores(answering, store, test, hidden=hidden)
