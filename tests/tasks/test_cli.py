from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer

COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("action",),
    ("action", "train"),
    ("action", "eval"),
    ("action", "embed"),
    ("action", "study"),
    ("action", "fuse"),
    ("action", "predict"),
    ("action", "import-weights"),
    ("action", "occlusion"),
    ("action", "difficulty"),
    ("action", "class-gain"),
    ("action", "calibrate"),
    ("action", "unknown"),
    ("action", "families"),
    ("action", "sweep"),
    ("action", "evolution"),
    ("gait",),
    ("gait", "train"),
    ("gait", "eval"),
    ("gait", "embed"),
    ("gait", "study"),
    ("gait", "biometrics"),
    ("gait", "motion"),
    ("gait", "fuse"),
    ("reid", "fuse"),
    ("gait", "submit"),
    ("pretrain",),
    ("pretrain", "train"),
    ("pretrain", "eval"),
    ("pretrain", "embed"),
    ("pretrain", "study"),
    ("pretrain", "actclr"),
    ("reid",),
    ("reid", "train"),
    ("reid", "eval"),
    ("reid", "embed"),
    ("reid", "study"),
    ("reid", "show"),
    ("gait", "show"),
    ("gait", "joints"),
    ("action", "joints"),
    ("reid", "joints"),
    ("gait", "robustness"),
    ("reid", "robustness"),
    ("action", "robustness"),
    ("pretrain", "robustness"),
    ("action", "show"),
    ("reid", "biometrics"),
    ("data",),
    ("data", "walkers"),
    ("data", "labels"),
    ("data", "convert"),
    ("data", "validate"),
    ("data", "show"),
    ("data", "export"),
    ("gallery",),
    ("gallery", "create"),
    ("gallery", "enrol"),
    ("gallery", "identify"),
    ("gallery", "verify"),
    ("gallery", "list"),
    ("gallery", "remove"),
    ("gallery", "calibrate"),
    ("gallery", "check"),
    ("compare",),
    ("runs",),
    ("report",),
    ("cost",),
    ("export",),
    ("doctor",),
    ("search",),
    ("serve",),
    ("live",),
    ("submit",),
)
HEAVY = ("torch", "pandas", "faiss", "matplotlib", "scipy", "sklearn", "lightning_fabric")
HEAVY += ("starlette", "uvicorn")

# One process asks for every help text: what it has imported at the end, no help needs.
HELP_PROGRAM = f"""
import contextlib, io, json, sys
from tasks.cli import main
codes = []
for command in {COMMANDS!r}:
    sys.argv = ["aclnet-task", *command, "--help"]
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        try:
            main()
        except SystemExit as end:
            codes.append((end.code, " ".join(command), text.getvalue()))
heavy = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps({{"codes": codes, "heavy": heavy}}))
"""


def test_every_help_works_and_imports_nothing_heavy() -> None:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-c", HELP_PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert len(found["codes"]) == len(COMMANDS)
    for code, command, text in found["codes"]:
        assert code == 0, command
        assert "Usage" in text, command
        assert command in text, command


JUDGE_PROGRAM = """
import sys
from tasks.cli import main
try:
    main()
except SystemExit as end:
    heavy = ("torch", "scipy.stats", "sklearn", "matplotlib", "lightning_fabric")
    print([name for name in heavy if name in sys.modules], file=sys.stderr)
    sys.exit(end.code)
"""


