"""The gallery from Python: `tasks.Gallery`.

>>> import tasks  # doctest: +SKIP
>>> gallery = tasks.Gallery.create("people.gallery", "runs/mine")  # doctest: +SKIP
>>> gallery.calibrate("others")  # doctest: +SKIP
>>> gallery.enrol("ann.json", person="Ann")  # doctest: +SKIP
>>> gallery.identify("walk.json")[0].person  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from aclnet.progress import Report, counting
from protocols.ranking.distances import as_points
from tasks.gallery.answers import Answer, Enrolled, Removed, Verified, places_of, to_answer
from tasks.gallery.calibration import Kind, calibrate
from tasks.gallery.content import (
    About,
    Embedder,
    Person,
    Storage,
    Template,
    Threshold,
    describe,
    person_name,
    stamp,
)
from tasks.gallery.duplicates import duplicates
from tasks.gallery.places import create_storage, open_storage
from tasks.gallery.recordings import Recordings, embedded

if TYPE_CHECKING:
    from aclnet.runs.model import Source

CANDIDATES = 5
ERASURE_SECONDS = 30.0
_PROBES_BETWEEN_LOOKS = 1000


class Gallery:
    """A gallery that is there; for one thread at a time.

    Args:
        place: its file, or `postgresql://user@host/database` (extra `postgres`).
        model: a run's folder, an exported model, or what `aclnet.load` gave; by default the run
            that it was created with, loaded when files are first embedded.

    Attributes:
        place: for messages.
        left_out: by file, what the last reading of files left out: counts by reason.

    Raises:
        ValueError: there is no gallery, it is damaged, or `model` is another one than its own.
    """

    def __init__(
        self,
        place: str | Path,
        model: str | Path | Embedder | None = None,
        report: Report | None = None,
    ) -> None:
        self._storage: Storage = open_storage(place)
        self.place = self._storage.place
        self._given, self._report = model, report
        self._model: Embedder | None = None
        self.left_out: Mapping[str, Mapping[str, int]] = {}
        if model is not None and not isinstance(model, str | Path):
            self._accept(model)

    @classmethod
    def create(
        cls,
        place: str | Path,
        model: str | Path | Embedder | None = None,
        about: About | None = None,
        hnsw: bool = False,
    ) -> Self:
        """Create an empty gallery.

        Args:
            place: its file, which must not exist, or the URI of a database.
            model: a run's folder, an exported model, or what `aclnet.load` gave.
            about: instead of a model, if only embeddings will be given.
            hnsw: let a database search through an HNSW index, which may miss templates.

        Raises:
            ValueError: there is a file, neither or both of model and `about` are given, or the
                model cannot be loaded.
        """
        if (model is None) == (about is None):
            raise ValueError("give either a model, or what is known of the embeddings")
        loaded = _load(model) if isinstance(model, str | Path) else model
        chosen = about if loaded is None else describe(loaded, model)
        if chosen is None:
            raise TypeError("neither a model nor what is known of the embeddings")
        create_storage(place, chosen.model_copy(update={**stamp(), "hnsw": hnsw}))
        return cls(place, loaded)

    @property
    def about(self) -> About:
        """What all templates have in common."""
        return self._storage.about

    @property
    def threshold(self) -> Threshold | None:
        """The calibrated threshold."""
        return self._storage.threshold()

    def people(self) -> list[Person]:
        """All people, by name."""
        return self._storage.people()

    def enrol(
        self,
        files: Source | Sequence[Source],
        person: str | None = None,
        **reading: Any,
    ) -> Enrolled:
        """Enrol recordings, all or none: one template each.

        Args:
            files: as for `aclnet.load(run).embed`.
            person: whose recordings they are; by default the identities in the data.
            **reading: as for `aclnet.load(run).embed`.

        Raises:
            ValueError: a file cannot be read, a recording has no identity, a person is given for
                several, or the model is not the gallery's.
        """
        found = self._embed(files, reading)
        if person is None:
            found.require_identities(
                "say whose it is with --person, or in a table (`aclnet-task data labels`)"
            )
        else:
            found.require_one_person(person)
        people = found.identity if person is None else [person] * len(found.sample)
        return self.enrol_embeddings(
            people, found.embedding, file=found.file, sample=found.sample, frames=found.frames
        )

    def enrol_embeddings(
        self,
        people: Sequence[str],
        embedding: npt.ArrayLike,
        *,
        file: Sequence[str] | None = None,
        sample: Sequence[str] | None = None,
        frames: Sequence[int] | None = None,
        compare: bool = True,
    ) -> Enrolled:
        """Enrol embeddings of the gallery's model, all or none.

        Args:
            people: N names.
            embedding: (N, D) numbers.
            file: N files, where known.
            sample: N keys of recordings.
            frames: N numbers of frames.
            compare: whether to look for near duplicates, which takes a search.

        Raises:
            ValueError: lengths or D differ, a value is not finite, or a name is empty.
        """
        names = list(map(person_name, people))
        values = as_points(embedding, self.about.metric, "given").values
        count, dims = values.shape
        if dims != self.about.dimensions:
            raise ValueError(
                f"{self.place} holds embeddings of {self.about.dimensions} dimensions, not {dims}: "
                "they must come from its model"
            )
        files, samples = list(file or [""] * count), list(sample or [""] * count)
        counts = list(frames or [0] * count)
        if {len(names), len(files), len(samples), len(counts)} != {count} or not count:
            raise ValueError(f"give a person for each of the {count} embeddings, at least one")
        warnings = duplicates(self._storage, names, values, samples) if compare else ()
        now = stamp()
        self._storage.add(
            Template(*row, **now) for row in zip(names, values, files, samples, counts, strict=True)
        )
        self._finish_erasure()
        return Enrolled(len(set(names)), count, warnings)

    def identify(
        self,
        files: Source | Sequence[Source],
        *,
        threshold: float | None = None,
        candidates: int = CANDIDATES,
        **reading: Any,
    ) -> list[Answer]:
        """Say who each recording shows: an enrolled person, or nobody enrolled.

        Args:
            files: as for `aclnet.load(run).embed`; with the reader's option `people="apart"` each
                person of a file is a recording.
            threshold: in place of the calibrated one.
            candidates: number of the most alike people in each answer.
            **reading: as for `aclnet.load(run).embed`.

        Raises:
            ValueError: a file cannot be read, the model is not the gallery's, or there is no
                threshold.
        """
        self._threshold(threshold)
        found = self._embed(files, reading)
        return self.identify_embeddings(
            found.embedding,
            file=found.file,
            sample=found.sample,
            threshold=threshold,
            candidates=candidates,
        )

    def identify_embeddings(
        self,
        embedding: npt.ArrayLike,
        *,
        file: Sequence[str] | None = None,
        sample: Sequence[str] | None = None,
        threshold: float | None = None,
        candidates: int = CANDIDATES,
    ) -> list[Answer]:
        """As `identify`, of (N, D) embeddings of the gallery's model.

        Changes of the gallery by other processes are seen, also while many are identified: a person
        who was removed is not named any more.
        """
        least = self._threshold(threshold)
        values: npt.NDArray[Any] = np.asarray(embedding)
        places = places_of(len(values), file, sample)
        answers: list[Answer] = []
        for first in range(0, len(values), _PROBES_BETWEEN_LOOKS):
            part = slice(first, first + _PROBES_BETWEEN_LOOKS)
            for row, ranked in enumerate(self._storage.rank(values[part], max(candidates, 2))):
                answers.append(to_answer(*places[first + row], ranked, least, candidates))
        return answers

    def verify(
        self,
        person: str,
        files: Source | Sequence[Source],
        *,
        threshold: float | None = None,
        **reading: Any,
    ) -> list[Verified]:
        """Say of each recording whether it shows a person, at the calibrated false match rate.

        It holds for claims: recordings of others with the best template of the person, however many
        there are; `rate` of the answers is higher where so many could not be calibrated.

        Args:
            person: an enrolled name.
            files: as for `identify`.
            threshold: in place of the calibrated one.
            **reading: as for `identify`.

        Raises:
            ValueError: nobody has this name; or as `identify`.
        """
        self._claim(person, threshold)
        found = self._embed(files, reading)
        return self.verify_embeddings(
            person, found.embedding, file=found.file, sample=found.sample, threshold=threshold
        )

    def verify_embeddings(
        self,
        person: str,
        embedding: npt.ArrayLike,
        *,
        file: Sequence[str] | None = None,
        sample: Sequence[str] | None = None,
        threshold: float | None = None,
    ) -> list[Verified]:
        """As `verify`, of (N, D) embeddings of the gallery's model."""
        name, templates, least, rate = self._claim(person, threshold)
        scores = self._storage.scores_with(np.asarray(embedding), name)
        if scores is None:
            raise ValueError(f"{name} has been removed from {self.place} meanwhile")
        places = places_of(len(scores), file, sample)
        return [
            Verified(*place, name, bool(score >= least), float(score), least, templates, rate)
            for place, score in zip(places, scores, strict=True)
        ]

    def remove(self, person: str, wait: float = ERASURE_SECONDS) -> Removed:
        """Delete a person, and erase them from all files of the gallery.

        Given again, it finishes an erasure that readers kept from ending.

        Args:
            person: the name.
            wait: seconds to wait for readers.

        Raises:
            ValueError: nobody has this name, and nothing is left to erase.
        """
        name = person_name(person)
        count = self._storage.remove(name)
        if not count and not self._storage.unerased():
            raise ValueError(f"nobody called {name} is enrolled in {self.place}")
        return Removed(count, self._storage.erase(wait), self._storage.beyond)

    def calibrate(
        self,
        files: Source | Sequence[Source],
        *,
        kind: Kind = "fmr",
        target: float = 0.01,
        **reading: Any,
    ) -> Threshold:
        """Choose the threshold on recordings of other people, whose identities the data hold.

        Args:
            files: as for `enrol`.
            kind: "fmr": the share of pairs of two people that are accepted; "fpir": the share of
                recordings of strangers for which this gallery names somebody.
            target: the highest share, above 0 and below 1.
            **reading: as for `enrol`.

        Raises:
            ValueError: as `tasks.gallery.calibration.calibrate`, or a recording has no identity.
        """
        found = self._embed(files, reading)
        found.require_identities("give data of other people with their identities")
        return self.calibrate_embeddings(found.identity, found.embedding, kind=kind, target=target)

    def calibrate_embeddings(
        self,
        people: Sequence[str],
        embedding: npt.ArrayLike,
        *,
        kind: Kind = "fmr",
        target: float = 0.01,
    ) -> Threshold:
        """As `calibrate`, of (N, D) embeddings of N other people's recordings."""
        names = list(map(person_name, people))
        found = calibrate(embedding, names, self._storage, kind, target)
        found = found.model_copy(update=stamp())
        self._storage.set_threshold(found)
        self._finish_erasure()
        return found

    def check(self, model: bool = False) -> list[str]:
        """What is wrong with the gallery; a sentence each.

        Args:
            model: also load the model and compare it.
        """
        faults = self._storage.faults()
        if self._storage.unerased():
            faults.append(
                "a removed person is not yet erased: a reader was open; give `aclnet-task gallery "
                "remove` again"
            )
        if model:
            try:
                self._loaded()
            except ValueError as error:
                faults.append(str(error))
        return faults

    def refresh(self) -> None:
        """Forget in memory too who was removed, and learn who was enrolled, by other processes."""
        self._storage.rank(np.zeros((0, self.about.dimensions), dtype=np.float32), 1)

    def recall(self) -> float | None:
        """Share of the nearest templates that an HNSW index finds; None: the search is exact."""
        return self._storage.recall()

    def close(self) -> None:
        """Close it."""
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _finish_erasure(self) -> None:
        """Finish what a killed or impatient `remove` left, without waiting."""
        if self._storage.unerased():
            self._storage.erase(0)

    def _claim(self, person: str, given: float | None) -> tuple[str, int, float, float | None]:
        """Name, templates, threshold and highest false match rate of the claim of a person."""
        name = person_name(person)
        least, rate = self._threshold(given), None
        templates = {one.name: one.templates for one in self.people()}.get(name)
        if templates is None:
            raise ValueError(f"nobody called {name} is enrolled in {self.place}")
        if given is None and (known := self.threshold) is not None:
            least, rate = known.of_claim(templates)
        return name, templates, least, rate

    def _threshold(self, given: float | None) -> float:
        if given is not None:
            if not isfinite(given):
                raise ValueError(f"a threshold is a finite score, not {given}")
            return given
        known = self.threshold
        if known is None:
            raise ValueError(
                f"{self.place} has no threshold, so that strangers would be named: choose one on "
                "other people with `aclnet-task gallery calibrate`, or give --threshold"
            )
        return known.value

    def _embed(self, files: Source | Sequence[Source], reading: dict[str, Any]) -> Recordings:
        with counting(self._report, "embedding") as progress:
            found = embedded(self._loaded(), files, reading, progress)
        self.left_out = found.left_out
        return found

    def _loaded(self) -> Embedder:
        """The gallery's model."""
        if self._model is None:
            place = self._given or self.about.model
            if not place:
                raise ValueError(f"{self.place} does not know its model: give it with --run")
            if not isinstance(place, str | Path):
                raise TypeError("a model is accepted when it is given")
            try:
                model = _load(place)
            except ValueError as error:
                if self._given is not None:
                    raise
                raise ValueError(
                    f"the model with which {self.place} was created cannot be loaded ({error}): "
                    "give it with --run"
                ) from None
            self._accept(model)
            self._model = model
        return self._model

    def _accept(self, model: Embedder) -> None:
        """Refuse another model than the gallery's."""
        own = self.about
        if model.fingerprint != own.fingerprint:
            known = f" ({own.model})" if own.model else ""
            raise ValueError(
                f"{self.place} holds templates of another model{known}: its fingerprint is "
                f"{own.fingerprint[:12]}, and that of the given model {model.fingerprint[:12]}; "
                "give the gallery's own model, or create a gallery with this one and enrol again"
            )
        self._model = model


def _load(place: str | Path) -> Embedder:
    import aclnet

    return aclnet.load(place)
