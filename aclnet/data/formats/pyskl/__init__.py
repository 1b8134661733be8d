"""PYSKL's annotation pickles: NTU RGB+D, PKU-MMD, FineGYM, Kinetics and users' files of that form.

Source: Duan et al., "PYSKL: Towards Good Practices for Skeleton Action Recognition", ACM MM 2022;
spec section 4.1. The file is a dict of `split` (lists of sample names) and `annotations`, or a list
of annotations (`aclnet.data.formats.pyskl.annotations`). Where keypoint holds x, y and the score,
which PYSKL keeps apart, the score is read as the confidence, that of keypoint_score first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from aclnet.data.class_names import class_lists, class_names
from aclnet.data.formats import Progress, with_progress
from aclnet.data.formats.keypoints.picture_unit import one_unit
from aclnet.data.formats.pyskl.annotations import Annotation, load_annotations, looks_annotated
from aclnet.data.formats.pyskl.kpfiles import BoxRules, with_keypoints
from aclnet.data.names import parse_ntu
from aclnet.data.numbering import Numbers
from aclnet.data.sample import Sample, StoreInfo
from aclnet.foreign.text import read_text
from aclnet.skeleton import Layout, load_layout

UNPICKLES = True
MOST_CLASSES = 10_000
"""A larger label without class names is taken for a mistake."""
_NTU_LISTS = ("ntu60", "ntu120")
_LAYOUTS = {(25, 3): "ntu25", (17, 2): "coco17"}

Poses = npt.NDArray[Any]
Posed = tuple[Annotation, Poses, Numbers | None, Mapping[str, int]]
"""An annotation, its keypoints, the frames' numbers and what was left out, by reason."""


def recognises(path: Path) -> bool:
    """Whether it is a pickle that begins like an annotation file."""
    named = path.is_file() and path.suffix.lower() in (".pkl", ".pickle")
    return named and looks_annotated(path)


def read(
    path: Path,
    *,
    layout: Layout | None = None,
    progress: Progress | None = None,
    persons: int = 2,
    classes: str | None = None,
    kpfiles: str | None = None,
    box_threshold: float | None = None,
    squeeze: bool = True,
    max_persons: int = 10,
) -> tuple[StoreInfo, Iterator[Sample]]:
    """Read an annotation file.

    Args:
        path: the pickle.
        layout: the joints; needed unless there are 25 in 3-D (ntu25) or 17 in 2-D (coco17).
        progress: called with the number of the annotation and their total.
        persons: M of the samples: of more, those seen in most frames (of equals the first ones),
            in the order of the file; the others are counted. Missing persons are zero.
        classes: a text file with one class name a line in the order of the labels, or the name of
            a shipped list such as pku51. By default NTU's names for NTU's samples, else numbers of
            equal length, whose order as text is that of the numbers. A label that contradicts an
            NTU name is a mistake, unless it counts in a list given here.
        kpfiles: Kinetics: the folder with the files that raw_file names.
        box_threshold: Kinetics: the least box_score of a person. By default all boxes are taken,
            as the released configuration does (`aclnet.data.formats.pyskl.kpfiles`).
        squeeze: Kinetics: leave out the frames without a person.
        max_persons: Kinetics: the most persons of a frame, before `persons` cuts.

    Raises:
        ValueError: the file, an option or an annotation is malformed; NaN, a third number that is a
            score in some annotations only, pixels beside shares of the picture, and faults in
            kpfiles are found while the samples are drawn.
    """
    if persons < 1 or max_persons < 1:
        raise ValueError(
            f"persons and max_persons must be at least 1, they are {persons}, {max_persons}"
        )
    annotations, splits = load_annotations(path)
    first = annotations[0]
    folder = _kpfile_folder(annotations, kpfiles, path)
    rules = BoxRules(box_threshold, squeeze, max_persons)
    told = (annotation.third_is_score for annotation in annotations)
    scored = next((tells for tells in told if tells is not None), False)
    dims = first.shape[3] if first.shape and not scored else 2
    chosen = _layout(first, dims, layout)
    channels = ("x", "y", "z")[:dims]
    sizes = {annotation.image_size for annotation in annotations}
    poses: Iterable[Posed] = (
        with_keypoints(annotations, folder, chosen.joint_count, rules)
        if folder
        else ((one, _with_scores(one, dims, chosen), None, {}) for one in annotations)
    )
    drawn = with_progress(poses, len(annotations), progress)
    unit: Literal["pixel", "metre", "normalised"] | None = "metre"
    if dims == 2:
        unit, drawn = one_unit(drawn, lambda one: (f"{path}: sample {one[0].key!r}", one[1]))
    info = StoreInfo.of_file(
        path,
        chosen,
        channels=(*channels, "confidence") if first.scored or scored else channels,
        unit=unit or "pixel",
        image_size=sizes.pop() if len(sizes) == 1 else None,
        classes=_class_order(annotations, classes),
        settings={"persons": persons, **(rules._asdict() if folder else {})},
    )
    listed = {sample for samples in splits.values() for sample in samples}
    if unknown := len(listed.difference(annotation.key for annotation in annotations)):
        info.count_dropped("names in a split without an annotation", unknown)
    return info, _samples(drawn, info, splits, persons)


