"""`aclnet-task submit`: a command as a job of a SLURM cluster, which goes on where it was stopped.

submitit writes the job, and asks SLURM for a signal some minutes before its time is over. The
command is then stopped as by Ctrl-C, so that a training saves its state, and the job is queued
again; it resumes what it finds.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from tasks.commands.options import echo
from tasks.spec import all_tasks

_SHARED = ("train", "embed")
"""Commands whose work several processes share."""

_SAVING_SECONDS = 180
_NAME = "aclnet"


def submit_command(
    ctx: typer.Context,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
    gpus_per_node: Annotated[
        int, typer.Option(min=0, help="GPUs of each machine, one process per GPU; 0: on the CPU.")
    ] = 1,
    cpus_per_task: Annotated[int, typer.Option(min=1, help="Processors of each process.")] = 4,
    time: Annotated[
        int, typer.Option(min=10, help="Minutes until the job is stopped and queued again.")
    ] = 24 * 60,
    partition: Annotated[
        str | None, typer.Option(help="The cluster's partition; by default its own default.")
    ] = None,
    requeues: Annotated[
        int, typer.Option(min=0, help="How often a job that ran out of time is queued again.")
    ] = 20,
    logs: Annotated[
        Path, typer.Option(help="Folder for the job and its output, visible to all machines.")
    ] = Path("runs/slurm"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the batch script and submit nothing.")
    ] = False,
) -> None:
    """Submit a command to a SLURM cluster, such as: submit gait train -c gait/casia_b --nodes 2.

    The job stops itself before its time is over, or when it is preempted with a warning, is queued
    again and resumes. Several processes share a training (the batch size stays that of all
    together) or an embedding. The run's folder must be on a disk that all machines see.
    """
    words = list(ctx.args)
    _check(ctx, words)
    processes = max(gpus_per_node, 1)
    if nodes * processes > 1 and words[1] not in _SHARED:
        raise ValueError(
            f"{words[1]} runs in one process: take --nodes 1 and --gpus-per-node 1 or 0"
        )
    asked: dict[str, Any] = {
        "job_name": _NAME,
        "nodes": nodes,
        "ntasks_per_node": processes,
        "cpus_per_task": cpus_per_task,
        "time": time,
        "signal_delay_s": _SAVING_SECONDS,
        "additional_parameters": {"requeue": True},
        **({"gpus_per_node": gpus_per_node} if gpus_per_node else {}),
        **({} if partition is None else {"partition": partition}),
    }
    try:
        from submitit import SlurmExecutor
        from submitit.slurm.slurm import _make_sbatch_string
    except ImportError:
        raise ValueError(
            "submitit is not installed, which writes the jobs: install aclnet[slurm]"
        ) from None
    if dry_run:
        work = f"{shlex.quote(sys.executable)} -u -m submitit.core._submit {shlex.quote(str(logs))}"
        echo(f"{_make_sbatch_string(command=work, folder=logs, **asked)}\n# runs: {_said(words)}")
        return
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise ValueError(
            "sbatch is not found: give the command on a machine of a SLURM cluster, or look at the "
            "job with --dry-run"
        )
    executor = SlurmExecutor(logs, max_num_timeout=requeues)
    executor.update_parameters(**asked)
    plugins = [each for path in _plugins(ctx) for each in ("--plugin", str(path))]
    job = executor.submit(Job(tuple(words), tuple(plugins)))
    echo(f"submitted job {job.job_id}: {_said(words)}\nwhat it prints is in {job.paths.stdout}")


def _plugins(ctx: typer.Context) -> list[Path]:
    return ctx.find_root().params.get("plugin") or []


def _said(words: list[str]) -> str:
    return shlex.join(["aclnet-task", *words])


def _check(ctx: typer.Context, words: list[str]) -> None:
    """Read the command as it will be read in the job, so that a misspelt one is not queued."""
    if len(words) < 2 or words[0] not in all_tasks():
        raise ValueError(
            f"give a command of {', '.join(all_tasks())} to run as a job, such as: aclnet-task "
            "submit gait train -c gait/casia_b"
        )
    command: Any = ctx.find_root().command
    above: Any = ctx.find_root()
    for word in words[:2]:
        found = command.get_command(above, word)
        if found is None:
            raise ValueError(f"{words[0]} has no command {word!r}: see aclnet-task {words[0]} -h")
        command = found
    given = command.make_context(" ".join(words[:2]), words[2:], parent=above).params
    if words[1] == "train" and given["config"] is not None:
        from aclnet.config import load_settings
        from tasks.recipes import find_recipe

        kind = all_tasks()[words[0]].settings
        load_settings(kind, find_recipe(given["config"]), given["overrides"] or [])


@dataclass
class Job:
    """A command in a job; submitit saves it, calls it, and asks it to stop in time.

    Attributes:
        words: The command.
        before: Options that go before it.
        again: Whether it was started before.
    """

    words: tuple[str, ...]
    before: tuple[str, ...] = ()
    again: bool = False
    _work: list[Any] = field(default_factory=list)

    def __call__(self) -> None:
        """Run the command in one of the job's processes.

        Raises:
            RuntimeError: It failed.
        """
        from submitit import JobEnvironment
        from submitit.helpers import TorchDistributedEnvironment

        place = JobEnvironment()
        if place.num_tasks > 1:
            # Each process sees all GPUs of its machine, and takes that of its number.
            TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        command = [sys.executable, "-m", "tasks", *self.arguments()]
        process = subprocess.Popen(command)  # noqa: S603 (the user's own command)
        # In a thread of its own: the signal's handler, which `checkpoint` is called by, waits too.
        ended = threading.Thread(target=process.wait, daemon=True)
        ended.start()
        self._work = [process, ended]
        ended.join()
        self._work = []
        if process.returncode > 128 and place.global_rank > 0:
            # Stopped together with the first process, which is about to queue the job again.
            time.sleep(_SAVING_SECONDS)
        if process.returncode:
            raise RuntimeError(f"{_said(list(self.words))} ended with {process.returncode}")

    def arguments(self) -> list[str]:
        """The command, which resumes its training where the job was started before."""
        restarted = self.again or int(os.environ.get("SLURM_RESTART_COUNT", "0")) > 0
        if not restarted or self.words[1] != "train":
            return [*self.before, *self.words]
        kept = [word for word in self.words if word not in ("--overwrite", "--resume")]
        return [*self.before, *kept, "--resume"]

    def checkpoint(self) -> Any:
        """Stop the command, which saves what it has done, and say how to go on."""
        from submitit.helpers import DelayedSubmission

        if self._work:
            process, ended = self._work
            process.send_signal(signal.SIGTERM)
            ended.join(_SAVING_SECONDS)
        return DelayedSubmission(Job(self.words, self.before, again=True))
