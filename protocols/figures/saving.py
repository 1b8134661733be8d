"""Writing figures: whole files only, and the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from protocols.figures.style import house_style
from protocols.files import whole_file


def save_figure(
    figure: Figure,
    path_stem: Path | str,
    formats: Sequence[str] = ("svg", "png"),
    *,
    title: str = "",
) -> tuple[Path, ...]:
    """Write a figure in several formats; each file appears complete or not at all.

    No date, no version and no random name enters a file, so that with one version of matplotlib
    equal figures make equal files.

    Args:
        figure: the figure; its parts stay where the first saving places them.
        path_stem: path without ending, such as ``out/cmc``; its folder is made if need be.
        formats: ``svg`` and ``pdf`` (vector), ``png`` (200 dots an inch).
        title: title for readers of the file's properties and for screen readers.

    Returns:
        The paths, in the order of the formats.

    Raises:
        ValueError: no format is given, one is unknown, or the path names no file.
    """
    stem = Path(path_stem)
    unknown = [name for name in formats if name not in ("svg", "png", "pdf")]
    if unknown or not formats:
        raise ValueError(f"Figures are saved as svg, png or pdf, not as {list(formats)}.")
    if not stem.name:
        raise ValueError(f"A figure needs a file name without ending, and {str(stem)!r} has none.")
    # The name may hold dots (margin=0.1), so that with_suffix would cut it.
    paths = tuple(stem.with_name(f"{stem.name}.{name}") for name in formats)
    with house_style():
        _lay_out(figure)
        for path, name in zip(paths, formats, strict=True):
            with whole_file(path) as draft:
                figure.savefig(draft, format=name, metadata=_metadata(name, title))
    return paths


def _lay_out(figure: Figure) -> None:
    """Place the figure's parts, once for all formats and for all times.

    Each run of matplotlib's layout starts from the last one's places and may end elsewhere.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def _metadata(name: str, title: str) -> dict[str, str | None]:
    fixed: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": "aclnet"},
        "png": {"Software": "aclnet"},
        "pdf": {"CreationDate": None, "Creator": "aclnet", "Producer": None},
    }
    return {**fixed[name], **({"Title": title} if title else {})}