def _samples(
    poses: Iterable[Posed],
    info: StoreInfo,
    splits: Mapping[str, Iterable[str]],
    persons: int,
) -> Iterator[Sample]:
    tokens = _tokens(splits)
    for annotation, keypoint, numbers, left_out in poses:
        if not keypoint[..., :2].any():
            info.count_dropped("annotations without a person")
            continue
        for reason, count in left_out.items():
            info.count_dropped(reason, count)
        name = parse_ntu(annotation.key)
        kept, beyond = _seen_most(keypoint, persons)
        info.count_dropped(f"people beyond the {persons} seen in most frames", beyond)
        lacking = persons - len(kept)
        padded = np.pad(kept, ((0, lacking), (0, 0), (0, 0), (0, 0)))
        yield Sample(
            sample=annotation.key,
            frames=padded.transpose(1, 0, 2, 3),
            label="" if annotation.label is None else info.classes[annotation.label],
            split=tokens.get(annotation.key, ""),
            image_size=annotation.image_size if info.image_size is None else None,
            frame_numbers=numbers,
            **(name.fields if name else {}),
        )


def _seen_most(keypoint: Poses, persons: int) -> tuple[Poses, int]:
    """Those of M persons who are seen in most frames, and the number of others who are seen."""
    if len(keypoint) <= persons:
        return keypoint, 0
    frames = (keypoint[..., :2] != 0).any(axis=(2, 3)).sum(axis=1)
    kept = np.sort(np.argsort(-frames, kind="stable")[:persons])
    return keypoint[kept], int(np.count_nonzero(np.delete(frames, kept)))


