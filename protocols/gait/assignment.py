"""Apply a protocol's table to samples: which rows are gallery, which are probes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from protocols.embeddings import Embeddings, TextArray
from protocols.gait.gallery_probe import ANY, SELECTOR, GalleryProbe, RoleRule
from protocols.names import canonical, distinct, natural_order, plain
from protocols.ranking.distances import IntArray
from protocols.ranking.exclusion import BoolArray
from protocols.text import nouns


@dataclass(frozen=True, eq=False)
class Assignment:
    """The rows of embeddings that a protocol uses.

    Attributes:
        gallery: (G,) rows.
        probe: (P,) rows; one that is a probe of several conditions is there for each.
        conditions: Names of the probe conditions, in the table's order.
        condition: (P,) index into ``conditions``.
        missing: Recordings in the table (or names in the list of probes) that the data lack, of all
            people and views in the data; rules with ``*``, ``first`` or ``random`` demand none.
        galleries: The gallery rows of each condition, where these differ; else empty.
        notes: Sentences on labels that were read alike or are absent.
    """

    gallery: IntArray
    probe: IntArray
    conditions: tuple[str, ...]
    condition: IntArray
    missing: int
    galleries: tuple[IntArray, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def apart(self) -> bool:
        """Whether there is one gallery and each probe is of one condition."""
        return not self.galleries and len(np.unique(self.probe)) == len(self.probe)

    def settings(self) -> list[tuple[IntArray, IntArray]]:
        """Probes, as indices into ``probe``, with the gallery rows that all of them are shown."""
        if not self.galleries:
            return [(np.arange(len(self.probe)), self.gallery)]
        return [
            (np.flatnonzero(self.condition == index), rows)
            for index, rows in enumerate(self.galleries)
        ]


_Names = tuple[TextArray, IntArray]
"""Some names, and which of them each sample has."""


def _among(labels: _Names, wanted: Sequence[str]) -> BoolArray:
    """(N,) samples that have one of the names."""
    names, place = labels
    forms = {plain(name) for name in wanted}
    return np.array([name in forms for name in names.tolist()], dtype=np.bool_)[place]


@dataclass(frozen=True, eq=False)
class _Labels:
    """The samples' labels, as rules match them."""

    conditions: _Names
    takes: _Names
    kind: TextArray
    person: TextArray
    seen: BoolArray
    """(N,) whether the view is not one that the protocol leaves out."""

    @property
    def condition(self) -> TextArray:
        """(N,) conditions."""
        names, place = self.conditions
        return names[place]

    @property
    def take(self) -> TextArray:
        """(N,) takes."""
        names, place = self.takes
        return names[place]

    @classmethod
    def of(cls, data: Embeddings, protocol: GalleryProbe) -> _Labels:
        """Bring the labels to one form."""
        (conditions, condition), (takes, take) = distinct(data.condition), distinct(data.take)
        pairs, kind = np.unique(condition * len(takes) + take, return_inverse=True)
        rows = [(conditions[pair // len(takes)], takes[pair % len(takes)]) for pair in pairs]
        return cls(
            conditions=(canonical(conditions), condition),
            takes=(canonical(takes), take),
            kind=canonical(["-".join(filter(None, row)) for row in rows])[kind],
            person=data.subject,
            seen=~np.isin(canonical(data.view), canonical(protocol.left_out_views)),
        )


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
    if protocol.probe_list:
        return _by_list(protocol, data)
    labels = _Labels.of(data, protocol)
    common = np.zeros(len(data), dtype=np.bool_)
    own: dict[str, BoolArray] = {}
    enrollable = _enrollable(protocol, labels)
    for rule in protocol.rules:
        if rule.role == "gallery":
            here = _of_take(rule.take, _of_kind(rule, labels) & enrollable, labels, generator)
            if rule.group:
                own[rule.group] = own.get(rule.group, np.zeros_like(common)) | here
            else:
                common |= here
    groups = _probe_groups(protocol, labels, common, own, generator)
    gallery = np.logical_or.reduce([common, *own.values()])
    probe = np.logical_or.reduce([np.zeros_like(common), *groups.values()])
    _check_found(protocol, data, gallery, probe)
    rows = np.concatenate([np.flatnonzero(members) for members in groups.values()])
    codes = np.repeat(np.arange(len(groups)), [int(m.sum()) for m in groups.values()])
    order = np.lexsort((codes, rows))
    notes = data.read_alike("condition", "take", "view")
    # Data without any takes have them in their conditions.
    unlabelled = (labels.condition == "") | ((labels.take == "") & (labels.take != "").any())
    lost = labels.seen & ~gallery & ~probe & unlabelled
    if lost.any():
        count = int(lost.sum())
        notes += (
            f"No condition or take, so neither gallery nor probe: {count} "
            f"{nouns('samples', count)}.",
        )
    return Assignment(
        gallery=np.flatnonzero(gallery),
        probe=rows[order],
        conditions=tuple(groups),
        condition=codes[order],
        missing=_count_missing(protocol, data, labels),
        galleries=tuple(np.flatnonzero(own.get(name, common)) for name in groups) if own else (),
        notes=notes,
    )


def read_views(protocol: GalleryProbe, data: Embeddings) -> TextArray:
    """(N,) the views as the protocol reads them; empty where it ignores them."""
    if protocol.views == "ignored":
        return np.full(len(data), "", dtype=np.str_)
    if not protocol.view_ends_at:
        return canonical(data.view)
    names, place = distinct(data.view)
    heads = [str(name).split(protocol.view_ends_at)[0] for name in names]
    return canonical(np.array(heads, dtype=np.str_)[place])


def _probe_groups(
    protocol: GalleryProbe,
    labels: _Labels,
    common: BoolArray,
    own: dict[str, BoolArray],
    generator: np.random.Generator | None,
) -> dict[str, BoolArray]:
    """(N,) probes of each condition of the table, in its order."""
    groups: dict[str, BoolArray] = {}
    probe = np.zeros_like(common)
    for rule in protocol.rules:
        if rule.role != "probe":
            continue
        here = _of_kind(rule, labels)
        here &= ~own.get(rule.group, common) if rule.group else ~common & ~probe
        here = _of_take(rule.take, here, labels, generator)
        name = rule.named
        members = {name: here}
        if name == ANY:  # the data's own conditions
            names = np.where(labels.condition == "", "all", labels.condition)
            members = {group: here & (names == group) for group in natural_order(names[here])}
        for group, rows in members.items():
            groups[group] = groups.get(group, np.zeros_like(probe)) | rows
        probe |= here
    return groups


def _by_list(protocol: GalleryProbe, data: Embeddings) -> Assignment:
    """The samples that a list names are probes, all others are gallery."""
    if not protocol.probes:
        raise ValueError(
            f"Protocol {protocol.name} needs the list of its probes, such as the partition file of "
            "the data set (its PROBE_SET): give it with --probes, or probes in a settings file."
        )
    labels = (data.subject, data.condition, data.take, data.view)
    made = ["-".join(part for part in row if part) for row in zip(*labels, strict=True)]
    names = np.array(protocol.probes)
    probe = np.isin(data.sample, names) | np.isin(made, names)
    if not probe.any() or probe.all():
        raise ValueError(
            f"Protocol {protocol.name}: its list of probes, such as {protocol.probes[0]!r}, names "
            f"{'all' if probe.any() else 'none'} of the {len(data)} samples, such as {made[0]!r}."
        )
    missing = len(np.setdiff1d(names, np.concatenate([data.sample, np.array(made)])))
    rows = np.flatnonzero(probe)
    codes = np.zeros(len(rows), dtype=np.int64)
    notes = data.read_alike("view")
    return Assignment(np.flatnonzero(~probe), rows, ("all",), codes, missing, notes=notes)


def _of_kind(rule: RoleRule, labels: _Labels) -> BoolArray:
    """(N,) samples of the rule's condition or type, before a view that counts."""
    if rule.type:
        parts = plain(rule.type).split(ANY)
        pattern = re.compile(".*".join(re.escape(part) for part in parts))
        kinds, place = distinct(labels.kind)
        fits = [pattern.fullmatch(str(kind)) is not None for kind in kinds]
        return np.asarray(np.array(fits, dtype=np.bool_)[place] & labels.seen)
    if rule.condition == ANY:
        return labels.seen.copy()
    names = [name for name in (rule.condition, rule.alias) if name]
    return _among(labels.conditions, names) & labels.seen


def _enrollable(protocol: GalleryProbe, labels: _Labels) -> BoolArray:
    """(N,) samples that other gallery takes than the protocol's own may be drawn from."""
    count = len(labels.condition)
    if not protocol.original:
        return np.ones(count, dtype=np.bool_)
    enrolled = np.zeros(count, dtype=np.bool_)
    reserved = np.zeros(count, dtype=np.bool_)
    for rule in protocol.original:
        here = _of_kind(rule, labels)
        if rule.names_take:
            here &= _among(labels.takes, [rule.take])
        if rule.role == "gallery":
            enrolled |= here
        elif rule.names_take:
            reserved |= here
    return enrolled & ~reserved


def _of_take(
    selector: str, here: BoolArray, labels: _Labels, generator: np.random.Generator | None
) -> BoolArray:
    """(N,) samples of ``here`` whose take the selector names."""
    if selector in (ANY, ""):
        return here
    match = SELECTOR.fullmatch(selector)
    if match is None:
        return here & _among(labels.takes, [selector])
    if match[1] == "random" and generator is None:
        raise ValueError(f"Takes {selector!r} are drawn at random: pass a seeded generator.")
    take = labels.take
    places = {name: place for place, name in enumerate(natural_order(take[here]))}
    place = np.array([places.get(name, -1) for name in take], dtype=np.int64)
    person = distinct(labels.person)[1]
    pairs = np.unique(np.stack([person[here], place[here]], axis=1), axis=0)
    if match[1] == "random" and generator is not None:
        pairs = pairs[np.lexsort((generator.random(len(pairs)), pairs[:, 0]))]
    starts = np.searchsorted(pairs[:, 0], pairs[:, 0])
    kept = pairs[np.arange(len(pairs)) - starts < int(match[2])]
    width = len(places) + 1
    return here & np.isin(person * width + place, kept[:, 0] * width + kept[:, 1])


def _check_found(
    protocol: GalleryProbe, data: Embeddings, gallery: BoolArray, probe: BoolArray
) -> None:
    """Refuse a protocol that does not fit the data."""
    for role, found in (("gallery", gallery), ("probe", probe)):
        if not found.any():
            rules = [rule for rule in protocol.rules if rule.role == role]
            wanted = ", ".join(dict.fromkeys(str(rule) for rule in rules))
            raise ValueError(
                f"Protocol {protocol.name} finds no {role} among {len(data)} "
                f"{nouns('samples', len(data))}: it wants "
                f"{'' if any(rule.type for rule in rules) else 'condition/take '}{wanted}, the "
                f"data have conditions {natural_order(data.condition)[:8]} and takes "
                f"{natural_order(data.take)[:8]}."
            )


def check_labels(protocol: GalleryProbe, data: Embeddings, roles: Assignment) -> None:
    """Refuse samples without the person, view or take by which the protocol compares them.

    Raises:
        ValueError: There is one in the gallery or among the probes, which is named; or the protocol
            leaves out a probe's own view, and there is only one.
    """
    used = np.isin(np.arange(len(data)), np.concatenate([roles.gallery, roles.probe]))
    data.require_people(used)
    counted = [rule.take for rule in protocol.rules if SELECTOR.fullmatch(rule.take)]
    if counted and np.any(used & (data.take == "")):
        raise ValueError(
            f"Protocol {protocol.name} takes the {counted[0]} takes of a person, and "
            f"{data.lacking('take', used)}: give every sample its take."
        )
    nameless = used & (canonical(data.view) == "")
    views = distinct(read_views(protocol, data)[used])[0]
    if protocol.views == "pooled" and len(views) == 1 and views[0]:
        raise ValueError(
            f"Protocol {protocol.name} leaves out a probe's own view, and all samples have view "
            f"{views[0]}: take a protocol that ignores views."
        )
    if protocol.views == "ignored" or not nameless.any():
        return
    if np.any(used & ~nameless):
        raise ValueError(f"{data.lacking('view', used)}: give all samples a view, or none.")
    if protocol.views in ("single", "pooled"):
        such = ", such as casia_b_no_view" if protocol.name.startswith("casia_b") else ""
        raise ValueError(
            f"Protocol {protocol.name} compares views, and {data.lacking('view', used)}: add the "
            f"field view, or take a protocol that ignores views{such}."
        )


def _count_missing(protocol: GalleryProbe, data: Embeddings, labels: _Labels) -> int:
    """Recordings of the table that the data lack, over all their people and views."""
    (people, person), (views, view) = (
        distinct(names) for names in (labels.person, read_views(protocol, data))
    )
    expected = len(people) * len(np.unique(view[labels.seen]))
    each = person * len(views) + view
    missing = 0
    for rule in protocol.rules:
        named = rule.names_take and rule.condition != ANY
        # A type of a set that was recorded in the wild is not there for all people and views.
        if not named and not (rule.type and ANY not in rule.type and protocol.views == "single"):
            continue
        here = _of_kind(rule, labels)
        if named:
            here &= _among(labels.takes, [rule.take])
        missing += expected - len(np.unique(each[here]))
    return missing
