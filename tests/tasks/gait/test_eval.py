from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from protocols.records import ResultRecord


def test_eval_needs_no_network(
    copy: Path, call: Any, tmp_path: Path, record: Any, record_keys: frozenset[str]
) -> None:
    (copy / "checkpoint.pt").unlink()
    files = {item.name: item.read_bytes() for item in copy.iterdir()}
    out = tmp_path / "again.json"
    done = call("gait", "eval", "--run", copy, "--json", out)
    before, again = record(copy), json.loads(out.read_text())
    for key in record_keys - {"command", "environment"}:
        assert again[key] == before[key], key
    assert again["cells"] == before["cells"]
    assert ["acl", "nm"] in [line.split()[:2] for line in done.out.splitlines()]
    assert f"{100 * before['metrics']['rank1']:.2f}" in done.out
    assert {item.name: item.read_bytes() for item in copy.iterdir()} == files


def test_every_rule(first: Path, call: Any, tmp_path: Path) -> None:
    found: dict[str, ResultRecord] = {}
    for rule in ("exact", "gaitgraph", "gaitgraph2", "opengait"):
        done = call("gait", "eval", "--run", first, "--rule", rule, "--json", tmp_path / rule)
        assert f"casia_b, rule {rule}, " in done.out
        found[rule] = ResultRecord.from_json((tmp_path / rule).read_text())
        assert found[rule].rule == rule
        assert found[rule].settings["rule"] == rule
    # Unit vectors have the same order under both distances: what is left is rounding.
    exact = found["exact"].metrics["rank1"]
    assert found["gaitgraph"].metrics["rank1"] == exact
    assert found["gaitgraph2"].metrics["rank1"] == exact
    assert found["opengait"].metrics["rank1"] == pytest.approx(exact, abs=1e-4)
    cells = found["exact"].cells
    assert cells is not None
    rates = np.array(cells["rank1_hits"]) / np.array(cells["trials"])
    zeroed = np.where(np.eye(3, dtype=bool), 0, rates)
    assert found["gaitgraph"].metrics["accuracy_avg"] == pytest.approx(zeroed.mean())
    assert found["gaitgraph2"].metrics["accuracy_avg"] == pytest.approx(rates.mean())
    assert "accuracy_avg" not in found["exact"].metrics


def test_other_protocols_and_gallery_takes(first: Path, call: Any, tmp_path: Path) -> None:
    def gallery(*options: object) -> ResultRecord:
        call("gait", "eval", "--run", first, "--json", tmp_path / "r.json", *options)
        return ResultRecord.from_json((tmp_path / "r.json").read_text())

    assert gallery("--gallery-takes", "1").counts["gallery"] == 9  # a bare number is a take too
    assert gallery("--gallery-takes", "first 2").counts["gallery"] == 18
    drawn = [gallery("--gallery-takes", "random 1", "--seed", seed).cells for seed in (0, 0, 1, 2)]
    assert drawn[0] == drawn[1]
    assert any(cells != drawn[0] for cells in drawn[2:])
    assert gallery("--protocol", "casia_b_pooled").protocol == "casia_b_pooled"
    mine = tmp_path / "mine.csv"
    mine.write_text("condition,take,role\nnm,1,gallery\ncl,*,probe\n")
    own = gallery("--protocol", mine, "--metric", "euclidean")
    assert own.protocol == "mine"
    assert (own.counts["gallery"], own.counts["probes"]) == (9, 18)
    assert "rank1/cl" in own.metrics
    assert "rank1/nm" not in own.metrics


