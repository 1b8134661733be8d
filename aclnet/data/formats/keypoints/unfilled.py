"""A table of labels to fill in, for recordings whose files say nobody's name.

It is written from the recordings themselves, as far as a pattern of their names fills it, and read
back by `aclnet.data.formats.keypoints.labels` once every `?` is replaced.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.data.formats import Progress, detect, read, reader_options
from aclnet.data.formats.keypoints.labels import HINTS, NOBODY, PERSON, UNFILLED
from aclnet.data.formats.keypoints.reader import People
from aclnet.data.names import composed
from aclnet.data.sample import FIELDS, Sample
from aclnet.skeleton import Layout
from aclnet.skeleton.names import nearest_name

_PART = re.compile(r"\{(\w*)\}|(\*\*?)|([^{}*]+)")
_NEEDED: Mapping[People, tuple[str, ...]] = {"apart": ("identity",), "together": ("label",)}
_DECIMALS = 3
MIN_FRAMES = 20
"""Less than a second, in which nobody walks two steps."""


class NamePattern:
    """A pattern of recordings' keys, such as `{identity}/{condition}-{take}*`.

    A field in braces goes on to the character that follows it in the pattern, never across a slash;
    before a star it is letters and digits. `*` is anything but a slash, `**` anything.

    Args:
        text: the pattern.

    Raises:
        ValueError: it names no field, one that a table of labels has not, one twice, or one
            directly behind another or a star.

    >>> NamePattern("{identity}/{condition}-{take}*").fields_of("anna/bag-02_cam1")
    {'identity': 'anna', 'condition': 'bag', 'take': '02'}
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = [match.groups() for match in _PART.finditer(text)]
        self.fields = [name for name, _, _ in parts if name is not None]
        whole = "".join(f"{{{n}}}" if n is not None else star or plain for n, star, plain in parts)
        twice = [name for name in self.fields if self.fields.count(name) > 1]
        unknown = [name for name in self.fields if name not in FIELDS]
        vague = [
            name
            for (_, _, before), (name, _, _) in itertools.pairwise(parts)
            if name is not None and before is None
        ]
        if whole != text or not self.fields or twice or unknown or vague:
            fault = (
                f"field {unknown[0]!r}{nearest_name(unknown[0], FIELDS)}" if unknown else
                f"field {twice[0]!r} appears twice" if twice else
                "no field in braces" if not self.fields else
                "an unmatched brace" if whole != text else
                f"it is not clear where {vague[0]!r} begins"
            )  # fmt: skip
            raise ValueError(
                f"pattern {text!r}: {fault}; write it like {{identity}}/{{condition}}-{{take}}*, "
                f"with any of {', '.join(FIELDS)}"
            )
        expression = ""
        for place, (name, star, plain) in enumerate(parts):
            _, next_star, after = parts[place + 1] if place + 1 < len(parts) else ("", "", "")
            if name is not None:
                stop = r"[^\W_]" if next_star else rf"[^/{re.escape((after or '/')[0])}]"
                expression += f"(?P<{name}>{stop}+)"
            else:
                expression += re.escape(composed(plain)) if plain else _STARS[star]
        self._expression = re.compile(expression)

    def fields_of(self, key: str) -> dict[str, str]:
        """The fields of a recording's key; none if it does not fit."""
        match = self._expression.fullmatch(composed(key))
        return {} if match is None else {n: text.strip() for n, text in match.groupdict().items()}


_STARS = {"*": "[^/]*", "**": ".*"}


