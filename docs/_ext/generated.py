"""Pages that are written from the program when the site is built.

A page says `<!-- generated: NAME -->`, and the Markdown of the function of that name in `WRITERS`
takes its place. Docstrings' references to Python objects are checked: what can be imported is shown
as code, and anything else is a warning.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

import docutils.utils
from commands_page import commands_page
from contents import contents
from docutils import nodes
from notebooks import SUFFIX, NotebookParser
from readers_page import readers_page
from recipes_page import recipes_page
from settings_page import settings_page
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

WRITERS: dict[str, Callable[[], str]] = {
    "commands": commands_page,
    "contents": contents,
    "readers": readers_page,
    "recipes": recipes_page,
    "settings": settings_page,
}
MARK = re.compile(r"<!-- generated: (\w+) -->")


def _write(app: Sphinx, page: str, source: list[str]) -> None:
    del app, page
    source[0] = MARK.sub(lambda found: WRITERS[found[1]](), source[0])


def _exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, rest = name, []
    while module:
        try:
            found = importlib.import_module(module)
        except ImportError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
            continue
        for part in rest:
            # Fields without a default are only in the annotations.
            if part in getattr(found, "__annotations__", {}) and not hasattr(found, part):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def _as_code(
    app: Sphinx, env: object, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """A reference to a Python object that no page describes, as code if the object exists."""
    del app, env
    if node.get("refdomain") != "py":
        return None
    # Classes stand in signatures too, by names that only their module knows.
    return content if node["reftype"] == "class" or _known(node) else None


def _known(node: pending_xref) -> bool:
    """Whether a docstring refers to an object that is there, by its own module's names."""
    source = docutils.utils.get_source_line(node)[0] or ""
    docstring = re.search(r"docstring of ([\w.]+)", source)
    inside = docstring[1].split(".") if docstring else []
    places = [".".join(inside[:length]) for length in range(len(inside), -1, -1)]
    return any(_exists(".".join(filter(None, (place, node["reftarget"])))) for place in places)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register all of them."""
    app.add_source_suffix(SUFFIX, SUFFIX[1:])
    app.add_source_parser(NotebookParser)
    app.connect("source-read", _write)
    app.connect("missing-reference", _as_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