@pytest.mark.parametrize(
    ("rule", "form", "means"),
    [
        ("gaitgraph", "csv", (80.0818, 74.8, 66.3818)),
        ("exact", "npz", (83.6636, 77.5727, 70.6182)),
    ],
)
def test_anybodys_embeddings(
    rule: str, form: str, means: tuple[float, ...], shared: Path, call: Any, tmp_path: Path
) -> None:
    path = shared / "golden" / "gait" / "casia_b_full.npz"
    if form == "csv":
        with np.load(path) as golden:
            table = pd.DataFrame({"subject": golden["subject"], "condition": golden["condition"]})
            table["take"], table["view"] = golden["seq"], golden["view"]
            for i, column in enumerate(golden["emb"].T.astype(np.float32)):
                table[f"e{i}"] = column
        path = tmp_path / "mine.csv"
        table.to_csv(path, index=False)
    out = tmp_path / "out.json"
    done = call("gait", "eval", "--embeddings", path, "--rule", rule, "--json", out)
    found = ResultRecord.from_json(out.read_text())
    for condition, mean in zip(("nm", "bg", "cl"), means, strict=True):
        assert 100 * found.metrics[f"rank1/{condition}"] == pytest.approx(mean, abs=1e-4)
    assert 100 * found.metrics["rank1"] == pytest.approx(np.mean(means), abs=1e-4)
    assert f"{np.mean(means):.2f}" in done.out
    assert (found.objective, found.stream, found.seed) == ("embeddings", "", None)
    assert (found.dataset.name, found.dataset.synthetic) == (path.stem, False)
    assert found.counts["probe_subjects"] == 50


def test_embeddings_with_an_empty_last_column(
    case: Callable[[str], Path], call: Any, tmp_path: Path
) -> None:
    """The same as `em_plain.csv`, every line with a comma more."""
    out = tmp_path / "r.json"
    call("gait", "eval", "--embeddings", case("em_trail.csv"), "--protocol", "casia_b",
         "--json", out)  # fmt: skip
    metrics = ResultRecord.from_json(out.read_text()).metrics
    found = [100 * metrics[f"rank1/{condition}"] for condition in ("nm", "bg", "cl")]
    assert found == [93.75, 81.25, 87.5]


def test_the_record_says_how_it_was_judged(
    first: Path, call: Any, tmp_path: Path, record: Any
) -> None:
    out = tmp_path / "out.json"

    def settings(*options: object) -> dict[str, Any]:
        call("gait", "eval", "--json", out, *options)
        return ResultRecord.from_json(out.read_text()).settings

    assert record(first)["settings"]["evaluation"] == {"metric": "cosine", "gallery_seed": 0}
    floor = record(first, "record-bone-length.json")["settings"]["evaluation"]
    assert floor["metric"] == "euclidean"
    chosen = ("--gallery-takes", "random 1", "--metric", "euclidean", "--seed", 7)
    judged = settings("--run", first, *chosen)
    assert judged["evaluation"] == {"metric": "euclidean", "gallery_seed": 7}
    file = first / "embeddings.npz"
    own = {"protocol": "casia_b", "rule": "exact", "gallery_takes": None}
    assert settings("--embeddings", file) == {
        **own,
        "evaluation": {"metric": "cosine", "gallery_seed": 0},
    }
    assert settings("--embeddings", file, *chosen) == {
        **own,
        "gallery_takes": "random 1",
        "evaluation": {"metric": "euclidean", "gallery_seed": 7},
    }


def test_a_runs_embeddings_keep_the_name_of_its_data(
    copy: Path, call: Any, tmp_path: Path, record: Any
) -> None:
    def evaluated(path: Path) -> ResultRecord:
        call("gait", "eval", "--embeddings", path, "--json", tmp_path / "out.json")
        return ResultRecord.from_json((tmp_path / "out.json").read_text())

    file = copy / "embeddings.npz"
    own = evaluated(file)
    assert own.dataset.model_dump() == record(copy)["dataset"]
    assert own.dataset.synthetic
    assert not any("Foreign" in note for note in own.notes)
    other = evaluated(file.rename(copy / "other.npz"))
    assert (other.dataset.name, other.dataset.synthetic) == ("other", False)
    assert "Foreign embeddings: it is not known whether the data are synthetic." in other.notes


def test_foreign_embeddings_have_no_name_of_an_arm(
    copy: Path, mistake: Any, tmp_path: Path
) -> None:
    saved = copy / "embeddings.npz"
    for option in ("--name", "--dataset"):
        told = mistake("gait", "eval", "--embeddings", saved, option, "mine")
        assert f"for files of another program: a run saved {saved}" in told
    file = saved.rename(tmp_path / "other.npz")
    for name in ("ce", "ACL", "cross-entropy"):
        told = mistake("gait", "eval", "--embeddings", file, "--name", name)
        assert f"--name {name}: it is an objective of this program" in told
