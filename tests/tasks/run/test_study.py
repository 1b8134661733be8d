from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.config import load_settings
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import write_store
from aclnet.skeleton import load_layout
from protocols.records import DatasetReference, ResultRecord
from tasks.run.study import (
    StudyPlan,
    TrainedArm,
    chosen_arms,
    require_same,
    require_same_data,
    run_arms,
    summary_table,
)
from tasks.settings import ARM_WEIGHTS, ARMS, TaskSettings
from tasks.spec import find_task


def _record(**metrics: float) -> ResultRecord:
    return ResultRecord(
        task="gait",
        dataset=DatasetReference(name="made", fingerprint="f", synthetic=True),
        protocol="p",
        rule="",
        objective="ce",
        stream="j",
        seed=0,
        metrics=metrics,
        intervals={},
        counts={},
        settings={},
        environment={},
        seconds=1.0,
        command="",
    )


def finish(run: Path, settings: TaskSettings, fingerprint: str = "f") -> None:
    """Write the record of a run with these settings, on data of this fingerprint."""
    record = _record(rank1=0.5)
    dataset = record.dataset.model_copy(update={"fingerprint": fingerprint})
    update = {"settings": settings.model_dump(mode="json"), "dataset": dataset}
    record.model_copy(update=update).write(run / "record.json")


class Trainer:
    """Notes who trains, and leaves a record."""

    def __init__(self, data: dict[str, Any] | None = None, fingerprint: str = "f") -> None:
        self.data = {"source": "file"} if data is None else data
        self.fingerprint = fingerprint
        self.trained: list[str] = []
        self.overrides: list[list[str]] = []

    def make_settings(self, overrides: Sequence[str]) -> TaskSettings:
        self.overrides.append(list(overrides))
        seed = int(overrides[0].removeprefix("train.seed="))
        return TaskSettings.model_validate({"train": {"seed": seed}, "data": self.data})

    def run(
        self,
        folder: Path,
        arms: dict[str, tuple[str, ...]],
        seeds: Sequence[int] = (0,),
        folds: Sequence[str | None] = (None,),
        report: Callable[[str], None] = str,
    ) -> list[TrainedArm]:
        """A study of these arms, trained by this trainer, to its end."""
        spec = find_task("gait")
        plan = StudyPlan(spec, self.make_settings, seeds, folder, folder, folder, "", report)
        return list(run_arms(plan, arms, folds, self.train))

    def train(self, settings: TaskSettings, run: Path) -> None:
        self.trained.append(run.name)
        finish(run, settings, self.fingerprint)


def test_finished_runs_are_only_read(tmp_path: Path) -> None:
    told: list[str] = []
    for seeds, new in (([0], ["x-seed0", "y-seed0"]), ([0, 1], ["x-seed1", "y-seed1"])):
        trainer = Trainer()
        arms = {"x": ("a=1",), "y": ()}
        found = trainer.run(tmp_path, arms, seeds, report=told.append)
        assert trainer.trained == new
        assert [one[:2] for one in found] == [(arm, seed) for seed in seeds for arm in "xy"]
        assert [one.runs for one in found] == [
            (tmp_path / f"{arm}-seed{seed}",) for seed in seeds for arm in "xy"
        ]
        assert trainer.overrides[:2] == [["train.seed=0", "a=1"], ["train.seed=0"]]
    assert told == ["x, seed 0", "y, seed 0", "x, seed 1", "y, seed 1"]


