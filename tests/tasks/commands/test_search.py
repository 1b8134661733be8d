"""`aclnet-task search` on files, by one process and by two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from protocols.embeddings import Embeddings
from protocols.ranking.retrieval import search


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """20 probes and a gallery of 601, of which every row appears twice."""
    generator = np.random.default_rng(2)
    paths = tmp_path / "probe.npz", tmp_path / "gallery.npz"
    rows = generator.normal(0, 1, (301, 8))
    for path, vectors in zip(
        paths, (rows[:20] + 0.3, np.concatenate([rows, rows[:300]])), strict=True
    ):
        Embeddings(vectors, subject=np.arange(len(vectors)) % 301).save(path)
    return paths


def test_the_nearest_are_written_with_names_and_distances(
    call: Any, files: tuple[Path, Path], tmp_path: Path
) -> None:
    probe, gallery = files
    out = tmp_path / "near.csv"
    done = call("search", "--probes", probe, "--gallery", gallery, "--k", 3, "--out", out)
    assert (
        done.out == f"20 probes in 601 gallery embeddings: the 3 nearest of each in {out} (exact)\n"
    )
    found = pd.read_csv(out, dtype={"gallery": str, "probe": str})
    with np.load(probe) as left, np.load(gallery) as right:
        wanted = search(left["embedding"], right["embedding"], 3)
        names, people = right["sample"], right["subject"]
    assert found["gallery"].tolist() == names[wanted.rows.ravel()].tolist()
    assert found["subject"].astype(str).tolist() == people[wanted.rows.ravel()].tolist()
    np.testing.assert_allclose(found["distance"], wanted.distances.ravel())
    assert found["rank"].tolist() == [1, 2, 3] * 20
    assert (found["recall"] == 1).all()


INDICES = [("ivf", "--nprobe"), ("hnsw", "--ef-search")]


@pytest.mark.parametrize(("index", "option"), INDICES)
def test_more_than_the_gallery_has_looks_at_all_of_it(
    call: Any, files: tuple[Path, Path], tmp_path: Path, index: str, option: str
) -> None:
    probe, gallery = files
    asked = ("--probes", probe, "--gallery", gallery, "--out", tmp_path / "near.csv")
    done = call("search", *asked, "--index", index, option, 10**30)
    assert "recall 1.0000" in done.out


@pytest.mark.parametrize(("index", "option"), INDICES)
def test_an_index_tells_its_recall(
    call: Any, files: tuple[Path, Path], tmp_path: Path, index: str, option: str
) -> None:
    probe, gallery = files
    out = tmp_path / "near.csv"
    asked = ("--probes", probe, "--gallery", gallery, "--out", out)
    done = call("search", *asked, "--index", index, option, 2, "--half")
    recall = pd.read_csv(out)["recall"].unique()
    assert f"({index}, recall {recall[0]:.4f} of the 10 nearest, measured on 20 probes)" in done.out


@pytest.mark.ddp
@pytest.mark.slow
def test_two_processes_find_what_one_finds(
    call: Any, ranks: Any, files: tuple[Path, Path], tmp_path: Path
) -> None:
    probe, gallery = files
    for metric in ("cosine", "euclidean"):
        one, two = tmp_path / "one.csv", tmp_path / f"{metric}.csv"
        asked = ("search", "--probes", probe, "--gallery", gallery, "--metric", metric, "--half")
        call(*asked, "--out", one)
        said = ranks("-m", "tasks", *asked, "--out", two)
        assert sum(out.count("nearest of each") for out, _ in said) == 1
        assert two.read_bytes() == one.read_bytes()


def test_mistakes_of_a_search(
    mistake: Callable[..., str], files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, gallery = files
    asked = ("search", "--probes", probe, "--gallery", gallery, "--out", gallery.parent / "x.csv")
    mistake(*asked, "--nprobe", 3, words=["--nprobe is for --index ivf, not for exact"])
    mistake(*asked, "--index", "ivf", "--ef-search", 3, words=["for --index hnsw, not for ivf"])
    large = gallery.parent / "large.npz"
    Embeddings(np.full((3, 8), 1e6), subject=[1, 2, 3]).save(large)
    mistake(*asked, "--gallery", large, "--half", words=["beyond float16"])
    Embeddings(np.full((3, 8), 1e-9), subject=[1, 2, 3]).save(large)
    mistake(*asked, "--gallery", large, "--half", words=["too short for float16"])
    mistake(*asked, "--out", gallery, words=["are the embeddings themselves"])
    monkeypatch.setenv("WORLD_SIZE", "2")
    mistake(*asked, "--index", "ivf", words=["--index ivf runs in one process"])
    mistake(*asked, words=["WORLD_SIZE is 2, but RANK"])
