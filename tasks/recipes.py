"""The shipped recipes, in the installed wheel or in the checkout."""

from __future__ import annotations

from pathlib import Path


def recipe_folder() -> Path:
    """The folder of shipped recipes: inside this package in a wheel, beside it in a checkout.

    Raises:
        ValueError: neither folder exists.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "configs", here.parent / "configs"):
        if folder.is_dir():
            return folder
    raise ValueError("the shipped recipes (configs/) are missing: reinstall aclnet")


def recipe_names() -> list[str]:
    """Names such as `gait/walkers`, sorted."""
    folder = recipe_folder()
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def find_recipe(name_or_path: str | Path) -> Path:
    """Find a recipe: a file, or a shipped recipe by its name or its path in configs/.

    Args:
        name_or_path: `my.yaml`, `gait/walkers`, `configs/gait/walkers.yaml`.

    Raises:
        ValueError: there is no such file or recipe.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    relative = Path(*path.parts[1:]) if path.parts and path.parts[0] == "configs" else path
    if relative.name:
        shipped = recipe_folder() / relative.with_suffix(".yaml")
        if shipped.is_file():
            return shipped
    raise ValueError(
        f"there is no recipe {str(name_or_path)!r}: give a YAML file, or one of "
        f"{', '.join(recipe_names())}"
    )
