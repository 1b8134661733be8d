"""Which runs are seeds of one setting."""

from __future__ import annotations

from typing import Any

from protocols.groups import RunEntry, group_runs
from protocols.records import ResultRecord
from protocols.reporting.tables.own import own_tables


def run(file: str, fingerprint: str = "ab", **changes: Any) -> RunEntry:
    fields: dict[str, Any] = {
        "task": "gait",
        "dataset": {"name": "walks", "fingerprint": fingerprint, "synthetic": False},
        "protocol": "casia_b",
        "rule": "exact",
        "objective": "acl",
        "stream": "j",
        "seed": 0,
        "metrics": {"rank1": 0.5},
        "intervals": {},
        "counts": {},
        "settings": {"train": {"seed": changes.get("seed", 0), "epochs": 3}},
        "environment": {},
        "seconds": 1.0,
        "command": "aclnet-task gait train",
    }
    return RunEntry(file, ResultRecord.model_validate(fields | changes))


def test_other_data_of_one_name_are_not_averaged() -> None:
    groups = group_runs([run("a.json"), run("b.json", "cd", seed=1)])
    assert [group.variant for group in groups] == ["data ab", "data cd"]


def test_data_that_are_read_otherwise_are_told_apart_by_how() -> None:
    read = [{"data": {"fill_gaps": seconds}} for seconds in (0.3, 0.5)]
    runs = [run(f"{place}.json", f"{place}", settings=own) for place, own in enumerate(read)]
    assert [group.variant for group in group_runs(runs)] == ["fill_gaps=0.3", "fill_gaps=0.5"]


def test_a_setting_that_some_records_lack_is_named_where_nothing_else_tells_them_apart() -> None:
    settings: list[dict[str, Any]] = [
        {"clip": {"missing": "zero"}, "data": {"fill_gaps": None}},
        {"clip": {"missing": "zero"}, "data": {"fill_gaps": 0.3}},
        {"clip": {"missing": "estimated"}},
    ]
    runs = [run(f"{place}.json", settings=own) for place, own in enumerate(settings)]
    assert [group.variant for group in group_runs(runs)] == [
        'missing="zero", fill_gaps=unset',
        'missing="zero", fill_gaps=0.3',
        'missing="estimated", fill_gaps=unset',
    ]
    assert [group.variant for group in group_runs(runs[1:])] == [
        'missing="zero"',
        'missing="estimated"',
    ]


def test_a_copy_of_a_run_is_no_further_seed() -> None:
    seeds = [run(f"{seed}.json", seed=seed) for seed in range(3)]
    (group,) = group_runs([*seeds, run("copy.json", seed=1)])
    assert group.files == ("0.json", "1.json", "2.json")
    assert group.repeated == ("copy.json",)


def test_a_gallery_drawn_with_the_seed_of_the_run_is_no_setting() -> None:
    settings = [{"evaluation": {"gallery_seed": drawn}} for drawn in (0, 1, 7)]
    runs = [run(f"{n}.json", seed=min(n, 1), settings=own) for n, own in enumerate(settings)]
    assert [group.files for group in group_runs(runs)] == [("0.json", "1.json"), ("2.json",)]


def test_bone_lengths_do_not_depend_on_the_training() -> None:
    settings = [{"objective": {"inter_weight": w}, "clip": {"frames": 60}} for w in (0.0, 0.1)]
    runs = [
        run(f"{seed}.json", seed=seed, objective="bone-length", settings=own_settings)
        for seed, own_settings in enumerate(settings)
    ]
    assert len(group_runs(runs)) == 1


def test_of_other_encoders_only_the_name_is_shown() -> None:
    sizes = ({"name": "clip_mlp", "width": 8}, {"name": "st_gcn", "width": 4})
    runs = [
        run(f"{encoder['name']}.json", settings={"network": {"encoder": encoder}, "embed": place})
        for place, encoder in enumerate(sizes)
    ]
    variants = [group.variant for group in group_runs(runs)]
    assert variants == [f"encoder {one['name']}" for one in sizes]


def test_runs_that_began_with_another_training_are_apart_and_their_weights_are_no_setting() -> None:
    runs = [
        run(
            f"{seed}.json",
            seed=seed,
            variant="finetune",
            settings={
                "initial": {"objective": "aimclr", "fingerprint": str(seed), "recipe": "a"},
                "init_from": f"runs/pre{seed}",
            },
        )
        for seed in range(2)
    ]
    scratch, after = group_runs([run("scratch.json"), *runs])
    assert after.files == ("0.json", "1.json")
    assert (scratch.variant, after.variant) == ("", "")
    assert (scratch.record.is_plain_run, after.record.is_plain_run) == (True, False)
    other = {"initial": {"objective": "aimclr", "recipe": "b"}, "init_from": "runs/longer"}
    longer = run("longer.json", variant="finetune", settings=other)
    assert [len(group.runs) for group in group_runs([*runs, longer])] == [2, 1]
    (table,) = (one for one in own_tables([*scratch.runs, *runs]) if one.title.startswith("walks"))
    assert [row.label for row in table.rows] == ["ACL, j", "ACL, j, after AimCLR"]
