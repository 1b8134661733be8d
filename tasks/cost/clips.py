"""The shape of a recipe's clips without its data: joints, channels, persons, classes.

Known are the data sets for which splits and protocols are shipped, as the readers return them.
"""

from __future__ import annotations

from typing import NamedTuple

from tasks.settings import TaskSettings


class ClipKind(NamedTuple):
    """The shape of a data set's samples.

    Attributes:
        layout: name of the joint layout.
        channels: channel names, coordinates first.
        persons: number of persons M.
        classes: number of classes K: actions, or training people.
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
"""By prefix of the split's or protocol's name; the recipe may train on fewer people."""

_UNKNOWN = ClipKind("coco17", _FOUND, 1, 60)
_UNKNOWN_IN_SPACE = ClipKind("kgbd20", _SPACE, 1, 60)


def clip_kind(settings: TaskSettings) -> tuple[ClipKind, bool]:
    """The shape of a recipe's clips.

    The layout (`data.layout`, `data.map_to`) and the number of people (`identities`) of the
    settings override those of the data set.

    Returns:
        The shape, and whether the data set is known; if not, 17 joints of one person in a picture,
        or 20 in space where the recipe turns them, and 60 classes are assumed.
    """
    known = [kind for name, kind in _KNOWN.items() if settings.benchmark.startswith(name)]
    turned = settings.clip.normalise.heading != "none"  # which 3-D joints alone can be
    kind = known[0] if known else _UNKNOWN_IN_SPACE if turned else _UNKNOWN
    layout = settings.data.map_to or settings.data.layout or kind.layout
    classes = settings.class_count(kind.classes)
    return kind._replace(layout=layout, classes=classes), bool(known)
