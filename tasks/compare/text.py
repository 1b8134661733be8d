"""A comparison of two runs, or of several, as text on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

from protocols.statistics.several import raw_p_value
from protocols.text import align_columns, format_rate, render_notes
from tasks.compare.comparison import RunComparison
from tasks.compare.gains import Gain
from tasks.compare.several import Pair, SeveralComparison, mean_and_spread
from tasks.compare.sides import Side

_ROWS = 12
_WIDEST = 36
_PLAIN_NUMBERS = ("dprime", "threshold")
"""Metrics that are not rates and not shown in percent."""
_NO_VERDICT = "no verdict"


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


def render_several(found: SeveralComparison) -> str:
    """Render a comparison of several runs: their metrics, the verdicts, what was corrected.

    Returns:
        The text, without a newline at its end.
    """
    rows = [["run", "", *found.metrics]]
    for side, values in zip(found.sides, found.values, strict=True):
        shown = [
            format_rate(mean, spread=spread, scale=_scale(name))
            for name, (mean, spread) in zip(
                found.metrics, map(mean_and_spread, values), strict=True
            )
        ]
        rows.append([side.name, _run(side), *shown])
    more = f"{found.left_out} more metrics with --metric all" if found.left_out else ""
    tables = [
        _tested(found.sides[0]),
        "\n".join(filter(None, [align_columns(rows, names=2), more])),
    ]
    tables.append(align_columns([_PAIR, *map(_pair_cells, found.pairs)], names=2))
    silent = (
        f"{pair.second} and {pair.first}: {pair.sentence}"
        for pair in found.pairs
        if pair.verdict is None
    )
    tables.append("\n".join([*silent, found.sentence]))
    tables.append(render_notes(found.notes))
    return "\n\n".join(filter(None, tables))


_PAIR = ["run", "against", "points", "95 % interval", "detectable", "p", "corrected", "verdict"]


def _pair_cells(pair: Pair) -> list[str]:
    one = pair.verdict
    if one is None:
        return [pair.second, pair.first, *[""] * 5, _NO_VERDICT]
    ends = "none" if one.low == one.high else f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
    p_values = [f"{value:.2g}" for value in (raw_p_value(one), one.p_value_corrected)]
    points = format_rate(one.difference, decimals=1, sign="+")
    # Not corrected; one run on each side does not show how far its method is spread.
    finds = "" if one.detectable is None else format_rate(one.detectable, decimals=1)
    return [pair.second, pair.first, points, ends, finds, *p_values, one.verdict]


def _runs(found: RunComparison) -> str:
    lines = [
        f"{label}  {side.name}: {_run(side)}"
        for label, side in (("first ", found.first), ("second", found.second))
    ]
    if found.obstacles:
        lines.append(f"NOT COMPARABLE: {', '.join(found.obstacles)}")
    else:
        lines.append(f"both    {_tested(found.first)}")
    for what, rows in (("counts", found.counts), ("environment", found.environment)):
        if rows:
            named = [f"{name} {_short(old)} -> {_short(new)}" for name, old, new in rows[:6]]
            more = [f"and {len(rows) - 6} more"] if len(rows) > 6 else []
            lines.append(f"other {what}: {', '.join([*named, *more])}")
    return "\n".join(lines)


def _tested(side: Side) -> str:
    """Task, data, protocol and rule of a side."""
    record = side.record
    data = f"{record.dataset.name}{' (synthetic)' if record.dataset.synthetic else ''}"
    rule = f", rule {record.described_rule}" if record.described_rule else ""
    return f"{record.task} on {data}, protocol {record.protocol}{rule}"


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
        shown = partial(format_rate, scale=_scale(one.metric), end_decimals=1)
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


def _scale(metric: str) -> float:
    return 1.0 if metric.startswith(_PLAIN_NUMBERS) else 100.0


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
