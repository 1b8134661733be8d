"""Commands that change a gallery, killed: what must hold afterwards."""

from __future__ import annotations

import hashlib
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
from scenarios import Scenario

from aclnet.data.store import open_store, write_store
from tasks import Gallery

_GALLERY = "people.gallery"


def _stored(place: Path) -> dict[str, Any]:
    """What a gallery holds, without the times of enrolment."""
    with Gallery(place) as gallery:
        templates = gallery._storage.templates()
        names = [templates.names[person] for person in templates.person]
        return contents(gallery, names, templates.points.values.tobytes())


def contents(gallery: Gallery, names: list[str], vectors: bytes) -> dict[str, Any]:
    """What a gallery holds, by the people of its templates and their vectors."""
    known = gallery.threshold
    return {
        "people": names,
        "vectors": hashlib.sha256(vectors).hexdigest(),
        "threshold": known and known.model_copy(update={"created": ""}),
        "faults": [fault for fault in gallery.check() if "not yet erased" not in fault],
    }


def _different_galleries(one: Path, other: Path) -> list[str]:
    mine, theirs = _stored(one), _stored(other)
    return [f"{name} differ" for name in theirs if mine[name] != theirs[name]]


def _half_a_gallery(folder: Path, base: Path, whole: Path) -> list[str]:
    """A gallery is the old or the new one."""
    found = _stored(folder / _GALLERY)
    return [] if found in (_stored(base / _GALLERY), _stored(whole)) else [f"neither: {found}"]


def residue(content: bytes, removed: Path) -> list[str]:
    """What is left of the removed person, whose vectors are in a file."""
    vector = np.load(removed).tobytes()
    windows = (vector[at : at + 32] for at in range(len(vector) - 31))
    found = ["the name is left"] if REMOVED.encode() in content else []
    return found + (["a vector is left"] if any(map(content.__contains__, windows)) else [])


def again_unless_done(place: str | Path, *words: str) -> tuple[str, ...]:
    """The command again if it has not changed the gallery, and something harmless if it has."""
    with Gallery(place) as gallery:
        people = [one.name for one in gallery.people()]
        unerased = gallery._storage.unerased()
    done = {"enrol": "Ann" in people, "remove": REMOVED not in people and not unerased}
    return ("gallery", "list", str(place)) if done.get(words[1]) else words


def _gallery(words: str, *more: str) -> Scenario:
    arguments = ("gallery", *words.split(), *more)

    def same(one: Path, other: Path) -> list[str]:
        files = one.parent.glob(f"{one.name}*") if "remove" in arguments else ()
        content = b"".join(path.read_bytes() for path in files)
        gone = residue(content, one.parent / "removed.npy")
        return gone + _different_galleries(one, other)

    ready = (_GALLERY, "removed.npy", "walks", "others", "whole-gait")

    def again(folder: Path) -> tuple[str, ...]:
        with chdir(folder):
            return again_unless_done(_GALLERY, *arguments)

    return Scenario(arguments, _GALLERY, ready, again, same, _half_a_gallery)


REMOVED = "Somebody-who-goes"
_OF_RUN = ("--run", "whole-gait")
GALLERY: dict[str, Scenario] = {
    "gallery_enrol": _gallery(f"enrol {_GALLERY} walks --person Ann", *_OF_RUN),
    "gallery_remove": _gallery(f"remove {_GALLERY} {REMOVED}"),
    "gallery_calibrate": _gallery(f"calibrate {_GALLERY} others --fmr 0.1", *_OF_RUN),
}


def make_gallery(base: Path) -> None:
    """A gallery with a person to remove, and walks of others."""
    (walkers,) = (base / "cache").glob("walkers-*")
    store = open_store(walkers)
    samples = [one for one in store.samples() if one.condition == "nm"]
    people = sorted({one.identity for one in samples})
    for name, own in (("walks", people[:1]), ("others", people[1:5])):
        write_store(base / name, [one for one in samples if one.identity in own], store.info)
    last = [one for one in samples if one.identity == people[5]]
    write_store(base / "gone", last, store.info)
    with Gallery.create(base / _GALLERY, base / "whole-gait") as gallery:
        gallery.enrol(base / "walks", "Bea")
        gallery.enrol(base / "gone", REMOVED)
        templates = gallery._storage.templates()
    number = templates.names.index(REMOVED)
    np.save(base / "removed.npy", templates.points.values[templates.person == number])
