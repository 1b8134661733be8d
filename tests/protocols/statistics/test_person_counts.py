"""Counts of every person in records: what is written, what is read, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from protocols import compare
from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.table import GaitTable
from protocols.records import DatasetReference, ResultRecord
from protocols.statistics.intervals import widen_if_alike
from protocols.statistics.outcomes import Outcomes
from protocols.statistics.person_counts import person_counts, read_kept


def table(seed: int = 0, noise: float = 1.0, people: int = 5) -> GaitTable:
    """Random walks of a few people in CASIA-B's conditions, before three cameras."""
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(f"{s:03}", c, t, 18 * v) for s in range(people) for c, t in takes for v in range(3)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    generator = np.random.default_rng(seed)
    embedding = np.eye(people)[subject.astype(int)] + noise * generator.normal(
        size=(len(rows), people)
    )
    return evaluate_gait(Embeddings(embedding.astype(np.float32), subject, condition, take, view))


def record(cells: dict[str, Any] | None) -> ResultRecord:
    return ResultRecord(
        task="gait",
        dataset=DatasetReference(name="x", fingerprint="f", synthetic=True),
        protocol="casia_b",
        rule="exact",
        objective="acl",
        stream="j",
        seed=0,
        metrics={},
        intervals={},
        counts={},
        settings={},
        environment={},
        seconds=0.0,
        command="",
        cells=cells,
    )


def test_people_add_up_to_the_table() -> None:
    made = table()
    cells = json.loads(json.dumps(made.record_cells()))
    counts = read_kept(record(cells))
    assert not isinstance(counts, Outcomes)
    assert list(counts) == ["nm", "bg", "cl"]
    for name, people in counts.items():
        assert sorted(people) == ["000", "001", "002", "003", "004"]
        # 2 takes x 3 views x 2 other views; identical views are in no mean.
        assert {tried for _, tried in people.values()} == {12}
        rate = sum(hits for hits, _ in people.values()) / 60
        assert rate == pytest.approx(made.metrics[f"rank1/{name}"])
    trials = np.array(cells["trials"])
    off_diagonal = trials[:, ~np.eye(3, dtype=bool)].sum(axis=1)
    assert off_diagonal.tolist() == [60, 60, 60]


def test_runs_are_compared_by_what_their_records_keep() -> None:
    good, bad = (record(table(*how, 12).record_cells()) for how in ((1, 0.2), (2, 2.0)))
    found = compare(good, bad, names=("good", "bad"), draws=300)
    assert (found.unit, found.verdict, found.units) == ("people", "better", 12)
    # Counts of several seeds are summed: copies are no further people.
    again = compare([good] * 2, [bad] * 2, draws=300)
    assert (again.unit, again.difference) == ("people", pytest.approx(found.difference))
    answers: dict[str, Any] = {
        "sample": list("abcd"),
        "label": [0, 1, 0, 1],
        "subjects": ["p", "q"],
    }
    answers |= {"subject": [0, 0, 0, 1], "subsets": [""], "subset": [0] * 4}
    first, second, alone = (
        record({"classes": ["x", "y"], "outcomes": {**answers, **more}})
        for more in (
            {"predicted": [0, 1, 1, 0]},
            {"predicted": [0, 0, 0, 0]},
            {"predicted": [0, 0, 0, 0], "subject": [0] * 4},
        )
    )
    assert compare(first, second).unit == "samples"
    assert compare([first] * 2, [second] * 2).unit == "seeds"
    by_people = compare(first, second, "people")
    assert by_people.gains == {"p": 0.0, "q": 0.0}
    assert person_counts(read_kept(first)) == {"all": {"p": (2, 3), "q": (0, 1)}}
    with pytest.raises(ValueError, match="person of every sample must be known"):
        compare(alone, alone, "people")


PEOPLE = {"names": ["x", "y"], "trials": [4, 2], "rank1_hits": [3, 0]}


def test_counts_of_pairs_are_read_under_the_main_rule() -> None:
    pairs = {"pairs": {"C-N": {"people": PEOPLE}}}
    for cells in (pairs, {"main": pairs, "transg": {"pairs": {}}}):
        assert read_kept(record(cells)) == {"C-N": {"x": (3, 4), "y": (0, 2)}}


@pytest.mark.parametrize(
    ("key", "measure"),
    [("rank1_hits", "rank-1"), ("accuracy_hits", "accuracy"), ("hits", "hit rate")],
)
def test_the_cells_name_what_they_count(key: str, measure: str) -> None:
    first, second = (
        record({"people": {"names": list("abc"), "trials": {"all": [2] * 3}, key: {"all": hits}}})
        for hits in ([2, 2, 1], [1, 1, 1])
    )
    assert f"differ by +33.3 points of {measure}" in compare(first, second).sentence
    other = record({"pairs": {"C-N": {"people": PEOPLE}}})
    if key == "accuracy_hits":
        with pytest.raises(ValueError, match=r"count different things \(accuracy, rank-1\)"):
            compare(first, other)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (None, "no counts by person"),
        ({"trials": [[1]]}, "no counts by person"),
        ({"main": {"pairs": {}}}, "no counts by person"),
        ({"people": {"names": [], "genuine": []}, "det": {}}, "biometric"),
        ({"pairs": {"C-N": {"people": {"names": []}, "det": {}}}}, "biometric"),
        ({"people": {"names": ["a"], "trials": {"nm": [1]}}}, "damaged"),
        ({"people": {**PEOPLE, "hits": [3, 0]}}, "damaged"),
        ({"people": {**PEOPLE, "trials": {"nm": [1]}, "rank1_hits": {"nm": [1]}}}, "damaged"),
        ({"people": {**PEOPLE, "names": 3, "trials": {"nm": None}}}, "damaged"),
        ({"main": {"pairs": {"C-N": {"people": 3}}}}, "damaged .*C-N"),
        ({"pairs": {"C-N": {"people": {**PEOPLE, "trials": [4]}}}}, "damaged .*C-N"),
        ({"classes": ["x"], "outcomes": None}, "no outcome of each sample"),
        ({"classes": ["x"], "outcomes": {"sample": 3}}, "lack label"),
    ],
)
def test_records_without_counts_are_refused(cells: dict[str, Any] | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_kept(record(cells))


def test_a_perfect_table_is_not_certain() -> None:
    ends = table(noise=0.0).intervals(np.random.default_rng(0), draws=50)
    # Five people without an error: Wilson, 5 / (5 + 1.96^2).
    for name in ("rank1", "rank1/nm", "rank1/bg", "rank1/cl"):
        assert ends[name] == pytest.approx((0.5655, 1.0), abs=1e-4)
    assert widen_if_alike((0.2, 0.4), 0.3, 9) == (0.2, 0.4)
    assert widen_if_alike((0.0, 0.0), 1e-17, 5) == pytest.approx((0.0, 0.4345), abs=1e-4)


def test_an_older_record_wrote_people_without_zeros_and_is_matched_by_number() -> None:
    cells = table(1).record_cells()
    older = json.loads(json.dumps(cells))
    older["people"]["names"] = [str(int(name)) for name in cells["people"]["names"]]
    found = compare(record(table(2, noise=0.1).record_cells()), record(older), unit="people")
    same = compare(record(table(2, noise=0.1).record_cells()), record(cells), unit="people")
    assert (found.difference, found.gains) == (same.difference, same.gains)
    assert "people matched by number" in found.sentence
    assert "by number" not in same.sentence
    older["people"]["names"][0] = "stranger"
    with pytest.raises(ValueError, match="has the person"):
        compare(record(cells), record(older), unit="people")
