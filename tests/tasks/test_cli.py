from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aclnet.checkpoint import load_checkpoint
from aclnet.data.sample import Sample
from aclnet.data.store import open_store, write_store

COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("action",),
    ("action", "train"),
    ("action", "eval"),
    ("action", "study"),
    ("action", "fuse"),
    ("action", "predict"),
    ("action", "import-weights"),
    ("action", "occlusion"),
    ("action", "difficulty"),
    ("action", "class-gain"),
    ("action", "families"),
    ("action", "sweep"),
    ("action", "evolution"),
    ("gait",),
    ("gait", "train"),
    ("gait", "eval"),
    ("gait", "embed"),
    ("gait", "study"),
    ("gait", "biometrics"),
    ("reid",),
    ("reid", "train"),
    ("reid", "eval"),
    ("reid", "embed"),
    ("reid", "study"),
    ("reid", "show"),
    ("reid", "biometrics"),
    ("data",),
    ("data", "convert"),
    ("data", "validate"),
    ("data", "show"),
    ("compare",),
    ("report",),
    ("cost",),
    ("doctor",),
)
HEAVY = ("torch", "pandas", "numpy", "faiss", "matplotlib", "scipy", "sklearn", "lightning_fabric")

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


def test_every_command_is_among_those_whose_help_is_tried() -> None:
    from tasks.cli import app

    there: set[tuple[str, ...]] = {
        (str(one.name or one.callback.__name__),)  # type: ignore[union-attr]
        for one in app.registered_commands
    }
    for group in app.registered_groups:
        inner = group.typer_instance
        assert inner is not None
        for one in inner.registered_commands:
            name = one.name or one.callback.__name__  # type: ignore[union-attr]
            there.add((str(group.name), str(name)))
    groups = {(), ("action",), ("gait",), ("reid",), ("data",)}
    assert there == set(COMMANDS) - groups


