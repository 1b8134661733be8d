"""The committed records say how to get them again, anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
PLACE = re.compile(r"(?:^|[\s='\"(])(?:/|~/|[A-Z]:\\)\w[^\s'\")]*")
"""An absolute path in a text."""
COMMAND = re.compile(r"(OMP_NUM_THREADS=1 )?(aclnet-task|python|torchrun) ")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)


def test_records_name_their_commands_and_no_place_of_one_machine() -> None:
    files = sorted(RESULTS.rglob("*.json"))
    assert files
    wrong = {}
    for path in files:
        record = json.loads(path.read_text("utf-8"))
        if not COMMAND.match(record["command"]):
            wrong[path.stem] = [record["command"]]
        if places := [place for text in texts(record) for place in PLACE.findall(text)]:
            wrong[path.stem] = places
    assert wrong == {}
