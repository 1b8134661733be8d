"""What the harnesses say at their end: the faults by kind and place, and a file of counts."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tasks.run.environment import describe_environment

_EVERY_S = 10.0


class Progress:
    """Says on standard error how many tries are done, and each fault as it is found."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._faults = total, 0, 0
        self._next, self._lock = time.monotonic() + _EVERY_S, threading.Lock()

    def tried(self, fault: dict[str, Any] | None = None) -> None:
        """Count a try, and show its fault."""
        with self._lock:
            self._done += 1
            if fault is not None:
                self._faults += 1
                text = " ".join(str(fault["text"]).split())[:200]
                place = f"{fault['format']}:{fault['number']}"
                print(f"{place}: {fault['verdict']} at {fault['where']}: {text}", file=sys.stderr)
            if time.monotonic() > self._next:
                self._next = time.monotonic() + _EVERY_S
                print(f"{self._done}/{self._total}, {self._faults} faults", file=sys.stderr)


def faults_as_text(
    faults: Sequence[dict[str, Any]], repeat: Callable[[dict[str, Any]], str]
) -> str:
    """One line for each kind of fault of a format at a place, with the first one's command."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for fault in faults:
        exception = (
            fault["text"].partition(":")[0] if fault["verdict"] == "untyped exception" else ""
        )
        key = (fault["format"], fault["verdict"], fault["where"], exception)
        groups.setdefault(key, []).append(fault)
    lines = []
    for (name, verdict, where, _), own in sorted(groups.items(), key=lambda group: group[0]):
        text = " ".join(own[0]["text"].split())[:160]
        place = f" at {where}" if where else ""
        lines.append(f"{len(own):5} {name}: {verdict}{place}: {text!r}\n      {repeat(own[0])}")
    return "\n".join(lines)


def count_row(group: str, name: str, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The counts of what was tried on one format or command."""
    verdicts = Counter(one["verdict"] for one in found)
    row: dict[str, Any] = {
        "group": group,
        "name": name,
        "tries": len(found),
        "read": verdicts.pop("read", 0),
        "refused": verdicts.pop("refused", 0),
        "faults": dict(sorted(verdicts.items())),
    }
    if all("memory" in one for one in found):
        row["longest_seconds"] = max(one["seconds"] for one in found)
        row["largest_bytes"] = max(one["memory"] for one in found)
    return row


def write_counts(path: Path | None, counts: dict[str, Any], command: str) -> None:
    """Write the counts with the command and environment, or nothing without a path."""
    if path is None:
        return
    content = {**counts, "command": command, "environment": describe_environment()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
