"""Draws rank_list.gif: walkers of a finished `make demo` and who the network takes them for.

python docs/pictures/rank_list.py runs/demo docs/pictures/rank_list.gif
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from aclnet.config import load_settings
from aclnet.data.show.draw import LEFT, MIDDLE, RIGHT, visible_points
from aclnet.data.store import Store
from aclnet.runs.info import SETTINGS
from protocols import load_embeddings
from tasks.gait.settings import GaitSettings
from tasks.samples.open import open_data
from tasks.spec import all_tasks

FINE = 2
"""Drawn so many times larger and scaled down, for smooth lines."""
WIDTH, HEIGHT, EDGE, GAP = 118, 196, 8, 24
PAPER, INK, HIT, MISS, EMPTY = "#ffffff", "#202020", "#009e73", "#cc3311", "#dddddd"
DEPTH, MOMENTS, PROBES = 5, 20, 4

Points = npt.NDArray[np.float32]


def chosen(found: Any) -> Iterator[tuple[int, list[int]]]:
    """Probes in a coat of people who differ, and their nearest walks of another view, NM#1-4."""
    unit = found.embedding / np.linalg.norm(found.embedding, axis=1, keepdims=True)
    enrolled = np.isin(found.take.astype(int), range(1, 5)) & (found.condition == "nm")
    seen: set[str] = set()
    for row in np.flatnonzero((found.condition == "cl") & (found.view.astype(int) == 90)):
        person = found.subject[row]
        if person in seen:
            continue
        seen.add(person)
        rows = np.flatnonzero(enrolled & np.isin(found.view.astype(int), (54, 126)))
        order = np.argsort(-(unit[rows] @ unit[row]), kind="stable")[:DEPTH]
        yield int(row), rows[order].tolist()
        if len(seen) == PROBES:
            return


def walk(store: Store, row: int) -> Points:
    """A body's joints on screen, (T, V, 2) in 0 to 1, kept in the middle."""
    points = visible_points(store.clip(row), store.info)[:, 0].astype(np.float32)
    # People's own height stays: it is one of the things that tell them apart.
    middle = np.nanmean(points, axis=1, keepdims=True)
    tall = np.nanmax(np.ptp(points[..., 1], axis=1))
    points = (points - middle) / tall
    if store.info.unit == "metre":
        points[..., 1] *= -1
    return points


def draw(found: Any, samples: Store, rows: list[int]) -> list[Image.Image]:
    """The pictures of a probe and its nearest, whose answers come one by one."""
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 11 * FINE)
    walks = [walk(samples, row) for row in rows]
    pictures = []
    for moment in range(MOMENTS):
        picture = Image.new("RGB", ((len(walks) * WIDTH + GAP) * FINE, HEIGHT * FINE), PAPER)
        pen = ImageDraw.Draw(picture)
        for place, (row, points) in enumerate(zip(rows, walks, strict=True)):
            left = (place * WIDTH + (GAP if place else 0)) * FINE
            box = (left + EDGE, EDGE, left + WIDTH * FINE - EDGE, (HEIGHT - 26) * FINE)
            if place and moment < place + 1:
                pen.rounded_rectangle(box, 8 * FINE, outline=EMPTY, width=2 * FINE)
                continue
            right = found.subject[row] == found.subject[rows[0]]
            tone = INK if not place else HIT if right else MISS
            pen.rounded_rectangle(box, 8 * FINE, outline=tone, width=2 * FINE)
            centre = left + WIDTH * FINE // 2
            draw_body(pen, points[(moment * 2) % len(points)], centre, samples)
            answer = f"{found.subject[row]}, view {int(found.view[row])}°"
            head, said = (f"{place}", answer) if place else ("who is this?", "in a coat, view 90°")
            for text, y in ((head, 20), (said, HEIGHT - 12)):
                pen.text((centre, y * FINE), text, fill=tone, font=font, anchor="mm")
        size = (picture.width // FINE, picture.height // FINE)
        pictures.append(picture.resize(size, Image.Resampling.LANCZOS))
    return pictures


def draw_body(pen: ImageDraw.ImageDraw, points: Points, centre: int, samples: Store) -> None:
    """Draw a frame's bones, (V, 2), around this column."""
    on = points * (104 * FINE) + np.array([centre, 92 * FINE])
    for child, parent in samples.layout.bone_index.tolist():
        name = samples.layout.joints[child]
        tone = LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE
        if np.isfinite(on[[child, parent]]).all():
            pen.line([*map(tuple, on[[child, parent]])], fill=tone, width=3 * FINE)


def main(run: Path, out: Path) -> None:
    """Read the run's embeddings and its walkers, and draw."""
    settings = load_settings(GaitSettings, run / SETTINGS)
    store = open_data(settings.data, run.parent / "cache", print)
    samples = all_tasks()["gait"].adapter(settings, store, print).test_samples()
    found = load_embeddings(run / "embeddings.npz")
    if not np.array_equal(samples.index["sample"].to_numpy().astype(str), found.sample):
        raise SystemExit(f"{run} was tested on other data")
    lists = [draw(found, samples, [probe, *nearest]) for probe, nearest in chosen(found)]
    # One palette for all, or colours would change from frame to frame.
    every = Image.new("RGB", (lists[0][0].width, HEIGHT * len(lists)))
    for place, pictures in enumerate(lists):
        every.paste(pictures[-1], (0, place * HEIGHT))
    palette = every.quantize(32)
    first, *rest = [
        one.quantize(palette=palette, dither=Image.Dither.NONE)
        for pictures in lists
        for one in pictures
    ]
    first.save(out, save_all=True, append_images=rest, duration=90, loop=0, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
