"""Markers of motion capture as joints: each by its own name, or the middle of several.

A joint without a marker of its own is named in a table of the user's, in YAML; where one of its
markers was not seen, it was not found:

```
pelvis: [LASI, RASI, LPSI, RPSI]
left_knee: LKNE
```

Labels of several subjects in a file begin with their names, as in `Anna:LASI`. Points that the
file calls unlabelled (`*12`) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from aclnet.data.formats.mocap.motion import (
    METRES,
    Array,
    LengthUnit,
    Motion,
    check_size,
    checked_rate,
    metres_of,
    y_up,
)
from aclnet.data.numbering import Numbers
from aclnet.foreign.text import read_text
from aclnet.foreign.yaml import MOST_CHARACTERS, parse_yaml
from aclnet.skeleton.names import nearest_name

Upward = Literal["auto", "y", "z"]
Table = Mapping[str, tuple[str, ...]]

_NAMES: Mapping[str, tuple[str, ...]] = {
    "m": ("meter", "meters", "metre", "metres"),
    "cm": ("centimeters", "centimetres"),
    "mm": ("millimeters", "millimetres"),
    "inch": ("in", "inches"),
}
_UNITS = {name: unit for unit in METRES for name in (unit, *_NAMES.get(unit, ()))}
_MOST_MARKERS = 100  # of a joint


class Markers(NamedTuple):
    """The markers of one recording.

    Attributes:
        labels: L names as in the file.
        places: (T, L, 3) in the file's unit, NaN where a marker was not seen.
        unit: of length, as the file says; empty where it does not.
        up: the axis that the file says to point up, y or z; empty where it says none.
        fps: frames per second, if known.
        numbers: (T,) rising, the frames' numbers in the recording.
    """

    labels: tuple[str, ...]
    places: Array
    unit: str
    up: str
    fps: float | None
    numbers: Numbers


class MarkerOptions(NamedTuple):
    """The options of formats that hold markers.

    Attributes:
        markers: file of the table of joints.
        subject: whose markers, where a file has several people's.
        length_unit: of the file; "auto": as it says.
        up: the axis that points up; "auto": as the file says, else z.
    """

    markers: str | Path | None
    subject: str
    length_unit: LengthUnit
    up: Upward

    def loader(self, load: Callable[[Path], Markers]) -> Callable[[Path], Motion]:
        """What reads a file's joints, of what reads its markers; errors name the file."""

        def loaded(file: Path) -> Motion:
            try:
                return self.motion(load(file))
            except ValueError as error:
                raise ValueError(f"{file}: {error}") from None

        return loaded

    def motion(self, found: Markers) -> Motion:
        """The joints of a recording, in metres with y up.

        Raises:
            ValueError: an option is wrong, or does not fit the markers.
        """
        if self.up not in ("auto", "y", "z"):
            raise ValueError(f"up must be auto, y or z, not {self.up!r}")
        own = _of_subject(found, self.subject)
        frames, count, _ = own.places.shape
        check_size(frames, count, own.places.size)
        table = read_table(self.markers) if self.markers else {one: (one,) for one in own.labels}
        columns = [_columns(own.labels, joint, names) for joint, names in table.items()]
        joints = np.stack([own.places[:, column].mean(axis=1) for column in columns], axis=1)
        said = found.up if self.up == "auto" else self.up
        notes = () if said else ("z is taken to point up (option up)",)
        metres = joints * _metres(found.unit, self.length_unit)
        turned = np.nan_to_num(y_up(metres, "y" if said == "y" else "z"))
        turned[np.isnan(joints).any(axis=-1)] = 0.0
        fps = checked_rate(found.fps) if found.fps else None
        return Motion(tuple(table), (), turned, fps, numbers=found.numbers, notes=notes)


def read_table(path: str | Path) -> Table:
    """A table of the markers of each joint.

    Raises:
        ValueError: it cannot be read, or is not a mapping of joints to markers.
    """
    content = parse_yaml(read_text(Path(path), most=MOST_CHARACTERS), str(path))
    rows = content if isinstance(content, dict) else {}
    found = {
        str(joint): tuple(names) if isinstance(names, list) else (names,)
        for joint, names in rows.items()
    }
    for joint, names in found.items():
        if not all(isinstance(name, str) for name in names) or not 0 < len(names) < _MOST_MARKERS:
            raise ValueError(
                f"{path}: the markers of {joint[:40]!r} must be a label, or a list of labels"
            )
    if not found:
        raise ValueError(f"{path}: expected joints and their markers, like left_knee: LKNE")
    return found


def _of_subject(found: Markers, subject: str) -> Markers:
    """The labelled markers of one person, without the person's name."""
    parts = [label.strip().rpartition(":") for label in found.labels]
    named = [bool(name) and not name.startswith("*") for _, _, name in parts]
    people = sorted({who for (who, _, _), kept in zip(parts, named, strict=True) if kept and who})
    if subject and subject not in people:
        raise ValueError(f"there is no subject {subject!r}{_among(subject, people)}")
    if len(people) > 1 and not subject:
        raise ValueError(
            f"it has the markers of {', '.join(people[:6])}: name one of them (option subject)"
        )
    chosen = [
        column
        for column, (who, _, _) in enumerate(parts)
        if named[column] and (not subject or who == subject)
    ]
    if not chosen:
        raise ValueError("it has no labelled marker")
    labels = tuple(parts[column][2].strip() for column in chosen)
    return found._replace(labels=labels, places=found.places[:, chosen])


def _columns(labels: tuple[str, ...], joint: str, names: tuple[str, ...]) -> list[int]:
    lacking = [name for name in names if name not in labels]
    if lacking:
        raise ValueError(f"it has no marker {lacking[0]!r} of {joint}{_among(lacking[0], labels)}")
    return [labels.index(name) for name in names]


def _among(name: str, known: list[str] | tuple[str, ...]) -> str:
    more = ", …" if len(known) > 12 else ""
    return f"{nearest_name(name, known)}; it has {', '.join(known[:12]) or 'none'}{more}"


def _metres(said: str, wanted: LengthUnit) -> float:
    if wanted != "auto":
        return metres_of(wanted, 0.0, "")[0]
    unit = _UNITS.get(said.strip().lower())
    if unit is None:
        raise ValueError(f"its unit of length is {said[:20]!r}; set the option length_unit")
    return METRES[unit]
