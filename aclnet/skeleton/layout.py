"""The joints of a skeleton and how they are connected: one validated, frozen description."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.skeleton.names import canonical_name, nearest_name

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """The joints of a skeleton and how they are connected.

    Args:
        name: the layout's name.
        joints: V joint names in the order of the data's columns.
        bones: V-1 pairs (child, parent); together a tree whose root is `centre`.
        centre: the root joint.
        mirror: pairs (left, right) that change places when a body is mirrored.
        parts: joints of the body's parts, by part name.
        aliases: other names of joints, by joint name.
        derived: joints that are the mean of others, by joint name: if a recording lacks them, they
            are computed from those (`aclnet.skeleton.mapping`), which may be derived themselves.

    Raises:
        ValueError: a joint is named twice or not at all, the bones are not a tree with root
            `centre`, a mirror pair contradicts another, an alias is ambiguous, or a joint is
            derived from itself.
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
        _check_names(self)
        _check_tree(self)
        _check_mirror(self)
        _check_derived(self)

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
        """The column of a joint as in `index`, or None if the layout has no such joint."""
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
        """Column of every joint's mirror image, its own if it has none: int64 (V,)."""
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

        Besides the layout's own parts there are, unless it defines them, `two_legs`, both legs, and
        `two_hands`, the joints of the arms beyond the elbow: wrists, hands, fingers. The paper's
        study of occlusion (Table IX) hides these parts and does not list their joints.

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
        """The columns of the joints between a joint and the root, without itself."""
        path = []
        while joint != self.centre_index:
            joint = int(self.parents[joint])
            path.append(joint)
        return path

    def to_dict(self) -> dict[str, Any]:
        """The layout as plain values, for YAML or JSON; the inverse of `layout_from_dict`."""
        plain = {
            "name": self.name,
            "joints": list(self.joints),
            "bones": [list(pair) for pair in self.bones],
            "centre": self.centre,
            "mirror": [list(pair) for pair in self.mirror],
            "parts": {part: list(joints) for part, joints in self.parts.items()},
            "aliases": {joint: list(others) for joint, others in self.aliases.items()},
        }
        # Left out if there is none, so that layouts written by earlier versions stay equal.
        if self.derived:
            plain["derived"] = {joint: list(others) for joint, others in self.derived.items()}
        return plain


def _fixed(array: IndexArray) -> IndexArray:
    array.setflags(write=False)
    return array


def _check_names(layout: Layout) -> None:
    """Refuse joints named twice, and names elsewhere that are not among the joints."""
    if not layout.joints:
        raise ValueError(f"layout {layout.name} has no joints")
    owner: dict[str, str] = {}
    for joint in layout.joints:
        if canonical_name(joint) in owner:
            raise ValueError(f"layout {layout.name} names joint {joint!r} twice")
        owner[canonical_name(joint)] = joint
    _require(layout, owner, [layout.centre], "the centre")
    _require(layout, owner, (j for bone in layout.bones for j in bone), "a bone")
    _require(layout, owner, (j for pair in layout.mirror for j in pair), "a mirror pair")
    for part, joints in layout.parts.items():
        _require(layout, owner, joints, f"part {part}")
    _require(layout, owner, layout.aliases, "an alias")
    for joint, others in layout.aliases.items():
        for other in others:
            if owner.setdefault(canonical_name(other), joint) != joint:
                raise ValueError(
                    f"layout {layout.name}: alias {other!r} of {joint} is already a name of "
                    f"{owner[canonical_name(other)]}"
                )


def _require(layout: Layout, known: Container[str], names: Iterable[str], where: str) -> None:
    for name in names:
        if canonical_name(name) not in known:
            raise ValueError(
                f"layout {layout.name}: {where} names joint {name!r}, which is not among its "
                f"joints{nearest_name(name, layout.joints)}"
            )


def _check_tree(layout: Layout) -> None:
    """Refuse bones that are not a tree whose root is the centre."""
    parent: dict[str, str] = {}
    root = canonical_name(layout.centre)
    for child, above in ((canonical_name(a), canonical_name(b)) for a, b in layout.bones):
        if child in parent or child == root:
            raise ValueError(
                f"layout {layout.name}: the bones are not a tree with root {layout.centre}: "
                f"joint {child} has the parent {above}, but "
                f"{'also ' + parent[child] if child in parent else 'is the root'}"
            )
        parent[child] = above
    for joint in map(canonical_name, layout.joints):
        path = {joint}
        while joint in parent and parent[joint] not in path:
            joint = parent[joint]
            path.add(joint)
        if joint != root:
            raise ValueError(
                f"layout {layout.name}: the bones are not connected: no path leads from "
                f"{', '.join(sorted(path))} to the centre {layout.centre}"
            )


def _check_mirror(layout: Layout) -> None:
    """Refuse joints that are their own mirror image or have two."""
    image: dict[str, str] = {}
    for left, right in layout.mirror:
        for joint, other in ((left, right), (right, left)):
            earlier = image.setdefault(canonical_name(joint), canonical_name(other))
            if left == right or earlier != canonical_name(other):
                raise ValueError(
                    f"layout {layout.name}: the mirror is not symmetric: {joint} is paired with "
                    f"{other}" + ("" if left == right else f" and with {earlier}")
                )


def _check_derived(layout: Layout) -> None:
    """Refuse derived joints that are not the mean of others, or depend on themselves."""
    sources = {
        canonical_name(joint): [canonical_name(other) for other in others]
        for joint, others in layout.derived.items()
    }
    known = {canonical_name(joint) for joint in layout.joints}
    _require(layout, known, layout.derived, "a derived joint")
    for joint, others in layout.derived.items():
        _require(layout, known, others, f"derived joint {joint}")
        made_of, open_ = set(sources[canonical_name(joint)]), list(sources[canonical_name(joint)])
        while open_:
            new = set(sources.get(open_.pop(), ())) - made_of
            made_of |= new
            open_ += new
        if not others or canonical_name(joint) in made_of:
            raise ValueError(
                f"layout {layout.name}: derived joint {joint} must be the mean of other joints, "
                f"not of {', '.join(others) or 'none'}"
            )
