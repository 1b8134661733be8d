"""Merging layers of settings by the shape of the settings model that they fill."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined


def merge(parent: Mapping[str, Any], child: Mapping[str, Any], annotation: Any) -> dict[str, Any]:
    """A new mapping: the child's values over the parent's, nested mappings merged.

    Args:
        parent: earlier layer.
        child: later layer, which wins.
        annotation: type of the settings that both fill (a model, a union of models, anything).

    Returns:
        The merged mapping; neither argument is changed.
    """
    merged = dict(parent)
    for key, value in child.items():
        old = merged.get(key)
        kind = child_annotation(annotation, key, child)
        merged[key] = value
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            replaced = _names_another_variant(kind, old, value)
            merged[key] = value if replaced else merge(old, value, kind)
    return merged


def fill_defaults(values: Mapping[str, Any], model_class: type[BaseModel]) -> dict[str, Any]:
    """Merge partly given nested settings over the default that their field declares.

    Pydantic fills a partly given nested model with that model's own defaults; a field declared as
    `model: Encoder = Encoder(width=32)` means that 32 stays where a file sets another name only.
    """
    filled = dict(values)
    for name, field in model_class.model_fields.items():
        given = filled.get(name)
        if not isinstance(given, Mapping):
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        if default is not PydanticUndefined and isinstance(default, BaseModel):
            given = merge({name: _as_mapping(default)}, {name: given}, model_class)[name]
        chosen = choose_model(field.annotation, given)
        filled[name] = fill_defaults(given, chosen) if chosen is not None else given
    return filled


def child_annotation(annotation: Any, key: Any, values: Any) -> Any:
    """Type of the entry `key` of settings of type `annotation` (None where it is unknown)."""
    model = choose_model(annotation, values)
    if model is not None:
        field = model.model_fields.get(key) if isinstance(key, str) else None
        return field.annotation if field is not None else None
    arguments = get_args(annotation)
    if get_origin(annotation) in (list, tuple) and arguments:
        return arguments[0]
    return arguments[1] if get_origin(annotation) is dict and len(arguments) == 2 else None


def choose_model(annotation: Any, values: Any) -> type[BaseModel] | None:
    """The settings model that `values` are meant for; None where that is not decided.

    Among several, a model is chosen whose one-word fields (`name: Literal["st_gcn"]`) are met by
    the values.
    """
    models = model_members(annotation)
    if len(models) == 1:
        return models[0]
    if not isinstance(values, Mapping):
        return None
    named = [model for model in models if _tags(model).items() & _hashable_items(values)]
    return named[0] if len(named) == 1 else None


def model_members(annotation: Any) -> list[type[BaseModel]]:
    """The settings models among the members of a type (itself, a union's, an Annotated's)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return model_members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [model for member in get_args(annotation) for model in model_members(member)]
    return []


def _tags(model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a model that allow one word only, with that word."""
    fields = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: get_args(kind)[0]
        for name, kind in fields.items()
        if get_origin(kind) is Literal and len(get_args(kind)) == 1
    }


def _hashable_items(values: Mapping[str, Any]) -> set[tuple[str, Any]]:
    return {(key, value) for key, value in values.items() if isinstance(value, str | int | bool)}


def _names_another_variant(kind: Any, old: Any, new: Any) -> bool:
    if len(model_members(kind)) < 2:
        return False
    before, after = choose_model(kind, old), choose_model(kind, new)
    return None not in (before, after) and before is not after


def _as_mapping(value: Any) -> Any:
    """A settings model as plain nested mappings of its fields (computed fields left out)."""
    if not isinstance(value, BaseModel):
        return value
    return {name: _as_mapping(item) for name, item in value}
