"""Settings from YAML: typed, frozen, merged from defaults, parent files, a file and overrides."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from aclnet.config.base import LIGHT
from aclnet.config.errors import Origins, explain
from aclnet.config.merge import fill_defaults, merge
from aclnet.foreign.text import read_bytes
from aclnet.foreign.yaml import MOST_CHARACTERS, parse_yaml

Model = TypeVar("Model", bound=BaseModel)
Layer = tuple[str, dict[str, Any]]


def load_settings(
    model_class: type[Model],
    path: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    light: bool = False,
) -> Model:
    """Read settings from a YAML file and overrides; later layers win over earlier ones.

    The order is: the model's defaults, the parents named by `base:` (outermost first), the file,
    the overrides. Mappings are merged key by key, lists and single values are replaced; null in
    place of a mapping (`data.options=null`) clears what earlier layers gave. Where a later layer
    names another member of a family of settings models (`name:`), its mapping replaces
    the earlier one, whose keys belong to another model.

    Args:
        model_class: the pydantic model to fill.
        path: YAML file, or None for defaults and overrides alone. Its optional key `base` names
            one parent file, relative to the file itself; a parent may have a parent.
        overrides: texts of the form `a.b=value`; the value is read as YAML.
        light: do not validate an encoder's settings, which needs the network library; for commands
            that only evaluate saved results.

    Returns:
        A validated `model_class`.

    Raises:
        ValueError: in one sentence with the file (or `--set a.b=value`), the dotted path, the
            value, what is allowed and the nearest known name: a file is missing or not a YAML
            mapping, a key occurs twice, parents form a cycle, a name is unknown, a value is of the
            wrong type or out of range.
    """
    layers = _file_layers(Path(path)) if path is not None else []
    layers += [_override_layer(text) for text in overrides]
    values: dict[str, Any] = {}
    origins: Origins = {}
    for origin, layer in layers:
        values = merge(values, layer, model_class)
        origins.update((place, origin) for place in _places(layer))
    values = fill_defaults(values, model_class, light)
    try:
        return model_class.model_validate(values, context=LIGHT if light else None)
    except ValidationError as error:
        source = str(path) if path is not None else "settings"
        raise ValueError(explain(error, model_class, values, origins, source)) from None


def dump_settings(settings: BaseModel) -> str:
    r"""Resolved settings as YAML that `load_settings` reads back to an equal model.

    >>> from aclnet.config import Settings, dump_settings
    >>> class Toy(Settings):
    ...     clip_frames: int = 60
    >>> dump_settings(Toy())
    'clip_frames: 60\n'
    """
    # In ASCII: PyYAML does not read back some of Unicode's line breaks as it writes them.
    text: str = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, width=100)
    return text


def _file_layers(path: Path) -> list[Layer]:
    """A file and its parents, outermost parent first."""
    layers: list[Layer] = []
    chain: list[Path] = []
    here: Path | None = path
    while here is not None:
        # A link that leads to itself is refused when it is read.
        if os.path.realpath(here) in map(os.path.realpath, chain):
            names = " -> ".join(str(item) for item in [*chain, here])
            raise ValueError(f"{chain[-1]}: `base` forms a loop: {names}")
        values = read_mapping(here, named_by=chain[-1] if chain else None)
        chain.append(here)
        parent = values.pop("base", None)
        if parent is not None and not isinstance(parent, str):
            raise ValueError(f"{here}: `base` = {parent!r} must be the name of one YAML file")
        layers.insert(0, (str(here), values))
        here = None if parent is None else here.parent / parent
    return layers


def read_mapping(path: Path, named_by: Path | None = None) -> dict[str, Any]:
    """The values in a YAML file of settings, not validated.

    Args:
        path: the file.
        named_by: the file that names it as its base.

    Raises:
        ValueError: it cannot be read, or is not a mapping of names to values.
    """
    try:
        content = read_bytes(path, MOST_CHARACTERS)
    except ValueError as error:
        raise ValueError(f"{named_by}: `base` names {error}" if named_by else str(error)) from None
    values = parse_yaml(content, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{path}: expected a mapping of setting names to values at the top level")
    return values


def _override_layer(text: str) -> Layer:
    """`a.b=c` as the layer {a: {b: c}}."""
    origin = f"--set {text}"
    name, equals, value = text.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(parts):
        raise ValueError(f"{origin}: expected a dotted name, `=` and a value, such as train.seed=1")
    layer: Any = parse_yaml(value, origin)
    for part in reversed(parts):
        layer = {part: layer}
    return origin, layer


def _places(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every key of a nested mapping."""
    for key, value in values.items():
        place = (*above, key)
        yield place
        if isinstance(value, Mapping):
            yield from _places(value, place)
