"""Settings of the views that pre-training contrasts; no network library is needed."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import Field, field_validator, model_validator

from aclnet.config import Settings

Method: TypeAlias = Literal[
    "crop",
    "shear",
    "exchange_sides",
    "rotate",
    "noise",
    "blur",
    "axis_mask",
    "reverse",
    "drop",
    "rescale_time",
    "rescale_bones",
]

METHODS: tuple[Method, ...] = get_args(Method)
"""All changes, in the order in which a view takes them (the published C, S, 1, 2, ..., 9)."""

Methods: TypeAlias = tuple[Method, ...]
Range: TypeAlias = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


class ChangeSettings(Settings):
    """Strengths of the changes; lengths in the clips' unit (metres, or torso lengths).

    Attributes:
        probability: of each change but crop, shear, rotate and rescale_bones, which always act.
        crop: share of the clip added at both ends before as many frames as before are cut out.
        shear: largest size of the off-diagonal entries.
        rotate_degrees: largest angle about the clip's main axis; in 2-D in the image plane.
        tilt_degrees: largest angle about the other two axes; 3-D only.
        noise: standard deviation.
        strong_noise: standard deviation in strong views.
        blur_frames: least and largest standard deviation of the blur.
        drop: share of coordinates that drop sets to 0.
        time_factors: least and largest factor on the length.
        bone_factor: largest factor on a bone; the least is 0.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    crop: float = Field(default=1 / 6, ge=0, le=1)
    shear: float = Field(default=0.5, ge=0)
    rotate_degrees: float = Field(default=30.0, ge=0)
    tilt_degrees: float = Field(default=1.0, ge=0)
    noise: float = Field(default=0.01, ge=0)
    strong_noise: float = Field(default=0.05, ge=0)
    blur_frames: Range = (0.1, 2.0)
    drop: float = Field(default=0.5, ge=0, lt=1)
    time_factors: Range = (0.5, 1.5)
    bone_factor: float = Field(default=0.5, gt=0)

    @field_validator("blur_frames", "time_factors")
    @classmethod
    def _in_order(cls, given: Range) -> Range:
        if given[0] > given[1]:
            raise ValueError("give the smaller number first")
        return given


class PhaseSettings(Settings):
    """A part of the training and how much its views differ.

    Attributes:
        until: share of all epochs after which it ends.
        normal: changes in a normal view, drawn anew each epoch; at most those of the view.
        strong: the same of a strong view.
        basic: whether all views are cropped and sheared.
    """

    until: float = Field(gt=0, le=1)
    normal: int = Field(ge=0, le=100)
    strong: int = Field(ge=0, le=100)
    basic: bool = True


CURRICULUM = (
    PhaseSettings(until=100 / 350, normal=5, strong=7),
    PhaseSettings(until=200 / 350, normal=3, strong=5),
    PhaseSettings(until=300 / 350, normal=1, strong=3),
    PhaseSettings(until=1, normal=0, strong=0, basic=False),
)
"""The published 350 epochs; the last 50 without any change."""


class ExtremeViewSettings(Settings):
    """Views of stage 1 (AimCLR).

    Attributes:
        ordinary: changes of the query's and the key's view.
        extreme: changes of the extreme view.
        changes: their strengths.
    """

    ordinary: Methods = ("crop", "shear")
    extreme: Methods = (
        "crop", "shear", "exchange_sides", "rotate", "noise", "blur", "axis_mask",
    )  # fmt: skip
    changes: ChangeSettings = ChangeSettings()


class ActionletViewSettings(Settings):
    """Views of stage 2 (ActCLR).

    Attributes:
        basic: changes of all views, while the phase has them.
        normal: further changes of the normal view, as many of them as the phase says.
        strong: the same of the strong view.
        phases: the curriculum, in shares of the training; the last ends at 1.
        style_transfer: whether the weak view takes another clip's bone lengths (joints, bones) or
            its mean and spread (motions). Bone lengths tell people apart: set it to false where
            the features shall identify.
        changes: strengths.
    """

    basic: Methods = ("crop", "shear")
    normal: Methods = ("exchange_sides", "rotate", "noise", "blur", "axis_mask")
    strong: Methods = (
        "exchange_sides", "rotate", "noise", "blur", "axis_mask", "rescale_time", "rescale_bones",
    )  # fmt: skip
    phases: tuple[PhaseSettings, ...] = Field(default=CURRICULUM, min_length=1)
    style_transfer: bool = True
    changes: ChangeSettings = ChangeSettings()

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        ends = [phase.until for phase in self.phases]
        if ends != sorted(set(ends)) or ends[-1] != 1:
            raise ValueError(
                f"the phases must end one after another, the last at 1, not at {ends}: correct "
                "until in phases"
            )
        for phase in self.phases:
            for view in ("normal", "strong"):
                asked, known = getattr(phase, view), len(getattr(self, view))
                if asked > known:
                    raise ValueError(
                        f"a phase asks for {asked} changes of the {view} view, which has {known}: "
                        f"lower {view} in phases, or add changes to {view}"
                    )
        return self


class MixSettings(Settings):
    """How stage 2 mixes clips of a batch.

    Attributes:
        parts: least and largest number of body parts that come from the partner.
        units: least and largest length of the mixed frames, in units.
        late_parts: `parts` of the second branch from `late_from` on.
        late_units: `units` of the second branch from `late_from` on.
        late_from: share of the training.
        unit_frames: frames in a unit; the encoder's stride in time.
    """

    parts: tuple[int, int] = (2, 3)
    units: tuple[int, int] = (3, 5)
    late_parts: tuple[int, int] = (1, 2)
    late_units: tuple[int, int] = (1, 3)
    late_from: float = Field(default=200 / 350, ge=0)
    unit_frames: int = Field(default=4, ge=1, le=10_000)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("parts", "units", "late_parts", "late_units"):
            low, high = getattr(self, name)
            most = 5 if name.endswith("parts") else high
            if not 1 <= low <= high <= most:
                raise ValueError(
                    f"{name} is {low} to {high}: give two numbers from 1"
                    f"{' to 5, of five parts' if high > most else ''}, the smaller first"
                )
        return self
