"""Files of figures."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from protocols.figures.drawing.style import (
    house_style,
    legend_below,
    new_axes,
    save_figure,
    series_style,
)


def figure() -> Figure:
    """A small one: a line, a legend, a hatch and a few letters."""
    with house_style():
        made, plot = new_axes(2, 1.5)
        plot.plot([1, 2, 3], [0.5, 0.7, 0.9], label="acl")
        plot.bar([1], [0.4], hatch="//")
        plot.set_xticks([])
        legend_below(made)
    return made


@pytest.mark.parametrize("name", ["svg", "png", pytest.param("pdf", marks=pytest.mark.slow)])
def test_equal_figures_make_equal_files(tmp_path: Path, name: str) -> None:
    once = figure()
    (first,) = save_figure(once, tmp_path / "a", [name], title="CMC")
    (again,) = save_figure(once, tmp_path / "b", [name], title="CMC")
    (anew,) = save_figure(figure(), tmp_path / "c", [name], title="CMC")
    assert first.read_bytes() == again.read_bytes() == anew.read_bytes()
    heads = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert first.read_bytes().startswith(heads[name])
    assert b"CMC" in first.read_bytes()


def test_names_keep_their_dots_and_nothing_else_is_left(tmp_path: Path) -> None:
    paths = save_figure(figure(), tmp_path / "new" / "margin=0.1")
    assert [path.name for path in paths] == ["margin=0.1.svg", "margin=0.1.png"]
    assert sorted(paths) == sorted((tmp_path / "new").iterdir())


def test_a_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "a.svg"
    old.write_text("old")

    def fail(self: FigureCanvasSVG, path: Path, **_: object) -> None:
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(FigureCanvasSVG, "print_svg", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure(), tmp_path / "a", ["svg"])
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_unknown_formats_and_nameless_paths_are_refused(tmp_path: Path) -> None:
    for formats in ([], ["jpeg"]):
        with pytest.raises(ValueError, match="svg, png or pdf"):
            save_figure(figure(), tmp_path / "a", formats)
    with pytest.raises(ValueError, match="file name"):
        save_figure(figure(), "")


def test_settings_of_matplotlib_are_neither_used_nor_changed(tmp_path: Path) -> None:
    (plain,) = save_figure(figure(), tmp_path / "plain", ["svg"])
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "figure.dpi": 50}):
        (other,) = save_figure(figure(), tmp_path / "other", ["svg"])
        assert matplotlib.rcParams["font.size"] == 30
    assert plain.read_bytes() == other.read_bytes()


def test_neighbouring_series_differ_in_every_cue() -> None:
    styles = [series_style(place) for place in range(8)]
    for one, next_one in pairwise(styles):
        assert one.colour != next_one.colour
        assert one.line != next_one.line
        assert one.marker != next_one.marker
    assert len({style.colour for style in styles}) == 8


def test_no_font_is_smaller_than_six_points() -> None:
    with house_style():
        _, plot = new_axes(2, 2)
        plot.set_xlabel("x")
        sizes = [plot.xaxis.label.get_size(), *(t.get_size() for t in plot.get_xticklabels())]
    assert min(sizes) >= 6
