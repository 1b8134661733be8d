"""Actionlets: the joints and frames in which pre-training by ActCLR sees motion.

Drawn of the runs whose folders are named (``--runs``), which save them for a few test clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from protocols.figures.drawing import style
from protocols.figures.drawing.inputs import as_rates, check_names, shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan, describe_seeds
from protocols.figures.drawing.skeletons import choose_frames, draw_bodies, project
from protocols.foreign import read_arrays
from protocols.groups import RunEntry
from protocols.labels import dataset_of, slug
from protocols.records import ResultRecord

FILE, RECORD = "actionlets.npz", "record.json"
_KEYS = ("joints", "mask", "bones", "sample", "label", "y_down")
_BODIES = 10


def plan(logs: Mapping[str, Path]) -> Iterator[FigurePlan]:
    """A figure a run that saved actionlets.

    Args:
        logs: Log files by the run's name; the actionlets and the record lie beside them.
    """
    for name, log in logs.items():
        if (log.parent / FILE).is_file() and (log.parent / RECORD).is_file():
            record = ResultRecord.read(log.parent / RECORD)
            data = dataset_of(record.dataset)
            title = f"{data}: actionlets of {name}"
            draw = partial(_draw, name, log.parent / FILE, record)
            yield FigurePlan(slug(f"actionlets-{name}"), title, record.task, (data,), draw)


def _draw(name: str, path: Path, record: ResultRecord) -> Drawing:
    arrays = read_arrays(path, lambda keys: {key: key for key in _KEYS if key in keys})
    pairs = zip(arrays["label"], arrays["sample"], strict=True)
    titles = [f"{label}\n{sample}" for label, sample in pairs]
    figure = draw_actionlets(
        arrays["joints"],
        arrays["mask"],
        arrays["bones"].tolist(),
        titles,
        y_down=bool(arrays["y_down"]),
    )
    caption = (
        f"Test clips, {_BODIES} frames of each. The marked joints form the actionlet: their "
        f"features distinguish the clip from one without motion. Run {name} on "
        f"{dataset_of(record.dataset)}, protocol {record.protocol}, streams {record.stream}, "
        f"{describe_seeds([RunEntry(name, record)])}."
    )
    return figure, caption


@style.house_style()
def draw_actionlets(
    joints: npt.ArrayLike,
    mask: npt.ArrayLike,
    bones: Sequence[Sequence[int]],
    titles: Sequence[str],
    *,
    y_down: bool = False,
) -> Figure:
    """Draw a strip of bodies a clip, with the joints of its actionlet marked.

    Args:
        joints: (N, T, V, C) positions; NaN where a joint was not seen.
        mask: (N, T', V) rates, 1 inside the actionlet; each of its frames covers T / T' of the
            clip's. From one half on a joint is marked.
        bones: pairs of joint numbers.
        titles: one a clip.
        y_down: whether the second channel grows downwards, as pixels do.

    Returns:
        Two sets of axes a clip: its title, and its bodies.

    Raises:
        ValueError: the shapes do not fit, a rate is outside 0..1, no joint of a clip was seen, or
            a bone does not exist.
    """
    clips, inside = np.asarray(joints), as_rates(mask, "The mask (N, T', V)", 3)
    if clips.ndim != 4 or (len(clips), clips.shape[2]) != (len(inside), inside.shape[2]):
        raise ValueError(
            f"Joints (N, T, V, C) and mask (N, T', V) do not fit: {clips.shape}, {inside.shape}."
        )
    names = check_names(titles, len(clips), "Titles")
    figure = style.new_figure(style.PAGE_WIDTH, 0.95 * len(clips))
    grid = figure.add_gridspec(len(clips), 2, width_ratios=(1, 6))
    for row, (clip, rates) in enumerate(zip(clips, inside, strict=True)):
        words = figure.add_subplot(grid[row, 0])
        words.set_axis_off()
        text = "\n".join(shorten(line, 18) for line in names[row].split("\n"))
        words.text(0, 0.5, text, va="center", fontsize=style.SMALL)
        points = project(clip, y_down=y_down)
        shown = choose_frames(points, _BODIES)
        marked = rates[shown * len(rates) // len(points)] >= 0.5
        plot = figure.add_subplot(grid[row, 1])
        plot.set_axis_off()
        draw_bodies(plot, points[shown], bones, aspect=6.5, marked=marked)
    return figure
