"""A sample, and the description of a store of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationInfo,
    field_validator,
)

from aclnet.data.names import composed
from aclnet.data.numbering import Numbers
from aclnet.skeleton import Layout

SCHEMA_VERSION = 1
FIELDS = ("identity", "label", "condition", "view", "take", "camera", "split")
COLUMNS = ("sample", "start", "length", *FIELDS)
SIZE_COLUMN, FRAMES_COLUMN, FPS_COLUMN = "image_size", "frames", "fps"
OWN_COLUMNS = (SIZE_COLUMN, FRAMES_COLUMN, FPS_COLUMN)
"""The optional last columns of an index, each there if a sample has such a value of its own."""
SLOWEST_FPS, FASTEST_FPS = 1e-3, 1e6

LARGEST_EDGE = 999_999_999
"""Largest width and height of a video in pixels."""

Edge = Annotated[int, Field(ge=1, le=LARGEST_EDGE)]
Frames = npt.NDArray[np.floating[Any]]


class StoreInfo(BaseModel):
    """The description of a store: its layout, channels, unit and source.

    A reader returns a StoreInfo before its first sample and counts what it leaves out in `dropped`
    while its samples are drawn; the counts are complete after the last one. So it does in `notes`
    with the recordings that it read in one of several ways, by a sentence that says how.

    `classes` are the class names in the order of the class numbers, if the source has such an
    order; every label is then one of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    name: str
    layout: dict[str, Any]
    channels: tuple[str, ...] = Field(min_length=1)
    unit: Literal["pixel", "metre", "normalised"]
    image_size: tuple[Edge, Edge] | None = None
    classes: tuple[str, ...] = ()
    fps: float | None = Field(default=None, ge=SLOWEST_FPS, le=FASTEST_FPS)
    synthetic: bool = False
    source: str = ""
    dropped: dict[str, NonNegativeInt] = Field(default_factory=dict)
    notes: dict[str, NonNegativeInt] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    fingerprint: str = ""

    @field_validator("classes", "channels")
    @classmethod
    def _each_once(cls, value: tuple[str, ...], about: ValidationInfo) -> tuple[str, ...]:
        value = tuple(map(composed, value))
        twice = sorted(name for name, count in Counter(value).items() if count > 1)
        if twice or "" in value:
            raise ValueError(
                f"{about.field_name} must be names, each once, not empty or repeated: "
                f"{', '.join(twice)}"
            )
        return value

    @classmethod
    def of_file(cls, path: Path, layout: Layout, **about: Any) -> Self:
        """The description of a file's or folder's content: named after it, with further fields."""
        return cls(name=path.stem, layout=layout.to_dict(), source=path.name, **about)

    def count_dropped(self, reason: str, count: int = 1) -> None:
        """Add to the number of items that the reader left out for a reason."""
        if not count:
            return
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def note(self, sentence: str) -> None:
        """Add to the number of recordings that a sentence says of how they were read."""
        self.notes[sentence] = self.notes.get(sentence, 0) + 1

    @property
    def dims(self) -> int:
        """The number of space coordinates, 2 or 3."""
        return sum(channel in ("x", "y", "z") for channel in self.channels)


@dataclass
class Sample:
    """One recording of one person or group: frames (T, M, V, C) and its metadata.

    Its key and texts are brought to Unicode's composed form, in which names are compared.

    Attributes:
        image_size: width and height of its video in pixels if the recordings of a store differ in
            it, else None: `StoreInfo.image_size` then has it for all.
        frame_numbers: (T,) rising, the number of each frame in the recording as it was filmed;
            None: 0 to T - 1. Whatever leaves out frames keeps the numbers of the others (`keep`).
        fps: frames per second of that recording, with its frames that are not here, if the
            recordings of a store differ in it, else None: `StoreInfo.fps` then has it for all.
    """

    sample: str
    frames: npt.NDArray[Any]
    identity: str = ""
    label: str = ""
    condition: str = ""
    view: str = ""
    take: str = ""
    camera: str = ""
    split: str = ""
    image_size: tuple[int, int] | None = None
    frame_numbers: Numbers | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        for name in ("sample", *FIELDS):
            value = getattr(self, name)
            if isinstance(value, str):  # a reader's mistake is refused by the writer
                setattr(self, name, composed(value))

    @property
    def numbers(self) -> Numbers:
        """(T,) the number of each frame in the recording."""
        if self.frame_numbers is None:
            return np.arange(len(self.frames), dtype=np.int64)
        return self.frame_numbers

    def keep(self, rows: npt.NDArray[Any] | slice, frames: Frames | None = None) -> Self:
        """The sample with some of its frames, which keep their numbers.

        Args:
            rows: which frames: a mask (T,), row numbers or a slice.
            frames: those frames (T', M, V, C), where they were changed too.
        """
        kept = self.frames[rows] if frames is None else frames
        return replace(self, frames=kept, frame_numbers=self.numbers[rows])
