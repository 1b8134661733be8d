"""A comparison of two runs as text on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

from protocols.text import align_columns, format_rate, render_notes
from tasks.compare.comparison import RunComparison
from tasks.compare.gains import Gain
from tasks.compare.sides import Side

_ROWS = 12
_WIDEST = 36
_PLAIN_NUMBERS = ("dprime", "threshold")
"""Metrics that are not rates and not shown in percent."""


def render_comparison(found: RunComparison, top: int = 5) -> str:
    """Render a comparison: runs, settings, metrics, people, classes, verdict.

    Args:
        found: the comparison.
        top: number of people and classes to list on each side.

    Returns:
        The text, without a newline at its end.
    """
    parts = [_runs(found), _settings(found), _metrics(found)]
    for what, gains in (("people", found.people), ("classes", found.classes)):
        parts.append(_gains(what, gains, found, top))
    parts.append("\n".join(part for part in (found.sentence, render_notes(found.notes)) if part))
    return "\n\n".join(part for part in parts if part)


def _runs(found: RunComparison) -> str:
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
    return f"{text}\nand {more} more (see --json FILE)" if more > 0 else text


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _metrics(found: RunComparison) -> str:
    if not found.metrics:
        return "The runs have no metric in common."
    rows = [["percent", "first", "second", "difference"]]
    for one in found.metrics:
        scale = 1.0 if one.metric.startswith(_PLAIN_NUMBERS) else 100.0
        shown = partial(format_rate, scale=scale, end_decimals=1)
        rows.append(
            [
                one.metric,
                shown(one.first, one.first_ends, spread=one.first_spread),
                shown(one.second, one.second_ends, spread=one.second_spread),
                # The difference between values of different data would be meaningless.
                "" if found.obstacles else shown(one.difference, sign="+"),
            ]
        )
    several = found.metrics[0].first_spread is not None
    remarks = ["mean ± standard deviation over the seeds"] if several else []
    if found.left_out:
        remarks.append(f"{found.left_out} more metrics with --metric all")
    return "\n".join([align_columns(rows), *(["; ".join(remarks)] if remarks else [])])


def _gains(what: str, gains: Sequence[Gain], found: RunComparison, top: int) -> str:
    """The greatest gains and losses, side by side."""
    gained = [gain for gain in gains if gain.difference > 0][:top]
    lost = [gain for gain in reversed(gains) if gain.difference < 0][:top]
    better = sum(gain.difference > 0 for gain in gains)
    worse = sum(gain.difference < 0 for gain in gains)
    if not gains:
        return ""
    equal = len(gains) - better - worse
    title = f"{what}: {better} gain with {found.second.name}, {worse} lose, {equal} are unchanged"
    if not gained and not lost:
        return title
    rows = [["gained most", "points", "percent", " ", "lost most", "points", "percent"]]
    for left, right in zip_longest(gained, lost):
        rows.append([*_gain_cells(left), "", *_gain_cells(right)])
    return f"{title}\n{align_columns(rows, names=7)}"


def _gain_cells(gain: Gain | None) -> list[str]:
    if gain is None:
        return [""] * 3
    return [
        _short(gain.name),
        format_rate(gain.difference, decimals=1, sign="+"),
        " -> ".join(format_rate(rate, decimals=1) for rate in (gain.first, gain.second)),
    ]
