"""Joint layouts as data, shipped or from a file, and mapping between them by joint name."""

from aclnet.skeleton.layout import Layout
from aclnet.skeleton.library import find_layout, layout_from_dict, layout_names, load_layout
from aclnet.skeleton.mapping import map_joints
from aclnet.skeleton.names import canonical_name

__all__ = [
    "Layout",
    "canonical_name",
    "find_layout",
    "layout_from_dict",
    "layout_names",
    "load_layout",
    "map_joints",
]
