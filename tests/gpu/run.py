"""Runs the checks one after the other, each with its own time limit, and sums them up.

One failing does not stop the others. What they say goes to `$OUT/checks.jsonl`, their errors to
`$OUT/NAME.err`, and what the report's table of benchmarks shows to `$OUT/benchmarks/gpu-NAME.json`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from tasks.run.environment import describe_environment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = Path(os.environ.get("OUT", "/tmp/gpu_out"))
SMALL = os.environ.get("SMALL") == "1"
PATIENCE = 10 if SMALL else 1  # a CPU may be busy
SECONDS = 470 * PATIENCE
LOSSES = OUT / "losses.json"


class Check(NamedTuple):
    """A program, and the seconds that it may take."""

    name: str
    seconds: int
    command: tuple[str, ...] = ()

    @property
    def line(self) -> list[str]:
        return [sys.executable, *(self.command or (str(HERE / f"{self.name}.py"),))]


def checks() -> list[Check]:
    """What is most wanted comes first: what is left when the time is over does not run."""
    marked = [
        str(path)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mark.gpu" in path.read_text(encoding="utf-8") and path.parent != HERE
    ]
    losses = (
        str(ROOT / "tests/benchmarks/bench_losses.py"),
        "--device",
        os.environ.get("DEV", "cuda"),
    )
    return [
        Check("machine", 60),
        Check("marked", 70, ("-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *marked)),
        Check("waits", 60),
        Check("training", 90),
        Check("backbone", 150),
        Check("recipe", 70),
        Check("ranking", 50),
        Check("ranks", 45),
        *([] if SMALL else [Check("losses", 60, losses)]),
        Check("search", 120),
    ]


def run(check: Check, left: float) -> dict[str, Any]:
    """Run a check: its exit code, seconds, and the values that it printed."""
    if check.name == "marked" and importlib.util.find_spec("pytest") is None:
        return {"check": check.name, "skipped": "pytest is not installed", "values": []}
    limit = min(check.seconds * PATIENCE, left)
    start, values = time.perf_counter(), []
    with (OUT / f"{check.name}.err").open("w") as errors:
        process = subprocess.Popen(
            check.line, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            text, code = process.communicate(timeout=limit)[0], process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            text, code = process.communicate()[0], 124
    for line in filter(str.strip, text.decode(errors="replace").splitlines()):
        values.append(value_of(line))
    took = round(time.perf_counter() - start, 1)
    return {"check": check.name, "exit": code, "seconds": took, "values": values}


def value_of(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"text": line}


def merge(found: dict[str, Any], environment: dict[str, Any]) -> None:
    """Write what belongs into the report's table of benchmarks."""
    name, values = found["check"], found["values"]
    rows = [one for one in values if {"ratio", "work"} <= one.keys()]
    if name == LOSSES.stem and LOSSES.is_file():
        rows = json.loads(LOSSES.read_text(encoding="utf-8")).get("rows", [])
        values = []
    if rows:
        said = [one for one in values if one not in rows]
        command = shlex.join(["bash", "tests/gpu/run.sh", *sys.argv[1:]])
        content = {"benchmark": f"gpu-{name}", "rows": rows, "said": said, "command": command}
        text = json.dumps({**content, "environment": environment}, indent=1)
        (OUT / "benchmarks" / f"gpu-{name}.json").write_text(text + "\n")


def main() -> int:
    shutil.rmtree(OUT / "benchmarks", ignore_errors=True)
    LOSSES.unlink(missing_ok=True)
    (OUT / "benchmarks").mkdir(parents=True)
    chosen = [check for check in checks() if check.name in (sys.argv[1:] or [check.name])]
    start, environment, bad = time.perf_counter(), describe_environment(), []
    with (OUT / "checks.jsonl").open("w") as log:
        for check in chosen:
            left = SECONDS - (time.perf_counter() - start)
            if left < 15:
                found: dict[str, Any] = {
                    "check": check.name,
                    "skipped": "no time left",
                    "values": [],
                }
            else:
                found = run(check, left)
            for value in found["values"]:
                if value.get("what") == "environment":  # with the cards
                    environment = {key: each for key, each in value.items() if key != "what"}
                print(json.dumps(value), flush=True)
            print(json.dumps({k: v for k, v in found.items() if k != "values"}), flush=True)
            log.write(json.dumps(found) + "\n")
            log.flush()
            merge(found, environment)
            broken = [one["what"] for one in found["values"] if one.get("holds") is False]
            if found.get("exit") not in (0, None) or "skipped" in found or broken:
                bad.append({"check": check.name, "exit": found.get("exit"), "broken": broken})
                bad[-1]["error"] = tail(OUT / f"{check.name}.err")
    took = round(time.perf_counter() - start)
    print(json.dumps({"seconds": took, "checks": len(chosen), "not well": bad}, indent=1))
    return 1 if bad else 0


def tail(path: Path) -> str:
    return path.read_text(errors="replace")[-600:] if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
