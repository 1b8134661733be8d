"""What was left out and what was noted, in words: readers, tasks and predictions say it alike."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLURAL = re.compile(r"\b(people|persons|bodies|[a-z]{3,}(?<!s)s)\b")
_SINGULAR = {"people": "person", "persons": "person", "bodies": "body"}


def left_out_in_words(counts: Mapping[str, int]) -> str:
    """Counts by reason as one text; empty if nothing was left out.

    Args:
        counts: by reason, which begins with what is counted, in the plural.

    >>> left_out_in_words({"people without a joint": 1, "broken frames": 2, "names": 0})
    '1 person without a joint; 2 broken frames'
    """
    return "; ".join(
        f"{count} {_PLURAL.sub(_singular, reason, count=1) if count == 1 else reason}"
        for reason, count in counts.items()
        if count
    )


def notes_in_words(notes: Mapping[str, int]) -> tuple[str, ...]:
    """A reader's notes, each with the number of its recordings.

    >>> notes_in_words({"columns not read: box": 2})
    ('2 recordings: columns not read: box',)
    """
    return tuple(
        f"{count} recording{'' if count == 1 else 's'}: {sentence}"
        for sentence, count in notes.items()
    )


def _singular(plural: re.Match[str]) -> str:
    return _SINGULAR.get(plural[0], plural[0].removesuffix("s"))
