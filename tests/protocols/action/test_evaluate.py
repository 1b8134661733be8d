"""Accuracies against scikit-learn's, and what must hold of any of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    top_k_accuracy_score,
)

from protocols.action.evaluate import evaluate_action, label_rank
from protocols.action.scores import ClassScores
from protocols.action.table import ClassTable
from protocols.records import DatasetReference, ResultRecord
from protocols.statistics.intervals import wilson_interval
from protocols.statistics.outcomes import LARGEST_RECORD, Outcomes

SEEDS = st.integers(0, 2**32 - 1)


def scores(
    seed: int = 0, count: int = 60, size: int = 8, people: int = 6, unknown: float = 0.0
) -> ClassScores:
    """Random scores that lean to the label; the last class is never tested."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, max(size - 1, 1), count)
    logits = generator.standard_normal((count, size))
    logits[np.arange(count), label] += 1.0
    raised = np.exp(logits)
    hidden = generator.random(count) < unknown
    hidden[0] = False
    return ClassScores(
        sample=[f"s{i:04d}" for i in generator.permutation(count)],
        label=np.where(hidden, -1, label),
        classes=[f"class {k}" for k in range(size)],
        probabilities=raised / raised.sum(axis=1, keepdims=True),
        logits=logits,
        subject=[str(p) if people else "" for p in generator.integers(0, people or 1, count)],
        subset=np.where(np.arange(count) % 3 == 0, "copies", "others"),
    )


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, size=st.integers(2, 12), unknown=st.sampled_from([0.0, 0.3]))
def test_accuracies_equal_scikit_learn(seed: int, size: int, unknown: float) -> None:
    data = scores(seed, size=size, unknown=unknown)
    table = evaluate_action(data)
    known = data.label >= 0
    label, predicted = data.label[known], data.predicted[known]
    metrics = table.metrics
    assert metrics["top1"] == pytest.approx(accuracy_score(label, predicted))
    assert table.counts["unlabelled"] == int((~known).sum())
    expected = confusion_matrix(label, predicted, labels=np.arange(size))
    np.testing.assert_array_equal(table.confusion, expected)
    assert table.confusion.dtype == np.int64
    # scikit-learn, too, averages over the classes that have a sample; it warns of the others.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *args, **kwargs: None)
        balanced = balanced_accuracy_score(label, predicted)
    assert metrics["mean_class"] == pytest.approx(balanced)
    assert ("top5" in metrics) == (size > 5)
    if size > 5:
        top5 = top_k_accuracy_score(label, data.probabilities[known], k=5, labels=np.arange(size))
        assert metrics["top5"] == pytest.approx(top5)
    for subset in ("copies", "others"):
        here = known & (data.subset == subset)
        share = accuracy_score(data.label[here], data.predicted[here])
        assert metrics[f"top1/{subset}"] == pytest.approx(share)
        assert table.counts[f"test/{subset}"] == int(here.sum())
    assert metrics["majority"] == pytest.approx(np.bincount(label).max() / len(label))
    assert metrics["chance"] == pytest.approx(1 / size)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_order_of_samples_changes_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    data = scores(seed, unknown=0.2)
    tied = ClassScores(
        data.sample,
        data.label,
        data.classes,
        np.eye(8)[data.predicted] * 0.0 + 0.125,
        subject=data.subject,
        subset=data.subset,
    )
    for before in (data, tied):
        after = before.select(generator.permutation(len(before)))
        mine, theirs = evaluate_action(before), evaluate_action(after)
        assert mine.metrics == pytest.approx(theirs.metrics)
        assert mine.record_cells() == theirs.record_cells()
        assert mine.intervals(np.random.default_rng(0), draws=50) == theirs.intervals(
            np.random.default_rng(0), draws=50
        )


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_rank_of_the_label_among_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    raw = generator.integers(1, 4, (20, 7)).astype(np.float64)
    label = generator.integers(0, 7, 20)
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    data = ClassScores(
        [str(i) for i in range(20)], label, [str(k) for k in range(7)], probabilities
    )
    plain = [
        sorted(range(7), key=lambda k: (-row[k], k)).index(number)
        for row, number in zip(data.probabilities.tolist(), label.tolist(), strict=True)
    ]
    assert label_rank(data).tolist() == plain
    assert evaluate_action(data).metrics["top5"] == pytest.approx(np.mean(np.array(plain) < 5))
    assert evaluate_action(data).metrics["top1"] == pytest.approx(np.mean(np.array(plain) == 0))


