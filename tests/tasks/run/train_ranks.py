"""One rank of `test_ranks.py`: OUT TASK OPTIONS... -- TASK OPTIONS... trains run after run."""

from __future__ import annotations

import sys

from tasks.cli import main


def train_all(out: str, arguments: list[str]) -> None:
    rest = [*arguments, "--"]
    while rest:
        task, *options = rest[: rest.index("--")]
        rest = rest[rest.index("--") + 1 :]
        sys.argv = ["aclnet-task", task, "train", *options, "--run", f"{out}/{task}"]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise


if __name__ == "__main__":
    train_all(sys.argv[1], sys.argv[2:])
