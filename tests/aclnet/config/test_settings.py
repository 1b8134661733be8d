from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from aclnet.config import NamedSettings, Settings, dump_settings, load_settings


class Narrow(Settings):
    width: int = Field(default=16, gt=0)
    depth: int = 3


class Train(Settings):
    epochs: int = Field(default=10, gt=0)
    learning_rate: float = 0.1
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    warmup_epochs: float | None = None

    @model_validator(mode="after")
    def _order(self) -> Train:
        if self.warmup_epochs is not None and self.warmup_epochs > self.epochs:
            raise ValueError("warmup_epochs must not exceed epochs")
        return self


class Shape(NamedSettings):
    pass


class Round(Shape):
    name: Literal["round"] = "round"
    radius: int = Field(default=1, gt=0)
    train: Train = Train(epochs=5)


class Square(Shape):
    name: Literal["square"] = "square"
    side: int = 2


class Recipe(Settings):
    title: str = "toy"
    model: Narrow = Narrow(width=32)
    train: Train = Train(epochs=20)
    streams: list[str] = Field(default=["joint", "bone"])
    stages: list[Train] = Field(default=[])
    scale: int | str = 1
    sizes: dict[str, int] = Field(default={})


class Drawing(Settings):
    shape: Shape = Round(radius=3)
    more: tuple[Shape, ...] = ()


class Needy(Settings):
    data: str
    seed: int = 0


