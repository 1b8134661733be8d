"""Settings of the source of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from aclnet.config import Settings
from aclnet.data.walkers.settings import WalkerSettings

KeptBy = Literal["identity", "label", "condition", "view", "take", "camera"]


class DataSettings(Settings):
    """The source of the samples.

    Attributes:
        source: used without a path: `walkers` are generated; `file` is an error, so that a recipe
            for real data never runs on generated ones by mistake.
        path: a store, or any file or folder that `aclnet-task data convert` reads (it is converted
            once and kept in the cache); by default `source` decides.
        format: the format of `path`, where it is not recognised.
        layout: joint layout of `path`, where the file does not name it.
        map_to: change to this layout by joint name.
        options: the format's own options, such as `split: fold` for an .npz; null clears those of
            a recipe.
        keep: the wanted values of a sample's fields, such as `label: [walk, run]` or `view: "090"`,
            as `aclnet-task data convert --keep`; other samples are dropped and counted. Numbers
            are text in quotes.
        prepare: "main_person": the main person first, its empty frames dropped, the recording
            centred on it (`aclnet.data.prepare`); done once, in the conversion.
        fill_gaps: seconds between two frames in which a joint was seen, up to which it is filled in
            between, linear in time (`aclnet.data.gaps`); null: it stays absent. Before resampling.
        resample_fps: frames per second to which faster recordings are brought down, linear in time;
            slower ones, and those of an unknown rate, stay as they are, which is said.
        upsample: bring slower recordings up to `resample_fps` too.
        min_frames: shorter sequences are dropped and counted.
        walkers: settings of the synthetic walkers.
    """

    source: Literal["walkers", "file"] = "walkers"
    path: Path | None = None
    format: str | None = None
    layout: str | None = None
    map_to: str | None = None
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    keep: dict[KeptBy, tuple[str, ...]] = Field(default_factory=dict)
    prepare: Literal["none", "main_person"] = "none"
    fill_gaps: float | None = Field(default=None, gt=0, le=60)
    resample_fps: float | None = Field(default=None, ge=0.1, le=10_000)
    upsample: bool = False
    min_frames: int = Field(default=1, ge=1, le=1_000_000)
    walkers: WalkerSettings = WalkerSettings()

    @field_validator("keep", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        """A single value is a list of one; YAML's numbers have lost their zeros."""
        if not isinstance(value, dict):
            return value
        lists = {k: v if isinstance(v, (list, tuple)) else (v,) for k, v in value.items()}
        for values in lists.values():
            if not values or not all(isinstance(one, str) for one in values):
                raise ValueError("each field needs one value or several, numbers in quotes: '090'")
        return lists
