"""PYSKL's annotation pickles: NTU RGB+D, PKU-MMD, FineGYM, Kinetics and what users make alike.

Source: Duan et al., "PYSKL: Towards Good Practices for Skeleton Action Recognition", ACM MM 2022;
spec section 4.1. The file is a dict of `split` (lists of sample names) and `annotations`
(`aclnet.data.formats.pyskl.fields`), or a list of annotations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aclnet.data.formats import Progress
from aclnet.data.formats.pyskl.classes import class_order
from aclnet.data.formats.pyskl.content import load, looks_annotated
from aclnet.data.formats.pyskl.fields import Annotation, AnnotationForm
from aclnet.data.formats.pyskl.kpfiles import BoxRules, with_keypoints
from aclnet.data.names import NameFields, parse_ntu
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import Layout, load_layout

UNPICKLES = True
_BY_FORM = {(25, 3): "ntu25", (17, 2): "coco17"}

Poses = npt.NDArray[Any]


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
        progress: told the annotations handed out and the annotations there are.
        persons: M of the samples, the first ones as the file has them; a person who is not there
            is zero.
        classes: a text file with one class name a line in the order of the labels, or the name of
            a shipped list such as pku51. By default NTU's names for NTU's samples, else numbers. A
            label that contradicts an NTU name is a mistake, unless it counts in a list given here.
        kpfiles: Kinetics: the folder with the files that raw_file names.
        box_threshold: Kinetics: the least box_score of a person. By default all boxes are taken,
            as the released configuration does (`aclnet.data.formats.pyskl.kpfiles`).
        squeeze: Kinetics: leave out the frames without a person.
        max_persons: Kinetics: the persons of a frame that are told apart before `persons` cuts.

    Raises:
        ValueError: the file, an option or an annotation is not what it should be; NaN and what is
            wrong in kpfiles is found while the samples are drawn.
    """
    if persons < 1 or max_persons < 1:
        raise ValueError(
            f"persons and max_persons must be at least 1, they are {persons}, {max_persons}"
        )
    annotations, splits = load(path)
    forms = [annotation.form for annotation in annotations]
    folder = _kpfile_folder(forms, kpfiles, path)
    rules = BoxRules(box_threshold, squeeze, max_persons)
    chosen = _layout(forms[0], layout, path)
    sizes = {form.image_size for form in forms}
    info = StoreInfo(
        name=path.stem,
        layout=chosen.to_dict(),
        channels=_channels(forms[0]),
        unit="metre" if forms[0].dims == 3 else "pixel",
        image_size=sizes.pop() if len(sizes) == 1 else None,
        classes=class_order(forms, classes, path),
        source=path.name,
        settings={"persons": persons, **(dataclasses.asdict(rules) if folder else {})},
    )
    listed = {sample for samples in splits.values() for sample in samples}
    unknown = len(listed - {form.key for form in forms})
    if unknown:
        info.count_dropped("names in a split without an annotation", unknown)
    poses = _poses(annotations, chosen, folder, rules)
    if progress is not None:
        poses = _told(poses, len(annotations), progress)
    return info, _samples(poses, info, splits, persons)


def _poses(
    annotations: Iterable[Annotation], layout: Layout, folder: Path | None, rules: BoxRules
) -> Iterator[tuple[Annotation, Poses]]:
    """Annotations with their poses (M, T, V, C), C with the score where there is one."""
    if folder is not None:
        yield from with_keypoints(annotations, folder, layout.joint_count, rules)
        return
    for annotation in annotations:
        yield annotation, _with_scores(annotation, layout)


def _told(
    poses: Iterable[tuple[Annotation, Poses]], count: int, progress: Progress
) -> Iterator[tuple[Annotation, Poses]]:
    for number, pose in enumerate(poses, 1):
        progress(number, count)
        yield pose


