"""Apply a protocol's table to samples: which rows are gallery, which are probes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocols.embeddings import Embeddings, TextArray
from protocols.gait.gallery_probe import ANY, SELECTOR, GalleryProbe, RoleRule
from protocols.names import canonical, natural_order
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import BoolArray


@dataclass(frozen=True, eq=False)
class Assignment:
    """The rows of embeddings that a protocol uses.

    Attributes:
        gallery: (G,) rows.
        probe: (P,) rows.
        conditions: Names of the probe conditions, in the table's order.
        condition: (P,) index into ``conditions``.
        missing: Recordings in the table that the data lack, of all people and views in the data;
            rules with ``*``, ``first`` or ``random`` demand none.
        notes: Sentences on labels that were read alike or are absent.
    """

    gallery: IntArray
    probe: IntArray
    conditions: tuple[str, ...]
    condition: IntArray
    missing: int
    notes: tuple[str, ...] = ()


def assign(
    protocol: GalleryProbe, data: Embeddings, generator: np.random.Generator | None = None
) -> Assignment:
    """Find the gallery and the probes.

    Args:
        protocol: The rules.
        data: The samples.
        generator: Draws the takes of ``random N``; not used otherwise.

    Returns:
        The rows, in the order of ``data``.

    Raises:
        ValueError: ``random N`` without a generator, or no sample is gallery, or none is probe.
    """
    condition, take = canonical(data.condition), canonical(data.take)
    gallery = np.zeros(len(data), dtype=np.bool_)
    enrollable = _enrollable(protocol, condition, take)
    for rule in protocol.rules:
        if rule.role == "gallery":
            here = _of_condition(rule, condition) & enrollable
            gallery |= _of_take(rule.take, here, data.subject, take, generator)
    group = np.full(len(data), "", dtype=object)
    order: list[str] = []
    probe = np.zeros(len(data), dtype=np.bool_)
    for rule in protocol.rules:
        if rule.role == "probe":
            here = _of_condition(rule, condition) & ~gallery & ~probe
            here = _of_take(rule.take, here, data.subject, take, generator)
            group[here] = _group_names(rule, condition[here])
            order += natural_order(group[here]) if rule.condition == ANY else [rule.condition]
            probe |= here
    _check_found(protocol, data, gallery, probe)
    conditions = tuple(dict.fromkeys(order))
    rows = np.flatnonzero(probe)
    codes = np.array([conditions.index(name) for name in group[rows]], dtype=np.int64)
    missing = _count_missing(protocol, data, condition, take)
    notes = data.read_alike("condition", "take", "view")
    lost = ~gallery & ~probe & ((condition == "") | (take == ""))
    if lost.any():
        notes += (f"No condition or take, so neither gallery nor probe: {lost.sum()} samples.",)
    return Assignment(np.flatnonzero(gallery), rows, conditions, codes, missing, notes)


def _of_condition(rule: RoleRule, condition: TextArray) -> BoolArray:
    """(N,) samples of the rule's condition."""
    if rule.condition == ANY:
        return np.ones(len(condition), dtype=np.bool_)
    names = [name for name in (rule.condition, rule.alias) if name]
    return np.isin(condition, canonical(names))


def _enrollable(protocol: GalleryProbe, condition: TextArray, take: TextArray) -> BoolArray:
    """(N,) samples that other gallery takes than the protocol's own may be drawn from."""
    if not protocol.original:
        return np.ones(len(condition), dtype=np.bool_)
    enrolled = np.zeros(len(condition), dtype=np.bool_)
    reserved = np.zeros(len(condition), dtype=np.bool_)
    for rule in protocol.original:
        here = _of_condition(rule, condition)
        if rule.names_take:
            here &= np.isin(take, canonical([rule.take]))
        if rule.role == "gallery":
            enrolled |= here
        elif rule.names_take:
            reserved |= here
    return enrolled & ~reserved