@pytest.mark.parametrize("task", ["gait", "reid"])
def test_judging_anybodys_embeddings_imports_nothing_heavy(task: str, tmp_path: Path) -> None:
    people, path = np.arange(6).repeat(8), tmp_path / "anybody.npz"
    np.savez(
        path,
        embedding=np.eye(6)[people],
        subject=people,
        condition=np.tile(["NM", "NM", "NM", "CL"], 12),
        take=np.tile([1, 2, 5, 1, 1, 2, 6, 2], 6),
        view=np.tile([0, 0, 0, 0, 90, 90, 90, 90], 6),
    )
    done = subprocess.run(
        [sys.executable, "-c", JUDGE_PROGRAM, task, "eval", "--embeddings", path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "100.0" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


def test_every_command_is_among_those_whose_help_is_tried() -> None:
    from tasks.cli import make_app

    there = set(leaves(make_app()))
    groups = {(), ("action",), ("gait",), ("pretrain",), ("reid",), ("data",), ("gallery",)}
    assert there == set(COMMANDS) - groups


@pytest.mark.parametrize(
    ("words", "built"),
    [
        (("gait", "eval"), {("gait", "eval")}),
        (("data", "show"), {("data", "show")}),
        (("runs", "folder"), {("runs",)}),
    ],
)
def test_a_command_is_built_alone(words: tuple[str, ...], built: set[tuple[str, ...]]) -> None:
    from tasks.cli import make_app

    assert set(leaves(make_app(*words))) == built
    assert set(leaves(make_app(words[0] + "x"))) == set(leaves(make_app()))


def leaves(app: typer.Typer) -> Iterator[tuple[str, ...]]:
    """The commands of a command line, as words."""
    for one in app.registered_commands:
        yield (str(one.name or one.callback.__name__),)  # type: ignore[union-attr]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for words in leaves(group.typer_instance):
            yield (str(group.name), *words)


@pytest.mark.parametrize("short", ["-h", "--help"])
def test_help_of_the_console_script(short: str) -> None:
    script = shutil.which("aclnet-task", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("aclnet is not installed beside this Python: no console script")
    done = subprocess.run([script, "gait", short], capture_output=True, text=True, check=True)
    assert "train" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gait", "eval"), ("--run", "--embeddings")),
        (("gait", "eval", "--run", "a", "--embeddings", "b.npz"), ("--run", "--embeddings")),
        (("gait", "embed", "--run", "a", "--out", "b.csv"), ("b.csv", ".npz")),
        (("gait", "study", "--seeds", "1,two"), ("--seeds", "1,two", "0,1,2")),
        (("gait", "study", "--seeds", ","), ("--seeds", "0,1,2")),
        (("gait", "study", "--objectives", "acl,circle"), ("circle", "ce+inter")),
        (("data", "convert", "a", "b"), ("a: no such file",)),
        (("data", "validate", "a"), ("a is not a store", "data convert")),
        (("data", "show", "a"), ("a is not a store",)),
    ],
)
def test_mistakes_of_the_command_line(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mistake: Callable[..., str],
) -> None:
    monkeypatch.chdir(tmp_path)
    mistake(*arguments, words=words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("gait", "eval", "--rule", "best"),
        ("gait", "eval", "--metric", "manhattan"),
        ("gait", "trian"),
        ("--quiet",),
        ("gait", "embed"),
    ],
)
def test_unknown_options_give_code_two(arguments: tuple[str, ...], call: Any) -> None:
    done = call(*arguments, code=2)
    assert "Traceback" not in done.err


def test_doctor(call: Any, tmp_path: Path) -> None:
    done = call("doctor", "--json", tmp_path / "checks.json", code=None)
    names = {"python", "aclnet", "torch", "device", "search", "threads", "figures", "recipes"}
    for name in names:
        assert name in done.out
    checks = json.loads((tmp_path / "checks.json").read_text())
    assert {check["name"] for check in checks} == names
    found = {check["name"]: check["found"] for check in checks}
    assert torch.__version__.split("+")[0] in found["torch"]
    assert f"{torch.get_num_threads()} in torch" in found["threads"]
    good = all(check["good"] for check in checks)
    assert done.code == (0 if good else 1)


def test_without_torch_a_sentence_says_so(without_torch: Callable[..., str]) -> None:
    code = """
import contextlib, io
from tasks.cli import main
for sys.argv in (["a", "doctor"], ["a", "gait", "train"], ["a", "export", "r", "-o", "m"]):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            print(end.code, said.getvalue())
"""
    out = without_torch(code)
    assert out.count("2 error: this needs torch, which is not installed") == 2
    assert "models exported to ONNX" in " ".join(out.split())


def test_doctor_says_what_is_missing(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    done = call("doctor", code=1)
    assert "pip install 'aclnet[cpu]'" in " ".join(done.out.split())
