"""Jobs of a cluster that is played by three small programs."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aclnet.training.log import read_log
from tasks.commands.submit import Job

pytest.importorskip("submitit")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with sbatch, srun and scontrol; what scontrol is asked is in `asked`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    texts = {
        "sbatch": "echo Submitted batch job 7",
        "srun": "exit 1",
        "scontrol": f"echo $* >> {tmp_path}/asked",
    }
    for name, text in texts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def processes(ready: Any, logs: Path, count: int, **more: str) -> list[Any]:
    """The processes of job 7, as srun starts them."""
    place = {
        "SUBMITIT_EXECUTOR": "slurm",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_NTASKS": str(count),
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_NODEID": "0",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        **more,
    }
    return [
        ready(
            *("-m", "submitit.core._submit", logs),
            env=place | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
        )
        for rank in range(count)
    ]


@pytest.mark.slow
@pytest.mark.ddp
def test_a_job_whose_time_is_over_is_queued_again_and_resumes(
    ready: Any, cluster: Path, call: Any, recipe: Path, cache: Path, walkers: Path
) -> None:
    run, logs, epochs = cluster / "run", cluster / "logs", 12
    train = ("gait", "train", "-c", recipe, "--run", run, "--cache", cache, "--overwrite")
    job = ("--gpus-per-node", 2, "--logs", logs, "--time", 60)
    submitted = call("submit", *train, *job, "-s", f"train.epochs={epochs}")
    assert "submitted job 7: aclnet-task gait train" in submitted.out
    started = processes(ready, logs, 2)
    try:
        deadline = time.monotonic() + 120
        while not (run / "log.jsonl").is_file() or len(read_log(run / "log.jsonl")) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for process in started:
            process.send_signal(signal.SIGUSR2)
        text = started[0].communicate(timeout=60)
    finally:
        for process in started:
            process.kill()
    assert (cluster / "asked").read_text() == "requeue 7\n", text
    assert not (run / "record.json").exists()
    again = processes(ready, logs, 2, SLURM_RESTART_COUNT="1")
    texts = ["".join(process.communicate()) for process in again]
    assert [process.returncode for process in again] == [0, 0], texts
    assert "resuming at epoch" in texts[0]
    assert (run / "record.json").is_file()
    assert [line["epoch"] for line in read_log(run / "log.jsonl") if line["kind"] == "epoch"] == [
        *range(1, epochs + 1)
    ]


def test_what_resumes_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    job = Job(("gait", "train", "--overwrite"), ("--plugin", "mine.py"))
    assert job.arguments() == ["--plugin", "mine.py", "gait", "train", "--overwrite"]
    resumed = ["--plugin", "mine.py", "gait", "train", "--resume"]
    assert job.checkpoint().function.arguments() == resumed
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")  # by the cluster itself, without a warning
    assert job.arguments() == resumed
    assert Job(("gait", "eval")).arguments() == ["gait", "eval"]


def test_a_dry_run_prints_the_script_and_needs_no_cluster(call: Any, tmp_path: Path) -> None:
    words = ("gait", "train", "-c", "gait/casia_b", "--data", tmp_path)
    asked = ("--nodes", 2, "--gpus-per-node", 4, "--time", 90, "--partition", "long", "--dry-run")
    script = call("submit", *words, *asked, "--logs", tmp_path / "logs").out.splitlines()
    wanted = "nodes=2 ntasks-per-node=4 gpus-per-node=4 time=90 partition=long signal=USR2@180"
    assert {f"#SBATCH --{one}" for one in (*wanted.split(), "requeue")} <= set(script)
    assert script[-1] == f"# runs: aclnet-task gait train -c gait/casia_b --data {tmp_path}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give a command of"),
        (("doctor", "now"), "give a command of"),
        (("gait", "tran"), "gait has no command 'tran'"),
        (("gait", "eval", "--nodes", "2"), "eval runs in one process"),
        (("gait", "train", "-c", "gait/casia"), "gait/casia"),
        (("gait", "train", "-c", "gait/casia_b", "-s", "train.epoch=1"), "train.epoch"),
        (("gait", "train"), "sbatch is not found"),
    ],
)
def test_what_cannot_be_submitted(
    mistake: Callable[..., str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("PATH", "")
    mistake("submit", *words, words=[said], alone=True)


def test_a_misspelt_option_is_not_queued(call: Any, cluster: Path) -> None:
    assert "No such option: --overwrit" in call("submit", "gait", "train", "--overwrit", code=2).err


def test_without_submitit_one_sentence_says_so(
    mistake: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    mistake("submit", "gait", "train", words=["install aclnet[slurm]"], alone=True)
