"""Every code block of the site runs, page by page, in order, in one folder, on small stand-ins."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from aclnet.config import load_settings
from protocols.report import main as report
from tasks.action.settings import ActionSettings

from .stand_ins import make_world

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = {
    page.name: page
    for page in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md"))
    if page.name != "own_people.md"  # the installed wheel runs it: tests/test_wheel.py
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)

NOT_RUN = {
    "python3.11 -m venv": "makes an environment: tests/newcomer.py",
    "pip install": "needs a package index: tests/newcomer.py",
    "make ": "CI runs it",
    "uv ": "needs a package index",
    "aclnet-task gait motion": "trains five networks: tests/tasks/gait/test_study.py",
    "aclnet-task gait fuse": "two runs of the study, of which one is trained here: tests/tasks/run",
    "aclnet-task reid fuse": "as above",
    "aclnet-task report --out report --errors": "needs two runs: tests/tasks/commands/show",
    "rerun ": "opens a window",
    "tensorboard ": "a server",
    "aclnet-task serve": "a server: tests/tasks/serve",
    "aclnet-task cost": "starts processes to measure in: tests/tasks/cost",
    "aclnet-task submit": "needs a SLURM cluster: tests/tasks/commands",
    "aclnet-task live walk.mp4": "needs pose models: tests/tasks/live",
    "aclnet-task export runs/own -o small": "half a minute: tests/aclnet/export",
    "aclnet-task export runs/own -o model": "half a minute: tests/aclnet/export",
    'import aclnet\n\nmodel = aclnet.load("model")': "loads that: tests/aclnet/runs",
    "aclnet-task gallery identify gallery.db walk.json --model": "loads that: tests/tasks/gallery",
    "aclnet-task action study -c action/sbu": "its folds name 21 pairs of people",
    "aclnet-task reid show --out": "a minute of pictures: tests/tasks/reid",
    "aclnet-task reid show --run runs/reid": "needs a run: tests/tasks/reid",
    "aclnet-task action show runs/action": "needs a run: tests/tasks/action",
    "aclnet-task action joints runs/action": "needs a run: tests/tasks/joints",
    "aclnet-task gait robustness": "many tests of a run: tests/tasks/run",
    "aclnet-task reid robustness": "as above",
    "aclnet-task action robustness": "as above",
    "aclnet-task gait train -c gait/ucalgary_gait": "a recipe for data that are not here",
    "aclnet-task gait joints runs/gait --sample": "names one of the 60 walkers: tests/tasks/joints",
    "aclnet-task gait train --set train.instruction_set": "in a process of its own only",
    "from datasets import": "a library that we do not ask for: tests/aclnet/data/export",
    "aclnet-task data show walkers-store --to clip.gif": "slow: tests/aclnet/data/show",
    "aclnet-task data show walkers-store --to clip.rrd": "as below",
    "aclnet-task gait show runs/gait --to worst.rrd": "as below",
    "from rerun": "an extra that CI leaves out: tests/aclnet/data/show/test_viewer.py",
    '"""replay.py': "plays a recording in real time",
    "python tests/fuzz/": "40 to 60 minutes: tests/fuzz runs them briefly",
    "python tests/benchmarks/": "a quarter of an hour: tests/benchmarks runs them briefly",
    "python -m protocols.report --into docs/speed.md": "tests/test_readme.py compares the page",
}
"""Commands only parsed (tests/tasks/test_readme.py) and code only compiled, by how they begin."""

WALKERS = (
    "data.walkers={identities: 6, views: [0, 90], frames: [20, 24]}",
    "identities={train: 4, validation: 1}",
    "clip.frames=16",
)
ONE_EPOCH = (
    "train.epochs=1",
    "train.schedule=constant",
    "train.warmup_epochs=0",
    "train.evaluate_every_epochs=1",
    "objective.inter_weight=0",
)
LIGHT = {
    "gait": ("sampler.steps_per_epoch=1",),
    "reid": ("sampler.steps_per_epoch=1",),
    "gait/kgbd": ("identities={train: 3, validation: 1}",),
    "gait/casia_b": ("network.encoder={name: affinity_gcn, width: 8}", "clip.frames=20"),
    "reid/casia_b": ("identities.train=3",),
    "action": ("test.clips=1",),
    "action/ntu60_xsub": ("network.encoder.width=8", "clip.frames=8"),
}
"""What makes a training short, by task and by recipe."""


def values(words: Sequence[str], *names: str) -> list[str]:
    """What follows each of these options."""
    return [value for name, value in pairwise(words) if name in names]


def shortened(words: Sequence[str]) -> list[str]:
    """The words of a command, with settings that shorten its training."""
    task, command, *_ = [*words, ""]
    if command == "walkers":
        return [*words, "--people", "6", "--takes", "2"]
    if command not in ("train", "study", "actclr"):
        return list(words)
    recipe = "".join(values(words, "-c", "--config"))
    settings = (*ONE_EPOCH, *LIGHT.get(task, ()), *(LIGHT.get(recipe, ()) if recipe else WALKERS))
    given = {one.partition("=")[0] for one in values(words, "-s", "--set")} - {"train.epochs"}
    more = [one for one in settings if one.partition("=")[0] not in given]
    seeds = ["--seeds", "0"] if command == "study" else []
    return [*words, *(word for one in more for word in ("-s", one)), *seeds]


def commands(text: str) -> Iterator[str]:
    """The lines of a shell block without comments, joined where a backslash ends them."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = re.sub(r"(^|\s)#.*", "", line).strip()
        if plain:
            yield re.sub(r"^OMP_NUM_THREADS=\d+ ", "", plain)


def run_shell(text: str, call: Callable[..., Any]) -> None:
    for line in commands(text):
        if line.startswith(tuple(NOT_RUN)):
            continue
        program, *words = shlex.split(line)
        if words[:2] == ["data", "walkers"]:  # the page makes its own
            shutil.rmtree(words[2], ignore_errors=True)
        if program == "aclnet-task":
            call(*shortened(words))
        else:
            assert (program, *words[:2]) == ("python", "-m", "protocols.report"), line
            assert report([*words[2:], "--no-figures"]) == 0


@pytest.fixture(scope="module")
def world(call: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_world(call, folder, shortened)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_blocks_of_a_page_run(
    name: str, call: Callable[..., Any], world: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    found = BLOCK.findall(PAGES[name].read_text("utf-8"))
    if not found:
        return
    shutil.copytree(world, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    place: dict[str, Any] = {}
    for language, text in found:
        if language == "sh":
            run_shell(text, call)
        elif language == "python":
            code = compile(text, name, "exec")
            if not text.startswith(tuple(NOT_RUN)):
                exec(code, place)
        elif language == "json":
            json.loads(text)
        elif language == "yaml" and "clip:" in text:
            Path("settings.yaml").write_text(text)
            load_settings(ActionSettings, Path("settings.yaml"))
        elif language == "yaml":
            assert yaml.safe_load(text)
        else:  # what a terminal showed; README's commands are those of the pages
            assert language in ("text", "console") or name == "README.md"


def test_what_is_not_run_is_printed_somewhere() -> None:
    found = [
        line
        for page in PAGES.values()
        for language, text in BLOCK.findall(page.read_text("utf-8"))
        for line in (commands(text) if language == "sh" else [text])
    ]
    assert [one for one in NOT_RUN if not any(line.startswith(one) for line in found)] == []
