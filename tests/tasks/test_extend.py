"""The pages on adding something, followed literally: beside one's data, and in the package."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from aclnet.data.store import open_store
from aclnet.training.log import read_log
from protocols.records import ResultRecord

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = REPOSITORY / "docs" / "extend"
REGISTERS = re.compile(r"\n\n\n(register_\w+)\(.*\)\n\Z")
IN_TURN = """
import json, sys
place, *rest = json.loads(sys.argv[1])
if place:
    ours = ("aclnet", "protocols", "tasks")
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]
    sys.path.insert(0, place)
from tasks import cli
assert not place or cli.__file__.startswith(place)
for sys.argv in rest:
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise
"""

pytestmark = pytest.mark.slow


class Block(NamedTuple):
    """A block of a page, and the files that the paragraph before it names."""

    language: str
    text: str
    files: list[str]


def blocks() -> Iterator[Block]:
    for page in sorted(PAGES.glob("*.md")):
        parts = re.split(r"^```(\w+)\n(.*?)^```\n", page.read_text("utf-8"), flags=re.M | re.S)
        for before, language, text in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
            paragraph = before.strip().rpartition("\n\n")[2]
            yield Block(language, text, re.findall(r"`([\w/]+\.\w+)`", paragraph))


def in_package(text: str) -> str:
    """The file without the line that registers it, and without that function's import."""
    if found := REGISTERS.search(text):
        text = re.sub(rf"^from \S+ import {found[1]}\n", "", REGISTERS.sub("\n", text), flags=re.M)
        text = text.replace(f", {found[1]}", "")
    return text


def change(root: Path, text: str) -> None:
    """Follow a difference: its lines that stay must be in the file, once."""
    head, *lines = text.splitlines(keepends=True)
    file = root / head.removeprefix("+++ ").strip()
    old, new = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
    content = file.read_text("utf-8")
    assert content.count(old) == 1, (file, old)
    file.write_text(content.replace(old, new), "utf-8")


def run(ready: Any, folder: Path, place: str, commands: list[list[str]]) -> str:
    process = ready("-c", IN_TURN, json.dumps([place, *commands]), cwd=folder)
    out, errors = process.communicate(600)
    assert process.returncode == 0, out + errors
    return str(out + errors)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user works: the files of the pages, and walks of six people."""
    place = tmp_path_factory.mktemp("extend")
    for block in blocks():
        for name in block.files if block.language != "sh" else ():
            if "/" not in name:
                with (place / name).open("a", encoding="utf-8") as file:
                    file.write(block.text)
    walks = np.random.default_rng(0).normal(100, 30, (24, 12, 17, 2)).round(1).tolist()
    people = [(f"p{person}", str(take)) for person in range(6) for take in range(1, 5)]
    lines = (
        json.dumps({"person": person, "take": take, "joints": walk})
        for (person, take), walk in zip(people, walks, strict=True)
    )
    (place / "my.walks").write_text("\n".join(lines))
    vectors = np.random.default_rng(0).normal(size=(24, 8))
    subject, takes = zip(*people, strict=True)
    np.savez(place / "mine.npz", embedding=vectors, subject=subject, take=takes)
    return place


@pytest.fixture(scope="module")
def outside(ready: Any, folder: Path) -> str:
    """What the commands of the pages say."""
    lines = [
        line for block in blocks() if block.language == "sh" for line in block.text.split("\n")
    ]
    commands = [shlex.split(line) for line in lines if line]
    assert {program for program, *_ in commands} == {"aclnet-task"}
    return run(ready, folder, "", commands)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A copy of the package to which the pages added everything, and the new files."""
    root, new = tmp_path_factory.mktemp("package"), []
    for name in ("aclnet", "protocols", "tasks", "configs"):
        shutil.copytree(REPOSITORY / name, root / name)
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    for block in blocks():
        for name in block.files if block.language in ("python", "text") else ():
            if "/" in name:
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text(in_package(block.text), "utf-8")
                new.append(name)
        if block.language == "diff":
            change(root, block.text)
    return root, new


@pytest.fixture(scope="module")
def inside(ready: Any, folder: Path, package: tuple[Path, list[str]]) -> Path:
    """The folder of a run with everything, trained and reported in the changed package."""
    all_of_it = ("objective.terms=[{name: small}]", "network.encoder={name: mean_pose}")
    sets = [word for each in (*all_of_it, "protocol=two_and_two") for word in ("--set", each)]
    train = ["gait", "train", "-c", "tiny.yaml", "--data", "my.walks", "--run", "all/run", *sets]
    verify = ["verify", "train", "-c", "tiny_verify.yaml", "--run", "all/verify"]
    report = ["report", "--results", "all", "--out", "all/report", "--formats", "html"]
    run(ready, folder, str(package[0]), [["", *words] for words in (train, verify, report)])
    return folder / "all"


