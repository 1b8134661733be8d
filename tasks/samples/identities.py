"""Division of people into training, validation and test people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from aclnet.config import Settings
from protocols.names import find_people, natural_order
from tasks.settings import naming

if TYPE_CHECKING:
    from aclnet.data.store import Store


class IdentitySettings(Settings):
    """How the people of a data set are divided.

    Attributes:
        train: number of people who are not tested: the training people and those of `validation`,
            who are held out of them; below 1 a share of all. With train 36 and validation 4, the
            network is trained on 32.
        order: `sorted`: the first ones by name, as in CASIA-B's 74/50 split; `drawn`: drawn with
            the run's seed, so that each seed is another split of a small data set.
        validation: number of training people held out for validation (the last ones); below 1 a
            share of the training people.
        table: a CSV (or the name of a protocol that has one) with the columns subject and split,
            instead of `train` and `validation`; people are found by name, else by number where only
            one of the data has it.
    """

    train: float = Field(default=0.6, gt=0)
    order: Literal["sorted", "drawn"] = "sorted"
    validation: float = Field(default=0.1, ge=0)
    table: str | None = None

    @property
    def counting(self) -> str:
        """How `train` counts, for messages; empty where nobody is held out of it."""
        if self.table is not None or not self.validation:
            return ""
        return f" (identities.train={self.train:g} counts the validation people)"

    def training_people(self, everybody: int) -> int:
        """Number of training people without validation people; at least two."""
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
    """Names of the training, validation and test people.

    Attributes:
        train: the training people.
        validation: the validation people.
        test: the test people.
        absent: number of people of a table whom the data lack.
        note: how a table was matched with the data, if not by name.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    absent: int = 0
    note: str = ""

    def __str__(self) -> str:
        train, validation, test = map(len, (self.train, self.validation, self.test))
        return f"{train} training, {validation} validation and {test} test people"

    def counts(self, train: int, validation: int, test: int, total: int) -> dict[str, int]:
        """Number of people and of samples in each group, and outside, as counts of a record.

        Args:
            train: training samples.
            validation: validation samples.
            test: test samples.
            total: samples in all.
        """
        outside = {"left_out": total - train - validation - test, "absent_names": self.absent}
        return {
            "train_subjects": len(self.train),
            "validation_subjects": len(self.validation),
            "test_subjects": len(self.test),
            "train": train,
            "validation": validation,
            "test": test,
            **{name: count for name, count in outside.items() if count},
        }


def require_identities(store: Store, task: str) -> npt.NDArray[np.str_]:
    """The person of each of a store's N samples, as names (N,).

    Raises:
        ValueError: a sample has no identity.
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
        names: identities; repeated ones count once.
        settings: how to divide them.
        seed: the run's seed, used if the order is drawn.

    Returns:
        Three disjoint groups.

    Raises:
        ValueError: there would be fewer than two training people or no test person, or a table
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
        remedy = (
            f"change identities.train or identities.validation{settings.counting}"
            if settings.table is None
            else f"their names in the data are {', '.join(people[:3])}: compare with "
            f"identities.table={settings.table}"
        )
        raise ValueError(
            f"identities: {len(people)} people would be divided into {groups}, but at least two "
            f"training people and one test person are needed: {remedy}"
        )
    return groups


def _count(amount: float, total: int) -> int:
    """A number, or a share below 1 of the total; at most the total."""
    return min(total, round(amount * total) if amount < 1 else int(amount))


def _from_table(people: Sequence[str], table: str) -> IdentityGroups:
    from protocols.splits import load_identity_split

    with naming(f"identities.table={table}"):
        split = load_identity_split(table)
    named = Counter((*split.fit, *split.validation, *split.test))
    twice = [name for name, count in named.items() if count > 1]
    if twice:
        raise ValueError(
            f"identities.table={table} names {twice[0]} in {named[twice[0]]} rows: give each "
            "person one row, so that no training person is also a test person"
        )
    found, note = find_people(named, people)
    train, validation, test = (
        tuple(found[name] for name in group if name in found)
        for group in (split.fit, split.validation, split.test)
    )
    return IdentityGroups(train, validation, test, len(named) - len(found), note)
