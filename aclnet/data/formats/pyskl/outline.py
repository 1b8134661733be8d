"""What a whole PYSKL annotation file holds, found by a pass that builds no array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from aclnet.data.class_names import class_lists, class_names
from aclnet.data.formats.pyskl.fields import Annotation, AnnotationForm
from aclnet.data.names import NtuName, parse_ntu

MOST_CLASSES = 10_000
"""A larger label without class names is taken for a mistake."""
_NTU_LISTS = ("ntu60", "ntu120")


class Misnumbered(NamedTuple):
    """A sample whose label is not the one that its name says.

    Args:
        key: the sample's name.
        label: class number from 0, as the annotation has it.
        action: A of the name, from 1.
    """

    key: str
    label: int
    action: int


@dataclass(frozen=True)
class PysklOutline:
    """What all annotations of a file have in common.

    Args:
        first: the first annotation; all have its joints, dimensions and scores.
        keys: names of the samples.
        last_label: the highest class number, -1 where there are no labels.
        last_sample: a sample that has it.
        is_ntu: every sample is named as in NTU RGB+D and has a label.
        misnumbered: the first sample whose label contradicts its NTU name, if there is one.
        image_size: the size of all videos, None where they differ or it is not known.
        kpfiles: names of the files with the keypoints.
    """

    first: AnnotationForm
    keys: frozenset[str]
    last_label: int
    last_sample: str
    is_ntu: bool
    misnumbered: Misnumbered | None
    image_size: tuple[int, int] | None
    kpfiles: Mapping[str, str]


def outline(annotations: Iterable[Mapping[Any, Any]], path: Path) -> PysklOutline:
    """Look at every annotation.

    Args:
        annotations: with or without their arrays built.
        path: the file.

    Raises:
        ValueError: there is none, one is not what it should be, or two do not belong together.
    """
    first: AnnotationForm | None = None
    last, last_sample, is_ntu = -1, "", True
    misnumbered: Misnumbered | None = None
    image_size: tuple[int, int] | None = None
    keys: set[str] = set()
    kpfiles: dict[str, str] = {}
    for number, fields in enumerate(annotations):
        annotation = Annotation(fields, path, number)
        form = annotation.form()
        if first is None:
            first, image_size = form, form.image_size
        _check_alike(annotation, form, first)
        if form.key in keys:
            raise annotation.fault("frame_dir", "is there twice", "name every sample differently")
        keys.add(form.key)
        if form.label is not None and form.label > last:
            last, last_sample = form.label, form.key
        name = parse_ntu(form.key)
        is_ntu = is_ntu and name is not None and form.label is not None
        misnumbered = misnumbered or _misnumbered(form, name)
        image_size = image_size if image_size == form.image_size else None
        if form.kpfile:
            kpfiles.setdefault(form.kpfile, form.key)
    if first is None:
        raise ValueError(f"{path}: holds no annotation; nothing is there to be read")
    return PysklOutline(
        first, frozenset(keys), last, last_sample, is_ntu, misnumbered, image_size, kpfiles
    )


def _misnumbered(form: AnnotationForm, name: NtuName | None) -> Misnumbered | None:
    """What is wrong with a label, where the sample's name says another one."""
    if name is None or form.label in (None, name.action - 1):
        return None
    return Misnumbered(form.key, int(form.label or 0), name.action)


def _check_alike(annotation: Annotation, form: AnnotationForm, first: AnnotationForm) -> None:
    if bool(form.kpfile) != bool(first.kpfile):
        raise annotation.fault(
            "keypoint",
            f"is {'missing' if form.kpfile else 'there'}, unlike that of {first.key!r}",
            "keep annotations with raw_file in a file of their own",
        )
    if (form.joints, form.dims) != (first.joints, first.dims):
        raise annotation.fault(
            "keypoint",
            f"has {form.joints} joints in {form.dims}-D, that of {first.key!r} has "
            f"{first.joints} in {first.dims}-D",
            "keep one layout a file",
        )
    if form.scored != first.scored:
        raise annotation.fault(
            "keypoint_score",
            f"is {'there' if form.scored else 'missing'}, unlike that of {first.key!r}",
            "give every annotation scores, or none",
        )
    if (form.label is None) != (first.label is None):
        raise annotation.fault(
            "label",
            f"is {'missing' if form.label is None else 'there'}, unlike that of {first.key!r}",
            "give every annotation a label, or none",
        )


def class_order(found: PysklOutline, classes: str | Path | None, path: Path) -> tuple[str, ...]:
    """The names of the classes in the order of their numbers, none where nothing has a label.

    Args:
        found: of the file.
        classes: a text file with one name a line, or the name of a shipped list (pku51). By
            default NTU's own names where the samples are NTU's, else numbers of equal length,
            whose order as text is that of the numbers.
        path: the annotation file.

    Raises:
        ValueError: the names cannot be read or are not each there once, a label has none, or it
            contradicts an NTU name though no other classes than NTU's are given.
    """
    if found.last_label < 0:
        return ()
    if found.misnumbered is not None and (classes is None or str(classes) in _NTU_LISTS):
        key, label, action = found.misnumbered
        raise ValueError(
            f"{path}: sample {key!r}: label {label} contradicts the name, whose A{action:03d} is "
            f"label {action - 1}; correct the label (labels count from 0: the A number - 1), or "
            "give a list of classes of your own by the option classes"
        )
    if classes is not None:
        names = _names_of(classes)
        where = str(classes)
    elif found.is_ntu:
        where = next(
            (name for name in _NTU_LISTS if found.last_label < len(class_names(name))),
            _NTU_LISTS[-1],
        )
        names = class_names(where)
    else:
        count = min(found.last_label + 1, MOST_CLASSES)
        names = tuple(f"{number:0{len(str(count - 1))}d}" for number in range(count))
        where = "no list is given"
    if found.last_label >= len(names):
        raise ValueError(
            f"{path}: sample {found.last_sample!r}: label {found.last_label} is out of range, the "
            f"classes ({where}) are 0 to {len(names) - 1}; correct the label or give another list "
            "of classes"
        )
    return names


def _names_of(classes: str | Path) -> tuple[str, ...]:
    if str(classes) in class_lists():
        return class_names(str(classes))
    try:
        lines = Path(classes).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{classes}: cannot be read as class names ({error}); give a text file with one name a "
            f"line, or one of {', '.join(class_lists())}"
        ) from None
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"{classes}: the class names must be there once each, one a line")
    return names
