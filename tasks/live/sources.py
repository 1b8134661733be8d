"""Which source a text names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tasks.live.events import Source
from tasks.live.folder import FolderSource
from tasks.live.sockets import LineSource, SocketSource
from tasks.live.video import SUFFIXES, VideoSource


@contextmanager
def opened_source(
    place: str,
    *,
    format: str | None = None,
    options: dict[str, Any] | None = None,
    layout: str | None = None,
    model: Path | None = None,
    detector: Path | None = None,
) -> Iterator[Source]:
    """Open a source while entered.

    Args:
        place: "-", `unix:PATH` or `tcp://127.0.0.1:PORT`, a folder, or a video.
        format: of a folder's files.
        options: of their reader.
        layout: of the joints, where they are not named.
        model: a video's pose model.
        detector: its detector of people.

    Raises:
        ValueError: it is not a source, or cannot be opened.
    """
    is_folder, is_video = Path(place).is_dir(), place.lower().endswith(SUFFIXES)
    if format is not None and not is_folder:
        raise ValueError(f"--format is for a folder of files, and {place} is not one")
    foreign = sorted((options or {}).keys() - {"persons", "max_gap", "layout"})
    if foreign and not is_folder:
        raise ValueError(f"--option {foreign[0]}: a stream takes only persons and max_gap")
    if (model or detector) and not is_video:
        raise ValueError(f"--model and --detector are for a video, and {place} is not one")
    if place == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise ValueError("there is no standard input: give a socket, tcp://127.0.0.1:PORT")
        yield LineSource("standard input", sys.stdin.fileno())
    elif place.startswith(("unix:", "tcp://")):
        with closing(SocketSource(place)) as source:
            yield source
    elif is_folder:
        yield FolderSource(Path(place), format, options or {})
    elif is_video:
        with closing(VideoSource(Path(place), model, detector, layout)) as video:
            yield video
    else:
        raise ValueError(
            f"{place} is not a stream: give - for standard input, unix:PATH or "
            "tcp://127.0.0.1:PORT, a folder of key points that grows, or a video"
        )
