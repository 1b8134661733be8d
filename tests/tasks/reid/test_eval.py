from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from protocols.embeddings import Embeddings, load_embeddings
from protocols.groups import RunEntry, group_runs
from protocols.records import ResultRecord
from protocols.reid.evaluate import evaluate_reid

OTHERS = ("transg", "cross-take", "walk")
PAIRS = ("N-N", "B-B", "C-C", "C-N", "B-N")
Judge = Callable[..., tuple[ResultRecord, str]]


@pytest.fixture
def judge(call: Any, tmp_path: Path) -> Judge:
    """`reid eval` with these options: its record and its text."""

    def run(*options: object) -> tuple[ResultRecord, str]:
        out = tmp_path / "out.json"
        done = call("reid", "eval", *options, "--json", out)
        return ResultRecord.from_json(out.read_text()), done.out

    return run


def anybodys(path: Path, **fields: Any) -> Path:
    """Six people, NM takes 1 and 2 and a CL take each, two sequences a walk, as a file."""
    rng = np.random.default_rng(0)
    rows = [
        (f"P{person}", condition, take)
        for person in range(6)
        for condition, take in (("nm", "1"), ("nm", "2"), ("cl", "1"))
        for _ in "ab"
    ]
    subject, condition, take = (np.array(column) for column in zip(*rows, strict=True))
    vectors = rng.normal(size=(6, 4))[np.repeat(np.arange(6), 6)] + rng.normal(size=(36, 4))
    content = {"embedding": vectors.astype(np.float32), "subject": subject}
    content |= {"condition": condition, "take": take, **fields}
    np.savez(path, **{name: value for name, value in content.items() if value is not None})
    return path


def test_eval_needs_no_network(reid_copy: Path, judge: Judge, record: Any) -> None:
    (reid_copy / "checkpoint.pt").unlink()
    before = record(reid_copy)
    for options in ((), ("--all-pairs",)):
        found, text = judge("--run", reid_copy, *options)
        main = {name for name in before["metrics"] if name.split("/")[0] not in OTHERS}
        assert found.metrics == {name: before["metrics"][name] for name in main}
        known = before["intervals"]
        assert found.intervals == {name: tuple(known[name]) for name in main & known.keys()}
        assert found.cells is not None
        assert found.cells["main"] == before["cells"]["main"]
        assert found.counts["probes/C-N"] == before["counts"]["probes/C-N"]
        assert found.dataset.model_dump() == before["dataset"]
        assert f"{100 * found.metrics['rank1']:.2f}" in text
        assert [row.split()[1] for row in text.splitlines() if row[:4] == "acl "] == [
            *PAIRS,
            "mean",
        ]


@pytest.mark.parametrize(("probe", "gallery"), [("C", "N"), ("cl", "NM"), ("c", "nm")])
def test_one_pair(probe: str, gallery: str, reid_run: Path, judge: Judge, record: Any) -> None:
    found, text = judge("--run", reid_run, "--probe", probe, "--gallery", gallery)
    metrics = record(reid_run)["metrics"]
    assert found.cells is not None
    assert set(found.cells["main"]["pairs"]) == {"C-N"}
    assert found.metrics["rank1"] == metrics["rank1/C-N"]
    assert found.metrics["mAP/C-N"] == metrics["mAP/C-N"]
    assert "N-N" not in text


def test_a_pair_that_is_not_listed(reid_run: Path, judge: Judge) -> None:
    found, _ = judge("--run", reid_run, "--probe", "N", "--gallery", "C")
    assert "rank1/N-C" in found.metrics


@pytest.mark.parametrize("rule", ["clean", "transg", "cross-take", "market1501", "spc-mgr", "sge"])
def test_every_rule(rule: str, reid_run: Path, judge: Judge) -> None:
    found, text = judge("--run", reid_run, "--rule", rule)
    assert found.rule == rule
    assert f"casia_b, rule {rule}, " in text
    saved = load_embeddings(reid_run / "embeddings.npz")
    expected = evaluate_reid(saved, "casia_b", None, rule).metrics
    assert found.metrics == pytest.approx(expected)
    assert ("mAP" in found.metrics) == (rule != "sge")
    metric = "euclidean" if rule in ("transg", "spc-mgr", "sge") else "cosine"
    assert found.settings["evaluation"] == {"metric": metric, "level": "sequence"}


