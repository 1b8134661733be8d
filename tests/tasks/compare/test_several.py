"""`aclnet-task compare` of more than two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.records import ResultRecord
from protocols.statistics.comparison import compare

from .test_comparison import action, gait, walks


def told(call: Any, tmp_path: Path, *arguments: object) -> tuple[str, Any]:
    out = tmp_path / "told" / "out.json"
    text = call("compare", *arguments, "--json", out).out
    return str(text), json.loads(out.read_text())


def test_each_is_compared_with_the_first(call: Any, tmp_path: Path) -> None:
    paths = [gait(tmp_path / f"{name}.json", noise) for name, noise in
             (("ce", 2.0), ("acl", 0.2), ("twin", 2.0))]  # fmt: skip
    text, found = told(call, tmp_path, *paths, "--metric", "rank1")
    assert [(pair["first"], pair["second"]) for pair in found["pairs"]] == [
        ("ce", "acl"), ("ce", "twin")
    ]  # fmt: skip
    records = [ResultRecord.read(path) for path in paths]
    for pair, record in zip(found["pairs"], records[1:], strict=True):
        plain = compare(record, records[0])
        assert pair["verdict"]["difference"] == plain.difference
        assert pair["verdict"]["p_value_corrected"] >= pair["verdict"]["p_value"]
        assert pair["verdict"]["p_value"] == pytest.approx(plain.p_value, abs=0.01)
    assert [pair["verdict"]["verdict"] for pair in found["pairs"]] == ["better", "not significant"]
    assert [list(run["metrics"]) for run in found["runs"]] == [
        ["rank1", "rank1/nm", "rank1/bg", "rank1/cl"]
    ] * 3
    lines = text.splitlines()
    assert lines[0].startswith("gait on tiny (synthetic), protocol casia_b")
    assert any(line.split()[:2] == ["acl", "ce"] and line.endswith("  better") for line in lines)
    assert "corrected for 2 comparisons (Holm)" in lines[-1]
    assert "for these training runs only" in lines[-1]


def test_all_pairs(call: Any, tmp_path: Path) -> None:
    paths = [gait(tmp_path / f"{name}.json", 1.0, seed) for seed, name in enumerate("abcd")]
    text, found = told(call, tmp_path, *paths, "--pairs")
    assert "corrected for 6 comparisons" in text
    assert {(pair["first"], pair["second"]) for pair in found["pairs"]} == {
        ("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")
    }  # fmt: skip
    # Two are one pair, shown in full.
    two = paths[:2]
    assert call("compare", *two, "--pairs").out == call("compare", *two).out


def test_seeds_are_paired_in_each_comparison(call: Any, tmp_path: Path) -> None:
    for name, noise, seeds in (
        ("ce", 2.0, (0, 1, 2)),
        ("inter", 1.9, (0, 1)),
        ("acl", 0.2, (1, 2)),
    ):
        for seed in seeds:
            gait(tmp_path / f"{name}-seed{seed}.json", noise, seed,
                 settings={"train": {"seed": seed}})  # fmt: skip
    patterns = [tmp_path / f"{name}-seed*.json" for name in ("ce", "inter", "acl")]
    text, found = told(call, tmp_path, *patterns)
    assert "±" in text
    assert "Note: acl-seed* and ce-seed*: Only one side has seed 0: not compared." in text
    assert [run["seeds"] for run in found["runs"]] == [[0, 1, 2], [0, 1], [1, 2]]
    assert all("p_value_of_trainings" in pair["verdict"] for pair in found["pairs"])
    assert "for these training runs only" not in text


def test_what_is_not_comparable_has_no_verdict_and_is_not_corrected_for(
    call: Any, tmp_path: Path
) -> None:
    first = gait(tmp_path / "a.json", 2.0)
    second = gait(tmp_path / "b.json", 0.2)
    third = gait(tmp_path / "c.json", 0.2, rule="opengait")
    text, found = told(call, tmp_path, first, second, third)
    assert found["pairs"][1]["verdict"] is None
    assert "c and a: No verdict: other rule (exact; opengait)." in text
    assert "corrected for 1 comparison (Holm)" in text
    alone = call("compare", third, first, second).out
    assert "There is no comparison to correct." in alone


def test_too_few_people_are_told(call: Any, tmp_path: Path) -> None:
    paths = [gait(tmp_path / f"{name}.json", noise, people=6)
             for name, noise in (("a", 2.0), ("b", 0.1), ("c", 0.2))]  # fmt: skip
    assert (
        "With 6 people, no difference can be significant in 2 comparisons."
        in told(call, tmp_path, *paths)[0]
    )


def test_files_and_records_are_compared_together(call: Any, tmp_path: Path) -> None:
    for name, noise in (("a", 1.2), ("b", 0.2)):
        walks(noise, 0).save(tmp_path / f"{name}.npz")
    record = tmp_path / "c.json"
    options = ("--task", "gait", "--rule", "exact")
    call("gait", "eval", "--embeddings", tmp_path / "b.npz", "--json", record)
    _, found = told(call, tmp_path, tmp_path / "a.npz", tmp_path / "b.npz", record, *options)
    first, second = (pair["verdict"]["difference"] for pair in found["pairs"])
    assert first == second > 0


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (("a",), (), ("only", "name two runs or more")),
        (("a", "b", "a"), (), ("a.json is given twice",)),
        (("a", "b", "x"), (), ("gait", "x.json of action", "one task")),
        (("a", "b", "c"), ("--top", "3"), ("--top", "two runs")),
        (("a", "b", "c"), ("--metric", "top1"), ("top1", "all runs", "rank1, rank5")),
    ],
)
def test_mistakes(
    names: tuple[str, ...], options: tuple[str, ...], words: tuple[str, ...], mistake: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    for name in "abc":
        gait(tmp_path / f"{name}.json", 1.0)
    action(tmp_path / "x.json", ())
    mistake("compare", *(tmp_path / f"{name}.json" for name in names), *options, words=words)


def test_equal_names_are_told_apart_by_their_paths(call: Any, tmp_path: Path) -> None:
    for place in ("one", "two", "three"):
        (tmp_path / place).mkdir()
        gait(tmp_path / place / "acl.json", 1.0)
    paths = [tmp_path / place / "acl.json" for place in ("one", "two", "three")]
    _, found = told(call, tmp_path, *paths)
    assert [run["name"] for run in found["runs"]] == list(map(str, paths))
