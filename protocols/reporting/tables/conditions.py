"""What a run must be to stand beside published results: ``protocols/published/conditions.yaml``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict, Field

from protocols.groups import flat_settings
from protocols.records import ResultRecord
from protocols.text import nouns

_WORDS = {
    "training_subjects": "training people",
    "test_subjects": "test people",
    "subjects": "test people",
    "probe_subjects": "people among the probes",
    "gallery_subjects": "people in the gallery",
    "untested_classes": "classes without a test sample",
    "training": "training sequences",
    "test": "test sequences",
    "all": "sequences",
    "gallery": "gallery sequences",
    "gallery_views": "views of the gallery",
    "dropped_short": "sequences of too few frames",
    "left_out": "sequences left out by the split",
    "ignored": "test sequences in neither gallery nor probes",
    "missing": "recordings of the protocol that the data lack",
    "unmated": "probes without a mate",
}


class Conditions(BaseModel):
    """The conditions of one protocol.

    Attributes:
        data: Parts of the names of data sets, in lower-case letters and digits.
        counts: Exact counts.
        sequences: Counts that may differ by the share ``within``.
        within: That share.
        lost: Counts of what was left out, by name, with the counts of which they may be the share
            ``within`` at most; a record without them left nothing out.
        metric: The distance by rule; empty where there is none.
        recipes: Settings by the recipe that has them and by dotted name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: tuple[str, ...]
    counts: Mapping[str, int]
    sequences: Mapping[str, int] = Field(default_factory=dict)
    within: float = Field(default=0.05, ge=0, lt=1)
    lost: Mapping[str, str] = Field(default_factory=dict)
    metric: Mapping[str, str] = Field(default_factory=dict)
    recipes: Mapping[str, Mapping[str, str | int | None]]


@cache
def load_conditions() -> Mapping[str, Conditions]:
    """The conditions by task and protocol, such as ``gait/casia_b``, or ``finetune/ntu60_xsub``."""
    text = (files("protocols") / "published" / "conditions.yaml").read_text(encoding="utf-8")
    return {name: Conditions.model_validate(entry) for name, entry in yaml.safe_load(text).items()}


def unmet(record: ResultRecord) -> tuple[str, ...]:
    """Why a record does not stand beside published results; nothing where it does.

    Args:
        record: A record whose task and protocol have conditions.
    """
    task = "finetune" if record.initial else record.task
    asked = load_conditions()[f"{task}/{record.protocol}"]
    name, counts = re.sub(r"[^a-z0-9]", "", record.dataset.name.lower()), _counts(record)
    found = []
    if not any(part in name for part in asked.data):
        found.append(f"its data are named {record.dataset.name}, not {' or '.join(asked.data)}")
    for count, wanted in {**asked.counts, **asked.sequences}.items():
        slack = asked.within * wanted if count in asked.sequences else 0
        word, own = _WORDS.get(count, count), counts.get(count)
        if own is None:
            found.append(f"its record does not state the number of {word}")
        elif abs(own - wanted) > slack:
            found.append(f"{own:,} {nouns(word, own)}, not {wanted:,}")
    for count, whole in asked.lost.items():
        if counts.get(count, 0) > asked.within * counts.get(whole, 0):
            found.append(f"{counts[count]:,} {nouns(_WORDS[count], counts[count])}")
    wanted_metric = asked.metric.get(record.rule)
    metric = _said(flat_settings(record.settings).get("evaluation.metric"))
    if wanted_metric not in (None, metric):
        found.append(f"its metric is {metric}, not {wanted_metric}")
    if "trained_epochs" in record.counts:
        found.append(f"its training is not finished (epoch {record.counts['trained_epochs']})")
    return (*found, *_unlike(record, asked.recipes))


def _counts(record: ResultRecord) -> dict[str, int]:
    """A record's counts, with those held out of the training, and the views of both sides."""
    own = dict(record.counts)
    if "train" in own:  # few labels are drawn from the protocol's training samples
        own["train"] += own.get("train_left_out", 0)
    for name, part, held in (
        ("training", "train", "validation"),
        ("training_subjects", "train_subjects", "validation_subjects"),
    ):
        if part in own:
            own[name] = own[part] + own.get(held, 0)
    if "training" in own and "test" in own:
        own["all"] = own["training"] + own["test"]
    for name, cell in (("views", "probe_views"), ("gallery_views", "gallery_views")):
        views = (record.cells or {}).get(cell)
        if isinstance(views, list):
            own[name] = len(views)
    return own


def _unlike(
    record: ResultRecord, recipes: Mapping[str, Mapping[str, str | int | None]]
) -> tuple[str, ...]:
    """The settings that differ from those of the nearest recipe.

    Imported weights were trained elsewhere: their settings of training are passed over.
    """
    own = flat_settings(record.settings)
    elsewhere = record.objective == "imported"
    differing = {
        recipe: [
            f"{name} is {_said(own.get(name))}, not {_said(value)} as in the recipe {recipe}"
            for name, value in ((name, json.dumps(value)) for name, value in settings.items())
            if own.get(name) != value and not (elsewhere and name.startswith("train."))
        ]
        for recipe, settings in recipes.items()
    }
    return tuple(sorted(differing.values(), key=len)[0])


def _said(value: str | None) -> str:
    """A JSON value in a sentence."""
    return "not stated" if value is None else value.strip('"').replace("null", "unset")
