"""Tables, numbers and names from files as text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

_LONGEST_RULE = 60
"""Longest line below a header, for columns of whole sentences."""


def printable(text: str) -> str:
    r"""A text from a file as it may be printed: one line that can command no terminal.

    What Python does not call printable is shown as it escapes it: control characters, and marks of
    the writing direction or of no width, which make a name look like another. Everything that is
    printed, and every cell of a report, passes here.

    >>> print(printable("Ann\x1b[2J\u202egpj.exe\n"))
    Ann\x1b[2J\u202egpj.exe\n
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def printable_lines(text: str) -> str:
    r"""As `printable`, but the lines stay lines.

    >>> print(printable_lines("one\ntwo\x07"))
    one
    two\x07
    """
    return "\n".join(map(printable, text.split("\n")))


def nouns(words: str, number: int) -> str:
    """What a number counts: the words as given, or the first plural among them as a singular.

    >>> nouns("people in the gallery", 1), nouns("false matches", 1), nouns("views", 2)
    ('person in the gallery', 'false match', 'views')
    """
    return words if number != 1 else re.sub(r"people|\w+s\b", _singular, words, count=1)


def _singular(plural: re.Match[str]) -> str:
    if plural[0] == "people":
        return "person"
    return re.sub(r"(?<=ch|ss)es$|s$", "", plural[0])


def align_columns(rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Align columns; the first row is the header.

    Args:
        rows: Cells; short rows are filled up, and empty columns dropped.
        names: Number of columns of names, which are aligned to the left.

    Returns:
        The text, without a newline at its end.

    >>> print(align_columns([["", "eer"], ["nm", "12.00"], ["bg", "9.00"]]))
           eer
    ---  -----
    nm   12.00
    bg    9.00
    """
    full = [[*map(printable, row), *[""] * (len(rows[0]) - len(row))] for row in rows]
    shown = [c for c in range(len(rows[0])) if c < names or any(row[c] for row in full[1:])]
    widths = {c: max(3, *(len(row[c]) for row in full)) for c in shown}
    lines = [
        [row[c].ljust(widths[c]) if c < names else row[c].rjust(widths[c]) for c in shown]
        for row in full
    ]
    rule = ["-" * min(widths[c], _LONGEST_RULE) for c in shown]
    return "\n".join("  ".join(line).rstrip() for line in [lines[0], rule, *lines[1:]])


def format_rate(
    rate: float | None,
    ends: tuple[float, float] | None = None,
    *,
    spread: float | None = None,
    scale: float = 100.0,
    decimals: int = 2,
    end_decimals: int = 2,
    sign: Literal["", "+"] = "",
    missing: str = "",
) -> str:
    """A rate in percent, with its interval or its spread over seeds if that is known.

    Args:
        rate: The rate, 0..1.
        ends: Low and high end of its interval.
        spread: Its standard deviation, which is shown in place of an interval.
        scale: 100 for percent; 1 for numbers that are not rates.
        decimals: Of the rate and of its spread.
        end_decimals: Of the ends.
        sign: ``+`` for differences, so that gains have a sign too.
        missing: Text for a rate that is None or not finite.

    >>> format_rate(0.5, (0.25, 0.75)), format_rate(0.5, spread=0.01), format_rate(0.01, sign="+")
    ('50.00 [25.00, 75.00]', '50.00 ± 1.00', '+1.00')
    """
    if rate is None or not math.isfinite(rate):
        return missing
    text = f"{scale * rate:{sign}.{decimals}f}"
    if spread is not None:
        return f"{text} ± {scale * spread:.{decimals}f}"
    if ends is None:
        return text
    low, high = (f"{scale * end:.{end_decimals}f}" for end in ends)
    return f"{text} [{low}, {high}]"


def format_mean(rates: Sequence[float]) -> str:
    """Mean of rates in percent, ± their standard deviation (N - 1) where there are several.

    >>> format_mean([0.5]), format_mean([0.5, 0.75])
    ('50.00', '62.50 ± 17.68')
    """
    import numpy as np  # commands that print no means do without it

    values = 100.0 * np.asarray(rates, dtype=np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    return format_rate(float(values.mean()), spread=spread, scale=1.0, missing="nan")


def render_intervals(
    intervals: Mapping[str, tuple[float, float]], rates: Mapping[str, float], name: str = ""
) -> str:
    """The intervals of a table's rates, in percent: a row a part, a column a measure.

    Args:
        intervals: Low and high end by metric, such as ``rank1`` and ``rank1/nm``.
        rates: The metrics; an interval without one is left out.
        name: What the whole is called, such as ``mean``; empty to leave it out.

    Returns:
        The text, without a newline at its end; empty without intervals.

    >>> print(render_intervals({"rank1/nm": (0.25, 0.75)}, {"rank1/nm": 0.5}))
    95 % interval           rank1
    -------------  --------------
    nm             25.00 to 75.00
    """
    known = {key: ends for key, ends in intervals.items() if key in rates}
    parts = dict.fromkeys(key.partition("/")[2] for key in known)
    measures = list(dict.fromkeys(key.partition("/")[0] for key in known))
    rows = [["95 % interval", *measures]]
    for part in sorted(parts, key=lambda part: part == ""):
        if part or name:
            marks = [f"{measure}/{part}" if part else measure for measure in measures]
            cells = [" to ".join(format_rate(end) for end in known.get(key, ())) for key in marks]
            rows.append([part or name, *cells])
    return align_columns(rows) if len(rows) > 1 else ""


def render_notes(notes: Sequence[str], counts: Mapping[str, int] | None = None) -> str:
    """The counts on one line, then a line a note."""
    listed = ", ".join(f"{key.replace('_', ' ')} {n}" for key, n in (counts or {}).items())
    lines = [f"Counts: {listed}."] if listed else []
    return "\n".join(map(printable, [*lines, *(f"Note: {note}" for note in notes)]))
