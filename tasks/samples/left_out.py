"""What was left out of a run's data, in words, from the counts of its record."""

from __future__ import annotations

from collections.abc import Mapping

from aclnet.data.left_out import left_out_in_words

_WORDS = {
    "left_out": "samples by the split",
    "train_left_out": "training samples by train_share",
    "unmatched": "samples without a rule of the split",
    "absent_names": "names of the split that the data lack",
    "dropped_short": "sequences of too few frames",
    "dropped_train_short": "training recordings of too few frames",
    "dropped_test_short": "test recordings of too few frames",
    "dropped_left_over_frames": "test frames in no sequence",
    "dropped_train_left_over_frames": "training frames in no sequence",
    "dropped_test_in_no_set": "test recordings in no set of the pairs",
}
"""Counts of what was left out whose names say too little; others are `dropped_<what and why>`."""


def lost_data(counts: Mapping[str, int]) -> dict[str, int]:
    """Those counts of a record that every run on the same data shares: what its data lack."""
    return {name: count for name, count in counts.items() if name.startswith("dropped_")}


def left_out_of(counts: Mapping[str, int]) -> str:
    """What was left out, as one sentence; empty if nothing was.

    Args:
        counts: those of a record; others than of what was left out are passed over.

    >>> left_out_of({"train": 9, "left_out": 1, "dropped_empty_sequences": 3})
    'left out: 1 sample by the split; 3 empty sequences'
    """
    said = {
        _WORDS.get(name, name.removeprefix("dropped_").replace("_", " ")): count
        for name, count in counts.items()
        if name in _WORDS or name.startswith("dropped_")
    }
    words = left_out_in_words(said)
    return words and f"left out: {words}"
