"""A comparison of two runs as text: one screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from protocols.text import align_columns, format_rate, render_notes
from tasks.compare.comparison import Figure, RunComparison
from tasks.compare.gains import Gain
from tasks.compare.sides import Side

_ROWS = 12
_WIDEST = 36
_PLAIN_NUMBERS = ("dprime", "threshold")
"""Figures that are no rates and are not shown in percent."""


def render_comparison(found: RunComparison, top: int = 5) -> str:
    """The whole comparison: who, settings, data, figures, people, classes, verdict.

    Args:
        found: the comparison.
        top: how many people and classes to name on either side.

    Returns:
        The text, without a newline at its end.
    """
    parts = [_who(found), _settings(found), _figures(found)]
    for what, gains in (("people", found.people), ("classes", found.classes)):
        parts.append(_gains(what, gains, found, top))
    parts.append("\n".join(part for part in (found.sentence, render_notes(found.notes)) if part))
    return "\n\n".join(part for part in parts if part)


def _who(found: RunComparison) -> str:
    lines = [
        f"{label}  {side.name}: {_run(side)}"
        for label, side in (("first ", found.first), ("second", found.second))
    ]
    if found.obstacles:
        lines.append(f"NOT COMPARABLE: {', '.join(found.obstacles)}")
    else:
        record = found.first.record
        data = f"{record.dataset.name}{' (synthetic)' if record.dataset.synthetic else ''}"
        rule = f", rule {record.described_rule}" if record.described_rule else ""
        lines.append(f"both    {record.task} on {data}, protocol {record.protocol}{rule}")
    for what, rows in (("counts", found.counts), ("environment", found.environment)):
        if rows:
            named = [f"{name} {_short(old)} -> {_short(new)}" for name, old, new in rows[:6]]
            more = [f"and {len(rows) - 6} more"] if len(rows) > 6 else []
            lines.append(f"other {what}: {', '.join([*named, *more])}")
    return "\n".join(lines)


def _run(side: Side) -> str:
    """Objective, stream and seeds of a side."""
    record = side.record
    seeds = [str(one.seed) for one in side.records if one.seed is not None]
    words = [record.objective, record.stream]
    words.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else "")
    return ", ".join(word for word in words if word)


def _settings(found: RunComparison) -> str:
    if not found.settings:
        return "The settings are the same."
    rows = [["settings", "first", "second"]]
    rows += [[name, _short(old), _short(new)] for name, old, new in found.settings[:_ROWS]]
    more = len(found.settings) - _ROWS
    text = align_columns(rows, names=3)
    return f"{text}\nand {more} more (--json FILE holds all)" if more > 0 else text


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _figures(found: RunComparison) -> str:
    if not found.figures:
        return "The runs have no figure in common."
    rows = [["percent", "first", "second", "difference"]]
    for figure in found.figures:
        scale = 1.0 if figure.metric.startswith(_PLAIN_NUMBERS) else 100.0
        shown = partial(format_rate, scale=scale, end_decimals=1)
        rows.append(
            [
                figure.metric,
                shown(figure.first, figure.first_ends, spread=figure.first_spread),
                shown(figure.second, figure.second_ends, spread=figure.second_spread),
                # Figures of other data have no difference that would mean anything.
                "" if found.obstacles else shown(figure.difference, sign="+"),
            ]
        )
    text = align_columns(rows)
    said = ["mean ± standard deviation over the seeds"] if _several(found.figures) else []
    if found.left_out:
        said.append(f"{found.left_out} more figures with --metric all")
    return "\n".join([text, *(["; ".join(said)] if said else [])])


def _several(figures: Sequence[Figure]) -> bool:
    return figures[0].first_spread is not None


def _gains(what: str, gains: Sequence[Gain], found: RunComparison, top: int) -> str:
    """The greatest gains and losses beside each other."""
    gained = [gain for gain in gains if gain.difference > 0][:top]
    lost = [gain for gain in reversed(gains) if gain.difference < 0][:top]
    better = sum(gain.difference > 0 for gain in gains)
    worse = sum(gain.difference < 0 for gain in gains)
    if not gains:
        return ""
    title = (
        f"{what}: {better} gain with {found.second.name}, {worse} lose, "
        f"{len(gains) - better - worse} stay"
    )
    if not gained and not lost:
        return title
    rows = [["gained most", "points", "percent", " ", "lost most", "points", "percent"]]
    for place in range(max(len(gained), len(lost))):
        left = _gain_cells(gained[place]) if place < len(gained) else [""] * 3
        right = _gain_cells(lost[place]) if place < len(lost) else [""] * 3
        rows.append([*left, "", *right])
    return f"{title}\n{align_columns(rows, names=7)}"


def _gain_cells(gain: Gain) -> list[str]:
    return [
        _short(gain.name),
        format_rate(gain.difference, decimals=1, sign="+"),
        " -> ".join(format_rate(rate, decimals=1) for rate in (gain.first, gain.second)),
    ]
