from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from aclnet.training.checkpoint import check_pickled, load_checkpoint, save_checkpoint
from aclnet.training.state import RunState


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_round_trip(tmp_path: Path) -> None:
    state = {"weights": torch.randn(3, 4), "epoch": 3, "sums": {"loss": 0.1}, "settings": "a: 1\n"}
    save_checkpoint(tmp_path / "c.pt", state)
    got = load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(got.pop("weights"), state["weights"])  # type: ignore[arg-type]
    assert got == {"epoch": 3, "sums": {"loss": 0.1}, "settings": "a: 1\n"}


def test_failed_save_keeps_the_old_checkpoint(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", {"epoch": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(tmp_path / "c.pt", {"epoch": 2, "bad": lambda: None})
    assert load_checkpoint(tmp_path / "c.pt") == {"epoch": 1}
    assert names(tmp_path) == ["c.pt"]


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.pt: there is no checkpoint"):
        load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("keep", [0, 10, 500, -1])
def test_truncated_checkpoint(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"weights": torch.randn(100)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"c\.pt: not a checkpoint of aclnet, or a damaged one"):
        load_checkpoint(path)


def test_one_flipped_bit_in_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    weights = torch.randn(100)
    save_checkpoint(path, {"weights": weights})
    content = bytearray(path.read_bytes())
    position = content.find(weights.numpy().tobytes())
    assert position > 0
    content[position + 8] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        load_checkpoint(path)


class Foreign:
    """Any class of somebody else's."""


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match="not a checkpoint of aclnet's training"):
        load_checkpoint(path)
    torch.save({"model": Foreign()}, path)
    with pytest.raises(ValueError, match="not a checkpoint of aclnet, or a damaged one"):
        load_checkpoint(path)
    path.write_text("hello")
    with pytest.raises(ValueError, match="not a checkpoint of aclnet, or a damaged one"):
        load_checkpoint(path)
    torch.save({"aclnet_checkpoint": 99}, path)
    with pytest.raises(ValueError, match=r"is of version 99, but .* up to 1"):
        load_checkpoint(path)


def test_what_would_take_for_ever_is_not_loaded(tmp_path: Path) -> None:
    # {a tuple of one tuple twice, which holds another twice, and so on: None}
    endless = b"\x80\x02}K\x01" + b"2\x86" * 60 + b"Ns."
    old, new = tmp_path / "old.pt", tmp_path / "new.pt"
    old.write_bytes(endless)
    with zipfile.ZipFile(new, "w") as file:
        file.writestr("x/data.pkl", endless)
    for path in (old, new):
        with pytest.raises(
            ValueError, match=rf"{path.name}: its pickle refers to its parts too often"
        ):
            check_pickled(path)
    with pytest.raises(ValueError, match=r"new.pt: its pickle refers to its parts too often"):
        load_checkpoint(new)
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/data.pkl", bytes(10_000_000))
    with pytest.raises(ValueError, match=r"new.pt: is compressed"):
        load_checkpoint(new)


def test_files_of_older_versions_are_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save({"a": torch.ones(3), "b": [(1, 2)] * 9}, path, _use_new_zipfile_serialization=False)
    check_pickled(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"task": 3}, "task is a int"),
        ({"task": {"a": 3}}, "task holds something other than tensors"),
        ({"state": []}, "state is a list"),
        ({"settings": {}}, "settings is a dict"),
        ({"aclnet_checkpoint": [1]}, "its version is not that of a checkpoint"),
        ({"state": {"epoch": [1]}}, "state epoch: Input should be a valid integer"),
    ],
)
def test_entries_of_another_kind(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    save_checkpoint(path, content)
    with pytest.raises(ValueError, match=rf"a.pt: {message}"):
        RunState.saved(load_checkpoint(path)["state"], path)
