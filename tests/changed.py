"""Prints the tests of what differs from a commit: those of each changed file or its folder.

python tests/changed.py main
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def changed(commit: str) -> list[Path]:
    """Files that differ from the commit, and new ones that git does not ignore."""
    asked = (["diff", "--name-only", commit], ["ls-files", "--others", "--exclude-standard"])
    texts = [
        subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for words in asked
    ]
    return [Path(line) for text in texts for line in text.splitlines()]


def tests_of(file: Path) -> Path | None:
    """The test of a file, or the nearest folder of tests around it; None for what has none."""
    if file.parts[0] == "tests":
        found = file if file.name.startswith("test_") else file.parent
    elif file.parts[0] in ("aclnet", "protocols", "tasks") and file.suffix == ".py":
        found = Path("tests") / file.with_name(f"test_{file.name}")
    else:
        return None
    while not (ROOT / found).exists():
        found = found.parent
    return None if found == Path("tests") else found


if __name__ == "__main__":
    found = {tests_of(file) for file in changed(sys.argv[1] if len(sys.argv) > 1 else "main")}
    print(*sorted(str(path) for path in found if path is not None))
