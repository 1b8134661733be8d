"""The names of the classes that the labels of a PYSKL file number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aclnet.data.class_names import class_lists, class_names
from aclnet.data.formats.pyskl.fields import AnnotationForm
from aclnet.data.names import parse_ntu

MOST_CLASSES = 10_000
"""A larger label without class names is taken for a mistake."""
_NTU_LISTS = ("ntu60", "ntu120")


def class_order(
    forms: Sequence[AnnotationForm], classes: str | Path | None, path: Path
) -> tuple[str, ...]:
    """The names of the classes in the order of their numbers, none where nothing has a label.

    Args:
        forms: of all annotations.
        classes: a text file with one name a line, or the name of a shipped list (pku51). By
            default NTU's own names where the samples are NTU's, else numbers of equal length,
            whose order as text is that of the numbers.
        path: the annotation file.

    Raises:
        ValueError: the names cannot be read or are not each there once, a label has none, or it
            contradicts an NTU name though no other classes than NTU's are given.
    """
    labelled = [(form.label, form.key) for form in forms if form.label is not None]
    if not labelled:
        return ()
    parsed = [(label, key, parse_ntu(key)) for label, key in labelled]
    if classes is None or str(classes) in _NTU_LISTS:
        for label, key, name in parsed:
            if name is not None and label != name.action - 1:
                raise ValueError(
                    f"{path}: sample {key!r}: label {label} contradicts the name, whose "
                    f"A{name.action:03d} is label {name.action - 1}; correct the label (labels "
                    "count from 0: the A number - 1), or give a list of classes of your own by "
                    "the option classes"
                )
    last, sample = max(labelled, key=lambda pair: pair[0])
    if classes is not None:
        names, where = _names_of(classes), str(classes)
    elif all(name is not None for _, _, name in parsed):
        fitting = [name for name in _NTU_LISTS if last < len(class_names(name))]
        where = (*fitting, _NTU_LISTS[-1])[0]
        names = class_names(where)
    else:
        count = min(last + 1, MOST_CLASSES)
        names = tuple(f"{number:0{len(str(count - 1))}d}" for number in range(count))
        where = "no list is given"
    if last >= len(names):
        raise ValueError(
            f"{path}: sample {sample!r}: label {last} is out of range, the classes ({where}) are 0 "
            f"to {len(names) - 1}; correct the label or give another list of classes"
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