Shape.register("round", Round)
Shape.register("square", f"{__name__}:Square")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refusal(model: Any, path: Path | None, *overrides: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (each caller checks the sentence)
        load_settings(model, path, overrides)
    assert not isinstance(caught.value, ValidationError)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_defaults_alone() -> None:
    assert load_settings(Recipe) == Recipe()


def test_settings_are_frozen_and_refuse_unknown_and_nan() -> None:
    with pytest.raises(ValidationError):
        Recipe().title = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Train(rate=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Train(learning_rate=float("nan"))


def test_order_is_defaults_base_file_overrides(tmp_path: Path) -> None:
    parents = tmp_path / "parents"
    parents.mkdir()
    write(parents / "outer.yaml", "title: outer\ntrain: {optimizer: adam, epochs: 1}\n")
    write(parents / "inner.yaml", "base: outer.yaml\ntitle: inner\nstreams: [motion]\n")
    leaf = write(tmp_path / "leaf.yaml", "base: parents/inner.yaml\ntrain:\n  epochs: 7\n")
    got = load_settings(Recipe, leaf, ["train.learning_rate=1e-3", "scale=2"])
    assert got.title == "inner"
    assert got.streams == ["motion"]  # lists are replaced
    assert got.train == Train(epochs=7, optimizer="adam", learning_rate=1e-3)
    assert got.scale == 2


def test_partly_given_nested_settings_keep_their_fields_default(tmp_path: Path) -> None:
    leaf = write(tmp_path / "a.yaml", "model: {depth: 5}\ntrain: {learning_rate: 0.5}\n")
    got = load_settings(Recipe, leaf)
    assert got.model == Narrow(width=32, depth=5)
    assert got.train == Train(epochs=20, learning_rate=0.5)


def test_null_clears_the_mapping_of_earlier_layers(tmp_path: Path) -> None:
    (tmp_path / "parent.yaml").write_text("model: {depth: 9}\nsizes: {a: 1}\n")
    path = tmp_path / "toy.yaml"
    path.write_text("base: parent.yaml\nmodel: null\n")
    assert load_settings(Recipe, path).model == Narrow(width=32)
    assert load_settings(Recipe, path).sizes == {"a": 1}
    assert load_settings(Recipe, path, ["sizes=null", "sizes.b=2"]).sizes == {"b": 2}
    assert load_settings(Recipe, None, ["sizes=null"]).sizes == {}
    assert load_settings(Recipe, None, ["train.warmup_epochs=null"]).train.warmup_epochs is None
    assert "`train.epochs` = None" in refusal(Recipe, None, "train.epochs=null")


def test_a_registered_name_chooses_the_model(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "shape: {name: round, train: {optimizer: adam}}\n")
    leaf = write(tmp_path / "leaf.yaml", "base: base.yaml\nmore: [{name: square}]\n")
    round_one = Round(radius=3, train=Train(epochs=5, optimizer="adam"))
    assert load_settings(Drawing, leaf) == Drawing(shape=round_one, more=(Square(),))
    changed = load_settings(Drawing, leaf, ["shape.name=square", "shape.side=5"])
    assert changed.shape == Square(side=5)
    same = load_settings(Drawing, leaf, ["shape.name=round", "shape.radius=4"])
    assert same.shape == round_one.model_copy(update={"radius": 4})
    assert load_settings(Drawing, write(tmp_path / "d.yaml", dump_settings(changed))) == changed


def test_a_name_is_registered_once_and_is_one_word() -> None:
    Shape.register("round", Round)
    with pytest.raises(ValueError, match=r"cannot be registered as 'round'.*Round has this name"):
        Shape.register("round", Square)
    with pytest.raises(ValueError, match="only letters, digits and underscores"):
        Shape.register("a.b", Square)


def test_numbers_without_a_point_are_numbers(tmp_path: Path) -> None:
    leaf = write(tmp_path / "a.yaml", "scale: 5e1\n")
    assert load_settings(Recipe, leaf).scale == 50


@given(
    st.builds(
        Recipe,
        title=st.text(),
        model=st.builds(Narrow, depth=st.integers()),
        train=st.builds(
            Train, learning_rate=st.floats(allow_nan=False, allow_infinity=False, width=32)
        ),
        streams=st.lists(st.text(), max_size=3),
    )
)
@example(Recipe(title="next line: \x85, line separator: \u2028"))
def test_dump_reads_back_equal(recipe: Recipe) -> None:
    plain = yaml.safe_load(dump_settings(recipe))
    assert Recipe.model_validate(plain) == recipe


def test_dump_is_a_file_that_loads(tmp_path: Path) -> None:
    recipe = load_settings(Recipe, None, ["model.depth=2", "train.warmup_epochs=0.5"])
    assert load_settings(Recipe, write(tmp_path / "d.yaml", dump_settings(recipe))) == recipe


def test_unknown_name_says_file_path_value_and_nearest(tmp_path: Path) -> None:
    leaf = write(tmp_path / "leaf.yaml", "train: {epoch: 3}\n")
    sentence = refusal(Recipe, leaf)
    for part in (str(leaf), "`train.epoch`", "3", "nearest known name `epochs`", "optimizer"):
        assert part in sentence


def test_the_file_that_gave_the_value_is_named(tmp_path: Path) -> None:
    parent = write(tmp_path / "parent.yaml", "train: {epochs: ten}\n")
    leaf = write(tmp_path / "leaf.yaml", "base: parent.yaml\ntrain: {optimizer: adam}\n")
    sentence = refusal(Recipe, leaf)
    assert sentence.startswith(f"{parent}: `train.epochs` = 'ten'")
    assert "integer" in sentence


def test_wrong_choice_lists_the_choices() -> None:
    sentence = refusal(Recipe, None, "train.optimizer=adamm")
    assert sentence.startswith("--set train.optimizer=adamm: `train.optimizer` = 'adamm'")
    assert "nearest known value `adam`" in sentence
    assert "'sgd', 'adam' or 'adamw'" in sentence


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("shape.name=rond", "`shape.name` = 'rond' is not allowed, nearest known value `round`"),
        ("shape.name=rond", "it must be 'round', 'square'"),
        ("shape={name: square, sid: 1}", "unknown setting `shape.sid` (value 1), nearest known"),
        ("shape={name: square, sid: 1}", "known names here: name, side"),
        ("shape.radius=0", "`shape.radius` = 0 is not allowed: it must be greater than 0"),
        ("shape.train.epochs=0", "`shape.train.epochs` = 0"),
        ("shape=3", "`shape` = 3 is not allowed: it must be a valid dictionary"),
        ("more=[{side: 1}]", "`more.0` needs `name` to choose its kind"),
        ("more=[{name: square, side: x}]", "`more.0.side` = 'x'"),
    ],
)
def test_wrong_member_and_name_inside_a_member(override: str, expected: str) -> None:
    sentence = refusal(Drawing, None, override)
    assert sentence.startswith(f"--set {override}: ")
    assert expected in sentence


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epochs=0", "`train.epochs` = 0 is not allowed: it must be greater than 0"),
        ("train.warmup_epochs=30", "warmup_epochs must not exceed epochs"),
        ("scale=[1]", "`scale` = [1]"),
        ("train=3", "`train` = 3"),
        ("stages=[{epoch: 2}]", "`stages.0.epoch`"),
        ("stages=[{epoch: 2}]", "nearest known name `epochs`"),
        ("train.learning_rate=.nan", "finite number"),
    ],
)
def test_values_that_are_not_allowed(override: str, expected: str) -> None:
    sentence = refusal(Recipe, None, override)
    assert sentence.startswith(f"--set {override}: ")
    assert expected in sentence