def test_classes_without_a_sample_are_left_out_and_named() -> None:
    eye = np.eye(3)[[0, 0, 1]]
    table = evaluate_action(ClassScores(["a", "b", "c"], [0, 0, 0], ["x", "y", "z"], eye))
    assert table.metrics["mean_class"] == pytest.approx(2 / 3)
    assert table.counts["untested_classes"] == 2
    assert (table.correct.tolist(), table.tested.tolist()) == ([2, 0, 0], [3, 0, 0])
    assert "2 of 3 classes have no test sample and do not count in mean_class: y, z." in table.notes


def test_classes_without_any_probability_are_named() -> None:
    rows = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    table = evaluate_action(ClassScores(["a", "b"], [0, 1], ["x", "y", "fold"], rows))
    assert any(note.startswith("No sample has any probability of fold:") for note in table.notes)


def test_without_labels_there_is_nothing_to_evaluate() -> None:
    with pytest.raises(ValueError, match="None of the 2 scored samples has a known label"):
        evaluate_action(ClassScores(["a", "b"], [-1, -1], ["x", "y"], np.eye(2)))


def test_intervals_without_persons_are_wilsons() -> None:
    table = evaluate_action(scores(people=0))
    ends = table.intervals(np.random.default_rng(0))
    right = int(table.outcomes.correct.sum())
    low, high = wilson_interval(right, len(table.outcomes))
    assert ends["top1"] == (float(low), float(high))
    assert set(ends) == {"top1", "top5", "top1/copies", "top1/others"}
    assert "Intervals take the 60 test samples as independent: no person is known." in table.notes


def slow_bootstrap(table: ClassTable, draws: int) -> dict[str, tuple[float, float]]:
    """Draw persons, put their samples on one heap, count; the same draws as the real one."""
    generator = np.random.default_rng(5)
    persons = np.unique(table.outcomes.subject)
    values: dict[str, list[float]] = {"top1": [], "mean_class": [], "top1/copies": []}
    weights = generator.multinomial(len(persons), np.full(len(persons), 1 / len(persons)), draws)
    for times in weights:
        rows = np.concatenate(
            [
                np.repeat(np.flatnonzero(table.outcomes.subject == person), count)
                for person, count in zip(persons, times, strict=True)
            ]
        )
        right, label = table.outcomes.correct[rows], table.outcomes.label[rows]
        copies = table.outcomes.subset[rows] == "copies"
        values["top1"].append(right.mean())
        values["top1/copies"].append(right[copies].mean())
        values["mean_class"].append(np.mean([right[label == k].mean() for k in np.unique(label)]))
    return {
        name: (float(np.quantile(column, 0.025)), float(np.quantile(column, 0.975)))
        for name, column in values.items()
    }


def test_intervals_resample_persons_with_all_their_samples() -> None:
    table = evaluate_action(scores(3))
    ends = table.intervals(np.random.default_rng(5), draws=200)
    for name, expected in slow_bootstrap(table, 200).items():
        assert ends[name] == pytest.approx(expected)
    assert "Intervals resample only 6 persons: take them as rough." in table.notes


def test_a_rate_without_an_error_is_as_sure_as_its_people_are_many() -> None:
    label = np.tile([0, 1], 8)
    subset = np.where(np.arange(16) < 6, "few", "many")
    table = evaluate_action(
        ClassScores(
            [f"s{i}" for i in range(16)], label, ["x", "y"], np.eye(2)[label],
            subject=[f"p{i // 2}" for i in range(16)], subset=subset,
        )
    )  # fmt: skip
    ends = table.intervals(np.random.default_rng(0), draws=50)
    people = {"top1": 8, "mean_class": 8, "top1/few": 3, "top1/many": 5}
    assert ends == {
        name: pytest.approx([float(end) for end in wilson_interval(count, count)])
        for name, count in people.items()
    }


