"""Gait protocols: gallery and probe as a table of rules.

A protocol is data. Its table has the columns ``condition``, ``take`` and ``role``; each row makes
the samples of a condition and take gallery or probes. ``*`` matches any condition or take,
``first 2`` the first two takes of every person, ``random 2`` two takes drawn for every person by
the generator that is passed in. Gallery rules are applied first and a sample in the gallery is
never also a probe, so that ``*`` in a probe rule means "the rest". An optional column ``alias``
gives a condition a second name in data (CASIA-B: 0, 1, 2 for nm, bg, cl).
"""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from protocols.ranking.identification import Unmated
from protocols.splits import load_split_file, read_notes, read_rows, split_folder

ANY = "*"
SELECTOR = re.compile(r"(first|random) ([1-9]\d*)")


class RoleRule(BaseModel):
    """One row of a protocol's table.

    Attributes:
        condition: Name of the condition, or ``*``.
        take: A take (``1`` and ``01`` are the same), ``*``, ``first N`` or ``random N``.
        role: ``gallery`` or ``probe``.
        alias: Another name of the condition in data; empty for none.
    """

    # A take is often a bare number in YAML.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    condition: str
    take: str
    role: Literal["gallery", "probe"]
    alias: str = ""

    @property
    def names_take(self) -> bool:
        """Whether it has one take, rather than ``*``, ``first N`` or ``random N``."""
        return self.take != ANY and SELECTOR.fullmatch(self.take) is None


class GalleryProbe(BaseModel):
    """A protocol: its rules, and how it treats views and unmated probes.

    Attributes:
        name: Name in results.
        rules: The table.
        views: ``single``: each gallery view is a gallery of its own, giving probe view x gallery
            view matrices, and identical views are left out of the means (data of one view are one
            gallery, which a note says); ``pooled``: one gallery, in which a probe does not see its
            own person in its own view; both need the view of every sample. ``ignored``: one
            gallery, from which nothing is removed; ``auto``: ``single`` where the data have views,
            else ``ignored``.
        average: Under ``pooled``, ``view`` averages over probe views, ``probe`` over probes.
        unmated: How rank-k counts a probe without a mate: ``wrong`` or ``skip``.
        unmated_precision: The same for mAP and mINP.
        original: The rules before :meth:`with_gallery_takes`, which limit what may be enrolled;
            empty without that call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rules: tuple[RoleRule, ...]
    views: Literal["auto", "single", "pooled", "ignored"] = "auto"
    average: Literal["view", "probe"] = "probe"
    unmated: Unmated = "wrong"
    unmated_precision: Unmated = "wrong"
    original: tuple[RoleRule, ...] = ()

    def with_gallery_takes(self, takes: str) -> GalleryProbe:
        """The same protocol with other gallery takes, such as ``first 1`` or ``random 2``.

        Each gallery condition gets one rule, so that its takes are drawn once. They are drawn among
        the takes that the protocol enrols for it (any take where it says ``*``, ``first N`` or
        ``random N``), never among those that a probe rule names: ``first 5`` of CASIA-B enrols the
        four there are.
        """
        gallery: dict[str, RoleRule] = {}
        for rule in self.rules:
            key = rule.condition.strip().casefold()
            # One row of the condition may carry the alias for all of them.
            if rule.role == "gallery" and (key not in gallery or not gallery[key].alias):
                gallery[key] = rule.model_copy(update={"take": takes})
        probes = [rule for rule in self.rules if rule.role == "probe"]
        original = self.original or self.rules
        return self.model_copy(update={"rules": (*gallery.values(), *probes), "original": original})


def load_protocol(name_or_path: str | Path) -> GalleryProbe:
    """Load a built-in protocol by name, or one from a CSV or YAML file.

    A CSV is the table of rules; comments at its head may set fields, as ``# views: single`` does
    for CASIA-B. A YAML file has the fields of :class:`GalleryProbe`, with the rules
    under ``rules`` or in a CSV of the same folder, named by ``table``.

    Args:
        name_or_path: Name or file.

    Returns:
        The protocol; without a ``name`` it is named after the file.

    Raises:
        ValueError: Nothing is found, or the file is not a protocol.
    """

    def read(source: Traversable) -> GalleryProbe:
        fields = (
            {"rules": read_rows(source), **read_notes(source)}
            if source.name.endswith(".csv")
            else _read_yaml(source, Path(name_or_path).parent)
        )
        protocol = GalleryProbe(**{"name": Path(source.name).stem, **fields})
        for rule in protocol.rules:
            if not SELECTOR.fullmatch(rule.take) and len(rule.take.split()) != 1:
                raise ValueError(
                    f"take {rule.take!r} is none of: one take, '*', 'first N', 'random N'."
                )
        return protocol

    return load_split_file(name_or_path, "gait", read, (".csv", ".yaml", ".yml"))


def _read_yaml(source: Traversable, folder: Path) -> dict[str, Any]:
    """The fields of a YAML protocol; its ``table`` is in its folder or one of the package's."""
    fields = yaml.safe_load(source.read_text(encoding="utf-8"))
    if not isinstance(fields, dict):
        raise ValueError("a protocol is a mapping with rules or table, views, average, unmated.")
    if "table" in fields:
        name = str(fields.pop("table"))
        own = folder / name
        fields["rules"] = read_rows(own if own.is_file() else split_folder("gait") / name)
    return fields
