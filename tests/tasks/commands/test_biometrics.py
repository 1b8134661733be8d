"""`aclnet-task gait biometrics` and `reid biometrics` on tiny runs and on files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.embeddings import Embeddings, load_embeddings
from protocols.records import ResultRecord
from tasks.run.biometrics import lost_recordings


def people(first: int, count: int, noise: float = 0.5) -> Embeddings:
    """Walks of some people in CASIA-B's conditions, before two cameras."""
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [
        (number, c, t, view)
        for number in range(first, first + count)
        for c, t in takes
        for view in ("0", "90")
    ]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    random = np.random.default_rng(first).normal(size=(len(rows), 16))
    centre = np.random.default_rng(99).normal(size=(64, 16))[subject]
    sample = np.array([f"{row}" for row in range(len(rows))])
    embedding = (centre + noise * random).astype(np.float32)
    return Embeddings(embedding, subject, condition, take, view, sample=sample)


@pytest.fixture
def test_file(tmp_path: Path) -> Path:
    path = tmp_path / "people.npz"
    people(0, 8).save(path)
    return path


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    path = tmp_path / "others.npz"
    people(20, 10).save(path)
    return path


def measured(call: Any, *arguments: object) -> tuple[str, str]:
    done = call(*arguments)
    return done.out, done.err


def test_scores_of_pairs_are_enough(call: Any, tmp_path: Path) -> None:
    rows = [
        f"{p}{a},{g}{b},{p},{g},{1.0 if p == g else 0.1 * (ord(p) - ord(g))}"
        for p in "abcd"
        for g in "abcd"
        for a, b in (("1", "2"), ("2", "1"))
    ]
    path, out = tmp_path / "pairs.csv", tmp_path / "out.json"
    head = "probe,gallery,probe_subject,gallery_subject,score"
    path.write_text("\n".join([head, *rows]))
    text, _ = measured(
        call, "gait", "biometrics", "--embeddings", path, "--fmr", "0.1", "--json", out
    )
    record = ResultRecord.from_json(out.read_text())
    assert (record.protocol, record.metrics["eer"]) == ("pairs", 0.0)
    assert (record.counts["genuine"], record.counts["impostor"]) == (8, 24)
    assert record.settings["evaluation"]["metric"] == "given"
    assert "pairs, given scores" in text


