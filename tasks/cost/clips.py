"""What a recipe's clips look like, told without its data: joints, channels, people, classes.

The figures are those of the data sets for which splits and protocols are shipped, as the readers
give them. They serve to build a recipe's network where nobody has the data.
"""

from __future__ import annotations

from typing import NamedTuple

from tasks.settings import TaskSettings


class ClipKind(NamedTuple):
    """What one sample of a data set looks like.

    Attributes:
        layout: name of its joint layout.
        channels: channel names, coordinates first.
        persons: M.
        classes: what the classifier tells apart: actions, or people who train.
    """

    layout: str
    channels: tuple[str, ...]
    persons: int
    classes: int


_PLANE, _SPACE = ("x", "y"), ("x", "y", "z")
_FOUND = ("x", "y", "confidence")

_KNOWN = {
    "ntu60": ClipKind("ntu25", _SPACE, 2, 60),
    "ntu120": ClipKind("ntu25", _SPACE, 2, 120),
    "pku": ClipKind("ntu25", _SPACE, 2, 51),
    "finegym": ClipKind("coco17", _FOUND, 2, 99),
    "k400": ClipKind("coco17", _FOUND, 2, 400),
    "jhmdb": ClipKind("jhmdb15", _PLANE, 1, 14),
    "msr": ClipKind("msr20", _SPACE, 1, 20),
    "nwucla": ClipKind("kinect20", _SPACE, 1, 10),
    "sbu": ClipKind("sbu15", _SPACE, 2, 8),
    "utkinect": ClipKind("kinect20", _SPACE, 1, 10),
    "casia_b": ClipKind("coco17", _FOUND, 1, 74),
    "kgbd": ClipKind("kgbd20", _SPACE, 1, 164),
    "ucalgary_gait": ClipKind("ucalgary18", _SPACE, 1, 27),
    "biwi": ClipKind("kinect20", _SPACE, 1, 50),
    "ias": ClipKind("kinect20", _SPACE, 1, 11),
    "ks20": ClipKind("ntu25", _SPACE, 1, 20),
}
"""By what the name of a split or protocol begins with; of people as classes fewer may train."""

_UNKNOWN = ClipKind("coco17", _FOUND, 1, 60)


def clip_kind(settings: TaskSettings) -> tuple[ClipKind, bool]:
    """What the clips of a recipe look like.

    A layout that the settings name (`data.layout`, `data.map_to`) and a number of people that they
    give (`identities`) come before what is known of the data set.

    Returns:
        The clips, and whether the data set is known; else 17 joints of one person in a picture and
        60 classes are taken.
    """
    name = settings.benchmark
    # The longer beginning first: none is the beginning of another today.
    begins = sorted((key for key in _KNOWN if name.startswith(key)), key=len, reverse=True)
    kind = _KNOWN[begins[0]] if begins else _UNKNOWN
    layout = settings.data.map_to or settings.data.layout or kind.layout
    classes = settings.class_count(kind.classes)
    return kind._replace(layout=layout, classes=classes), bool(begins)