@pytest.mark.parametrize(
    ("arm", "inter", "intra", "one_temperature"),
    [
        ("ce", 0.0, 0.0, False),
        ("ce+inter-fat", 0.3, 0.0, True),
        ("ce+inter", 0.3, 0.0, False),
        ("ce+intra", 0.0, 0.2, False),
        ("acl", 0.3, 0.2, False),
        ("pairwise", 0.3, 0.0, True),
        ("fr_head", 0.0, 0.0, False),
        ("skeleton_gcl", 0.0, 0.0, False),
        ("supcon", 0.0, 0.0, False),
        ("triplet", 0.0, 0.0, False),
    ],
)
def test_an_arm_trains_the_terms_of_its_name(
    arm: str, inter: float, intra: float, one_temperature: bool
) -> None:
    recipe = ["objective.inter_weight=0.3", "objective.intra_weight=0.2"]
    objective = load_settings(TaskSettings, None, [*recipe, *ARMS[arm]]).objective
    assert (objective.inter_weight, objective.intra_weight) == (inter, intra)
    assert (len(set(objective.temperatures)) == 1) == one_temperature
    others = {"pairwise": "ce+inter-fat-context", "fr_head": "ce+fr_head"}
    others |= {"skeleton_gcl": "ce+skeleton_gcl", "supcon": "ce+SupConLoss"}
    others["triplet"] = "ce+TripletMarginLoss"
    assert objective.name == others.get(arm, arm)  # what the record says
    assert objective.context == (arm != "pairwise")


@pytest.mark.parametrize("arm", ARM_WEIGHTS)
def test_a_weight_is_that_of_all_terms_of_its_arm(arm: str) -> None:
    (changes,) = chosen_arms(TaskSettings(), [f"{arm}=0.3"]).values()
    weighted, plain = (
        load_settings(TaskSettings, None, given).objective for given in (changes, ARMS[arm])
    )
    assert weighted.name == plain.name
    assert weighted.weights == dict.fromkeys(plain.weights, 0.3)


@pytest.mark.parametrize(
    ("arm", "refusal"),
    [
        ("ce=0.3", "ce has no term to weigh; ce.inter-fat, "),
        ("acl=0", "acl=0: the weight must be a number above 0"),
        ("acl=much", "acl=much: the weight must be a number above 0"),
        ("arc=0.3", "unknown arm 'arc'"),
    ],
)
def test_a_weight_that_fits_no_arm_is_refused(arm: str, refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal):
        chosen_arms(TaskSettings(), [arm])


def test_an_arm_comes_with_all_its_folds(tmp_path: Path) -> None:
    trainer, told = Trainer(), list[str]()
    (one,) = trainer.run(tmp_path, {"x": ()}, folds=["1", "2"], report=told.append)
    assert [run.name for run in one.runs] == ["x-seed0-fold1", "x-seed0-fold2"]
    assert [given[-1] for given in trainer.overrides] == ["fold='1'", "fold='2'"]
    assert told == ["x, seed 0, fold 1", "x, seed 0, fold 2"]


def test_a_finished_run_of_other_settings_stops_before_any_training(tmp_path: Path) -> None:
    trainer = Trainer()
    trainer.train(TaskSettings.model_validate({"clip": {"frames": 7}}), tmp_path / "y-seed0")
    with pytest.raises(ValueError, match=r"y-seed0 was trained with clip\.frames = 7"):
        trainer.run(tmp_path, {"x": (), "y": ()})
    assert trainer.trained == ["y-seed0"]


def test_a_finished_run_of_other_data_stops_before_any_training(tmp_path: Path) -> None:
    """Two arms trained on different data of the same name, which are missing now."""
    trainer = Trainer({"path": str(tmp_path / "gone.npz")})
    trainer.train(trainer.make_settings(["train.seed=0"]), tmp_path / "x-seed0")
    trainer.fingerprint = "g"
    trainer.train(trainer.make_settings(["train.seed=0"]), tmp_path / "y-seed0")
    with pytest.raises(
        ValueError, match=r"y-seed0 was trained on other data .* those of .*x-seed0"
    ):
        trainer.run(tmp_path, {"x": (), "y": (), "z": ()})
    assert "z-seed0" not in trainer.trained


def test_a_study_needs_something_to_train_in_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer()
    with pytest.raises(ValueError, match="at least one arm, one seed"):
        trainer.run(tmp_path, {})
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="without torchrun"):
        trainer.run(tmp_path, ARMS)
    assert trainer.trained == []


