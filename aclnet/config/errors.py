"""What is wrong with settings, as one sentence in terms of the user's file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aclnet.config.merge import child_annotation, choose_model

Origins = dict[tuple[str, ...], str]
"""Where each nested name was last given: a file, or an override."""

PLUGIN = "--plugin FILE"
"""How a command gets names that a user's file registers."""

_FEWEST, _MOST = 1_000, 100_000_000
"""Upper bounds in this range are of sizes, smaller ones of shares, larger ones of seeds."""

_CHOICE_ERRORS = {"literal_error", "enum", "union_tag_invalid"}


def explain(
    error: ValidationError,
    model_class: type[BaseModel],
    values: Mapping[str, Any],
    origins: Origins,
    source: str,
) -> str:
    """The first problem of a failed validation as one sentence.

    Args:
        error: what pydantic raised for `values`.
        model_class: the settings model that was to be filled.
        values: merged plain data that failed.
        origins: file or override that gave each path.
        source: the origin to name for a path that nobody gave (a missing setting).

    Returns:
        File or override, dotted path, value, what is allowed, nearest known name.
    """
    # A misspelt name comes first: it often causes a second error, a missing setting.
    problems = sorted(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    first = problems[0]
    path, model = _locate(first, model_class, values)
    places = (tuple(path[:length]) for length in range(len(path), 0, -1))
    where = next((origins[place] for place in places if place in origins), source)
    sentence = f"{where}: {_describe(first, path, model)}"
    more = len(problems) - 1
    return f"{sentence} (and {more} more)" if more and first["type"] != "missing" else sentence


def _describe(problem: ErrorDetails, path: Sequence[Any], model: type[BaseModel] | None) -> str:
    name, value, kind = ".".join(map(str, path)), problem["input"], problem["type"]
    context = problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = sorted(model.model_fields) if model is not None else []
        return (
            f"unknown setting `{name}` (value {value!r})"
            f"{nearest('name', path[-1] if path else '', known)}; known names here: "
            f"{', '.join(known) or 'none'}"
        )
    if kind == "missing":
        return f"the setting `{name}` is missing and has no default"
    if kind == "union_tag_not_found":
        tag = str(context.get("discriminator", "")).strip("'")
        return f"`{name}` needs `{tag}` to choose its kind, got {value!r}"
    if kind in _CHOICE_ERRORS:
        if kind == "union_tag_invalid":
            name = f"{name}.{str(context.get('discriminator', '')).strip(chr(39))}"
            value = context.get("tag", value)
        allowed = str(context.get("expected", context.get("expected_tags", "")))
        words = re.findall(r"'([^']*)'", allowed)
        hint = nearest("value", value, words)
        own = f", or of a file given by {PLUGIN}" if kind == "union_tag_invalid" else ""
        return f"`{name}` = {value!r} is not allowed{hint}; it must be {allowed}{own}"
    message = problem["msg"].removeprefix("Value error, ")
    requirement = re.sub(r"^Input should be", "it must be", message)
    if kind == "less_than_equal" and _FEWEST <= context["le"] <= _MOST:
        requirement += ", because more would take too much memory or time"
    return f"`{name}` = {value!r} is not allowed: {requirement}" if name else requirement


def nearest(what: str, given: Any, known: Sequence[str]) -> str:
    """A hint for an error message: the known "name" or "value" nearest to the given one."""
    close = difflib.get_close_matches(str(given), known, n=1)
    return f", nearest known {what} `{close[0]}`" if close else ""


def _locate(
    problem: ErrorDetails, model_class: type[BaseModel], values: Any
) -> tuple[list[Any], type[BaseModel] | None]:
    """The path as in the user's file, and the settings model of its last name.

    Pydantic's location also has the names of union members, which no file contains.
    """
    path: list[Any] = []
    annotation: Any = model_class
    holder: type[BaseModel] | None = model_class
    location = problem["loc"]
    for position, part in enumerate(location):
        inside = (isinstance(values, Mapping) and part in values) or (
            isinstance(values, list | tuple) and isinstance(part, int) and part < len(values)
        )
        missing = problem["type"] == "missing" and position == len(location) - 1
        if not inside and not missing:
            continue
        path.append(part)
        holder = choose_model(annotation, values)
        if inside:
            annotation = child_annotation(annotation, part, values)
            values = values[part]
    return path, holder
