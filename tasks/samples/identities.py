"""Who trains, who is watched while training, who is tested: always different people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from aclnet.config import Settings
from aclnet.data.store import Store
from protocols.names import natural_order


class IdentitySettings(Settings):
    """How the people of a data set are divided.

    Attributes:
        train: how many people train, validation included; below 1 it is a share of all.
        order: `sorted`: the first ones by name, as CASIA-B's 74/50 split; `drawn`: drawn by the
            run's seed, so that several seeds are several splits of a small data set.
        validation: how many of the training people are held out to watch the training (the last
            ones); below 1 a share of the training people. Test people never watch.
        table: a CSV (or the name of a protocol that has one) with the columns subject and split,
            instead of `train` and `validation`.
    """

    train: float = Field(default=0.6, gt=0)
    order: Literal["sorted", "drawn"] = "sorted"
    validation: float = Field(default=0.1, ge=0)
    table: str | None = None

    def training_people(self, everybody: int) -> int:
        """How many of so many people train, validation left out; at least two."""
        if self.table is not None:
            return everybody
        train = self.train if self.train >= 1 else self.train * everybody
        held = self.validation if self.validation >= 1 else self.validation * train
        return max(round(train - held), 2)

    @field_validator("train", "validation")
    @classmethod
    def _share_or_count(cls, amount: float) -> float:
        if amount > 1 and not amount.is_integer():
            raise ValueError("it must be a share below 1 or a whole number of people")
        return amount


@dataclass(frozen=True)
class IdentityGroups:
    """Names of the people who fit the network, who validate it, and who test it."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def require_identities(store: Store, task: str) -> npt.NDArray[np.str_]:
    """Who is in each of a store's samples: (N,) names.

    Raises:
        ValueError: a sample does not say.
    """
    identity = store.index["identity"].to_numpy().astype(np.str_)
    nameless = int((identity == "").sum())
    if nameless:
        raise ValueError(
            f"data set {store.info.name}: {task} needs an identity for every sample; {nameless} of "
            f"{len(identity)} have none"
        )
    return identity


def divide_identities(
    names: Sequence[str], settings: IdentitySettings, seed: int
) -> IdentityGroups:
    """Divide the people of a data set.

    Args:
        names: identities, repeated ones counted once.
        settings: how.
        seed: the run's seed, used where the order is drawn.

    Returns:
        Three groups without a common member.

    Raises:
        ValueError: if fewer than two people would train or nobody would be tested, or a table
            names somebody twice.
    """
    people = natural_order(names)
    if settings.table is not None:
        groups = _from_table(people, settings.table)
    else:
        if settings.order == "drawn":
            people = [people[i] for i in np.random.default_rng(seed).permutation(len(people))]
        count = _count(settings.train, len(people))
        held = _count(settings.validation, count)
        groups = IdentityGroups(
            train=tuple(people[: count - held]),
            validation=tuple(people[count - held : count]),
            test=tuple(people[count:]),
        )
    if len(groups.train) < 2 or not groups.test:
        cure = (
            "change identities.train or identities.validation"
            if settings.table is None
            else f"the data name them {', '.join(people[:3])}: compare identities.table="
            f"{settings.table}"
        )
        raise ValueError(
            f"identities: of {len(people)} people {len(groups.train)} would train, "
            f"{len(groups.validation)} validate and {len(groups.test)} test; training needs two "
            f"or more and testing one or more: {cure}"
        )
    return groups


def _count(amount: float, total: int) -> int:
    """A number, or a share below 1 of the total; never more than there are."""
    return min(total, round(amount * total) if amount < 1 else int(amount))


def _from_table(people: Sequence[str], table: str) -> IdentityGroups:
    from protocols.splits import load_identity_split

    split = load_identity_split(table)
    named = Counter((*split.fit, *split.validation, *split.test))
    twice = [name for name, count in named.items() if count > 1]
    if twice:
        raise ValueError(
            f"identities.table={table} names {twice[0]} in {named[twice[0]]} rows; each person may "
            "stand in one row, or the people who train and those who test would not be strangers"
        )
    there = set(people)

    def present(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in there)

    return IdentityGroups(present(split.fit), present(split.validation), present(split.test))
