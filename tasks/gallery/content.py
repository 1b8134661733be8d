"""What a gallery holds, and what a place that keeps it must do; no network library is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from aclnet.config import Settings
from aclnet.progress import Progress
from protocols.names import compose
from protocols.ranking.distances import FloatArray, IntArray, Metric, Points

if TYPE_CHECKING:
    from aclnet.runs.model import Embedded
    from aclnet.skeleton import Layout

SCHEMA_VERSION = 1
Vectors = npt.NDArray[np.float32]
_LONGEST_NAME = 200


class Embedder(Protocol):
    """What a gallery needs of a model: `aclnet.load` gives one for a run or an exported model."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that an embedding depends on; equal for a run and its export."""

    @property
    def dimensions(self) -> int:
        """D, numbers of an embedding."""

    @property
    def metric(self) -> Metric:
        """How its embeddings are compared."""

    @property
    def layout(self) -> Layout:
        """The joints of its recordings."""

    def embed(self, source: Any, *, progress: Progress | None = None, **reading: Any) -> Embedded:
        """One embedding a recording, with identity and number of frames (`aclnet.load`)."""


class About(Settings):
    """What all templates of a gallery have in common.

    Attributes:
        fingerprint: of the model.
        dimensions: D of its embeddings.
        metric: how they are compared: "cosine" or "euclidean".
        layout: joints of its recordings, as plain values.
        hnsw: whether a database searches through an HNSW index, which may miss templates.
        model: place of the model when the gallery was created; empty: none was given.
        version: of the program that created the gallery.
        created: time in UTC, ISO 8601.
    """

    fingerprint: str
    dimensions: int = Field(ge=1, le=1_000_000)
    metric: Metric
    layout: dict[str, Any] = Field(default_factory=dict)
    hnsw: bool = False
    model: str = ""
    version: str = ""
    created: str = ""


class Threshold(Settings):
    """A score from which a person is named, and what it was chosen on.

    Attributes:
        value: scores of at least this are accepted.
        kind: "fmr": share of comparisons of two people that are accepted; "fpir": share of
            strangers' recordings for which somebody is named.
        target: the share wanted, 0..1.
        achieved: the share there, at most `target`.
        comparisons: that many stand behind it: pairs of recordings for "fmr", recordings for
            "fpir".
        recordings: of the other people.
        people: number of the other people.
        enrolled: people in the gallery at that time.
        fnmr: share of comparisons of one person that are refused; None: nobody had two recordings.
        fpir: share of these recordings for which the gallery named somebody at that time; None:
            nobody was enrolled.
        claims: for "fmr", from which scores a claim is accepted whose person has 1, 2, ...
            templates, of which the best counts.
        created: time in UTC, ISO 8601.
        version: of the program.
    """

    value: float = Field(allow_inf_nan=False)
    kind: Literal["fmr", "fpir"]
    target: float
    achieved: float
    comparisons: int
    recordings: int
    people: int
    enrolled: int
    fnmr: float | None = None
    fpir: float | None = None
    claims: tuple[float, ...] = ()
    created: str = ""
    version: str = ""

    def of_claim(self, templates: int) -> tuple[float, float]:
        """Score from which the claim of a person is accepted, and the highest share of false ones.

        Args:
            templates: number of the person's.

        Returns:
            For "fpir" the value itself: whoever reaches it is named. For "fmr" the share is higher
            than the target where so many templates could not be calibrated: k of them match
            wrongly at most k / n as often as n do, rounded up.
        """
        if self.kind == "fpir":
            return self.value, self.target
        known = self.claims or (self.value,)
        groups = -(-templates // len(known))
        return known[min(templates, len(known)) - 1], min(groups * self.target, 1.0)


class Template(NamedTuple):
    """One embedding of a person, and where it comes from.

    Attributes:
        person: name.
        vector: (D,) float32.
        file: the file of the recording.
        sample: its key in the file.
        frames: number of its frames; 0: not known.
        created: time in UTC, ISO 8601.
        version: of the program.
    """

    person: str
    vector: Vectors
    file: str = ""
    sample: str = ""
    frames: int = 0
    created: str = ""
    version: str = ""


class Person(NamedTuple):
    """A row of the list: templates, and when the first and the last were enrolled."""

    name: str
    templates: int
    first: str
    last: str


class Candidate(NamedTuple):
    """A person who is like a probe.

    Attributes:
        person: name.
        score: of the most alike template: cosine similarity, or minus the Euclidean distance.
        template: number of that template.
    """

    person: str
    score: float
    template: int


class Templates(NamedTuple):
    """Templates in the order of their enrolment, ready for a search.

    Attributes:
        names: K people.
        person: (N,) index of each template's person.
        number: (N,) numbers of the templates, rising.
        points: N templates.
    """

    names: Sequence[str]
    person: IntArray
    number: IntArray
    points: Points


@contextmanager
def refusing_damage(place: str) -> Iterator[None]:
    """Turn what is wrong with a stored description into a sentence that names the gallery."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        part = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(f"{place} is damaged: {part}: {first['msg']}; restore a copy") from None


def describe(model: Embedder, place: object) -> About:
    """What a gallery of a model's embeddings holds; `place` is that of the model, if it is one."""
    from aclnet.runs.shipped import is_shipped

    known = ""
    if isinstance(place, str | Path):
        # A shipped model has another place in another environment.
        known = str(place) if is_shipped(place) else str(Path(place).resolve())
    return About(
        fingerprint=model.fingerprint,
        dimensions=model.dimensions,
        metric=model.metric,
        layout=model.layout.to_dict(),
        model=known,
    )


def stamp() -> dict[str, Any]:
    """When something was made, and by which version."""
    import aclnet

    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"created": now, "version": aclnet.__version__}


