from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from aclnet.config import load_settings
from aclnet.data.settings import DataSettings
from aclnet.training.log import read_log
from protocols.embeddings import load_embeddings
from tasks.gait.settings import GaitSettings

EPOCHS, STEPS = 40, 3
LONG = ("-s", f"train.epochs={EPOCHS}", "-s", "train.evaluate_every_epochs=20")
RANKS = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
SCRIPT = shutil.which("aclnet-task", path=str(Path(sys.executable).parent))


def start(*arguments: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """`gait train` by torchrun, as the README has it, by the script."""
    program = ["-m", "tasks.cli"] if SCRIPT is None else ["--no-python", SCRIPT]
    command = [sys.executable, *RANKS, *program, "gait", "train", *map(str, arguments)]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=cwd)


def finish(process: Any) -> tuple[str, str]:
    try:
        out, err = process.communicate(timeout=100)
    finally:
        process.kill()
    return out, err


def signal_after(process: Any, run: Path, steps: int, number: int) -> None:
    """Send a signal when the log holds so many steps and a checkpoint is there."""
    deadline = time.monotonic() + 60
    log, checkpoint = run / "log.jsonl", run / "checkpoint.pt"
    while time.monotonic() < deadline and process.poll() is None:
        if checkpoint.exists() and log.exists():
            done = sum(line["kind"] == "step" for line in read_log(log))
            if done >= steps:
                process.send_signal(number)
                return
        time.sleep(0.005)
    process.kill()
    raise AssertionError(f"the run ended before step {steps}: {process.communicate()}")


@contextmanager
def one_thread() -> Iterator[None]:
    """As many threads as the processes of `start` have: another number sums in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(call: Any, recipe: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody interrupted, made in this process."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    with one_thread():
        call("gait", "train", "-c", recipe, "--cache", cache, "--run", run, *LONG)
    return run


@pytest.mark.slow
def test_killed_at_a_random_moment_and_resumed(
    ready: Any,
    recipe: Path,
    cache: Path,
    whole: Path,
    call: Any,
    tmp_path: Path,
    assert_same_run: Any,
) -> None:
    torn = tmp_path / "torn"
    command = ("-c", recipe, "--cache", cache, "--run", torn, *LONG)
    steps = random.SystemRandom().randrange(STEPS, STEPS * (EPOCHS - 20))
    process = ready("-m", "tasks.cli", "gait", "train", *command)
    signal_after(process, torn, steps, signal.SIGKILL)
    finish(process)
    assert process.returncode == -signal.SIGKILL
    assert not (torn / "record.json").exists()
    with one_thread():
        resumed = call("gait", "train", *command, "--resume", code=None)
    assert resumed.code == 0, f"killed after step {steps}: {resumed.err}"
    assert "resuming at epoch " in resumed.err
    assert "casia_b, rule exact" in resumed.out
    assert_same_run(whole, torn)


@pytest.mark.slow
def test_interrupted_says_how_to_go_on_and_goes_on(
    ready: Any,
    recipe: Path,
    cache: Path,
    whole: Path,
    call: Any,
    tmp_path: Path,
    assert_same_run: Any,
) -> None:
    torn = tmp_path / "torn"
    command = ("gait", "train", "-c", recipe, "--cache", cache, "--run", torn, *LONG)
    process = ready("-m", "tasks.cli", *command)
    signal_after(process, torn, 5, signal.SIGINT)
    _, err = finish(process)
    assert process.returncode == 130
    sentence = err.splitlines()[-1]
    assert sentence.startswith("error: stopped at epoch ")
    assert str(torn / "checkpoint.pt") in sentence
    assert "--resume" in sentence
    assert "Traceback" not in err
    unfinished = call("gait", "eval", "--run", torn, code=2)
    # What the sentence advises, word for word.
    assert f"aclnet-task gait train --run {torn} --resume" in unfinished.err
    with one_thread():
        call("gait", "train", "--run", torn, "--resume", "--cache", cache)
    assert_same_run(whole, torn)


def test_interrupted_outside_the_loop(
    call: Any, recipe: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.gait.adapter import GaitAdapter

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    run = tmp_path / "run"
    monkeypatch.setattr(GaitAdapter, "floor", stop)
    done = call("gait", "train", "-c", recipe, "--cache", cache, "--run", run, code=130)
    assert "--resume" in done.err.splitlines()[-1]
    assert not (run / "record.json").exists()
    monkeypatch.undo()
    done = call("gait", "train", "--run", run, "--resume", "--cache", cache)
    assert (run / "record.json").is_file()


@pytest.mark.slow
@pytest.mark.ddp
def test_two_ranks_share_one_run(recipe: Path, tmp_path: Path) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    command = ("-c", recipe, "--cache", cache)
    (tmp_path / "tasks.py").write_text("raise ImportError('a file of the user, of the same name')")
    here = tmp_path if SCRIPT else None
    process = start(*command, "-r", run, cwd=here)
    out, err = finish(process)
    assert process.returncode == 0, err
    assert err.count("generating 8 walkers") == 1
    assert err.count("epoch 2/2: ") == 1
    assert out.count("casia_b, rule exact") == 1
    # One store, whole, and nothing left of making it; one log, one record, and no draft.
    (store,) = cache.iterdir()
    assert {item.name for item in store.iterdir()} == {"store.json", "index.csv", "frames.npy"}
    assert not [item.name for item in run.iterdir() if item.name.startswith(".")]
    kinds = [line["kind"] for line in read_log(run / "log.jsonl")]
    assert kinds == (["step"] * STEPS + ["epoch", "evaluation"]) * 2 + ["finished"]
    found = json.loads((run / "record.json").read_text())
    assert len(load_embeddings(run / "embeddings.npz")) == found["counts"]["test"] == 90
    assert 0 <= found["metrics"]["rank1"] <= 1


@pytest.mark.parametrize("first", [True, False])
def test_a_mistake_is_told_by_rank_0_alone(
    first: bool, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.run import pipeline
    from tasks.spec import find_task

    told = []

    class Rank:
        """One rank of two; rank 0 tells the others whether the data are there."""

        is_global_zero = first

        def broadcast(self, ready: bool) -> bool:
            told.append(ready)
            return False

    monkeypatch.setattr(pipeline, "make_fabric", lambda _: Rank())
    data = DataSettings(path=tmp_path / "gone")
    settings = load_settings(GaitSettings, recipe).model_copy(update={"data": data})
    gait, places = find_task("gait"), (tmp_path / "run", tmp_path / "cache")
    if first:
        with pytest.raises(ValueError, match="there is no file or folder"):
            pipeline.train_and_evaluate(gait, settings, *places, command="")
    else:
        assert pipeline.train_and_evaluate(gait, settings, *places, command="") is None
    assert told == [False]
    assert not (tmp_path / "run").exists()