def test_a_sample_of_unknown_person_is_one_of_its_own() -> None:
    data = scores(1)
    half = np.where(np.arange(len(data)) % 2, data.subject, "")
    apart = np.where(half == "", [f"unknown {i}" for i in range(len(data))], half)
    tables = [
        evaluate_action(
            ClassScores(data.sample, data.label, data.classes, data.probabilities, subject=subject)
        )
        for subject in (half, apart)
    ]
    assert tables[0].counts["subjects"] == 6
    widths = [np.diff(table.intervals(np.random.default_rng(0))["top1"]).item() for table in tables]
    assert widths[0] == pytest.approx(widths[1], rel=0.15)
    assert "30 samples of unknown person" in tables[0].notes[-1]


def test_the_record_holds_all_that_a_comparison_needs() -> None:
    table = evaluate_action(scores(2, unknown=0.2), protocol="ours")
    record = ResultRecord(
        task="action",
        dataset=DatasetReference(name="test", fingerprint="", synthetic=True),
        protocol=table.protocol,
        rule="",
        objective="ce",
        stream="j",
        seed=0,
        metrics=dict(table.metrics),
        intervals=table.intervals(np.random.default_rng(0), draws=20),
        counts=dict(table.counts),
        settings={},
        environment={},
        seconds=0.0,
        command="",
        cells=table.record_cells(),
    )
    cells = ResultRecord.from_json(record.to_json()).cells
    assert cells is not None
    back = Outcomes.from_cells(cells)
    for name in ("classes", "sample", "label", "predicted", "subject", "subset"):
        np.testing.assert_array_equal(getattr(back, name), getattr(table.outcomes, name))
    dense = np.zeros((8, 8), dtype=np.int64)
    for true, predicted, count in cells["confusion"]:
        dense[true, predicted] = count
    np.testing.assert_array_equal(dense, table.confusion)
    assert cells["tested"] == table.confusion.sum(axis=1).tolist()
    assert cells["correct"] == np.diagonal(table.confusion).tolist()
    assert back.sample.tolist() == sorted(back.sample.tolist())


def test_outcomes_of_very_many_samples_stay_out_of_the_record() -> None:
    count = LARGEST_RECORD + 1
    label = np.arange(count) % 2
    data = ClassScores([str(i) for i in range(count)], label, ["x", "y"], np.eye(2)[label])
    cells = evaluate_action(data).record_cells()
    assert cells["outcomes"] is None
    assert len(json.dumps(cells)) < 500
    with pytest.raises(ValueError, match=f"keeps no outcome .* more than {LARGEST_RECORD} samples"):
        Outcomes.from_cells(cells)
    first = evaluate_action(data.select(np.arange(LARGEST_RECORD))).record_cells()
    assert len(Outcomes.from_cells(first)) == LARGEST_RECORD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": [0]}, "label must hold a number from 0 to 7 for each of 60 samples"),
        ({"predicted": [8] * 60}, "predicted must hold a number from 0 to 7"),
        ({"subject": ["x"] * 60}, "subject must hold a number"),
        ({"subjects": []}, "subject must hold a number"),
    ],
)
def test_damaged_outcomes_are_refused(change: dict[str, object], message: str) -> None:
    cells = evaluate_action(scores()).record_cells()
    cells["outcomes"] |= change
    with pytest.raises(ValueError, match=message):
        Outcomes.from_cells(cells)
    del cells["outcomes"]["label"]
    with pytest.raises(ValueError, match="lack label"):
        Outcomes.from_cells(cells)
    with pytest.raises(ValueError, match="keeps no outcome"):
        Outcomes.from_cells(None)
