"""Damaged files of every format through the functions that read them; run by hand, and in CI.

    python tests/fuzz/run.py [--inputs 100000] [--jobs 2] [--seed 0] [--only FORMAT ...]
        [--pickles-through-child 5000] [--commands 500] [--keep FOLDER] [--json FILE]
    python tests/fuzz/run.py --repeat FORMAT:NUMBER [--seed 0] [--keep FOLDER]

Every input ends as read, refused (exit code 2 and one sentence that names the file) or as a fault:
an untyped exception, a sentence without the file's name or with control characters, more than 10 s,
more than 300 MiB for a file under 1 MiB (1 GiB beyond the file for others), content that cannot be
what the file holds, code run, or a process that ended. The same seed gives the same inputs. The
exit code is 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import json
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from commands import judge_command, judge_commands  # noqa: E402 - this checkout's own
from formats import FORMATS, seeds_of  # noqa: E402
from inputs import make_input  # noqa: E402
from outcome import Progress, count_row, faults_as_text, write_counts  # noqa: E402
from worker import LONGEST_S, READ, REFUSED, judged  # noqa: E402

_PATIENCE_S = 3 * LONGEST_S
"""After so many seconds a worker that gives no verdict is ended."""


class Wanted(NamedTuple):
    """An input to be read."""

    format: str
    number: int
    child: bool = False


class Worker:
    """Two processes that read inputs one after another; each is started again when it ended.

    One does nothing but start the real child: a child's memory is measured from the fork on, so
    that its parent must not have grown by other formats.
    """

    def __init__(self, seed: int) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_memory()))
        self._command = [sys.executable, str(HERE / "worker.py"), str(seed)]
        self._processes: dict[bool, subprocess.Popen[str]] = {}

    def judge(self, wanted: Wanted) -> dict[str, Any]:
        """The verdict on an input; one whose process ended is judged again by the real child."""
        found = self._answer(wanted)
        if found is None and FORMATS[wanted.format].unpickles and not wanted.child:
            found = self._answer(wanted._replace(child=True))
        if found is None:
            verdict = {"verdict": "process died", "text": self._last, "where": ""}
            found = {**verdict, "seconds": 0.0, "memory": 0}
        return found

    def _answer(self, wanted: Wanted) -> dict[str, Any] | None:
        child = wanted.child or FORMATS[wanted.format].hostile
        if child not in self._processes:
            self._processes[child] = self._started(child)
        process = self._processes[child]
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        try:
            process.stdin.write(json.dumps(wanted._asdict()) + "\n")
            process.stdin.flush()
            ready = select.select([process.stdout], [], [], _PATIENCE_S)[0]
            line = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            line = ""
        if line.endswith("\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        process.kill()
        self._last = f"exit code {process.wait()}"
        del self._processes[child]
        return None

    def _started(self, child: bool) -> subprocess.Popen[str]:
        folder = self._root / ("child" if child else "here")
        folder.mkdir(exist_ok=True)
        command, pipe = [*self._command, str(folder)], subprocess.PIPE
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def close(self) -> None:
        """End the processes and remove their files."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self._root, ignore_errors=True)


