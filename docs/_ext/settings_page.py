"""Every setting of every task, from the pydantic models."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tables import code, fields_told, prose

from aclnet.config import NamedSettings, Settings
from aclnet.losses.settings import TermSettings
from aclnet.models.settings import EncoderSettings
from tasks.spec import all_tasks


class Row(NamedTuple):
    """A setting: a row of the table."""

    name: str
    values: str
    default: str
    meaning: str


def settings_page() -> str:
    """The settings that all tasks have, those of each task, those of each encoder and term."""
    tasks = {name: list(_rows(spec.settings())) for name, spec in all_tasks().items()}
    first, *others = tasks.values()
    shared = [row for row in first if all(row in own for own in others)]
    text = "## Every task\n\n" + _listed(shared)
    for name, rows in tasks.items():
        own = [row for row in rows if row not in shared]
        text += f"## {name}\n\nBeside those above:\n\n" + _listed(own)
    families: dict[str, type[NamedSettings]] = {
        "network.encoder": EncoderSettings,
        "objective.terms": TermSettings,
    }
    for place, family in families.items():
        for member in sorted(family.members):
            model = cast(type[NamedSettings], family.member({"name": member}))
            about = prose((model.__doc__ or "").partition("\n\n")[0])
            fields = [
                row for row in _fields(model) if row.name.strip("`") not in ("name", "weight")
            ]
            text += f"## {place}: {member}\n\n{about}\n\n{_listed(fields)}"
    return text


def _listed(rows: list[Row]) -> str:
    """The settings as a list of definitions, which fits any screen."""
    return "".join(
        f"{row.name} = {row.default}\n: {row.meaning.rstrip('.')}. *{row.values}*\n\n"
        for row in rows
    )


def _rows(settings: BaseModel, above: str = "") -> Iterator[Row]:
    """The settings of a model and of the models in it, with the values of this one as defaults."""
    model = type(settings)
    for row, name in zip(_fields(model, settings, above), model.model_fields, strict=True):
        value = getattr(settings, name)
        # A family's members have a part of the page each.
        if isinstance(value, Settings) and not isinstance(value, NamedSettings):
            yield from _rows(value, f"{above}{name}.")
        else:
            yield row


def _fields(
    model: type[BaseModel], settings: BaseModel | None = None, above: str = ""
) -> Iterator[Row]:
    told = fields_told(model)
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        value = default if settings is None else getattr(settings, name)
        shown = "required" if field.is_required() and settings is None else code(_value(value))
        meaning = prose(field.description or told.get(name, ""))
        yield Row(code(f"{above}{name}"), _values(field), shown, meaning)


def _value(value: Any) -> str:
    """A default as a recipe writes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, NamedSettings):
        return str(value.name)
    if isinstance(value, BaseModel):
        return f"{{{', '.join(f'{k}: {_value(v)}' for k, v in value)}}}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_value, value))}]"
    return "{}" if value == {} else str(value)


def _values(field: FieldInfo) -> str:
    return prose(_kind(field.annotation) + _bounds(field.metadata))


def _bounds(metadata: list[Any]) -> str:
    signs = ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))
    found = [
        f"{sign} {getattr(one, name):,}"
        for one in metadata
        for kind, name, sign in signs
        if isinstance(one, kind)
    ]
    return f", {' and '.join(found)}" if found else ""


def _kind(annotation: Any) -> str:
    """The values of a type in words."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(inner[0]) + _bounds(list(inner[1:]))
    if origin is typing.Literal:
        return ", ".join(_value(one) for one in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(one) for one in inner)
    if origin in (tuple, list):
        many = inner[:1] if inner[-1:] == (...,) else inner[: 1 if len(set(inner)) == 1 else None]
        count = "" if origin is list or inner[-1:] == (...,) else f"{len(inner)} "
        return f"list of {count}{'; '.join(_kind(one) for one in many)}"
    if origin is dict:
        return f"mapping to {_kind(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    names = {"NoneType": "null", "str": "text", "int": "whole number", "float": "number"}
    names |= {"bool": "true, false", "Path": "file or folder"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)
