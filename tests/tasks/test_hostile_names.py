"""Names in files that would command a terminal: no command prints them as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HOSTILE = "a\x1b[2J\x9b\u202eb\x07"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(done: Any) -> str:
    printed: str = done.out + done.err
    assert not RAW.findall(printed), printed
    return printed


def test_a_refused_file(call: Any, tmp_path: Path) -> None:
    path = tmp_path / f"{HOSTILE}.pkl"
    assert "a\\x1b[2J\\x9b\\u202eb\\x07.pkl" in harmless(
        call("data", "convert", path, tmp_path / "out", code=2)
    )
    path.mkdir()
    assert "error: " in harmless(call("gait", "eval", "--embeddings", path, code=2))


def test_a_store(call: Any, walkers: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(walkers, tmp_path / "s")
    file = tmp_path / "s" / "store.json"
    about = json.loads(file.read_text())
    about |= {"name": HOSTILE, "source": HOSTILE, "dropped": {HOSTILE: 3}}
    file.write_text(json.dumps(about))
    assert "\\x1b" in harmless(call("data", "show", tmp_path / "s"))
    harmless(call("data", "validate", tmp_path / "s", code=None))


@pytest.mark.parametrize("command", ["eval", "biometrics"])
def test_embeddings(call: Any, tmp_path: Path, command: str) -> None:
    rng = np.random.default_rng(0)
    takes = np.tile(np.arange(1, 7), 4)
    people = np.repeat([f"{HOSTILE}{i}" for i in range(4)], 6)
    names = np.array([f"{HOSTILE}-{i}" for i in range(24)])
    np.savez(
        tmp_path / "e.npz",
        embedding=rng.normal(size=(24, 3)).astype(np.float32),
        subject=people,
        sample=names,
        condition=np.array(["nm"] * 24),
        take=takes,
        view=np.array([HOSTILE, "18"] * 12),
    )
    harmless(call("gait", command, "--embeddings", tmp_path / "e.npz", code=None))