def _memory() -> str | None:
    """A folder that is not a disk, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def plan(names: Sequence[str], count: int, pickles: int) -> Iterator[Wanted]:
    """The inputs: formats in turn, and further pickles through the child."""
    for number in range(-(-count // len(names)) if count else 0):
        for place, name in enumerate(names):
            if number * len(names) + place < count:
                yield Wanted(name, number)
    own = [name for name in names if FORMATS[name].unpickles]
    for number in range(pickles if own else 0):
        # Numbers of their own, so that they are other files.
        yield Wanted(own[number % len(own)], 10**7 + number // len(own), True)


class Tally:
    """Verdicts by group and format, and the faults."""

    def __init__(self, progress: Progress, seed: int, folder: Path | None) -> None:
        self.faults: list[dict[str, Any]] = []
        self._progress, self._seed, self._folder = progress, seed, folder
        self._found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def add(self, wanted: Wanted, found: dict[str, Any]) -> None:
        """Count a verdict."""
        child = found.get("child", False)
        with self._lock:
            group = "pickles through the child" if child else "damaged files"
            slim = {name: found[name] for name in ("verdict", "seconds", "memory")}
            self._found.setdefault((group, wanted.format), []).append(slim)
        fault = None
        if found["verdict"] not in (READ, REFUSED):
            fault = {**wanted._asdict(), **found}
            self.faults.append(fault)
            if self._folder:
                keep(self._folder, self._seed, fault)
        self._progress.tried(fault)

    def rows(self) -> list[dict[str, Any]]:
        """The counts of each format."""
        return [count_row(group, name, own) for (group, name), own in sorted(self._found.items())]


def read_all(wanted: Iterator[Wanted], seed: int, jobs: int, tally: Tally) -> None:
    """Read all inputs in a pool of processes."""
    lock, problems = threading.Lock(), []

    def work() -> None:
        worker = Worker(seed)
        try:
            while not problems:
                with lock:
                    one = next(wanted, None)
                if one is None:
                    return
                tally.add(one, worker.judge(one))
        except Exception as error:
            problems.append(error)
        finally:
            worker.close()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def keep(folder: Path, seed: int, fault: dict[str, Any]) -> None:
    """Write a faulting input and how it is repeated."""
    name = f"{fault['format']}-{fault['number']}"
    make_input(seed, fault["format"], fault["number"]).write(folder / name / "in")
    text = json.dumps({**fault, "repeat": repeat_command(seed, fault)}, indent=1)
    (folder / name / "fault.json").write_text(text + "\n")


def repeat_command(seed: int, fault: dict[str, Any]) -> str:
    """The command that reads an input again."""
    child = " --child" if fault.get("child") else " --command" if fault.get("command") else ""
    place = f"{fault['format']}:{fault['number']}"
    return f"python tests/fuzz/run.py --seed {seed} --repeat {place}{child}"


def repeat(options: argparse.Namespace) -> int:
    """Read one input here and show how it ended."""
    name, _, number = options.repeat.rpartition(":")
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        if options.command:
            found = judge_command(options.seed, name, int(number), Path(folder))
        else:
            found = judged(options.seed, name, int(number), Path(folder), options.child)
    fault = {"format": name, "number": int(number), **found}
    print(json.dumps(fault, indent=1))
    if options.keep:
        keep(options.keep, options.seed, fault)
    return int(found["verdict"] not in (READ, REFUSED))


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--inputs", type=int, default=100_000)
    made.add_argument("--jobs", type=int, default=2)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--only", nargs="+", choices=FORMATS, default=list(FORMATS))
    made.add_argument("--pickles-through-child", type=int, default=0)
    made.add_argument("--commands", type=int, default=0)
    made.add_argument("--keep", type=Path)
    made.add_argument("--json", type=Path)
    made.add_argument("--repeat", metavar="FORMAT:NUMBER")
    made.add_argument("--child", action="store_true", help="repeat through the real child")
    made.add_argument("--command", action="store_true", help="repeat a whole command")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    options = parser().parse_args(arguments)
    if options.repeat:
        return repeat(options)
    start = time.monotonic()
    absent = [name for name in options.only if not seeds_of(name)]
    names = [name for name in options.only if name not in absent]
    for name in absent:
        print(f"{name}: left out, its whole files or its library are not here")
    total = options.inputs + options.pickles_through_child + options.commands
    progress = Progress(total)
    tally = Tally(progress, options.seed, options.keep)
    wanted = plan(names, options.inputs, options.pickles_through_child)
    read_all(wanted, options.seed, options.jobs, tally)
    commands = judge_commands(options.seed, options.commands, options.jobs, progress)
    faults = [*tally.faults, *commands.faults]
    if options.keep:
        for fault in commands.faults:
            keep(options.keep, options.seed, fault)
    print(faults_as_text(faults, lambda fault: repeat_command(options.seed, fault)))
    content = {
        "reliability": "fuzz",
        "seed": options.seed,
        "rows": [*tally.rows(), *commands.rows],
        "left_out": absent,
        "seconds": round(time.monotonic() - start, 1),
    }
    command = shlex.join(["python", "tests/fuzz/run.py", *(arguments or sys.argv[1:])])
    write_counts(options.json, content, command)
    total = sum(row["tries"] for row in content["rows"])
    print(f"{total} inputs, {len(faults)} faults, {content['seconds']} s")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())
