"""Embeddings and class scores of recordings: means over windows or test clips, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from aclnet.clips.sampling import Places, released_test_frames, resized_places, stretched_frames
from aclnet.clips.settings import ClipSettings, Rows
from aclnet.clips.stored import Clips, StoredClips, covered_frames, with_people_exchanged
from aclnet.clips.windows import sliding_windows, windows_at_phase
from aclnet.data.store import Store
from aclnet.progress import Progress, with_progress
from aclnet.runs.settings import EmbedSettings, ScoringSettings

Scores = npt.NDArray[np.float32]
BlockT = TypeVar("BlockT")

_SHORTEST = 1e-12
"""Shorter embeddings keep their direction and are not scaled to unit length."""


class Scored(NamedTuple):
    """A network's output for N clips, or the means over the clips of N recordings.

    Attributes:
        probabilities: (N, K), softmax of the logits.
        logits: (N, K).
        embedding: (N, D), the compared feature.
    """

    probabilities: Scores
    logits: Scores
    embedding: Scores


class Predictor(Protocol):
    """A network with the preparation of its clips, in whichever library it runs."""

    @property
    def clips(self) -> StoredClips:
        """Takes its clips out of recordings."""

    def __call__(self, clips: Clips, mirrored: bool = False) -> Scored:
        """Score clips of `StoredClips.for_network`, or their mirror images."""

    def each(
        self, blocks: Sequence[BlockT], clips_of: Callable[[BlockT], Clips], mirror: bool = False
    ) -> Iterator[tuple[BlockT, Scored]]:
        """Score the clips of every block, in order.

        Args:
            blocks: what names some clips.
            clips_of: the clips of a block.
            mirror: the compared feature is the mean of that of the clips and their mirror images.
        """


def mean_embeddings(
    predictor: Predictor, store: Store, settings: EmbedSettings, progress: Progress | None = None
) -> Scores:
    """One embedding a sample: the mean over its windows' embeddings, normalised if set.

    Args:
        predictor: gives the feature that the settings name.
        store: the samples to embed.
        settings: windows, mirror image, whether of unit length.
        progress: called with the number of batches done and their total.

    Returns:
        (N, D) float32.

    Raises:
        ValueError: there is no sample.
    """
    if not len(store):
        raise ValueError(f"there is nothing to embed: {store.info.name} holds no sample")
    clip = predictor.clips.settings
    if settings.windows == "centre":
        owner = np.arange(len(store), dtype=np.int64)
        frames = windows_at_phase(store.lengths, clip.frames, 0.5, clip.step)
    else:
        owner, frames = sliding_windows(store.lengths, clip.frames, settings.stride, clip.step)
    size = settings.batch_size
    blocks = [slice(first, first + size) for first in range(0, len(owner), size)]

    def clips_of(part: slice) -> Clips:
        return predictor.clips.for_network(store, owner[part], frames[part, None])

    sums: Scores = np.zeros((0, 0), dtype=np.float32)
    found = predictor.each(blocks, clips_of, settings.mirror)
    for part, scored in with_progress(found, len(blocks), progress):
        vectors = scored.embedding
        if part.start == 0:
            sums = np.zeros((len(store), vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, owner[part], vectors)
    if settings.normalise:
        # Rounded as torch rounds it: saved embeddings keep their bits but for the norm's last.
        length = np.linalg.norm(sums.astype(np.float64), axis=1, keepdims=True).astype(np.float32)
    else:
        length = np.bincount(owner, minlength=len(store))[:, None].astype(np.float32)
    means: Scores = sums / np.maximum(length, np.float32(_SHORTEST))
    return means


def mean_scores(
    predictor: Predictor,
    store: Store,
    test: ScoringSettings,
    *,
    hidden: Rows | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Score recordings over their test clips.

    Args:
        predictor: gives the feature before the classifier.
        store: N recordings.
        test: number of clips, and of those scored at once.
        hidden: joints set to zero in every clip, as if they had not been seen.
        progress: called with the number of batches done and their total.

    Raises:
        ValueError: there is no recording.
    """
    if not len(store):
        raise ValueError(f"there is nothing to score: {store.info.name} holds no sample")
    frames = scoring_frames(store.lengths, predictor.clips.settings, test)
    at_once = max(test.batch_size // test.clips, 1)
    every = np.arange(len(store))
    blocks = [every[first : first + at_once] for first in range(0, len(store), at_once)]

    def clips_of(rows: Rows) -> Clips:
        clips = predictor.clips.for_network(store, rows, frames[rows], hidden)
        if test.exchange_people:
            clips = with_people_exchanged(clips, np.arange(len(clips)) % test.clips % 2 == 1)
        return clips

    parts = [
        [values.reshape(len(rows), test.clips, -1).mean(axis=1) for values in scored]
        for rows, scored in with_progress(predictor.each(blocks, clips_of), len(blocks), progress)
    ]
    return Scored(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def scoring_frames(lengths: Rows, clip: ClipSettings, test: ScoringSettings) -> Rows | Places:
    """Frame numbers of the test clips: (N, clips, T), the same in every call.

    Uniform clips are the release's; stretched ones take the frames at evenly spaced phases of the
    parts; windows start at evenly spaced places; resized ones are at places between frames, and all
    the same. With `least_share` stretched and resized clips are of parts of a recording, in turn.

    Raises:
        ValueError: the test does not fit the clips.
    """
    test.require_clips(clip)
    crops = _crops(lengths, test)
    if clip.sampling == "uniform":
        return released_test_frames(lengths, clip.frames, test.clips, test.rule)
    if clip.sampling == "resize":
        parts = [first[:, None] + resized_places(part, clip.frames) for first, part in crops]
        return np.stack(parts, axis=1)
    phases = (np.arange(test.clips) + 0.5) / test.clips
    if clip.sampling == "stretch":
        return np.stack(
            [
                first[:, None] + stretched_frames(part, clip.frames, phase)
                for (first, part), phase in zip(crops, phases, strict=True)
            ],
            axis=1,
        )
    windows = [windows_at_phase(lengths, clip.frames, phase, clip.step) for phase in phases]
    return np.stack(windows, axis=1)


def _crops(lengths: Rows, test: ScoringSettings) -> list[tuple[Rows, Rows]]:
    """First frames and numbers of frames of the part of each recording that each clip covers.

    Two successive clips cover the same part, so that with `exchange_people` both orders do.
    """
    if test.least_share == 1:
        return [(np.zeros_like(lengths), lengths)] * test.clips
    part = covered_frames(lengths, test.least_share)
    left = lengths - part
    whole = (np.zeros_like(lengths), lengths)
    parts = [whole, (np.zeros_like(left), part), (left, part), (left // 2, part)]
    return [parts[number // 2 % len(parts)] for number in range(test.clips)]
