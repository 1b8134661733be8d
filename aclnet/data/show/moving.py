"""A page with moving skeletons: one HTML file that asks for nothing else.

Clips are drawn on canvases by the page's own script, in the colours of `aclnet.data.show.draw`; a
body in three dimensions is turned by dragging it. Joints that were not seen are left out. The
picture follows the body sideways, so that a walker who crosses the room stays in it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.numbering import Numbers
from aclnet.data.sample import StoreInfo
from aclnet.data.show.draw import visible_points
from aclnet.files import whole_file
from aclnet.skeleton import layout_from_dict

_LONGEST = 600
"""Frames of a clip on the page; longer ones are thinned evenly and keep their speed."""
_DEFAULT_FPS = 15.0
_STEPS = 1000
"""Whole numbers from the middle to the clip's edge."""


@dataclass(frozen=True, eq=False)
class MovingClip:
    """A clip on the page.

    Attributes:
        frames: (T, M, V, C) of a store.
        info: the store's description (layout, channels, unit, frames per second).
        caption: what it is.
        correct: whether it is a right answer; None: it is not an answer.
        words: more about it, a line each.
        numbers: (T,) the frames' numbers in the recording; by default 0 to T - 1.
    """

    frames: npt.NDArray[Any]
    info: StoreInfo
    caption: str
    correct: bool | None = None
    words: tuple[str, ...] = ()
    numbers: Numbers | None = None


@dataclass(frozen=True, eq=False)
class MovingGroup:
    """Clips beside each other, under a heading that may be empty."""

    heading: str
    clips: Sequence[MovingClip]


def write_page(out: str | Path, title: str, groups: Sequence[MovingGroup]) -> Path:
    """Write the page; it appears whole or not at all.

    A policy in it (Content Security Policy, level 3, W3C) allows no request and no script but its
    own, so that names from files stay text.

    Args:
        out: the file, which ends in .html.
        title: the page's heading.
        groups: the clips.

    Raises:
        ValueError: the ending is another one, there is no clip, or no joint is seen in one; the
            message names it.
    """
    path = Path(out)
    if path.suffix.lower() != ".html":
        raise ValueError(f"{path}: a page ends in .html, not {path.suffix!r}")
    clips = [_drawn(clip) for group in groups for clip in group.clips]
    if not clips:
        raise ValueError(f"{title}: there is no clip to show")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    places = PackageLoader("aclnet.data.show", "templates")
    environment = Environment(
        loader=places, autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["digest"] = _digest
    environment.finalize = _printable
    folder = files("aclnet.data.show") / "templates"
    page = environment.get_template("moving.html").render(
        title=title,
        groups=groups,
        turnable=any(clip["dims"] == 3 for clip in clips),
        sided=any(any(clip["sides"]) for clip in clips),
        clips=clips,
        style=(folder / "moving.css").read_text(encoding="utf-8"),
        script=(folder / "moving.js").read_text(encoding="utf-8"),
    )
    with whole_file(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def _digest(text: str) -> str:
    """The hash by which the policy allows a style sheet or script."""
    return b64encode(sha256(text.encode()).digest()).decode()


def _printable(value: Any) -> Any:
    """Text with what HTML forbids escaped."""
    if type(value) is not str:
        return value
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in value)


def _drawn(clip: MovingClip) -> dict[str, Any]:
    """What the script draws: whole numbers around the middle, y upwards, None where not seen."""
    info, layout = clip.info, layout_from_dict(clip.info.layout)
    frames = np.arange(0, len(clip.frames), -(-len(clip.frames) // _LONGEST) or 1)
    points = visible_points(clip.frames[frames], info, info.dims)
    if not np.isfinite(points).any():
        raise ValueError(f"{clip.caption}: there is no joint to draw")
    if info.unit != "metre":  # pictures count from above
        points[..., 1] *= -1
    seen = np.isfinite(points).any(axis=(1, 2, 3))
    # Sideways the picture follows the body; where nobody is seen it stays where it was.
    sideways = np.array([0, 2]) if info.dims == 3 else np.array([0])
    with np.errstate(all="ignore"):
        middle = np.array([_half(points[frame]) for frame in np.flatnonzero(seen)])
    for axis in sideways:
        track = np.interp(np.arange(len(points)), np.flatnonzero(seen), middle[:, axis])
        points[..., axis] -= track[:, None, None]
    low, high = np.nanmin(points[..., 1]), np.nanmax(points[..., 1])
    points[..., 1] -= (low + high) / 2
    reach = np.nanmax(np.abs(points), axis=(0, 1, 2))
    scale = _STEPS / max(float(reach.max()), 1e-9)
    sides = np.zeros(layout.joint_count, dtype=int)
    for left, right in layout.mirror:
        sides[layout.index(left)], sides[layout.index(right)] = 1, 2
    numbers = np.arange(len(clip.frames)) if clip.numbers is None else clip.numbers
    gap = float(np.median(np.diff(numbers[frames]))) if len(frames) > 1 else 1.0
    flat = np.round(points.reshape(-1) * scale)
    return {
        "persons": points.shape[1],
        "dims": info.dims,
        "bones": layout.bone_index.tolist(),
        "sides": sides.tolist(),
        "reach": [round(scale * float(value)) for value in (reach[sideways].max(), reach[1])],
        "rate": round((info.fps or _DEFAULT_FPS) / gap, 3),
        "numbers": np.asarray(numbers)[frames].tolist(),
        "points": [int(v) if ok else None for v, ok in zip(flat, np.isfinite(flat), strict=True)],
    }


def _half(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The middle between the ends of a frame's joints (M, V, D): (D,)."""
    ends = np.nanmin(points, axis=(0, 1)) + np.nanmax(points, axis=(0, 1))
    return np.asarray(ends / 2, dtype=np.float32)
