"""Result records: the schema, the file, the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.records import DatasetReference, ResultRecord, now, read_record_files

RESULTS = Path(__file__).resolve().parents[2] / "results"


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "schema": 2,
        "task": "gait",
        "dataset": {"name": "walkers", "fingerprint": "ab12", "synthetic": True},
        "protocol": "casia_b",
        "rule": "exact",
        "objective": "acl",
        "stream": "joint",
        "seed": 3,
        "metrics": {"rank1": 0.75, "rank1/nm": 1.0},
        "intervals": {"rank1": [0.5, 0.8]},
        "counts": {"probes": 12, "unmated": 0},
        "settings": {"engine": {"epochs": 2, "lr": 0.1}, "name": "größer"},
        "environment": {"torch": "2.13"},
        "seconds": 1.5,
        "command": "aclnet-task gait train",
    } | changes


def record(**changes: Any) -> ResultRecord:
    return ResultRecord.model_validate(fields(**changes))


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    cells = {"rank1_hits": [[[1, 2]]]}
    original = record(cells=cells, notes=["No probes of cl."], created=now())
    original.write(tmp_path / "gait" / "run.json")
    assert [entry.name for entry in (tmp_path / "gait").iterdir()] == ["run.json"]
    records, problems = read_record_files(tmp_path)
    assert records == {"gait/run.json": original}
    assert problems == []


def test_the_file_has_the_agreed_keys() -> None:
    content = json.loads(record().to_json())
    assert content == fields(notes=[], kind="run", variant="", fold=None)
    by_name = ResultRecord(
        task="gait",
        dataset=DatasetReference(name="walkers", fingerprint="ab12", synthetic=True),
        **{
            key: value
            for key, value in fields().items()
            if key not in ("schema", "task", "dataset")
        },
    )
    assert by_name == record()


def test_the_file_is_small_and_has_an_entry_a_line() -> None:
    cells = {"rank1_hits": [[[100] * 11] * 11] * 3}
    lines = record(cells=cells).to_json().splitlines()
    assert '    "rank1": 0.75,' in lines
    assert len(lines) < 50
    assert record(cells=cells).to_json() == record(cells=cells).to_json()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"schema": 3}, "of version 3, but .* up to 2: update aclnet"),
        ({"schema": "2"}, "schema"),
        ({"task": ""}, "task"),
        ({"dataset": {"name": "x", "fingerprint": ""}}, r"dataset\.synthetic"),
        ({"metrics": {"rank1": float("nan")}}, r"metrics\.rank1"),
        ({"intervals": {"rank9": [0, 1]}}, "'rank9', which is not a metric"),
        ({"intervals": {"rank1": [0.9, 0.1]}}, "runs from 0.9 down to 0.1"),
        ({"counts": {"probes": 1.5}}, r"counts\.probes"),
        ({"protocol": ""}, "protocol"),
        ({"created": "2026-11-29"}, "created"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_no_record_is_refused_by_field(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        ResultRecord.from_json(json.dumps(fields(**changes)))


def test_missing_key_is_named() -> None:
    content = fields()
    del content["command"]
    with pytest.raises(ValueError, match="not a result record: command: Field required"):
        ResultRecord.from_json(json.dumps(content))


def test_what_json_cannot_say_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown to JSON"):
        record(settings={"path": Path("x")}).write(tmp_path / "x.json")
    with pytest.raises(ValueError, match="JSON"):
        record(cells={"rate": float("nan")}).write(tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_named_and_hide_nobody(tmp_path: Path) -> None:
    record(seed=1).write(tmp_path / "b.json")
    record(seed=2).write(tmp_path / "a" / "c.json")
    whole = (tmp_path / "b.json").read_text()
    (tmp_path / "cut.json").write_text(whole[: len(whole) // 2])
    (tmp_path / "other.json").write_text('{"task": "gait"}')
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / ".draft.json").write_text("{")
    (tmp_path / "notes.txt").write_text("not read")
    records, problems = read_record_files(tmp_path)
    assert [found.seed for found in records.values()] == [2, 1]
    assert [Path(problem.split(": ")[0]).name for problem in problems] == [
        "binary.json",
        "cut.json",
        "other.json",
    ]
    with pytest.raises(FileNotFoundError, match="no folder of results"):
        read_record_files(tmp_path / "gone")


@pytest.mark.parametrize(
    ("task", "rule", "kind", "variant", "fold"),
    [
        ("action", "10 clips, last epoch, fold 2", "run", "", "2"),
        ("action", "10 clips, last epoch, 3 folds together", "run", "", "*"),
        ("action", "1 clips, last epoch, fold a; occlusion", "occlusion", "", "a"),
        ("action", "10 clips; sweep of objective.margin", "sweep", "objective.margin", None),
        ("action", "10 clips; class gain against ce", "class-gain", "ce", None),
        ("gait", "biometrics", "biometrics", "", None),
        ("cost", "AMD EPYC, 1 thread", "cost", "", None),
        ("verification", "a rule, fold 1; of somebody", "run", "", None),
    ],
)
def test_schema_1_held_kind_variant_and_fold_in_the_rule(
    task: str, rule: str, kind: str, variant: str, fold: str | None
) -> None:
    old = fields(schema=1, task=task, rule=rule, counts={"folds": 3})
    read = ResultRecord.from_json(json.dumps(old))
    assert (read.kind, read.variant, read.fold) == (kind, variant, fold)
    assert read.described_rule == rule
    assert ResultRecord.from_json(read.to_json()) == read


def test_a_kind_of_another_program_is_shown_as_it_is() -> None:
    assert ResultRecord(**fields(kind="my{kind}", rule="")).described_rule == "my{kind}"


def test_committed_records_of_both_schemas_keep_their_meaning() -> None:
    for path in sorted(RESULTS.rglob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        if content.get("schema") == 1:
            assert ResultRecord.from_json(json.dumps(content)).described_rule == content["rule"]
