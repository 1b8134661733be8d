"""One embedding for each recording, of any length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aclnet.clips.input import ClipInput
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.averages import Answering, mean_embeddings
from aclnet.runs.settings import EmbedSettings
from aclnet.runs.whole import TorchAnswering, WholeNetwork, evaluating


def embed(
    network: SkeletonNetwork | Answering,
    store: Store,
    clip_input: ClipInput,
    settings: EmbedSettings,
) -> npt.NDArray[np.float32]:
    """One embedding a sample: the mean over its windows' embeddings, normalised if set.

    Where all ranks embed (`aclnet.distributed.every_rank`), each embeds a share of the windows, and
    all get all embeddings, equal to the last bit to those of one rank.

    Args:
        network: in evaluation mode during the call; or one that prepares its clips itself.
        store: the samples to embed.
        clip_input: prepares clips as in training.
        settings: windows, mirror image, feature.

    Returns:
        (N, D) float32.

    Raises:
        ValueError: there is no sample.
    """
    if not isinstance(network, SkeletonNetwork):
        return mean_embeddings(network, store, settings)
    with evaluating(network):
        answering = TorchAnswering(WholeNetwork(network, clip_input, settings))
        return mean_embeddings(answering, store, settings)
