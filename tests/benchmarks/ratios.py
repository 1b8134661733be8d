"""What the benchmarks write: ratios of another way's time or memory to ours, with their spread."""

from __future__ import annotations

import json
import shlex
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.run.environment import describe_environment


def ratio(
    work: str, plain: str, ours: Sequence[float], theirs: Sequence[float], unit: str = "s"
) -> dict[str, Any]:
    """A row of `protocols.measured.Benchmark` from the seconds, or GiB, of each round."""
    each = [a / b for a, b in zip(theirs, ours, strict=True)]
    mine, other = statistics.median(ours), statistics.median(theirs)
    values = {
        "seconds": mine,
        "plain_seconds": other,
        "ratio": other / mine,
        "lowest": min(each),
        "highest": max(each),
    }
    named = {"work": work, "plain": plain, "unit": unit}
    return {**named, **{name: round(x, 5) for name, x in values.items()}}


def write(name: str, rows: Sequence[dict[str, Any]], path: Path | None, **about: Any) -> None:
    """Print the rows, and write them with the command and environment."""
    command = shlex.join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    found = {"benchmark": name, "rows": list(rows), **about, "command": command}
    found["environment"] = describe_environment()
    text = json.dumps(found, indent=1)
    print(text)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
