"""Where the shipped recipes are: in the installed wheel, or in the checkout."""

from __future__ import annotations

from pathlib import Path


def recipe_folder() -> Path:
    """The folder of shipped recipes.

    A wheel carries them inside this package; a checkout has them beside it.

    Raises:
        ValueError: if neither is there.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "configs", here.parent / "configs"):
        if folder.is_dir():
            return folder
    raise ValueError("the shipped recipes (configs/) are missing: install aclnet again")


def recipe_names() -> list[str]:
    """Names such as `gait/walkers`, sorted."""
    folder = recipe_folder()
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def find_recipe(name_or_path: str | Path) -> Path:
    """A recipe's file: a path as given, or a shipped recipe by name or by its path in configs/.

    Args:
        name_or_path: `my.yaml`, `gait/walkers`, `configs/gait/walkers.yaml`.

    Raises:
        ValueError: if there is no such file or recipe.
    """
    given = Path(name_or_path)
    if given.is_file():
        return given
    relative = Path(*given.parts[1:]) if given.parts and given.parts[0] == "configs" else given
    if relative.name:
        shipped = recipe_folder() / relative.with_suffix(".yaml")
        if shipped.is_file():
            return shipped
    raise ValueError(
        f"there is no recipe {str(name_or_path)!r}: give a YAML file, or one of "
        f"{', '.join(recipe_names())}"
    )
