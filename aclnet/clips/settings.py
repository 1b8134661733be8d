"""Settings of what the network sees of a recording; no network library is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat, ValidationInfo, field_validator, model_validator

from aclnet.config import Settings

Rows = npt.NDArray[np.int64]
Stream = Literal["j", "b", "k", "ip", "jd", "jm", "bm", "km", "ipm", "jdm", "l"]
Scale = Literal["torso", "none"]
Body = Literal["own", "common"]
DISTANCES = ("ip", "jd")
"""Streams with a channel for each joint."""


class NormaliseSettings(Settings):
    """How clips are made independent of camera and place.

    Attributes:
        centre: subtract the hips' midpoint of every frame, of the clip's first seen frame, or not;
            "joint": the layout's centre joint of every frame (AimCLR, ActCLR); "people": the middle
            between all people's hips, over the whole clip.
        scale: divide by the clip's median torso length (hips to shoulders), or not. Pixels need
            it: without it an embedding depends on the camera's resolution. Metres do not, and
            would lose the body's height, which is an identity cue.
        heading: 3-D only. Turn the body about the vertical until its left-right line lies along x:
            per frame (smoothed), once a clip, or not; "shoulders": their line in each frame, with
            one sense a clip (AimCLR, ActCLR). With `centre: frame` or `joint` each person turns
            separately; otherwise all turn with the first, which keeps their relative places.
            "people": the line from the first person to the second lies along x, once a clip; a
            person who is alone is turned as by "clip".
        heading_smooth_frames: moving average over that line, in frames.
        body: "own" keeps each person's bone lengths; "common" gives everybody one body, whose
            bones are equally long, so that posture and movement are left
            (`aclnet.clips.body.common_body`). Height goes too, so it needs a `centre`.
    """

    centre: Literal["frame", "clip", "joint", "people", "none"] = "frame"
    scale: Scale = "torso"
    heading: Literal["frame", "clip", "shoulders", "people", "none"] = "none"
    heading_smooth_frames: int = Field(default=15, ge=1, le=10_000)
    body: Body = "own"

    @property
    def keeps_distances(self) -> bool:
        """Whether people stay as far from each other as they are."""
        return self.centre not in ("frame", "joint")

    @model_validator(mode="after")
    def _line_between_people(self) -> NormaliseSettings:
        if self.heading == "people" and not self.keeps_distances:
            raise ValueError(
                f"heading: people turns by the line between two people, whose places centre: "
                f"{self.centre} removes: set centre to people, clip or none, or heading to frame"
            )
        return self

    @model_validator(mode="after")
    def _without_height(self) -> NormaliseSettings:
        if self.body == "common" and self.centre == "none":
            raise ValueError(
                "body: common removes how people are built, but centre: none keeps the height of "
                "their hips: set centre to frame, joint, clip or people, or body to own"
            )
        return self


class AugmentSettings(Settings):
    """Random changes of training clips; lengths in normalised units (torso lengths, or metres).

    GaitGraph (Teepe et al. 2021) mirrors about the body without exchanging left and right, and adds
    noise in pixels. Here the mirror image exchanges them too and noise is in units of the body, so
    that both mean the same for every camera.

    Attributes:
        mirror: probability of the mirror image.
        reverse: probability of time running backwards.
        joint_noise: standard deviation of an offset of each joint, constant over the clip.
        point_noise: standard deviation of noise of each joint in each frame.
        scale: standard deviation of the logarithm of the factor on the size.
        drop_joints: share of joints set to zero for a whole clip.
        rotate: 3-D: largest angle in radians by which a clip is turned about each of the axes x, y
            and z (PYSKL's RandomRot, there 0.2); 2-D: in the image plane. It turns about the
            origin, so clips should be centred.
        exchange_sides: probability that left and right joints swap names but not places (the
            release's Spatial_Flip, which does not mirror).
        drop_part: probability that one limb, drawn from arms and legs, is set to zero (the
            release's Part_Drop).
        image_flip: probability that the image is mirrored: for 2-D joints in pixels that are not
            centred (PYSKL's Flip, there 0.5); needs the videos' widths.
        exchange_people: probability that the people come in the reverse order, before the clip is
            normalised; only in clips that show all of them.
    """

    mirror: float = Field(default=0.5, ge=0, le=1)
    reverse: float = Field(default=0.0, ge=0, le=1)
    joint_noise: float = Field(default=0.0, ge=0)
    point_noise: float = Field(default=0.0, ge=0)
    scale: float = Field(default=0.0, ge=0)
    drop_joints: float = Field(default=0.0, ge=0, lt=1)
    rotate: float = Field(default=0.0, ge=0)
    exchange_sides: float = Field(default=0.0, ge=0, le=1)
    drop_part: float = Field(default=0.0, ge=0, le=1)
    image_flip: float = Field(default=0.0, ge=0, le=1)
    exchange_people: float = Field(default=0.0, ge=0, le=1)


class BodySettings(Settings):
    """Variants of each body that train as people of their own.

    Attributes:
        sizes: factors on the whole body, 1 being the recorded one; no two equal.
        mirrored: also the mirror image of each.
    """

    sizes: tuple[PositiveFloat, ...] = Field(default=(1.0,), min_length=1, max_length=100)
    mirrored: bool = False

    @property
    def count(self) -> int:
        """Variants of each body."""
        return len(self.sizes) * (2 if self.mirrored else 1)

    @field_validator("sizes")
    @classmethod
    def _different(cls, sizes: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(sizes)) < len(sizes):
            raise ValueError("give each size once: every size adds people")
        return sizes


class ClipSettings(Settings):
    """How long a clip is and what the network sees of it.

    Attributes:
        frames: T, frames in a clip.
        sampling: "window": consecutive frames (`step` apart) from anywhere in the recording, for
            movements that repeat; "uniform": one frame of each of T equal parts of the recording,
            for movements that begin and end (PYSKL's uniform sampling; shorter recordings start
            again); "stretch": as uniform, but shorter recordings are slowed down; "resize": places
            between frames, interpolated linearly, all test clips alike (AimCLR, ActCLR; with
            `least_share: 0.5` MAMP).
        step: with windows, distance of consecutive frames; 2 halves the frame rate.
        least_share: unless with windows, the least share of a recording that a training clip
            covers; 1 is the whole recording, as in the released code.
        streams: the input, concatenated on the channel axis (`aclnet.clips.streams.STREAMS`).
            Distances between people (ip, ipm) need clips whose people keep them: not
            `normalise.centre: frame` or `joint`.
        motion: the frame that a motion leads to: "clip": the clip's next, 0 at its last;
            "recording": the recording's next, whatever the clip's next is (released code, 3-D);
            "joined": as "clip", but over all clips of a test one after another (released code,
            2-D).
        missing: joints that were not seen in a frame are at "zero", in all channels; or "estimated"
            from the seen ones, as the training people's joints lie (`aclnet.clips.completion`);
            then no motion leads from or to a frame without the person.
        confidence: of bones and motions: "mean" of the two joints', or "released": subtracted for
            k-bones and motions, as the released code does in its 2-D layout.
        normalise: how clips are made independent of camera and place.
        augment: random changes of training clips.
        bodies: variants of bodies that train as people of their own. Several sizes need
            `normalise.scale: none`, mirrored bodies `augment.mirror: 0`.
    """

    frames: int = Field(default=60, ge=1, le=10_000)
    sampling: Literal["window", "uniform", "stretch", "resize"] = "window"
    step: int = Field(default=1, ge=1, le=10_000)
    least_share: float = Field(default=1.0, gt=0, le=1)
    streams: tuple[Stream, ...] = Field(default=("j", "b", "jm"), min_length=1)
    motion: Literal["clip", "recording", "joined"] = "clip"
    missing: Literal["zero", "estimated"] = "zero"
    confidence: Literal["mean", "released"] = "mean"
    normalise: NormaliseSettings = NormaliseSettings()
    augment: AugmentSettings = AugmentSettings()
    bodies: BodySettings = BodySettings()

    @field_validator("bodies")
    @classmethod
    def _distinguishable(cls, bodies: BodySettings, info: ValidationInfo) -> BodySettings:
        # An invalid field is not among the data.
        normalise, augment = info.data.get("normalise"), info.data.get("augment")
        if normalise is not None and normalise.scale == "torso" and len(bodies.sizes) > 1:
            raise ValueError(
                "people of several sizes cannot be told apart when all are scaled to one torso "
                "length: set normalise.scale to none, or give one size"
            )
        if normalise is not None and normalise.body == "common" and bodies.sizes != (1.0,):
            raise ValueError(
                "people of another size have the same common body: set normalise.body to own, or "
                "sizes to [1.0]"
            )
        if augment is not None and augment.mirror > 0 and bodies.mirrored:
            raise ValueError(
                "a person and the mirror image cannot be told apart when clips are mirrored at "
                "random: set augment.mirror to 0, or mirrored to false"
            )
        return bodies

    @model_validator(mode="after")
    def _fit_together(self) -> ClipSettings:
        if self.motion == "recording" and self.normalise.heading in ("frame", "shoulders"):
            raise ValueError(
                "motion: recording uses frames outside the clip, whose smoothed heading is not "
                "known: set normalise.heading to clip or none, or motion to clip"
            )
        if self.motion == "recording" and self.sampling == "resize":
            raise ValueError(
                "motion: recording needs the recording's next frame, which positions between "
                "frames do not have: set motion to clip, or sampling to stretch"
            )
        if self.motion == "recording" and self.augment.reverse > 0:
            raise ValueError(
                "motion: recording points forward in time even in a reversed clip: set "
                "augment.reverse to 0, or motion to clip"
            )
        if self.sampling != "window" and self.step != 1:
            raise ValueError(
                f"step needs sampling: window, not {self.sampling}: set step to 1, or sampling"
            )
        return self

    @model_validator(mode="after")
    def _people_keep_their_distances(self) -> ClipSettings:
        between = [stream for stream in self.streams if stream.startswith("ip")]
        if between and not self.normalise.keeps_distances:
            raise ValueError(
                f"stream {between[0]} is the distances between people, which normalise.centre: "
                f"{self.normalise.centre} removes: set it to people, clip or none"
            )
        return self

    @model_validator(mode="after")
    def _pictures_stay_pictures(self) -> ClipSettings:
        changes = self.normalise.model_dump(include={"centre", "scale", "heading"})
        moved = [name for name, value in changes.items() if value != "none"]
        if self.augment.image_flip > 0 and (moved or self.bodies != BodySettings()):
            raise ValueError(
                "augment.image_flip mirrors an image, so joints must keep their pixel positions: "
                "set normalise.centre, normalise.scale and normalise.heading to none and give no "
                "other bodies, or set image_flip to 0 (augment.mirror is for centred clips)"
            )
        return self


def stream_channels(streams: Sequence[str], channels: int, joints: int) -> int:
    """Channels that `aclnet.clips.streams.make_streams` returns.

    Args:
        streams: their names.
        channels: C of the clips.
        joints: V of the clips.

    >>> stream_channels(["j", "b", "l"], 3, joints=17), stream_channels(["j", "ip"], 3, joints=17)
    (7, 20)
    """
    sizes = {"l": 1} | dict.fromkeys(DISTANCES, joints)
    return sum(sizes.get(stream.removesuffix("m"), channels) for stream in streams)
