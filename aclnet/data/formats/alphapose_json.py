"""AlphaPose's JSON: one file a video, `alphapose-results.json`.

Source: documentation and `write_json` of github.com/MVIG-SJTU/AlphaPose, and a real file. The file
is a list of people, each with `image_id`, `keypoints` (x, y, confidence a joint), `score`, `box`
and in some versions `idx`: a number, [number] or [[number], …]. COCO's own result files (`image_id`
a number) are read the same way, and so is an object of images with such people. With AlphaPose's
`--format cmu` or `open` it is an object of images with `bodies` or `people`, whose 18 joints are in
OpenPose's order. Images without people are not in the file; missing numbers in the images' names
are kept as gaps. Images of several folders in one file are several recordings.

In the list form 18 joints may be in OpenPose's order or be COCO-17 and the neck: name the layout.
Confidences may exceed 1 and are not changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from aclnet.data.formats.keypoints.files import (
    Recording,
    check_one_video,
    find_recordings,
    first_head,
    recording_key,
)
from aclnet.data.formats.keypoints.frames import KeypointFrames, PeopleInFrames, person_id
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.foreign.text import load_json
from aclnet.skeleton import load_layout

_LAYOUTS = {
    (17, 2): ("coco17",),
    (18, 2): ("coco18", "coco17_neck18"),
    (26, 2): ("halpe26",),
}
_LIST = re.compile(r'\[\{"(image_id|category_id|keypoints|score)":.*"image_id":|\[\{"image_id":')
_GROUPED = re.compile(r'\{"[^"]*":\[\{("image_id":|"category_id":|"keypoints":\[-?\d)')
_OBJECT = re.compile(r'\{"[^"]*":\{("version":[^,{]+,)?"(bodies|people)":\[')
_OWN_NAME = "alphapose-results"


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    head = first_head(path)
    return any(form.match(head) for form in (_LIST, _GROUPED, _OBJECT))


class _Person(NamedTuple):
    """A person as in the file; an image without people has one without a place."""

    image: str
    place: str = ""
    row: Any = None
    track: str = ""


class _Part(NamedTuple):
    """The people of one folder's images; `cmu`: 18 joints are in OpenPose's order."""

    frames: PeopleInFrames
    cmu: bool


def _recordings(path: Path) -> list[Recording]:
    """Files, or the folders of their images; a file with AlphaPose's name is named after its own.

    The people are kept where a file has several, so that it is not read once a recording.
    """
    files = find_recordings(path)
    own = [recording for recording in files if recording.files[0].stem == _OWN_NAME]
    if own and path.is_dir():
        files = [
            Recording(recording_key(path, folder), recording.files, folder.resolve().parent.name)
            for recording in own
            for folder in [recording.place.parent]
        ]
    return [recording for file in files for recording in _split(file)]


def _split(file: Recording) -> list[Recording]:
    parts = _parts(file.place)
    if len(parts) < 2:
        return [file]
    return [
        Recording(
            f"{file.key}/{folder}" if folder else file.key,
            file.files,
            PurePosixPath(folder).parent.name or file.folder,
            part=part,
        )
        for folder, part in parts.items()
    ]


def _load(recording: Recording, _: KeypointOptions) -> KeypointFrames:
    part = recording.part or next(iter(_parts(recording.place).values()))
    found = part.frames.triples(recording.place)
    named = part.cmu and found.points.shape[1] == 18
    return replace(found, joints=load_layout("coco18").joints) if named else found


def _parts(file: Path) -> dict[str, _Part]:
    """The people by the folder of their image, in the order of the file; at least one part."""
    content = load_json(file)
    cmu = isinstance(content, dict) and all(isinstance(value, dict) for value in content.values())
    parts: dict[str, _Part] = defaultdict(lambda: _Part(PeopleInFrames(), cmu))
    for person in _people(content, file):
        folder, _, image = person.image.replace("\\", "/").rpartition("/")
        frames = parts[folder.strip("/")].frames
        frames.add_frame(image)
        if person.place:
            frames.add(image, person.row, person.place, person.track)
    for part in parts.values():
        check_one_video(part.frames.names, file)
    return parts or {"": _Part(PeopleInFrames(), cmu)}


def _people(content: Any, file: Path) -> Iterator[_Person]:
    if isinstance(content, dict):
        for image, value in content.items():
            yield from _people_of_image(image, value, file)
    elif isinstance(content, list):
        for number, person in enumerate(content):
            image = person.get("image_id") if isinstance(person, dict) else None
            if type(image) not in (str, int) or "keypoints" not in person:
                raise _foreign(file)
            place = f"entry {number} ({image})"
            yield _Person(str(image), place, person["keypoints"], person_id(person.get("idx")))
    else:
        raise _foreign(file)


def _people_of_image(image: str, value: Any, file: Path) -> Iterator[_Person]:
    """The people below an image's name: the list form's, or those of `--format cmu` or `open`."""
    people = value.get("bodies", value.get("people")) if isinstance(value, dict) else value
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise _foreign(file)
    if not people:
        yield _Person(image)
    for number, person in enumerate(people):
        keys = ("joints", "pose_keypoints_2d") if isinstance(value, dict) else ("keypoints",)
        row = next((person[key] for key in keys if key in person), None)
        name = PurePosixPath(image)
        if str(person.get("image_id", image)) not in (image, name.name, name.stem):
            raise _foreign(file)
        yield _Person(image, f"{image}, person {number}", row, person_id(person.get("idx")))


def _foreign(file: Path) -> ValueError:
    return ValueError(
        f"{file}: not an AlphaPose result: it must be a list of people with image_id and "
        "keypoints, or an object of images; move other JSON files out of the folder"
    )


read = KeypointReader(_recordings, _load, _LAYOUTS)
"""Read a file, or a folder of them; where files have AlphaPose's own name, those alone.

The joints are COCO-17 or Halpe-26 (also of Halpe-136) by their number, unless a layout is named.
"""
