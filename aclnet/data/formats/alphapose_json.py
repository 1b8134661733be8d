"""AlphaPose's JSON: one file a video, `alphapose-results.json`.

Source: documentation and `write_json` of github.com/MVIG-SJTU/AlphaPose, and a real file. The file
is a list of people, each with `image_id`, `keypoints` (x, y, confidence a joint), `score`, `box`
and in some versions `idx`: a number, [number] or [[number], …]. COCO's own result files (`image_id`
a number) are read the same way. With AlphaPose's `--format cmu` or `open` it is an object of images
with `bodies` or `people`, whose 18 joints are in OpenPose's order. Images without people are not in
the file; missing numbers in the images' names are kept as gaps.

In the list form 18 joints may be in OpenPose's order or be COCO-17 and the neck: name the layout.
Confidences may exceed 1 and are not changed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from aclnet.data.formats.keypoints.files import (
    Recording,
    find_recordings,
    first_head,
    recording_key,
)
from aclnet.data.formats.keypoints.frames import KeypointFrames, PeopleInFrames, load_json
from aclnet.data.formats.keypoints.reader import KeypointOptions, KeypointReader
from aclnet.skeleton import load_layout

_LAYOUTS = {
    (17, 2): ("coco17",),
    (18, 2): ("coco18", "coco17_neck18"),
    (26, 2): ("halpe26",),
}
_LIST = re.compile(r'\[\{"(image_id|category_id|keypoints|score)":.*"image_id":|\[\{"image_id":')
_OBJECT = re.compile(r'\{"[^"]*":\{"version":[^,{]+,"(bodies|people)":\[')
_OWN_NAME = "alphapose-results"


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one, at most four folders down."""
    head = first_head(path)
    return bool(_LIST.match(head) or _OBJECT.match(head))


def _recordings(path: Path) -> list[Recording]:
    """Files; one with AlphaPose's own name is named after its folder."""
    recordings = find_recordings(path)
    own = [recording for recording in recordings if recording.files[0].stem == _OWN_NAME]
    if path.is_file() or not own:
        return recordings
    folders = [recording.place.parent for recording in own]
    return [
        Recording(recording_key(path, folder), recording.files, folder.resolve().parent.name)
        for recording, folder in zip(own, folders, strict=True)
    ]


def _load(recording: Recording, _: KeypointOptions) -> KeypointFrames:
    file = recording.place
    content = load_json(file)
    if isinstance(content, dict):
        return _from_images(content, file)
    if not isinstance(content, list):
        raise _foreign(file)
    frames = PeopleInFrames()
    for number, person in enumerate(content):
        image = person.get("image_id") if isinstance(person, dict) else None
        if type(image) not in (str, int) or "keypoints" not in person:
            raise _foreign(file)
        place = f"entry {number} ({image})"
        frames.add(str(image), person["keypoints"], place, _track(person.get("idx")))
    return frames.triples(file)


def _from_images(content: dict[str, Any], file: Path) -> KeypointFrames:
    """`--format cmu` or `open`: an object of images, 18 joints in OpenPose's order."""
    frames = PeopleInFrames()
    for image, value in content.items():
        people = value.get("bodies", value.get("people")) if isinstance(value, dict) else None
        if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
            raise _foreign(file)
        frames.add_frame(image)
        for number, person in enumerate(people):
            row = person.get("joints", person.get("pose_keypoints_2d"))
            frames.add(image, row, f"{image}, person {number}")
    found = frames.triples(file)
    named = found.points.shape[1] == 18
    return replace(found, joints=load_layout("coco18").joints) if named else found


def _track(idx: object) -> str:
    """The id in any of its shapes; the first one of merged people."""
    while isinstance(idx, list) and idx:
        idx = idx[0]
    return f"{idx:g}" if type(idx) in (int, float) else ""


def _foreign(file: Path) -> ValueError:
    return ValueError(
        f"{file}: no AlphaPose result: it must be a list of people with image_id and keypoints, or "
        "an object of images; take other JSON files out of the folder"
    )


read = KeypointReader(_recordings, _load, _LAYOUTS)
"""Read a file, or a folder of them; where files have AlphaPose's own name, those alone.

The joints are COCO-17 or Halpe-26 (also of Halpe-136) by their number, unless a layout is named.
"""
