"""The user's own files that add a task, a reader, a backbone, a loss or a figure."""

from __future__ import annotations

import importlib.util
import shlex
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

_LOADED: list[Path] = []


def plugins() -> tuple[Path, ...]:
    """The loaded files, for child processes."""
    return tuple(_LOADED)


def command_of(*arguments: object) -> str:
    """A command for messages, with the plug-ins, as it can be typed."""
    options = [word for file in _LOADED for word in ("--plugin", file)]
    return shlex.join(["aclnet-task", *map(str, (*options, *arguments))])


def load_plugins(files: Sequence[Path]) -> None:
    """Run Python files, each of which registers what it adds.

    Each file is run once, as a module named after it, so that `module:name` finds its contents,
    in child processes too.

    Args:
        files: such as those of `aclnet-task --plugin FILE`.

    Raises:
        ValueError: there is no such Python file, another module has its name, or it fails.
    """
    for file in files:
        if file.suffix != ".py" or not file.is_file() or not file.stem.isidentifier():
            raise ValueError(f"--plugin {file}: expected an existing Python file, such as mine.py")
        known = sys.modules.get(file.stem)
        if known is not None and _is_file(known.__spec__, file):
            continue
        found = importlib.util.find_spec(file.stem) if known is None else None
        if known is not None or not (found is None or _is_file(found, file)):
            raise ValueError(
                f"--plugin {file}: another module is called {file.stem}: rename the file"
            )
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise ValueError(f"--plugin {file}: Python cannot load it as a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[file.stem]
            lines = [
                one.lineno
                for one in traceback.extract_tb(error.__traceback__)
                if one.filename == str(file)
            ]
            line = f", line {lines[-1]}" if lines else ""
            raise ValueError(f"--plugin {file}{line}: {type(error).__name__}: {error}") from error
        _LOADED.append(file.resolve())


def _is_file(found: ModuleSpec | None, file: Path) -> bool:
    """Whether a module comes from a file."""
    return Path(found.origin or "" if found else "").resolve() == file.resolve()
