"""Every format that is read, with its reader's own options."""

from __future__ import annotations

import importlib
import inspect

from tables import attributes, code, fields_told, prose, table

from aclnet.data.formats import READERS, reader_options, unpickles

HEADS = ("option", "default", "meaning")


def readers_page() -> str:
    """A part for each format, in the order in which files are tried."""
    return "".join(_reader(name) for name in READERS)


def _reader(name: str) -> str:
    module = importlib.import_module(READERS[name])
    about = "\n\n".join(prose(part) for part in (module.__doc__ or "").split("\n\n"))
    apart = "Unpickled with an allow-list, in a process with limits.\n\n" if unpickles(name) else ""
    parameters = inspect.signature(module.read).parameters
    # The options of keypoint readers are the fields of a class.
    owner = getattr(module.read, "_options", None)
    told = fields_told(owner) if owner else attributes(module.read.__doc__, "Args")
    rows = [
        (
            code(f"-o {option}="),
            code(_default(parameters[option].default)),
            prose(told.get(option, "")),
        )
        for option in reader_options(name)
    ]
    options = table(HEADS, rows) if rows else "No options of its own.\n\n"
    return f"## {name}\n\n{about}\n\n{apart}{options}"


def _default(value: object) -> str:
    return "" if value is None else str(value)
