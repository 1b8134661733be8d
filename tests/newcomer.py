"""Three paths of a newcomer, from a fresh clone in a fresh environment, timed.

    python tests/newcomer.py [--from REPOSITORY] [--write docs/first_results.md]

The repository is cloned, an environment made and filled, and the commands run, as the pages print
them: `docs/start.md` (install), and the sections and pages that `docs/first_results.md` names. With
`--write` the table of that page is written anew.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"(<!-- newcomer -->\n).*?(<!-- newcomer's end -->)", re.DOTALL)
PATHS = (
    ("synthetic walkers", "first_results.md", 240),
    ("own key points", "own_people.md", 180),
    ("foreign embeddings", "embeddings.md", 60),
)
"""What is done, the page with its commands, and the seconds in which it should be done."""


class Took(NamedTuple):
    """Seconds, by the clock and of processors."""

    wall: float
    processor: float


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each shell and Python block."""
    for found in BLOCK.finditer(page.read_text("utf-8")):
        yield found[1], found[2]


def run(language: str, text: str, folder: Path, environment: dict[str, str]) -> Took:
    """Run a block as a user's shell would, and stop where it fails."""
    program = ["bash", "-e"] if language == "sh" else ["python", "-"]
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(program, input=text.encode(), cwd=folder, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.monotonic() - start, used)


def follow(page: Path, folder: Path, environment: dict[str, str]) -> Took:
    """Run the blocks of a page in order."""
    folder.mkdir(exist_ok=True)
    took = [run(*block, folder, environment) for block in blocks(page)]
    return Took(*map(sum, zip(*took, strict=True)))


def installing(start: Path) -> str:
    """The block of `docs/start.md` that fills an environment with pip."""
    (text,) = (text for _, text in blocks(start) if "-m venv" in text)
    return text


def processor() -> str:
    """What the machine calls its processor."""
    try:
        names = re.findall(
            r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
    except OSError:
        names = []
    return names[0] if names else "a processor without a name"


def main() -> int:
    """Clone, install, follow the paths and print or write their table."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    here = Path(__file__).resolve().parents[1]
    made.add_argument("--from", dest="source", default=str(here), help="what is cloned")
    made.add_argument("--write", type=Path, help="the page whose table is written")
    options = made.parse_args()
    kept = {
        name: os.environ[name] for name in os.environ if name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    with tempfile.TemporaryDirectory(prefix="newcomer-") as place:
        clone, load = Path(place, "aclnet"), os.getloadavg()[0]
        subprocess.run(["git", "clone", "--quiet", options.source, clone], check=True)
        commit = subprocess.check_output(["git", "rev-parse", "--short=12", "HEAD"], cwd=clone)
        rows = [("install", run("sh", installing(clone / "docs" / "start.md"), clone, kept), 0)]
        kept["PATH"] = f"{clone / '.venv' / 'bin'}{os.pathsep}{kept['PATH']}"
        for name, page, most in PATHS:
            rows.append((name, follow(clone / "docs" / page, Path(place, name), kept), most))
            sys.stderr.write(f"{name}: {rows[-1][1].wall:.0f} s\n")
        loads = f"{load:.1f} before and {os.getloadavg()[0]:.1f} after"
    lines = [
        "| path | wall clock (s) | processors (s) | should take (s) |",
        "|---|---|---|---|",
        *(
            f"| {name} | {took.wall:.0f} | {took.processor:.0f} | {most or ''} |"
            for name, took, most in rows
        ),
        "",
        f"`python tests/newcomer.py --write docs/first_results.md` at {commit.decode().strip()}, on"
        f" {os.cpu_count()} processors ({processor()}); load average {loads}.",
    ]
    table = "\n".join(lines) + "\n"
    if options.write is None:
        sys.stdout.write(table)
        return 0
    text = TABLE.sub(lambda found: found[1] + table + found[2], options.write.read_text("utf-8"))
    options.write.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
