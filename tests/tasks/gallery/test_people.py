"""People enrolled, found, unknown and removed, in a file and in a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.ranking.distances import Metric
from tasks import Gallery
from tasks.gallery.content import Template
from tasks.gallery.search import is_near

D = 48


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_enrolled_people_are_named_and_strangers_are_not(
    place: Any, metric: str, people_of: Any, about: Any
) -> None:
    with Gallery.create(place, about=about(metric)) as gallery:
        gallery.calibrate_embeddings(*people_of(30, 4, seed=1), target=0.0002)
        names, vectors = people_of(10, 4)
        rows = np.arange(40) % 4 > 0
        gallery.enrol_embeddings(np.array(names)[rows].tolist(), vectors[rows])
        answers = gallery.identify_embeddings(vectors[~rows])
        assert [one.person for one in answers] == names[::4]
        assert all(one.margin is not None and one.margin > 0 for one in answers)
        strangers = gallery.identify_embeddings(people_of(20, 1, seed=2)[1])
        assert {one.person for one in strangers} == {None}
        assert all(one.score < one.threshold for one in strangers)
        assert {len(one.candidates) for one in strangers} == {5}


def test_score_of_a_person_is_that_of_the_best_template(full: Gallery, people_of: Any) -> None:
    """By a plain reading: all cosines, the largest of each person."""
    names, vectors = people_of(10, 3)
    probe = people_of(4, 2, seed=5)[1].astype(np.float32)
    stored = vectors.astype(np.float32).astype(float)
    cosine = (probe @ stored.T) / np.linalg.norm(probe, axis=1)[:, None]
    best = (cosine / np.linalg.norm(stored, axis=1)).reshape(len(probe), 10, 3).max(axis=2)
    for one, row in zip(full.identify_embeddings(probe, candidates=10), best, strict=True):
        order = np.argsort(-row)
        assert [name for name, _ in one.candidates] == [names[3 * place] for place in order]
        np.testing.assert_allclose([score for _, score in one.candidates], row[order], atol=1e-7)
        assert one.margin == pytest.approx(row[order[0]] - row[order[1]])


def test_whoever_reaches_the_threshold_is_named(full: Gallery, people_of: Any) -> None:
    probe = people_of(10, 3)[1][:1] + 0.1
    (answer,) = full.identify_embeddings(probe, candidates=1)
    assert answer.score is not None
    assert answer.margin is not None  # also of a single candidate
    for threshold, named in ((answer.score, True), (np.nextafter(answer.score, 2), False)):
        (found,) = full.identify_embeddings(probe, threshold=threshold)
        assert (found.person is not None) == named


def test_answers_know_their_recordings(
    full: Gallery, people_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.gallery.people._PROBES_BETWEEN_LOOKS", 2)
    given = {"file": list("aabbc"), "sample": list("12345")}
    answers = full.identify_embeddings(people_of(10, 3)[1][:5], **given)
    assert [one.file for one in answers] == given["file"]
    assert [one.sample for one in answers] == given["sample"]


def test_people_behind_one_with_many_templates_are_found(gallery: Gallery) -> None:
    vectors = np.eye(D)[np.r_[np.zeros(100, int), 1, 2]] + 0.01
    names = ["many"] * 100 + ["one", "two"]
    gallery.enrol_embeddings(names, vectors)
    (answer,) = gallery.identify_embeddings(np.eye(D)[:1], threshold=0.5)
    assert [name for name, _ in answer.candidates] == ["many", "one", "two"]


def test_nobody_is_enrolled_at_first(gallery: Gallery) -> None:
    (answer,) = gallery.identify_embeddings(np.ones((1, D)), threshold=-1.0)
    assert (answer.person, answer.score, answer.margin, answer.candidates) == (None, None, None, ())


def test_no_threshold_no_name(gallery: Gallery) -> None:
    gallery.enrol_embeddings(["Ann"], np.ones((1, D)))
    with pytest.raises(ValueError, match="strangers would be named"):
        gallery.identify_embeddings(np.ones((1, D)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_threshold_is_a_score(full: Gallery, value: float) -> None:
    with pytest.raises(ValueError, match="a finite score"):
        full.identify_embeddings(np.ones((1, D)), threshold=value)


def test_each_embedding_has_its_file(full: Gallery) -> None:
    with pytest.raises(ValueError, match="for each of the 2 embeddings"):
        full.identify_embeddings(np.ones((2, D)), file=["one"])


def test_people_are_listed_by_name(gallery: Gallery) -> None:
    gallery.enrol_embeddings(["Bea", "Ann"], np.eye(D)[:2])
    assert [one.name for one in gallery.people()] == ["Ann", "Bea"]


def test_names_are_compared_composed(gallery: Gallery) -> None:
    gallery.enrol_embeddings(["Zoe\u0308", "Zo\u00eb "], np.eye(D)[:2])
    assert [(one.name, one.templates) for one in gallery.people()] == [("Zo\u00eb", 2)]


@pytest.mark.parametrize(
    ("people", "vectors", "words"),
    [
        (["Ann", " "], np.ones((2, D)), "1 to 200 characters, not 0"),
        (["A" * 201], np.ones((1, D)), "not 201"),
        (["Ann\udcff"], np.ones((1, D)), "text in UTF-8"),
        (["Ann"], np.ones((2, D)), "a person for each of the 2"),
        ([], np.ones((0, D)), "at least one"),
        (["Ann"], np.ones((1, D + 1)), f"of {D} dimensions, not {D + 1}"),
        (["Ann"], np.full((1, D), np.nan), "not finite"),
        (["Ann"], np.zeros((1, D)), "all zeros"),
    ],
)
def test_what_cannot_be_enrolled(
    gallery: Gallery, people: list[str], vectors: np.ndarray, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        gallery.enrol_embeddings(people, vectors)
    assert gallery.people() == []


def test_enrolment_is_whole_or_absent(full: Gallery) -> None:
    """An error half-way leaves neither people nor templates."""
    before, generation = full.people(), full._storage.generation()

    def half() -> Iterator[Template]:
        yield Template("Ann", np.ones(D, np.float32))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        full._storage.add(half())
    assert (full.people(), full._storage.generation()) == (before, generation)


@pytest.mark.parametrize(
    ("metric", "near", "far"), [("cosine", 0.99991, 0.99989), ("euclidean", -0.0700, -0.0715)]
)
def test_one_recording_is_a_ten_thousandth_from_itself(
    metric: Metric, near: float, far: float
) -> None:
    probe = np.array([3, 4], np.float32)  # half of the squared distance over the squared length
    assert is_near(probe, near, metric)
    assert not is_near(probe, far, metric)


def test_near_duplicates_are_warned_about(full: Gallery, people_of: Any) -> None:
    names, vectors = people_of(10, 3)
    done = full.enrol_embeddings([names[0]], vectors[:1] + 1e-5, sample=["again"])
    (warning,) = done.warnings
    assert "recording again of person-0-0 is almost the same" in warning
    (warning,) = full.enrol_embeddings(["Ann"], vectors[:3].mean(axis=0, keepdims=True)).warnings
    assert "looks like person-0-0" in warning
    assert full.enrol_embeddings(["Eve"], people_of(1, 1, seed=9)[1]).warnings == ()
    both = np.repeat(people_of(1, 1, seed=8)[1], 2, axis=0)
    warnings = full.enrol_embeddings(["Max", "Tom"], both).warnings
    assert warnings[0] == (
        "a template of Max is almost the same as a template of Tom, enrolled with it"
    )


def test_another_process_sees_changes(full: Gallery, place: Any, people_of: Any) -> None:
    names, vectors = people_of(10, 3)
    with Gallery(place) as other:
        assert other.identify_embeddings(vectors[:1])[0].person == names[0]
        assert full.remove(names[0]).erased
        assert other.identify_embeddings(vectors[:1])[0].person is None
        full.enrol_embeddings(["Ann"], vectors[:1])
        assert other.identify_embeddings(vectors[:1])[0].person == "Ann"


def test_fmr_by_a_plain_reading(gallery: Gallery, people_of: Any) -> None:
    names, vectors = people_of(12, 5, seed=3)
    vectors[:, :40] = 1.0  # people who look alike
    known = gallery.calibrate_embeddings(names, vectors, target=0.05)
    unit = vectors.astype(np.float32) / np.linalg.norm(vectors, axis=1)[:, None]
    scores = unit @ unit.T
    impostor = [scores[i, j] for i in range(60) for j in range(i) if names[i] != names[j]]
    genuine = [scores[i, j] for i in range(60) for j in range(i) if names[i] == names[j]]
    assert known.comparisons == len(impostor) == 1650
    assert (known.people, known.recordings, known.enrolled) == (12, 60, 0)
    assert known.achieved == pytest.approx(82 / 1650)
    assert np.mean(np.array(impostor) >= known.value) == pytest.approx(known.achieved)
    assert np.mean(np.array(genuine) < known.value) == pytest.approx(known.fnmr)
    assert gallery.threshold == known


def test_claims_by_a_plain_reading(gallery: Gallery, people_of: Any) -> None:
    """Recordings with the best of k of another person, over all choices of these k."""
    names, vectors = people_of(8, 4, seed=3)
    vectors[:, :40] = 1.0
    known = gallery.calibrate_embeddings(names, vectors, target=0.05)
    unit = vectors.astype(np.float32) / np.linalg.norm(vectors, axis=1)[:, None]
    scores = (unit @ unit.T).reshape(32, 8, 4)
    for templates in range(1, 9):
        choices = [list(one) for one in combinations(range(4), min(templates, 4))]
        best = np.sort(
            [
                scores[probe, person, one].max()
                for probe in range(32)
                for person in range(8)
                for one in choices
                if person != probe // 4
            ]
        )[::-1]
        target = 0.05 / (1 if templates <= 4 else 2)  # of two groups of at most 4
        least = known.claims[templates - 1]
        assert least == pytest.approx(best[int(target * len(best))], abs=1e-6)
        assert np.mean(best > least + 1e-6) <= target


@pytest.mark.parametrize(("templates", "each"), [(1, 10), (3, 10), (10, 10), (10, 4)])
def test_verify_keeps_the_false_match_rate(
    tmp_path: Path, people_of: Any, about: Any, templates: int, each: int
) -> None:
    """Of people who are as those of the calibration, whatever the number of templates."""
    target = 0.05
    with Gallery.create(tmp_path / "people.gallery", about=about()) as gallery:
        known = gallery.calibrate_embeddings(*_spread(people_of(400, each, seed=1)), target=target)
        names, vectors = _spread(people_of(200, templates, seed=2))
        gallery.enrol_embeddings(names, vectors, compare=False)
        _, probes = _spread(people_of(200, 1, seed=3))
        claims = [gallery.verify_embeddings(name, probes) for name in sorted(set(names))]
        scores = np.array([[one.score for one in row] for row in claims])
    accepted = np.array([[one.accepted for one in row] for row in claims])
    assert {one.rate for row in claims for one in row} == {target}
    rate, error = _rate(accepted)
    single, _ = _rate(scores >= known.value)
    if templates <= each:
        assert abs(rate - target) < 3 * error
    assert rate < target + 3 * error
    assert (templates > 1) == (single > target + 3 * error)


def _spread(people: tuple[list[str], np.ndarray]) -> tuple[list[str], np.ndarray]:
    """With recordings of a person so far apart that each has scores of its own."""
    names, vectors = people
    noise = np.random.default_rng(len(vectors)).normal(size=vectors.shape)
    return names, vectors + 0.7 * noise


def _rate(accepted: np.ndarray) -> tuple[float, float]:
    """Share of claims, and its standard error over people, probes and those of the calibration."""
    of_people, of_probes = (
        accepted.mean(axis=axis).var(ddof=1) / accepted.shape[1 - axis] for axis in (1, 0)
    )
    return float(accepted.mean()), float(np.sqrt(2 * (of_people + of_probes)))


def test_who_has_more_templates_than_could_be_calibrated_has_a_higher_rate(
    gallery: Gallery, people_of: Any
) -> None:
    gallery.calibrate_embeddings(*people_of(6, 1, seed=1), target=0.1)  # 15 pairs
    gallery.enrol_embeddings(*people_of(1, 3))
    (one,) = gallery.verify_embeddings("person-0-0", np.ones((1, D)))
    assert (one.templates, one.rate) == (3, pytest.approx(0.3))
    (one,) = gallery.verify_embeddings("person-0-0", np.ones((1, D)), threshold=0.5)
    assert (one.threshold, one.rate) == (0.5, None)
    known = gallery.calibrate_embeddings(*people_of(30, 1, seed=2), kind="fpir", target=0.1)
    (one,) = gallery.verify_embeddings("person-0-0", np.ones((1, D)))
    assert (one.threshold, one.rate) == (known.value, 0.1)


def test_fpir_counts_strangers_who_are_named(full: Gallery, people_of: Any) -> None:
    names, vectors = people_of(50, 2, seed=4)
    known = full.calibrate_embeddings(names, vectors, kind="fpir", target=0.1)
    named = [one.person for one in full.identify_embeddings(vectors)]
    assert sum(name is not None for name in named) == 10 == known.achieved * 100
    assert (known.kind, known.comparisons, known.enrolled) == ("fpir", 100, 10)
    assert known.fpir == known.achieved


@pytest.mark.parametrize(
    ("people", "how", "words"),
    [
        (
            ["a", "a", "b"],
            {},
            "0.01 cannot be measured on 2 comparisons of two people: .* least 100",
        ),
        (["a", "a", "a"], {}, "at least two other people"),
        (["a", "b", "c"], {"target": 1.5}, "above 0 and below 1"),
        (["a", "b", "person-0-3"], {"target": 0.5}, "person-0-3 is enrolled"),
        (["a", "a", "b"], {"kind": "fpir"}, "measured on 3 recordings of strangers"),
    ],
)
def test_what_cannot_be_calibrated(
    full: Gallery, people: list[str], how: dict[str, object], words: str
) -> None:
    before = full.threshold
    with pytest.raises(ValueError, match=words):
        full.calibrate_embeddings(people, np.eye(D)[:3] + 0.1, **how)
    assert full.threshold == before


def test_a_removed_person_is_erased_once_no_reader_is_open(
    full: Gallery, reader: AbstractContextManager[None]
) -> None:
    name = full.people()[0].name
    with reader:
        assert full.remove(name, wait=0.2).erased is False
        assert any("not yet erased" in fault for fault in full.check())
        assert name not in [one.name for one in full.people()]
    removed = full.remove(name)
    assert (removed.templates, removed.erased) == (0, True)
    assert full.check() == []
    with pytest.raises(ValueError, match="nobody called"):
        full.remove(name)


def test_a_reader_is_not_kept_waiting(full: Gallery, place: Any) -> None:
    """Nothing holds a transaction: another gallery that has searched does not delay an erasure."""
    vectors = np.eye(D)[:2]
    with Gallery(place) as other:
        other.identify_embeddings(vectors, threshold=0.0)
        other.people()
        assert full.remove(full.people()[0].name, wait=0).erased


def test_a_recording_given_twice_is_one(full: Gallery, people_of: Any) -> None:
    names, vectors = people_of(30, 4, seed=1)
    once = full.calibrate_embeddings(names, vectors, target=0.01)
    twice = full.calibrate_embeddings(names * 2, np.tile(vectors, (2, 1)), target=0.01)
    assert twice.model_dump(exclude={"created"}) == once.model_dump(exclude={"created"})
