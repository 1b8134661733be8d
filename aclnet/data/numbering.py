"""Frame numbers as text: which frames of its recording a sample has.

The text lists runs, first and last frame included: "300-323", "0-115/5" for every fifth frame,
"0-9 12 20-40" where frames were left out.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

_RUN = re.compile(r"(\d{1,18})(?:-(\d{1,18})(?:/([1-9]\d{0,17}))?)?", re.ASCII)


def numbers_to_text(numbers: Numbers) -> str:
    """Rising frame numbers (T,) as text; empty if they are 0 to T - 1.

    >>> numbers_to_text(np.array([3, 4, 5, 8, 20, 25, 30]))
    '3-5 8 20-30/5'
    """
    if len(numbers) == 0 or numbers[-1] == len(numbers) - 1:
        return ""
    if numbers[-1] - numbers[0] == len(numbers) - 1:  # one run, the usual case
        return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
    gaps = np.diff(numbers)
    runs: list[str] = []
    first = 0
    while first < len(numbers):
        differs = np.flatnonzero(gaps[first:] != gaps[first]) if first < len(gaps) else gaps[:0]
        last = first + int(differs[0]) if len(differs) else len(numbers) - 1
        if last == first + 1 and gaps[first] > 1:  # two frames apart begin no run of steps
            last = first
        step = int(gaps[first]) if last > first else 1
        end = f"-{numbers[last]}" if last > first else ""
        runs.append(f"{numbers[first]}{end}{f'/{step}' if step > 1 else ''}")
        first = last + 1
    return " ".join(runs)


def text_to_numbers(text: str, length: int) -> Numbers:
    """The T frame numbers of a text, 0 to T - 1 for an empty one.

    Args:
        text: as `numbers_to_text` writes it.
        length: T.

    Raises:
        ValueError: the text lists another number of frames, or not in increasing order.

    >>> text_to_numbers("3-5 8", 4).tolist(), text_to_numbers("", 2).tolist()
    ([3, 4, 5, 8], [0, 1])
    """
    if not text:
        return np.arange(length, dtype=np.int64)
    spans = _spans(text)
    # Counted before they are made, as the text comes from a file.
    if not _count_rising(spans, length):
        raise ValueError(f"frames {text[:40]!r} are not {length} frame numbers in increasing order")
    return np.concatenate([np.array(span, dtype=np.int64) for span in spans])


def lists_frames(text: str, length: int) -> bool:
    """Whether a text, not empty, lists T = `length` frame numbers in increasing order.

    >>> lists_frames("3-5 8", 4), lists_frames("3-5 8", 5), lists_frames("8 3-5", 4)
    (True, False, False)
    """
    return _count_rising(_spans(text), length)


def _spans(text: str) -> list[range]:
    """The runs of a text; none if one of them cannot be read."""
    runs = [_RUN.fullmatch(run) for run in text.split(" ")]
    if None in runs:
        return []
    found = (run.groups() for run in runs if run)
    return [range(int(a), int(b or a) + 1, int(step or 1)) for a, b, step in found]


def _count_rising(spans: list[range], length: int) -> bool:
    rising = all(one[-1] < other[0] for one, other in pairwise(spans) if one and other)
    return bool(spans) and all(spans) and rising and sum(map(len, spans)) == length
