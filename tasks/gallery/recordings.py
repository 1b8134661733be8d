"""Recordings of files, embedded by a gallery's model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tasks.gallery.content import Embedder, Vectors

if TYPE_CHECKING:
    from aclnet.runs.model import Source


@dataclass(frozen=True, eq=False)
class Recordings:
    """N recordings.

    Attributes:
        file: N files; empty text for arrays.
        sample: N keys in the files.
        identity: N people as the files name them; empty text where they do not.
        frames: N numbers of frames.
        embedding: (N, D).
    """

    file: list[str]
    sample: list[str]
    identity: list[str]
    frames: list[int]
    embedding: Vectors


def embedded(
    model: Embedder, files: Source | Sequence[Source], reading: dict[str, Any]
) -> Recordings:
    """Embed files one by one, so that each recording knows its file.

    Raises:
        ValueError: there is no file, or one cannot be read.
    """
    one = isinstance(files, str | Path | np.ndarray)
    sources = [files] if one else list(cast("Sequence[Source]", files))
    if not sources:
        raise ValueError("there is nothing to read: give a file, a folder or an array")
    found = [(source, model.embed(source, **reading)) for source in sources]
    return Recordings(
        file=[
            "" if isinstance(source, np.ndarray) else str(source)
            for source, here in found
            for _ in here.sample
        ],
        sample=[sample for _, here in found for sample in here.sample],
        identity=[identity for _, here in found for identity in here.identity],
        frames=[frames for _, here in found for frames in here.frames],
        embedding=np.concatenate([here.embedding for _, here in found]),
    )
