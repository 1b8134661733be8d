"""Markdown tables for generated pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sphinx.pycode import ModuleAnalyzer


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell is Markdown on one line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def code(text: object) -> str:
    """Text as code in a cell."""
    return f"`{text}`".replace("|", "\\|") if str(text) else ""


def prose(text: str) -> str:
    """Plain text in a cell; options, and what stands in backquotes, are code."""
    text = re.sub(r"(?<![\w`-])(--?[a-z][\w-]*)(?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$)", r"`\1`", text)
    parts = re.split(r"(`+[^`]+`+)", " ".join(text.split()))
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(r"([\\*_<>\[\]{}$#~])", r"\\\1", parts[place])
    return "".join(parts).replace("|", "\\|")


def fields_told(model: type) -> dict[str, str]:
    """What a class and those that it inherits from say of their attributes.

    That is a section of the class's docstring, or a text below the attribute.
    """
    told: dict[str, str] = {}
    for base in reversed(model.__mro__):
        told |= attributes(base.__doc__)
        if base.__module__ != "builtins":
            below = ModuleAnalyzer.for_module(base.__module__).find_attr_docs()
            told |= {
                name: " ".join(lines)
                for (owner, name), lines in below.items()
                if owner == base.__qualname__
            }
    return told


def attributes(docstring: str | None, section: str = "Attributes") -> dict[str, str]:
    """The entries of a section of a Google docstring, by name."""
    _, _, rest = (docstring or "").partition(f"\n    {section}:\n")
    found: dict[str, str] = {}
    name = ""
    for line in rest.splitlines():
        indent = len(line) - len(line.lstrip())
        start = re.match(r"(\*{0,2}\w+): (.*)", line.strip())
        if line.strip() and indent <= 4:
            break
        if indent == 8 and start:
            name, text = start.groups()
            found[name] = text
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