def test_gait_of_a_file_with_development_people(
    call: Any, test_file: Path, other_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "there" / "record.json"
    text, _ = measured(
        call,
        *("gait", "biometrics", "--embeddings", test_file, "--development", other_file),
        *("--fmr", "0.1, 0.05", "--rotations", 3, "--json", out),
    )
    record = ResultRecord.from_json(out.read_text())
    assert (record.task, record.kind, record.objective) == ("gait", "biometrics", "embeddings")
    table = evaluate_biometrics(
        load_embeddings(test_file),
        development=load_embeddings(other_file),
        targets=(0.1, 0.05),
        rotations=3,
        generator=np.random.default_rng(0),
    )
    assert record.metrics == pytest.approx(dict(table.metrics))
    assert "fnmr_from_development@fmr0.05/cl" in record.metrics
    assert record.cells is not None
    assert record.cells["conditions"] == ["nm", "bg", "cl"]
    assert record.settings["evaluation"] == {
        "metric": "cosine",
        "fmr": [0.1, 0.05],
        "rotations": 3,
        "seed": 0,
        "protocol": "casia_b",
        "development": "others.npz",
    }
    assert any("people of others.npz" in note for note in record.notes)
    assert "fta" not in record.metrics  # nothing is known of how the file was made
    for words in ("EER", "development", "open set", "FNMR@FMR 5", "people of others.npz"):
        assert words in text


def test_gait_of_a_file_alone_says_where_thresholds_come_from(call: Any, test_file: Path) -> None:
    text, _ = measured(call, "gait", "biometrics", "--embeddings", test_file, "--fmr", "0.1")
    assert "the test people themselves" in text
    assert "see --development FILE" in text
    assert "Foreign embeddings" in text


def test_data_of_one_unnamed_condition_show_their_figures(call: Any, tmp_path: Path) -> None:
    data = people(0, 8)
    data = data.select(data.condition == "nm")
    path = tmp_path / "plain.npz"
    Embeddings(data.embedding, data.subject, take=data.take, view=data.view).save(path)
    command = ("gait", "biometrics", "--embeddings", path, "--protocol", "kgbd_walks")
    text, _ = measured(call, *command, "--fmr", "0.1", "--rotations", 0)
    header, _, row = text.splitlines()[2:5]
    assert header.split()[:4] == ["condition", "genuine", "impostor", "EER"]
    assert row.split()[0] == "all"
    assert int(row.split()[1]) > 0


@pytest.mark.slow
def test_gait_of_a_run_takes_its_validation_people(
    call: Any, first: Path, cache: Path, tmp_path: Path
) -> None:
    before = {item.name: item.read_bytes() for item in first.iterdir()}
    out = tmp_path / "record.json"
    command = ("gait", "biometrics", "--run", first, "--fmr", "0.1", "--cache", cache)
    text, said = measured(call, *command, "--json", out)
    assert {item.name: item.read_bytes() for item in first.iterdir()} == before
    record = ResultRecord.from_json(out.read_text())
    assert "run's 2 validation people" in text
    assert "embedding" in said
    assert record.settings["evaluation"]["development"] == "validation people of the run"
    assert "fnmr_from_development@fmr0.1" in record.metrics
    # Not one recording was too short: nothing failed to be acquired, and that is a figure too.
    assert (record.metrics["fta"], record.counts["not_acquired"]) == (0.0, 0)
    assert record.dataset.synthetic
    assert record.objective == "acl"
    alone, said = measured(call, *command, "--no-development-run")
    assert "embedding" not in said
    assert "validation people were not used" in alone
    assert "development" in text.split("chosen on")[1]


@pytest.mark.slow
def test_lost_recordings_are_told(call: Any, copy: Path, tmp_path: Path) -> None:
    path = copy / "record.json"
    record = json.loads(path.read_text())
    record["counts"] |= {"dropped_short": 7, "dropped_sequences_without_a_readable_row": 3}
    record["counts"] |= {"dropped_rows_without_51_values": 1000}
    path.write_text(json.dumps(record))
    out = tmp_path / "out.json"
    command = ("gait", "biometrics", "--run", copy, "--no-development-run", "--fmr", "0.1")
    text, _ = measured(call, *command, "--json", out)
    made = ResultRecord.from_json(out.read_text())
    # Eight walkers, ten walks, three cameras: 240 recordings embedded.
    assert made.metrics["fta_recordings"] == pytest.approx(10 / 250)
    assert made.counts["not_acquired_recordings"] == 10
    low, high = made.intervals["fta_recordings"]
    assert low < 0.04 < high
    assert "fta" not in made.metrics
    assert "10 of the 250 recordings" in text


def test_recordings_and_not_frames_count_as_lost() -> None:
    counts = {"dropped_short": 2, "dropped_empty_sequences": 3, "dropped_broken_frames": 40}
    assert lost_recordings(counts) == 5
    assert lost_recordings(counts | {"dropped_annotations_without_a_person": 4}) == 9
    assert lost_recordings(counts | {"dropped_test_in_no_set": 4, "dropped_people_in_no": 2}) == 5
    assert lost_recordings({"dropped_broken_frames": 40}) is None


@pytest.mark.slow
def test_reid_of_a_run_pair_by_pair(call: Any, reid_run: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "record.json"
    command = ("reid", "biometrics", "--run", reid_run, "--fmr", "0.1", "--cache", cache)
    text, _ = measured(call, *command, "--rotations", 2, "--json", out)
    record = ResultRecord.from_json(out.read_text())
    assert (record.task, record.kind, record.protocol) == ("reid", "biometrics", "casia_b")
    assert record.cells is not None
    pairs = set(record.cells["pairs"])
    assert pairs == {"N-N", "B-B", "C-C", "C-N", "B-N"}
    for pair in pairs:
        assert 0.0 <= record.metrics[f"eer/{pair}"] <= 1.0
        assert f"fnmr_from_development@fmr0.1/{pair}" in record.metrics
        assert record.counts[f"genuine/{pair}"] > 0
        assert f"casia_b {pair}, cosine scores" in text
    assert all(name.rsplit("/", 1)[-1] in pairs for name in record.metrics)
    assert set(record.intervals) <= set(record.metrics)
    assert "run's 2 validation people" in text
    assert "--rule cross-take excludes them" in text
    assert text.count("run's 2 validation people") == 1
    honest, _ = measured(call, *command, "--rotations", 0, "--rule", "cross-take")
    assert "No sequence is compared with its own walk." in honest
    assert "leaves them out" not in honest


def test_reid_of_a_file(call: Any, test_file: Path, other_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "record.json"
    text, _ = measured(
        call,
        *("reid", "biometrics", "--embeddings", test_file, "--development", other_file),
        *("--fmr", "0.1", "--rotations", 0, "--json", out),
    )
    record = ResultRecord.from_json(out.read_text())
    assert record.settings["evaluation"]["rule"] == "clean"
    assert "fnmr_from_development@fmr0.1/C-N" in record.metrics
    assert "Foreign embeddings" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("--run", "--embeddings")),
        (("--run", "RUN", "--embeddings", "FILE"), ("--run", "--embeddings")),
        (("--run", "GONE"), ("GONE is not a run",)),
        (("--embeddings", "GONE.npz"), ("GONE.npz",)),
        (("--embeddings", "CUT.npz"), ("CUT.npz",)),
        (("--embeddings", "FILE", "--development", "GONE.npz"), ("GONE.npz",)),
        (("--embeddings", "FILE", "--development", "FILE"), ("both the development and the test",)),
        (("--embeddings", "FILE", "--fmr", "one"), ("--fmr", "one", "0.01,0.001")),
        (("--embeddings", "FILE", "--fmr", "0"), ("--fmr", "'0'")),
        (("--embeddings", "FILE", "--fmr", "1.5"), ("--fmr", "1.5")),
        (("--embeddings", "FILE", "--fmr", "nan"), ("--fmr", "nan")),
        (("--embeddings", "FILE", "--protocol", "casia_c"), ("casia_c", "casia_b")),
        (("--embeddings", "ONE.npz"), ("genuine", "impostor")),
    ],
)
@pytest.mark.parametrize("task", ["gait", "reid"])
def test_mistakes(
    task: str,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    mistake: Any,
    test_file: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "CUT.npz").write_bytes(test_file.read_bytes()[:700])
    people(0, 1).save(tmp_path / "ONE.npz")
    places = {"FILE": test_file, "RUN": tmp_path / "GONE"}
    given = [places.get(word, tmp_path / word if word.isupper() else word) for word in arguments]
    given = [tmp_path / word if str(word).endswith(".npz") else word for word in given]
    mistake(task, "biometrics", *given, words=words)


@pytest.mark.slow
def test_a_run_of_another_task(call: Any, first: Path) -> None:
    done = call("reid", "biometrics", "--run", first, code=2)
    assert "is a run of `gait`, not of `reid`" in done.err


@pytest.mark.slow
def test_other_data_than_the_run_was_trained_on(
    call: Any, copy: Path, walkers: Path, cache: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(walkers, moved)
    settings = copy / "settings.yaml"
    text = settings.read_text()
    assert "train: 5" in text
    settings.write_text(text.replace("train: 5", "train: 6"))
    done = call("gait", "biometrics", "--run", copy, "--cache", cache, code=2)
    assert "--no-development-run" in done.err
