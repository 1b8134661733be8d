"""An exported network compared with the run's on clips of recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from aclnet.clips.stored import Clips, StoredClips
from aclnet.data.store import Store
from aclnet.progress import Progress, share, with_progress
from aclnet.runs.averages import Predictor, Scored, scoring_frames
from aclnet.runs.settings import ScoringSettings

TOLERANCE = 1e-4
"""The largest difference of an exported network, in shares of the output's largest value."""

_CLIPS = 2  # of each recording
_CHANGE = 1e-3
_SAME = 1e-6


class Comparison(NamedTuple):
    """How far an exported network's answers are from the run's.

    Attributes:
        clips: that were compared.
        difference: the largest, in shares of the output's largest value.
        lengths: the same for clips of other numbers of frames; None where there were none.
        persons: the same for other numbers of persons; None likewise.
    """

    clips: int
    difference: float
    lengths: float | None
    persons: float | None


def clips_of(store: Store, clips: StoredClips, frames: int | None = None) -> Clips:
    """Clips of all recordings, for a network that prepares them itself.

    Args:
        store: the recordings.
        clips: takes them.
        frames: T; by default the network's own.
    """
    length = clips.settings.frames if frames is None else frames
    settings = clips.settings.model_copy(update={"frames": length})
    places = scoring_frames(store.lengths, settings, ScoringSettings(clips=_CLIPS))
    return clips.for_network(store, np.arange(len(store)), places)


def compare(
    exported: Predictor,
    own: Predictor,
    store: Store,
    *,
    mirrored: bool = True,
    lengths: bool = False,
    persons: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Compare the answers for one clip and for several.

    Args:
        exported: the exported network.
        own: the run's.
        store: recordings.
        mirrored: also compare mirror images.
        lengths: also compare clips of other numbers of frames.
        persons: also compare with other numbers of persons.
        progress: called with the amount done and the total.

    Raises:
        ValueError: the exported network gives the same answer whatever it is given.
    """
    clips = clips_of(store, own.clips)
    images = (False, True) if mirrored else (False,)
    asked = [(part, image) for part in (clips, clips[:1], clips[-3:]) for image in images]
    found = (difference(exported(*one), own(*one)) for one in asked)
    worst = max(with_progress(found, len(asked), share(progress, 0, 3)))
    _require_change(exported, clips)
    other = _other_lengths(own.clips)
    of_lengths, of_persons = None, None
    if lengths:
        longer = (clips_of(store, own.clips, length) for length in other)
        counted = with_progress(longer, len(other), share(progress, 1, 3))
        of_lengths = _worst(exported, own, counted)
    if persons:
        of_persons = _worst(exported, own, _other_persons(clips))
    if progress is not None:
        progress(1, 1)
    return Comparison(_CLIPS * len(store), worst, of_lengths, of_persons)


def _worst(exported: Predictor, own: Predictor, parts: Iterable[Clips]) -> float:
    """The largest difference over parts; infinite where one of the networks takes none such."""
    try:
        return max(difference(exported(clips), own(clips)) for clips in parts)
    except ValueError:
        return float("inf")


def difference(found: Scored, wanted: Scored) -> float:
    """The largest difference, in shares of the same output's largest value; infinite if not finite.

    Of embeddings of another width it is infinite, too.
    """
    worst = 0.0
    for one, other in zip(found, wanted, strict=True):
        if one.shape != other.shape or not np.isfinite(one).all():
            return float("inf")
        scale = float(np.abs(other).max()) or 1.0
        worst = max(worst, float(np.abs(one - other).max()) / scale)
    return worst


def _other_lengths(clips: StoredClips) -> list[int]:
    """Longer and shorter clips, also of odd numbers of frames."""
    frames = clips.settings.frames
    return sorted({max(frames // 2, 1), max(frames - 1, 1), frames + 1, frames + 2, 2 * frames + 3})


def _other_persons(clips: Clips) -> Iterator[Clips]:
    """The first person alone, and with somebody absent."""
    yield np.ascontiguousarray(clips[:, :1])
    absent = [(0, 0)] * clips.ndim
    absent[1] = (0, 1)
    yield np.pad(clips, absent)


def _require_change(exported: Predictor, clips: Clips) -> None:
    """Refuse a network whose answers depend neither on the clip nor on its values.

    Raises:
        ValueError: they do not.
    """
    noise = np.random.default_rng(0).normal(1, _CHANGE, clips.shape).astype(np.float32)
    answers, changed = exported(clips), exported(clips * noise)
    for name, one, other in zip(Scored._fields, answers, changed, strict=True):
        scale = float(np.abs(one).max()) or 1.0
        if np.ptp(one, axis=0).max() < _SAME * scale or np.abs(one - other).max() == 0:
            raise ValueError(
                f"the network gives the same {name} for all of {len(clips)} clips: was it trained?"
            )
