"""Files that older versions wrote are read as they were then; newer ones are refused in a sentence.

The folder keeps them as they were written and never anew: a format that changes gets a further one.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import aclnet
from aclnet.data.changes import content_fingerprint
from aclnet.data.export import export_store
from aclnet.data.formats import read
from aclnet.data.sample import SCHEMA_VERSION as STORE
from aclnet.data.store import open_store
from aclnet.runs.calibration import VERSION as CALIBRATION
from aclnet.runs.calibration import read_calibration
from aclnet.runs.exported import VERSION as EXPORTED
from aclnet.runs.info import VERSION as RUN
from aclnet.runs.shipped import local_model
from aclnet.training.checkpoint import VERSION as CHECKPOINT
from protocols.embeddings import load_embeddings
from protocols.records import VERSION as RECORD
from protocols.records import ResultRecord
from tasks import Gallery
from tasks.gallery.content import SCHEMA_VERSION as GALLERY

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "versions.md"
NEWEST = {
    "result record": RECORD,
    "store": STORE,
    "run": RUN,
    "checkpoint": CHECKPOINT,
    "calibration": CALIBRATION,
    "exported model": EXPORTED,
    "gallery": GALLERY,
}


def test_store_1() -> None:
    store = open_store(HERE / "store-1")
    assert store.index["length"].tolist() == [12, 14]
    assert store.info.fingerprint == content_fingerprint(store)


def test_run_1_and_checkpoint_1() -> None:
    """Written before `run.json` held the model, with the loss terms' first names."""
    saved = load_embeddings(HERE / "run-1" / "embeddings.npz")
    found = aclnet.load(HERE / "run-1").embed(HERE / "store-1")
    rows = [saved.sample.tolist().index(name) for name in found.sample]
    np.testing.assert_allclose(found.embedding, saved.embedding[rows], atol=1e-6)


def test_records_1_and_2() -> None:
    first = ResultRecord.read(HERE / "record-1.json")
    assert (first.schema_version, first.kind, first.metrics["parameters"]) == (2, "cost", 327_235)
    second = ResultRecord.read(HERE / "run-1" / "record.json")
    assert (second.kind, second.counts["probes"]) == ("run", 2)


def test_gallery_1(tmp_path: Path) -> None:
    place = tmp_path / "old.db"
    place.write_bytes(gzip.decompress((HERE / "gallery-1.db.gz").read_bytes()))
    with Gallery(str(place)) as gallery:
        assert [person.name for person in gallery.people()] == ["003", "004"]
        saved = load_embeddings(HERE / "run-1" / "embeddings.npz")
        (found,) = gallery.identify_embeddings(saved.embedding[:1], threshold=0.5)
    assert (found.person, round(found.score or 0, 6)) == ("003", 1)


def test_the_page_names_the_newest_version_of_each() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \|.*?\| (\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name: int(version) for name, version in rows} == NEWEST
    assert [name for name, _ in rows] == sorted((name for name, _ in rows), key=[*NEWEST].index)


def _raised(file: Path, key: str) -> None:
    """Give a JSON file the next version."""
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**content, key: content.get(key, 1) + 1, "new": []}), "utf-8")


def _store(folder: Path) -> None:
    shutil.copytree(HERE / "store-1", folder / "store")
    _raised(folder / "store" / "store.json", "schema_version")
    open_store(folder / "store")


def _npz(folder: Path) -> None:
    export_store(open_store(HERE / "store-1"), folder / "store.npz", "npz")
    with np.load(folder / "store.npz") as saved:
        arrays = dict(saved)
    about = json.loads(str(arrays["about"]))
    arrays["about"] = np.array(json.dumps({**about, "schema_version": STORE + 1}))
    np.savez(folder / "store.npz", **arrays)
    read(folder / "store.npz")


def _run(folder: Path) -> None:
    shutil.copytree(HERE / "run-1", folder / "run")
    _raised(folder / "run" / "run.json", "format")
    aclnet.load(folder / "run")


def _exported(folder: Path) -> None:
    shutil.copytree(local_model("walkers-gait"), folder / "exported")
    _raised(folder / "exported" / "model.json", "format")
    aclnet.load(folder / "exported")


def _calibration(folder: Path) -> None:
    (folder / "calibration.json").write_text('{"format": 2}')
    read_calibration(folder, "")


@pytest.mark.parametrize("written", [_store, _npz, _run, _exported, _calibration])
def test_a_newer_version_is_refused(written: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is of version 2, but .* up to 1: update aclnet$"):
        written(tmp_path)
