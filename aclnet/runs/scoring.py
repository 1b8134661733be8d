"""Class scores of recordings: several clips of each, their probabilities averaged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.clips.sampling import Places, released_test_frames, resized_places, stretched_frames
from aclnet.clips.settings import ClipSettings, Rows
from aclnet.clips.windows import windows_at_phase
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork
from aclnet.runs.embedding import evaluating
from aclnet.runs.settings import ScoringSettings
from aclnet.runs.turns import in_turns

Scores = npt.NDArray[np.float32]


class Scored(NamedTuple):
    """Scores of N recordings.

    Attributes:
        probabilities: (N, K), mean over clips of the softmax.
        logits: (N, K), mean over clips.
        embedding: (N, D), mean over clips of the feature before the classifier.
    """

    probabilities: Scores
    logits: Scores
    embedding: Scores


def scoring_frames(lengths: Rows, clip: ClipSettings, test: ScoringSettings) -> Rows | Places:
    """Frame numbers of the test clips: (N, clips, T), the same in every call.

    Uniform clips are the release's; stretched ones take the frames at evenly spaced phases of the
    parts; windows start at evenly spaced places; resized ones are all the same, at places between
    frames.
    """
    if clip.sampling == "uniform":
        return released_test_frames(lengths, clip.frames, test.clips, test.rule)
    if clip.sampling == "resize":
        places = resized_places(lengths, clip.frames)
        return np.repeat(places[:, None], test.clips, axis=1)
    phases = (np.arange(test.clips) + 0.5) / test.clips
    if clip.sampling == "stretch":
        return np.stack([stretched_frames(lengths, clip.frames, phase) for phase in phases], axis=1)
    windows = [windows_at_phase(lengths, clip.frames, phase, clip.step) for phase in phases]
    return np.stack(windows, axis=1)


@torch.no_grad()
def score(
    network: SkeletonNetwork,
    store: Store,
    clip_input: ClipInput,
    test: ScoringSettings,
    *,
    hidden: Rows | None = None,
) -> Scored:
    """Score recordings over their test clips; where all ranks score, each does a share.

    Args:
        network: in evaluation mode during the call.
        store: N recordings.
        clip_input: prepares clips as in training.
        test: number of clips, and of those scored at once.
        hidden: joints set to zero in every clip, as if they had not been seen.

    Raises:
        ValueError: there is no recording.
    """
    if not len(store):
        raise ValueError(f"there is nothing to score: {store.info.name} holds no sample")
    device = next(network.parameters()).device
    frames = scoring_frames(store.lengths, clip_input.settings, test)
    at_once = max(test.batch_size // test.clips, 1)
    every = np.arange(len(store))
    blocks = [every[first : first + at_once] for first in range(0, len(store), at_once)]

    def scored(rows: Rows) -> tuple[Tensor, ...]:
        clips = _test_clips(store, rows, frames[rows], clip_input, device, hidden)
        output = network(clips)
        count = (len(rows), test.clips, -1)
        logits = output.logits.float()
        shares = logits.softmax(dim=1).view(count).mean(dim=1)
        return shares, logits.view(count).mean(1), output.embedding.view(count).mean(1)

    with evaluating(network):
        parts = [tensors for _, tensors in in_turns(network, blocks, scored)]
    return Scored(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))


def _test_clips(
    store: Store,
    rows: Rows,
    frames: Rows | Places,
    clip_input: ClipInput,
    device: torch.device,
    hidden: Rows | None,
) -> Tensor:
    """Network input of the clips with frames (rows, clips, T), recording by recording."""
    count, clips, length = frames.shape
    if clip_input.settings.motion != "joined":
        several = np.repeat(rows, clips), frames.reshape(-1, length)
        return clip_input.prepare(clip_input.on_device(store, *several, device), hidden)
    stored = clip_input.on_device(store, rows, frames.reshape(count, -1), device)
    made = clip_input.prepare(stored, hidden)
    persons, joints, channels = made.shape[1], *made.shape[3:]
    made = made.view(count, persons, clips, length, joints, channels).transpose(1, 2)
    return made.reshape(count * clips, persons, length, joints, channels)
