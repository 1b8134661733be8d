"""Gait protocols: gallery and probe as a table of rules.

A protocol is data. Its table has the columns ``condition``, ``take`` and ``role``; each row makes
the samples of a condition and take gallery or probes. ``*`` matches any condition or take,
``first 2`` the first two takes of every person, ``random 2`` two takes drawn for every person by
the generator that is passed in. Gallery rules are applied first and a sample in the gallery is
never also a probe, so that ``*`` in a probe rule means "the rest". An optional column ``alias``
gives a condition a second name in data (CASIA-B: 0, 1, 2 for nm, bg, cl).

In place of condition and take a row may have a ``type``, the folder between person and view of the
data sets that come as ``id/type/view``: ``01``, ``U0_D0_BG``, ``nm-01``; ``*`` within it stands for
any text. With a ``group`` the samples are probes (or gallery) of that condition of the table, and
the groups may share samples; a group without gallery rows of its own has the common gallery.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from protocols.foreign import parse_json, read_text, read_yaml
from protocols.gait.rules import RuleName
from protocols.names import composed
from protocols.ranking.identification import Unmated
from protocols.splits import load_split_file, read_notes, read_rows, split_folder

Measure = Literal["rank1", "rank5", "rank10", "rank20", "mAP", "mINP"]

ANY = "*"
MEASURES: tuple[Measure, ...] = ("rank1", "rank5", "rank10", "mAP", "mINP")
"""What a protocol reports unless it says otherwise."""

SELECTOR = re.compile(r"(first|random) ([1-9]\d*)")


class RoleRule(BaseModel):
    """One row of a protocol's table.

    Attributes:
        role: ``gallery`` or ``probe``.
        condition: Name of the condition, or ``*``.
        take: A take (``1`` and ``01`` are the same), ``*``, ``first N`` or ``random N``.
        type: In place of both: the condition, the take, or ``condition-take`` where a sample has
            both; ``*`` stands for any text.
        alias: Another name of the condition in data; empty for none.
        group: The condition of the table; empty for that of the samples.
    """

    # A take is often a bare number in YAML.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    role: Literal["gallery", "probe"]
    condition: str = ANY
    take: str = ANY
    type: str = ""
    alias: str = ""
    group: str = ""

    @model_validator(mode="after")
    def _check(self) -> RoleRule:
        if not self.type and not {"condition", "take"} <= self.model_fields_set:
            raise ValueError("it needs a condition and a take, or a type")
        if self.type and not {self.condition, self.take} <= {ANY, ""}:
            raise ValueError("it has a type beside a condition or take: give one or the other")
        return self

    @property
    def names_take(self) -> bool:
        """Whether it has one take, rather than ``*``, ``first N`` or ``random N``."""
        return not self.type and self.take != ANY and SELECTOR.fullmatch(self.take) is None

    @property
    def named(self) -> str:
        """The condition of the table; ``*`` for those of the samples."""
        return self.group or self.type or self.condition

    def __str__(self) -> str:
        return f"type {self.type}" if self.type else f"{self.condition}/{self.take}"


class GalleryProbe(BaseModel):
    """A protocol: its rules, and how it treats views and unmated probes.

    Attributes:
        name: Name in results.
        rules: The table.
        views: ``single``: each gallery view is a gallery of its own, giving probe view x gallery
            view matrices (data of one view are one gallery, which a note says); ``pooled``: one
            gallery, in which a probe does not see its own person in its own view; both need the
            view of every sample. ``ignored``: one gallery, from which nothing is removed; ``auto``:
            ``single`` where the data have two views or more, else as ``ignored``.
        identical_views: Under ``single``, whether the means count cells of identical views.
        view_ends_at: What follows this text in the name of a view does not count; empty for none.
        left_out_views: Views whose samples are neither gallery nor probe.
        average: Under ``pooled``, ``view`` averages over probe views, ``probe`` over probes.
        unmated: How rank-k counts a probe without a mate: ``wrong`` or ``skip``.
        unmated_precision: The same for mAP and mINP.
        measures: What is reported, rank1 first. mAP and mINP rank the whole gallery: without them
            large sets take a fraction of the time.
        headline: The condition that stands for all; empty for the mean over conditions.
        rule: How ranks become a table, unless another rule is chosen; None: ``exact``.
        rerank: k1, k2 and weight of OpenGait's re-ranking, for a protocol of one gallery.
        probe_list: Whether a list names the probes (:meth:`with_probes`), and the rest is gallery.
        probes: Names of the probes, each that of a sample or its subject-condition-take-view.
        original: The rules before :meth:`with_gallery_takes`, which limit what may be enrolled;
            empty without that call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rules: tuple[RoleRule, ...] = ()
    views: Literal["auto", "single", "pooled", "ignored"] = "auto"
    identical_views: Literal["excluded", "included"] = "excluded"
    view_ends_at: str = ""
    left_out_views: tuple[str, ...] = ()
    average: Literal["view", "probe"] = "probe"
    unmated: Unmated = "wrong"
    unmated_precision: Unmated = "wrong"
    measures: tuple[Measure, ...] = Field(MEASURES, min_length=1)
    headline: str = ""
    rule: RuleName | None = None
    rerank: tuple[int, int, float] | None = None
    probe_list: bool = False
    probes: tuple[str, ...] = ()
    original: tuple[RoleRule, ...] = ()

    @field_validator("measures")
    @classmethod
    def _headline_first(cls, value: tuple[Measure, ...]) -> tuple[Measure, ...]:
        if value[0] != "rank1" or len(set(value)) < len(value):
            raise ValueError("the measures begin with rank1, and each is named once")
        return value

    @model_validator(mode="after")
    def _check(self) -> GalleryProbe:
        named = [rule.named for rule in self.rules if rule.role == "probe"]
        if self.headline and self.headline not in named:
            raise ValueError(f"headline: there is no condition {self.headline!r} among the probes")
        alone = [rule.group for rule in self.rules if rule.group and rule.group not in named]
        if alone:
            raise ValueError(f"there are gallery rows of group {alone[0]!r}, but no probes")
        if self.rerank and self.views not in ("pooled", "ignored"):
            raise ValueError(f"rerank: it needs one gallery, and views are {self.views}")
        if not self.rules and not self.probe_list:
            raise ValueError("it has no rules")
        return self

    @property
    def ranks(self) -> tuple[int, ...]:
        """The ranks among the measures."""
        return tuple(int(name[4:]) for name in self.measures if name.startswith("rank"))

    def with_probes(self, names: Sequence[str]) -> GalleryProbe:
        """The same protocol with the names of its probes.

        Raises:
            ValueError: Its own rules say which samples are probes.
        """
        if not self.probe_list:
            raise ValueError(f"Protocol {self.name} already defines which samples are probes.")
        return self.model_copy(update={"probes": tuple(names)})

    def with_gallery_takes(self, takes: str) -> GalleryProbe:
        """The same protocol with other gallery takes, such as ``first 1`` or ``random 2``.

        Each gallery condition gets one rule, so that its takes are drawn once. They are drawn among
        the takes that the protocol enrols for it (any take where it says ``*``, ``first N`` or
        ``random N``), never among those that a probe rule names: ``first 5`` of CASIA-B enrols the
        four there are.

        Raises:
            ValueError: The protocol names types or groups, or has a list of probes.
        """
        if self.probe_list or any(rule.type or rule.group for rule in self.rules):
            raise ValueError(
                f"Protocol {self.name} has no gallery takes: its table names types, groups or "
                "probes."
            )
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
    for CASIA-B. A YAML file has the fields of :class:`GalleryProbe`, with the rules under ``rules``
    or in another protocol's file of the same folder, named by ``table``.

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
            take = rule.take or (ANY if rule.type else "")
            if not SELECTOR.fullmatch(take) and len(take.split()) != 1:
                raise ValueError(
                    f"take {rule.take!r} is none of: one take, '*', 'first N', 'random N'."
                )
        return protocol

    return load_split_file(name_or_path, "gait", read, (".csv", ".yaml", ".yml"))


