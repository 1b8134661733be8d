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
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
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


TUTORIAL = re.findall(
    r"^```sh\n(.*?)^```",
    (REPOSITORY / "docs" / "own_people.md").read_text("utf-8"),
    re.DOTALL | re.MULTILINE,
)
SMALL = (
    *("data.walkers.identities=6", "data.walkers.views=[0,90]", "data.walkers.frames=[20,24]"),
    *("identities.train=4", "identities.validation=2", "clip.frames=16"),
    *("network.encoder.width=8", "sampler.steps_per_epoch=2", "train.epochs=1"),
    "objective.inter_weight=0",
)
ALL_IN_TURN = """
import json, sys
import aclnet, protocols, tasks
from tasks.cli import main
print([module.__file__ for module in (aclnet, protocols, tasks)])
assert aclnet.load("walkers-gait").dimensions
for sys.argv in json.loads(sys.argv[1]):
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.fixture(scope="module")
def elsewhere(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Another folder, where the wheel's commands ran, and what they printed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    commands = [shlex.split(line) for block in TUTORIAL for line in block.splitlines()]
    assert len(commands) <= 10
    assert {program for program, *_ in commands} == {"aclnet-task"}
    (training,) = (words for words in commands if words[1:3] == ["gait", "train"])
    training += ["--set", "train.epochs=4"]  # of 10: names the same people in less than half of it
    commands.append(["aclnet-task", "doctor", "--json", "checks.json"])
    # No --config: the recipe of the walkers, shipped in the wheel.
    sets = [word for change in SMALL for word in ("--set", change)]
    commands.append(["aclnet-task", "gait", "train", *sets])
    program = ("-P", "-c", ALL_IN_TURN, json.dumps(commands))
    return folder, python(*program, cwd=folder, PYTHONPATH=str(installed), OMP_NUM_THREADS="1")


@pytest.mark.timeout(900)  # on a busy machine; one of the commands is a training
def test_wheel_is_used_from_another_folder(elsewhere: tuple[Path, str], installed: Path) -> None:
    folder, out = elsewhere
    assert out.splitlines()[0].count(str(installed)) == 3
    told = json.loads((folder / "checks.json").read_text())
    checks = {check["name"]: check for check in told}
    assert str(installed / "tasks" / "configs") in checks["recipes"]["found"]
    assert all(checks[name]["good"] for name in ("aclnet", "torch", "recipes"))
    assert "casia_b, rule exact" in out
    written = folder / "runs" / "walkers"
    assert json.loads((written / "record.json").read_text())["dataset"]["synthetic"] is True


def test_the_tutorial_names_people_from_their_key_points(elsewhere: tuple[Path, str]) -> None:
    answers = json.loads((elsewhere[0] / "answers.json").read_text())["answers"]
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


def others() -> list[str]:
    """Other Pythons of 3.11 or newer that start: on PATH, uv's or pyenv's."""
    on_path = [shutil.which(f"python3.{minor}") for minor in range(11, 15)]
    managed = [
        path
        for folder in (".local/share/uv/python/cpython-3.*", ".pyenv/versions/3.*")
        for path in sorted(Path.home().glob(f"{folder}/bin/python3.1[1-4]"))
    ]
    found = {
        Path(one).name: str(one)
        for one in (*filter(None, on_path), *managed)
        if subprocess.run([one, "--version"], capture_output=True, check=False).returncode == 0
    }
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
