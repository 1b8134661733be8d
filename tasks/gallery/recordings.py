"""Recordings of files, embedded by a gallery's model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from aclnet.progress import Progress, share
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
        left_out: by file, what was left out of it: counts by reason; not what a store left out
            when it was written.
    """

    file: list[str]
    sample: list[str]
    identity: list[str]
    frames: list[int]
    embedding: Vectors
    left_out: dict[str, dict[str, int]]

    def require_identities(self, remedy: str) -> None:
        """Refuse a recording of whom nobody knows who it is.

        Raises:
            ValueError: there is one.
        """
        for file, sample, name in zip(self.file, self.sample, self.identity, strict=True):
            if not name.strip():
                raise ValueError(f"{file}: recording {sample} has no identity: {remedy}")

    def require_one_person(self, name: str) -> None:
        """Refuse to take several people for one.

        Raises:
            ValueError: the data name several, or one recording has several tracks.
        """
        from aclnet.data.formats.keypoints.labels import PERSON

        named = {own for own, key in zip(self.identity, self.sample, strict=True) if own != key}
        if len(named := named - {""}) > 1:
            raise ValueError(
                f"the data name {len(named)} people, {' and '.join(sorted(named)[:2])} among them, "
                f"who are not all {name}: leave out --person, or give one person's recordings"
            )
        tracks: dict[tuple[str, str], str] = {}
        for file, sample, own in zip(self.file, self.sample, self.identity, strict=True):
            recording, mark, _ = sample.rpartition(PERSON)
            other = tracks.setdefault((file, recording), sample) if mark and not own else sample
            if other != sample:
                raise ValueError(
                    f"{file}: which track is {name}, {other} or {sample}? Name each in a table "
                    "(`aclnet-task data labels`; the identity - leaves one out), and give it with "
                    "-o labels=TABLE in place of --person"
                )


def embedded(
    model: Embedder,
    files: Source | Sequence[Source],
    reading: dict[str, Any],
    progress: Progress | None = None,
) -> Recordings:
    """Embed files one by one, so that each recording knows its file.

    Args:
        model: embeds them.
        files: as for `aclnet.load(run).embed`.
        reading: its further arguments.
        progress: called with the amount done and the total.

    Raises:
        ValueError: there is no file, one cannot be read, or a recording shows several people, of
            whom there would be one embedding.
    """
    from aclnet.data.formats.keypoints.labels import is_track
    from aclnet.runs.reading import is_store

    one = isinstance(files, str | Path | np.ndarray)
    sources = [files] if one else list(cast("Sequence[Source]", files))
    if not sources:
        raise ValueError("there is nothing to read: give a file, a folder or an array")
    found = [
        (source, model.embed(source, progress=share(progress, number, len(sources)), **reading))
        for number, source in enumerate(sources)
    ]
    places = ["" if isinstance(source, np.ndarray) else str(source) for source, _ in found]
    for place, (_, here) in zip(places, found, strict=True):
        for sample, persons in zip(here.sample, here.persons, strict=True):
            if persons > 1:
                raise ValueError(
                    f"{place or 'array'}: recording {sample} shows {persons} people, who would be "
                    "taken for one: read each alone (-o people=apart, where the format has it)"
                )
    return Recordings(
        file=[place for place, (_, here) in zip(places, found, strict=True) for _ in here.sample],
        sample=[sample for _, here in found for sample in here.sample],
        identity=[
            "" if is_track(sample, identity) else identity
            for _, here in found
            for sample, identity in zip(here.sample, here.identity, strict=True)
        ],
        frames=[frames for _, here in found for frames in here.frames],
        embedding=np.concatenate([here.embedding for _, here in found]),
        left_out={
            place: dict(here.left_out)
            for place, (_, here) in zip(places, found, strict=True)
            if any(here.left_out.values()) and not is_store(Path(place))
        },
    )
