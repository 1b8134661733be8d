from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aclnet.config import dump_settings, load_settings
from aclnet.training.checkpoint import save_checkpoint
from tasks.reid.settings import ReidSettings
from tasks.run.folder import RunInfo
from tasks.run.resume import reached_epoch

TRANSG = (
    "network={encoder: {name: transg, width: 8, heads: 2, layers: 1, positions: 5}, neck: none}",
    "transg={}",
)
INFO = RunInfo(
    task="reid",
    classes=("a", "b"),
    layout={},
    channels=("x", "y"),
    unit="pixel",
    dataset="mine",
    fingerprint="",
    synthetic=False,
)


@pytest.fixture
def go_on(reid_recipe: Path, tmp_path: Path) -> Any:
    """The epoch at which a run that was started with some changes goes on with others."""

    def go_on(before: tuple[str, ...], change: str) -> int | None:
        begun = load_settings(ReidSettings, reid_recipe, before)
        now = load_settings(ReidSettings, reid_recipe, [*before, change])
        state = {"recipe": dump_settings(begun), "state": {"epoch": 2}}
        save_checkpoint(tmp_path / "checkpoint.pt", state)
        return reached_epoch(tmp_path, now, INFO)

    return go_on


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (TRANSG, "prototype_every=2"),
        (TRANSG, "sequences.stride=2"),
        (("sequences.training=fixed",), "sequences.stride=2"),
        (("sequences={training: released, cutting: ias}",), "sequences.cutting=kgbd"),
        ((), "select=best"),
        (("select=best",), "rule=transg"),
        (("select=best",), "pairs=[C-N]"),
        (("select=best",), "protocol=kgbd"),
        (("select=best",), "sequences.stride=2"),
        (("select=best",), "embed.mirror=true"),
    ],
)
def test_what_shapes_the_weights_stays(go_on: Any, before: tuple[str, ...], change: str) -> None:
    name = change.partition("=")[0]
    with pytest.raises(ValueError, match=f"was started with {name} = "):
        go_on(before, change)


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ((), "rule=transg"),
        ((), "pairs=[C-N]"),
        ((), "protocol=kgbd"),
        ((), "sequences.stride=2"),
        ((), "embed.mirror=true"),
        (("select=best",), "select=last"),
        (("select=best",), "beside=[]"),
        (("select=best",), "embed.batch_size=8"),
        (TRANSG, "embed.mirror=true"),
    ],
)
def test_how_the_last_epoch_is_judged_may_change(
    go_on: Any, before: tuple[str, ...], change: str
) -> None:
    assert go_on(before, change) == 2
