"""Every command that may work for long shows it, and no result is mixed with what it shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.commands.terminal import Terminal

PULSES = {"evaluating", "exporting", "measuring", "probing", "searching", "writing"}
"""Work whose amount is not known: a library's, or that of one call."""

Shown = dict[str, list[list[tuple[int, int]]]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """For each kind of work the bars that were drawn, and what each was told."""
    found: Shown = {}

    @contextmanager
    def bar(self: Terminal, what: str) -> Iterator[Any]:
        calls: list[tuple[int, int]] = []
        found.setdefault(what, []).append(calls)
        yield lambda done, total, words="": calls.append((done, total))

    monkeypatch.setattr(Terminal, "bar", bar)
    return found


@pytest.fixture
def check(call: Any, shown: Shown) -> Any:
    """Call a command and check which bars it drew, and that each that counts ran to its end."""

    def run(wanted: str, *arguments: object) -> str:
        shown.clear()
        out = call(*arguments).out
        assert shown.keys() == set(wanted.split()), arguments
        for what, bars in shown.items():
            for calls in bars:
                shares = [Fraction(done, total) for done, total in calls]
                assert shares == sorted(shares), (what, calls)
                assert what in PULSES or shares[-1] == 1, (arguments, what, calls)
        return str(out)

    return run


@pytest.fixture
def clips(clips_file: Any, gesture: Any) -> Path:
    return Path(clips_file("clips.npz", gesture("raise", 1), gesture("stand", 2, 40)))


def test_data(check: Any, tmp_path: Path) -> None:
    walks, store = tmp_path / "walks", tmp_path / "store"
    check("generating", "data", "walkers", walks)
    check("reading", "data", "convert", walks, store)
    check("checking", "data", "validate", store)
    check("writing", "data", "export", store, tmp_path / "out.npz")
    check("reading", "data", "labels", walks, "--out", tmp_path / "labels.csv")


def test_a_run_of_gait(check: Any, recipe: Path, tmp_path: Path) -> None:
    run, cache = tmp_path / "run", ("--cache", tmp_path / "cache")
    file = tmp_path / "clips"
    check(
        "generating training embedding evaluating",
        "gait", "train", "-c", recipe, "--run", run, *cache,
    )  # fmt: skip
    check("evaluating", "gait", "eval", "--run", run)
    check("evaluating", "gait", "eval", "--embeddings", run / "embeddings.npz")
    check("evaluating embedding", "gait", "biometrics", "--run", run, *cache)
    check("embedding", "gait", "embed", "--run", run, "--out", tmp_path / "out.npz", *cache)
    check("generating", "data", "walkers", file)
    check(
        "converting embedding",
        "gait", "embed", "--run", run, "--data", file, "--out", tmp_path / "out.npz", *cache,
    )  # fmt: skip
    keep = ("-s", "data.keep={condition: [nm, bg]}", "--overwrite")
    check(
        "training keeping embedding evaluating",
        "gait", "train", "-c", recipe, "--run", run, *cache, *keep,
    )  # fmt: skip


def test_runs_of_reid_and_action(
    check: Any, reid_copy: Path, cache: Path, action_recipe: Path, arms: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.npz"
    check("evaluating", "reid", "eval", "--run", reid_copy)
    check("embedding", "reid", "embed", "--run", reid_copy, "--out", out, "--cache", cache)
    run, options = tmp_path / "run", ("--cache", tmp_path / "cache")
    training = ("-c", action_recipe, "--data", arms, *options)
    check("training testing evaluating", "action", "train", *training, "--run", run)
    check("testing evaluating", "action", "eval", "--run", run, "--data", arms, *options)
    check("embedding", "action", "embed", "--run", run, "--out", out, *options)
    check("testing", "action", "occlusion", "--run", run, "--results", tmp_path / "r", *options)


def test_files_given_to_a_model(check: Any, gesture_run: Path, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    check("predicting", "action", "predict", clips, clips, "--run", gesture_run, "--json", out)
    assert len(json.loads(out.read_text())) >= 2


def test_galleries(check: Any, first: Path, walkers: Path, tmp_path: Path) -> None:
    gallery, out = tmp_path / "people.gallery", tmp_path / "out.json"
    check("", "gallery", "create", gallery, "--run", first)
    check("embedding", "gallery", "calibrate", gallery, walkers)
    check("embedding", "gallery", "enrol", gallery, walkers, walkers)
    check("embedding", "gallery", "identify", gallery, walkers, "--json", out)
    assert json.loads(out.read_text())["answers"]
    check("embedding", "gallery", "verify", gallery, "001", walkers)


def test_exports(check: Any, first: Path, cache: Path, traced: Any, tmp_path: Path) -> None:
    options = ("--cache", cache, "--out")
    with traced():
        check("exporting comparing", "export", first, *options, tmp_path / "onnx")
    pytest.importorskip("safetensors")
    check("comparing", "export", first, "--to", "safetensors", *options, tmp_path / "weights")


def test_what_is_done_with_results(
    check: Any, copy: Path, first: Path, recipe: Path, tmp_path: Path
) -> None:
    check("comparing", "compare", first, copy)
    shutil.copytree(first, tmp_path / "third")
    check("comparing", "compare", first, copy, tmp_path / "third", "--pairs")
    check("writing", "report", "--results", copy, "--out", tmp_path / "r", "--formats", "csv")
    vectors = copy / "embeddings.npz"
    out = tmp_path / "near.csv"
    sides = ("--probes", vectors, "--gallery", vectors)
    check("searching", "search", *sides, "--out", out, "--k", 2)


@pytest.mark.slow
def test_costs(check: Any, recipe: Path) -> None:
    check("measuring", "cost", "-c", recipe, "--task", "gait", "--seconds", 0)


def test_permutations_are_counted() -> None:
    """Two runs that differ for many people, so that swaps are drawn at random."""
    from protocols import compare

    generator = np.random.default_rng(0)
    runs = [
        {"nm": {str(i): (int(hits), 10) for i, hits in enumerate(generator.integers(0, 11, 40))}}
        for _ in range(2)
    ]
    calls: list[tuple[int, int]] = []
    compare(*runs, draws=1000, progress=lambda *call: calls.append(call))
    assert calls[-1] == (2000, 2000)
    assert calls == sorted(calls)
