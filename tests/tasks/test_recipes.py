from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from aclnet.clips.settings import stream_channels
from aclnet.config import load_settings
from aclnet.skeleton import load_layout
from protocols.action.split import load_split
from protocols.gait.gallery_probe import load_protocol
from protocols.reid.pairs import load_pairs
from tasks.action.settings import ActionSettings
from tasks.gait.settings import GaitSettings
from tasks.pretrain.settings import PretrainSettings
from tasks.recipes import find_recipe, recipe_folder, recipe_names
from tasks.reid.settings import ReidSettings

# Which settings a folder's recipes fill.
SETTINGS = {
    "action": ActionSettings,
    "gait": GaitSettings,
    "pretrain": PretrainSettings,
    "reid": ReidSettings,
}
FOLDER = Path(__file__).resolve().parents[2] / "configs"
RECIPES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.y*ml"))


def test_every_yaml_is_a_recipe_that_is_found() -> None:
    assert recipe_folder() == FOLDER
    assert [f"{name}.yaml" for name in recipe_names()] == RECIPES
    assert {"gait/walkers", "gait/kgbd", "gait/ucalgary_gait", "gait/casia_b"} <= set(
        recipe_names()
    )


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_is_valid(name: str) -> None:
    task = Path(name).parts[0]
    assert task in SETTINGS, f"say in this test which settings the recipes of {task} fill"
    settings = load_settings(SETTINGS[task], FOLDER / name)
    if isinstance(settings, ActionSettings):
        split = load_split(settings.split)
        assert split.by_fold == (settings.fold is not None)
    elif isinstance(settings, ReidSettings):
        assert settings.chosen_pairs()[0] == load_pairs(settings.protocol)
    else:
        assert settings.gallery_probe() == load_protocol(settings.protocol)
    # A term that never acts, or a best epoch chosen by nobody, would be a recipe that lies.
    if settings.objective.inter_weight > 0:
        assert settings.objective.first_epoch(settings.train.epochs) < settings.train.epochs
    if settings.train.keep_best is not None and isinstance(settings, GaitSettings):
        assert settings.identities.validation > 0 or settings.identities.table is not None


@pytest.mark.parametrize("name", RECIPES)
def test_every_arm_of_a_shipped_recipe_is_valid(name: str) -> None:
    kind = SETTINGS[Path(name).parts[0]]
    for changes in load_settings(kind, FOLDER / name).arms().values():
        load_settings(kind, FOLDER / name, changes)


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_says_what_it_is(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_network_can_be_built(name: str) -> None:
    settings = load_settings(SETTINGS[Path(name).parts[0]], FOLDER / name)
    channels = stream_channels(settings.clip.streams, 3, joints=17)
    encoder = settings.network.encoder.build(load_layout("coco17"), channels, None)
    assert encoder.feature_dim > 0
    assert settings.objective.feature == "pooled" or encoder.graph_dim is not None


@pytest.mark.parametrize(
    "given",
    ["gait/walkers", "gait/walkers.yaml", "configs/gait/walkers.yaml", "configs/gait/walkers"],
)
def test_found_by_name_away_from_the_checkout(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe(given) == FOLDER / "gait" / "walkers.yaml"


def test_a_file_comes_before_a_shipped_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = Path("configs") / "gait" / "walkers.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("train: {epochs: 1}\n")
    assert find_recipe(mine).read_text() == "train: {epochs: 1}\n"
    assert find_recipe(tmp_path / mine) == tmp_path / mine


def test_a_recipe_may_build_on_a_shipped_one(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump({"base": str(find_recipe("gait/kgbd")), "train": {"epochs": 7}}))
    base = load_settings(GaitSettings, find_recipe("gait/kgbd"))
    settings = load_settings(GaitSettings, find_recipe(mine))
    assert settings.train == base.train.model_copy(update={"epochs": 7})
    assert settings.clip == base.clip


@pytest.mark.parametrize("given", ["gait/walker", "nothing.yaml", "", ".", "/gait/walkers"])
def test_an_unknown_name_lists_the_choices(given: str) -> None:
    with pytest.raises(ValueError, match="there is no recipe") as error:
        find_recipe(given)
    assert repr(given) in str(error.value)
    for name in recipe_names():
        assert name in str(error.value)
