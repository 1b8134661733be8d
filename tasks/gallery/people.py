"""The gallery from Python: `tasks.Gallery`.

>>> import tasks  # doctest: +SKIP
>>> gallery = tasks.Gallery.create("people.gallery", "runs/mine")  # doctest: +SKIP
>>> gallery.calibrate("others")  # doctest: +SKIP
>>> gallery.enrol("ann.json", person="Ann")  # doctest: +SKIP
>>> gallery.identify("walk.json")[0].person  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from protocols.ranking.distances import as_points
from tasks.gallery.answers import Answer, Enrolled, Removed, Verified, to_answer
from tasks.gallery.calibration import Kind, calibrate
from tasks.gallery.content import (
    About,
    Embedder,
    Person,
    Storage,
    Template,
    Threshold,
    person_name,
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

    def __init__(self, place: str | Path, model: str | Path | Embedder | None = None) -> None:
        self._storage: Storage = open_storage(place)
        self.place = self._storage.place
        self._given = model
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
        chosen = about if loaded is None else _describe(loaded, model)
        if chosen is None:
            raise TypeError("neither a model nor what is known of the embeddings")
        create_storage(place, chosen.model_copy(update={**_stamp(), "hnsw": hnsw}))
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
            ValueError: a file cannot be read, a recording has no identity, or the model is not
                the gallery's.
        """
        found = self._embed(files, reading)
        if person is None:
            found.require_identities(
                "say whose it is with --person, or in a table (`aclnet-task data labels`)"
            )
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
        stamp = _stamp()
        self._storage.add(
            Template(*row, **stamp)
            for row in zip(names, values, files, samples, counts, strict=True)
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
        files, samples = (
            list(file or [""] * len(values)),
            list(sample or map(str, range(len(values)))),
        )
        if not len(files) == len(samples) == len(values):
            raise ValueError(f"give a file and a sample for each of the {len(values)} embeddings")
        answers: list[Answer] = []
        for first in range(0, len(values), _PROBES_BETWEEN_LOOKS):
            part = slice(first, first + _PROBES_BETWEEN_LOOKS)
            for row, ranked in enumerate(self._storage.rank(values[part], max(candidates, 2))):
                place = files[first + row], samples[first + row]
                answers.append(to_answer(*place, ranked, least, candidates))
        return answers

    def verify(
        self,
        person: str,
        files: Source | Sequence[Source],
        *,
        threshold: float | None = None,
        **reading: Any,
    ) -> list[Verified]:
        """Say of each recording whether it shows a person.

        Args:
            person: an enrolled name.
            files: as for `identify`.
            threshold: in place of the calibrated one.
            **reading: as for `identify`.

        Raises:
            ValueError: nobody has this name; or as `identify`.
        """
        least = self._threshold(threshold)
        name = person_name(person)
        if name not in {one.name for one in self.people()}:
            raise ValueError(f"nobody called {name} is enrolled in {self.place}")
        found = self._embed(files, reading)
        scores = self._storage.scores_with(found.embedding, name)
        if scores is None:
            raise ValueError(f"{name} has been removed from {self.place} meanwhile")
        return [
            Verified(file, sample, name, bool(score >= least), float(score), least)
            for file, sample, score in zip(found.file, found.sample, scores, strict=True)
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
        found = found.model_copy(update=_stamp())
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
        found = embedded(self._loaded(), files, reading)
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


def _describe(model: Embedder, place: object) -> About:
    return About(
        fingerprint=model.fingerprint,
        dimensions=model.dimensions,
        metric=model.metric,
        layout=model.layout.to_dict(),
        model=str(Path(place).resolve()) if isinstance(place, str | Path) else "",
    )


def _stamp() -> dict[str, Any]:
    import aclnet

    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"created": now, "version": aclnet.__version__}
