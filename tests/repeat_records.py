"""Whether the commands of committed records give these records again, to the last digit; by hand.

    python tests/repeat_records.py results/action/utkinect [--data FOLDER]

Each command is run once by this checkout, as recorded, in an empty folder, and every record that it
writes is compared with the committed one. Only the environment and the duration may differ, and
fields and settings that the program got later are not compared. Records
made with `train.instruction_set=avx2` and one thread should repeat wherever the CPU has AVX2. The
exit code is 1 if a value differs, a record is missing or a command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
MAY_DIFFER = ("environment", "seconds")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def main() -> None:
    """Run the commands; print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", type=Path, help="records of one data set, such as results/action/utkinect"
    )
    parser.add_argument("--data", type=Path, default=CHECKOUT.parent / "shared" / "data")
    given = parser.parse_args()
    records = {
        path.name: json.loads(path.read_text("utf-8"))
        for path in sorted(given.folder.glob("*.json"))
    }
    if not records:
        sys.exit(f"{given.folder}: no record")
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch, "checkout")
        here.mkdir()
        Path(scratch, "shared").mkdir()
        Path(scratch, "shared", "data").symlink_to(given.data.resolve())
        for command in sorted({record["command"] for record in records.values()}):
            print("+", command, flush=True)
            arguments = [sys.executable, "-m", "tasks.cli", *shlex.split(command)[1:]]
            environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(CHECKOUT)}
            subprocess.run(
                arguments, cwd=here, env=environment, check=True, stderr=subprocess.DEVNULL
            )
        written = {path.name: json.loads(path.read_text("utf-8")) for path in here.rglob("*.json")}
        differing = [
            f"{name}: {line}"
            for name, record in records.items()
            for line in differences("", record, written.get(name))
        ]
    print(*differing, f"{len(records)} records, {len(differing)} differences", sep="\n")
    sys.exit(bool(differing))


def differences(place: str, old: Any, new: Any) -> Iterator[str]:
    """The values that differ, each with its place in the record."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) - ({*MAY_DIFFER} if not place else set())):
            yield from differences(f"{place}.{key}".strip("."), old[key], new.get(key))
    elif old != new:
        yield f"{place}: {str(old)[:80]} -> {str(new)[:80]}"


if __name__ == "__main__":
    main()
