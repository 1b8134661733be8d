"""Division of recordings into training, validation and test in re-identification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aclnet.data.store import Store
from protocols.names import natural_order
from protocols.text import nouns
from tasks.reid.sequences import cut_before
from tasks.samples.identities import IdentityGroups, IdentitySettings, divide_identities

TRAIN = "train"
"""Word in a sample's split that marks it as a training sample."""
_TESTED = {"test", "probe", "gallery"}

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Division:
    """Masks of a store's N recordings.

    Attributes:
        groups: the people of each part.
        train: (N,) training recordings.
        validation: (N,) validation recordings.
        test: (N,) test recordings, from which probes and galleries are cut.
    """

    groups: IdentityGroups
    train: Mask
    validation: Mask
    test: Mask


def divide_strangers(store: Store, settings: IdentitySettings, seed: int) -> Division:
    """Divide by people: no training person is validated or tested (CASIA-B, walkers).

    Raises:
        ValueError: as `divide_identities`.
    """
    identity = store.index["identity"].to_numpy().astype(np.str_)
    groups = divide_identities(identity.tolist(), settings, seed)
    parts = (groups.train, groups.validation, groups.test)
    return Division(groups, *(np.isin(identity, part) for part in parts))


def divide_recordings(store: Store, settings: IdentitySettings) -> Division:
    """Divide by recordings: the same people are trained on and tested (the depth sets).

    The data's split marks the training recordings with `train`. Validation uses the last training
    recording of the first people by name who have two or more.

    Args:
        store: the recordings.
        settings: only `validation` is used: the number of people whose last training recording is
            held out; below 1 a share of the people who have two.

    Raises:
        ValueError: no recording, or every one, is a training recording, or one is a test recording
            too, there are fewer than two training people, or validation recordings cannot be told
            from windows without a take.
    """
    unknown = bool((store.index["take"] == "").any())
    if settings.validation and unknown and cut_before(store):
        raise ValueError(
            f"data set {store.info.name}: its windows do not name their recording (no take), so "
            "that a validation window may overlap training windows: set identities.validation=0 "
            "(and select=last)"
        )
    identity = store.index["identity"].to_numpy().astype(np.str_)
    words = [set(text.split()) for text in store.index["split"]]
    train: Mask = np.array([TRAIN in each for each in words])
    both = [i for i, each in enumerate(words) if TRAIN in each and each & _TESTED]
    if both:
        raise ValueError(
            f"data set {store.info.name}: the split of {len(both)} of {len(store)} samples is both "
            f"{TRAIN} and {' or '.join(sorted(_TESTED))}, the first is "
            f"{store.index['sample'].iat[both[0]]}: give each recording one part"
        )
    people = natural_order(identity[train])
    if len(people) < 2 or train.all():
        raise ValueError(
            f"data set {store.info.name}: people: same needs a split of each sample, but the split "
            f"of {int(train.sum())} of {len(store)} is {TRAIN!r}, of {len(people)} "
            f"{nouns('people', len(people))}: read the data with their split, or set people: "
            "strangers"
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
