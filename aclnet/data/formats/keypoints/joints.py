"""The layout of a keypoint file's joints, and the unit of their coordinates.

The layout is found by the joints' names where the file has them, else by their number. A number
that fits two layouts is refused with both named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aclnet.data.formats.keypoints.files import IndexArray
from aclnet.data.formats.keypoints.frames import KeypointFrames, Points, Unit
from aclnet.data.formats.keypoints.picture_unit import picture_unit
from aclnet.data.formats.keypoints.tracks import seen_joints
from aclnet.skeleton import Layout, find_layout, layout_names, load_layout

LayoutsByCount = Mapping[tuple[int, int], tuple[str, ...]]
"""Names of the layouts of V joints with 2 or 3 coordinates in a format."""

# Whole-body sets begin with a body's joints: Halpe-136 with Halpe-26, COCO-WholeBody-133 with
# COCO-17. What follows (face, hands) has no layout here and is left out.
_BODY_OF = {136: 26, 133: 17}
_LARGEST_METRE = 20.0
_FEW_NEGATIVE = 0.02


def choose_joints(
    found: KeypointFrames, by_count: LayoutsByCount, layout: Layout | None, place: Path
) -> tuple[Layout, IndexArray]:
    """The layout of a file's joints, and the file's column of each of its joints.

    Args:
        found: the file's people.
        by_count: the format's layouts.
        layout: the user's choice.
        place: the file or folder.

    Raises:
        ValueError: the joints do not fit the named layout; none is named, and they fit no layout or
            more than one.
    """
    if found.joints:
        names = found.joints[: _BODY_OF.get(len(found.joints), len(found.joints))]
        chosen = layout or _by_names(names, place)
        return chosen, _named_columns(names, chosen, place)
    joints, dims = int(found.points.shape[1]), int(found.points.shape[2]) - 1
    body = _BODY_OF.get(joints, joints)
    chosen = layout or _by_number(joints, by_count.get((body, dims), ()), place)
    if chosen.joint_count not in (joints, body):
        raise ValueError(
            f"{place}: {joints} joints per person, layout {chosen.name} has {chosen.joint_count}; "
            "name the layout of this file, or convert files with different joints separately"
        )
    return chosen, np.arange(chosen.joint_count, dtype=np.int64)


def unit_of(points: Points) -> Unit | None:
    """The unit of coordinates (D, V, C) by their range, None where no joint was seen.

    In an image: pixel if any is above 2, else normalised. In space: metre if some lie on either
    side of 0 (a sensor's axis, the body's root), else as in an image.
    """
    place = points[..., :-1][seen_joints(points)]
    if not place.size:
        return None
    if place.shape[1] == 3 and float(np.abs(place[:, :2]).max()) <= _LARGEST_METRE:
        return "metre" if float((place[:, :2] < 0).mean()) > _FEW_NEGATIVE else "normalised"
    return picture_unit(place)


def _by_number(joints: int, names: Sequence[str], place: Path) -> Layout:
    if len(names) == 1:
        return load_layout(names[0])
    if names:
        raise ValueError(
            f"{place}: {joints} joints per person may be {' or '.join(names)}; name the layout"
        )
    raise ValueError(
        f"{place}: no layout of {joints} joints per person is known for this format; name a "
        "layout, or give a layout file"
    )


def _by_names(names: Sequence[str], place: Path) -> Layout:
    """The shipped layout of these joints, in the file's order if there is one."""
    layouts = [load_layout(name) for name in layout_names()]
    same = [
        layout
        for layout in layouts
        if {layout.find(name) for name in names} == set(range(layout.joint_count))
        and layout.joint_count == len(names)
    ]
    chosen = find_layout(names) or next(iter(same), None)
    if chosen is None:
        raise ValueError(
            f"{place}: no shipped layout has the {len(names)} joints {', '.join(names[:4])}"
            f"{', …' if len(names) > 4 else ''}; name the layout whose joints to take, or give a "
            "layout file"
        )
    return chosen


def _named_columns(names: Sequence[str], layout: Layout, place: Path) -> IndexArray:
    columns = {layout.find(name): column for column, name in reversed(list(enumerate(names)))}
    lacking = [joint for i, joint in enumerate(layout.joints) if i not in columns]
    if lacking:
        raise ValueError(
            f"{place}: has no joint {', '.join(lacking)}, which layout {layout.name} has; its "
            f"joints are {', '.join(names)}"
        )
    return np.array([columns[i] for i in range(layout.joint_count)], dtype=np.int64)
