"""ASF/AMC: a skeleton (`.asf`) and its motions (`.amc`), as of HDM05 and CMU.

Sources: Müller et al., "Documentation: Mocap database HDM05", Universität Bonn 2007; CMU's
mocap.cs.cmu.edu; the format in Meredith and Maddock, "Motion capture file formats explained",
University of Sheffield 2001. Joints are the root and the end of each bone. The files have no frame
rate; both data sets have 120 frames per second.

An AMC's skeleton is the option `skeleton`, or lies beside it, or a folder above: the ASF with whose
name the AMC's begins, or the only one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aclnet.data.formats import Progress
from aclnet.data.formats.keypoints.files import first_lines
from aclnet.data.formats.mocap.kinematics import joint_places, longest_path, rotations
from aclnet.data.formats.mocap.motion import (
    METRES,
    MOST_JOINTS,
    Array,
    LengthUnit,
    Motion,
    Up,
    check_size,
    finite_number,
    metres_of,
    read_motions,
    y_up,
)
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.text import read_text
from aclnet.skeleton import Layout

_ENDING = ".amc"
_FPS = 120.0
_RATE = re.compile(r"HDM_.*_(\d{2,3})", re.ASCII)
_LONGEST_SKELETON = 1 << 20
_BLOCK = 4096  # frames at a time
_ROOT = "root"


def recognises(path: Path) -> bool:
    """Whether it is an `.amc` file, or a folder with one, at most four folders down."""
    return any(line.lstrip()[:1] in ("#", ":", "1") for line in first_lines(path, _ENDING))


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    skeleton: str | Path | None = None,
    length_unit: LengthUnit = "auto",
    up: Up = "y",
    labels: str | Path | None = None,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read an AMC, or a folder of them.

    Args:
        path: the `.amc` file or folder.
        layout: the joints to take; by default hdm31 where the skeleton has its bones, else the
            skeleton's own.
        progress: called with the number of the file that is read and their total.
        skeleton: the `.asf` of all files; by default each file's own is looked for.
        length_unit: m, cm, mm, inch or cmu (1/0.45 inch); "auto": as the skeleton says (inches
            times its length, 0.45 at CMU and HDM05), or by the body's size if it says 1, which the
            notes say.
        up: the axis that points up in the file.
        labels: a CSV of the recordings' metadata; without it the names of HDM05 and CMU tell it.

    Raises:
        ValueError: there is no file, an AMC has no skeleton, or one is damaged or has other joints
            than the first.
    """

    @functools.lru_cache(maxsize=4)
    def read_skeleton(file: Path) -> _Skeleton:
        return _read_skeleton(file)

    def load(file: Path) -> Motion:
        place = Path(skeleton) if skeleton else _skeleton_of(file)
        try:
            own = read_skeleton(place)
        except ValueError as error:
            raise ValueError(f"{file}: its skeleton {error}") from None
        return _load(file, own, length_unit, up)

    return read_motions(path, _ENDING, load, layout=layout, labels=labels, progress=progress)


@dataclass
class _Bone:
    name: str
    direction: Array = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: tuple[str, Array] = ("", np.zeros(0))
    dof: tuple[str, ...] = ()
    parent: int = -1


@dataclass
class _Skeleton:
    bones: list[_Bone]
    """The root first, parents before their children."""
    length: float
    degrees: bool


def _skeleton_of(file: Path) -> Path:
    """The skeleton of a motion."""
    for folder in (file.parent, file.resolve().parent.parent):
        files = sorted(one for one in folder.iterdir() if one.suffix.lower() == ".asf")
        named = [one for one in files if file.stem.startswith(one.stem)]
        if named:
            return max(named, key=lambda one: len(one.stem))
        if len(files) == 1:
            return files[0]
        if files:
            break
    there = "there is no .asf file next to it"
    if files:
        there = "there are several .asf files next to it, and none shares the beginning of its name"
    raise ValueError(f"{file}: {there}; name its skeleton (option skeleton)")


