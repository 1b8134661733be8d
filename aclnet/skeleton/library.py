"""Joint layouts from YAML: names, bones, mirror pairs, centre and parts.

A layout describes the V columns of a clip (N, M, T, V, C). The shipped ones are YAML files beside
this module (`layouts/*.yaml`); a user's own is a file of the same form:

```yaml
name: upper4
joints: [neck, head, left_hand, right_hand]
centre: neck                  # the root joint, towards which every bone leads
bones: {head: neck, left_hand: neck, right_hand: neck}   # child: parent
mirror: {left_hand: right_hand}      # left: right; by default derived from the names
parts: {trunk: [neck, head], left_arm: [left_hand], right_arm: [right_hand]}   # too
aliases: {neck: [shoulder_centre]}   # other names of a joint, used to map between layouts
derived: {neck: [left_hand, right_hand]}   # mean of others, to map from layouts without it
```

Joints may be spelled as data files do (`LeftHand`); a layout has their canonical names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from aclnet.foreign.text import load_json, read_text
from aclnet.skeleton.layout import Layout
from aclnet.skeleton.names import canonical_name, nearest_name

_LEG = ("hip", "knee", "ankle", "foot", "toe", "heel", "thigh", "shin", "calf", "leg")
_ARM = ("shoulder", "elbow", "wrist", "hand", "finger", "thumb", "index", "pinky", "palm")
_LIMBS = {"leg": {*_LEG}, "arm": {*_ARM, "clavicle", "forearm", "arm"}}
"""Words in the names of the limbs' joints; a foot's index is not a finger."""

_KEYS = ("name", "joints", "bones", "centre", "mirror", "parts", "aliases", "derived")

_LONGEST = 100_000
"""Characters of a layout's YAML."""

_DESCRIPTIONS = ("run.json", "store.json")
"""Files of runs and stores whose key `layout` is a layout."""


def layout_names() -> list[str]:
    """The names of the shipped layouts, sorted."""
    folder = resources.files("aclnet.skeleton") / "layouts"
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_layout(name_or_path: str | Path) -> Layout:
    """A shipped layout by its name, a user's own from a YAML file, or that of a run or store.

    Args:
        name_or_path: a name, a YAML file, or the folder of a run or of a store.

    Raises:
        ValueError: no such layout or file, or the file is not a valid layout.
    """
    text = str(name_or_path)
    if text in layout_names():
        file = resources.files("aclnet.skeleton") / "layouts" / f"{text}.yaml"
        return layout_from_dict(_mapping(file.read_text("utf-8"), file.name), file.name)
    path = layout_file(name_or_path)
    if path is None:
        raise ValueError(
            f"no joint layout {text!r}{nearest_name(text, layout_names())}; choose one of "
            f"{', '.join(layout_names())}, or give the path of a YAML file, of a run or of a store"
        )
    if path.name in _DESCRIPTIONS:
        content = load_json(path)
        values = content.get("layout") if isinstance(content, dict) else None
        if isinstance(values, dict):
            return layout_from_dict(values, f"{path}: layout")
    return layout_from_dict(_mapping(read_text(path, most=_LONGEST), str(path)), str(path))


def layout_file(name_or_path: str | Path) -> Path | None:
    """The file that holds a user's layout, itself or in the folder of a run or store; or None."""
    path = Path(name_or_path)
    within = (path / name for name in _DESCRIPTIONS)
    return path if path.is_file() else next((file for file in within if file.is_file()), None)


def is_shipped(layout: Layout) -> bool:
    """Whether a layout's name is that of a shipped one with the same joints."""
    return layout.name in layout_names() and load_layout(layout.name).joints == layout.joints