def _read_yaml(source: Traversable, folder: Path | None) -> dict[str, Any]:
    """The fields of a YAML protocol; its ``table`` is in its folder or one of the package's."""
    fields = read_yaml(source)
    if not isinstance(fields, dict):
        raise ValueError("a protocol is a mapping with rules or table, views, average, unmated.")
    if folder is not None and "table" in fields:
        name = str(fields.pop("table"))
        own = folder / name
        table = own if own.is_file() else split_folder("gait") / name
        rules = read_rows if name.endswith(".csv") else _rules_of_yaml
        fields["rules"] = rules(table)
    return fields


def _rules_of_yaml(table: Traversable) -> Any:
    """The rules of another YAML protocol, which must be written there."""
    rules = _read_yaml(table, None).get("rules")
    if rules is None:
        raise ValueError(f"its table {table.name} has no rules.")
    return rules


def read_probe_names(path: Path | str) -> tuple[str, ...]:
    """Read the names of probes: JSON with a ``PROBE_SET`` or a list, or text, a name per line.

    Args:
        path: The file, such as the partition ``Gait3D.json``.

    Raises:
        ValueError: There is no such file, or it holds no names.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no list of probes {path}.")
    try:
        text = read_text(Path(path))
        found = parse_json(text) if Path(path).suffix.lower() == ".json" else text.split("\n")
    except (OSError, ValueError) as error:
        raise ValueError(f"The list of probes {path} cannot be read: {error}") from None
    if isinstance(found, dict):
        found = found.get("PROBE_SET")
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(
            f"The list of probes {path} holds neither a list PROBE_SET nor a list of names."
        )
    try:
        names = tuple(composed([name.strip() for name in found if name.strip()]).tolist())
    except ValueError as error:
        raise ValueError(f"The list of probes {path}: {error}") from None
    if not names:
        raise ValueError(f"The list of probes {path} is empty.")
    return names
