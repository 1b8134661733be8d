"""From one joint layout to another: joints found by name, others as the mean of joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.skeleton.layout import IndexArray, Layout

Frames = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class JointMap:
    """How the joints of a target layout follow from a source's.

    A mean counts a joint that was not found (at the origin, confidence 0) like any other, as in the
    ACLNet release: the derived joint then lies half-way to the origin, with half the confidence.

    Args:
        columns: the source's column of every joint, -1 where it is derived: int64 (V_target,).
        derived: the target's column of every derived joint and the target's columns whose mean it
            is, in an order in which each can be computed.
    """

    columns: IndexArray
    derived: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def apply(self, frames: Frames) -> Frames:
        """The target's joints.

        Args:
            frames: (..., V_source, C); all channels are averaged, the confidence too.

        Returns:
            (..., V_target, C) of the frames' type, but at least float32 if joints are derived: the
            mean of two half-precision numbers rarely is one.
        """
        made = frames[..., np.maximum(self.columns, 0), :]
        if not self.derived:
            return made
        made = made.astype(np.result_type(frames.dtype, np.float32), copy=False)
        for column, others in self.derived:
            made[..., column, :] = made[..., list(others), :].mean(axis=-2)
        return made


def same_joints(source: Layout, target: Layout) -> bool:
    """Whether two layouts have the same joints by name, in whatever order and spelling.

    >>> from aclnet.skeleton import layout_from_dict
    >>> one = layout_from_dict({"name": "a", "joints": ["neck", "head"],
    ...                         "bones": {"head": "neck"}, "centre": "neck"})
    >>> other = layout_from_dict({"name": "b", "joints": ["Head", "Neck"],
    ...                           "bones": {"head": "neck"}, "centre": "neck"})
    >>> same_joints(one, other)
    True
    """
    columns = {source.find(joint) for joint in target.joints} - {None}
    return source.joint_count == target.joint_count == len(columns)


def map_joints(source: Layout, target: Layout) -> JointMap:
    """Find the joints of `target` in `source`, by name or alias, or derive them.

    Raises:
        ValueError: the source lacks joints of the target that cannot be derived; all are named.
    """
    columns = []
    for joint in target.joints:
        names = (joint, *target.aliases.get(joint, ()))
        found = [column for column in map(source.find, names) if column is not None]
        columns.append(found[0] if found else -1)
    known = {place for place, column in enumerate(columns) if column >= 0}
    recipes = {
        target.index(joint): tuple(target.index(other) for other in others)
        for joint, others in target.derived.items()
    }
    derived: list[tuple[int, tuple[int, ...]]] = []
    while ready := [
        joint for joint, others in recipes.items() if joint not in known and known >= set(others)
    ]:
        derived += [(joint, recipes[joint]) for joint in ready]
        known.update(ready)
    lacking = [name for place, name in enumerate(target.joints) if place not in known]
    if lacking:
        raise ValueError(
            f"layout {source.name} cannot become {target.name}: it has no {', '.join(lacking)} "
            f"(its joints: {', '.join(source.joints)}); add aliases to a layout file, or say there "
            "what they are derived from"
        )
    return JointMap(np.array(columns, dtype=np.int64), tuple(derived))