def _tokens(splits: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """By sample the names of the splits that list it, with a space between."""
    tokens: dict[str, str] = {}
    for split, samples in splits.items():
        # A name is one word in a store.
        word = "_".join(split.split())
        for sample in dict.fromkeys(samples):
            tokens[sample] = f"{tokens[sample]} {word}" if sample in tokens else word
    return tokens


def _with_scores(annotation: Annotation, dims: int, layout: Layout) -> Poses:
    """The keypoints (M, T, V, C), C with the score where there is one."""
    keypoint: Poses = annotation.array("keypoint", 4)
    _check_finite(annotation, "keypoint", keypoint, layout)
    is_score = keypoint.shape[3] > dims
    if annotation.third_is_score not in (is_score, None):
        here, there = ("a coordinate", "a score") if is_score else ("a score", "a coordinate")
        problem = f"seems to have {here} as the third number, other annotations have {there}"
        raise annotation.fault("keypoint", problem, "keep them in separate files")
    if not annotation.scored:
        return keypoint
    score = annotation.array("keypoint_score", 3)
    _check_finite(annotation, "keypoint_score", score, layout)
    return np.concatenate([keypoint[..., :dims], score[..., None]], axis=-1)


def _check_finite(annotation: Annotation, field: str, values: Poses, layout: Layout) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        person, frame, joint = bad[0, :3].tolist()
        raise annotation.fault(
            field,
            f"has {len(bad)} values that are NaN or infinite, the first in frame {frame}, person "
            f"{person}, joint {layout.joints[joint]}",
            "set joints that are missing to 0 or take the annotation out of the file",
        )


def _layout(first: Annotation, dims: int, layout: Layout | None) -> Layout:
    if not first.shape:
        return layout or load_layout("coco17")
    joints = first.shape[2]
    if layout is None and (joints, dims) not in _LAYOUTS:
        raise first.fault(
            "keypoint",
            f"has {joints} joints in {dims}-D",
            "25 in 3-D are read as ntu25 and 17 in 2-D as coco17, for any other joints name the "
            "layout",
        )
    chosen = layout or load_layout(_LAYOUTS[joints, dims])
    if chosen.joint_count != joints:
        problem = f"has {joints} joints, layout {chosen.name} has {chosen.joint_count}"
        raise first.fault("keypoint", problem, "name the layout that the file has")
    return chosen


def _kpfile_folder(
    annotations: Iterable[Annotation], kpfiles: str | None, path: Path
) -> Path | None:
    samples: dict[str, str] = {}  # the first sample of each file
    for annotation in annotations:
        if annotation.kpfile:
            samples.setdefault(annotation.kpfile, annotation.key)
    if kpfiles is not None and not samples:
        raise ValueError(
            f"{path}: option kpfiles {kpfiles}, but the annotations have their keypoints; leave "
            "the option out"
        )
    for name, sample in samples.items():
        if kpfiles is None:
            raise ValueError(
                f"{path}: sample {sample!r}: its keypoints are in {name}; name the folder of such "
                "files by the option kpfiles"
            )
        if not (Path(kpfiles) / name).is_file():
            raise ValueError(
                f"{path}: sample {sample!r}: {Path(kpfiles) / name} is not there; fetch it or name "
                "another folder by the option kpfiles"
            )
    return Path(kpfiles) if kpfiles is not None else None


def _class_order(annotations: Sequence[Annotation], classes: str | None) -> tuple[str, ...]:
    """The names of the classes in the order of their numbers, none where nothing has a label."""
    labelled = [
        (one.label, one, parse_ntu(one.key)) for one in annotations if one.label is not None
    ]
    if not labelled:
        return ()
    for label, one, name in labelled if classes in (None, *_NTU_LISTS) else ():
        if name is not None and label != name.action - 1:
            raise one.fault(
                "label",
                f"{label} contradicts the name, whose A{name.action:03d} is label "
                f"{name.action - 1}",
                "correct the label (labels count from 0: the A number - 1), or give a list of "
                "classes of your own by the option classes",
            )
    last, largest, _ = max(labelled, key=lambda item: item[0])
    if classes is not None:
        names, where = _names_of(classes), classes
    elif all(name is not None for _, _, name in labelled):
        where = next((name for name in _NTU_LISTS if last < len(class_names(name))), _NTU_LISTS[-1])
        names = class_names(where)
    else:
        count = min(last + 1, MOST_CLASSES)
        names = tuple(f"{number:0{len(str(count - 1))}d}" for number in range(count))
        where = "no list is given"
    if last >= len(names):
        raise largest.fault(
            "label",
            f"{last} is out of range, the classes ({where}) are 0 to {len(names) - 1}",
            "correct the label or give another list of classes",
        )
    return names


def _names_of(classes: str) -> tuple[str, ...]:
    if classes in class_lists():
        return class_names(classes)
    try:
        lines = read_text(Path(classes)).splitlines()
    except ValueError as error:
        raise ValueError(
            f"{classes}: cannot be read as class names ({error}); give a text file with one name "
            f"per line, or one of {', '.join(class_lists())}"
        ) from None
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"{classes}: list each class name once, one per line")
    return names
