"""All benchmarks that write rows, one after the other, into results/benchmarks.

    make benchmarks
    python tests/benchmarks/run.py [--only startup evaluation] [--out results/benchmarks]

Each is a program of its own with one thread; what it prints goes to the file. One that fails is
named, and the others still run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(
    path.stem.removeprefix("bench_")
    for path in HERE.glob("bench_*.py")
    if '"--json"' in path.read_text(encoding="utf-8")
)
_ASKED_FOR = ("gallery_hnsw", "gallery_postgres")
"""Only run where `--only` names them: they take long, and a server."""


def main() -> int:
    """Run them; 1 if one failed."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--only", nargs="+", choices=NAMES, default=sorted({*NAMES} - {*_ASKED_FOR}))
    made.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = made.parse_args()
    failed = []
    path = os.pathsep.join(filter(None, (str(HERE.parents[1]), os.environ.get("PYTHONPATH"))))
    for name in options.only:
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, HERE / f"bench_{name}.py", "--json", options.out / f"{name}.json"],
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
            check=False,
        )
        words = "failed" if done.returncode else "done"
        sys.stdout.write(f"{name}: {words} in {time.monotonic() - start:.0f} s\n")
        sys.stdout.flush()
        failed += [name] if done.returncode else []
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
