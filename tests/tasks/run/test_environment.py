"""What a record says of the machine, and trainings that other machines repeat."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aclnet.training.machine.instructions import cpu_info
from tasks.run.environment import describe_environment

PIN = "train.instruction_set=avx2"
needs_avx2 = pytest.mark.skipif(
    "avx2" not in cpu_info("flags").split(), reason="this CPU has no AVX2, or does not say so"
)


def test_a_record_names_commit_and_cpu(first: Path, record: Callable[[Path], Any]) -> None:
    import torch

    found = record(first)["environment"]
    assert found["cpu"] == cpu_info("model name")
    assert found["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert found["torch_threads"] == torch.get_num_threads()
    if (Path(__file__).parents[3] / ".git").exists() and shutil.which("git"):
        assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", found["commit"])


def test_evaluating_again_keeps_where_the_run_was_trained(
    call: Any, copy: Path, tmp_path: Path, record: Any
) -> None:
    path = copy / "record.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"environment": {"cpu": "another"}}))
    call("gait", "eval", "--run", copy, "--json", tmp_path / "again.json")
    found = record(tmp_path, "again.json")["environment"]
    assert found["training"] == {"cpu": "another"}
    assert found["cpu"] == describe_environment()["cpu"]


def test_outside_a_checkout_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a package in a virtual environment inside somebody's repository.
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    inside = tmp_path / "lib" / "tasks" / "run" / "environment.py"
    monkeypatch.setattr("tasks.run.environment.__file__", str(inside))
    assert "commit" not in describe_environment()


@needs_avx2
def test_a_pinned_training_repeats_in_another_process(
    arms: Path, action_recipe: Path, tmp_path: Path, assert_same_run: Any, record: Any
) -> None:
    runs = [tmp_path / name for name in ("one", "two")]
    for run in runs:
        command = [
            *("action", "train", "-c", action_recipe, "--data", arms, "--set", PIN),
            *("--run", run, "--cache", tmp_path / "cache"),
        ]
        subprocess.run(
            [sys.executable, "-m", "tasks.cli", *map(str, command)],
            check=True,
            capture_output=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    records = [record(run) for run in runs]
    for found in records:
        assert found["settings"]["train"]["instruction_set"] == "avx2"
        assert found["environment"]["cpu_capability"] == "AVX2"
        assert found["environment"]["torch_threads"] == 1
    for part in ("metrics", "intervals", "counts", "cells", "environment"):
        assert records[0][part] == records[1][part]
    for run in runs:
        (run / "record.json").unlink()  # compared above; `scores.npz` is not a file of embeddings
    assert_same_run(*runs)


@needs_avx2
def test_too_late_to_pin(
    call: Any, mistake: Any, recipe: Path, copy: Path, tmp_path: Path, cache: Path
) -> None:
    # These tests have torch loaded.
    words = ("train.instruction_set: avx2", "torch is loaded already", "MKL_CBWR=COMPATIBLE")
    given = ("-c", recipe, "--set", PIN, "--cache", cache)
    mistake("gait", "train", *given, "--run", tmp_path / "run", words=words, alone=True)
    mistake("gait", "study", *given, "--runs", tmp_path / "run", words=words, alone=True)
    assert not (tmp_path / "run").exists()
    # The results of a run that was pinned are worth having all the same.
    path = copy / "settings.yaml"
    path.write_text(path.read_text().replace("instruction_set: null", "instruction_set: avx2"))
    done = call("gait", "embed", "--run", copy, "--out", tmp_path / "out.npz", "--cache", cache)
    assert "was trained with a pinned instruction set: train.instruction_set: avx2" in done.err
