"""Classifications as text."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from protocols.action.table import ClassTable
from protocols.action.text import render_classification
from protocols.text import render_notes


def classification(seed: int = 0, size: int = 7, count: int = 60) -> ClassTable:
    generator = np.random.default_rng(seed)
    label = np.arange(count) % size
    given_class = np.where(generator.random(count) < 0.3, (label + 1) % size, label)
    return evaluate_action(
        ClassScores(
            [f"s{i:02d}" for i in range(count)],
            label,
            [f"action {'abcdefgh'[k]}" for k in range(size)],
            np.eye(size)[given_class],
            subject=[str(i % 6) for i in range(count)],
            subset=["copies" if i % 4 == 0 else "others" for i in range(count)],
        ),
        protocol="nwucla_xview",
    )


def test_a_row_a_subset_and_what_guessing_would_reach() -> None:
    ours = classification()
    ends = ours.intervals(np.random.default_rng(0))
    text = render_classification(ours, "acl", ends)
    title, accuracies, others, _, counts = text.split("\n\n")
    assert title == "nwucla_xview: accuracy in percent"
    head, _, *rows = accuracies.splitlines()
    assert head.split() == ["subset", "tested", "top1", "interval", "top5", "mean", "class"]
    low, high = (f"{100 * end:.2f}" for end in ends["top1"])
    top1, top5, mean = (f"{100 * ours.metrics[n]:.2f}" for n in ("top1", "top5", "mean_class"))
    assert rows[0].split() == ["acl", "all", "60", top1, low, "to", high, top5, mean]
    further = [f"{100 * end:.2f}" for name in ("top5", "mean_class") for end in ends[name]]
    assert others.splitlines()[-1].replace("to", "").split() == ["all", *further]
    assert rows[1].split()[:4] == [
        "acl",
        "copies",
        "15",
        f"{100 * ours.metrics['top1/copies']:.2f}",
    ]
    assert [row.split()[0] for row in rows] == ["acl"] * 3 + ["majority", "chance"]
    assert rows[3].split() == ["majority", "all", "60", f"{100 * 9 / 60:.2f}"]
    assert rows[4].split() == ["chance", "all", "60", f"{100 / 7:.2f}"]
    assert counts == render_notes(ours.notes, ours.counts)
    assert "Note: Intervals resample only 6 persons" in counts


def test_the_worst_classes_are_named_with_what_they_are_taken_for() -> None:
    ours = classification()
    rows = render_classification(ours, "acl").split("\n\n")[2].splitlines()[2:]
    assert len(rows) == 5
    rates = [float(row.split()[-1]) for row in rows]
    assert rates == sorted(rates)
    accuracy = ours.correct / ours.tested
    assert rates[0] == pytest.approx(100 * accuracy.min(), abs=0.01)
    worst = int(np.argmin(accuracy))
    other = "abcdefg"[(worst + 1) % 7]
    missed = int(ours.tested[worst] - ours.correct[worst])
    assert rows[0].startswith(f"action {'abcdefg'[worst]}")
    assert f"action {other} ({missed})" in rows[0]


def test_classes_come_by_accuracy_and_their_mistakes_by_count_then_by_number() -> None:
    counts = [[5, 2, 2, 1], [0, 0, 0, 0], [0, 0, 3, 0], [4, 0, 0, 4]]
    pairs = [(k, j) for k, row in enumerate(counts) for j, n in enumerate(row) for _ in range(n)]
    label, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    keys, names = [str(i) for i in range(len(pairs))], ["sit", "rise", "wave", "drink"]
    table = evaluate_action(ClassScores(keys, label, names, np.eye(4)[predicted]))
    rows = render_classification(table, "acl").split("\n\n")[2].splitlines()[2:]
    assert [row.split("  ")[0] for row in rows] == ["sit", "drink"]
    assert "rise (2), wave (2), drink (1)" in rows[0]
    assert rows[1].split()[1:] == ["sit", "(4)", "8", "50.00"]


def test_what_a_small_faultless_classification_lacks_is_not_shown() -> None:
    table = evaluate_action(ClassScores(["a", "b"], [0, 1], ["x", "y"], np.eye(2)))
    text = render_classification(table, "acl")
    _, accuracies, counts = text.split("\n\n")
    assert accuracies.splitlines()[0].split() == ["subset", "tested", "top1", "mean", "class"]
    assert counts.startswith("Counts: test 2, unlabelled 0, classes 2")
