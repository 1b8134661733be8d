"""The joints of a skeleton and how they hang together: one sound, frozen description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.joint_names import canonical_name, nearest_name
from aclnet.layout_checks import check_derived, check_mirror, check_names, check_tree

__all__ = ["IndexArray", "Layout", "canonical_name", "nearest_name"]

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """The joints of a skeleton and how they hang together.

    Args:
        name: the layout's name.
        joints: V joint names in the order of the data's columns.
        bones: V-1 pairs (child, parent); together a tree whose root is `centre`.
        centre: the root joint.
        mirror: pairs (left, right) that change places when a body is mirrored.
        parts: joints of the body's parts, by part name.
        aliases: other names of joints, by joint name.
        derived: joints that are the mean of others, by joint name: where a recording lacks them
            they are made of those (`aclnet.joint_map`). Others may be derived in their turn.

    Raises:
        ValueError: a joint is named twice or not at all, the bones are not a tree with root
            `centre`, a mirror pair contradicts another, an alias is ambiguous, or a joint is
            derived of itself.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    centre: str
    mirror: tuple[tuple[str, str], ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_names(self)
        check_tree(self)
        check_mirror(self)
        check_derived(self)

    @property
    def joint_count(self) -> int:
        """V, the number of joints."""
        return len(self.joints)

    @cached_property
    def _places(self) -> dict[str, int]:
        places = {canonical_name(joint): place for place, joint in enumerate(self.joints)}
        for joint, others in self.aliases.items():
            for other in others:
                places[canonical_name(other)] = places[canonical_name(joint)]
        return places

    def find(self, name: str) -> int | None:
        """The column of a joint as `index` gives it, or None where the layout has no such joint."""
        return self._places.get(canonical_name(name))

    def index(self, name: str) -> int:
        """The column of a joint, by its name, an alias, or another spelling of either.

        Raises:
            ValueError: the layout has no such joint.
        """
        place = self.find(name)
        if place is None:
            raise ValueError(
                f"layout {self.name} has no joint {name!r}{nearest_name(name, self.joints)}; "
                f"its joints are {', '.join(self.joints)}"
            )
        return place

    @cached_property
    def bone_index(self) -> IndexArray:
        """Columns (child, parent) of the bones: int64 (V-1, 2)."""
        pairs = [(self.index(child), self.index(parent)) for child, parent in self.bones]
        return _fixed(np.array(pairs, dtype=np.int64).reshape(-1, 2))

    @cached_property
    def parents(self) -> IndexArray:
        """The parent's column of every joint, the root's own for the root: int64 (V,)."""
        parents = np.arange(self.joint_count, dtype=np.int64)
        parents[self.bone_index[:, 0]] = self.bone_index[:, 1]
        return _fixed(parents)

    @cached_property
    def mirror_index(self) -> IndexArray:
        """For every joint the column of its mirror image, its own if it has none: int64 (V,)."""
        image = np.arange(self.joint_count, dtype=np.int64)
        for left, right in self.mirror:
            image[self.index(left)], image[self.index(right)] = self.index(right), self.index(left)
        return _fixed(image)

    @cached_property
    def centre_index(self) -> int:
        """The root joint's column."""
        return self.index(self.centre)

    def part_index(self, part: str) -> IndexArray:
        """The columns of a part's joints: int64.

        Besides the layout's own parts there are, unless it has them itself, `two_legs`, both legs,
        and `two_hands`, what of the arms lies beyond the elbow: wrists, hands, fingers. The paper's
        study of occlusion (Table IX) hides these parts and does not say of which joints they are.

        Raises:
            ValueError: the layout has no such part.
        """
        if part not in self.parts and part == "two_legs":
            return np.concatenate([self.part_index("left_leg"), self.part_index("right_leg")])
        if part not in self.parts and part == "two_hands":
            return np.concatenate([self._beyond_elbow("left"), self._beyond_elbow("right")])
        if part not in self.parts:
            raise ValueError(
                f"layout {self.name} has no part {part!r}; "
                f"its parts are {', '.join(self.parts) or 'none'}"
            )
        return np.array([self.index(joint) for joint in self.parts[part]], dtype=np.int64)

    def _beyond_elbow(self, side: str) -> IndexArray:
        elbow = self.index(f"{side}_elbow")
        return np.array(
            [joint for joint in self.part_index(f"{side}_arm") if elbow in self._above(joint)],
            dtype=np.int64,
        )

    def _above(self, joint: int) -> list[int]:
        """The columns of the joints on the way from a joint to the root, without itself."""
        path = []
        while joint != self.centre_index:
            joint = int(self.parents[joint])
            path.append(joint)
        return path

    def to_dict(self) -> dict[str, Any]:
        """The layout as plain values, for YAML or JSON; `layout_from_dict` reads it back."""
        plain = {
            "name": self.name,
            "joints": list(self.joints),
            "bones": [list(pair) for pair in self.bones],
            "centre": self.centre,
            "mirror": [list(pair) for pair in self.mirror],
            "parts": {part: list(joints) for part, joints in self.parts.items()},
            "aliases": {joint: list(others) for joint, others in self.aliases.items()},
        }
        # Left out where there is none, so that layouts written down earlier stay equal to today's.
        if self.derived:
            plain["derived"] = {joint: list(others) for joint, others in self.derived.items()}
        return plain


def _fixed(array: IndexArray) -> IndexArray:
    array.setflags(write=False)
    return array