def test_arms_by_name() -> None:
    assert chosen_arms(TaskSettings(), ["acl", "ce"]) == {
        "acl": (),
        "ce": ("objective.inter_weight=0", "objective.intra_weight=0"),
    }
    with pytest.raises(ValueError, match="unknown arm 'arc'; known for this recipe are ce, "):
        chosen_arms(TaskSettings(), ["acl", "arc"])
    with pytest.raises(ValueError, match="at least one arm"):
        chosen_arms(TaskSettings(), [])


def test_summary_has_a_spread_over_seeds_and_knows_what_is_undefined() -> None:
    rates = (0.5, 0.6, 0.9)
    records = {("ce", seed): _record(rank1=rate) for seed, rate in enumerate(rates)}
    records["acl", 0] = _record(rank1=0.25, mAP=0.125)
    lines = summary_table(records, ["rank1", "mAP"]).splitlines()
    assert lines[0].split() == ["arm", "seeds", "rank1", "mAP"]
    spread = 100 * np.std(rates, ddof=1)
    assert lines[2].split() == ["ce", "3", "66.67", "±", f"{spread:.2f}", "nan"]
    assert lines[3].split() == ["acl", "1", "25.00", "12.50"]


def settings_of(path: Path) -> TaskSettings:
    return TaskSettings.model_validate({"data": {"path": str(path)}})


def made_store(path: Path, value: float) -> str:
    """A store of one sample; its fingerprint."""
    layout = load_layout("coco17")
    info = StoreInfo(name="a", layout=layout.to_dict(), channels=("x", "y"), unit="pixel")
    frames = np.full((3, 1, 17, 2), value, np.float32)
    return write_store(path, [Sample("one", frames)], info).info.fingerprint


def test_data_that_moved_have_the_same_settings(tmp_path: Path) -> None:
    finish(tmp_path, TaskSettings())
    moved = ["data.path=elsewhere", "data.source=file", "train.accelerator=cpu"]
    require_same(tmp_path, load_settings(TaskSettings, None, moved))
    other = load_settings(TaskSettings, None, ["train.epochs=9"])
    with pytest.raises(ValueError, match=r"train\.epochs = 60, but the study has 9"):
        require_same(tmp_path, other)


def test_data_of_one_name_are_distinguished_by_fingerprint(tmp_path: Path) -> None:
    messages: list[str] = []
    kept = made_store(tmp_path / "old" / "store", 1.0)
    assert made_store(tmp_path / "moved" / "store", 1.0) == kept
    assert made_store(tmp_path / "new" / "store", 2.0) != kept
    finish(tmp_path / "run", settings_of(tmp_path / "old" / "store"), kept)
    for place in ("old", "moved"):
        now = settings_of(tmp_path / place / "store")
        require_same_data({tmp_path / "run": now}, tmp_path, messages.append)
    now = settings_of(tmp_path / "new" / "store")
    with pytest.raises(
        ValueError, match=f"run was trained on other data .*{kept[:12]}.*--runs"
    ) as at:
        require_same_data({tmp_path / "run": now}, tmp_path, messages.append)
    assert len(str(at.value).splitlines()) == 1
    assert messages == []


def test_missing_data_are_compared_by_runs_and_name(tmp_path: Path) -> None:
    gone = settings_of(tmp_path / "gone.npz")
    runs = {tmp_path / name: gone for name in ("a", "b")}
    for run in runs:
        finish(run, gone)
    require_same_data(runs, tmp_path, list[str]().append)
    unnamed = TaskSettings.model_validate({"data": {"source": "file"}})
    require_same_data(dict.fromkeys(runs, unnamed), tmp_path, list[str]().append)
    finish(tmp_path / "b", gone, "g")
    with pytest.raises(ValueError, match=r"b was trained on other data .* than those of .*a "):
        require_same_data(runs, tmp_path, list[str]().append)
    other = settings_of(tmp_path / "other.npz")
    with pytest.raises(
        ValueError, match=r"gone\.npz, and the study's data .*other\.npz are missing"
    ):
        require_same_data({tmp_path / "a": other}, tmp_path, list[str]().append)