def _samples(
    poses: Iterable[tuple[Annotation, Poses]],
    info: StoreInfo,
    splits: Mapping[str, Iterable[str]],
    persons: int,
) -> Iterator[Sample]:
    tokens = _tokens(splits)
    for annotation, keypoint in poses:
        if len(keypoint) == 0:
            info.count_dropped("annotations without a person")
            continue
        form, name = annotation.form, parse_ntu(annotation.key)
        lacking = max(persons - len(keypoint), 0)
        padded = np.pad(keypoint[:persons], ((0, lacking), (0, 0), (0, 0), (0, 0)))
        yield Sample(
            sample=annotation.key,
            frames=padded.transpose(1, 0, 2, 3),
            label="" if form.label is None else info.classes[form.label],
            split=tokens.get(annotation.key, ""),
            image_size=form.image_size if info.image_size is None else None,
            **(name.fields() if name else NameFields()),
        )


def _tokens(splits: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """By sample the names of the splits that list it, with a space between."""
    tokens: dict[str, str] = {}
    for split, samples in splits.items():
        # A name is one word in a store.
        word = "_".join(split.split())
        for sample in dict.fromkeys(samples):
            tokens[sample] = f"{tokens[sample]} {word}" if sample in tokens else word
    return tokens


def _with_scores(annotation: Annotation, layout: Layout) -> Poses:
    keypoint: Poses = annotation.array("keypoint", 4)
    _check_finite(annotation, "keypoint", keypoint, layout)
    if annotation.fields.get("keypoint_score") is None:
        return keypoint
    score = annotation.array("keypoint_score", 3)
    _check_finite(annotation, "keypoint_score", score, layout)
    return np.concatenate([keypoint, score[..., None]], axis=-1)


def _check_finite(annotation: Annotation, field: str, values: Poses, layout: Layout) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        person, frame, joint = (int(place) for place in np.argwhere(bad)[0][:3])
        raise annotation.fault(
            field,
            f"has {int(bad.sum())} values that are NaN or infinite, the first in frame {frame}, "
            f"person {person}, joint {layout.joints[joint]}",
            "set joints that are missing to 0 or take the annotation out of the file",
        )


def _layout(first: AnnotationForm, told: Layout | None, path: Path) -> Layout:
    if first.joints is None:
        return told or load_layout("coco17")
    if told is None:
        name = _BY_FORM.get((first.joints, first.dims))
        if name is None:
            raise ValueError(
                f"{path}: sample {first.key!r}: keypoint has {first.joints} joints in "
                f"{first.dims}-D; 25 in 3-D are read as ntu25 and 17 in 2-D as coco17, for any "
                "other joints name the layout"
            )
        return load_layout(name)
    if told.joint_count != first.joints:
        raise ValueError(
            f"{path}: sample {first.key!r}: keypoint has {first.joints} joints, layout {told.name} "
            f"has {told.joint_count}; name the layout that the file has"
        )
    return told


def _channels(first: AnnotationForm) -> tuple[str, ...]:
    names = ("x", "y", "z")[: first.dims]
    return (*names, "confidence") if first.scored else names


def _kpfile_folder(forms: Iterable[AnnotationForm], kpfiles: str | None, path: Path) -> Path | None:
    files: dict[str, str] = {}  # and the first sample of each
    for form in forms:
        if form.kpfile:
            files.setdefault(form.kpfile, form.key)
    if kpfiles is None:
        for name, sample in files.items():
            raise ValueError(
                f"{path}: sample {sample!r}: its keypoints are in {name}; name the folder of such "
                "files by the option kpfiles"
            )
        return None
    if not files:
        raise ValueError(
            f"{path}: option kpfiles {kpfiles}, but the annotations have their keypoints; leave "
            "the option out"
        )
    for name, sample in files.items():
        if not (Path(kpfiles) / name).is_file():
            raise ValueError(
                f"{path}: sample {sample!r}: {Path(kpfiles) / name} is not there; fetch it or name "
                "another folder by the option kpfiles"
            )
    return Path(kpfiles)
