"""What the network sees of a recording: which frames, prepared how, as which streams."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationInfo, field_validator, model_validator
from torch import Tensor

from aclnet.clips.augmentation import AugmentSettings, augment
from aclnet.clips.bodies import BodySettings, BodyVariants
from aclnet.clips.sampling import stretched_frames, uniform_frames
from aclnet.clips.streams import make_streams, stream_channels
from aclnet.clips.transforms import NormaliseSettings, mirror, normalise
from aclnet.clips.windows import random_windows, windows_at
from aclnet.config import Settings
from aclnet.data.store import Store
from aclnet.skeleton import Layout

Rows = npt.NDArray[np.int64]


class ClipSettings(Settings):
    """How long a clip is and what the network sees of it.

    Attributes:
        frames: T, frames in a clip.
        sampling: "window": consecutive frames (`step` apart) from anywhere in the recording, for
            movements that repeat; "uniform": one frame of each of T equal parts of the recording,
            for movements that begin and end (PYSKL's uniform sampling; shorter recordings begin
            anew); "stretch": as uniform, but shorter recordings are slowed down.
        step: with windows, distance of consecutive frames; 2 halves the frame rate.
        least_share: unless with windows, the least share of a recording that a training clip
            covers; 1 is the whole recording, as in the released code.
        streams: what is shown, side by side on the channel axis (`aclnet.clips.streams.STREAMS`).
        motion: what a motion leads to: "clip": the clip's next frame, 0 at its last; "recording":
            the recording's next frame, whatever the clip's next is (released code, 3-D); "joined":
            as "clip", but over all clips of a test one after another (released code, 2-D).
        confidence: of bones and motions: "mean" of the two joints', or "released": subtracted for
            k-bones and motions, as the released code does in its 2-D layout.
        normalise: what is done to free clips from camera and place.
        augment: random changes of training clips.
        bodies: changed bodies that train as people of their own. Several sizes need
            `normalise.scale: none`, mirrored bodies `augment.mirror: 0`.
    """

    frames: int = Field(default=60, ge=1)
    sampling: Literal["window", "uniform", "stretch"] = "window"
    step: int = Field(default=1, ge=1)
    least_share: float = Field(default=1.0, gt=0, le=1)
    streams: tuple[Literal["j", "b", "k", "jm", "bm", "km", "l"], ...] = Field(
        default=("j", "b", "jm"), min_length=1
    )
    motion: Literal["clip", "recording", "joined"] = "clip"
    confidence: Literal["mean", "released"] = "mean"
    normalise: NormaliseSettings = NormaliseSettings()
    augment: AugmentSettings = AugmentSettings()
    bodies: BodySettings = BodySettings()

    @field_validator("bodies")
    @classmethod
    def _told_apart(cls, bodies: BodySettings, info: ValidationInfo) -> BodySettings:
        # A field that is not allowed itself is not among the data.
        normalise, augment = info.data.get("normalise"), info.data.get("augment")
        if normalise is not None and normalise.scale == "torso" and len(bodies.sizes) > 1:
            raise ValueError(
                "people of several sizes cannot be told apart when all are scaled to one torso "
                "length: set normalise.scale to none, or give one size"
            )
        if augment is not None and augment.mirror > 0 and bodies.mirrored:
            raise ValueError(
                "a person and the mirror image cannot be told apart when clips are mirrored at "
                "random: set augment.mirror to 0, or mirrored to false"
            )
        return bodies

    @model_validator(mode="after")
    def _fit_together(self) -> ClipSettings:
        if self.motion == "recording" and self.normalise.heading == "frame":
            raise ValueError(
                "motion: recording looks at frames outside the clip, whose smoothed heading is not "
                "known: set normalise.heading to clip or none, or motion to clip"
            )
        if self.motion == "recording" and self.augment.reverse > 0:
            raise ValueError(
                "motion: recording leads forward also where a clip runs backwards: set "
                "augment.reverse to 0, or motion to clip"
            )
        if self.sampling != "window" and self.step != 1:
            raise ValueError(f"step goes with sampling: window, and not with {self.sampling}")
        return self

    @model_validator(mode="after")
    def _pictures_stay_pictures(self) -> ClipSettings:
        changes = self.normalise.model_dump(include={"centre", "scale", "heading"})
        moved = [name for name, value in changes.items() if value != "none"]
        if self.augment.image_flip > 0 and (moved or self.bodies != BodySettings()):
            raise ValueError(
                "augment.image_flip mirrors places in a picture, so joints must stay where they "
                "were in pixels: set normalise.centre, normalise.scale and normalise.heading to "
                "none and give no other bodies, or set image_flip to 0 (augment.mirror is for "
                "centred clips)"
            )
        return self

    def window_frames(self, lengths: Rows, phase: float) -> Rows:
        """Frame numbers (N, T) of each recording's window at a place from 0 (first) to 1 (last)."""
        room = np.maximum(lengths - ((self.frames - 1) * self.step + 1), 0)
        return windows_at((room * phase).astype(np.int64), lengths, self.frames, self.step)


