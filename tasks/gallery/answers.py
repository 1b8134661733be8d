"""What a gallery answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.gallery.content import Candidate


@dataclass(frozen=True)
class Answer:
    """Who a recording shows.

    Attributes:
        file: the file of the recording; empty for embeddings.
        sample: its key in the file.
        person: the most alike enrolled person; None: nobody enrolled.
        score: the score of the most alike enrolled person, by their best template; None: the
            gallery is empty.
        margin: by how much it exceeds that of the next person; None: there is no other.
        threshold: people are named from this score on.
        candidates: the most alike people and their scores, the best first.
    """

    file: str
    sample: str
    person: str | None
    score: float | None
    margin: float | None
    threshold: float
    candidates: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Verified:
    """Whether a recording shows a person.

    Attributes:
        file: the file of the recording; empty for embeddings.
        sample: its key in the file.
        person: the claimed person.
        accepted: whether the score is at least the threshold.
        score: the score with the person, by their best template.
        threshold: as calibrated for as many templates as they have, or as given.
        templates: number of theirs.
        rate: the highest share of false claims that are accepted; None: the threshold was given.
    """

    file: str
    sample: str
    person: str
    accepted: bool
    score: float
    threshold: float
    templates: int
    rate: float | None


@dataclass(frozen=True)
class Enrolled:
    """What was enrolled.

    Attributes:
        people: number of people.
        templates: number of templates.
        warnings: sentences on near duplicates and people who look enrolled already.
    """

    people: int
    templates: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removed:
    """What was removed.

    Attributes:
        templates: number of templates.
        erased: whether they are overwritten in all files; if not, a reader held them open.
        beyond: a sentence on what could not be reached; empty if all was.
    """

    templates: int
    erased: bool
    beyond: str = ""


def to_answer(
    file: str, sample: str, ranked: Sequence[Candidate], threshold: float, candidates: int
) -> Answer:
    """The answer for a recording from the most alike people, the best first."""
    score = ranked[0].score if ranked else None
    margin = ranked[0].score - ranked[1].score if len(ranked) > 1 else None
    person = ranked[0].person if score is not None and score >= threshold else None
    shown = tuple((one.person, one.score) for one in ranked[:candidates])
    return Answer(file, sample, person, score, margin, threshold, shown)


def places_of(
    count: int, file: Sequence[str] | None, sample: Sequence[str] | None
) -> list[tuple[str, str]]:
    """File and sample of each embedding."""
    files, samples = list(file or [""] * count), list(sample or map(str, range(count)))
    if not len(files) == len(samples) == count:
        raise ValueError(f"give a file and a sample for each of the {count} embeddings")
    return list(zip(files, samples, strict=True))
