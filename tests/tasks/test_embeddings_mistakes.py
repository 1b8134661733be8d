"""What is wrong with files of embeddings: one sentence that says what and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "embedding": rng.normal(size=(8, 3)).astype(np.float32),
        "subject": np.array([1, 1, 1, 1, 2, 2, 2, 2]),
        "condition": np.array(["nm"] * 8),
        "take": np.array([1, 2, 5, 6] * 2),
        "view": np.array(["0", "18"] * 4),
    }


def nan(data: dict[str, Any]) -> None:
    data["embedding"][2, 1] = np.nan


def objects(data: dict[str, Any]) -> None:
    data["subject"] = np.array([{}] * 8, dtype=object)


def no_subject(data: dict[str, Any]) -> None:
    del data["subject"]


def no_embedding(data: dict[str, Any]) -> None:
    data["vectors"] = data.pop("embedding")


def short(data: dict[str, Any]) -> None:
    data["take"] = data["take"][:5]


def zeros(data: dict[str, Any]) -> None:
    data["embedding"][5] = 0


def fractions(data: dict[str, Any]) -> None:
    data["subject"] = np.linspace(0, 1, 8)


def no_probe(data: dict[str, Any]) -> None:
    data["take"][:] = 1


def half_a_view(data: dict[str, Any]) -> None:
    data["view"][0] = ""


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (no_subject, (), ("subject", "identity")),
        (no_embedding, (), ("embedding", "features")),
        (nan, (), ("1-nm-5-0", "row 2", "not finite")),
        (objects, (), ("subject", "unpickling")),
        (short, (), ("take", "(5,)", "8")),
        (zeros, (), ("2-nm-2-18", "zeros")),
        (fractions, (), ("subject", "whole numbers")),
        (no_probe, (), ("no probe", "nm/5")),
        (half_a_view, (), ("1-nm-1", "no view")),
        (None, ("--protocol", "casia"), ("casia", "casia_b", "kgbd_walks")),
        (None, ("--protocol", "FILE.csv"), ("FILE.csv",)),
        (None, ("--gallery-takes", "9"), ("no gallery", "nm/9")),
        (None, ("--json", "FILE.npz/record.json"), ("FILE.npz",)),
        (None, ("--protocol", "gait3d"), ("gait3d", "list of its probes", "--probes")),
        (
            None,
            ("--protocol", "gait3d", "--probes", "FILE.json"),
            ("FILE.json", "no list of probes"),
        ),
        (None, ("--probes", "FILE.npz"), ("FILE.npz", "cannot be read")),
        (None, ("--protocol", "grew"), ("wants type 01", "'nm'")),
        (None, ("--protocol", "oumvlp", "--gallery-takes", "1"), ("oumvlp", "no gallery takes")),
        (None, ("--rerank", "6,6"), ("--rerank", "6,6,0.3")),
        (None, ("--rerank", "6,6,0.3"), ("one gallery", "casia_b_pooled")),
    ],
)
def test_mistakes_with_embeddings(
    change: Callable[[dict[str, Any]], None] | None,
    options: tuple[str, ...],
    words: tuple[str, ...],
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    data = arrays()
    if change is not None:
        change(data)
    path = tmp_path / "FILE.npz"
    np.savez(path, **data)
    given = [tmp_path / word if word.startswith("FILE") else word for word in options]
    sentence = mistake("gait", "eval", "--embeddings", path, *given, words=words)
    if change not in (None, zeros, no_probe, half_a_view):
        assert str(path) in sentence


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.npz", b"PK\x03\x04", ("cut.npz", "npz")),
        ("empty.csv", b"", ("empty.csv",)),
        ("torn.csv", b"subject,e0,e1\n1,2,3\n1,2,3,4,5\n", ("torn.csv", "row 2 has 5 cells")),
        ("words.csv", b"subject,e0,e1\n1,2,x\n", ("words.csv", "not a number")),
        ("bytes.csv", b"subject,e0\n\xff,2\n", ("bytes.csv",)),
        ("vectors.txt", b"", ("vectors.txt", ".npz", ".csv")),
        (None, b"", ("gone.npz",)),
    ],
)
def test_files_that_hold_no_embeddings(
    name: str | None,
    content: bytes,
    words: tuple[str, ...],
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    path = tmp_path / (name or "gone.npz")
    if name is not None:
        path.write_bytes(content)
    mistake("gait", "eval", "--embeddings", path, words=words)