def record(file: Path) -> ResultRecord:
    return ResultRecord.from_json(file.read_text("utf-8"))


@pytest.mark.usefixtures("outside")
def test_a_loss(folder: Path, inside: Path) -> None:
    for log in (folder / "runs" / "small" / "log.jsonl", inside / "run" / "log.jsonl"):
        values = [line["train/small"] for line in read_log(log) if "train/small" in line]
        assert values
        assert min(values) > 0


@pytest.mark.usefixtures("outside")
def test_a_backbone(folder: Path, inside: Path) -> None:
    for run, width in ((folder / "runs" / "mean", 5), (inside / "run", 4)):
        with np.load(run / "embeddings.npz") as saved:
            assert saved["embedding"].shape[1] == width


@pytest.mark.usefixtures("outside")
def test_a_reader(folder: Path, inside: Path) -> None:
    store = open_store(folder / "store")
    assert (len(store), store.info.unit, store.index["take"].tolist()[:4]) == (
        24,
        "pixel",
        [*"1234"],
    )
    assert record(inside / "run" / "record.json").dataset.name == "my"


@pytest.mark.usefixtures("outside")
def test_a_protocol(folder: Path, inside: Path) -> None:
    by_path, by_name = (record(folder / name) for name in ("result.json", "named.json"))
    assert by_name.protocol == record(inside / "run" / "record.json").protocol == "two_and_two"
    assert (by_name.counts["gallery"], by_name.metrics) == (12, by_path.metrics)


@pytest.mark.usefixtures("outside")
def test_a_figure(folder: Path, inside: Path) -> None:
    for report in (folder / "report", inside / "report"):
        assert [*(report / "figures").glob("ranks-*.svg")]
        assert "rank-1 as a bar" in (report / "index.html").read_text("utf-8")


def test_a_task(folder: Path, inside: Path, outside: str) -> None:
    first, packaged = (record(run / "verify" / "record.json") for run in (folder / "runs", inside))
    assert (first.task, first.kind, first.rule) == ("verify", "run", "threshold 0.5")
    assert (packaged.metrics, packaged.cells) == (first.metrics, first.cells)
    changed = record(folder / "verify.json")
    assert (changed.rule, changed.metrics["auc"]) == ("threshold 0.9", first.metrics["auc"])
    assert "acl against ce: " in outside
    assert "accuracy differs by" in outside or "points of accuracy" in outside
    auc = record(folder / "results" / "acl-seed0.json").metrics["auc"]
    table = (folder / "verified" / "tables" / "verify-walkers.csv").read_text("utf-8")
    assert f"{100 * auc:.1f}" in table


@pytest.mark.usefixtures("outside")
def test_a_task_is_resumed_and_its_costs_are_measured(ready: Any, folder: Path) -> None:
    shutil.copytree(folder / "runs" / "verify", folder / "again")
    first = record(folder / "again" / "record.json")
    (folder / "again" / "record.json").unlink()
    added = ["", "--plugin", "verify.py"]
    resume = [*added, "verify", "train", "--run", "again", "--resume"]
    cost = "cost -c tiny_verify.yaml --task verify --seconds 0 --json-dir costs"
    said = run(ready, folder, "", [resume, [*added, *cost.split()]])
    assert "only evaluated again" in said
    assert record(folder / "again" / "record.json").metrics == first.metrics
    (file,) = (folder / "costs").glob("*.json")
    assert record(file).metrics["parameters"] > 0


def test_a_plug_in_is_loaded_again_in_a_process_with_limits(ready: Any, folder: Path) -> None:
    text = (folder / "walks.py").read_text("utf-8")
    (folder / "pickled.py").write_text(
        text.replace('"walks"', '"pickled"').replace("def recog", "UNPICKLES = True\n\n\ndef recog")
    )
    convert = ["data", "convert", "my.walks", "apart", "--format", "pickled"]
    run(ready, folder, "", [["", "--plugin", "pickled.py", *convert]])
    assert len(open_store(folder / "apart")) == 24


def test_the_code_of_the_pages_is_in_the_style_of_the_house(
    package: tuple[Path, list[str]],
) -> None:
    root, new = package
    code = [name for name in new if name.endswith(".py")]
    assert len(code) == 7
    for check in (["check"], ["format", "--check"]):
        words = [sys.executable, "-m", "ruff", *check, "--no-cache", "-q", *code]
        done = subprocess.run(words, cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