def test_missing_setting(tmp_path: Path) -> None:
    leaf = write(tmp_path / "a.yaml", "seed: 1\n")
    assert refusal(Needy, leaf) == f"{leaf}: the setting `data` is missing and has no default"
    misspelt = write(tmp_path / "b.yaml", "dat: x\n")
    assert "nearest known name `data`" in refusal(Needy, misspelt)


@pytest.mark.parametrize("text", ["epochs", "=3", "train.=3", "a..b=1"])
def test_override_without_name_or_value(text: str) -> None:
    assert refusal(Recipe, None, text).startswith(f"--set {text}: expected a dotted name")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title: a\ntitle: b\n", "line 2, column 1: cannot be read as YAML: the key `title`"),
        ("train: {epochs: 1, epochs: 2}\n", "the key `epochs` occurs twice"),
        ("title: [a\n", "line 2"),
        ("title: !!python/object:os.system x\n", "could not determine a constructor"),
        ("- a\n- b\n", "expected a mapping"),
        ("1: a\n", "expected a mapping of setting names"),
        ("base: [a, b]\n", "`base` = ['a', 'b'] must be the name of one YAML file"),
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, text: str, expected: str) -> None:
    leaf = write(tmp_path / "a.yaml", text)
    sentence = refusal(Recipe, leaf)
    assert sentence.startswith(str(leaf))
    assert expected in sentence


def test_undecodable_file(tmp_path: Path) -> None:
    leaf = tmp_path / "a.yaml"
    leaf.write_bytes(b"title: \xff\xfe\x00\n")
    assert refusal(Recipe, leaf).startswith(str(leaf))


def test_empty_file_is_defaults(tmp_path: Path) -> None:
    assert load_settings(Recipe, write(tmp_path / "a.yaml", "# nothing\n")) == Recipe()


def test_missing_files(tmp_path: Path) -> None:
    assert "No such file" in refusal(Recipe, tmp_path / "none.yaml")
    leaf = write(tmp_path / "leaf.yaml", "base: gone.yaml\n")
    sentence = refusal(Recipe, leaf)
    assert sentence.startswith(f"{leaf}: `base` names {tmp_path / 'gone.yaml'}")


def test_cycle_of_parents(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "base: b.yaml\n")
    write(tmp_path / "b.yaml", "base: ./a.yaml\n")
    assert "`base` forms a loop" in refusal(Recipe, tmp_path / "a.yaml")


def test_anchors_and_merge_keys_still_work(tmp_path: Path) -> None:
    text = "train: &t {epochs: 2}\nstages:\n- {<<: *t, optimizer: adam}\n- {<<: *t, epochs: 4}\n"
    got = load_settings(Recipe, write(tmp_path / "a.yaml", text))
    assert got.stages == [Train(epochs=2, optimizer="adam"), Train(epochs=4)]
