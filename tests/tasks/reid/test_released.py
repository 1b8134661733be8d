"""Recipes on folders of windows that were cut already, as TranSG's authors distribute them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.config import load_settings
from aclnet.data.store import Store
from tasks.recipes import find_recipe
from tasks.reid.adapter import ReidAdapter
from tasks.reid.settings import ReidSettings
from tasks.samples.open import open_data


def write_windows(
    folder: Path, dataset: str, frames: int, joints: int, labels: Sequence[int]
) -> None:
    """Random windows of these people, in the files of a released folder."""
    folder.mkdir(parents=True)
    name = f"{dataset}_{frames}.npy"
    values = np.random.default_rng(0).normal(size=(3, len(labels) * frames, joints))
    for axis, rows in zip("xyz", values, strict=True):
        np.save(folder / f"source_{axis}_{name}", rows)
    people: Any = {who: [i for i, own in enumerate(labels) if own == who] for who in labels}
    np.save(folder / f"ids_{name}", people, allow_pickle=True)
    np.save(folder / f"frame_id_{name}", np.array(labels))


@pytest.fixture(scope="module")
def casia_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CASIA_B_match/40 with three people who train and two who are tested."""
    root = tmp_path_factory.mktemp("casia") / "CASIA_B_match" / "40"
    write_windows(root / "CASIA_B_train_npy_data", "CASIA_B", 40, 14, [1, 1, 2, 2, 3, 3])
    for name in ("nm", "bg", "cl"):
        folder = root / "CASIA_B_test_npy_data" / name
        write_windows(folder, "CASIA_B", 40, 14, [63, 63, 64, 64])
    return root


@pytest.fixture(scope="module")
def kgbd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """KGBD/6 with three people who train and are tested."""
    root = tmp_path_factory.mktemp("kgbd") / "KGBD" / "6"
    write_windows(root / "train_npy_data", "KGBD", 6, 20, [0, 0, 0, 1, 1, 2, 2])
    for name in ("probe", "gallery"):
        write_windows(root / "test_npy_data" / name, "KGBD", 6, 20, [0, 1, 2])
    return root


def opened(recipe: str, path: Path, *changes: str) -> tuple[ReidSettings, Store]:
    found = find_recipe(recipe)
    settings = load_settings(ReidSettings, found, [f"data.path={path}", *changes])
    return settings, open_data(settings.data, path.parent / "cache")


@pytest.mark.parametrize("recipe", ["reid/casia_b", "reid/casia_b_transg"])
def test_condition_matching_opens(recipe: str, casia_b: Path) -> None:
    settings, store = opened(recipe, casia_b, "identities.train=3")
    adapter = ReidAdapter(settings, store)
    counts = adapter.counts()
    people = ("train_subjects", "validation_subjects", "test_subjects")
    assert [counts[name] for name in people] == [3, 0, 2]
    assert (counts["train"], counts["test_sequences"]) == (6, 12)
    assert set(adapter.test_sequences.index["condition"]) == {"nm", "bg", "cl"}


def test_nobody_can_validate_on_windows_without_condition(casia_b: Path) -> None:
    changes = ("identities.train=3", "identities.validation=1")
    settings, store = opened("reid/casia_b", casia_b, *changes)
    with pytest.raises(ValueError, match="validation people is in set") as error:
        ReidAdapter(settings, store)
    assert "identities.validation=0" in str(error.value)


def test_cut_windows_keep_their_borders(kgbd: Path) -> None:
    settings, store = opened("reid/kgbd", kgbd)
    assert settings.sequences.border_frames == 10
    adapter = ReidAdapter(settings, store)
    training, labels = adapter.training_samples()
    assert training.lengths.tolist() == [6] * 7
    assert labels.tolist() == [0, 0, 0, 1, 1, 2, 2]
    counts = adapter.counts()
    assert (counts["dropped_border_frames"], counts["dropped_short"]) == (0, 0)
    assert counts["test_sequences"] == 6
    names = adapter.test_sequences.index["sample"].tolist()
    assert not any("@" in name for name in names)


def test_names_of_parts_of_cut_windows_count_from_their_own_first_frame(kgbd: Path) -> None:
    changes = ("clip.frames=3", "network={encoder: {name: clip_mlp, frames: 3}}")
    adapter = ReidAdapter(*opened("reid/kgbd", kgbd, *changes))
    names = adapter.test_sequences.index["sample"].tolist()
    assert names[:2] == ["KGBD-gallery-000000@0", "KGBD-gallery-000000@3"]


def test_no_window_of_a_recording_is_held_out_of_its_like(kgbd: Path) -> None:
    with pytest.raises(
        ValueError, match="KGBD_6: its windows do not name their recording"
    ) as error:
        ReidAdapter(*opened("reid/kgbd", kgbd, "identities.validation=1"))
    assert "identities.validation=0" in str(error.value)


def test_a_released_rule_leaves_cut_windows_as_they_are(kgbd: Path) -> None:
    released = "sequences={training: released, cutting: kgbd, border_frames: 0}"
    adapter = ReidAdapter(*opened("reid/kgbd", kgbd, released))
    assert adapter.training_samples()[0].lengths.tolist() == [6] * 7
    assert len(adapter.test_sequences) == 6
