"""Commands that change a gallery, killed: what must hold afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scenarios import Scenario

from aclnet.data.store import open_store, write_store

_GALLERY = "people.gallery"


def _stored(place: Path) -> dict[str, Any]:
    """What a gallery holds, without the times of enrolment."""
    from tasks import Gallery

    with Gallery(place) as gallery:
        templates, known = gallery._storage.templates(), gallery.threshold
        names = [templates.names[person] for person in templates.person]
        vectors = hashlib.sha256(templates.points.values.tobytes()).hexdigest()
        faults = [fault for fault in gallery.check() if "not yet erased" not in fault]
        threshold = known and known.model_copy(update={"created": ""})
        return {"people": names, "vectors": vectors, "threshold": threshold, "faults": faults}


def _different_galleries(one: Path, other: Path) -> list[str]:
    mine, theirs = _stored(one), _stored(other)
    return [f"{name} differ" for name in theirs if mine[name] != theirs[name]]


def _half_a_gallery(folder: Path, base: Path, whole: Path) -> list[str]:
    """A gallery is the old or the new one."""
    found = _stored(folder / _GALLERY)
    return [] if found in (_stored(base / _GALLERY), _stored(whole)) else [f"neither: {found}"]


def _residue(place: Path) -> list[str]:
    """What is left of the removed person in the files of a gallery."""
    content = b"".join(path.read_bytes() for path in place.parent.glob(f"{place.name}*"))
    vector = np.load(place.parent / "removed.npy").tobytes()
    windows = (vector[at : at + 32] for at in range(len(vector) - 31))
    found = ["the name is left"] if _REMOVED.encode() in content else []
    return found + (["a vector is left"] if any(map(content.__contains__, windows)) else [])


def _again_unless_done(*words: str) -> Callable[[Path], tuple[str, ...]]:
    """The command again if it has not changed the gallery, and something harmless if it has."""

    def command(folder: Path) -> tuple[str, ...]:
        from tasks import Gallery

        with Gallery(folder / _GALLERY) as gallery:
            people = [one.name for one in gallery.people()]
            unerased = gallery._storage.unerased()
        done = {"enrol": "Ann" in people, "remove": _REMOVED not in people and not unerased}
        return ("gallery", "list", _GALLERY) if done.get(words[1]) else words

    return command


def _gallery(words: str, *more: str) -> Scenario:
    arguments = ("gallery", *words.split(), *more)

    def same(one: Path, other: Path) -> list[str]:
        gone = _residue(one) if "remove" in arguments else []
        return gone + _different_galleries(one, other)

    ready = (_GALLERY, "removed.npy", "walks", "others", "whole-gait")
    again = _again_unless_done(*arguments)
    return Scenario(arguments, _GALLERY, ready, again, same, _half_a_gallery)


_REMOVED = "Somebody-who-goes"
_OF_RUN = ("--run", "whole-gait")
GALLERY: dict[str, Scenario] = {
    "gallery_enrol": _gallery(f"enrol {_GALLERY} walks --person Ann", *_OF_RUN),
    "gallery_remove": _gallery(f"remove {_GALLERY} {_REMOVED}"),
    "gallery_calibrate": _gallery(f"calibrate {_GALLERY} others --fmr 0.1", *_OF_RUN),
}


def make_gallery(base: Path) -> None:
    """A gallery with a person to remove, and walks of others."""
    from tasks import Gallery

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
        gallery.enrol(base / "gone", _REMOVED)
        templates = gallery._storage.templates()
    number = templates.names.index(_REMOVED)
    np.save(base / "removed.npy", templates.points.values[templates.person == number])
