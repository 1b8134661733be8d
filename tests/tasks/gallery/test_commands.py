"""`aclnet-task gallery` with a trained run and files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from aclnet.data.store import open_store, write_store
from tasks import Gallery

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def parts(walkers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stores of walkers: 3 to enrol and to find again, 4 to calibrate on, one stranger."""
    folder = tmp_path_factory.mktemp("parts")
    store = open_store(walkers)
    samples = [one for one in store.samples() if one.condition == "nm"]
    people = sorted({one.identity for one in samples})
    takes = ("01", "02", "03")
    for name, own, chosen in (
        ("enrolled", people[:3], takes[:2]),
        ("probes", people[:3], takes[2:]),
        ("others", people[3:7], takes),
        ("stranger", people[7:], takes[:1]),
    ):
        kept = [one for one in samples if one.identity in own and one.take in chosen]
        dropped = {"samples of another identity": len(samples) - len(kept)}
        write_store(folder / name, kept, store.info.model_copy(update={"dropped": dropped}))
    write_store(folder / "unnamed", [replace(samples[0], identity="")], store.info)
    return folder


@pytest.fixture(scope="module")
def walkers_files(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key points of two walkers in files of MMPose."""
    folder = tmp_path_factory.mktemp("keypoints") / "all"
    call("data", "walkers", folder, "--people", 2)
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "people.gallery"


@pytest.fixture
def ready(call: Call, first: Path, parts: Path, place: Path) -> Path:
    """A gallery with a threshold and three people."""
    call("gallery", "create", place, "--run", first)
    done = call("gallery", "calibrate", place, parts / "others", "--fmr", "0.1")
    assert "comparisons of two people" in done.out
    assert "4 people" in done.out
    assert "left out" not in done.err
    done = call("gallery", "enrol", place, parts / "enrolled")
    assert "3 people" in done.out
    return place


def test_a_gallery_is_used_by_commands(
    call: Call, first: Path, parts: Path, ready: Path, tmp_path: Path
) -> None:
    out = tmp_path / "answers.json"
    done = call("gallery", "identify", ready, parts / "probes", parts / "stranger", "--json", out)
    content = json.loads(out.read_text())
    probes = aclnet.load(first).embed([parts / "probes", parts / "stranger"])
    assert [one["sample"] for one in content["answers"]] == probes.sample
    enrolled = aclnet.load(first).embed(parts / "enrolled")
    scores = probes.embedding @ enrolled.embedding.T
    for one, row in zip(content["answers"], scores, strict=True):
        assert one["score"] == pytest.approx(row.max(), abs=1e-6)
        best = enrolled.identity[row.argmax()]
        assert one["candidates"][0][0] == best
        assert one["person"] == (best if row.max() >= one["threshold"] else None)
        assert one["threshold"] == content["threshold"]["value"]
    named = [one["person"] for one in content["answers"]]
    assert any(named)
    assert ("(nobody enrolled)" in done.out) == (None in named)
    assert "at most 10.00%" in done.out

    name = enrolled.identity[0]
    done = call("gallery", "verify", ready, name, parts / "enrolled", "--json", out)
    answers = json.loads(out.read_text())["answers"]
    for one, owner in zip(answers, enrolled.identity, strict=True):
        if owner == name:
            assert one["accepted"]
            assert one["score"] == pytest.approx(1.0, abs=1e-6)
    threshold = ("--threshold", repr(answers[-1]["score"]))
    call("gallery", "verify", ready, name, parts / "enrolled", *threshold, "--json", out)
    assert json.loads(out.read_text())["answers"][-1]["accepted"]  # who reaches it
    call("gallery", "list", ready, "--json", out)
    listed = json.loads(out.read_text())["people"]
    assert [one["name"] for one in listed] == sorted(set(enrolled.identity))
    assert "no fault" in call("gallery", "check", ready, "--run", first).out
    done = call("gallery", "remove", ready, name)
    assert "erased: " in done.out
    assert name not in call("gallery", "list", ready).out.split()


def test_templates_know_where_they_come_from(ready: Path, parts: Path) -> None:
    with Gallery(ready) as gallery:
        query = "SELECT file, sample, frames, version FROM template"
        rows = gallery._storage._connection.execute(query).fetchall()
    store = open_store(parts / "enrolled")
    assert [row[1] for row in rows] == [one.sample for one in store.samples()]
    assert [row[2] for row in rows] == [len(one.frames) for one in store.samples()]
    assert {row[0] for row in rows} == {str(parts / "enrolled")}
    assert {row[3] for row in rows} == {aclnet.__version__}


def test_one_name_for_all_recordings(call: Call, mistake: Call, ready: Path, parts: Path) -> None:
    call("gallery", "enrol", ready, parts / "unnamed", "--person", "Ann")
    assert "Ann" in call("gallery", "list", ready).out
    others = ("gallery", "enrol", ready, parts / "others", "--person", "Ann")
    mistake(*others, words=["the data name 4 people", "not all Ann", "leave out --person"])


def test_a_claim_is_said_to_be_of_so_many_templates(call: Call, ready: Path, parts: Path) -> None:
    with Gallery(ready) as gallery:
        name = gallery.people()[0].name
    said = call("gallery", "verify", ready, name, parts / "probes").out
    assert "for the best of 6 templates: false match rate at most 10.00%, on " in said


def test_a_run_that_moved_is_given(
    call: Call, mistake: Call, first: Path, parts: Path, place: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "run"
    shutil.copytree(first, moved)
    call("gallery", "create", place, "--run", moved)
    moved.rename(tmp_path / "other")
    enrol = ("gallery", "enrol", place, parts / "enrolled")
    mistake(*enrol, words=["cannot be loaded", "give it with --run"])
    call(*enrol, "--run", tmp_path / "other")


def test_mistakes(
    call: Call, mistake: Call, gesture_run: Path, first: Path, parts: Path, ready: Path
) -> None:
    """One sentence each, and the gallery is as before."""
    before = call("gallery", "list", ready).out
    probes = parts / "probes"
    for arguments, words in (
        (("create", ready, "--run", first), ("exists",)),
        (("identify", ready, probes, "--run", gesture_run), ("another model", "fingerprint")),
        (("enrol", ready, parts / "unnamed"), ("has no identity", "--person")),
        (("calibrate", ready, parts / "unnamed"), ("has no identity",)),
        (("calibrate", ready, parts / "enrolled"), ("is enrolled",)),
        (
            ("calibrate", ready, parts / "others", "--fmr", "1e-6"),
            ("cannot be measured on", "1000000"),
        ),
        (("calibrate", ready, probes, "--fmr", ".1", "--fpir", ".1"), ("not both",)),
        (("verify", ready, "Nobody", probes), ("nobody called Nobody",)),
        (("remove", ready, "Nobody"), ("nobody called Nobody",)),
        (("identify", ready, parts / "missing"), ("missing",)),
        (("identify", ready, probes, "-o", "people=apart"), ("is a store",)),
        (
            ("identify", ready, probes, "--json", ready),
            ("is not a JSON file", "would be overwritten"),
        ),
        (("create", "", "--run", first), ("'' is not a place for a gallery",)),
        (("list", "mysql://a@b/c"), ("mysql://", "postgresql://user@host/database")),
        (("list", parts / "none.gallery"), ("there is no gallery", "gallery create")),
    ):
        mistake("gallery", *arguments, words=words)
    assert call("gallery", "list", ready).out == before


def test_hostile_names_command_no_terminal(call: Call, ready: Path, parts: Path) -> None:
    name = "Ann\x1b[2J\nerror: forged"
    for _ in range(2):  # the second time they are near duplicates
        done = call("gallery", "enrol", ready, parts / "unnamed", "--person", name)
    assert "almost the same" in done.err
    done = [done, call("gallery", "list", ready), call("gallery", "remove", ready, name)]
    for text in (each.out + each.err for each in done):
        assert "\x1b" not in text
        assert "\nerror: forged" not in text
        assert "Ann\\x1b[2J\\nerror: forged" in text or "enrolled" in text


def test_tracks_of_a_pose_estimator_are_nobodys_names(
    mistake: Call, call: Call, place: Path, first: Path, walkers_files: Path
) -> None:
    """Another file may have the same track for somebody else."""
    call("gallery", "create", place, "--run", first)
    for person in ("001", "002"):
        shutil.copytree(walkers_files / person, place.parent / person)
    files = sorted(place.parent.glob("00?/nm-01-090.json"))
    apart = ("-o", "people=apart")
    mistake("gallery", "enrol", place, *files, *apart, words=["nm-01-090/person-1 has no identity"])
    mistake("gallery", "calibrate", place, *files, *apart, words=["has no identity"])
    assert "0 people" in call("gallery", "list", place).out


def test_files_of_one_name_are_told_apart(call: Call, ready: Path, walkers_files: Path) -> None:
    files = sorted(walkers_files.glob("00?/nm-01-090.json"))
    out = call("gallery", "identify", ready, *files, "-o", "people=apart").out
    assert [line.split()[0] for line in out.splitlines()[2:4]] == [
        f"{person}/nm-01-090.json" for person in ("001", "002")
    ]


def test_answers_are_not_written_over_a_recording(
    mistake: Call, ready: Path, walkers_files: Path
) -> None:
    for given in (walkers_files / "001", walkers_files / "001" / "nm-01-090.json"):
        json_file = ("--json", walkers_files / "001" / "nm-01-090.json")
        mistake("gallery", "identify", ready, given, *json_file, words=["one of the recordings"])


def test_two_people_are_not_taken_for_one(
    call: Call, mistake: Call, ready: Path, walkers_files: Path, tmp_path: Path
) -> None:
    first, second = (
        json.loads((walkers_files / person / "nm-04-090.json").read_text())
        for person in ("001", "002")
    )
    for one, other in zip(first["instance_info"], second["instance_info"][:10], strict=False):
        (added,) = other["instances"]
        moved = [[x + 2000, *rest] for x, *rest in added["keypoints"]]
        one["instances"].append({**added, "keypoints": moved})
    both, out = tmp_path / "both.json", tmp_path / "out.json"
    both.write_text(json.dumps(first))
    mistake("gallery", "identify", ready, both, words=["both shows 2 people", "people=apart"])
    options = ("-o", "people=apart", "-o", "min_frames=20", "--json", out)
    done = call("gallery", "identify", ready, both, *options)
    assert "both.json: left out: 1 sequence shorter than 20 frames" in done.err
    content = json.loads(out.read_text())
    assert content["left_out"] == {str(both): {"sequences shorter than 20 frames": 1}}
    assert [one["sample"] for one in content["answers"]] == ["both/person-1"]

    enrol = ("gallery", "enrol", ready, both, "-o", "people=apart", "-o", "min_frames=5")
    words = ["both.json: which track is Ann, both/person-1 or both/person-2?", "data labels"]
    mistake(*enrol, "--person", "Ann", words=words)
    labels = tmp_path / "labels.csv"
    labels.write_text("sample,identity\nboth/person-1,Ann\nboth/person-2,-\n")
    assert "1 template of 1 person" in call(*enrol, "-o", f"labels={labels}").out


def test_a_gallery_without_a_threshold_names_nobody(
    call: Call, mistake: Call, first: Path, parts: Path, place: Path
) -> None:
    call("gallery", "create", place, "--run", first)
    call("gallery", "enrol", place, parts / "enrolled")
    identify = ("gallery", "identify", place, parts / "probes")
    mistake(*identify, words=["has no threshold", "gallery calibrate"])
    assert "threshold -1.0000 as given" in call(*identify, "--threshold", "-1").out


def test_a_reader_holds_up_an_erasure(call: Call, ready: Path) -> None:
    import sqlite3

    with Gallery(ready) as gallery:
        name = gallery.people()[0].name
    reader = sqlite3.connect(ready, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM person").fetchall()
    remove = ("gallery", "remove", ready, name)
    done = call(*remove, "--wait", "0.1", code=1)
    assert (done.out, done.err) == ("", "removed, not yet erased: a reader is open\n")
    assert (
        "fault: a removed person is not yet erased" in call("gallery", "check", ready, code=1).err
    )
    reader.close()
    assert "erased" in call(*remove).out


def test_a_fingerprint_is_of_what_embeddings_depend_on(first: Path) -> None:
    model = aclnet.load(first)
    assert model.fingerprint == aclnet.load(first).fingerprint
    assert model.dimensions == model.embed(np.ones((8, 17, 3))).embedding.shape[1]
    settings = model.settings
    batch = settings.embed.model_copy(update={"batch_size": 7})
    stride = settings.embed.model_copy(update={"stride": 7})
    same = replace(model, settings=settings.model_copy(update={"embed": batch}))
    other = replace(model, settings=settings.model_copy(update={"embed": stride}))
    assert same.fingerprint == model.fingerprint != other.fingerprint
    changed = aclnet.load(first)
    next(changed.network.parameters()).data.flatten()[0] += 1
    assert changed.fingerprint != model.fingerprint
