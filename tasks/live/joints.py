"""A stream's joints, as a run takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aclnet.data.formats.keypoints.joints import unit_of
from aclnet.data.formats.keypoints.tracks import seen_joints
from aclnet.skeleton import Layout, layout_names, load_layout
from aclnet.skeleton.mapping import map_joints, same_joints
from tasks.live.events import Points

if TYPE_CHECKING:
    from aclnet.runs.model import Model

_AXES = ("x", "y", "z")
_MOST_LAYOUTS = 16


class RunJoints:
    """Brings joints into a run's layout and channels, as its files are.

    Args:
        model: the run.
        layout: of the stream; by default the run's.

    Raises:
        ValueError: the run's joints do not follow from these, or its channels are not coordinates.
    """

    def __init__(self, model: Model, layout: Layout | str | None = None) -> None:
        own = model.settings.data
        target = model.layout
        if layout is None and own.map_to is not None and own.layout in layout_names():
            layout = own.layout
        named = target if layout is None else layout
        self.layout = named if isinstance(named, Layout) else load_layout(named)
        self._model, self._others = model, dict[tuple[str, ...], RunJoints]()
        if own.map_to is None and not same_joints(self.layout, target):
            raise ValueError(
                f"the stream's joints are those of {self.layout.name}, and {model.run} was trained "
                f"on those of {target.name}: give the stream these, or train with data.map_to"
            )
        channels = model.info.channels
        self._dims = sum(channel in _AXES for channel in channels)
        if channels[: self._dims] != _AXES[: self._dims] or len(channels) - self._dims > 1:
            raise ValueError(
                f"{model.run} was trained on channels {', '.join(channels)}, and a stream has x, "
                "y, [z,] [confidence]"
            )
        self._map, self._channels = map_joints(self.layout, target), len(channels)
        self._unit, self._run = model.info.unit, model.run

    @property
    def shape(self) -> tuple[int, int]:
        """V joints of a person of the run, and C channels."""
        return len(self._map.columns), self._channels

    def of(self, layout: Layout | None) -> RunJoints:
        """The same for joints of another layout; None: of this one.

        Raises:
            ValueError: the run's joints do not follow from these.
        """
        if layout is None or layout.joints == self.layout.joints:
            return self
        if layout.joints not in self._others:
            if len(self._others) >= _MOST_LAYOUTS:
                self._others.clear()
            self._others[layout.joints] = RunJoints(self._model, layout)
        return self._others[layout.joints]

    def fit(self, points: Points) -> tuple[Points, Points]:
        """The run's joints of P people.

        Args:
            points: (P, V, C) of the stream.

        Returns:
            (P, V', dims + 1) with a confidence, in the stream's layout, zeros where a joint was not
            found; and (P, V', C') as the run takes them.

        Raises:
            ValueError: another number of joints or coordinates, or another unit than the run's.
        """
        joints, numbers = points.shape[1:]
        if joints != self.layout.joint_count or numbers - self._dims not in (0, 1):
            raise ValueError(
                f"{joints} joints of {numbers} numbers, expected are {self.layout.joint_count} "
                f"({self.layout.name}) of {self._dims} or {self._dims + 1}: --layout names other "
                "joints"
            )
        if numbers == self._dims:
            found = (points != 0).any(axis=-1, keepdims=True)
            points = np.concatenate([points, found], axis=-1, dtype=np.float32)
        points = points * seen_joints(points)[..., None]
        unit = unit_of(points) if self._dims == 2 else None
        if unit not in (None, self._unit):
            raise ValueError(
                f"coordinates are {unit} by their range, and {self._run} was trained on unit "
                f"{self._unit}"
            )
        return points, self._map.apply(points)[..., : self._channels].astype(np.float32, copy=False)
