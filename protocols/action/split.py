"""Splits of action recognition: training and test samples as a table of rules.

A table is a CSV with any of the columns ``identity``, ``camera``, ``view``, ``take``,
``condition``, ``label``, ``split``, ``sample``, with ``role`` and, if parts of the test set are to
be told apart, ``subset``. The first row that matches a sample gives its role; a sample that no row
matches is left out and counted. Cells:

* ``*`` or nothing matches anything, ``a|b|c`` each of the alternatives;
* numbers match whatever their leading zeros, text whatever its case; people and sample keys match
  as written, and people else by number where only one of them has it
  (:func:`protocols.names.find_people`); notes say what was matched so, and what was read as one;
* ``odd`` and ``even`` match numbers in ``identity`` and ``condition``;
* ``split`` matches one of the words of the sample's split column, as ``xsub_train`` in
  "xsub_train xview_val";
* ``{fold}`` becomes the name of the chosen fold.

Roles are ``train``, ``validation``, ``test`` and ``leave``; ``validation|test`` is validation where
another row finds test samples, and else test. A sample whose words in the split column have
different roles leaks from training into the test and is refused, unless it is only to be tested.

The file may begin with comments: ``# folds: 0 1 2`` names the folds, ``# source: ...`` the origin
of the division, and ``# classes: 20`` the number of classes that it divides, by which data of
another set are noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from protocols.action.division import LEAVE, TEST, TRAIN, VALIDATION, Division
from protocols.embeddings import TextArray
from protocols.files import read_table
from protocols.foreign import read_text
from protocols.names import PeopleFound, canonical, composed, find_people, natural_order, read_alike
from protocols.ranking.exclusion import BoolArray
from protocols.splits import load_split_file
from protocols.text import nouns

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("identity", "camera", "view", "take", "condition", "label", "split", "sample")
"""Columns of the data that a table may use."""

_FOLD = "{fold}"
_PARITIES = {"even": 0, "odd": 1}
_WITH_PARITY = ("identity", "condition")
_EXACT = ("identity", "sample")
_ANY = ("", "*")
_TEST_UNLESS_ANY = f"{VALIDATION}|{TEST}"
_ROLES = (TRAIN, VALIDATION, TEST, LEAVE, _TEST_UNLESS_ANY)
_NOTE = re.compile(r"#\s*(folds|source|classes)\s*:\s*(.*)")
_NAMED = ("sample", "identity", "label")
"""Columns whose cells name what belongs to one data set."""
_SHOWN = 8
_NOBODY = np.empty(0, dtype=np.str_)

Columns = Mapping[str, TextArray]


@dataclass(frozen=True)
class SplitRule:
    """One row of a table.

    Attributes:
        cells: Alternatives by column; a column that matches anything is left out.
        role: One of the roles above.
        subset: Name of the part of the test set; empty for none.
    """

    cells: Mapping[str, tuple[str, ...]]
    role: str
    subset: str = ""


@dataclass(frozen=True)
class ActionSplit:
    """A division of a data set, as a table of rules.

    Attributes:
        name: Name in results.
        rules: The rows, in the order in which they are tried.
        folds: Names of the folds; empty where there are none or the file names none.
        source: Origin of the division.
        classes: How many classes it divides; 0 where the file does not say.
    """

    name: str
    rules: tuple[SplitRule, ...]
    folds: tuple[str, ...] = ()
    source: str = ""
    classes: int = 0

    @property
    def by_fold(self) -> bool:
        """Whether the table needs a fold."""
        cells = (cell for rule in self.rules for cells in rule.cells.values() for cell in cells)
        return any(_FOLD in cell for cell in cells)

    def divide(
        self,
        index: pd.DataFrame,
        fold: str | None = None,
        *,
        overlap: Literal["test"] | None = None,
    ) -> Division:
        """Give every sample its role.

        Args:
            index: One row a sample, with those of :data:`COLUMNS` that are known, as text or
                numbers; an absent column counts as unknown.
            fold: The fold, where the table has folds.
            overlap: "test": a sample in several roles is tested (or validated), not trained on, and
                counted as ``in_two_roles``; by default it is refused.

        Returns:
            The roles in the order of the index. Its notes say what does not fit these data.

        Raises:
            ValueError: A fold is missing, unknown or not wanted, a sample is in several roles, or
                no sample trains or is tested.
        """
        self._check_fold(fold)
        used = {column for rule in self.rules for column in rule.cells}
        columns = {name: _texts(index, name) for name in COLUMNS if name in used}
        listed = [cell for rule in self.rules for cell in rule.cells.get("identity", ())]
        people = find_people(listed, np.unique(columns.get("identity", _NOBODY)).tolist())
        role, subset = self._match(columns, len(index), fold, people.names)
        either = VALIDATION if np.any(role == TEST) else TEST
        role[role == _TEST_UNLESS_ANY] = either
        by_word = self._roles_of_words(columns, len(index), fold, either, people.names)
        shared = np.sum(list(by_word.values()), axis=0) > 1
        if shared.any() and overlap is None:
            several = " and ".join(one for one, rows in by_word.items() if (shared & rows).any())
            raise ValueError(
                f"Split {self.name} gives {int(shared.sum())} of {len(role)} samples the roles "
                f"{several} at once: {_examples(_texts(index, 'sample')[shared])}. List each once, "
                "or test them without training on them (setting overlap: test)."
            )
        for last in (VALIDATION, TEST):
            role[shared & by_word[last]] = last
        unmatched = int(np.sum(role == ""))
        left_out = int(np.sum(role == LEAVE))
        role[role == ""] = LEAVE
        two = {"in_two_roles": int(shared.sum())} if shared.any() else {}
        division = Division.of(
            role, subset.astype(np.str_), left_out=left_out, unmatched=unmatched, **two
        )
        for name in (TRAIN, TEST):
            if not division.counts[name]:
                having = "; ".join(f"{key} {_examples(column)}" for key, column in columns.items())
                raise ValueError(
                    f"Split {self.name}{'' if fold is None else f' (fold {fold})'} finds no {name} "
                    f"sample among {len(role)}: it uses {', '.join(columns) or 'nothing'}, and "
                    f"the data have {having or 'no samples'}; choose the split that belongs to "
                    "these data, fill those columns, or give a CSV table of your own."
                )
        return self._compared(division, columns, index, people)

    def _match(
        self, columns: Columns, count: int, fold: str | None, people: Mapping[str, str]
    ) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.object_]]:
        """Role and subset (N,) by the first rule that fits; empty where none does."""
        role = np.full(count, "", dtype="<U16")
        subset = np.full(count, "", dtype=object)
        for rule in self.rules:
            here = role == ""
            for column, cells in rule.cells.items():
                wanted = [cell.replace(_FOLD, fold or "") for cell in cells]
                if column == "identity":
                    wanted = [people.get(name, name) for name in wanted]
                here &= _fits(columns[column], column, wanted)
            role[here], subset[here] = rule.role, rule.subset
        return role, subset

    def _roles_of_words(
        self,
        columns: Columns,
        count: int,
        fold: str | None,
        either: str,
        people: Mapping[str, str],
    ) -> dict[str, BoolArray]:
        """By role, which samples (N,) have it by one of their words in the split column alone."""
        words = [text.split() for text in columns["split"].tolist()] if "split" in columns else []
        owner = np.repeat(np.arange(len(words)), [len(group) for group in words])
        each = {name: texts[owner] for name, texts in columns.items()}
        each["split"] = np.array([word for group in words for word in group], dtype=np.str_)
        role, _ = self._match(each, len(owner), fold, people)
        role[role == _TEST_UNLESS_ANY] = either
        return {
            name: np.isin(np.arange(count), owner[role == name])
            for name in (TRAIN, VALIDATION, TEST)
        }

    def _compared(
        self, division: Division, columns: Columns, index: pd.DataFrame, people: PeopleFound
    ) -> Division:
        """The division with notes on what the table and the data do not share, or share kindly."""
        notes = [people.note] if people.note else []
        for column in sorted(set(columns) - {*_EXACT, "split"}):
            notes += read_alike(column, columns[column])
        if two := division.counts.get("in_two_roles", 0):
            notes.append(
                f"Split {self.name} lists {two} {nouns('samples', two)} twice; "
                f"{'it is' if two == 1 else 'they are'} not trained on."
            )
        left = division.role == LEAVE
        if left.any():
            unmatched = division.counts["unmatched"]
            ruled = f", no rule fits {unmatched} of them" if unmatched else ""
            notes.append(
                f"Split {self.name} leaves out {int(left.sum())} of {len(left)} samples{ruled}: "
                f"{_examples(_texts(index, 'sample')[left])}."
            )
        absent = 0
        for column in _NAMED:
            listed = self._listed(column)
            there = np.unique(columns.get(column, _texts(index, column)))
            known = people.names if column == "identity" else {}
            lacking = [
                name for name in listed if not _fits(there, column, [known.get(name, name)]).any()
            ]
            absent += len(lacking)
            if lacking:
                notes.append(
                    f"The data lack {len(lacking)} of the {len(listed)} names of column {column} "
                    f"that split {self.name} lists: {_examples(lacking)}."
                )
        found = len({*_texts(index, "label")[~left].tolist()} - {""})
        if self.classes not in (0, found):
            notes.append(
                f"Split {self.name} divides {self.classes} classes, but these data have {found}: "
                "they are another data set, or part of it."
            )
        counts = {**division.counts, "absent_names": absent} if absent else division.counts
        return replace(division, counts=counts, notes=tuple(notes))

    def _listed(self, column: str) -> list[str]:
        """The names that the rules list in a column; of those that leave out only samples."""
        cells = [
            cell
            for rule in self.rules
            if column == "sample" or rule.role != LEAVE
            for cell in rule.cells.get(column, ())
            if _FOLD not in cell and not (column in _WITH_PARITY and cell in _PARITIES)
        ]
        return list(dict.fromkeys(cells))

    def _check_fold(self, fold: str | None) -> None:
        if not self.by_fold:
            if fold is not None:
                raise ValueError(f"Split {self.name} has no folds: leave out fold {fold!r}.")
            return
        known = f"one of {', '.join(self.folds)}" if self.folds else "the name of a fold"
        if fold is None:
            raise ValueError(f"Split {self.name} is divided by fold: give {known}.")
        if self.folds and fold not in self.folds:
            raise ValueError(f"Split {self.name} has no fold {fold!r}: give {known}.")


def load_split(name_or_path: str | Path) -> ActionSplit:
    """Load a built-in division by name, or one from a CSV file.

    Args:
        name_or_path: Name or file.

    Returns:
        The division, called after the file.

    Raises:
        ValueError: There is none (the message has the nearest name), or the file is not such a
        table.
    """

    def read(source: Traversable) -> ActionSplit:
        return parse_split(Path(source.name).stem, read_text(source))

    return load_split_file(name_or_path, "action", read)


def parse_split(name: str, text: str) -> ActionSplit:
    """Read a division from the text of its CSV file.

    Args:
        name: Name in results.
        text: The file's content.

    Raises:
        ValueError: A column, a role or the number of cells is wrong, or there is no rule.
    """
    notes: dict[str, str] = {}
    lines = text.splitlines()
    while lines and (lines[0].startswith("#") or not lines[0].strip()):
        found = _NOTE.match(lines.pop(0))
        if found:
            notes[found[1]] = found[2].strip()
    header, rows = read_table(lines)
    _check_header(header)
    rules = tuple(_rule(header, row, place) for place, row in enumerate(rows, start=1))
    if not rules:
        raise ValueError("the table has no row: it needs one for training and one for testing.")
    classes = notes.get("classes", "0")
    if not classes.isdecimal():
        raise ValueError(f"'# classes: {classes}' must be a whole number.")
    folds = tuple(notes.get("folds", "").split())
    return ActionSplit(name, rules, folds, notes.get("source", ""), int(classes))


def _check_header(header: Sequence[str]) -> None:
    known = (*COLUMNS, "role", "subset")
    for column in header:
        if column not in known:
            raise ValueError(f"column {column!r} is not one of {', '.join(known)}.")
    if "role" not in header:
        raise ValueError(f"the column 'role' is missing; the header is {', '.join(header)!r}.")


def _rule(header: Sequence[str], row: Sequence[str], place: int) -> SplitRule:
    """One row of the file."""
    values = {column: row[number].strip() for number, column in enumerate(header)}
    role, subset = values.pop("role"), values.pop("subset", "")
    if role not in _ROLES:
        raise ValueError(f"row {place}: role {role!r} is not one of {', '.join(_ROLES)}.")
    cells = {
        column: tuple(part.strip() for part in cell.split("|"))
        for column, cell in values.items()
        if cell not in _ANY
    }
    return SplitRule(cells, role, "" if subset in _ANY else subset)


def _texts(index: pd.DataFrame, column: str) -> TextArray:
    """(N,) a column as text; empty where it is absent or unknown."""
    if column not in index.columns:
        return np.full(len(index), "", dtype=np.str_)
    values = index[column].astype(object).where(index[column].notna(), "").tolist()
    # A column of numbers with gaps is one of floats: 1.0 is person 1.
    whole = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    return composed([str(value) for value in whole])


def _examples(values: Iterable[str]) -> str:
    """Some of the values; "(empty)" for empty ones."""
    names = [name or "(empty)" for name in natural_order(values)]
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _fits(values: TextArray, column: str, wanted: Sequence[str]) -> BoolArray:
    """(N,) whether the value is one of the alternatives."""
    distinct, code = np.unique(values, return_inverse=True)
    if column in _EXACT:
        fits = np.isin(distinct, wanted)
    elif column == "split":
        names = set(canonical(wanted).tolist())
        fits = np.array(
            [bool(names & set(canonical(text.split()).tolist())) for text in distinct.tolist()],
            dtype=np.bool_,
        )
    else:
        fits = np.isin(canonical(distinct), canonical(wanted))
    if column in _WITH_PARITY:
        fits |= _has_parity(distinct, wanted)
    return np.asarray(fits[code], dtype=np.bool_)


def _has_parity(distinct: npt.NDArray[np.str_], wanted: Sequence[str]) -> BoolArray:
    """Whether a number is odd or even, if that is wanted."""
    rests = {_PARITIES[name] for name in wanted if name in _PARITIES}
    return np.array(
        [text.isdecimal() and int(text) % 2 in rests for text in distinct.tolist()], dtype=np.bool_
    )
