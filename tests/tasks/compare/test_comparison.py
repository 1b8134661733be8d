"""`aclnet-task compare`: what it says of two runs, and of what is not a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.records import DatasetReference, ResultRecord
from protocols.reid.evaluate import evaluate_reid

Write = Callable[..., Path]


def save(path: Path, **fields: Any) -> Path:
    ready: dict[str, Any] = {
        "dataset": DatasetReference(name="tiny", fingerprint="0123456789abcdef", synthetic=True),
        "protocol": "casia_b",
        "rule": "exact",
        "objective": "ce",
        "stream": "j",
        "seed": 0,
        "intervals": {},
        "counts": {},
        "settings": {"objective": {"weight": 0.0}, "train": {"seed": 0, "epochs": 3}},
        "environment": {"torch": "2.0"},
        "seconds": 1.0,
        "command": "",
    }
    ResultRecord(**{**ready, **fields}).write(path)
    return path


def action(path: Path, wrong: tuple[int, ...], **fields: Any) -> Path:
    """Forty recordings of four classes by ten persons; `wrong` persons get class `b` wrong."""
    label, person = np.divmod(np.arange(40), 10)
    scores = np.eye(4)[label]
    missed = np.isin(person, wrong) & (label == 1)
    scores[missed] = np.eye(4)[0]
    table = evaluate_action(
        ClassScores(
            sample=np.array([f"s{row}" for row in range(40)]),
            label=label,
            classes=np.array(list("abcd")),
            probabilities=scores.astype(np.float32),
            subject=np.array([f"p{number}" for number in person]),
        )
    )
    values = {
        "task": "action",
        "metrics": dict(table.metrics),
        "intervals": table.intervals(np.random.default_rng(0), draws=50),
        "counts": dict(table.counts),
        "cells": table.record_cells(),
    }
    return save(path, **{**values, **fields})


def walks(noise: float, seed: int, people: int = 12) -> Embeddings:
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(f"{s:03}", c, t, 18 * v) for s in range(people) for c, t in takes for v in range(3)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    random = np.random.default_rng(seed).normal(size=(len(rows), people))
    embedding = np.eye(people)[subject.astype(int)] + noise * random
    return Embeddings(embedding.astype(np.float32), subject, condition, take, view)


def gait(path: Path, noise: float, seed: int = 0, people: int = 12, **fields: Any) -> Path:
    table = evaluate_gait(walks(noise, seed, people))
    values = {
        "task": "gait",
        "metrics": dict(table.metrics),
        "intervals": table.intervals(np.random.default_rng(0), draws=50),
        "counts": dict(table.counts),
        "cells": table.record_cells(),
        "seed": seed,
    }
    return save(path, **{**values, **fields})


def reid(path: Path, noise: float, **fields: Any) -> Path:
    table = evaluate_reid(walks(noise, 0), "casia_b", ["N-N", "C-N"])
    values = {
        "task": "reid",
        "rule": "clean",
        "metrics": dict(table.metrics),
        "cells": {"main": table.record_cells()},
    }
    return save(path, **{**values, **fields})


def compared(call: Any, *arguments: object) -> str:
    done = call("compare", *arguments)
    return str(done.out)


def test_labels_are_for_the_side_without_its_own(call: Any, mistake: Any, tmp_path: Path) -> None:
    own = walks(0.2, 0)
    own.save(tmp_path / "A.npz")
    np.save(tmp_path / "B.npy", walks(0.2, 1).embedding)
    fields = {name: getattr(own, name) for name in ("subject", "condition", "take", "view")}
    pd.DataFrame(fields).to_csv(tmp_path / "lab.csv", index=False)
    files = (tmp_path / "A.npz", tmp_path / "B.npy")
    assert "rank1" in compared(call, *files, "--labels", tmp_path / "lab.csv")
    told = mistake("compare", files[0], files[0], "--labels", tmp_path / "lab.csv")
    assert "A.npz has labels of its own; leave it out" in told


def test_class_scores_are_known_by_their_content(call: Any, tmp_path: Path) -> None:
    rows = ["sample,label,subject,sit,wave", *(f"{i},wave,{i % 8},0.4,0.6" for i in range(16))]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    (tmp_path / "b.csv").write_text("\n".join(rows).replace("0.4,0.6", "0.6,0.4"))
    np.save(tmp_path / "c.npy", np.tile([0.4, 0.6], (16, 1)))
    labels = [row.replace("wave", "1") for row in rows]
    (tmp_path / "c.csv").write_text("\n".join(row.rsplit(",", 2)[0] for row in labels))
    text = compared(call, tmp_path / "a.csv", tmp_path / "b.csv")
    assert "both    action on" in text
    assert "Significant: b is worse than a by 100.0 points of top-1" in text
    assert "top1" in compared(call, tmp_path / "c.npy", tmp_path / "c.npy")


def test_action_runs_by_class_person_and_verdict(call: Any, tmp_path: Path) -> None:
    settings = {"objective": {"weight": 0.2}, "train": {"seed": 0, "epochs": 3}, "fat": True}
    old = action(tmp_path / "old.json", tuple(range(8)))
    new = action(tmp_path / "new.json", (0,), objective="acl", settings=settings)
    out = tmp_path / "there" / "out.json"
    text = compared(call, old, new, "--json", out)
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert lines["objective.weight"].split()[1:] == ["0.0", "0.2"]
    assert lines["fat"].split()[1:] == ["(none)", "True"]
    assert "train.epochs" not in text
    assert lines["top1"].split()[1] == "80.00"
    assert lines["top1"].split()[-1] == "+17.50"
    assert lines["b"].split()[1] == "+70.0"
    assert "people: 7 gain with new, 0 lose, 3 are unchanged" in text
    assert "classes: 1 gain with new, 0 lose, 3 are unchanged" in text
    assert text.splitlines()[-1].startswith("Significant: new is better than old by 17.5 points")
    assert len(text.splitlines()) < 50
    told = json.loads(out.read_text())
    assert told["comparable"] is True
    assert (told["verdict"]["verdict"], told["verdict"]["only_first"]) == ("better", 7)
    assert {gain["name"] for gain in told["people"] if gain["difference"] > 0} == {
        f"p{number}" for number in range(1, 8)
    }
    assert told["settings"][0] == {"name": "objective.weight", "first": 0.0, "second": 0.2}
    top1 = next(figure for figure in told["metrics"] if figure["metric"] == "top1")
    assert top1["difference"] == pytest.approx(0.175)
    # The other way round the same is worse.
    assert "old is worse than new" in compared(call, new, old)


def test_gait_and_reid_runs_by_people(call: Any, tmp_path: Path) -> None:
    for kind in (gait, reid):
        old, new = kind(tmp_path / "old.json", 2.0), kind(tmp_path / "new.json", 0.2)
        text = compared(call, old, new, "--top", "2")
        assert "Significant: new is better than old by" in text
        assert "over 12 people" in text
        assert "The settings are the same." in text
        table = text.split("gained most")[1].split("\n\n")[0].splitlines()
        assert len(table) == 4  # the rest of the header, a rule, two people
        same = compared(call, old, old)
        assert "Not significant: " in same
        assert "people: 0 gain" in same


def test_the_difference_is_that_of_the_figures(call: Any, tmp_path: Path) -> None:
    old, new = gait(tmp_path / "old.json", 1.0, 1), gait(tmp_path / "new.json", 0.8, 2)
    out = tmp_path / "out.json"
    compared(call, old, new, "--json", out, "--metric", "rank1")
    told = json.loads(out.read_text())
    names = [figure["metric"] for figure in told["metrics"]]
    assert names == ["rank1", "rank1/nm", "rank1/bg", "rank1/cl"]
    by_people = told["verdict"]["difference"]
    assert told["metrics"][0]["difference"] == pytest.approx(by_people)
    gains = [gain["difference"] for gain in told["people"]]
    assert np.mean(gains) == pytest.approx(by_people)
    assert gains == sorted(gains, reverse=True)


def test_seeds_are_paired(call: Any, tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        settings = {"train": {"seed": seed, "epochs": 3}}
        gait(tmp_path / f"ce-seed{seed}.json", 2.0, seed, settings=settings)
        if seed < 2:
            gait(tmp_path / f"acl-seed{seed}.json", 0.2, seed, settings=settings)
    text = compared(call, tmp_path / "ce-seed*.json", tmp_path / "acl-seed*.json")
    assert "Only one side has seed 2: not compared." in text
    assert "seeds 0, 1" in text
    assert "±" in text
    assert "train.seed" not in text
    assert "acl-seed* is better than ce-seed*" in text
    action(tmp_path / "a0.json", (0, 1))
    others = {"objective": {"weight": 0.5}, "train": {"seed": 1, "epochs": 9}}
    action(tmp_path / "a1.json", (0, 2), seed=1, settings=others)
    action(tmp_path / "b0.json", ())
    action(tmp_path / "b1.json", (), seed=1)
    text = compared(call, tmp_path / "a?.json", tmp_path / "b?.json")
    assert "by pair +5.0, +5.0" in text
    assert "The runs of a? differ from each other in objective.weight, train.epochs." in text


def test_what_is_not_comparable_says_so_and_has_no_verdict(call: Any, tmp_path: Path) -> None:
    old = gait(tmp_path / "old.json", 1.0)
    other = DatasetReference(name="kgbd", fingerprint="f" * 64, synthetic=False)
    new = gait(tmp_path / "new.json", 0.5, dataset=other, rule="opengait", counts={"probes": 1})
    out = tmp_path / "out.json"
    text = compared(call, old, new, "--json", out)
    why = "other data set (tiny 01234567; kgbd ffffffff), other rule (exact; opengait)"
    assert f"NOT COMPARABLE: {why}" in text
    assert text.splitlines()[-1] == f"No verdict: {why}."
    assert "gained most" not in text
    assert "probes 216 -> 1" in text
    told = json.loads(out.read_text())
    assert (told["comparable"], told["verdict"], told["people"]) == (False, None, [])


def test_other_people_or_older_records_have_figures_but_no_verdict(
    call: Any, tmp_path: Path
) -> None:
    old = gait(tmp_path / "old.json", 1.0)
    fewer = gait(tmp_path / "fewer.json", 1.0, people=9)
    text = compared(call, old, fewer)
    assert "No verdict: Only one of fewer and old has the person '009'" in text
    assert "rank1/nm" in text
    before = json.loads(old.read_text())
    del before["cells"]["people"]
    (tmp_path / "before.json").write_text(json.dumps(before))
    text = compared(call, tmp_path / "before.json", old)
    assert "No verdict: The record keeps no counts by person" in text
    damaged = json.loads(action(tmp_path / "a.json", ()).read_text())
    damaged["cells"]["outcomes"]["sample"] = 3
    (tmp_path / "damaged.json").write_text(json.dumps(damaged))
    text = compared(call, tmp_path / "a.json", tmp_path / "damaged.json")
    assert "No verdict: The outcomes in the record of damaged are damaged" in text


def test_run_folders(call: Any, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    gait(tmp_path / "first" / "record.json", 2.0)
    gait(tmp_path / "second" / "record.json", 0.2)
    text = compared(call, tmp_path / "first", tmp_path / "second" / "record.json")
    assert "second is better than first" in text
    # Two folders of one name are told apart by their paths.
    shutil.copytree(tmp_path / "second", tmp_path / "deep" / "first")
    text = compared(call, tmp_path / "first", tmp_path / "deep" / "first")
    assert f"{tmp_path / 'deep' / 'first'} is better than {tmp_path / 'first'}" in text


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("gone", "gait.json", ("gone", "no such run folder or record file")),
        ("gait.json", "gone*.json", ("gone*.json", "no run folder or record file")),
        ("empty", "gait.json", ("empty is not a run", "record.json")),
        ("unfinished", "gait.json", ("record.json is missing", "unfinished", "--resume")),
        ("gait.json", "cut.json", ("cut.json", "not a result record")),
        ("gait.json", "bytes.json", ("bytes.json",)),
        ("gait.json", "list.json", ("list.json", "not a result record")),
        ("gait.json", "newer.json", ("newer.json", "of version 3", "update aclnet")),
        ("gait.json", "nan.json", ("nan.json", "not a result record")),
        ("gait.json", "action.json", ("gait", "action", "one task")),
        ("mixed-*.json", "gait.json", ("mixed-", "is not comparable with", "other protocol")),
        ("twin-*.json", "gait.json", ("twin-", "seed 0 twice")),
        ("seed-*.json", "later-*.json", ("seeds 0, 1", "seeds 7, 8", "none is on both")),
    ],
)
def test_mistakes(
    first: str, second: str, words: tuple[str, ...], mistake: Any, tmp_path: Path
) -> None:
    whole = gait(tmp_path / "gait.json", 1.0).read_text()
    action(tmp_path / "action.json", ())
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "run.json").write_text(
        json.dumps(
            {
                "task": "gait",
                "classes": ["1"],
                "layout": {},
                "channels": ["x"],
                "unit": "pixel",
                "dataset": "d",
                "fingerprint": "f",
                "synthetic": True,
            }
        )
    )
    (tmp_path / "cut.json").write_text(whole[:500])
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "list.json").write_text("[" * 5000)
    (tmp_path / "newer.json").write_text(whole.replace('"schema": 2', '"schema": 3'))
    (tmp_path / "nan.json").write_text(whole.replace('"seconds": 1.0', '"seconds": NaN'))
    for number in (0, 1):
        gait(tmp_path / f"mixed-{number}.json", 1.0, number, protocol=f"p{number}")
        gait(tmp_path / f"twin-{number}.json", 1.0)
        gait(tmp_path / f"seed-{number}.json", 1.0, number)
        gait(tmp_path / f"later-{number}.json", 1.0, 7 + number)
    mistake("compare", tmp_path / first, tmp_path / second, words=words, alone=True)


def test_a_metric_that_is_not_there_is_named_with_those_that_are(call: Any, tmp_path: Path) -> None:
    path = gait(tmp_path / "gait.json", 1.0)
    done = call("compare", path, path, "--metric", "top1", code=2)
    assert "top1" in done.err
    assert "rank1, rank5" in done.err
    every = compared(call, path, path, "--metric", "all")
    assert "chance/cl" in every
    assert "more figures" not in every


def test_two_files_of_embeddings_are_compared_by_key(call: Any, tmp_path: Path) -> None:
    worse, better = tmp_path / "worse.npz", tmp_path / "better.csv"
    walks(1.2, 0).save(worse)
    data = walks(0.6, 1)
    order = np.random.default_rng(2).permutation(len(data))
    table = pd.DataFrame({name: getattr(data, name) for name in ("subject", "take", "view")})
    table["condition"] = np.char.upper(data.condition)
    for column, values in enumerate(data.embedding.T):
        table[f"e{column}"] = values
    table.iloc[order].to_csv(better, index=False)
    out = tmp_path / "out.json"
    text = compared(call, worse, better, "--protocol", "casia_b", "--json", out)
    told = json.loads(out.read_text())
    assert told["comparable"]
    assert told["verdict"]["verdict"] == "better"
    assert told["verdict"]["low"] > 0
    assert "Significant: better is better than worse by" in text
    assert "% interval +" in text
    # The same as of their records, which say what was tested.
    records = [tmp_path / f"{path.stem}.json" for path in (worse, better)]
    for path, record in zip((worse, better), records, strict=True):
        call("gait", "eval", "--embeddings", path, "--name", path.stem, "--json", record)
    call("compare", *records, "--json", out)
    assert json.loads(out.read_text())["verdict"] == told["verdict"]
    # A file against a record, and the pairs of re-identification.
    assert "better is better than worse" in compared(call, records[0], better)
    reid_text = compared(call, worse, better, "--task", "reid", "--rule", "cross-take")
    assert "both    reid on data" in reid_text
    assert "rule cross-take" in reid_text


def test_files_of_other_samples_are_not_comparable(call: Any, tmp_path: Path) -> None:
    data = walks(1.0, 0)
    data.save(tmp_path / "all.npz")
    data.select(np.arange(1, len(data))).save(tmp_path / "fewer.npz")
    text = compared(call, tmp_path / "all.npz", tmp_path / "fewer.npz")
    assert "NOT COMPARABLE: other data set" in text
    assert "Note: Only all has sample '000-nm-1-0' (1 in all)." in text


def test_a_file_beside_a_record_is_evaluated_as_the_record(call: Any, tmp_path: Path) -> None:
    file, old = tmp_path / "mine.npz", tmp_path / "old.json"
    walks(0.6, 1).save(file)
    walks(1.2, 0).save(tmp_path / "theirs.npz")
    options = ("--rule", "cross-take", "--json", old)
    call("reid", "eval", "--embeddings", tmp_path / "theirs.npz", *options)
    for sides in ((old, file), (file, old)):
        text = compared(call, *sides)
        assert "protocol casia_b, rule cross-take" in text
        assert "% interval" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--protocol", "casia"), ("casia", "casia_b")),
        (("--rule", "clean"), ("exact", "clean")),
        (("--task", "action", "--protocol", "x"), ("--protocol", "action eval")),
        (("--task", "sprint"), ("sprint", "gait")),
    ],
)
def test_mistakes_with_files(
    options: tuple[str, ...], words: tuple[str, ...], mistake: Any, tmp_path: Path
) -> None:
    walks(1.0, 0).save(tmp_path / "a.npz")
    mistake("compare", tmp_path / "a.npz", tmp_path / "a.npz", *options, words=words)


def test_records_keep_their_own_protocol(mistake: Any, tmp_path: Path) -> None:
    old = gait(tmp_path / "old.json", 1.0)
    mistake("compare", old, old, "--protocol", "casia_b", words=("--protocol", "records"))
