"""Whether a joint layout is sound; each check raises with one sentence that names the fault."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from aclnet.joint_names import canonical_name, nearest_name

if TYPE_CHECKING:
    from aclnet.layout import Layout


def check_names(layout: Layout) -> None:
    """Every joint is named once, and whatever else names a joint names one of them.

    Raises:
        ValueError: it is not so.
    """
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
                    f"layout {layout.name}: alias {other!r} of {joint} already stands for "
                    f"{owner[canonical_name(other)]}"
                )


def _require(layout: Layout, known: Container[str], names: Iterable[str], where: str) -> None:
    for name in names:
        if canonical_name(name) not in known:
            raise ValueError(
                f"layout {layout.name}: {where} names joint {name!r}, which is not among its "
                f"joints{nearest_name(name, layout.joints)}"
            )


def check_tree(layout: Layout) -> None:
    """The bones are a tree whose root is the centre.

    Raises:
        ValueError: it is not so.
    """
    parent: dict[str, str] = {}
    root = canonical_name(layout.centre)
    for child, above in ((canonical_name(a), canonical_name(b)) for a, b in layout.bones):
        if child in parent or child == root:
            raise ValueError(
                f"layout {layout.name}: the bones are not a tree with root {layout.centre}: "
                f"joint {child} hangs on {above} and {parent.get(child, 'is the root')}"
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


def check_mirror(layout: Layout) -> None:
    """Mirror pairs are symmetric: nobody is its own image or has two.

    Raises:
        ValueError: it is not so.
    """
    image: dict[str, str] = {}
    for left, right in layout.mirror:
        for joint, other in ((left, right), (right, left)):
            earlier = image.setdefault(canonical_name(joint), canonical_name(other))
            if left == right or earlier != canonical_name(other):
                raise ValueError(
                    f"layout {layout.name}: the mirror is not symmetric: {joint} is paired with "
                    f"{other}" + ("" if left == right else f" and with {earlier}")
                )


def check_derived(layout: Layout) -> None:
    """Derived joints are the mean of others, and not, in the end, of themselves.

    Raises:
        ValueError: it is not so.
    """
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
