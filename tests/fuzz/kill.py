"""Kills commands at random moments, fills the disk under them, and starts two at once.

    python tests/fuzz/kill.py [--kills 300] [--two-processes 50] [--disk-full 20] [--seed 0]
        [--only SCENARIO ...] [--keep FOLDER] [--json FILE]

Kills come at random times and at random calls that change a folder, before or after the call, such
as between the two renames of `--overwrite`, and of a gallery at random SQL statements (that in
PostgreSQL, whose server lives on, only where `--only` names it); three of
five are SIGKILL, the others SIGTERM and SIGHUP, which must end with one line. After each, no
half-written file may be accepted, the next owner's command must work and leave no draft, and the
result must be that of the undisturbed command to the last bit. The exit code is 1 if there is a
fault.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import launcher  # noqa: E402 - this checkout's own
from databases import POSTGRES, serving  # noqa: E402
from galleries import GALLERY, make_gallery  # noqa: E402
from launcher import Ended, Process  # noqa: E402
from outcome import Progress, faults_as_text, write_counts  # noqa: E402
from scenarios import SCENARIOS, Scenario, drafts, make_base, prepare  # noqa: E402

SCENARIOS |= GALLERY | POSTGRES

_SIGNALS = (*[signal.SIGKILL] * 3, signal.SIGTERM, signal.SIGHUP)
_TRAININGS = ("train_gait", "train_reid", "train_action")
_LONGEST_LINE = 1000
_MOST_TRIES = 20
_GROUPS = {"kill": "kills", "two": "two processes at once", "fill": "full disks"}

Faults = list[str]


class Harness:
    """The base of all scenarios, and what their undisturbed commands make."""

    def __init__(self, root: Path) -> None:
        self.base, self.folder, self._wholes = root / "base", root / "work", root / "wholes"
        make_base(self.base)
        make_gallery(self.base)
        self._known: dict[str, tuple[Path, Ended]] = {}
        self.gave_way = 0

    def whole(self, name: str) -> tuple[Path, Ended]:
        """The result of the undisturbed command, and how that ended."""
        if name not in self._known:
            scenario, place = SCENARIOS[name], self._wholes / name
            prepare(scenario, self.base, place)
            ended = launcher.run(scenario.arguments, place)
            if ended.code != 0:
                raise RuntimeError(f"{name}: {ended}")
            self._known[name] = place / scenario.result, ended
        return self._known[name]

    def kill(self, name: str, generator: random.Random) -> tuple[str, Faults]:
        """Kill a command once; returns how, and the faults. One that ended before is not a kill."""
        for _ in range(_MOST_TRIES):
            how, ended = self._killed(name, generator)
            if ended is not None:
                break
        else:
            return "always too late", ["not killed"]
        scenario, (whole, _) = SCENARIOS[name], self.whole(name)
        found = said(ended) if "SIGKILL" not in how else []
        return how, found + self.afterwards(scenario, whole)

    def _killed(self, name: str, generator: random.Random) -> tuple[str, Ended | None]:
        """Start a command and send it a signal; None where it ended before."""
        scenario, (_, undisturbed) = SCENARIOS[name], self.whole(name)
        number = generator.choice(_SIGNALS)
        prepare(scenario, self.base, self.folder)
        if generator.random() < 0.5 and undisturbed.calls:
            call, before = generator.randrange(undisturbed.calls), generator.random() < 0.5
            how = f"{number.name} {'before' if before else 'after'} call {call}"
            process = Process(
                scenario.arguments, folder=self.folder, at_call=call, before=before, number=number
            )
        else:
            seconds = undisturbed.seconds * generator.random()
            how = f"{number.name} after {seconds:.2f} s of {undisturbed.seconds:.2f}"
            process = Process(scenario.arguments, folder=self.folder)
            process.wait_until_ready()
            if process.wait(seconds) is not None:
                return how, None
            process.end(number)
        ended = process.wait_or_kill()
        return how, None if ended.code == 0 and number == signal.SIGKILL else ended

    def afterwards(self, scenario: Scenario, whole: Path) -> Faults:
        """What is wrong with what was left, and after the next owner's command."""
        found = [f"left: {text}" for text in scenario.damaged(self.folder, self.base, whole)]
        again = scenario.next(self.folder)
        ended = launcher.run(again, self.folder)
        if ended.code != 0:
            last = " ".join(ended.text.split())[-300:]
            return [*found, f"the next owner's command ends with {ended.code}: {last}"]
        found += [f"draft left: {name}" for name in drafts(self.folder)]
        try:
            return found + scenario.same(self.folder / scenario.result, whole)
        except Exception as error:
            return [*found, f"not readable afterwards: {type(error).__name__}: {error}"]

    def fill(self, name: str, generator: random.Random) -> tuple[str, Faults]:
        """Run a command that may write no more than so many bytes to a file."""
        scenario, (whole, _) = SCENARIOS[name], self.whole(name)
        sizes = [path.stat().st_size for path in _files(whole)]
        most = int(generator.choice(sizes) * generator.random()) if generator.random() < 0.9 else 0
        prepare(scenario, self.base, self.folder)
        ended = launcher.run(scenario.arguments, self.folder, most_bytes=most)
        names = {path.name for path in (whole, *whole.rglob("*"), *self.folder.rglob("*"))}
        names |= {"run.json", "settings.yaml", "log.jsonl"}  # a run's first files, if none is there
        found = said(ended, names)
        return f"no more than {most} bytes", found + self.afterwards(scenario, whole)

    def two(self, name: str, generator: random.Random) -> tuple[str, Faults]:
        """Start a command twice at once; one wins, the other gets a sentence."""
        scenario, (whole, undisturbed) = SCENARIOS[name], self.whole(name)
        arguments, how = scenario.arguments, "fresh"
        prepare(scenario, self.base, self.folder)
        if name.startswith("train") and generator.random() < 0.5:
            how = "resumed"
            first = Process(arguments, folder=self.folder)
            while (
                first.wait(0.02) is None
                and not (self.folder / scenario.result / "checkpoint.pt").is_file()
            ):
                pass
            first.end(signal.SIGKILL)
            arguments = scenario.next(self.folder)
        one = Process(arguments, folder=self.folder)
        seconds = undisturbed.seconds * generator.choice((0, 0, 0.1, generator.random()))
        done = one.wait(seconds)
        other = Process(arguments, folder=self.folder)
        ends = [done or one.wait_or_kill(), other.wait_or_kill()]
        found = []
        self.gave_way += sorted(ended.code for ended in ends) == [0, 2]
        if all(ended.code != 0 for ended in ends):
            found.append(f"nobody wins: {[_last(ended) for ended in ends]}")
        if all(ended.code == 0 for ended in ends) and done is None and "resumed" not in how:
            found.append("both win")
        for ended in ends:
            found += said(ended)
        return f"{how}, {seconds:.2f} s apart", found + self.afterwards(scenario, whole)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]


