"""A run's metrics as JSON lines, one object a line, whole lines only."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aclnet.files import make_folder, naming, private, whole_file
from aclnet.foreign.text import read_text

FINISHED = "finished"
"""Kind of the line that says that the last epoch's checkpoint is written."""


class RunLog:
    """Appends one JSON object a line to a file.

    A resumed run keeps the lines written before its checkpoint and cuts the rest, so that its log
    equals that of an uninterrupted run, apart from the times in it.

    Args:
        path: file to append to; its folder is created if needed.
        keep_lines: lines to keep of an older log (the checkpoint's `lines`); 0 starts a new log.

    Raises:
        ValueError: a line to keep of the older log is not a JSON object.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, keep_lines: int = 0) -> None:
        make_folder(path.parent)
        kept = read_log(path)[:keep_lines] if keep_lines and path.exists() else []
        if kept:
            with whole_file(path) as draft:
                draft.write_text("".join(map(_line, kept)), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
        self.lines = len(kept)
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # Unbuffered: after a failed write nothing waits to be written once more.
        self._file = os.fdopen(private(str(path), flags), "ab", buffering=0)

    def write(self, kind: str, *, epoch: int, step: int, values: Mapping[str, float]) -> None:
        """Append one line and flush it.

        Args:
            kind: what the line is about ("step", "epoch", "evaluation", or `FINISHED`).
            epoch: 1-based epoch.
            step: optimizer steps done since the start of the run.
            values: named numbers; one that is not finite becomes null, as JSON has no NaN.

        Raises:
            OSError: it cannot be written whole; a reader leaves the rest of it out.
        """
        line = _line({"kind": kind, "epoch": epoch, "step": step, **values}).encode()
        with naming(self._path):
            while line:  # a disk may take a part before it is full
                line = line[self._file.write(line) :]
        self.lines += 1

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, oldest first.

    An unfinished last line, as a killed process leaves it, is left out.

    Args:
        path: a file that `RunLog` wrote.

    Returns:
        One dict a line.

    Raises:
        ValueError: the file is missing, or a line is not a JSON object (its number is given).
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no run log")
    whole, _, _ = read_text(path).rpartition("\n")
    entries: list[dict[str, Any]] = []
    for number, text in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error})") from None
        if not isinstance(entry, dict):
            raise ValueError(f"{path}, line {number}: expected a JSON object, got {text[:40]!r}")
        entries.append(entry)
    return entries


def _line(entry: Mapping[str, Any]) -> str:
    clean = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in entry.items()
    }
    return json.dumps(clean, allow_nan=False) + "\n"
