"""The commands that the help lists, one a protocol, each with embeddings of its data set."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.records import ResultRecord
from protocols.splits import split_names
from tasks.gait.spec import Gait

CASIA_B = [*(f"nm-{take}" for take in range(1, 7)), "bg-1", "bg-2", "cl-1", "cl-2"]
CCPG = ["U0_D0_BG", "U0_D0", "U0_D3", "U1_D0", "U1_D1", "U2_D2", "U3_D3"]
TYPES = {
    "casia_b": CASIA_B,
    "casia_b_no_view": CASIA_B,
    "casia_b_pooled": CASIA_B,
    "casia_b_cross_view_gallery": CASIA_B,
    "oumvlp": ["00", "01"],
    "oumvlp_gaitgraph2": ["00", "01"],
    "grew": ["01", "02", "03"],
    "gait3d": ["camid0_videoid1", "camid2_videoid0"],
    "freegait": ["camid0_videoid1", "camid2_videoid0"],
    "casia_e": ["H-scene1-nm-1", "L-scene2-nm-1", "H-scene3-bg-2", "H-scene3_s-cl-1"],
    "ttg200": ["1", "2", "6"],
    "sustech1k": ["00-nm", "01-nm", "02-bg", "03-cl", "04-cr", "01-ub", "02-uf", "03-oc", "04-nt"],
    "ccpg": CCPG,
    "ccpg_views": CCPG,
    "ccpg_all_views": CCPG,
    "hid": ["0", "1"],
    "ucalgary_gait": ["N-1", "N-2", "AR-1", "AL-1"],
    "kgbd_walks": ["-1", "-2", "-3"],
    "own": ["-1", "-2"],
}


def listed() -> list[list[str]]:
    """The options of each command in the help, without the remark behind them."""
    lines = [line.strip() for line in Gait.eval_help.splitlines()]
    commands = [shlex.split(line, posix=False) for line in lines if line.startswith("--")]
    ends = [4 if words[2] in ("--rule", "--probes") else 2 for words in commands]
    return [words[:end] for words, end in zip(commands, ends, strict=True) if words[1] != "my.yaml"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a list of probes."""
    monkeypatch.chdir(tmp_path)
    probes = {"PROBE_SET": [f"{s:03}-camid0_videoid1-000" for s in range(6)]}
    for name in ("Gait3D.json", "FreeGait.json"):
        Path(name).write_text(json.dumps(probes))
    return tmp_path


def embeddings(protocol: str, path: Path, parts: int = 2) -> Path:
    """Six people, each recorded once in every type and two views."""
    generator = np.random.default_rng(0)
    split = [
        (t, "") if protocol in ("sustech1k", "casia_e") else (*t.split("-"), "")[:2]
        for t in TYPES[protocol]
    ]
    rows = [(s, *kind, v) for s in range(6) for kind in split for v in (0, 90)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    centres = 3 * generator.standard_normal((6, 4, parts))
    np.savez(
        path,
        embedding=centres[subject] + generator.standard_normal((len(rows), 4, parts)),
        subject=np.char.zfill(subject.astype(str), 3),
        condition=condition,
        take=take,
        view=np.char.zfill(view.astype(str), 3),
    )
    return path


def test_help_and_documentation_have_a_command_for_every_protocol() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "gait.md").read_text()
    assert {options[1] for options in listed()} == set(split_names("gait"))
    for name in split_names("gait"):
        assert re.search(rf"`(--protocol )?{name}[` ]", page), name


def test_a_newcomers_file_brings_its_rule(here: Path, call: Any) -> None:
    Path("my.yaml").write_text(
        "rule: opengait\nviews: single\nmeasures: [rank1, rank5]\n"
        "rules: [{type: '00', role: gallery}, {type: '01', role: probe, group: walk}]\n"
    )
    command = ("gait", "eval", "--embeddings", embeddings("oumvlp", here / "F.npz"), "--protocol")
    for options, rule in (((), "opengait"), (("--rule", "exact"), "exact")):
        call(*command, "my.yaml", *options, "--json", here / "out.json")
        record = ResultRecord.from_json((here / "out.json").read_text())
        assert (record.rule, record.settings["rule"]) == (rule, rule)
        assert {"rank1", "rank1/walk", "rank5"} <= record.metrics.keys()
        assert "mAP" not in record.metrics


def test_a_run_keeps_its_rule_unless_the_protocol_has_one(
    first: Path, here: Path, call: Any
) -> None:
    def rule(*options: object) -> str:
        call("gait", "eval", "--run", first, *options, "--json", here / "out.json")
        return ResultRecord.from_json((here / "out.json").read_text()).rule

    Path("own.yaml").write_text("table: casia_b.csv\nrule: opengait\n")
    assert (rule(), rule("--protocol", "own.yaml")) == ("exact", "opengait")
    assert rule("--protocol", "casia_b_pooled") == "exact"


@pytest.mark.parametrize("options", listed(), ids=" ".join)
def test_every_listed_command_gives_a_table(options: list[str], here: Path, call: Any) -> None:
    file = embeddings(options[1], here / "F.npz")
    done = call("gait", "eval", "--embeddings", file, *options, "--json", here / "out.json")
    record = ResultRecord.from_json((here / "out.json").read_text())
    assert record.protocol == options[1]
    assert record.settings["rule"] == record.rule
    assert f"{options[1]}, rule {record.rule}, " in done.out
    assert "of 2 parts" in done.out
    assert 0 < record.metrics["rank1"] <= 1
