"""The probability of the right class, for the study of the joints that mattered."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.inference import score
from protocols.action.scores import UNKNOWN, ClassScores
from tasks.action.adapter import ActionAdapter
from tasks.joints.right import RightScore


def right_score(
    adapter: ActionAdapter, network: SkeletonNetwork, tested: ClassScores
) -> RightScore:
    """The mean over the test clips, as in the test."""

    def probability(copies: Store, of: Rows) -> npt.NDArray[np.float64]:
        scored = score(network, copies, adapter.clip_input, adapter.settings.test)
        right = scored.probabilities[np.arange(len(of)), tested.label[of]]
        return np.asarray(right, dtype=np.float64)

    labelled = np.flatnonzero(tested.label != UNKNOWN)
    words = "probability of the right class"
    return RightScore(words, "percentage points", 100.0, labelled, probability)