def _of_take(
    selector: str,
    here: BoolArray,
    subject: TextArray,
    take: TextArray,
    generator: np.random.Generator | None,
) -> BoolArray:
    """(N,) samples of ``here`` whose take the selector names."""
    if selector == ANY:
        return here
    match = SELECTOR.fullmatch(selector)
    if match is None:
        return here & np.isin(take, canonical([selector]))
    if match[1] == "random" and generator is None:
        raise ValueError(f"Takes {selector!r} are drawn at random: pass a seeded generator.")
    places = {name: place for place, name in enumerate(natural_order(take[here]))}
    place = np.array([places.get(name, -1) for name in take], dtype=np.int64)
    person = np.unique(subject, return_inverse=True)[1]
    pairs = np.unique(np.stack([person[here], place[here]], axis=1), axis=0)
    if match[1] == "random" and generator is not None:
        pairs = pairs[np.lexsort((generator.random(len(pairs)), pairs[:, 0]))]
    starts = np.searchsorted(pairs[:, 0], pairs[:, 0])
    kept = pairs[np.arange(len(pairs)) - starts < int(match[2])]
    width = len(places) + 1
    return here & np.isin(person * width + place, kept[:, 0] * width + kept[:, 1])


def _group_names(rule: RoleRule, condition: TextArray) -> npt.NDArray[np.object_]:
    """Names of the probe conditions: the rule's, or under ``*`` the data's own."""
    if rule.condition != ANY:
        return np.full(len(condition), rule.condition, dtype=object)
    return np.where(condition == "", "all", condition).astype(object)


def _check_found(
    protocol: GalleryProbe, data: Embeddings, gallery: BoolArray, probe: BoolArray
) -> None:
    """Refuse a protocol that does not fit the data."""
    for role, found in (("gallery", gallery), ("probe", probe)):
        if not found.any():
            wanted = [
                f"{rule.condition}/{rule.take}" for rule in protocol.rules if rule.role == role
            ]
            raise ValueError(
                f"Protocol {protocol.name} finds no {role} among {len(data)} samples: it wants "
                f"condition/take {', '.join(wanted)}, the data have conditions "
                f"{natural_order(data.condition)[:8]} and takes {natural_order(data.take)[:8]}."
            )


def check_labels(protocol: GalleryProbe, data: Embeddings, roles: Assignment) -> None:
    """Refuse samples without the view or take by which the protocol compares them.

    Raises:
        ValueError: There is one in the gallery or among the probes; it is named.
    """
    used = np.isin(np.arange(len(data)), np.concatenate([roles.gallery, roles.probe]))
    counted = [rule.take for rule in protocol.rules if SELECTOR.fullmatch(rule.take)]
    if counted and np.any(used & (data.take == "")):
        raise ValueError(
            f"Protocol {protocol.name} takes the {counted[0]} takes of a person, and "
            f"{data.lacking('take', used)}: give every sample its take."
        )
    nameless = used & (canonical(data.view) == "")
    if protocol.views == "ignored" or not nameless.any():
        return
    if np.any(used & ~nameless):
        raise ValueError(f"{data.lacking('view', used)}: give all samples a view, or none.")
    if protocol.views in ("single", "pooled"):
        raise ValueError(
            f"Protocol {protocol.name} compares views, and {data.lacking('view', used)}: add the "
            "field view, or take a protocol that ignores views, such as casia_b_no_view."
        )


def _count_missing(
    protocol: GalleryProbe, data: Embeddings, condition: TextArray, take: TextArray
) -> int:
    """Recordings of the table that the data lack, over all their people and views."""
    people, view = data.subject, canonical(data.view)
    expected = len(np.unique(people)) * len(np.unique(view))
    missing = 0
    for rule in protocol.rules:
        if rule.condition == ANY or not rule.names_take:
            continue
        here = _of_condition(rule, condition) & np.isin(take, canonical([rule.take]))
        missing += expected - len(set(zip(people[here], view[here], strict=True)))
    return missing
