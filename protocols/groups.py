"""Runs with the files of their records, and groups that differ only in the seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from protocols.labels import ARMS, SHARES_KEPT, objective_label
from protocols.records import MOTION, ROBUSTNESS, ResultRecord

_PLACES = frozenset({"seed", "path", "run", "baseline", "fingerprint"})
"""Settings that are places, seeds or their weights, and do not change the method."""

_NAMED = 3
"""Settings that a variant names at most."""

_ENCODER = "network.encoder.name"
"""Where it tells groups apart, a variant names nothing else: the rest says little then."""

_PEOPLE = {
    "test_subjects": "test people",
    "subjects": "test people",
    "probe_subjects": "people among the probes",
    "gallery_subjects": "people in the gallery",
}
_SAMPLES = {"test": "test samples", "probes": "probes", "gallery": "gallery samples"}
"""Counts of the test, which seeds share, in words."""

_OF_TRAINING = frozenset({"network", "objective", "sampler", "train"})
"""Settings in records of bone lengths that bone lengths do not depend on."""


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes:
        file: File of its record, relative to the folder of results, with forward slashes.
        record: The record.
    """

    file: str
    record: ResultRecord

    @property
    def cells(self) -> Mapping[str, Any]:
        """The record's cells; none where it has none."""
        return self.record.cells or {}


@dataclass(frozen=True)
class RunGroup:
    """The seeds of one setting.

    Attributes:
        runs: The runs, one a seed, in the order of their seeds.
        variant: The settings in which it differs from other groups of the same label; empty where
            there is none.
        repeated: Files of further runs of the same seeds, which are left out: a copy would make the
            spread look smaller.
    """

    runs: tuple[RunEntry, ...]
    variant: str = ""
    repeated: tuple[str, ...] = ()

    @property
    def record(self) -> ResultRecord:
        """The first run's record, for fields that all of them share."""
        return self.runs[0].record

    @property
    def cells(self) -> Mapping[str, Any]:
        """The first run's cells."""
        return self.runs[0].cells

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the records."""
        return tuple(run.file for run in self.runs)

    @property
    def after(self) -> str:
        """The training before it, as ``after ActCLR``; empty where it began with random weights."""
        initial = self.record.initial
        return f"after {objective_label(initial)}" if initial else ""

    @property
    def label(self) -> str:
        """Objective, the training before it, and variant."""
        own = objective_label(self.record.objective)
        return ", ".join(filter(None, [own, self.after, self.variant]))


def group_runs(runs: Sequence[RunEntry]) -> tuple[RunGroup, ...]:
    """Group runs that differ only in the seed, in the order of their first files.

    Runs of a group share task, data (with their fingerprint), protocol, rule, use of labels,
    objective, stream, all settings but seeds and paths, and the numbers of people and samples
    tested; where the people are drawn, not those of samples.
    """
    alike: dict[str, list[RunEntry]] = {}
    for run in runs:
        record = run.record
        identity = [*_identity(record), record.dataset.fingerprint, _settings(record)]
        identity.append(_tested(record))
        alike.setdefault(json.dumps(identity, sort_keys=True), []).append(run)
    groups = [_of_seeds(members) for members in alike.values()]
    by_label: dict[tuple[object, ...], list[RunGroup]] = {}
    for group in groups:
        by_label.setdefault(_identity(group.record), []).append(group)
    return tuple(
        RunGroup(group.runs, _variant(group, by_label[_identity(group.record)]), group.repeated)
        for group in groups
    )


def motion_tests(runs: Sequence[RunEntry]) -> tuple[tuple[RunGroup, ...], ...]:
    """The arms of `gait motion` of each data set and protocol, each a group of seeds.

    Recorded people come first.
    """

    def test(group: RunGroup) -> tuple[bool, str, str]:
        data = group.record.dataset
        return data.synthetic, data.name, group.record.protocol

    found = [run for run in runs if run.record.kind == MOTION and run.record.variant in ARMS]
    order = list(ARMS)
    groups = sorted(group_runs(found), key=lambda g: (test(g), order.index(g.record.variant)))
    return tuple(tuple(members) for _, members in groupby(groups, key=test))


Change = tuple[str, float]
"""How recordings were made worse: kind and level."""


@dataclass(frozen=True)
class RobustnessTest:
    """Networks tested on the same recordings, as they are and made worse.

    Attributes:
        groups: The seeds of each network under each change, None for recordings as they are.
    """

    groups: Mapping[tuple[str, Change | None], RunGroup]

    @property
    def record(self) -> ResultRecord:
        """A record, for fields that all of them share."""
        return next(iter(self.groups.values())).record

    @property
    def headline(self) -> str:
        """The first metric, which stands for all."""
        return next(iter(self.record.metrics), "")

    @property
    def networks(self) -> tuple[str, ...]:
        """Labels of the networks."""
        return tuple(dict.fromkeys(network for network, _ in self.groups))

    def levels(self, kind: str) -> list[float]:
        """The levels of a kind, the mildest first."""
        found = {change[1] for _, change in self.groups if change and change[0] == kind}
        return sorted(found, reverse=kind in SHARES_KEPT)


def robustness_tests(runs: Sequence[RunEntry]) -> tuple[RobustnessTest, ...]:
    """The records of `robustness` by task, data, protocol and rule.

    Data of one name are one test, also if networks read them otherwise (`data.fill_gaps`). A
    network keeps the name that it has among those tested on recordings as they are, since not every
    one is tested under every change.
    """

    def test(group: RunGroup) -> tuple[str, bool, str, str, str]:
        record, data = group.record, group.record.dataset
        return record.task, data.synthetic, data.name, record.protocol, record.rule

    groups = sorted(group_runs([run for run in runs if run.record.kind == ROBUSTNESS]), key=test)
    found = []
    for _, same in groupby(groups, key=test):
        members = list(same)
        clean = [group for group in members if change_of(group.record) is None]
        names = {_network(group.record): network_label(group) for group in clean}
        found.append(
            RobustnessTest(
                {
                    (names.get(_network(g.record), network_label(g)), change_of(g.record)): g
                    for g in members
                }
            )
        )
    return tuple(found)


def _network(record: ResultRecord) -> str:
    """All that identifies a network but its seed, whatever it was tested on."""
    settings = _settings(record).items()
    own = {name: value for name, value in settings if not name.startswith("evaluation.")}
    return json.dumps([record.objective, record.stream, record.initial, own], sort_keys=True)


def network_label(group: RunGroup) -> str:
    """Objective, streams, the training before and the settings in which a network differs."""
    parts = (objective_label(group.record.objective), group.record.stream)
    return ", ".join(filter(None, [*parts, group.after, group.variant]))


def change_of(record: ResultRecord) -> Change | None:
    """How recordings were made worse for a record; None: they were not."""
    evaluation = record.settings.get("evaluation")
    found = evaluation.get("degraded") if isinstance(evaluation, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    return str(found.get("kind")), float(found.get("level", 0))


def flat_settings(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings as JSON by their dotted names.

    >>> flat_settings({"train": {"epochs": 3}})
    {'train.epochs': '3'}
    """
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            found |= flat_settings(value, f"{name}.")
        else:
            found[name] = json.dumps(value, ensure_ascii=False)
    return found