def layout_from_dict(data: Mapping[str, Any], where: str = "layout") -> Layout:
    """A layout from plain values; bones may be pairs in either direction or a child-parent map.

    Args:
        data: the keys of the YAML form above in this module.
        where: the source, for error messages.

    Raises:
        ValueError: a key is unknown, missing or of the wrong form, or the layout is invalid.
    """
    unknown = [key for key in data if key not in _KEYS]
    if unknown:
        raise ValueError(
            f"{where}: unknown key {unknown[0]!r}{nearest_name(str(unknown[0]), _KEYS)}; "
            f"a layout has {', '.join(_KEYS)}"
        )
    missing = [key for key in ("name", "joints", "bones", "centre") if key not in data]
    if missing:
        raise ValueError(f"{where}: a layout needs the key {missing[0]!r}")
    joints = tuple(_texts(data["joints"], where, "joints"))
    bones = _pairs(data["bones"], where, "bones")
    centre = _joint_name(str(data["centre"]))
    mirror, parts = data.get("mirror"), data.get("parts")
    try:
        return Layout(
            name=str(data["name"]),
            joints=joints,
            bones=_towards(centre, bones),
            centre=centre,
            mirror=_sided_pairs(joints) if mirror is None else _pairs(mirror, where, "mirror"),
            parts=_sided_parts(joints) if parts is None else _groups(parts, where, "parts"),
            aliases=_of_joints(_groups(data.get("aliases"), where, "aliases")),
            derived=_of_joints(_groups(data.get("derived"), where, "derived")),
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def find_layout(joint_names: Sequence[str]) -> Layout | None:
    """The shipped layout whose joints are these, in this order, or None.

    >>> layout = find_layout(load_layout("kgbd20").joints)
    >>> layout.name if layout else "unknown"
    'kgbd20'
    """
    for name in layout_names():
        layout = load_layout(name)
        if len(joint_names) == layout.joint_count and all(
            layout.find(joint) == place for place, joint in enumerate(joint_names)
        ):
            return layout
    return None


def reordered_layout(joint_names: Sequence[str]) -> Layout | None:
    """A shipped layout with its joints in this order, if it has just these joints, or None.

    >>> layout = reordered_layout(load_layout("kgbd20").joints[::-1])
    >>> layout.joints[0] if layout else "unknown"
    'left_foot'
    """
    for layout in map(load_layout, layout_names()):
        columns = [column for name in joint_names if (column := layout.find(name)) is not None]
        if len(joint_names) == layout.joint_count == len(set(columns)):
            return replace(layout, joints=tuple(layout.joints[column] for column in columns))
    return None


def _towards(centre: str, bones: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The bones in order, each as (child, parent); `Layout` refuses those without a path there."""
    bones = list(bones)
    done: dict[int, tuple[str, str]] = {}
    reached = {canonical_name(centre)}
    grown = True
    while grown:
        grown = False
        for place, (a, b) in enumerate(bones):
            ends = (canonical_name(a), canonical_name(b))
            if place in done or not reached & set(ends):
                continue
            done[place] = (a, b) if ends[1] in reached else (b, a)
            reached.update(ends)
            grown = True
    return tuple(done.get(place, bone) for place, bone in enumerate(bones))


def _sided_pairs(joints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (joint, "right_" + joint[5:])
        for joint in joints
        if joint.startswith("left_") and "right_" + joint[5:] in joints
    )


def _sided_parts(joints: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Arms, legs and the trunk by the joints' names; none where no limb's side is known."""
    parts: dict[str, list[str]] = {}
    for joint in joints:
        side, *words = joint.split("_")
        limb = next((limb for limb, known in _LIMBS.items() if known & set(words)), None)
        sided = side in ("left", "right") and limb is not None
        parts.setdefault(f"{side}_{limb}" if sided else "trunk", []).append(joint)
    return {part: tuple(names) for part, names in parts.items()} if set(parts) - {"trunk"} else {}


def _mapping(text: str, where: str) -> Mapping[str, Any]:
    from aclnet.foreign.yaml import parse_yaml

    data = parse_yaml(text, where)
    if not isinstance(data, dict):
        raise ValueError(f"{where}: a layout is a mapping with the keys {', '.join(_KEYS)}")
    return data


def _joint_name(text: str) -> str:
    """The canonical name; a name in another script is its own."""
    return canonical_name(text) or text


def _of_joints(groups: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {_joint_name(joint): names for joint, names in groups.items()}


def _texts(value: object, where: str, key: str) -> list[str]:
    """A list of joints' names."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{where}: {key} must be a list of names, not {value!r}")
    return [_joint_name(name) for name in value]


def _pairs(value: object, where: str, key: str) -> tuple[tuple[str, str], ...]:
    items = list(value.items()) if isinstance(value, dict) else value
    if isinstance(items, (list, tuple)):
        pairs = [_texts(item, where, key) for item in items]
        if all(len(pair) == 2 for pair in pairs):
            return tuple((pair[0], pair[1]) for pair in pairs)
    raise ValueError(f"{where}: {key} must be a list of pairs of joint names, not {value!r}")


def _groups(value: object, where: str, key: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, (dict, type(None))):
        raise ValueError(f"{where}: {key} must map a name to a list of names, not {value!r}")
    groups = value or {}
    return {str(name): tuple(_texts(group, where, key)) for name, group in groups.items()}