def test_metric_and_level(reid_run: Path, judge: Judge, record: Any) -> None:
    metrics = record(reid_run)["metrics"]
    walk, text = judge("--run", reid_run, "--level", "walk")
    assert "whole walks" in text
    for pair in PAIRS:
        assert walk.metrics[f"rank1/{pair}"] == metrics[f"walk/rank1/{pair}"]
    assert walk.counts["probes/C-N"] == 3 * 3 * 2
    assert walk.settings["evaluation"]["level"] == "walk"
    plain, _ = judge("--run", reid_run, "--metric", "euclidean")
    # Unit vectors have the same order under both.
    assert plain.metrics["rank1"] == metrics["rank1"]
    assert plain.settings["evaluation"]["metric"] == "euclidean"


def test_reranking_and_expansion(reid_run: Path, judge: Judge, record: Any) -> None:
    before = record(reid_run)["metrics"]
    found = {}
    for name, options in {
        "rerank": ("--rerank", "5,2,0.3"),
        "expand": ("--expand", "2,3"),
        "both": ("--rerank", "5,2,0.3", "--expand", "2,3"),
        "neither": ("--rerank", "5,2,1"),
    }.items():
        found[name], text = judge("--run", reid_run, *options)
        assert ("re-ranked (5, 2, " in text) == ("--rerank" in options)
        assert ("expanded (2, 3.0)" in text) == ("--expand" in options)
    settings = found["both"].settings
    assert (settings["rerank"], settings["expand"]) == ([5, 2, 0.3], [2, 3.0])
    assert found["expand"].settings["rerank"] is None
    values = [found[name].metrics["mAP/C-N"] for name in ("rerank", "expand", "both")]
    assert len({*values, before["mAP/C-N"]}) == 4
    # The plain distance alone: no re-ranking at all.
    assert found["neither"].metrics["mAP/C-N"] == pytest.approx(before["mAP/C-N"], abs=1e-6)
    assert found["neither"].metrics["rank1"] == before["rank1"]
    # The same probes and galleries are judged, whatever their distances.
    assert found["both"].counts["gallery/C-N"] == record(reid_run)["counts"]["gallery/C-N"]


def test_a_set_in_itself_is_expanded_once(reid_run: Path, judge: Judge) -> None:
    """Two neighbours are a sequence and another, never a sequence and its copy in the gallery."""
    same = ("--run", reid_run, "--probe", "N", "--gallery", "N")
    plain, _ = judge(*same)
    expanded, _ = judge(*same, "--expand", "2,3")
    assert expanded.metrics["mAP"] != plain.metrics["mAP"]
    one, _ = judge(*same, "--expand", "1,3")
    assert one.metrics["mAP"] == pytest.approx(plain.metrics["mAP"], abs=1e-6)
    saved = load_embeddings(reid_run / "embeddings.npz")
    own = saved.select(np.flatnonzero(saved.condition == "nm"))
    rows = own.embedding.astype(np.float64)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -1)
    nearest = cosines.argmax(axis=1)
    weights = np.maximum(cosines.max(axis=1), 0) ** 3
    grown = replace(own, embedding=(rows + weights[:, None] * rows[nearest]).astype(np.float32))
    expected = evaluate_reid(grown, "casia_b", ["N-N"]).metrics
    assert expanded.metrics["mAP"] == pytest.approx(expected["mAP"], abs=1e-3)


def test_a_record_of_one_pair_is_no_repeat_of_the_runs(
    reid_run: Path, judge: Judge, record: Any
) -> None:
    own = RunEntry("own.json", ResultRecord.model_validate(record(reid_run)))
    again, pair, other, rule, walk = (
        RunEntry(f"{name}.json", judge("--run", reid_run, *options)[0])
        for name, options in {
            "again": (),
            "pair": ("--probe", "C", "--gallery", "N"),
            "other": ("--probe", "B", "--gallery", "N"),
            "rule": ("--rule", "cross-take"),
            "walk": ("--level", "walk"),
        }.items()
    )
    groups = group_runs([own, again, pair, other, rule, walk])
    assert [group.files for group in groups] == [
        (f"{name}.json",) for name in ("own", "pair", "other", "rule", "walk")
    ]
    assert groups[0].repeated == ("again.json",)
    settings = pair.record.settings
    assert (settings["pairs"], settings["protocol"], settings["rule"]) == (
        ["C-N"], "casia_b", "clean",
    )  # fmt: skip
    assert settings["evaluation"] == {"metric": "cosine", "level": "sequence"}
    assert rule.record.settings["rule"] == "cross-take"


