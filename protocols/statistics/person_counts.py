"""Results of every sample or person in a record of any task.

A classification keeps the predicted class of every sample
(:mod:`protocols.statistics.outcomes`); a table keeps each person's hits and trials under each of
its parts (a condition, a pair of sets). Its cells name what they count: ``rank1_hits`` those in
rank 1, any other ``NAME_hits`` those of that name, and ``hits`` something without a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from protocols.records import ResultRecord
from protocols.statistics.outcomes import Outcomes

PartCounts = Mapping[str, Mapping[str, tuple[int, int]]]
"""Hits and trials by part (condition or pair) and person."""


def read_kept(record: ResultRecord, name: str = "the run") -> Outcomes | PartCounts:
    """Read the outcome of every sample, or else the counts of every person, from a record.

    Args:
        record: A record of any task; its cells decide.
        name: Name of the run, for messages.

    Returns:
        The outcomes; or the hits and trials by part and person, under the main rule where the
        record has several.

    Raises:
        ValueError: The record keeps neither, or its cells are damaged.
    """
    cells = record.cells or {}
    if "outcomes" in cells:
        try:
            return Outcomes.from_cells(cells)
        except (TypeError, KeyError) as error:
            raise ValueError(
                f"The outcomes in the record of {name} are damaged ({error})."
            ) from error
    main = cells.get("main")
    return _read_counts(main if isinstance(main, Mapping) else cells)


def counted_measure(run: object) -> str | None:
    """What a run counts, in words: ``top-1``, ``rank-1``, ``accuracy``; None if it has no name.

    Args:
        run: A record whose outcomes or counts can be read; outcomes or counts themselves.
    """
    if not isinstance(run, ResultRecord):
        return None if isinstance(run, Mapping) else "top-1"
    cells = run.cells or {}
    if "outcomes" in cells:
        return "top-1"
    main = cells.get("main")
    tables = _tables(main if isinstance(main, Mapping) else cells)
    name = _hits_key(next(iter(tables.values()))["people"]).removesuffix("hits").removesuffix("_")
    return {"": None, "rank1": "rank-1"}.get(name, name.replace("_", " "))


def person_counts(kept: Outcomes | PartCounts) -> PartCounts:
    """Hits and trials by part and person.

    Args:
        kept: Outcomes, which become the part ``all``; or counts, which stay as they are.

    Raises:
        ValueError: The person of a sample is unknown, or there is only one.
    """
    if not isinstance(kept, Outcomes):
        return kept
    names, person = np.unique(kept.subject, return_inverse=True)
    if "" in names.tolist() or len(names) < 2:
        raise ValueError("The person of every sample must be known, and there must be two or more.")
    trials = np.bincount(person, minlength=len(names)).tolist()
    hits = np.bincount(person[kept.correct], minlength=len(names)).tolist()
    return {"all": dict(zip(names.tolist(), zip(hits, trials, strict=True), strict=True))}


def sum_counts(runs: Sequence[PartCounts]) -> PartCounts:
    """Counts of several runs as one: hits and trials of each part and person summed.

    Seeds of one person are no further people, so that a comparison over seeds sums them first.

    >>> sum_counts([{"nm": {"a": (1, 2)}}, {"nm": {"a": (2, 2), "b": (0, 2)}}])
    {'nm': {'a': (3, 4), 'b': (0, 2)}}
    """
    total: dict[str, dict[str, tuple[int, int]]] = {}
    for run in runs:
        for part, people in run.items():
            known = total.setdefault(part, {})
            for name, (hits, trials) in people.items():
                before = known.get(name, (0, 0))
                known[name] = (before[0] + hits, before[1] + trials)
    return total


def _read_counts(cells: Mapping[str, Any]) -> PartCounts:
    """The counts of a table by condition, or of each pair's table."""
    pairs, tables = cells.get("pairs"), _tables(cells)
    # A record of biometric measures (with a DET curve) keeps other counts of the same name.
    if not any("people" in table and "det" not in table for table in tables.values()):
        raise ValueError(
            "The record keeps no counts by person (and no outcomes of samples): evaluate the run "
            "again with `eval --run RUN --json FILE`; records of biometric measures keep none."
        )
    try:
        return {
            str(part): {str(n): (int(h), int(t)) for n, h, t in zip(*columns, strict=True)}
            for pair, table in tables.items()
            for part, *columns in _columns(pair, table["people"])
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The counts by person of the record are damaged (pairs: {', '.join(pairs or ())}): "
            "names, trials and rank1_hits (or other hits) must be lists of one length for each "
            "condition or pair."
        ) from error


def _tables(cells: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table of each pair; of a task without pairs, the one table under an empty name."""
    pairs = cells.get("pairs")
    return pairs if isinstance(pairs, Mapping) else {"": cells}


def _hits_key(people: Mapping[str, Any]) -> str:
    """The name under which the hits are kept; KeyError unless there is just one."""
    found = [key for key in people if key == "hits" or key.endswith("_hits")]
    if len(found) != 1:
        raise KeyError("hits")
    return found[0]


def _columns(pair: str, people: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, Any]]:
    """Part, names, hits and trials: of one pair, or of each condition."""
    names, hits, trials = (people[key] for key in ("names", _hits_key(people), "trials"))
    if pair:
        yield pair, names, hits, trials
        return
    for condition in trials:
        yield condition, names, hits[condition], trials[condition]