def person_name(text: str) -> str:
    """A person's name as it is stored and compared.

    Raises:
        ValueError: it is empty or longer than a name, or no text.
    """
    name = compose(str(text)).strip()
    if re.search(r"[\ud800-\udfff]", name):
        raise ValueError(f"{name!a}: a person's name is text in UTF-8")
    if not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f"a person's name has 1 to {_LONGEST_NAME} characters, not {len(name)}")
    return name


class Storage(Protocol):
    """A place that keeps a gallery. Each method is one transaction, which none outlives.

    Attributes:
        place: for messages, without a password.
        beyond: a sentence on what `erase` cannot reach; empty if it reaches all.
    """

    place: str
    beyond: str

    @property
    def about(self) -> About:
        """What all templates have in common."""

    def generation(self) -> int:
        """Number of changes so far; cheap, to be asked before each answer."""

    def people(self) -> list[Person]:
        """All people, by name."""

    def rank(self, probe: Vectors, count: int) -> list[list[Candidate]]:
        """The most alike people of each of (P, D) probes as they are enrolled now, the best first.

        A person counts by the most alike template; ties are won by the earlier one.
        """

    def scores_with(self, probe: Vectors, person: str) -> FloatArray | None:
        """(P,) scores of probes with one person; None if nobody has this name."""

    def template(self, number: int) -> tuple[str, str]:
        """File and sample of a template; empty texts if it is not there."""

    def add(self, templates: Iterable[Template]) -> None:
        """Enrol all or none."""

    def remove(self, person: str) -> int:
        """Delete a person; returns the number of templates, 0 if nobody has this name."""

    def unerased(self) -> bool:
        """Whether deleted people may still stand in the files."""

    def erase(self, wait: float) -> bool:
        """Erase what was deleted, waiting up to so many seconds; returns whether it is gone."""

    def threshold(self) -> Threshold | None:
        """The calibrated threshold."""

    def set_threshold(self, threshold: Threshold) -> None:
        """Replace the threshold."""

    def faults(self) -> list[str]:
        """What is wrong with the stored data; a sentence each."""

    def recall(self) -> float | None:
        """Share of the nearest templates that the search finds; None: all, it is exact."""

    def close(self) -> None:
        """Close it."""
