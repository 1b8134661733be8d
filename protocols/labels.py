"""Display names of data sets, objectives, arms and measures, and names for files and anchors."""

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
    "ce+fr_head": "Cross-entropy + FR-Head",
    "ce+skeleton_gcl": "Cross-entropy + SkeletonGCL",
    "ce+SupConLoss": "Cross-entropy + SupCon",
    "ce+TripletMarginLoss": "Cross-entropy + triplet",
    "ce+inter-fat-context": "Cross-entropy + inter, one temperature, pairwise affinity",
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

DEGRADED = {
    "noise": "Noise on every joint (standard deviation, share of the body's size)",
    "joints": "Joints absent throughout (share)",
    "gaps": "Joints absent in single frames (share)",
    "length": "The middle of the recording alone (share)",
    "rate": "Fewer frames per second (share)",
}
"""What makes recordings worse, in words and in the order of the rows."""

SHARES_KEPT = ("length", "rate")
"""Those of which a lower level is worse."""

MEASURES = {"top1": "top-1", "top5": "top-5", "mean_class": "mean class"}
MEASURES |= {f"rank{k}": f"rank-{k}" for k in (1, 5, 10, 20)}
"""Headings of measures; any other one has its own name."""

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


def measure_name(metric: str) -> str:
    """Such as ``rank-1, bg`` of ``rank1/bg``."""
    name, _, part = metric.partition("/")
    return ", ".join(filter(None, [MEASURES.get(name, name), part]))


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