def test_a_record_of_a_file_says_what_was_asked(judge: Judge, tmp_path: Path) -> None:
    path = anybodys(tmp_path / "mine.npz")
    every, _ = judge("--embeddings", path)
    one, _ = judge("--embeddings", path, "--probe", "C", "--gallery", "N", "--rule", "cross-take")
    assert every.settings["pairs"] == ["N-N", "C-C", "C-N"]
    asked = {"protocol": "casia_b", "pairs": ["C-N"], "rule": "cross-take"}
    assert one.settings | asked == one.settings


def test_a_runs_file_is_judged_by_the_runs_protocol(
    reid_copy: Path, call: Any, judge: Judge, tmp_path: Path
) -> None:
    mine = tmp_path / "dress.yaml"
    mine.write_text("sets: {A: nm, K: cl}\npairs: [K-A]\n")
    settings = reid_copy / "settings.yaml"
    text = settings.read_text()
    assert "protocol: casia_b\n" in text
    settings.write_text(text.replace("protocol: casia_b\n", f"protocol: {mine}\n"))
    file = reid_copy / "embeddings.npz"
    found, _ = judge("--embeddings", file)
    assert (found.protocol, found.settings["pairs"]) == ("dress", None)  # the run's own
    assert "rank1/K-A" in found.metrics
    told, _ = judge("--embeddings", file, "--protocol", "casia_b")
    assert told.protocol == "casia_b"
    other, _ = judge("--embeddings", file.rename(reid_copy / "other.npz"))
    assert other.protocol == "casia_b"


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_anybodys_embeddings(form: str, judge: Judge, tmp_path: Path) -> None:
    path = anybodys(tmp_path / "mine.npz")
    saved = load_embeddings(path)
    if form == "csv":
        table = pd.DataFrame({name: getattr(saved, name) for name in saved.text_fields()})
        table = table.drop(columns="sample")
        for i, column in enumerate(saved.embedding.T):
            table[f"e{i}"] = column
        path = tmp_path / "mine.csv"
        table.to_csv(path, index=False)
    found, text = judge("--embeddings", path, "--probe", "C", "--gallery", "N")
    expected = evaluate_reid(saved, "casia_b", ["C-N"]).metrics
    assert found.metrics == pytest.approx(expected)
    assert (found.objective, found.stream, found.seed) == ("embeddings", "", None)
    assert (found.dataset.name, found.dataset.synthetic) == ("mine", False)
    assert "Foreign embeddings" in text
    every, text = judge("--embeddings", path)
    assert {"rank1/N-N", "rank1/C-C", "rank1/C-N"} <= every.metrics.keys()
    assert "Not evaluated, because sequences are missing: B-B, B-N." in text


@pytest.mark.parametrize(
    ("case", "options", "key"),
    [
        ("cross_condition", (), "market_cos_summary"),
        ("cross_condition", ("--metric", "euclidean"), "market_sqeuc_summary"),
        ("rerank", (), "plain_cos_summary"),
        ("rerank", ("--rerank", "20,6,0.3"), "rerank_cos_k20_6_l0.3_summary"),
        ("rerank", ("--rerank", "10,3,0.5"), "rerank_cos_k10_3_l0.5_summary"),
    ],
)
def test_golden_figures_by_the_command(
    case: str, options: tuple[str, ...], key: str, shared: Path, judge: Judge, tmp_path: Path
) -> None:
    sides = ("probe", "gallery")
    with np.load(shared / "golden" / "reid" / f"{case}.npz") as golden:
        vectors, subject, camera = (
            np.concatenate([golden[f"{side}_{name}"] for side in sides])
            for name in ("feat", "id", "cam")
        )
        condition = np.repeat(["cl", "nm"], [len(golden[f"{side}_id"]) for side in sides])
        expected = golden[key]
    path = tmp_path / "golden.npz"
    Embeddings(vectors, subject, condition=condition, camera=camera).save(path)
    pair = ("--probe", "C", "--gallery", "N")
    found, _ = judge("--embeddings", path, "--rule", "market1501", *pair, *options)
    names = ("rank1", "rank5", "rank10", "mAP", "mINP")
    assert [found.metrics[name] for name in names] == pytest.approx(expected.tolist(), abs=1e-6)


