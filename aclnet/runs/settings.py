"""Settings of embedding and scoring with a trained network; no network library is needed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from aclnet.clips.settings import ClipSettings
from aclnet.config import Settings

Persons = Literal["together", "apart"]
"""Whether the persons of a recording are one group, as in training, or judged separately."""

Preparation = Literal["none", "main_person"]
"""How a recording is prepared before anything else (`aclnet.data.prepare`)."""


class EmbedSettings(Settings):
    """How a recording of any length becomes one embedding.

    Attributes:
        windows: "all": every window, `stride` frames apart, unit embeddings averaged; "centre": the
            middle window alone, as GaitGraph does.
        stride: frames between windows.
        mirror: average with the mirror image. GaitGraph's test-time flip reverses an axis of
            length 1 and changes nothing; this one does.
        feature: "embedding" after the network's neck, "pooled" before it, or "posterior": the
            square roots of the class probabilities, so that the cosine of two samples is the
            Bhattacharyya coefficient of their classifications; that makes sense only if the
            tested people are the training people.
        normalise: scale embeddings to unit length; otherwise the plain mean, as in TranSG.
        batch_size: clips embedded at once.
    """

    windows: Literal["all", "centre"] = "all"
    stride: int = Field(default=30, ge=1, le=1_000_000)
    mirror: bool = True
    feature: Literal["embedding", "pooled", "posterior"] = "embedding"
    normalise: bool = True
    batch_size: int = Field(default=256, ge=1, le=100_000)


class ScoringSettings(Settings):
    """How a recording is tested.

    Attributes:
        clips: clips of each recording, whose probabilities are averaged (10 in the release).
        rule: the release's sampler, with uniform sampling: "decode" (its 3-D data) or "frames" (its
            2-D data); they differ for recordings shorter than a clip.
        least_share: with stretched or resized clips, the share of a recording that some clips
            cover: in turn the whole of it, this share at its beginning, at its end and in its
            middle; 1: all clips cover the whole.
        exchange_people: every second clip has the people in the reverse order, if all are seen.
        batch_size: clips scored at once.
    """

    clips: int = Field(default=10, ge=1, le=1_000)
    least_share: float = Field(default=1.0, gt=0, le=1)
    exchange_people: bool = False
    rule: Literal["decode", "frames"] = "decode"
    batch_size: int = Field(default=128, ge=1, le=100_000)

    def require_clips(self, clip: ClipSettings) -> None:
        """Refuse tests that do not fit the clips.

        Raises:
            ValueError: `least_share` is below 1 and clips do not span recordings, or people are to
                be exchanged in some of several clips that are prepared as one.
        """
        if self.least_share < 1 and clip.sampling not in ("stretch", "resize"):
            raise ValueError(
                "test.least_share cuts recordings for stretched or resized clips, not with "
                f"clip.sampling: {clip.sampling}: set it to 1"
            )
        if self.exchange_people and clip.motion == "joined":
            raise ValueError(
                "test.exchange_people changes every second clip, and clip.motion: joined prepares "
                "all clips of a recording as one: set it to false, or motion to clip"
            )