def _last(ended: Ended) -> str:
    return f"{ended.code}: {' '.join(ended.text.split())[-150:]}"


def said(ended: Ended, names: Collection[str] | None = None) -> Faults:
    """What is wrong with what an ended command said; with names, after a full disk."""
    if ended.code == 0:
        return []
    if "Traceback" in ended.text:
        return [f"traceback: {ended.text.strip().splitlines()[-1][:200]}"]
    lines = [line for line in ended.text.splitlines() if line.startswith("error: ")]
    if ended.code < 0 or len(lines) != 1:
        return [f"{len(lines)} sentences, exit code {ended.code}"]
    if len(lines[0]) > _LONGEST_LINE or (names and not any(name in lines[0] for name in names)):
        return [f"no sentence that names a file: {lines[0][:200]}"]
    known = (2, 130, 129, 143) if names is None else (2,)
    return [] if ended.code in known else [f"code {ended.code}"]


def repeated(
    what: str,
    count: int,
    names: Sequence[str],
    again: Callable[[str, str, int], list[dict[str, Any]]],
    harness: Harness,
    progress: Progress,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Do one thing so many times, scenarios in turn; returns counts and faults."""
    found: dict[str, list[list[dict[str, Any]]]] = {}
    refused: Counter[str] = Counter()
    for number in range(count):
        name, before = names[number % len(names)], harness.gave_way
        faults = again(what, name, number)
        found.setdefault(name, []).append(faults)
        progress.tried(faults[0] if faults else None)
        refused[name] += harness.gave_way - before
    rows = [
        {
            "group": _GROUPS[what] + _with(name),
            "name": name,
            "tries": len(own),
            "read": sum(not faults for faults in own),
            "refused": refused[name],
            "faults": dict(Counter(fault["verdict"] for faults in own for fault in faults)),
        }
        for name, own in found.items()
    ]
    return rows, [fault for own in found.values() for faults in own for fault in faults]


def _with(name: str) -> str:
    if name in POSTGRES:
        return " with a gallery in PostgreSQL"
    return " with a gallery" if name in GALLERY else ""


def once(
    what: str, name: str, number: int, seed: int, keep: Path | None, harness: Harness
) -> list[dict[str, Any]]:
    """Do one thing by its number; returns the faults, whose folder is kept."""
    generator = random.Random(f"{seed} {what} {name} {number}")
    action: Callable[..., tuple[str, Faults]] = getattr(harness, what)
    how, found = action(name, generator)
    if found and keep is not None:
        target = keep / f"{what}-{name}-{number}"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(harness.folder, target, ignore=shutil.ignore_patterns("cache", "store"))
        (target / "fault.txt").write_text("\n".join([how, *found]) + "\n")
    about = {"format": f"{what} {name}", "number": f"{what}:{name}:{number}"}
    return [
        {**about, "verdict": text.partition(":")[0][:60], "where": "", "text": f"{how}; {text}"}
        for text in found
    ]


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--kills", type=int, default=300)
    made.add_argument("--two-processes", type=int, default=0)
    made.add_argument("--disk-full", type=int, default=0)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--only", nargs="+", choices=SCENARIOS)
    made.add_argument("--keep", type=Path)
    made.add_argument("--json", type=Path)
    made.add_argument("--repeat", metavar="WHAT:SCENARIO:NUMBER", help="such as kill:embed:6")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    options = parser().parse_args(arguments)
    start = time.monotonic()
    import torch  # noqa: F401 - forked with everything loaded

    import tasks.run.study  # noqa: F401

    keep = options.keep.resolve() if options.keep else None
    only = options.only or [name for name in SCENARIOS if name not in POSTGRES]
    files = [name for name in only if name not in POSTGRES]
    repeated_name = (options.repeat or "::").split(":")[1]
    database = not {*only, repeated_name}.isdisjoint(POSTGRES)
    with contextlib.ExitStack() as stack:
        harness = Harness(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kill-"))))
        if database:
            stack.enter_context(serving(harness.base))
        if options.repeat:
            what, name, number = options.repeat.split(":")
            faults = once(what, name, int(number), options.seed, keep, harness)
            print(json.dumps(faults, indent=1))
            return int(bool(faults))
        trainings = [name for name in only if name in _TRAININGS]
        pairs = [*trainings, *(name for name in only if name == "convert")]
        plans = (
            ("kill", options.kills, only),
            ("two", options.two_processes, pairs),
            ("fill", options.disk_full, files),
        )
        rows, faults = [], []
        progress = Progress(sum(count for _, count, _ in plans))

        def again(what: str, name: str, number: int) -> list[dict[str, Any]]:
            return once(what, name, number, options.seed, keep, harness)

        for what, count, names in plans:
            own, found = repeated(what, count, names, again, harness, progress)
            rows += own
            faults += found
    print(faults_as_text(faults, lambda fault: _repeat(options.seed, fault)))
    content = {
        "reliability": "kills",
        "seed": options.seed,
        "rows": rows,
        "seconds": round(time.monotonic() - start, 1),
    }
    command = shlex.join(["python", "tests/fuzz/kill.py", *(arguments or sys.argv[1:])])
    write_counts(options.json, content, command)
    print(
        f"{sum(row['tries'] for row in rows)} tries, {len(faults)} faults, {content['seconds']} s"
    )
    return int(bool(faults))


def _repeat(seed: int, fault: dict[str, Any]) -> str:
    return f"python tests/fuzz/kill.py --seed {seed} --repeat {fault['number']}"


if __name__ == "__main__":
    raise SystemExit(main())
