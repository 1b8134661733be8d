"""People of a video as a reader meets them, one by one, put into arrays at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aclnet.data.formats.keypoints.files import frame_numbers
from aclnet.data.formats.keypoints.frames import KeypointFrames, Points, number_rows
from aclnet.data.formats.keypoints.frames import triples as as_triples


@dataclass
class PeopleInFrames:
    """Collects people by the name or number of their frame, in any order."""

    names: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    rows: list[object] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    tracks: list[str] = field(default_factory=list)

    def add_frame(self, name: str) -> None:
        """Say that there is a frame of this name or number, with people or without."""
        self.names.append(name)

    def add(self, frame: str, row: object, place: str, track: str = "") -> None:
        """Add a person.

        Args:
            frame: the frame's name or number.
            row: the numbers, as JSON gives them.
            place: what an error calls the person.
            track: the file's id of the person, if it has one.
        """
        if not self.names or self.names[-1] != frame:
            self.names.append(frame)
        self.owners.append(len(self.names) - 1)
        self.rows.append(row)
        self.places.append(place)
        self.tracks.append(track)

    def triples(self, file: Path) -> KeypointFrames:
        """The people, each row being x, y, confidence of one joint after another.

        Raises:
            ValueError: a row is no list of finite numbers, not as long as the first, or no triples.
        """
        return self.build(as_triples(number_rows(self.rows, self.places, file), self.places, file))

    def build(self, points: Points, joints: tuple[str, ...] = ()) -> KeypointFrames:
        """The people with points (D, V, C) in the order in which they were added."""
        frames, length = frame_numbers(self.names)
        frame = frames[np.array(self.owners, np.int64)]
        order = np.argsort(frame, kind="stable")
        track = tuple(self.tracks[row] for row in order.tolist())
        return KeypointFrames(frame[order], track, points[order], length, joints)
