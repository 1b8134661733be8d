"""Which identities train, which select, which test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from protocols.gait.gallery_probe import SUBJECTS_SUFFIX, locate_split


@dataclass(frozen=True)
class IdentitySplit:
    """Which identities train, select and test.

    Attributes:
        train: Everybody that a final model may learn from, validation included.
        validation: The part of ``train`` to hold out while choosing settings.
        test: Strangers to both.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def fit(self) -> tuple[str, ...]:
        """``train`` without ``validation``."""
        held_out = set(self.validation)
        return tuple(subject for subject in self.train if subject not in held_out)


def load_identity_split(name_or_path: str | Path) -> IdentitySplit:
    """Load who trains and who is tested, by protocol name (``casia_b``) or from a CSV file.

    The file has the columns ``subject`` and ``split`` (``train``, ``validation`` or ``test``);
    people under ``validation`` belong to the training people.

    Args:
        name_or_path: Name or file.

    Returns:
        The split.

    Raises:
        ValueError: Nothing is found, or the file does not say a split.
    """
    named = Path(name_or_path).suffix == ".csv"
    source = locate_split(name_or_path if named else f"{name_or_path}{SUBJECTS_SUFFIX}")
    with source.open("r", encoding="utf-8") as stream:
        table = pd.read_csv(stream, dtype=str, keep_default_na=False)
    known = {"train", "validation", "test"}
    if not {"subject", "split"} <= set(table.columns) or not set(table["split"]) <= known:
        raise ValueError(
            f"Identity file {source} needs the columns subject and split, with split one of "
            "train, validation, test."
        )

    def people(*splits: str) -> tuple[str, ...]:
        return tuple(table.loc[table["split"].isin(splits), "subject"])

    return IdentitySplit(people("train", "validation"), people("validation"), people("test"))
