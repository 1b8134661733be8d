"""Rank lists as pictures."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.figures.drawing.style import RIGHT, WRONG
from protocols.figures.rank_lists import RankedStrip, RankList, draw_rank_grid, draw_rank_list

BONES = [(0, 1), (1, 2)]


def strip(caption: str, correct: bool | None = None, *flags: str) -> RankedStrip:
    joints = np.random.default_rng(0).standard_normal((6, 3, 3))
    return RankedStrip(joints, caption, correct, flags)


def rank_list() -> RankList:
    ranked = (strip("ann_2, 0.1", True, "same take"), strip("bob_1, 0.2", False))
    return RankList(strip("ann_1"), ranked, "AP 0.31")


def test_rows_say_rank_symbol_caption_and_flag() -> None:
    figure = draw_rank_list(rank_list(), BONES)
    words = [plot.texts[0].get_text() for plot in figure.axes if plot.texts]
    assert words == ["probe\nann_1\nAP 0.31", "1 ✓  ann_2\n0.1\nsame take", "2 ✗  bob_1\n0.2"]
    assert len(figure.axes) == 6
    assert [len(plot.collections[0].get_segments()) for plot in figure.axes[::2]] == [12, 12, 12]


def test_right_and_wrong_differ_in_colour_and_line() -> None:
    _, right, wrong = draw_rank_list(rank_list(), BONES).axes[::2]
    from matplotlib.colors import to_hex

    edges = [plot.spines["left"] for plot in (right, wrong)]
    assert [to_hex(edge.get_edgecolor()).upper() for edge in edges] == [RIGHT, WRONG]
    assert edges[0].get_linestyle() != edges[1].get_linestyle()


def test_grid_has_a_row_a_probe() -> None:
    short = RankList(strip("bob_3"), (strip("bob_1", True),))
    figure = draw_rank_grid([rank_list(), short], BONES)
    assert len(figure.axes) == 3 + 2
    assert figure.axes[1].get_title(loc="left") == "1 ✓  ann_2\n0.1"
    assert figure.axes[1].get_xlabel() == "same take"
    assert figure.axes[4].get_subplotspec().rowspan.start == 1


def test_cases_without_a_ranking_have_no_numbers() -> None:
    beside = RankList(strip("sits"), (strip("a wave", False), strip("a sit", True)), numbered=False)
    titles = [plot.get_title(loc="left") for plot in draw_rank_grid([beside], BONES).axes]
    assert titles == ["sits", "✗  a wave", "✓  a sit"]


def test_empty_lists_and_bad_strips_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="at least one ranked"):
        draw_rank_list(RankList(strip("ann"), ()), BONES)
    with pytest.raises(ValueError, match="at least one ranked"):
        draw_rank_grid([], BONES)
    unseen = RankedStrip(np.full((2, 3, 2), np.nan), "bob_9", False)
    with pytest.raises(ValueError, match="bob_9: No joint"):
        draw_rank_list(RankList(strip("ann"), (unseen,)), BONES)