def test_without_takes(call: Any, judge: Judge, tmp_path: Path) -> None:
    path = anybodys(tmp_path / "mine.npz", take=None)
    found, _ = judge("--embeddings", path, "--probe", "N", "--gallery", "N")
    assert found.counts["probes"] == 24
    for options, words in (
        (("--level", "walk"), "take of every sequence"),
        (("--rule", "cross-take"), "Rule cross-take needs the take"),
        (("--rule", "market1501"), "needs the camera"),
    ):
        done = call("reid", "eval", "--embeddings", path, *options, code=2)
        assert words in done.err


def test_own_protocol(judge: Judge, tmp_path: Path) -> None:
    path = anybodys(tmp_path / "mine.npz")
    mine = tmp_path / "dress.yaml"
    mine.write_text("sets: {A: nm, K: cl}\npairs: [K-A]\n")
    found, text = judge("--embeddings", path, "--protocol", mine)
    assert found.protocol == "dress"
    assert "rank1/K-A" in found.metrics
    assert "dress, rule clean" in text


def test_a_runs_file_keeps_the_name_of_its_data(reid_copy: Path, judge: Judge, record: Any) -> None:
    file = reid_copy / "embeddings.npz"
    own, text = judge("--embeddings", file)
    assert own.dataset.model_dump() == record(reid_copy)["dataset"]
    assert "Foreign" not in text
    other, text = judge("--embeddings", file.rename(reid_copy / "other.npz"))
    assert other.dataset.name == "other"
    assert "Foreign" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--probe", "X", "--gallery", "N"), ("'X'", "casia_b", "N (nm), B (bg), C (cl)")),
        (("--probe", "C", "--gallery", "Q"), ("gallery 'Q'",)),
        (("--probe", "C"), ("--probe", "--gallery", "--all-pairs")),
        (("--gallery", "N"), ("--probe", "--gallery")),
        (("--all-pairs", "--probe", "C", "--gallery", "N"), ("--all-pairs",)),
        (("--protocol", "market"), ("'market'", "casia_b", "kgbd")),
        (("--protocol", "kgbd"), ("Set P", "kgbd", "'nm'")),
        (("--rerank", "5,2"), ("--rerank", "20,6,0.3")),
        (("--rerank", "5.5,2,0.3"), ("integers", "5.5")),
        (("--rerank", "5,2,3"), ("weight", "0 to 1")),
        (("--rerank", "0,2,0.3"), ("k1",)),
        (("--expand", "many,3"), ("--expand", "5,3")),
        (("--expand", "0,3"), ("at least 1",)),
    ],
)
def test_mistakes(
    options: tuple[str, ...], words: tuple[str, ...], reid_run: Path, mistake: Any
) -> None:
    mistake("reid", "eval", "--run", reid_run, *options, words=words, alone=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"subject": np.array([Path("x")] * 36, dtype=object)},
            ("mine.npz", "'subject'", "unpickling"),
        ),
        ({"subject": None}, ("mine.npz", "'subject' is missing")),
        ({"embedding": None}, ("mine.npz", "'embedding' is missing")),
        ({"condition": None}, ("Set N", "'nm'")),
        ({"take": np.array(["1"] * 5)}, ("take", "(5,)", "36")),
        ({"embedding": np.zeros((36, 4))}, ("zeros", "P0-nm-1")),
        ({"embedding": np.full((36, 4), np.nan)}, ("P0-nm-1", "not finite")),
    ],
)
def test_bad_files(
    fields: dict[str, Any], words: tuple[str, ...], mistake: Any, tmp_path: Path
) -> None:
    path = anybodys(tmp_path / "mine.npz", **fields)
    mistake("reid", "eval", "--embeddings", path, words=words, alone=True)


def test_one_run_or_file_of_this_task(
    reid_run: Path, first: Path, mistake: Any, tmp_path: Path
) -> None:
    path = anybodys(tmp_path / "mine.npz")
    mistake("reid", "eval", "--run", reid_run, "--embeddings", path, words=("either",))
    mistake("reid", "eval", "--embeddings", tmp_path / "gone.npz", words=("gone.npz",))
    mistake("reid", "eval", "--run", first, words=("is a run of `gait`, not of `reid`",))