def _read_skeleton(file: Path) -> _Skeleton:
    lines = read_text(file, errors="replace", most=_LONGEST_SKELETON).splitlines()
    sections: dict[str, list[list[str]]] = {}
    here: list[list[str]] = []
    for line in lines:
        words = line.partition("#")[0].split()
        if words and words[0].startswith(":"):
            here = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            here.append(words)
    try:
        units = {words[0].lower(): words[-1] for words in sections.get("units", [])}
        bones = {_ROOT: _root(sections.get("root", []))} | _bones(sections.get("bonedata", []))
        ordered = _ordered(bones, sections.get("hierarchy", []))
        length = finite_number(units.get("length", "1"))
        if length <= 0:
            raise ValueError(f"the unit of length is {length:g}")
        return _Skeleton(ordered, length, not units.get("angle", "deg").lower().startswith("rad"))
    except (ValueError, IndexError) as error:
        what = str(error) if isinstance(error, ValueError) else "a line is cut off"
        raise ValueError(f"{file}: not a whole ASF skeleton: {what}") from None


def _root(lines: list[list[str]]) -> _Bone:
    """The root; its place is that of a bone of length 1."""
    bone = _Bone(_ROOT, length=1.0, dof=("tx", "ty", "tz", "rx", "ry", "rz"))
    order, turn = "XYZ", np.zeros(3)
    for key, *words in lines:
        match key.lower():
            case "order":
                bone.dof = tuple(word.lower() for word in words)
            case "axis":
                order = words[0].upper()
            case "position":
                bone.direction = _numbers(words[:3], 3)
            case "orientation":
                turn = _numbers(words[:3], 3)
    bone.axis = (order, turn)
    return _checked(bone)


def _bones(lines: list[list[str]]) -> dict[str, _Bone]:
    bones: dict[str, _Bone] = {}
    bone: _Bone | None = None
    for key, *words in lines:
        if key.lower() == "begin":
            bone = _Bone("")
        elif bone is not None and key.lower() == "end":
            if not bone.name or bone.name in bones or bone.name == _ROOT:
                raise ValueError(f"the bone {bone.name[:40]!r} is nameless or appears twice")
            bones[bone.name] = _checked(bone)
            bone = None
        elif bone is not None:
            _describe(bone, key.lower(), words)
    if len(bones) >= MOST_JOINTS:
        raise ValueError(f"it has more than {MOST_JOINTS} bones")
    return bones


def _describe(bone: _Bone, key: str, words: list[str]) -> None:
    match key:
        case "name":
            bone.name = words[0]
        case "direction":
            bone.direction = _numbers(words[:3], 3)
        case "length":
            bone.length = finite_number(words[0])
        case "axis":
            bone.axis = (words[3].upper(), _numbers(words[:3], 3))
        case "dof":
            bone.dof = tuple(word.lower() for word in words)


def _checked(bone: _Bone) -> _Bone:
    known = {"rx", "ry", "rz"} | ({"tx", "ty", "tz"} if bone.name == _ROOT else set())
    if len(set(bone.dof)) < len(bone.dof) or not set(bone.dof) <= known:
        raise ValueError(
            f"{bone.name[:40]} moves by {' '.join(bone.dof)[:40]}; known are "
            f"{', '.join(sorted(known))}, each once"
        )
    if sorted(bone.axis[0]) not in ([], ["X", "Y", "Z"]):
        raise ValueError(f"{bone.name[:40]} has the axis {bone.axis[0][:40]!r}, not one like XYZ")
    return bone


def _ordered(bones: Mapping[str, _Bone], hierarchy: list[list[str]]) -> list[_Bone]:
    """The bones below the root, parents first."""
    below: dict[str, list[str]] = {}
    for parent, *children in hierarchy:
        if parent.lower() not in ("begin", "end"):
            below.setdefault(parent, []).extend(children)
    ordered, places = [bones[_ROOT]], {_ROOT: 0}
    for place, bone in enumerate(ordered):  # grows
        for name in below.get(bone.name, []):
            if name not in bones or name in places:
                raise ValueError(
                    f"the hierarchy names {name[:40]!r}, which is not a bone, or appears twice"
                )
            bones[name].parent = place
            places[name] = len(ordered)
            ordered.append(bones[name])
    if len(ordered) < len(bones):
        lost = next(name for name in bones if name not in places)
        raise ValueError(f"the bone {lost[:40]!r} is not in the hierarchy")
    return ordered


