"""Rank lists of re-identification: a probe and the gallery sequences nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocols.figures.drawing import style
from protocols.figures.drawing.skeletons import choose_frames, draw_bodies, project
from protocols.ranking.distances import FloatArray

_ASPECT = 1.35
"""Width over height of a cell of a grid."""


@dataclass(frozen=True, eq=False)
class RankedStrip:
    """A sequence in a rank list.

    Attributes:
        joints: (T, V, C) positions; NaN where a joint was not seen.
        caption: such as ``Person012_3@40, 0.213``.
        correct: whether it shows the probe's person; None for the probe itself.
        flags: what makes the match easy, such as ``same take`` and ``same view``.
    """

    joints: npt.ArrayLike
    caption: str
    correct: bool | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RankList:
    """A probe and the gallery sequences nearest to it, nearest first.

    Attributes:
        probe: the probe.
        ranked: the gallery sequences.
        note: a word on the probe, such as ``AP 0.31``.
        numbered: whether they are a ranking, and not just beside each other.
    """

    probe: RankedStrip
    ranked: tuple[RankedStrip, ...]
    note: str = ""
    numbered: bool = True


@style.house_style()
def draw_rank_list(
    rank_list: RankList, bones: Sequence[Sequence[int]], *, y_down: bool = False
) -> Figure:
    """Draw one probe over its nearest gallery sequences, a strip of ten frames a row.

    Right ones have a tick and a solid frame, wrong ones a cross and a dashed frame.

    Args:
        rank_list: the probe and the ranked sequences.
        bones: pairs of joint numbers.
        y_down: whether the second channel grows downwards, as pixels do.

    Returns:
        Two sets of axes a row, the probe's first: the bodies, and their words.

    Raises:
        ValueError: nothing is ranked, no joint was seen or a bone does not exist; the message
            names the sequence.
    """
    _check([rank_list])
    strips = [rank_list.probe, *rank_list.ranked]
    figure = style.new_figure(style.PAGE_WIDTH, 0.85 * len(strips))
    grid = figure.add_gridspec(len(strips), 2, width_ratios=(1.25, 5.75))
    for row, strip in enumerate(strips):
        points = _points(strip, 10, y_down)
        _draw_framed(figure.add_subplot(grid[row, 1]), strip, points, bones, aspect=7.6)
        text = "\n".join([_title(strip, row, rank_list), *strip.flags])
        words = figure.add_subplot(grid[row, 0])
        words.set_axis_off()
        words.text(0, 0.5, text.replace(", ", "\n"), va="center", fontsize=style.SMALL)
    return figure


@style.house_style()
def draw_rank_grid(
    rank_lists: Sequence[RankList], bones: Sequence[Sequence[int]], *, y_down: bool = False
) -> Figure:
    """Draw several probes, a row each: the probe, then its nearest ones, of three frames each.

    Args:
        rank_lists: the rows, in the order wanted (the worst first, say).
        bones: pairs of joint numbers.
        y_down: whether the second channel grows downwards, as pixels do.

    Returns:
        A set of axes a sequence, row by row.

    Raises:
        ValueError: as :func:`draw_rank_list`.
    """
    _check(rank_lists)
    columns = 1 + max(len(row.ranked) for row in rank_lists)
    strips = [strip for row in rank_lists for strip in (row.probe, *row.ranked)]
    # A part of a caption, or a flag, a line.
    notes = [f"{row.probe.caption}, {row.note}" for row in rank_lists]
    lines = 2 + max(text.count(", ") for text in [*notes, *(strip.caption for strip in strips)])
    lines += max(len(strip.flags) for strip in strips)
    height = 0.16 + 0.1 * lines + (style.PAGE_WIDTH / columns - 0.14) / _ASPECT
    figure = style.new_figure(style.PAGE_WIDTH, height * len(rank_lists))
    grid = figure.add_gridspec(len(rank_lists), columns)
    for row, rank_list in enumerate(rank_lists):
        for column, strip in enumerate([rank_list.probe, *rank_list.ranked]):
            plot = figure.add_subplot(grid[row, column])
            points = _points(strip, 3, y_down)
            _draw_framed(plot, strip, points, bones, aspect=_ASPECT)
            # Captions are narrow here: a part a line.
            title = _title(strip, column, rank_list).replace(", ", "\n")
            plot.set_title(title, fontsize=style.TINY, loc="left", pad=2)
            plot.set_xlabel("\n".join(strip.flags), fontsize=style.TINY, style="italic", labelpad=2)
    return figure


def _check(rank_lists: Sequence[RankList]) -> None:
    if not rank_lists or not all(row.ranked for row in rank_lists):
        raise ValueError("A rank list needs a probe and at least one ranked gallery sequence.")


def _points(strip: RankedStrip, frames: int, y_down: bool) -> FloatArray:
    """The chosen frames in the picture's plane; errors name the strip by its caption."""
    try:
        points = project(strip.joints, y_down=y_down)
        return points[choose_frames(points, frames)]
    except ValueError as error:
        raise ValueError(f"{strip.caption}: {error}") from None


def _draw_framed(
    plot: Axes,
    strip: RankedStrip,
    points: FloatArray,
    bones: Sequence[Sequence[int]],
    aspect: float,
) -> None:
    """The bodies in a frame that marks right and wrong."""
    draw_bodies(plot, points, bones, aspect=aspect)
    plot.set_xticks([])
    plot.set_yticks([])
    for spine in plot.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.7 if strip.correct is None else 1.6)
        spine.set_edgecolor(
            style.GREY if strip.correct is None else style.RIGHT if strip.correct else style.WRONG
        )
        spine.set_linestyle((0, (3, 1.5)) if strip.correct is False else "-")


def _title(strip: RankedStrip, rank: int, rank_list: RankList) -> str:
    numbered = rank_list.numbered
    if rank == 0:
        words = ("probe" if numbered else "", strip.caption, rank_list.note)
        return ", ".join(filter(None, words))
    mark = "" if strip.correct is None else "✓" if strip.correct else "✗"
    return f"{f'{rank} {mark}' if numbered else mark}".strip() + f"  {strip.caption}"
