"""Files of a user's own that add a task, a reader, a backbone, a loss or a figure."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

_LOADED: list[Path] = []


def plugins() -> tuple[Path, ...]:
    """The files that were loaded, for processes that this one begets."""
    return tuple(_LOADED)


def load_plugins(files: Sequence[Path]) -> None:
    """Run Python files, each of which registers what it adds.

    A file is run once, as a module of its own name, so that what it registers can be found again
    by `module:name`, also in processes that this one begets.

    Args:
        files: such as a user gives with `aclnet-task --plugin FILE`.

    Raises:
        ValueError: there is no such Python file, or its name is that of another module.
    """
    for file in files:
        if file.suffix != ".py" or not file.is_file():
            raise ValueError(f"--plugin {file}: give a Python file that registers what it adds")
        known = sys.modules.get(file.stem)
        if known is not None:
            if Path(getattr(known, "__file__", None) or "").resolve() == file.resolve():
                continue
            raise ValueError(
                f"--plugin {file}: there is another module called {file.stem}: rename the file"
            )
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise ValueError(f"--plugin {file}: Python cannot read it as a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[file.stem]
            raise
        _LOADED.append(file.resolve())
