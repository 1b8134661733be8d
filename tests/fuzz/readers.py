"""Readers and a writer of one gallery at the same time.

    python tests/fuzz/readers.py [--seconds 60] [--readers 4] [--json FILE]

The writer enrols a person, and removes one, in turn; each reader keeps the gallery open and
identifies. Afterwards each answer is compared with what the writer had said by then: whom it had
enrolled before the question must be named, and whom it had removed must not; each removal must end
with the erasure. The exit code is 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import numpy as np  # noqa: E402
from outcome import write_counts  # noqa: E402

from tasks import Gallery  # noqa: E402
from tasks.gallery.content import About  # noqa: E402

_DIMENSIONS = 64
_MOST = 20
"""People between whom the writer moves, so that each comes and goes often."""


def vector(person: int) -> np.ndarray:
    """The one embedding of a person."""
    return np.random.default_rng(person).normal(size=_DIMENSIONS)


def write(place: Path, until: float, log: Callable[..., None]) -> None:
    """Enrol and remove people; log the time before and after each."""
    generator, there = random.Random(0), set[int]()
    with Gallery(place) as gallery:
        while time.monotonic() < until:
            person = generator.randrange(1, _MOST)
            start = time.monotonic()
            if person in there:
                erased = gallery.remove(str(person)).erased
                there.remove(person)
                log("removed", person, start, time.monotonic(), erased)
            else:
                gallery.enrol_embeddings([str(person)], vector(person)[None])
                there.add(person)
                log("enrolled", person, start, time.monotonic(), True)


def read(place: Path, until: float, log: Callable[..., None]) -> None:
    """Ask who somebody is, again and again; person 0 is always there."""
    generator = random.Random(os.getpid())
    with Gallery(place) as gallery:
        while time.monotonic() < until:
            people = [0, *(generator.randrange(1, _MOST) for _ in range(3))]
            start = time.monotonic()
            answers = gallery.identify_embeddings(list(map(vector, people)), threshold=0.9)
            end = time.monotonic()
            for person, answer in zip(people, answers, strict=True):
                log("read", person, start, end, answer.person)


def forked(work: Callable[..., None], place: Path, until: float, log: Path) -> int:
    """Start a process; its log's last line says how it ended."""
    pid = os.fork()
    if pid:
        return pid
    try:
        with log.open("w") as file:

            def note(*row: object) -> None:
                file.write(json.dumps(row) + "\n")

            try:
                work(place, until, note)
            except BaseException as error:
                note("failed", f"{type(error).__name__}: {error}")
    finally:
        os._exit(0)


def verdicts(answers: Sequence[list[Any]], changes: Sequence[list[Any]]) -> Counter[str]:
    """What is wrong with answers, given the writer's changes in their order."""
    found: Counter[str] = Counter()
    of: dict[int, list[list[Any]]] = {}
    for change in changes:
        of.setdefault(change[1], []).append(change)
    for _, person, start, end, name in answers:
        own = of.get(person, [])
        if any(change[2] < end and change[3] > start for change in own):
            continue  # it changed meanwhile
        before = [change for change in own if change[3] <= start]
        there = person == 0 or bool(before and before[-1][0] == "enrolled")
        if name not in (None, str(person)):
            found["another person is named"] += 1
        elif there and name is None:
            found["an enrolled person is not named"] += 1
        elif not there and name is not None:
            found["a removed person is named"] += 1
    return found


def run(place: Path, seconds: float, readers: int) -> list[dict[str, Any]]:
    """Let them work; returns the rows of counts."""
    about = About(fingerprint="0" * 64, dimensions=_DIMENSIONS, metric="cosine")
    with Gallery.create(place, about=about) as gallery:
        gallery.enrol_embeddings(["0"], vector(0)[None])
    until = time.monotonic() + seconds
    logs = [place.with_name(f"{number}.log") for number in range(readers + 1)]
    works = [write, *[read] * readers]
    pids = [forked(work, place, until, log) for work, log in zip(works, logs, strict=True)]
    for pid in pids:
        os.waitpid(pid, 0)
    rows = [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]
    failed = [Counter(row[1][:60] for row in own if row[0] == "failed") for own in rows]
    changes = [row for row in rows[0] if row[0] != "failed"]
    answers = [row for own in rows[1:] for row in own if row[0] == "read"]
    wrong = verdicts(answers, changes) + sum(failed[1:], Counter[str]())
    late = failed[0] + Counter({"not erased": sum(not row[4] for row in changes)})
    with Gallery(place) as gallery:
        late += Counter(gallery.check())
    group = f"{readers} readers and a writer of a gallery"
    return [
        {
            "group": group,
            "name": name,
            "tries": tries,
            "read": tries - sum(faults.values()),
            "refused": 0,
            "faults": dict(+faults),
        }
        for name, tries, faults in (
            ("answers", len(answers), wrong),
            ("changes", len(changes), late),
        )
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="readers-") as folder:
        rows = run(Path(folder) / "people.gallery", options.seconds, options.readers)
    content = {"reliability": "readers", "seed": 0, "rows": rows}
    content["seconds"] = round(time.monotonic() - start, 1)
    command = shlex.join(["python", "tests/fuzz/readers.py", *(arguments or sys.argv[1:])])
    write_counts(options.json, content, command)
    print(json.dumps(rows, indent=1))
    return int(any(row["faults"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
