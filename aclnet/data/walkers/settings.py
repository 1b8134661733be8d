"""Settings of the synthetic walkers, the data set that needs no download."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

WALKERS_VERSION = 1  # goes up when the same settings make other data
CONDITIONS = ("nm", "bg", "cl")
FASTEST = 1.9  # no walker is faster, metres a second
MOST_FRAMES = 100_000_000

Length = Annotated[int, Field(le=10_000)]
Edge = Annotated[int, Field(le=100_000)]


class WalkerSettings(BaseModel):
    """Settings of the walkers; the defaults make 60 people and 6,600 sequences.

    Attributes:
        identities: number of people.
        seed: of all random numbers.
        frames: shortest and longest sequence; lengths are drawn evenly between them.
        fps: frames per second.
        views: camera angles in whole degrees; the person walks towards 0, 90 sees the left side.
        nm_takes: plain walks of each person.
        bg_takes: walks with a bag.
        cl_takes: walks in a coat.
        image_size: width and height in pixels.
        field_of_view: horizontal, degrees.
        camera_distance: from the middle of the walk, metres.
        camera_height: over the ground, metres.
        noise: standard deviation of the pose estimator for a well seen joint, as a share of the
            height in the image of a person of 1.7 metres.
        identity_spread: factor on the differences between people (``traits``).
        take_spread: factor on the differences between walks of one person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identities: int = Field(default=60, ge=1, le=99_999)
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    frames: tuple[Length, Length] = (64, 92)
    fps: float = Field(default=25.0, gt=0.0, allow_inf_nan=False)
    views: tuple[int, ...] = tuple(range(0, 181, 18))
    nm_takes: int = Field(default=6, ge=0, le=99)
    bg_takes: int = Field(default=2, ge=0, le=99)
    cl_takes: int = Field(default=2, ge=0, le=99)
    image_size: tuple[Edge, Edge] = (320, 240)
    field_of_view: float = Field(default=46.0, gt=5.0, lt=120.0)
    camera_distance: float = Field(default=7.0, ge=5.0, le=1000.0)
    camera_height: float = Field(default=1.4, ge=0.0, le=50.0)
    noise: float = Field(default=0.008, ge=0.0, le=0.2)
    identity_spread: float = Field(default=1.0, ge=0.0, le=2.0)
    take_spread: float = Field(default=1.0, ge=0.0, le=2.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        shortest, longest = self.frames
        if not 2 <= shortest <= longest:
            raise ValueError(
                f"frames must be shortest, longest with 2 <= shortest, not {self.frames}"
            )
        walked = 0.5 * FASTEST * longest / self.fps + 1.5
        if walked > self.camera_distance:
            raise ValueError(
                f"{longest} frames at {self.fps:g} a second bring a fast walker up to cameras at "
                f"{self.camera_distance:g} m; take fewer frames or a camera_distance of at least "
                f"{walked:.1f}"
            )
        if not self.views or len(set(self.views)) < len(self.views):
            raise ValueError(f"views must be different angles, at least one, not {self.views}")
        if not all(0 <= view < 360 for view in self.views):
            raise ValueError(f"views must be degrees from 0 to 359, not {self.views}")
        if min(self.image_size) < 16:
            raise ValueError(f"image_size must be at least 16 x 16 pixels, not {self.image_size}")
        if not self.takes:
            raise ValueError("nm_takes, bg_takes and cl_takes are all 0: nobody walks")
        frames = self.recordings * longest
        if frames > MOST_FRAMES:
            raise ValueError(
                f"up to {frames:,} frames are more than {MOST_FRAMES:,}, some 20 GB: take fewer "
                "identities, takes, views or frames"
            )
        return self

    @property
    def recordings(self) -> int:
        """Number of recordings: each walk of each person before each camera."""
        return self.identities * len(self.takes) * len(self.views)

    @property
    def takes(self) -> tuple[tuple[str, int], ...]:
        """Condition and number, from 1, of every walk of a person, in order."""
        counts = (self.nm_takes, self.bg_takes, self.cl_takes)
        return tuple(
            (condition, number)
            for condition, count in zip(CONDITIONS, counts, strict=True)
            for number in range(1, count + 1)
        )
