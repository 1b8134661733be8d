"""The damaged files by their seed, format and number: the same ones on every machine."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import NamedTuple

from formats import seeds_of
from mutations import mutate

_OTHER_NAMES = ("x\x1b[2J", "Zoe\u0308", " ", "-rf", "a" * 240, "=1+1", "\u202egpj", "1")


class Input(NamedTuple):
    """A damaged file or folder, and what is read."""

    format: str
    number: int
    files: dict[str, bytes]
    place: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))

    def write(self, folder: Path) -> Path:
        """Put the files into an empty folder; returns what is to be read."""
        if folder.exists():
            shutil.rmtree(folder)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder / self.place


def make_input(seed: int, format: str, number: int) -> Input:
    """An input by its number; number 0 to the number of whole files less 1 are these themselves."""
    kept = seeds_of(format)
    if number < len(kept):
        return Input(format, number, dict(kept[number].files), kept[number].place)
    generator = random.Random(f"{seed} {format} {number}")
    chosen = generator.choice(kept)
    files, place = dict(chosen.files), chosen.place
    names = sorted(files)
    name = generator.choice(names)
    files[name] = mutate(name, files[name], generator)
    if len(names) > 1 and generator.random() < 0.1:
        _change_folder(files, name, generator)
    return Input(format, number, files, place)


def _change_folder(files: dict[str, bytes], name: str, generator: random.Random) -> None:
    """A file of a folder is gone, empty, there again, or has another name."""
    above, _, last = name.rpartition("/")
    suffix = last.rpartition(".")[2]
    other = f"{above}/{generator.choice(_OTHER_NAMES)}.{suffix}".lstrip("/")
    match generator.randrange(4):
        case 0:
            del files[name]
        case 1:
            files[name] = b""
        case 2:
            files[other] = files[name]
        case _:
            files[other] = files.pop(name)