class ClipInput:
    """Turns recordings into what the network sees; one object for training and test.

    Everything is float32 from the store to the network. (The released code centres half-precision
    files in half precision in the test, and in double precision in training.)

    Args:
        settings: clip settings.
        layout: the store's joint layout.
        channels: the store's channel names, coordinates first.
    """

    def __init__(self, settings: ClipSettings, layout: Layout, channels: tuple[str, ...]) -> None:
        self.settings = settings
        self.layout = layout
        self.dims = sum(channel in ("x", "y", "z") for channel in channels)
        self.channels = stream_channels(settings.streams, len(channels))
        self.bodies = BodyVariants(settings.bodies, layout, self.dims)

    def training_frames(self, lengths: Rows, generator: np.random.Generator) -> Rows:
        """Frame numbers (N, T) of a random clip of each recording of `lengths` (N,)."""
        settings = self.settings
        if settings.sampling == "window":
            return random_windows(lengths, settings.frames, generator, settings.step)
        share = generator.uniform(settings.least_share, 1, len(lengths))
        covered = np.maximum((share * lengths).astype(np.int64), 1)
        first = np.floor(generator.random(len(lengths)) * (lengths - covered + 1)).astype(np.int64)
        if settings.sampling == "uniform":
            return first[:, None] + uniform_frames(covered, settings.frames, generator)
        phase = generator.random((len(lengths), settings.frames))
        return first[:, None] + stretched_frames(covered, settings.frames, phase)

    def stored(self, store: Store, rows: Rows, frames: Rows) -> Tensor:
        """Frames of a store as `prepare` and `augmented` take them.

        Args:
            store: the recordings.
            rows: (N,) their rows.
            frames: (N, T) frame numbers.

        Returns:
            (N, M, T, V, C); with `motion: recording` (N, M, 2 T, V, C), each clip's frames and
            then the frames that follow each of them in the recording.
        """
        if self.settings.motion == "recording":
            following = np.minimum(frames + 1, store.lengths[rows][:, None] - 1)
            frames = np.concatenate([frames, following], axis=1)
        return torch.from_numpy(store.gather(rows, frames))

    def prepare(self, clips: Tensor, hidden: Rows | None = None) -> Tensor:
        """Stored clips to network input (N, M, T, V, channels), no randomness.

        Args:
            clips: from `stored`.
            hidden: joints set to zero, as where a detector did not see them.
        """
        if hidden is not None:
            clips = clips.clone()
            clips[..., hidden, :] = 0  # before anything is measured on them
        return self._streams(normalise(clips, self.layout, self.dims, self.settings.normalise))

    def prepare_mirrored(self, clips: Tensor) -> Tensor:
        """As `prepare`, of the mirror image."""
        clips = normalise(clips, self.layout, self.dims, self.settings.normalise)
        return self._streams(mirror(clips, self.layout))

    def augmented(
        self, clips: Tensor, generator: torch.Generator, widths: Tensor | None = None
    ) -> Tensor:
        """As `prepare`, with the random changes of training.

        Args:
            clips: from `stored`.
            generator: on the clips' device.
            widths: (N,) of their videos in pixels; only `augment.image_flip` needs them.
        """
        clips = normalise(clips, self.layout, self.dims, self.settings.normalise)
        clips = augment(clips, self.layout, self.dims, self.settings.augment, generator, widths)
        return self._streams(clips)

    def _streams(self, clips: Tensor) -> Tensor:
        following = None
        if self.settings.motion == "recording":
            clips, following = clips.chunk(2, dim=2)
        return make_streams(
            clips,
            self.layout,
            self.settings.streams,
            self.dims,
            confidence=self.settings.confidence,
            following=following,
        )


__all__ = ["ClipInput", "ClipSettings", "Rows"]
