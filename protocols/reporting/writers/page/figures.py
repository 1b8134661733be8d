"""Figures of the page: drawings as data inside it, on a light ground."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path

from protocols.reporting.model import ReportFigure
from protocols.reporting.writers.page.markup import Html, element

_SIZE = re.compile(r"\s(width|height)\s*=\s*[\"']([0-9]+(?:\.[0-9]+)?)(pt|px|in)?[\"']")
_PIXELS = {"pt": 96 / 72, "px": 1.0, "in": 96.0, "": 1.0}
_WIDE = 440
"""Pixels from which a figure is scrolled on a phone, not shrunk until nobody can read it."""


def render_figure(figure: ReportFigure, anchor: str) -> Html:
    """A figure with its caption.

    The drawing is an image with its data in the address: a script within it does not run, it can
    fetch nothing, and names within it clash with no other drawing's.

    Args:
        figure: the figure.
        anchor: identifier of its place.

    Raises:
        ValueError: the file of the drawing cannot be read.
    """
    drawing = _drawing(figure)
    width, height = _pixels(drawing)
    wide = width is not None and width > _WIDE
    picture = element(
        "img",
        src="data:image/svg+xml;base64," + b64encode(drawing.encode("utf-8")).decode("ascii"),
        alt=figure.title,
        width=width,
        height=height,
        decoding="async",
    )
    return element(
        "figure",
        element(
            "div",
            picture,
            class_="drawing wide" if wide else "drawing",
            # What scrolls must be reached by keyboard.
            tabindex=0 if wide else None,
            role="region" if wide else None,
            aria_label=figure.title if wide else None,
        ),
        element("figcaption", element("h3", figure.title), element("p", figure.caption)),
        id=anchor,
        class_="block wide" if wide else "block",
        data_block="figure",
        data_task=figure.task,
        data_datasets=json.dumps(figure.datasets),
    )


def _drawing(figure: ReportFigure) -> str:
    """The SVG text of a figure."""
    if not isinstance(figure.svg, Path):
        return figure.svg
    try:
        return figure.svg.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The drawing of figure {figure.key} cannot be read from {figure.svg} ({error}): "
            "draw the figures again."
        ) from error


def _pixels(drawing: str) -> tuple[int | None, int | None]:
    """Width and height in pixels, so that the page keeps the room; None where they are not told."""
    start = drawing.find("<svg")
    head = drawing[start : drawing.find(">", start) + 1] if start >= 0 else ""
    found = {name: round(float(size) * _PIXELS[unit]) for name, size, unit in _SIZE.findall(head)}
    return found.get("width"), found.get("height")
