"""What was left out, in words: the counts of readers, tasks and predictions read alike."""

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


def _singular(plural: re.Match[str]) -> str:
    return _SINGULAR.get(plural[0], plural[0].removesuffix("s"))