@pytest.mark.parametrize("short", ["-h", "--help"])
def test_help_of_the_console_script(short: str) -> None:
    script = shutil.which("aclnet-task", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("aclnet is not installed beside this Python: no console script")
    done = subprocess.run([script, "gait", short], capture_output=True, text=True, check=True)
    assert "train" in done.stdout


Change = Callable[[Path], None]


def damage(name: str, content: bytes) -> Change:
    def change(run: Path) -> None:
        (run / name).write_bytes(content)

    return change


def cut(name: str, keep: float) -> Change:
    def change(run: Path) -> None:
        whole = (run / name).read_bytes()
        (run / name).write_bytes(whole[: int(len(whole) * keep)])

    return change


def replace(name: str, old: str, new: str) -> Change:
    def change(run: Path) -> None:
        text = (run / name).read_text()
        assert old in text
        (run / name).write_text(text.replace(old, new))

    return change


def flip_a_byte(run: Path) -> None:
    content = bytearray((run / "checkpoint.pt").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (run / "checkpoint.pt").write_bytes(content)


def foreign_checkpoint(run: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, run / "checkpoint.pt")


def without(name: str) -> Change:
    return lambda run: (run / name).unlink()


@pytest.fixture
def mistake(call: Any, tmp_path: Path) -> Callable[..., str]:
    """Call a command that must fail as a user's mistake does: exit code 2, one line, no more."""

    def run(*arguments: object) -> str:
        done = call(*arguments)
        assert done.code == 2, done
        assert done.out == ""
        *reports, sentence = done.err.splitlines()
        assert not any("error" in line.lower() or "Traceback" in line for line in reports), reports
        assert sentence.startswith("error: "), done.err
        assert "[Errno" not in sentence
        assert len(sentence) > len("error: ") + 20
        return str(sentence)

    return run


EMBED = ("gait", "embed", "--out", "OUT.npz", "--run", "RUN", "--data", "STORE")
ANEW = ("gait", "train", "--overwrite", "-c", "RECIPE", "--run", "RUN")
AGAIN = ("gait", "train", "--resume", "--run", "RUN")


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        # the run folder
        (None, ("gait", "train", "--run", "RUN"), ("RUN", "--resume", "--overwrite", "--run")),
        (None, (*AGAIN, "--overwrite"), ("--resume", "--overwrite")),
        # Nothing is overwritten for the sake of a run that cannot begin.
        (None, (*ANEW, "--data", "GONE"), ("GONE", "--data")),
        (None, (*ANEW, "-s", "identities.train=9"), ("0 test",)),
        (None, ("gait", "eval", "--run", "EMPTY"), ("EMPTY is not a run", "settings.yaml")),
        (None, ("gait", "embed", "--run", "GONE", "--out", "OUT.npz"), ("GONE is not a run",)),
        (without("embeddings.npz"), ("gait", "eval", "--run", "RUN"), ("embeddings.npz", "RUN")),
        (without("record.json"), ("gait", "eval", "--run", "RUN"), ("record.json", "--resume")),
        (cut("record.json", 0.5), ("gait", "eval", "--run", "RUN"), ("record.json", "damaged")),
        (cut("embeddings.npz", 0.5), ("gait", "eval", "--run", "RUN"), ("embeddings.npz",)),
        # the checkpoint
        (without("checkpoint.pt"), EMBED, ("checkpoint.pt", "no checkpoint")),
        (cut("checkpoint.pt", 0.7), EMBED, ("checkpoint.pt", "damaged")),
        (cut("checkpoint.pt", 0.7), AGAIN, ("checkpoint.pt", "damaged")),
        (flip_a_byte, EMBED, ("checkpoint.pt", "damaged")),
        (damage("checkpoint.pt", b""), EMBED, ("checkpoint.pt",)),
        (foreign_checkpoint, EMBED, ("checkpoint.pt", "not a checkpoint of aclnet")),
        # run.json
        (damage("run.json", b"{"), EMBED, ("run.json", "damaged")),
        (damage("run.json", b"\xff\xfe"), EMBED, ("run.json", "damaged")),
        (replace("run.json", '"channels"', '"chanels"'), EMBED, ("run.json", "channels")),
        (replace("run.json", '"nose"', '"beak"'), EMBED, ("joint 0 is nose", "beak")),
        # settings.yaml
        (replace("settings.yaml", "width: 8", "width: 9"), EMBED, ("settings.yaml", "shape")),
        (
            replace("settings.yaml", "width: 8", "with: 8"),
            EMBED,
            ("settings.yaml", "with", "width"),
        ),
        (damage("settings.yaml", b"a: [b"), EMBED, ("settings.yaml", "line 1")),
        # going on with something else
        (None, (*AGAIN, "-s", "network.encoder.width=9"), ("network.encoder.width = 8", "9")),
        (None, (*AGAIN, "-s", "clip.streams=[j]"), ("clip.streams", "RUN")),
        (None, (*AGAIN, "-s", "train.learning_rate=0.5"), ("learning_rate", "checkpoint.pt")),
        (None, (*AGAIN, "-s", "identities.train=6"), ("RUN", "who trains")),
        (None, (*AGAIN, "-s", "data.min_frames=21"), ("data.min_frames = 1", "21")),
        (
            None,
            (*AGAIN, "--data", "OTHER", "-s", "protocol=kgbd_walks"),
            ("RUN", "the data", "walkers"),
        ),
    ],
)
def test_mistakes_with_a_run(
    change: Change | None,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    first: Path,
    recipe: Path,
    walkers: Path,
    cache: Path,
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    run = tmp_path / "RUN"
    shutil.copytree(first, run)
    if change is not None:
        change(run)
    before = {item.name: item.read_bytes() for item in run.iterdir()}
    other = other_joints(tmp_path / "OTHER")
    places = {"STORE": walkers, "OTHER": other, "RECIPE": recipe, "RUN": run}
    given = [places.get(word, tmp_path / word if word.isupper() else word) for word in arguments]
    given = [tmp_path / word if word == "OUT.npz" else word for word in given]
    (tmp_path / "EMPTY").mkdir()
    if given[1] in ("train", "embed"):
        given += ["--cache", cache]
    sentence = mistake(*given)
    for word in words:
        assert word in sentence
    # A refused command leaves the run as it was.
    assert {item.name: item.read_bytes() for item in run.iterdir()} == before
    assert not (tmp_path / "OUT.npz").exists()


def other_joints(path: Path, identities: str = "12345678") -> Path:
    """A store in another layout: noise, three clips for each identity (`-`: none)."""
    from aclnet.data.sample import StoreInfo
    from aclnet.skeleton import load_layout

    layout = load_layout("ucalgary18")
    info = StoreInfo(name="other", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre")
    rng = np.random.default_rng(0)
    samples = (
        Sample(
            sample=f"{name}/{take}",
            frames=rng.normal(size=(20, 1, layout.joint_count, 3)),
            identity=name.strip("-"),
            condition="N",
            take=take,
        )
        for name in identities
        for take in "123"
    )
    write_store(path, samples, info)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--config", "gait/walker"), ("gait/walker", "gait/walkers", "gait/kgbd")),
        (("--config", "GONE.yaml"), ("GONE.yaml", "gait/walkers")),
        (("--data", "GONE"), ("GONE", "--data")),
        (("--data", "TEXT"), ("TEXT", "gaitgraph_csv", "npz")),
        (("--data", "OTHER"), ("other", "protocol casia_b", "gallery", "['N']", "-s protocol=")),
        (("--data", "NAMELESS"), ("nameless", "identity", "3 of 24")),
        (("--data", "OTHER", "-s", "data.map_to=coco17"), ("OTHER", "ucalgary18", "--map-to")),
        (("-s", "trian.epochs=3"), ("trian", "train", "--set trian.epochs=3")),
        (("-s", "train.epoch=3"), ("train.epoch", "nearest known name `epochs`")),
        (("-s", "train.epochs=many"), ("train.epochs", "many")),
        (("-s", "train.epochs"), ("--set train.epochs", "=")),
        (("-s", "rule=gaitgrap"), ("rule", "gaitgrap", "nearest known value `gaitgraph`")),
        (("-s", "protocol=casia_c"), ("casia_c", "casia_b", "kgbd_walks")),
        (("-s", "identities.train=8"), ("0 test", "identities.train")),
        (("-s", "identities.train=1"), ("would train", "identities.train")),
        (("-s", "identities.train=2.5"), ("identities.train", "2.5")),
        (("-s", "data.min_frames=500"), ("data.min_frames", "500", "26")),
        (("-s", "objective.feature=graph"), ("objective.feature", "temporal_conv", "affinity_gcn")),
        (("-s", "network.encoder.kernel=4"), ("network.encoder.kernel", "odd", "4")),
        (("-s", "train.accelerator=cuda"), ("cuda", "cpu")),
        (("--run", "TEXT"), ("TEXT is a file", "folder")),
        (("--run", "FULL"), ("FULL is not empty", "--run")),
        (("--run", "FULL", "--overwrite"), ("FULL is not empty", "--run")),
    ],
)
def test_mistakes_of_training(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    recipe: Path,
    cache: Path,
    first: Path,
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    if "train.accelerator=cuda" in arguments and torch.cuda.is_available():
        pytest.skip("here CUDA is no mistake")
    (tmp_path / "TEXT").write_text("not data")
    (tmp_path / "FULL").mkdir()
    (tmp_path / "FULL" / "thesis.tex").write_text("mine")
    if "OTHER" in arguments:
        other_joints(tmp_path / "OTHER")
    if "NAMELESS" in arguments:
        other_joints(tmp_path / "NAMELESS", "12-45678")
        info = tmp_path / "NAMELESS" / "store.json"
        info.write_text(info.read_text().replace('"other"', '"nameless"'))
    given = [tmp_path / word if word.split(".")[0].isupper() else word for word in arguments]
    if "--config" not in given:
        given += ["--config", recipe]
    if "--run" not in given:
        given += ["--run", tmp_path / "new"]
    sentence = mistake("gait", "train", *given, "--cache", cache)
    for word in words:
        assert word.lower() in sentence.lower()
    assert (tmp_path / "FULL" / "thesis.tex").read_text() == "mine"
    assert not (tmp_path / "new" / "checkpoint.pt").exists()


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "embedding": rng.normal(size=(8, 3)).astype(np.float32),
        "subject": np.array([1, 1, 1, 1, 2, 2, 2, 2]),
        "condition": np.array(["nm"] * 8),
        "take": np.array([1, 2, 5, 6] * 2),
        "view": np.array(["0", "18"] * 4),
    }


