"""The templates of the report."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template


def load_template(name: str, filters: dict[str, Callable[..., Any]], **options: Any) -> Template:
    """A template; Jinja2 is imported here, when a report is written.

    Args:
        name: File in ``templates/``.
        filters: Filters by name, added to those of Jinja2.
        **options: Of :class:`jinja2.Environment`: delimiters, escaping.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - HTML asks for escaping, LaTeX and Markdown have filters
        loader=PackageLoader("protocols.reporting"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= filters
    return environment.get_template(name)


def read_resource(name: str) -> str:
    """A file of ``templates/`` as it is, without the newlines at its end."""
    return (files("protocols.reporting") / "templates" / name).read_text(encoding="utf-8").rstrip()


def path_from(folder: Path, file: Path) -> str:
    """A file's path from the folder of a document."""
    return Path(os.path.relpath(file, folder)).as_posix()
