"""What networks cost: which are measured, what is measured, and how it is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from aclnet.clips.input import ClipInput
from aclnet.runs.networks import build_network, weight_generator
from protocols.groups import RunEntry
from protocols.records import ResultRecord, read_record_files
from protocols.reporting.tables.studies import cost_table
from tasks.cost.clips import clip_kind
from tasks.cost.measure import Conditions, Cost, _parameters, _RandomClips, measure_cost
from tasks.cost.run import CostPlan, cost_record, plan_costs, record_name
from tasks.recipes import find_recipe, recipe_names
from tasks.settings import ARMS
from tasks.spec import find_task

RESULTS = Path(__file__).resolve().parents[3] / "results"
AT_ONCE = Conditions(batch_size=4, accelerator="cpu", seconds=0.0)


def one(recipe: str, *overrides: str, frames: int = 6) -> CostPlan:
    (plan,) = plan_costs([recipe], [frames], overrides)
    return plan


@pytest.fixture(scope="module")
def shipped() -> list[CostPlan]:
    """What is measured where no recipe is named."""
    return plan_costs()


def test_every_shipped_recipe_of_known_data_is_measured_or_another_stands_for_it(
    shipped: list[CostPlan],
) -> None:
    named = [name for plan in shipped for name in (plan.recipe, *plan.alike)]
    without_data = {name for name in recipe_names() if "/released" in name or "/own" in name}
    assert sorted(named) == sorted(set(recipe_names()) - without_data)
    (ntu,) = (plan for plan in shipped if plan.recipe == "action/ntu60_xsub")
    assert set(ntu.alike) == {"action/ntu60_xview", "action/ntu120_xsub", "action/ntu120_xset"}
    assert all(plan.known for plan in shipped)


def test_recipes_of_no_known_task_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("unheard_of", "gait"):
        (tmp_path / folder).mkdir()
        text = Path(find_recipe("gait/kgbd")).read_text()
        (tmp_path / folder / "one.yaml").write_text(text)
    monkeypatch.setattr("tasks.recipes.recipe_folder", lambda: tmp_path)
    said: list[str] = []
    plans = plan_costs(report=said.append)
    assert [plan.settings.network.encoder.name for plan in plans] == ["temporal_conv"]
    assert len(said) == 1
    assert "unheard_of/one" in said[0]


def test_ones_own_recipe_needs_its_task(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"base: {find_recipe('reid/kgbd')}\n")
    with pytest.raises(ValueError, match="--task"):
        plan_costs([str(mine)])
    (plan,) = plan_costs([str(mine)], task="reid")
    assert plan.recipe == "mine"
    assert plan.kind == plan_costs(["reid/kgbd"])[0].kind


def test_the_length_of_clips_reaches_networks_made_for_one_length() -> None:
    plans = plan_costs(["reid/kgbd", "gait/kgbd"], [8, 16])
    assert [plan.settings.clip.frames for plan in plans] == [8, 16, 8, 16]
    assert [getattr(plan.settings.network.encoder, "frames", None) for plan in plans] == [
        8,
        16,
        None,
        None,
    ]
    assert len({record_name(plan, with_frames=True) for plan in plans}) == 4
    assert record_name(plans[0]) == "reid-kgbd-clip_mlp.json"


def test_unknown_data_are_a_guess_that_is_told() -> None:
    (plan,) = plan_costs(["action/released"])
    assert not plan.known
    assert plan.kind.layout == "coco17"


@pytest.mark.skipif(not RESULTS.is_dir(), reason="no committed results beside the tests")
def test_classes_are_those_of_the_committed_results() -> None:
    records, _ = read_record_files(RESULTS)
    compared = set()
    for plan in plan_costs(recipe_names()):
        same = [
            record
            for record in records.values()
            if f"{record.task}/{record.dataset.name}" == plan.recipe
            and record.task != "cost"
            and record.protocol != "own"  # whose people are divided in another way
        ]
        for record in same:
            trained = record.counts.get("classes", record.counts.get("train_subjects"))
            if trained and record.settings.get("identities") == plan.settings.model_dump(
                mode="json"
            ).get("identities"):
                assert plan.kind.classes == trained, plan.recipe
                compared.add(plan.recipe)
    assert {"gait/kgbd", "gait/ucalgary_gait", "gait/walkers", "action/jhmdb"} <= compared


def test_operations_and_parameters_are_those_of_the_layers() -> None:
    plan = one("reid/kgbd", "network.encoder.width=16")
    cost = measure_cost(plan.task, plan.settings, plan.kind, AT_ONCE)
    clips = _RandomClips(plan.settings, plan.kind, 2)
    network = build_network(
        plan.settings.network, plan.kind.classes, clips.input, weight_generator(0)
    )
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    # Linear layers act once on a whole clip, so a weight is a multiplication and an addition.
    assert cost.metrics["flops"] == 2 * sum(layer.weight.numel() for layer in linear)
    assert cost.metrics["parameters"] == sum(weight.numel() for weight in network.parameters())
    assert cost.counts == {
        "batch_size": 4,
        "persons": 1,
        "frames": 6,
        "joints": 20,
        "channels": 10,
        "classes": 164,
    }


def test_the_parameters_of_table_8() -> None:
    """Its column is of trained networks, in units of 2^20; the release has 3.71 for intra alone."""
    sizes = {}
    for arm in ("ce", "ce+inter-fat", "ce+inter", "ce+intra", "acl"):
        plan = one("action/ntu60_xsub", *ARMS[arm], frames=1)
        clips = _RandomClips(plan.settings, plan.kind, 2).input
        network = build_network(
            plan.settings.network, plan.kind.classes, clips, weight_generator(0)
        )
        task = find_task("action").adapter.trainable(
            plan.settings, network, clips, weight_generator(0), list
        )
        sizes[arm] = round(_parameters(task) / 2**20, 2)
    assert sizes == {
        "ce": 3.56,
        "ce+inter-fat": 3.71,
        "ce+inter": 3.71,
        "ce+intra": 3.71,
        "acl": 3.86,
    }


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        # motion from the recording's next frames, pictures mirrored, a graph feature
        ("action/finegym", ("network.encoder.width=8",)),
        # TranSG's own objective
        ("reid/kgbd_transg", ("network.encoder.width=16",)),
        # several bodies of a person
        ("gait/ucalgary_gait", ("network.encoder.width=8",)),
        # two windows of a recording, without labels
        ("reid/kgbd_selfsup", ("network.encoder.width=8",)),
        ("reid/kgbd_selfsup", ("network.encoder.width=8", "self_supervised.method=actclr")),
    ],
)
def test_every_kind_of_training_is_measured(recipe: str, overrides: tuple[str, ...]) -> None:
    threads = torch.get_num_threads()
    plan = one(recipe, *overrides, frames=12)
    cost = measure_cost(plan.task, plan.settings, plan.kind, AT_ONCE)
    assert {"parameters", "flops", "clips_per_second", "train_clips_per_second"} <= set(
        cost.metrics
    )
    assert all(value > 0 for name, value in cost.metrics.items() if name != "peak_memory_bytes")
    assert cost.clock == "processor"
    assert torch.get_num_threads() == threads
    bodies = ClipInput(
        plan.settings.clip, _RandomClips(plan.settings, plan.kind, 2).input.layout, ("x", "y", "z")
    ).bodies.count
    assert cost.counts["classes"] == plan.kind.classes * bodies


def a_cost(device: str, clips_per_second: float) -> Cost:
    metrics = {
        "parameters": 3.7e6,
        "flops": 1.106e10,
        "clips_per_second": clips_per_second,
        "train_clips_per_second": 1.0,
        "peak_memory_bytes": 2.0**30,
    }
    counts = {"persons": 2, "frames": 100, "joints": 25, "channels": 3}
    memory: Any = "device" if device == "H100" else "process"
    return Cost(metrics, counts, device, "wall", memory, {"devices": ["other"]})


def test_a_training_step_is_measured_with_the_settings_of_its_speed() -> None:
    overrides = (
        "network.encoder={name: resgcn, graph: bones}",
        "train.activation_checkpointing=true",
    )
    plan = one("gait/kgbd", *overrides)
    with pytest.raises(ValueError, match="ResGcn is not made of blocks"):
        measure_cost(plan.task, plan.settings, plan.kind, AT_ONCE)


def test_the_report_names_backbone_recipe_and_device() -> None:
    (plan,) = plan_costs(["action/ntu60_xsub"])
    records = [
        cost_record(plan, a_cost(device, speed), AT_ONCE, "aclnet-task cost", 1.0, busy)
        for device, speed, busy in (("CPU", 3.0, "The machine was busy."), ("H100", 900.0, ""))
    ]
    runs = [
        RunEntry(f"cost/{n}.json", ResultRecord.from_json(record.to_json()))
        for n, record in enumerate(records)
    ]
    table = cost_table(runs)
    assert [(row.group, row.label) for row in table.rows] == [
        ("CPU, 1 thread", "affinity_gcn, action/ntu60_xsub"),
        ("H100", "affinity_gcn, action/ntu60_xsub"),
    ]
    shown = [
        {c.name: cell.text for c, cell in zip(table.columns, row.cells, strict=True)}
        for row in table.rows
    ]
    assert shown[0] == {
        "parameters": "3.70",
        "operations a clip": "11.060",
        "inference": "3.0",
        "training": "1.0",
        "peak memory": "1024",
        "clip, M × T × V × C": "2 × 100 × 25 × 3",  # noqa: RUF001 - the sign itself
    }
    assert shown[1]["inference"] == "900.0"
    assert "The machine was busy." in table.notes


def test_notes_say_what_the_data_were_and_what_else_has_the_network(
    shipped: list[CostPlan],
) -> None:
    (plan,) = plan_costs(["action/released"])
    record = cost_record(plan, a_cost("CPU", 1.0), AT_ONCE, "", 1.0)
    assert any("are unknown" in note for note in record.notes)
    assert record.dataset.synthetic
    (also,) = (plan for plan in shipped if plan.recipe == "action/pku_xsub")
    record = cost_record(also, a_cost("CPU", 1.0), AT_ONCE, "", 1.0)
    assert any("action/pku_xview" in note for note in record.notes)


@pytest.mark.slow
def test_the_command_measures_each_network_in_its_own_process(call: Any, tmp_path: Path) -> None:
    done = call(
        *("cost", "-c", "reid/kgbd", "-c", "gait/kgbd", "-s", "network.encoder.width=64"),
        *("--seconds", 0, "--accelerator", "cpu", "--json-dir", tmp_path),
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        "reid-kgbd-clip_mlp.json",
        "gait-kgbd-temporal_conv.json",
    }
    peaks = []
    for path in tmp_path.iterdir():
        record = json.loads(path.read_text())
        assert record["task"] == "cost"
        assert record["command"].startswith("aclnet-task cost")
        peaks.append(record["metrics"]["peak_memory_bytes"])
    assert min(peaks) > 0  # in one process the second would be 0
    lines = done.out.splitlines()
    assert lines[0].split()[:2] == ["recipe", "backbone"]
    assert lines[2].startswith("reid/kgbd  clip_mlp")
    assert "measuring gait/kgbd" in done.err


def test_a_mistake_is_one_sentence(call: Any) -> None:
    done = call("cost", "-c", "gait/walker", code=2)
    assert "there is no recipe 'gait/walker'" in done.err


def test_layouts_that_settings_name_come_first() -> None:
    (plan,) = plan_costs(["gait/casia_b"], (), ["data.map_to=coco20"])
    assert clip_kind(plan.settings)[0].layout == "coco20"
    assert plan.kind.classes == 74
