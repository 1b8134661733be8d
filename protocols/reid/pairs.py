"""The pairs of a re-identification protocol: which set gives the probes, which the gallery.

A protocol is data: a YAML file names the sets by a letter (``C: cl``), says which column of the
samples holds them (``field``), and lists the pairs that are reported (``C-N``: probes C, gallery
N). Probes and gallery may be the same set; what a probe may then see is a matter of the rule
(:mod:`protocols.reid.rules`), not of the pair.
"""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from protocols.embeddings import TextArray
from protocols.foreign import read_yaml
from protocols.names import canonical
from protocols.ranking.exclusion import BoolArray
from protocols.splits import load_split_file

Letter = str
ANY = "*"


class Pair(NamedTuple):
    """Probes of one set in the gallery of another.

    Attributes:
        probe: Letter of the probe set.
        gallery: Letter of the gallery set.
    """

    probe: Letter
    gallery: Letter

    @property
    def name(self) -> str:
        """Such as ``C-N``."""
        return f"{self.probe}-{self.gallery}"

    @property
    def same_set(self) -> bool:
        """Whether probes and gallery are the same sequences."""
        return self.probe == self.gallery


class PairProtocol(BaseModel):
    """The sets of a re-identification protocol and the pairs that are reported.

    Attributes:
        name: Name in results.
        field: Column of the samples that names the set; the evaluation reads it as the condition
            of the embeddings.
        sets: Name of each set in that column, by its letter; ``*`` is any, also none.
        aliases: Other names of a set in data, by its letter.
        listed: The pairs that are reported, such as ``C-N``; the key in the file is ``pairs``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", coerce_numbers_to_str=True, validate_by_name=True
    )

    name: str
    field: Literal["condition", "split"] = "condition"
    sets: dict[Letter, str] = Field(min_length=1)
    aliases: dict[Letter, tuple[str, ...]] = {}
    listed: tuple[str, ...] = Field(alias="pairs", min_length=1)

    @model_validator(mode="after")
    def _check(self) -> PairProtocol:
        for letter in (*self.sets, *self.aliases):
            if letter not in self.sets or "-" in letter:
                raise ValueError(f"{letter!r} is not a letter of a set ({', '.join(self.sets)})")
        spellings = [name for letter in self.sets for name in self._spellings(letter)]
        doubled = sorted({name for name in spellings if spellings.count(name) > 1})
        if doubled:
            raise ValueError(f"the name {doubled[0]!r} belongs to two sets")
        for text in self.listed:
            self.parse(text)
        return self

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs that are reported, in the order of the field's tables."""
        return tuple(self.parse(text) for text in self.listed)

    def pair(self, probe: str, gallery: str) -> Pair:
        """The pair of two sets, listed or not.

        Args:
            probe: Letter or name of the probe set, in any case.
            gallery: Letter or name of the gallery set.

        Raises:
            ValueError: There is no such set.

        >>> load_pairs("casia_b").pair("cl", "n").name
        'C-N'
        """
        return Pair(self._letter(probe, "probe"), self._letter(gallery, "gallery"))

    def parse(self, text: str) -> Pair:
        """The pair of a text such as ``C-N``.

        Raises:
            ValueError: The text is not a pair, or there is no such set.
        """
        ends = text.split("-")
        if len(ends) != 2:
            first, *_, last = (*self.sets, *self.sets)
            raise ValueError(
                f"A pair is written PROBE-GALLERY, such as {last}-{first}, and {text!r} is not."
            )
        return self.pair(ends[0], ends[1])

    def members(self, letter: Letter, condition: TextArray) -> BoolArray:
        """(N,) samples of a set, by their condition (or split) in any spelling."""
        if self.sets[letter] == ANY:
            return np.ones(len(condition), dtype=np.bool_)
        found: BoolArray = np.isin(canonical(condition), self._spellings(letter))
        return found

    def _letter(self, text: str, role: str) -> Letter:
        """The set of a letter, or else of a name."""
        wanted = text.strip().casefold()
        for letter in self.sets:
            if letter.casefold() == wanted:
                return letter
        for letter in self.sets:
            if wanted in self._spellings(letter):
                return letter
        known = ", ".join(f"{letter} ({name})" for letter, name in self.sets.items())
        raise ValueError(
            f"The {role} {text!r} is not a set of protocol {self.name}: it is one of {known}."
        )

    def _spellings(self, letter: Letter) -> list[str]:
        """All names of a set in data, in one form."""
        names = [self.sets[letter], *self.aliases.get(letter, ())]
        return list(dict.fromkeys(str(name) for name in canonical(names)))


def load_pairs(name_or_path: str | Path) -> PairProtocol:
    """Load a pair protocol of the package by name, or one from a YAML file.

    Args:
        name_or_path: Name (``casia_b``, ``kgbd``, ``ks20``, ``ias``, ``biwi``) or file.

    Returns:
        The protocol; without a ``name`` it is called after the file.

    Raises:
        ValueError: Nothing is found, or the file does not say a pair protocol.
    """

    def read(source: Traversable) -> PairProtocol:
        fields: Any = read_yaml(source)
        if not isinstance(fields, dict):
            raise ValueError("a pair protocol is a mapping with field, sets and pairs.")
        return PairProtocol.model_validate({"name": Path(source.name).stem, **fields})

    return load_split_file(name_or_path, "reid", read, (".yaml", ".yml"))
