"""Merging layers of settings by the shape of the settings model that they fill."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from aclnet.config.base import NamedSettings


def merge(parent: Mapping[str, Any], child: Mapping[str, Any], annotation: Any) -> dict[str, Any]:
    """A new mapping: the child's values over the parent's, nested mappings merged.

    Where the child names another member of a family, its mapping replaces the parent's. Null in
    place of a mapping forgets the parent's, so that the default applies.

    Args:
        parent: earlier layer.
        child: later layer, which wins.
        annotation: type of the settings that both fill (a model, a family, anything).

    Returns:
        The merged mapping; neither argument is changed.
    """
    merged = dict(parent)
    for key, value in child.items():
        old = merged.get(key)
        merged[key] = value
        # Asking for the type may import a network.
        if value is None and _is_mapping(child_annotation(annotation, key, child)):
            del merged[key]
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            kind = child_annotation(annotation, key, child)
            names = old.get("name"), value.get("name")
            replaced = _family(kind) and None not in names and names[0] != names[1]
            merged[key] = value if replaced else merge(old, value, kind)
    return merged


def fill_defaults(
    values: Mapping[str, Any], model_class: type[BaseModel], light: bool = False
) -> dict[str, Any]:
    """Merge partly given nested settings over the default that their field declares.

    Pydantic fills a partly given nested model with that model's own defaults; with a field declared
    as `model: Encoder = Encoder(width=32)`, 32 stays if a file sets another field only. Defaults of
    families are filled in too, so that they are validated like given ones.

    Args:
        values: merged layers.
        model_class: the settings model that they are to fill.
        light: do not fill in what a name chooses.
    """
    filled = dict(values)
    for name, field in model_class.model_fields.items():
        given = filled.get(name, {} if _holds_family(field.annotation) else None)
        if not isinstance(given, Mapping):
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        if default is not PydanticUndefined and isinstance(default, BaseModel):
            given = merge({name: _as_mapping(default)}, {name: given}, model_class)[name]
        unread = light and _family(field.annotation) is not None
        chosen = None if unread else choose_model(field.annotation, given)
        filled[name] = fill_defaults(given, chosen, light) if chosen is not None else given
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
    """The settings model that `values` are for, of a family the member that they name, or None."""
    family = _family(annotation)
    if family is not None:
        return family.member(values)
    models = model_members(annotation)
    return models[0] if len(models) == 1 else None


def model_members(annotation: Any) -> list[type[BaseModel]]:
    """The settings models in a type (itself, or within a union or an Annotated)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return model_members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [model for member in get_args(annotation) for model in model_members(member)]
    return []


def _is_mapping(annotation: Any) -> bool:
    """Whether a type is settings or a mapping, and has no null of its own (as `X | None` has)."""
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return get_origin(plain) is dict or bool(isinstance(plain, type) and model_members(plain))


def _family(annotation: Any) -> type[NamedSettings] | None:
    """The family of settings models that a type is, if it is one."""
    if isinstance(annotation, type) and issubclass(annotation, NamedSettings):
        return annotation if annotation.is_family() else None
    return None


def _holds_family(annotation: Any) -> bool:
    """Whether a type is a family of settings models, or a model with one among its fields."""
    fields = [f for model in model_members(annotation) for f in model.model_fields.values()]
    return _family(annotation) is not None or any(_holds_family(f.annotation) for f in fields)


def _as_mapping(value: Any) -> Any:
    """A settings model as plain nested mappings of its fields (computed fields left out)."""
    if not isinstance(value, BaseModel):
        return value
    return {name: _as_mapping(item) for name, item in value}
