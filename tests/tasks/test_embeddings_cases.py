"""Files of embeddings that went wrong once, and the right values (`../shared/cases`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from protocols.embeddings import Embeddings, load_embeddings
from protocols.records import ResultRecord

Evaluated = Callable[..., ResultRecord]
Case = Callable[[str], Path]
LABELS = Embeddings.text_fields()


@pytest.fixture
def evaluated(call: Any, tmp_path: Path) -> Evaluated:
    """The record of `TASK eval --embeddings FILE`; its text goes to `.command`'s place."""

    def run(task: str, path: Path, *options: object) -> ResultRecord:
        out = tmp_path / "evaluated.json"
        call(task, "eval", "--embeddings", path, "--json", out, *options)
        return ResultRecord.read(out)

    return run


def percent(record: ResultRecord, *names: str) -> list[float]:
    return [round(100 * record.metrics[name], 2) for name in names]


def test_people_of_a_gait_protocol_are_told_apart_by_case_and_zeros(
    case: Case, evaluated: Evaluated
) -> None:
    found = evaluated("gait", case("g_case.npz"), "--protocol", "casia_b")
    assert found.counts["probe_subjects"] == 6
    names = [f"{measure}/{part}" for measure in ("rank1", "chance") for part in ("nm", "bg", "cl")]
    assert percent(found, *names) == [79.17, 81.94, 81.94, 16.67, 16.67, 16.67]
    assert found.cells is not None
    assert found.cells["people"]["names"] == ["075", "75", "Ab", "X1", "aB", "x1"]


def test_people_of_a_pair_are_told_apart_by_case(case: Case, evaluated: Evaluated) -> None:
    options = ("--protocol", "casia_b", "--probe", "C", "--gallery", "N")
    found = evaluated("reid", case("re_case.npz"), *options)
    assert percent(found, "rank1", "mAP", "chance") == [55.56, 56.60, 16.67]


@pytest.mark.parametrize("task", ["gait", "reid"])
def test_people_are_told_apart_in_biometrics(
    task: str, case: Case, call: Any, tmp_path: Path
) -> None:
    out, pair = tmp_path / "out.json", tmp_path / "pair.yaml"
    pair.write_text("sets: {C: cl, N: nm}\npairs: [C-N]\n")
    file = case("g_case.npz" if task == "gait" else "re_case.npz")
    protocol = "casia_b" if task == "gait" else pair
    options = ("--protocol", protocol, "--rotations", 0, "--json", out)
    call(task, "biometrics", "--embeddings", file, *options)
    counts = ResultRecord.read(out).counts
    assert {counts[name] for name in counts if name.startswith("gallery_subjects")} == {6}


def test_embeddings_without_views_are_not_judged_as_casia_b(
    case: Case, evaluated: Evaluated, mistake: Callable[..., str], tmp_path: Path
) -> None:
    file, json = case("em_noview.csv"), tmp_path / "none.json"
    words = ("casia_b compares views", "'000-nm-1' has no view", "casia_b_no_view")
    for command in ("eval", "biometrics"):
        mistake("gait", command, "--embeddings", file, "--json", json, words=words)
    assert not json.exists()
    found = evaluated("gait", file, "--protocol", "casia_b_no_view")
    assert (found.protocol, percent(found, "rank1")) == ("casia_b_no_view", [89.58])


def test_conditions_takes_and_views_are_read_kindly_and_that_is_said(
    case: Case, evaluated: Evaluated, tmp_path: Path
) -> None:
    data = load_embeddings(case("g_case.npz"))
    odd = np.arange(len(data)) % 2 == 1
    np.savez(
        tmp_path / "mixed.npz",
        embedding=data.embedding,
        subject=data.subject,
        condition=np.where(odd, np.char.upper(data.condition), data.condition),
        take=np.where(odd, np.char.lstrip(data.take, "0"), data.take),
        view=np.where(odd, np.char.add(" ", data.view), data.view),
    )
    plain, mixed = (
        evaluated("gait", path) for path in (case("g_case.npz"), tmp_path / "mixed.npz")
    )
    assert mixed.metrics == plain.metrics
    assert not any("Read as one" in note for note in plain.notes)
    assert mixed.notes[:3] == (
        "Read as one condition: 'BG' and 'bg', 'CL' and 'cl', 'NM' and 'nm'.",
        "Read as one take: '01' and '1', '02' and '2', '03' and '3', and 3 more.",
        "Read as one view: ' 000' and '000', ' 090' and '090', ' 180' and '180'.",
    )


def test_people_are_compared_in_one_form_of_unicode(evaluated: Evaluated, tmp_path: Path) -> None:
    names = ["Zo\u00eb", "Zoe\u0308", "Zoe", "Zoe"]
    np.savez(
        tmp_path / "x.npz",
        embedding=np.eye(4)[[0, 0, 1, 1]],
        subject=names,
        condition=["nm"] * 4,
        take=[1, 5, 1, 5],
        view=[0, 90, 0, 90],
    )
    found = evaluated("gait", tmp_path / "x.npz")
    assert found.counts["probe_subjects"] == 2
    assert found.metrics["rank1/nm"] == 1.0