def nan(data: dict[str, Any]) -> None:
    data["embedding"][2, 1] = np.nan


def objects(data: dict[str, Any]) -> None:
    data["subject"] = np.array([{}] * 8, dtype=object)


def no_subject(data: dict[str, Any]) -> None:
    del data["subject"]


def no_embedding(data: dict[str, Any]) -> None:
    data["vectors"] = data.pop("embedding")


def short(data: dict[str, Any]) -> None:
    data["take"] = data["take"][:5]


def zeros(data: dict[str, Any]) -> None:
    data["embedding"][5] = 0


def fractions(data: dict[str, Any]) -> None:
    data["subject"] = np.linspace(0, 1, 8)


def no_probe(data: dict[str, Any]) -> None:
    data["take"][:] = 1


def half_a_view(data: dict[str, Any]) -> None:
    data["view"][0] = ""


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (no_subject, (), ("subject", "identity")),
        (no_embedding, (), ("embedding", "features")),
        (nan, (), ("1-nm-5-0", "row 2", "not finite")),
        (objects, (), ("subject", "unpickling")),
        (short, (), ("take", "(5,)", "8")),
        (zeros, (), ("2-nm-2-18", "zeros")),
        (fractions, (), ("subject", "whole numbers")),
        (no_probe, (), ("no probe", "nm/5")),
        (half_a_view, (), ("1-nm-1", "no view")),
        (None, ("--protocol", "casia"), ("casia", "casia_b", "kgbd_walks")),
        (None, ("--protocol", "FILE.csv"), ("FILE.csv",)),
        (None, ("--metric", "manhattan"), ("manhattan", "cosine")),
        (None, ("--gallery-takes", "9"), ("no gallery", "nm/9")),
        (None, ("--json", "FILE.npz/record.json"), ("FILE.npz",)),
    ],
)
def test_mistakes_with_embeddings(
    change: Callable[[dict[str, Any]], None] | None,
    options: tuple[str, ...],
    words: tuple[str, ...],
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    data = arrays()
    if change is not None:
        change(data)
    path = tmp_path / "FILE.npz"
    np.savez(path, **data)
    given = [tmp_path / word if word.startswith("FILE") else word for word in options]
    sentence = mistake("gait", "eval", "--embeddings", path, *given)
    for word in words:
        assert word in sentence
    if change not in (None, zeros, no_probe, half_a_view):
        assert str(path) in sentence


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.npz", b"PK\x03\x04", ("cut.npz", "npz")),
        ("empty.csv", b"", ("empty.csv",)),
        ("torn.csv", b"subject,e0,e1\n1,2,3\n1,2,3,4,5\n", ("torn.csv", "line 3")),
        ("words.csv", b"subject,e0,e1\n1,2,x\n", ("words.csv", "no number")),
        ("bytes.csv", b"subject,e0\n\xff,2\n", ("bytes.csv",)),
        ("vectors.txt", b"", ("vectors.txt", ".npz", ".csv")),
        (None, b"", ("gone.npz",)),
    ],
)
def test_files_that_hold_no_embeddings(
    name: str | None,
    content: bytes,
    words: tuple[str, ...],
    tmp_path: Path,
    mistake: Callable[..., str],
) -> None:
    path = tmp_path / (name or "gone.npz")
    if name is not None:
        path.write_bytes(content)
    sentence = mistake("gait", "eval", "--embeddings", path)
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gait", "eval"), ("--run", "--embeddings")),
        (("gait", "eval", "--run", "a", "--embeddings", "b.npz"), ("--run", "--embeddings")),
        (("gait", "embed", "--run", "a", "--out", "b.csv"), ("b.csv", ".npz")),
        (("gait", "study", "--seeds", "1,two"), ("--seeds", "1,two", "0,1,2")),
        (("gait", "study", "--seeds", ","), ("--seeds", "0,1,2")),
        (("gait", "study", "--objectives", "acl,supcon"), ("supcon", "ce+inter")),
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
    sentence = mistake(*arguments)
    for word in words:
        assert word in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("gait", "eval", "--rule", "best"), ("gait", "trian"), ("--quiet",), ("gait", "embed")],
)
def test_unknown_options_give_code_two(arguments: tuple[str, ...], call: Any) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_data_with_other_joints_than_the_run(
    first: Path, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    other = other_joints(tmp_path / "other")
    out = tmp_path / "out.npz"
    sentence = mistake("gait", "embed", "--run", first, "--data", other, "--out", out)
    for word in ("18 joints", "ucalgary18", "17 joints", "coco17", "--map-to coco17", str(first)):
        assert word in sentence
    assert not out.exists()


def test_data_in_another_unit_than_the_run(
    first: Path, walkers: Path, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    scaled = tmp_path / "scaled"
    shutil.copytree(walkers, scaled)
    info = scaled / "store.json"
    info.write_text(info.read_text().replace('"pixel"', '"normalised"'))
    out = tmp_path / "out.npz"
    sentence = mistake("gait", "embed", "--run", first, "--data", scaled, "--out", out)
    assert "normalised" in sentence
    assert "--unit pixel" in sentence


def test_a_sample_that_breaks_the_loss_is_named(
    recipe: Path, walkers: Path, tmp_path: Path, mistake: Callable[..., str]
) -> None:
    store = open_store(walkers)
    samples = [
        Sample(
            sample=str(row.sample),
            frames=store.clip(i) * (np.nan if row.sample == "002-nm-03-054" else 1),
            identity=str(row.identity),
            condition=str(row.condition),
            take=str(row.take),
            view=str(row.view),
        )
        for i, row in enumerate(store.index.itertuples())
    ]
    broken, run = tmp_path / "broken", tmp_path / "run"
    write_store(broken, samples, store.info)
    steps = ("-s", "sampler.steps_per_epoch=9", "-s", "sampler.samples_per_identity=12")
    sentence = mistake("gait", "train", "-c", recipe, "--data", broken, "--run", run, *steps)
    assert "not finite at epoch 1, step " in sentence
    assert "data validate" in sentence
    assert not (run / "checkpoint.pt").exists()


def test_overwrite_begins_anew_but_saves_what_no_run_wrote(
    first: Path, recipe: Path, cache: Path, tmp_path: Path, call: Any, mistake: Callable[..., str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(first, run)
    command = ("gait", "train", "-c", recipe, "--cache", cache, "--run", run, "--overwrite")
    (run / "notes").mkdir()
    assert "notes" in mistake(*command)
    assert (run / "record.json").exists()
    (run / "notes").rmdir()
    (run / "checkpoint.pt").write_bytes(b"damaged")
    done = call(*command)
    assert done.code == 0, done.err
    again, before = (load_checkpoint(folder / "checkpoint.pt") for folder in (run, first))
    for name, value in before["task"].items():
        assert torch.equal(value, again["task"][name]), name


def test_doctor(call: Any) -> None:
    done = call("doctor")
    names = {"python", "aclnet", "torch", "device", "search", "threads", "figures", "recipes"}
    for name in names:
        assert name in done.out
    as_json = call("doctor", "--json")
    checks = json.loads(as_json.out)
    assert {check["name"] for check in checks} == names
    found = {check["name"]: check["found"] for check in checks}
    assert torch.__version__.split("+")[0] in found["torch"]
    assert f"{torch.get_num_threads()} in torch" in found["threads"]
    good = all(check["good"] for check in checks)
    assert done.code == as_json.code == (0 if good else 1)


def test_doctor_says_what_is_missing(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    done = call("doctor", "--json")
    assert done.code == 1
    (search,) = (check for check in json.loads(done.out) if check["name"] == "search")
    assert not search["good"]
    assert "pip install 'aclnet[cpu]'" in search["found"]
