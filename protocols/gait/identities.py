"""Which identities train, which select, which test."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from protocols.splits import load_split_file, read_rows


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

    def read(source: Traversable) -> IdentitySplit:
        rows = read_rows(source)
        known = {"train", "validation", "test"}
        if not rows or not all("subject" in row and row.get("split") in known for row in rows):
            raise ValueError(
                "it needs the columns subject and split, with split one of train, validation, test."
            )

        def people(*splits: str) -> tuple[str, ...]:
            return tuple(row["subject"] for row in rows if row["split"] in splits)

        return IdentitySplit(people("train", "validation"), people("validation"), people("test"))

    return load_split_file(name_or_path, "people", read)