def _load(file: Path, skeleton: _Skeleton, unit: LengthUnit, up: Up) -> Motion:
    bones = skeleton.bones
    parents = [bone.parent for bone in bones]
    try:
        values = _values(read_text(file, errors="replace"), skeleton)
        check_size(len(values), len(bones), values.size)
        how, metres = "", METRES["inch"] / skeleton.length
        if unit != "auto" or skeleton.length == 1:
            lengths = [0.0, *(abs(bone.length) for bone in bones[1:])]
            metres, how = metres_of(unit, longest_path(parents, lengths), "the skeleton")
        blocks = range(0, max(len(values), 1), _BLOCK)
        places = np.concatenate([_places(skeleton, values[at : at + _BLOCK]) for at in blocks])
        names = tuple(bone.name for bone in bones)
        rate = _RATE.fullmatch(file.stem)
        fps = float(rate[1]) if rate and int(rate[1]) else _FPS
        return Motion(names, tuple(parents), y_up(places * metres, up), fps, 0, how)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _values(text: str, skeleton: _Skeleton) -> Array:
    """(T, D) the values of all bones' degrees of freedom, angles in degrees."""
    slices: dict[str, slice] = {}
    turns: list[bool] = []
    for bone in skeleton.bones:
        slices[bone.name] = slice(len(turns), len(turns) + len(bone.dof))
        turns += [name.startswith("r") for name in bone.dof]
    degrees, there = skeleton.degrees, set[str]()
    rows: list[Array] = []
    first: set[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            degrees = {":degrees": True, ":radians": False}.get(words[0].lower(), degrees)
        elif len(words) == 1 and words[0].isdigit():
            first = _checked_frame(there, first, len(rows))
            rows.append(np.zeros(len(turns)))
            there = set()
        else:
            place = slices.get(words[0])
            if place is None or not rows or words[0] in there:
                raise ValueError(
                    f"line {number}: {words[0][:40]!r} is not a bone of the skeleton, appears "
                    "twice, or comes before the first frame"
                )
            rows[-1][place] = _numbers(words[1:], place.stop - place.start, f"line {number}: ")
            there.add(words[0])
    _checked_frame(there, first, len(rows))
    values = np.stack(rows) if rows else np.zeros((0, len(turns)))
    return values if degrees else np.where(turns, np.degrees(values), values)


def _checked_frame(there: set[str], first: set[str] | None, count: int) -> set[str] | None:
    """Refuse a frame with other bones than the first one's."""
    if count == 0:
        return None
    if (first is not None and there != first) or not there:
        lost = sorted((first or there) ^ there)
        raise ValueError(
            f"frame {count} lacks bones of the first one ({', '.join(lost[:3]) or 'none'}); "
            "it was cut off"
        )
    return there


def _places(skeleton: _Skeleton, values: Array) -> Array:
    """(T, J, 3) in the file's unit, of the values (T, D)."""
    local, offsets, first = [], [], 0
    for bone in skeleton.bones:
        own = values[:, first : first + len(bone.dof)]
        first += len(bone.dof)
        turns = [i for i, name in enumerate(bone.dof) if name[0] == "r"]
        order, angles = bone.axis
        # The first axis is turned about first, so it stands last in the product.
        axis = rotations(
            order[::-1], angles[::-1] if skeleton.degrees else np.degrees(angles)[::-1]
        )
        axes = "".join(bone.dof[i][1].upper() for i in turns[::-1])
        local.append(axis @ rotations(axes, own[:, turns[::-1]]) @ axis.T)
        offset = np.repeat((bone.direction * bone.length)[None], len(values), axis=0)
        for i, name in enumerate(bone.dof):
            if name[0] == "t":
                offset[:, "xyz".index(name[1])] += own[:, i]
        offsets.append(offset)
    return joint_places([bone.parent for bone in skeleton.bones], local, offsets, own=True)


def _numbers(words: list[str], count: int, where: str = "") -> Array:
    if len(words) != count:
        raise ValueError(f"{where}expected {count} numbers, got {len(words)}")
    return np.array([finite_number(word, where) for word in words])
