"""A division of samples into training, validation and test, and holding people out of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from protocols.embeddings import TextArray
from protocols.ranking.distances import IntArray

TRAIN: Literal["train"] = "train"
VALIDATION: Literal["validation"] = "validation"
TEST: Literal["test"] = "test"
LEAVE: Literal["leave"] = "leave"
ROLES = (TRAIN, VALIDATION, TEST, LEAVE)
"""Roles of samples; ``leave`` takes no part."""


@dataclass(frozen=True, eq=False)
class Division:
    """The roles of N samples.

    Attributes:
        role: (N,) one of :data:`ROLES`.
        subset: (N,) name of the part of the test set; empty for none.
        counts: train, validation, test, left_out (by a rule), unmatched (no rule fits), and what
            :func:`hold_out` adds.
        notes: Sentences on how the table was matched with the data.
    """

    role: TextArray
    subset: TextArray
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, role: TextArray, subset: TextArray, **extra: int) -> Division:
        """Count the roles; ``extra`` counts are added."""
        counts: dict[str, int] = {
            name: int(np.sum(role == name)) for name in ROLES if name != LEAVE
        }
        return cls(role, subset, counts | extra)

    def rows(self, role: str) -> IntArray:
        """Rows of the samples of a role, ascending.

        Raises:
            ValueError: There is no such role.
        """
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, not {role!r}.")
        return np.flatnonzero(self.role == role).astype(np.int64)


def hold_out(
    division: Division,
    identity: npt.ArrayLike,
    people: int,
    seed: int | np.random.Generator,
    *,
    label: npt.ArrayLike | None = None,
    share: float = 0.1,
) -> Division:
    """Move some training people to validation, so that settings are chosen on strangers.

    Where a training sample's identity is unknown, people cannot be kept apart. Then a share of the
    training samples of every class is drawn instead (at least one of a class of two or more, never
    the whole class), a weaker test of strangers, and the count ``validation_people`` is absent. A
    sample of several persons counts as the one that its identity names.

    Args:
        division: The division; test samples are not touched.
        identity: (N,) text or numbers, compared as they are; empty is unknown.
        people: How many people to move; 0 changes nothing.
        seed: Seed of the draw, or a generator.
        label: (N,) classes, by which samples are drawn where identity is unknown.
        share: Share of the samples of each class to move then, 0..1.

    Returns:
        The new division.

    Raises:
        ValueError: Lengths differ, ``people`` is negative or leaves nobody to train, or ``share``
            is not between 0 and 1.
    """
    person = np.array([str(name) for name in np.asarray(identity).tolist()], dtype=np.str_)
    if person.shape != division.role.shape:
        raise ValueError(
            f"identity has {len(person)} entries for {len(division.role)} samples: give one each."
        )
    if people < 0:
        raise ValueError(f"The number of people to hold out must be 0 or more, not {people}.")
    train = division.rows(TRAIN)
    if people == 0 or not len(train):
        return division
    generator = np.random.default_rng(seed)
    extra: dict[str, int] = {}
    if np.any(person[train] == ""):
        classes = np.zeros(len(person), dtype=np.int64) if label is None else np.asarray(label)
        if classes.shape != person.shape:
            raise ValueError(
                f"label has shape {classes.shape}: give one per sample ({len(person)})."
            )
        moved = _stratified(train, classes, share, generator)
    else:
        known = np.unique(person[train])
        if people >= len(known):
            raise ValueError(
                f"{people} people cannot be held out of {len(known)} training people: at least one "
                "must stay, so hold out fewer."
            )
        drawn = generator.choice(known, size=people, replace=False)
        moved = train[np.isin(person[train], drawn)]
        extra["validation_people"] = people
    return _moved(division, moved, VALIDATION, extra)


def divide_people(identity: npt.ArrayLike, people: Mapping[str, Sequence[str]]) -> Division:
    """Give every sample its person's role; whoever has none takes no part (count ``left_out``).

    Args:
        identity: (N,) people, compared as they are.
        people: The people of each role; nobody has two.
    """
    person = np.array([str(name) for name in np.asarray(identity).tolist()], dtype=np.str_)
    role = np.full(len(person), LEAVE, dtype=f"<U{max(map(len, ROLES))}")
    for name, group in people.items():
        role[np.isin(person, list(group))] = name
    left_out = int((role == LEAVE).sum())
    extra = {"left_out": left_out} if left_out else {}
    return Division.of(role, np.full(len(person), "", dtype=np.str_), **extra)


def divide_samples(
    label: npt.ArrayLike, train: float, validation: float, seed: int | np.random.Generator
) -> Division:
    """Draw each sample's role by its class, where nobody knows whose the samples are.

    Every class has a training sample, and one to be tested if it has two samples. People who act in
    training and test flatter the result, which a note says.

    Args:
        label: (N,) classes.
        train: Share of each class that is not tested, 0..1.
        validation: Share of those held out, 0..1; at 0 none.
        seed: Seed of the draw, or a generator.

    Raises:
        ValueError: A share is not between 0 and 1.
    """
    classes = np.asarray(label)
    generator = np.random.default_rng(seed)
    everything = np.arange(len(classes), dtype=np.int64)
    none = np.full(len(classes), "", dtype=np.str_)
    whole = Division.of(np.full(len(classes), TRAIN), none)
    tested = _moved(whole, _stratified(everything, classes, 1 - train, generator), TEST, {})
    if validation:
        held = _stratified(tested.rows(TRAIN), classes, validation, generator)
        tested = _moved(tested, held, VALIDATION, {})
    note = (
        "The data do not say who acts in which recording, so recordings are divided, not people: "
        "whoever is in both training and test makes the result optimistic."
    )
    return replace(tested, notes=(note,))


def train_on(division: Division, rows: npt.ArrayLike) -> Division:
    """Let all other training samples take no part; the count ``train_left_out`` says how many.

    Args:
        division: The division; validation and test samples are not touched.
        rows: Rows of the training samples to keep.

    Returns:
        The new division.
    """
    others = np.setdiff1d(division.rows(TRAIN), np.asarray(rows))
    return _moved(division, others, LEAVE, {"train_left_out": len(others)})


def _moved(division: Division, rows: IntArray, role: str, extra: Mapping[str, int]) -> Division:
    """The division with another role for some samples, and further counts."""
    # Not written in place: an array of shorter words would cut the new one short.
    roles = np.where(np.isin(np.arange(len(division.role)), rows), role, division.role)
    kept = {name: count for name, count in division.counts.items() if name not in ROLES}
    moved = Division.of(roles, division.subset, **{**kept, **extra})
    return replace(moved, notes=division.notes)


def _stratified(
    train: IntArray, label: npt.NDArray[np.generic], share: float, generator: np.random.Generator
) -> IntArray:
    """Rows drawn from every class."""
    if not 0.0 < share < 1.0:
        raise ValueError(f"share must lie between 0 and 1, not {share}.")
    drawn: list[IntArray] = []
    for name in np.unique(label[train]):
        rows = train[label[train] == name]
        size = min(max(round(share * len(rows)), 1), len(rows) - 1)
        drawn.append(generator.choice(rows, size=size, replace=False))
    return np.sort(np.concatenate(drawn)).astype(np.int64)
