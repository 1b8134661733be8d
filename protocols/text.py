"""Rows of text as aligned columns, plain or in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Style = Literal["plain", "markdown"]


def align_columns(rows: Sequence[Sequence[str]], style: Style, names: int = 1) -> str:
    """Align columns; the first row is the header.

    Args:
        rows: Cells, as many in each row; empty columns are dropped.
        style: ``plain`` or ``markdown``.
        names: How many columns hold names and are aligned to the left.

    Returns:
        The text, without a newline at its end.

    Raises:
        ValueError: The style is unknown.

    >>> print(align_columns([["", "eer"], ["nm", "12.00"], ["bg", "9.00"]], "plain"))
           eer
    ---  -----
    nm   12.00
    bg    9.00
    """
    if style not in ("plain", "markdown"):
        raise ValueError(f"style must be plain or markdown, not {style!r}.")
    shown = [c for c in range(len(rows[0])) if c < names or any(row[c] for row in rows[1:])]
    widths = {c: max(3, *(len(row[c]) for row in rows)) for c in shown}
    lines = [
        [row[c].ljust(widths[c]) if c < names else row[c].rjust(widths[c]) for c in shown]
        for row in rows
    ]
    if style == "plain":
        rule = ["-" * widths[c] for c in shown]
        return "\n".join("  ".join(line).rstrip() for line in [lines[0], rule, *lines[1:]])
    marks = ["-" * widths[c] if c < names else "-" * (widths[c] - 1) + ":" for c in shown]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], marks, *lines[1:]])