def test_two_systems_on_the_same_probes_are_two_rows_of_one_table(
    case: Case, call: Any, tmp_path: Path
) -> None:
    data = load_embeddings(case("em_plain.csv"))
    order = np.random.default_rng(0).permutation(len(data))
    other = Embeddings(data.embedding**3, *(getattr(data, name) for name in LABELS)).select(order)
    other.save(tmp_path / "cubes.npz")
    results = tmp_path / "results"
    for name, file in (("plain", case("em_plain.csv")), ("cubes", tmp_path / "cubes.npz")):
        out = results / f"{name}.json"
        call("gait", "eval", "--embeddings", file, "--name", name, "--json", out)
    plain, cubes = (ResultRecord.read(results / f"{name}.json") for name in ("plain", "cubes"))
    assert (plain.objective, cubes.objective) == ("plain", "cubes")
    assert plain.dataset == cubes.dataset
    assert plain.dataset.name == f"data {plain.dataset.fingerprint[:8]}"
    call("report", "--results", results, "--out", tmp_path / "report")
    (table,) = (tmp_path / "report").rglob(f"gait-data-{plain.dataset.fingerprint[:8]}.csv")
    labels = set(pd.read_csv(table)["row"])
    assert {"plain", "cubes"} <= labels


def test_the_data_of_foreign_embeddings_may_be_named(case: Case, evaluated: Evaluated) -> None:
    found = evaluated("gait", case("em_plain.csv"), "--dataset", "CASIA-B", "--name", "mine")
    assert (found.dataset.name, found.objective) == ("CASIA-B", "mine")
    assert evaluated("gait", case("em_plain.csv"), "--dataset", "CASIA-B").objective == "em_plain"


def test_names_are_for_files(mistake: Callable[..., str], tmp_path: Path) -> None:
    words = ("--name", "--labels", "--embeddings FILE")
    mistake("gait", "eval", "--run", tmp_path, "--name", "mine", words=words)


def test_the_fingerprint_is_of_labels_and_keys() -> None:
    generator = np.random.default_rng(0)
    labels = {"subject": ["a", "A", "a"], "condition": ["nm", "nm", "bg"], "take": ["1", "02", "1"]}
    one = Embeddings(generator.normal(size=(3, 2)), **labels)
    shuffled = Embeddings(generator.normal(size=(3, 5)), **labels).select([2, 0, 1])
    assert one.fingerprint == shuffled.fingerprint
    respelled = {**labels, "condition": ["NM", "nm", "bg"], "take": ["01", "2", "1"]}
    assert Embeddings(one.embedding, **respelled).fingerprint == one.fingerprint
    for change in ({"subject": ["a", "a", "a"]}, {"sample": ["x", "y", "z"]}, {"view": ["0"] * 3}):
        assert Embeddings(one.embedding, **{**labels, **change}).fingerprint != one.fingerprint
    assert one.select([0, 1]).fingerprint != one.fingerprint


def test_every_kind_of_file_gives_the_same_table(
    case: Case, call: Any, evaluated: Evaluated, tmp_path: Path
) -> None:
    plain = case("em_plain.csv")
    data, expected = load_embeddings(plain), evaluated("gait", plain)
    labels, vectors, scores = (tmp_path / name for name in ("labels.csv", "x.npy", "scores.csv"))
    pd.DataFrame({name: getattr(data, name) for name in LABELS}).to_csv(labels, index=False)
    np.save(vectors, data.embedding)
    unit = data.embedding / np.linalg.norm(data.embedding, axis=1, keepdims=True)
    sides = np.indices((len(data), len(data))).reshape(2, -1)
    columns = dict(zip(("probe", "gallery"), data.sample[sides], strict=True))
    pd.DataFrame({**columns, "score": (unit @ unit.T).ravel()}).to_csv(scores, index=False)
    for path in (vectors, scores):
        found = evaluated("gait", path, "--labels", labels)
        assert found.metrics == pytest.approx(expected.metrics)
        assert found.dataset.fingerprint == expected.dataset.fingerprint
    done = call("compare", vectors, scores, "--labels", labels)
    assert "Not significant: scores and x differ by" in done.out


def test_mistakes_with_labels(case: Case, mistake: Callable[..., str], tmp_path: Path) -> None:
    plain = case("em_plain.csv")
    np.save(tmp_path / "x.npy", np.eye(3))
    (tmp_path / "s.csv").write_text("probe,gallery,score\na,b,1\n")
    evaluate = ("gait", "eval", "--embeddings")
    mistake(*evaluate, plain, "--labels", plain, words=("em_plain.csv", "labels of its own"))
    mistake(*evaluate, tmp_path / "x.npy", words=("x.npy", "--labels FILE"))
    mistake(*evaluate, tmp_path / "s.csv", words=("s.csv", "--labels FILE"))
    (tmp_path / "l.csv").write_text("sample,subject\na,1\nb,2\n")
    measure = ("gait", "biometrics", "--embeddings", tmp_path / "s.csv")
    mistake(*measure, words=("s.csv", "--labels FILE"))
    np.savez(tmp_path / "scores.npz", a=np.eye(2))
    scores = ("action", "eval", "--scores", tmp_path / "scores.npz", "--labels", plain)
    mistake(*scores, words=("--labels", "scores"))


@pytest.mark.parametrize("task", ["gait", "reid"])
def test_eval_prints_the_intervals_that_its_record_holds(
    task: str, case: Case, call: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    done = call(task, "eval", "--embeddings", case("em_plain.csv"), "--json", out)
    intervals = ResultRecord.read(out).intervals
    assert len(intervals) >= 4
    for low, high in intervals.values():
        assert f"{100 * low:.2f} to {100 * high:.2f}" in done.out


def test_tables_of_data_whose_names_are_nearly_alike_are_two_files(
    case: Case, call: Any, tmp_path: Path
) -> None:
    for number, name in enumerate(("My Set", "my-set")):
        out = tmp_path / "results" / f"{number}.json"
        options = ("--dataset", name, "--json", out)
        call("gait", "eval", "--embeddings", case("em_plain.csv"), *options)
    call("report", "--results", tmp_path / "results", "--out", tmp_path / "report")
    tables = (tmp_path / "report" / "tables").glob("gait-my-set*.csv")
    assert sorted(table.name for table in tables) == ["gait-my-set-2.csv", "gait-my-set.csv"]
