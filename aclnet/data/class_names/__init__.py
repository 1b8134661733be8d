"""Class names of data sets whose files only number them: one text file a data set.

A file has one name per line; line k is class k, counted from 0 as in a model's output. `ntu60` and
`ntu120` are the short names of the data sets' page for actions A1 to A120 (Shahroudy et al., CVPR
2016; Liu et al., TPAMI 2019). `pku51` has the names of PKU-MMD's phase 1 by their action number,
which follow the alphabet (Liu et al., arXiv 1703.07475). `nwucla` follows the action numbers of the
file names, which lack 7 and 10 (Wang et al., CVPR 2014).
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def class_lists() -> list[str]:
    """The data sets whose class names are shipped, sorted."""
    folder = resources.files("aclnet") / "data" / "class_names"
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".txt"))


def class_names(name: str) -> tuple[str, ...]:
    """The K class names of a data set, in the order of its class numbers from 0.

    Args:
        name: one of `class_lists`.

    Raises:
        ValueError: no class names of that name are shipped.

    >>> class_names("ntu60")[:3]
    ('drink water', 'eat meal', 'brush teeth')
    >>> [len(class_names(name)) for name in class_lists()]
    [120, 60, 10, 51]
    """
    known = class_lists()
    if name not in known:
        raise ValueError(f"no class names {name!r}; shipped are {', '.join(known)}")
    file = resources.files("aclnet") / "data" / "class_names" / f"{name}.txt"
    return tuple(file.read_text("utf-8").splitlines())
