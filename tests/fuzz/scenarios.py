"""What is killed: commands, the state before them, and what must hold after the next owner's."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import launcher
import numpy as np

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import file_fingerprint, open_store, write_store
from aclnet.skeleton import load_layout

_EPOCHS = 3
WALKERS = """
data:
  walkers:
    {identities: 6, views: [0, 54, 90], nm_takes: 6, bg_takes: 2, cl_takes: 2, frames: [20, 24]}
identities: {train: 3, validation: 0}
clip: {frames: 8, streams: [j], augment: {mirror: 0.0, point_noise: 0.01}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}}
objective: {variant: paper, start_epoch: 1, queue_size: 8, projection_dim: 16}
sampler: {identities_per_batch: 3, samples_per_identity: 4, steps_per_epoch: 3}
train: {epochs: 3, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu, log_every_steps: 1}
"""
ACTIONS = """
data: {min_frames: 4}
split: store
hold_out: {people: 0}
clip: {frames: 8, sampling: uniform, streams: [j], normalise: {scale: none}}
test: {clips: 2}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}, dropout: 0.0}
objective:
  {variant: paper, start_epoch: 1, queue_size: 8, projection_dim: 8, neighbours: 2, overlap: 1}
sampler: {kind: shuffle, batch_size: 8}
train: {epochs: 3, optimizer: adamw, learning_rate: 1.0e-2, accelerator: cpu, log_every_steps: 1}
"""


class Scenario(NamedTuple):
    """A command in a folder that was made ready.

    Attributes:
        arguments: the command's.
        result: where it writes, in the folder.
        ready: what is copied there first, by its name in the base.
        next: the next owner's command, by the state that was left.
        same: names what differs between the result and that of the undisturbed command.
        damaged: names what a reader would take for whole and is not.
        begin: makes what is not in the folder.
    """

    arguments: tuple[str, ...]
    result: str
    ready: tuple[str, ...]
    next: Callable[[Path], tuple[str, ...]]
    same: Callable[[Path, Path], list[str]]
    damaged: Callable[[Path, Path, Path], list[str]]
    begin: Callable[[Path], object] = lambda _: None


def make_base(base: Path) -> None:
    """Data, recipes, a cache and finished runs, from which the scenarios start."""
    base.mkdir(parents=True)
    (base / "gait.yaml").write_text(WALKERS + "protocol: casia_b\nembed: {windows: centre}\n")
    (base / "reid.yaml").write_text(WALKERS + "embed: {windows: centre, mirror: false}\n")
    (base / "action.yaml").write_text(ACTIONS)
    _gestures(base / "gestures.npz", 16)
    _gestures(base / "fewer.npz", 12)
    write_store(base / "store", *_arms())
    for task in ("gait", "reid", "action"):
        _done(_train(task, "whole"), base, f"whole-{task}")
    _done(("data", "convert", "fewer.npz", "old"), base, "old")
    (base / "results").mkdir()
    for task in ("gait", "reid", "action"):
        shutil.copy(base / f"whole-{task}" / "record.json", base / "results" / f"{task}.json")


def _train(task: str, run: str, *more: str) -> tuple[str, ...]:
    data = ("--data", "store") if task == "action" else ()
    start = (task, "train", "-c", f"{task}.yaml", *data, "--run", f"{run}-{task}")
    return (*start, "--cache", "cache", *more)


def _done(arguments: tuple[str, ...], folder: Path, made: str) -> None:
    ended = launcher.run(arguments, folder)
    if ended.code != 0 or not (folder / made).exists():
        raise RuntimeError(f"{' '.join(arguments)}: {ended}")


def _gestures(path: Path, count: int) -> None:
    generator = np.random.default_rng(count)
    np.savez(
        path,
        joints=generator.normal(size=(count * 400, 1, 17, 3)).astype(np.float32),
        offsets=np.arange(count + 1) * 400,
        joint_names=np.array(load_layout("coco17").joints),
        subject=np.arange(count),
    )


def _arms() -> tuple[Iterator[Sample], StoreInfo]:
    layout = load_layout("ntu25")
    body = np.random.default_rng(0).normal(size=(1, 1, 25, 3)).astype(np.float32)

    def samples() -> Iterator[Sample]:
        for person in range(6):
            for number, label in enumerate("abcd"):
                frames = np.repeat(body, 12, axis=0)
                frames[:, :, layout.part_index("left_arm"), 1] += number
                split = "test" if person > 3 else "train"
                name = f"{label}{person}"
                yield Sample(name, frames, identity=str(person), label=label, split=split)

    return samples(), StoreInfo(
        name="arms", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre", synthetic=True
    )


def _fixed(*arguments: str) -> Callable[[Path], tuple[str, ...]]:
    return lambda _: arguments


def _resumed(task: str) -> Callable[[Path], tuple[str, ...]]:
    def command(folder: Path) -> tuple[str, ...]:
        run = folder / f"run-{task}"
        begun = (run / "checkpoint.pt").is_file() or (run / "run.json").is_file()
        return _train(task, "run", *(("--resume",) if begun else ()))

    return command


def _convert_again(folder: Path) -> tuple[str, ...]:
    there = (folder / "made").exists()
    return ("data", "convert", "gestures.npz", "made", *(("--overwrite",) if there else ()))


def different_stores(one: Path, other: Path) -> list[str]:
    """What differs between two stores."""
    if open_store(one).info.fingerprint != open_store(other).info.fingerprint:
        return ["the store is another one"]
    return [] if file_fingerprint(one) == open_store(one).info.fingerprint else ["its bytes differ"]


def different_runs(one: Path, other: Path) -> list[str]:
    """What differs between two runs, to the last bit, but for the seconds that they took."""
    import torch

    from aclnet.training.checkpoint import load_checkpoint
    from aclnet.training.log import read_log

    names = [{path.name for path in run.iterdir()} for run in (one, other)]
    found = [f"files differ: {names[0] ^ names[1]}"] if names[0] != names[1] else []
    first, second = (load_checkpoint(run / "checkpoint.pt") for run in (one, other))
    for part in ("task", "optimizer"):
        try:
            torch.testing.assert_close(first[part], second[part], rtol=0, atol=0)
        except AssertionError:
            found.append(f"checkpoint: {part} differs")
    logs = [
        [{**line, "seconds": 0} for line in read_log(run / "log.jsonl")] for run in (one, other)
    ]
    found += ["the log differs"] if logs[0] != logs[1] else []
    for saved in names[1] & {"embeddings.npz", "scores.npz"}:
        found += _different_arrays(one / saved, other / saved)
    return found + _different_records(one / "record.json", other / "record.json")


def _different_arrays(one: Path, other: Path) -> list[str]:
    with np.load(one) as first, np.load(other) as second:
        names = set(first.files) ^ set(second.files)
        differ = [name for name in first.files if not np.array_equal(first[name], second[name])]
    return [f"{one.name}: {differ or names} differ"] if differ or names else []


def _different_records(one: Path, other: Path) -> list[str]:
    first, second = (json.loads(path.read_text()) for path in (one, other))
    kept = ("task", "metrics", "counts", "dataset", "settings")
    differ = [name for name in kept if first[name] != second[name]]
    return [f"{one.name}: {', '.join(differ)} differ"] if differ else []


def _different_studies(one: Path, other: Path) -> list[str]:
    names = [sorted(path.name for path in folder.rglob("*.json")) for folder in (one, other)]
    if names[0] != names[1]:
        return [f"records differ: {names[0]} and {names[1]}"]
    pairs = ((one / path.relative_to(other), path) for path in other.rglob("*.json"))
    return [text for mine, theirs in pairs for text in _different_records(mine, theirs)]


def _different_reports(one: Path, other: Path) -> list[str]:
    contents = [
        {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.suffix in (".csv", ".md", ".tex")
        }
        for folder in (one, other)
    ]
    return [] if contents[0] == contents[1] else ["the report differs"]


def _damaged_store(folder: Path, base: Path, whole: Path) -> list[str]:
    """A store is the new one, or the old one where one was there; another is accepted wrongly."""
    made = folder / "made"
    if not made.exists():
        return []
    try:
        found = open_store(made).info.fingerprint
    except ValueError as error:
        return [f"the store is refused: {error}"]
    known = {open_store(whole).info.fingerprint, open_store(base / "old").info.fingerprint}
    return [] if found in known and found == file_fingerprint(made) else ["a half-written store"]


def _lost_store(folder: Path, base: Path, whole: Path) -> list[str]:
    """As `_damaged_store`; here an old store was there, and may not vanish with its copies."""
    kept = [place for place in folder.glob(".made.*") if (place / "store.json").is_file()]
    if not (folder / "made").exists() and not kept:
        return ["the old store is lost"]
    return _damaged_store(folder, base, whole)


def _damaged_run(task: str) -> Callable[[Path, Path, Path], list[str]]:
    def damaged(folder: Path, base: Path, whole: Path) -> list[str]:
        from aclnet.training.checkpoint import load_checkpoint
        from protocols.records import ResultRecord

        run, found = folder / f"run-{task}", []
        for name, read in (("checkpoint.pt", load_checkpoint), ("record.json", ResultRecord.read)):
            if (run / name).is_file():
                try:
                    read(run / name)
                except ValueError as error:
                    found.append(f"{name} is damaged: {error}")
        if (run / "record.json").is_file():
            return found + _different_records(run / "record.json", whole / "record.json")
        ended = launcher.run((task, "eval", "--run", f"run-{task}", "--cache", "cache"), folder)
        if run.exists() and ended.code != 2 and not _trained(run):
            found.append(f"eval of an unfinished run ends with {ended.code}: {ended.text[-200:]}")
        return found

    return damaged


def _trained(run: Path) -> bool:
    """Whether the training is finished, though the run is not judged."""
    from aclnet.training.checkpoint import load_checkpoint

    path = run / "checkpoint.pt"
    return path.is_file() and load_checkpoint(path)["state"]["epoch"] > _EPOCHS


def _damaged_file(name: str, same: Callable[[Path, Path], list[str]]) -> Any:
    def damaged(folder: Path, _: Path, whole: Path) -> list[str]:
        if not (folder / name).is_file():
            return []
        try:
            return same(folder / name, whole)
        except Exception as error:
            return [f"{name} is damaged: {error}"]

    return damaged


def nothing(*_: Path) -> list[str]:
    return []


def _same_command(
    arguments: str,
    result: str,
    ready: str,
    same: Callable[[Path, Path], list[str]],
    damaged: Callable[[Path, Path, Path], list[str]],
) -> Scenario:
    """A command that is given again as it was."""
    words = tuple(arguments.split())
    return Scenario(words, result, tuple(ready.split()), _fixed(*words), same, damaged)


SCENARIOS: dict[str, Scenario] = {
    "convert": Scenario(
        ("data", "convert", "gestures.npz", "made"),
        "made",
        ("gestures.npz",),
        _convert_again,
        different_stores,
        _damaged_store,
    ),
    "convert_overwrite": Scenario(
        ("data", "convert", "gestures.npz", "made", "--overwrite"),
        "made",
        ("gestures.npz", "old:made"),
        _fixed("data", "convert", "gestures.npz", "made", "--overwrite"),
        different_stores,
        _lost_store,
    ),
    **{
        f"train_{task}": Scenario(
            _train(task, "run"),
            f"run-{task}",
            (f"{task}.yaml", "store", "cache"),
            _resumed(task),
            different_runs,
            _damaged_run(task),
        )
        for task in ("gait", "reid", "action")
    },
    "train_overwrite": Scenario(
        _train("gait", "run", "--overwrite"),
        "run-gait",
        ("gait.yaml", "cache", "whole-gait:run-gait"),
        _fixed(*_train("gait", "run", "--overwrite")),
        different_runs,
        nothing,
    ),
    "embed": _same_command(
        "gait embed --run whole-gait --out emb.npz --cache cache",
        "emb.npz",
        "whole-gait cache",
        _different_arrays,
        _damaged_file("emb.npz", _different_arrays),
    ),
    "eval": _same_command(
        "gait eval --run whole-gait --json out.json --cache cache",
        "out.json",
        "whole-gait cache",
        _different_records,
        _damaged_file("out.json", _different_records),
    ),
    "report": _same_command(
        "report --results results --out report --no-figures",
        "report",
        "results",
        _different_reports,
        nothing,
    ),
    "study": _same_command(
        "gait study -c gait.yaml --seeds 0 --arms ce,acl --cache cache "
        "--runs runs --results records",
        "records",
        "gait.yaml cache",
        _different_studies,
        nothing,
    ),
}


def prepare(scenario: Scenario, base: Path, folder: Path) -> None:
    """Make a folder ready for a scenario."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for entry in scenario.ready:
        name, _, other = entry.partition(":")
        target = folder / (other or name)
        if (base / name).is_dir():
            shutil.copytree(base / name, target)
        else:
            shutil.copy(base / name, target)
    scenario.begin(folder)


def drafts(folder: Path) -> list[str]:
    """Hidden files and folders, which only a draft may be (locks are not drafts)."""
    found = (path for path in folder.rglob(".*") if not path.name.endswith(".lock"))
    return sorted(path.relative_to(folder).as_posix() for path in found)