def _identity(record: ResultRecord) -> tuple[object, ...]:
    """All that identifies a run but its seed and settings."""
    data = record.dataset
    return (
        record.task,
        data.name,
        data.synthetic,
        record.protocol,
        record.described_rule,
        record.variant,
        record.objective,
        record.stream,
        record.initial,
    )


def _of_seeds(members: Sequence[RunEntry]) -> RunGroup:
    """One run a seed; runs of unknown seed count as different."""
    first: dict[object, RunEntry] = {}
    repeated: list[str] = []
    for run in members:
        seed = run.record.seed
        key = run.file if seed is None else seed
        if key in first:
            repeated.append(run.file)
        else:
            first[key] = run
    ordered = sorted(first.values(), key=lambda run: (run.record.seed or 0, run.file))
    return RunGroup(tuple(ordered), repeated=tuple(repeated))


def _settings(record: ResultRecord) -> dict[str, str]:
    """The settings by dotted name, without seeds, paths and what is not set."""
    flat: dict[str, str] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                # A gallery is drawn with the run's own seed unless another is asked for.
                if key not in _PLACES and not (key == "gallery_seed" and item == record.seed):
                    walk(item, f"{name}.{key}" if name else str(key))
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for place, item in enumerate(value):
                walk(item, f"{name}.{place}")
        elif value is not None:  # a setting that came later is None where it changes nothing
            flat[name] = json.dumps(value)

    left_out = _OF_TRAINING if record.objective == "bone-length" else frozenset()
    if record.initial:  # each seed may begin with a run of its own, whose recipe is a setting
        left_out |= {"init_from"}
    walk({key: item for key, item in record.settings.items() if key not in left_out}, "")
    return flat


def _tested(record: ResultRecord) -> dict[str, int]:
    """Numbers of people and samples tested, in words; some people have more samples than others."""
    people = record.settings.get("identities")
    drawn = isinstance(people, Mapping) and people.get("order") == "drawn"
    words = _PEOPLE if drawn else _PEOPLE | _SAMPLES
    return {words[name]: count for name, count in record.counts.items() if name in words}


def _variant(group: RunGroup, others: Sequence[RunGroup]) -> str:
    """The settings in which groups of one label differ, as this group has them."""
    if len(others) < 2:
        return ""
    every = [_settings(other.record) for other in others]
    own = _settings(group.record)
    names = sorted({name for settings in every for name in settings})
    differing = [name for name in names if len({settings.get(name) for settings in every}) > 1]
    # Settings missing in older records are left out where others distinguish the groups.
    known = [name for name in differing if all(name in settings for settings in every)]
    told, all_told = (
        {tuple(settings.get(name) for name in names) for settings in every}
        for names in (known, differing)
    )
    if len(told) == len(all_told):
        differing = known
    differing.sort(key=lambda name: name != "clip.frames")
    named = differing[:_NAMED]
    shown = [f"{name.rpartition('.')[2]}={own.get(name, 'unset')}" for name in named]
    encoders = {settings[_ENCODER] for settings in every if _ENCODER in settings}
    if len(encoders) == len(every):
        shown = [f"encoder {json.loads(own[_ENCODER])}"]
    elif len(differing) > len(named):
        shown.append(f"{len(differing) - len(named)} more settings")
    # How the data were read says more than that it made others of them.
    read = any(name.startswith("data.") for name in differing)
    if not read and len({other.record.dataset.fingerprint for other in others}) > 1:
        shown.append(f"data {group.record.dataset.fingerprint[:8]}")
    if not shown:
        tests = [_tested(other.record) for other in others]
        shown += [
            f"{count:,} {name}"
            for name, count in _tested(group.record).items()
            if any(test.get(name) != count for test in tests)
        ][:_NAMED]
    return ", ".join(shown)
