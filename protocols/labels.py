"""Display names of data sets, objectives and arms, and names for files and anchors."""

from __future__ import annotations

import re
from collections.abc import Collection

from protocols.records import DatasetReference

_DATASETS = {
    "msraction3d": "MSR-Action3D",
    "utkinect": "UTKinect-Action3D",
    "nwucla": "NW-UCLA",
    "sbu": "SBU Kinect Interaction",
    "jhmdb": "J-HMDB",
    "kgbd": "KGBD",
    "ucalgary_gait": "UCalgary gait",
    "walkers": "Walkers",
}

_OBJECTIVES = {
    "bone-length": "Bone lengths",
    "random": "Random encoder",
    "ce": "Cross-entropy",
    "ce+inter-fat": "Cross-entropy + inter, one temperature",
    "ce+inter": "Cross-entropy + inter",
    "ce+intra": "Cross-entropy + intra",
    "acl": "ACL",
    "imported": "Imported weights",
    "transg": "TranSG, trained here",
    "aimclr": "AimCLR",
    "actclr": "ActCLR",
    "masked": "Masked motion prediction",
}
"""In the order in which rows are shown: floors first, the whole objective last."""

ARMS = {
    "bones": "Shape: bone lengths",
    "still": "Shape and posture: still frames",
    "own": "Shape, posture and movement: whole walks",
    "bones-common": "One body: bone lengths",
    "still-common": "One body, posture: still frames",
    "common": "One body, posture and movement: whole walks",
    "changes": "One body, movement: changes from frame to frame",
}
"""The arms of `gait motion`, in words and in the order of the rows."""

_LONGEST_NAME = 80

BASELINE = "ce"
"""The objective that the others are compared with."""


def dataset_label(name: str, synthetic: bool = False) -> str:
    """Display name of a data set; generated data say so."""
    label = _DATASETS.get(name, name)
    return f"{label} (synthetic)" if synthetic else label


def dataset_of(reference: DatasetReference) -> str:
    """Display name of the data of a record."""
    return dataset_label(reference.name, reference.synthetic)


def objective_label(objective: str) -> str:
    """Display name of an objective; an unknown one keeps its own."""
    return _OBJECTIVES.get(objective, objective)


def is_own_objective(name: str) -> bool:
    """Whether a name, or a display name, is that of an objective of this program."""
    own = {*_OBJECTIVES, *_OBJECTIVES.values()}
    return name.strip().casefold() in {known.casefold() for known in own}


def objective_place(objective: str) -> tuple[int, str]:
    """Sorting key of an objective: the known ones in their order, then the others by name."""
    known = list(_OBJECTIVES)
    return (known.index(objective) if objective in known else len(known), objective)


def slug(text: str) -> str:
    """A name for files and anchors: lower case, digits and hyphens, of 80 characters at most."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name[:_LONGEST_NAME].rstrip("-") or "unnamed"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number where it is taken.

    >>> free_name("walks", {"walks"})
    'walks-2'
    """
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
