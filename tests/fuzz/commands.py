"""Damaged files given to whole commands, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from formats import FORMATS, seeds_of
from inputs import Input, make_input
from mutations import MARKER
from outcome import Progress, count_row
from worker import READ, REFUSED, names_file, sentence_is_clean

_PATIENCE_S = 120
"""Seconds for a whole command, whose imports alone take several on a busy machine."""
_MEMORY = 6_000_000 << 10
_START = "import sys; from tasks.cli import main; main()"

Arguments = Callable[[Path, Path], list[str]]


def _convert(path: Path, out: Path) -> list[str]:
    return ["data", "convert", str(path), str(out)]


def _eval(task: str, protocol: str = "casia_b") -> Arguments:
    return lambda path, _: [task, "eval", "--embeddings", str(path), "--protocol", protocol]


def _train(task: str) -> Arguments:
    # The data are absent, so that a recipe which is read ends there.
    return lambda path, out: [
        *(task, "train", "--config", str(path), "--data", str(path.parent / "absent.pkl")),
        *("--run", str(out), "--cache", str(out.parent / "cache")),
    ]


def _pairs(path: Path, _: Path) -> list[str]:
    labels = str(path.with_name("labels.csv"))
    return ["gait", "eval", "--embeddings", str(path), "--labels", labels, "--protocol", "casia_b"]


def _train_on(path: Path, out: Path) -> list[str]:
    few = ["--set", "train.epochs=1", "--set", "sampler.steps_per_epoch=1"]
    return ["gait", "train", "--data", str(path), "--run", str(out), *few]


def _report(path: Path, out: Path) -> list[str]:
    return ["report", "--results", str(path.parent), "--out", str(out), "--no-figures"]


COMMANDS: dict[str, tuple[Arguments, ...]] = {
    **{
        name: (_convert,)
        for name, entry in FORMATS.items()
        if name.partition("_")[0] not in ("recipe", "embeddings")
        and not name.startswith("hostile")
        and entry.read.__qualname__.startswith("_recordings")
    },
    "hostile_pose_pickle": (_convert,),
    "hostile_pyskl": (lambda path, out: [*_convert(path, out), "--format", "pyskl"],),
    "store": (
        lambda path, _: ["data", "validate", str(path)],
        lambda path, _: ["data", "show", str(path)],
        _train_on,
    ),
    **{
        name: (
            _eval("gait"),
            _eval("reid"),
            lambda path, _: ["gait", "biometrics", "--embeddings", str(path)],
        )
        for name in ("embeddings_npz", "embeddings_csv", "embeddings_npy", "embeddings_parquet")
    },
    "class_scores": (lambda path, _: ["action", "eval", "--scores", str(path)],),
    "pair_scores": (_pairs,),
    "record": (_report,),
    **{f"recipe_{task}": (_train(task),) for task in ("action", "gait", "reid")},
    "gait_protocol": (lambda path, _: _eval("gait", str(path))(path.parent / "absent.npz", path),),
}


class Judged(NamedTuple):
    """Counts of verdicts by command, and the faults."""

    rows: list[dict[str, Any]]
    faults: list[dict[str, Any]]


def judge_commands(seed: int, count: int, jobs: int, progress: Progress) -> Judged:
    """Run commands on damaged files, formats in turn."""
    names = [name for name in COMMANDS if seeds_of(name)]
    all_found: dict[str, list[dict[str, Any]]] = {}
    faults: list[dict[str, Any]] = []
    numbers, lock = iter(range(count)), threading.Lock()

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            while True:
                with lock:
                    place = next(numbers, None)
                if place is None:
                    return
                name = names[place % len(names)]
                number = 2 * 10**7 + place // len(names)
                found = judge_command(seed, name, number, Path(folder))
                with lock:
                    all_found.setdefault(name, []).append(found)
                fault = None if found["verdict"] in (READ, REFUSED) else found
                if fault is not None:
                    faults.append(fault)
                progress.tried(fault)

    threads = [threading.Thread(target=work) for _ in range(jobs if count else 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = [count_row("whole commands", name, own) for name, own in sorted(all_found.items())]
    return Judged(rows, faults)


def judge_command(seed: int, name: str, number: int, root: Path) -> dict[str, Any]:
    """Run one command on one damaged file."""
    one = make_input(seed, name, number)
    path, out = one.write(root / "in"), root / f"out-{number}-{name}"
    choices = COMMANDS[name]
    arguments = choices[number % len(choices)](path, out)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    limited = ["/bin/sh", "-c", f'ulimit -v {_MEMORY >> 10}; exec "$@"', "sh"]
    with subprocess.Popen(
        [*limited, sys.executable, "-c", _START, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=root,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            printed, said = process.communicate(timeout=_PATIENCE_S)
            verdict, text = _ended(process.returncode, printed, said, path, one)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            verdict, text = "time-out", f"more than {_PATIENCE_S} s"
    if verdict == REFUSED and out.exists():
        verdict, text = "written", f"{out.name} exists after: {text}"
    if (root / MARKER).exists():
        verdict = "execution"
        (root / MARKER).unlink()
    where = "aclnet-task " + " ".join(arguments[:2])
    return {
        "format": name,
        "number": number,
        "verdict": verdict,
        "text": text,
        "where": where,
        "command": True,
    }


def _ended(code: int, printed: bytes, said: bytes, path: Path, one: Input) -> tuple[str, str]:
    text = said.decode("utf-8", "replace")
    if b"Traceback" in said:
        return "traceback", text.strip().splitlines()[-1][:300]
    shown = printed.decode("utf-8", "replace") + text
    if not all(sentence_is_clean(line) for line in shown.split("\n")):
        return "control characters", repr(shown[-300:])
    allowed = (0, 1) if "validate" in text or (code == 1 and b"errors" in printed) else (0,)
    if code in allowed:
        return READ, ""
    if code != 2:
        return "exit code", f"{code}: {text[-300:]}"
    last = text.rstrip("\n").rpartition("\n")[2]
    if not last.startswith("error: "):
        return "no sentence", text[-300:]
    if not names_file(last, path, one) and "absent" not in last:
        return "no file name", last[:300]
    return REFUSED, last[:300]
