"""Which recordings train, watch the training and are tested in re-identification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aclnet.data.store import Store
from protocols.names import natural_order
from tasks.reid.sequences import cut_before
from tasks.samples.identities import IdentityGroups, IdentitySettings, divide_identities

TRAIN = "train"
"""The word in a sample's split that makes it a training sample, where the data say who trains."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Division:
    """Rows of a store by what they are for.

    Attributes:
        groups: the people of each part.
        train: (N,) recordings that fit the network.
        validation: (N,) recordings that watch the training.
        test: (N,) recordings that probes and galleries are cut from.
    """

    groups: IdentityGroups
    train: Mask
    validation: Mask
    test: Mask


def divide_strangers(store: Store, settings: IdentitySettings, seed: int) -> Division:
    """Different people train, validate and are tested (CASIA-B, walkers).

    Raises:
        ValueError: as `divide_identities`.
    """
    identity = store.index["identity"].to_numpy().astype(np.str_)
    groups = divide_identities(identity.tolist(), settings, seed)
    parts = (groups.train, groups.validation, groups.test)
    return Division(groups, *(np.isin(identity, part) for part in parts))


def divide_recordings(store: Store, settings: IdentitySettings) -> Division:
    """The same people train and are tested, in different recordings (the depth sets).

    The data's split says which: `train`, or anything else. To watch the training, the last training
    recording of the first people by name who have two or more is held out.

    Args:
        store: the recordings.
        settings: only `validation` counts: how many people give their last training recording; a
            share below 1 is one of the people who have two.

    Raises:
        ValueError: no recording, or all, would train, or fewer than two people would; somebody
            shall be held out of windows that do not say which recording they are of.
    """
    identity = store.index["identity"].to_numpy().astype(np.str_)
    _check_recordings(store, settings)
    train: Mask = np.array([TRAIN in words.split() for words in store.index["split"]])
    people = natural_order(identity[train])
    if len(people) < 2 or train.all():
        raise ValueError(
            f"data set {store.info.name}: with people: same the split of each sample says whether "
            f"it trains, and {int(train.sum())} of {len(store)} say {TRAIN!r}, of {len(people)} "
            "people: read the data with their split, or set people: strangers"
        )
    spare = [name for name in people if np.count_nonzero(train & (identity == name)) > 1]
    wanted = settings.validation
    count = round(wanted * len(spare)) if wanted < 1 else min(int(wanted), len(spare))
    held = np.zeros(len(store), dtype=np.bool_)
    for name in spare[:count]:
        held[np.flatnonzero(train & (identity == name))[-1]] = True
    tested = natural_order(identity[~train])
    groups = IdentityGroups(tuple(people), tuple(spare[:count]), tuple(tested))
    return Division(groups, train & ~held, held, ~train)


def _check_recordings(store: Store, settings: IdentitySettings) -> None:
    """Refuse to hold out one of several windows of the same recording: it would be no test."""
    unknown = bool((store.index["take"] == "").any())
    if settings.validation and unknown and cut_before(store):
        raise ValueError(
            f"data set {store.info.name}: its windows were cut before and do not say which "
            "recording they are of (no take), so a held-out one would have its like among those "
            "that train: set identities.validation=0 (and select=last)"
        )