@dataclass(frozen=True)
class UnfilledLabels:
    """The table.

    Attributes:
        rows: by sample key, the fields that are known, or `?`, and the hints.
        recordings: number of recordings.
        crowded: the recordings in which several people were followed for long enough.
        short: number of people who were not, and are left out.
        unfit: the recordings that do not fit the pattern.
    """

    rows: Mapping[str, Mapping[str, str]]
    recordings: int
    crowded: tuple[str, ...]
    short: int
    unfit: tuple[str, ...]

    @property
    def unfilled(self) -> dict[str, int]:
        """Cells to fill in by column."""
        counts = dict.fromkeys(FIELDS, 0)
        for row in self.rows.values():
            for name in FIELDS:
                counts[name] += row.get(name) == UNFILLED
        return {name: count for name, count in counts.items() if count}

    def text(self) -> str:
        """The table as CSV, with every column but those that only few need (camera, split)."""
        used = {name for row in self.rows.values() for name in row}
        shown = [name for name in FIELDS if name in used or name not in ("camera", "split")]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("sample", *shown, *HINTS))
        for key, row in self.rows.items():
            writer.writerow((key, *(row.get(name, "") for name in (*shown, *HINTS))))
        return stream.getvalue()


def unfilled_labels(
    source: str | Path,
    *,
    people: People = "apart",
    pattern: str | None = None,
    min_frames: int = MIN_FRAMES,
    format: str | None = None,
    layout: Layout | str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> UnfilledLabels:
    """List a folder's recordings, or the people in each, as a table of labels to fill in.

    A recording with one person is one row. Of several people each is a row, with its frames and
    its place; where more than one of them is seen for long, a pattern says nothing of who they
    are. What is to be filled in is `?`: the identity, or with `people="together"` the label. A take
    that no pattern names is the recording.

    Args:
        source: a folder or file of one of the keypoint formats.
        people: as the readers' option: "apart" for gait and re-ID, "together" for actions.
        pattern: as `NamePattern`.
        min_frames: people apart who are followed for fewer frames, most of them mistakes of the
            pose estimator, are left out by the identity `-`.
        format: as `aclnet.data.formats.read`.
        layout: the joints of the source, where it does not name them.
        progress: called with the amount read and the total.
        **options: the format's own options.

    Raises:
        ValueError: the pattern is wrong, the format takes no table of labels, or as `read`.
    """
    names = None if pattern is None else NamePattern(pattern)
    format = format or detect(source)
    if "labels" not in reader_options(format):
        raise ValueError(
            f"{source}: files of format {format} contain their own labels; only keypoint files "
            "need a table of them"
        )
    _, samples = read(source, format, layout=layout, progress=progress, people=people, **options)
    rows: dict[str, dict[str, str]] = {}
    crowded, unfit = [], []
    recordings = short = 0
    for recording, group in itertools.groupby(samples, lambda one: _recording(one, people)):
        recordings += 1
        found = {one.sample: (len(one.frames), _hints(one)) for one in group}
        known = {} if names is None else names.fields_of(recording)
        if names is not None and not known:
            unfit.append(recording)
        long = [key for key, (frames, _) in found.items() if frames >= min_frames]
        if people == "apart" and len(long) > 1:
            crowded.append(recording)
            known.pop("identity", None)
        needed = dict.fromkeys(_NEEDED[people], UNFILLED)
        for key, (_, hints) in found.items():
            fields = needed | {"take": recording} | known
            if people == "apart" and key not in long:
                short += 1
                fields = {"identity": NOBODY}
            rows[recording if len(found) == 1 else key] = fields | hints
    return UnfilledLabels(rows, recordings, tuple(crowded), short, tuple(unfit))


def _recording(sample: Sample, people: People) -> str:
    return sample.sample.rpartition(PERSON)[0] if people == "apart" else sample.sample


def _hints(sample: Sample) -> dict[str, str]:
    """The frames of a sample, and where its first person is: the median of the seen joints."""
    numbers, first = sample.numbers, sample.frames[:, 0]
    seen = first[first.any(axis=-1)]
    place = np.median(seen, axis=0)[:2] if len(seen) else np.zeros(0)
    digits = 0 if place.size and np.abs(place).max() > 10 else _DECIMALS
    texts = (f"{int(numbers[0])}-{int(numbers[-1])}", _numbers(place, digits))
    return dict(zip(HINTS, texts, strict=True))


def _numbers(values: Iterable[float], digits: int) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values)
