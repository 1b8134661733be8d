"""The files that competitions ask for: whom each unknown probe resembles most.

Who the probes are is known to the organisers alone. A file is what OpenGait writes
(``GREW_submission`` and ``HID_submission`` of its evaluator): the Euclidean distance, for HID
re-ranked; equal distances by the order of the gallery.
"""

from __future__ import annotations

import csv
import io
from typing import Literal, NamedTuple

import numpy as np

from protocols.embeddings import Embeddings, TextArray
from protocols.names import canonical
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import BoolArray

Competition = Literal["grew", "hid"]

UNKNOWN = ("", "probe")
"""Persons of probes: OpenGait's name for them, or none."""


class _Form(NamedTuple):
    """A competition's file.

    Attributes:
        header: First line.
        ranks: Gallery samples a probe.
        gallery: Types of the gallery; empty for every sample of a known person.
        probe: Types of the probes; empty for those of nobody known.
        rerank: k1, k2 and weight of re-ranking.
        whole: Whether persons are written as whole numbers.
    """

    header: str
    ranks: int
    gallery: tuple[str, ...]
    probe: tuple[str, ...]
    rerank: tuple[int, int, float] | None
    whole: bool


_RANKS = ",".join(f"rank{k}" for k in range(1, 21))
_FORMS: dict[Competition, _Form] = {
    "grew": _Form(f"videoId,{_RANKS}", 20, ("01", "02"), ("03",), None, True),
    "hid": _Form("videoID,label", 1, (), (), (6, 6, 0.3), False),
}


def submission(data: Embeddings, competition: Competition) -> str:
    """The file of a competition.

    Args:
        data: Embeddings of gallery and probes. A probe of GREW is of type (condition) 03, one of
            HID has the person ``probe`` or none; its view names its video, or else its sample.
        competition: ``grew`` or ``hid``.

    Returns:
        The text of the CSV: a line a probe, in the order of ``data``.

    Raises:
        ValueError: There is no such competition, no probe, or too small a gallery; a gallery sample
            has no person, or GREW's is not a whole number; a video appears twice.
    """
    if competition not in _FORMS:
        raise ValueError(f"competition must be one of {', '.join(_FORMS)}, not {competition!r}.")
    form = _FORMS[competition]
    probe, gallery = (
        np.flatnonzero(_of_types(data, form.probe, known=False)),
        np.flatnonzero(_of_types(data, form.gallery, known=True)),
    )
    if not len(probe) or len(gallery) < form.ranks:
        wanted = (
            f"types {', '.join(form.gallery)} and {', '.join(form.probe)}"
            if form.probe
            else "persons, and probes of the person 'probe' or none"
        )
        raise ValueError(
            f"{competition} needs {form.ranks} or more gallery samples and some probes ({wanted}); "
            f"there are {len(gallery)} and {len(probe)}."
        )
    data.require_people(gallery)
    person = _whole(data.subject[gallery]) if form.whole else data.subject[gallery]
    video = np.where(data.view[probe] == "", data.sample[probe], data.view[probe])
    names, counts = np.unique(video, return_counts=True)
    if len(names) < len(video):
        raise ValueError(
            f"video {str(names[counts > 1][0])!r} appears twice among the probes: give every "
            "probe the name of its own video as its view."
        )
    nearest = _nearest(data, probe, gallery, form)
    text = io.StringIO(f"{form.header}\n", newline="")
    text.seek(0, io.SEEK_END)
    rows = zip(video.tolist(), person[nearest].tolist(), strict=True)
    csv.writer(text, lineterminator="\n").writerows([name, *found] for name, found in rows)
    return text.getvalue()


def _of_types(data: Embeddings, types: tuple[str, ...], *, known: bool) -> BoolArray:
    """(N,) samples of these types; without types, whose person is known or not."""
    if types:
        return np.isin(canonical(data.condition), canonical(types))
    return np.asarray(np.isin(data.subject, UNKNOWN) != known)


def _whole(subject: TextArray) -> TextArray:
    """Persons as whole numbers without zeros in front."""
    people: dict[str, str] = {}
    for name in subject.tolist():
        if not name.isdecimal():
            raise ValueError(
                f"GREW's persons are whole numbers, and a gallery sample has {name!r}."
            )
        if (other := people.setdefault(str(int(name)), name)) != name:
            raise ValueError(
                f"persons {other!r} and {name!r} are one number: write one person's name one way."
            )
    return np.array([str(int(name)) for name in subject.tolist()], dtype=np.str_)


def _nearest(data: Embeddings, probe: IntArray, gallery: IntArray, form: _Form) -> IntArray:
    """(P, ranks) places in the gallery, nearest first."""
    sides = (data.embedding[probe], data.embedding[gallery])
    if form.rerank is None:
        from protocols.ranking.retrieval import search

        return search(*sides, form.ranks, metric="euclidean").rows
    from protocols.ranking.reranking import rerank

    k1, k2, weight = form.rerank
    blocks = rerank(*sides, k1=k1, k2=k2, weight=weight, metric="euclidean", form="opengait")
    order = [np.argsort(part, axis=1, kind="stable")[:, : form.ranks] for _, part in blocks]
    return np.concatenate(order)
