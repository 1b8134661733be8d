"""A reader, a backbone, a loss, a protocol and a figure, each one file given by --plugin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from aclnet.skeleton import load_layout
from aclnet.training.log import read_log
from protocols.records import ResultRecord
from protocols.splits import register_split
from tasks.spec import TaskSpec, register

READER = """
import numpy as np
from aclnet.data.formats import register_reader
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import load_layout

UNPICKLES = True  # read in a process of its own

def recognises(path):
    return path.suffix == ".walks"

def read(path, *, layout=None, progress=None):
    with path.open("rb") as file:
        walks = np.load(file)
    info = StoreInfo.of_file(path, load_layout("coco17"), channels=("x", "y"), unit="pixel")
    names = [f"{p}-{t}" for p in range(6) for t in range(1, 5)]
    samples = (
        Sample(name, walk[:, None], identity=name[0], take=name[-1], condition="nm", view="0")
        for name, walk in zip(names, walks)
    )
    return info, samples

register_reader("walks", __name__)
"""
BACKBONE = """
from typing import Literal
from torch import nn
from aclnet.models.encoder import Encoder, EncoderOutput
from aclnet.models.settings import EncoderSettings, register_encoder

class MeanSettings(EncoderSettings):
    name: Literal["mean_pose"] = "mean_pose"
    width: int = 4

    def build(self, layout, channels, generator=None):
        return MeanPose(self.width, layout.joint_count, channels)

class MeanPose(Encoder):
    def __init__(self, width, joint_count, channels):
        super().__init__(joint_count, channels)
        self.feature_dim, self.graph_dim = width, None
        self.layer = nn.Linear(joint_count * channels, width)

    def forward(self, clips):
        return EncoderOutput(self.layer(clips.mean(dim=(1, 2)).flatten(1)), None)

register_encoder("mean_pose", MeanSettings)
"""
LOSS = """
from typing import Literal
from aclnet.losses.settings import TermSettings, register_term
from aclnet.losses.term import Term

class SmallSettings(TermSettings):
    name: Literal["small"] = "small"

    def build(self, class_count, feature_dim, generator=None):
        return Small()

class Small(Term):
    def forward(self, *, feature, **rest):
        return feature.float().square().mean()

register_term("small", SmallSettings)
"""
PROTOCOL = """
from pathlib import Path
from typing import Any
from protocols.splits import register_split

register_split("gait", Path(__file__).with_name("two_and_two.csv"))
"""
FIGURE = """
from matplotlib.figure import Figure
from protocols.figures.drawing.planning import plan_of
from protocols.figures.registry import register_figure

def plan(runs):
    for run in runs[:1]:
        yield plan_of("ranks", "rank-1 as one bar", run.record, lambda: (draw(run), "One bar."))

def draw(run):
    figure = Figure()
    figure.subplots().bar([0], [run.record.metrics["rank1"]])
    return figure

register_figure("ranks", plan)
"""
RECIPE = {
    "identities": {"train": 3, "validation": 0},
    "protocol": "two_and_two",
    "clip": {"frames": 8, "streams": ["j"]},
    "network": {"encoder": {"name": "mean_pose", "width": 5}},
    "objective": {
        "inter_weight": 0,
        "intra_weight": 0,
        "terms": [{"name": "small", "weight": 0.5}],
    },
    "sampler": {"identities_per_batch": 3, "samples_per_identity": 2, "steps_per_epoch": 2},
    "train": {"epochs": 1, "accelerator": "cpu", "log_every_steps": 1},
}
PLUGINS = {"walks_reader": READER, "mean_pose": BACKBONE, "small_term": LOSS}
PLUGINS |= {"two_and_two": PROTOCOL, "rank_figure": FIGURE}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(ready: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run was trained, and reported, with everything that the plug-ins add."""
    place = tmp_path_factory.mktemp("plugins")
    for name, text in PLUGINS.items():
        (place / f"{name}.py").write_text(text)
    (place / "two_and_two.csv").write_text("condition,take,role\n*,first 2,gallery\n*,*,probe\n")
    (place / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    rest = load_layout("coco17").joint_count
    walks = np.random.default_rng(0).normal(100, 30, (24, 12, rest, 2)).astype(np.float32)
    with (place / "my.walks").open("wb") as file:
        np.save(file, walks)
    options = [word for name in PLUGINS for word in ("--plugin", f"{name}.py")]
    train = ["gait", "train", "-c", "tiny.yaml", "--data", "my.walks", "--run", "runs/r"]
    for command in (train, ["report", "--results", "runs", "--out", "out", "--formats", "html"]):
        process = ready("-m", "tasks.cli", *options, *command, cwd=place)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    return place


@pytest.fixture(scope="module")
def record(folder: Path) -> ResultRecord:
    return ResultRecord.from_json((folder / "runs" / "r" / "record.json").read_text())


def test_a_reader(record: ResultRecord) -> None:
    assert record.dataset.name == "my"
    assert (record.counts["train"], record.counts["test"]) == (12, 12)


def test_a_backbone(folder: Path, record: ResultRecord) -> None:
    assert record.settings["network"]["encoder"] == {"name": "mean_pose", "width": 5}
    with np.load(folder / "runs" / "r" / "embeddings.npz") as saved:
        assert saved["embedding"].shape == (12, 5)


def test_a_loss(folder: Path) -> None:
    lines = read_log(folder / "runs" / "r" / "log.jsonl")
    values = [line["train/small"] for line in lines if "train/small" in line]
    assert values
    assert all(value > 0 for value in values)


def test_a_protocol(record: ResultRecord) -> None:
    assert record.protocol == "two_and_two"
    assert (record.counts["gallery"], record.counts["probes"]) == (6, 6)


def test_a_figure(folder: Path) -> None:
    (drawing,) = (folder / "out" / "figures").glob("ranks-*.svg")
    assert "rank-1 as one bar" in (folder / "out" / "index.html").read_text()
    assert drawing.stat().st_size > 1000
    assert json.loads((folder / "runs" / "r" / "record.json").read_text())["kind"] == "run"


def test_names_that_are_taken_are_refused(tmp_path: Path, mistake: Callable[..., str]) -> None:
    for name, words in (("this.py", ("another module is called this",)), ("no.py", ("existing",))):
        (tmp_path / "this.py").touch()
        mistake("--plugin", tmp_path / name, "doctor", words=words)
    (tmp_path / "casia_b.csv").touch()
    with pytest.raises(ValueError, match="there is a protocol casia_b already"):
        register_split("gait", tmp_path / "casia_b.csv")
    parts = dict.fromkeys(("help", "settings", "adapter", "judge", "query"))
    for name, more, message in (
        ("gait", parts, "there is a command of this name"),
        ("compare", parts, "there is a command of this name"),
        ("mine", {}, "task 'mine' has no help"),
    ):
        with pytest.raises(ValueError, match=message):
            register(type("Mine", (TaskSpec,), {"name": name, **more})())


def test_a_plug_in_that_fails_is_named_with_its_line(tmp_path: Path, mistake: Any) -> None:
    for text, words in (("\n1/0", "line 2: ZeroDivisionError"), ("def", "SyntaxError")):
        (tmp_path / "bad.py").write_text(text)
        mistake("--plugin", tmp_path / "bad.py", "doctor", words=("bad.py", words))
