"""Joint names: one spelling for all of them, and a hint where a name is misspelt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}


@lru_cache(maxsize=1024)
def canonical_name(text: str) -> str:
    """A joint's name in one spelling: lower_snake, the side first, British `centre`.

    Args:
        text: a name as data files spell it.

    Returns:
        The canonical name.

    >>> [canonical_name(name) for name in ("shoulder_left", "Hip-Right", "RKnee", "HeadCenter")]
    ['left_shoulder', 'right_hip', 'right_knee', 'head_centre']
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[LR])(?=[A-Z][a-z])", "_", str(text).strip())
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    words = ["centre" if word == "center" else word for word in words]
    sides = [word for word in words if word in _SIDES]
    if len(words) > 1 and len(sides) == 1:
        words = [_SIDES[sides[0]], *(word for word in words if word not in _SIDES)]
    return "_".join(words)


def nearest_name(name: str, names: Iterable[str]) -> str:
    """A hint for an error message: the name that was probably meant, or an empty text."""
    near = difflib.get_close_matches(str(name), list(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
