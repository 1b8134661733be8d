"""The notebooks run from the first cell to the last."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from protocols.report import main as report

# What the cells say does not depend on how long a network is trained.
SHORT = ("-s", "sampler.steps_per_epoch=2")
NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "notebooks"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb")))
def test_a_notebook_runs(name: str, call: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)

    def shell(line: str) -> None:
        program, *words = shlex.split(line)
        if program == "aclnet-task":
            call(*words, *(SHORT if words[1] == "train" else ()))
        else:
            assert (program, *words[:2]) == ("python", "-m", "protocols.report")
            assert report(words[2:]) == 0

    place = {"shell": shell}
    for cell in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            code = re.sub(r"^!(.*)$", lambda line: f"shell({line[1]!r})", text, flags=re.MULTILINE)
            exec(compile(code, f"{name}.ipynb: {cell['id']}", "exec"), place)
