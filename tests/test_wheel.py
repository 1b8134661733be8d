from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("aclnet", "protocols", "tasks")
TEMPLATES = ("*.css", "*.html", "*.js", "*.md", "*.tex", "*.svg")
PATTERNS = ("*.py", "*.yaml", "*.csv", "*.txt", "*.json", "*.safetensors", *TEMPLATES, "py.typed")

pytestmark = pytest.mark.slow


def python(*arguments: object, cwd: Path, **variables: str) -> str:
    """Run this Python; its output."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout without changing it."""
    for tool in ("build", "hatchling"):
        pytest.importorskip(tool, reason=f"{tool} is not installed: no wheel can be built here")
    folder = tmp_path_factory.mktemp("dist")
    # In the folder of the wheel, so that `build` is the tool and not a folder of the checkout.
    python("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's packages in a folder of their own."""
    folder = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    python("-m", "pip", "install", *options, "--target", folder, wheel, cwd=folder)
    return folder


def tracked(pattern: str) -> set[str]:
    """Files of the three packages and of configs/, by their path in the checkout."""
    folders = [REPOSITORY / name for name in (*PACKAGES, "configs")]
    found = (path for folder in folders for path in folder.rglob(pattern) if path.is_file())
    return {path.relative_to(REPOSITORY).as_posix() for path in found}


def test_wheel_holds_what_it_needs_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    parts = {name.split("/", maxsplit=1)[0] for name in names}
    (information,) = parts - set(PACKAGES)
    assert information.endswith(".dist-info")
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    wanted = {
        name.replace("configs/", "tasks/configs/") if name.startswith("configs/") else name
        for pattern in PATTERNS
        for name in tracked(pattern)
    }
    assert wanted == {name for name in names if not name.startswith(information)}
    # Guards against the comparison above being empty of what matters.
    assert {"aclnet/skeleton/layouts/coco17.yaml", "protocols/splits/gait/casia_b.csv"} <= names
    assert {"tasks/configs/gait/walkers.yaml", "tasks/configs/gait/casia_b.yaml"} <= names
    page = {f"protocols/reporting/templates/page.{ending}" for ending in ("css", "html", "js")}
    assert page | {"protocols/published/table-1.csv"} <= names
    assert not [name for name in names if "test" in name]
    assert f"{information}/licenses/LICENSE" in names
    assert f"{information}/entry_points.txt" in names


def test_wheel_is_used_from_another_folder(installed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments: object) -> str:
        return python("-P", *arguments, cwd=elsewhere, PYTHONPATH=str(installed))

    places = run(
        "-c",
        "import aclnet, protocols, tasks; print([m.__file__ for m in (aclnet, protocols, tasks)])",
    )
    assert places.count(str(installed)) == 3
    run("-m", "tasks.cli", "doctor", "--json", "checks.json")
    told = json.loads((elsewhere / "checks.json").read_text())
    checks = {check["name"]: check for check in told}
    assert str(installed / "tasks" / "configs") in checks["recipes"]["found"]
    assert all(checks[name]["good"] for name in ("aclnet", "torch", "recipes"))
    changes = (
        "data.walkers.identities=6",
        "data.walkers.views=[0,90]",
        "data.walkers.frames=[20,24]",
        "identities.train=4",
        "identities.validation=2",
        "clip.frames=16",
        "network.encoder.width=8",
        "sampler.steps_per_epoch=2",
        "train.epochs=1",
        "objective.inter_weight=0",
    )
    options = [word for change in changes for word in ("--set", change)]
    run("-c", "import aclnet; assert aclnet.load('walkers-gait').dimensions")
    # No --config: the recipe of the walkers, shipped in the wheel.
    out = run("-m", "tasks.cli", "gait", "train", *options)
    assert "casia_b, rule exact" in out
    written = elsewhere / "runs" / "walkers"
    assert json.loads((written / "record.json").read_text())["dataset"]["synthetic"] is True


def others() -> list[str]:
    """Other Pythons of 3.11 or newer, on PATH or uv's."""
    on_path = [shutil.which(f"python3.{minor}") for minor in range(11, 15)]
    managed = Path.home().glob(".local/share/uv/python/cpython-3.*/bin/python3.1[1-4]")
    found = {Path(one).name: str(one) for one in (*managed, *filter(None, on_path))}
    found.pop(f"python3.{sys.version_info.minor}", None)
    return list(found.values())


@pytest.mark.parametrize("interpreter", others())
def test_another_python_takes_the_wheel(installed: Path, interpreter: str, tmp_path: Path) -> None:
    program = """
import compileall, importlib.util, sys
assert compileall.compile_dir(sys.argv[1], quiet=1)
if importlib.util.find_spec("torch"):  # it has the dependencies too
    sys.path.insert(0, sys.argv[1])
    import aclnet
    assert aclnet.load("walkers-gait").dimensions
"""
    words = [interpreter, "-P", "-c", program, str(installed)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


COMMANDS_IN_TURN = """
import json, sys
from tasks.cli import main
for sys.argv in json.loads(sys.argv[1]):
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.mark.timeout(600)  # one of them is a training
def test_the_tutorial_names_people_from_their_key_points(installed: Path, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "own_people.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert len(commands) <= 10
    assert {program for program, *_ in commands} == {"aclnet-task"}
    program = ("-P", "-c", COMMANDS_IN_TURN, json.dumps(commands))
    python(*program, cwd=tmp_path, PYTHONPATH=str(installed), OMP_NUM_THREADS="1")
    answers = json.loads((tmp_path / "answers.json").read_text())["answers"]
    found = [one["person"] for one in answers]
    assert found[3] is None  # a stranger
    # Another CPU trains a slightly different network, which may miss one of them.
    assert sum(map(str.__eq__, ["025", "026", "027"], map(str, found))) >= 2


def test_the_report_is_made_from_another_folder(installed: Path, tmp_path: Path) -> None:
    records = tmp_path / "results"
    records.mkdir()
    for record in sorted((REPOSITORY / "results" / "gait" / "kgbd").glob("acl-*.json")):
        shutil.copy(record, records)
    out = python(
        *("-P", "-m", "protocols.report", "--out", "report", "--no-figures"),
        cwd=tmp_path,
        PYTHONPATH=str(installed),
    )
    assert out.splitlines()[0].startswith(f"{len(list(records.iterdir()))} records, ")
    bare = tmp_path / "bare"
    bare.mkdir()
    python("-P", "-m", "protocols.report", "--out", "r", cwd=bare, PYTHONPATH=str(installed))
    assert (bare / "r" / "index.html").is_file()  # no records there
    written = tmp_path / "report"
    # Published results, the page and its style come from the wheel.
    assert "not run" in (written / "tables" / "table-1.tex").read_text("utf-8")
    page = (written / "index.html").read_text("utf-8")
    style = (installed / "protocols" / "reporting" / "templates" / "page.css").read_text("utf-8")
    assert style.strip().splitlines()[0] in page
