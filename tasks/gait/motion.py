"""How far people are told apart by shape, by posture and by movement, each without the others.

Everybody is given one body (`clip.normalise.body: common`), and the recipe is trained on what is
left: whole walks, still frames, changes from frame to frame. Beside these stand the recipe itself,
still frames of the own bodies, and bone lengths, which are shape alone. Bone lengths measured on
the common body show that shape is gone: they should do no better than chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from aclnet.clips.settings import ClipSettings
from aclnet.config import load_settings
from aclnet.runs.info import SETTINGS
from protocols.embeddings import Embeddings
from protocols.ranking.distances import Metric
from protocols.records import MOTION, ResultRecord
from tasks.gait.adapter import GaitAdapter
from tasks.gait.biometrics import measure
from tasks.gait.judge import judge
from tasks.gait.settings import GaitSettings
from tasks.gait.spec import GaitQuery
from tasks.run.judged import BASELINE, Judged, Origin, make_record
from tasks.run.queries import BiometricsQuery
from tasks.run.saved import read_saved
from tasks.run.study import Records, StudyPlan, TrainedArm, run_arms, summary_table
from tasks.samples.baselines import standardised_bone_lengths
from tasks.samples.labels import labelled
from tasks.samples.open import open_data

OWN = "own"
"""The arm that is the recipe as it stands."""

_COMMON = ("clip.normalise.body=common", "clip.bodies.sizes=[1.0]")
_STILL = ("clip.frames=1", "embed.stride=5")
_OPEN_SET = ("eer", "fnir@fpir0.1", "fpir_achieved@fpir0.1")
"""What is kept of the biometric measures: with one target, of all conditions together."""

_COLUMNS = ("rank1", "eer", "fnir@fpir0.1")


def motion_arms(clip: ClipSettings) -> dict[str, tuple[str, ...]]:
    """The trained arms: overrides of a recipe by name.

    Still frames have no streams of motion, and the common body no bone lengths (`l`).

    Args:
        clip: the recipe's.

    >>> motion_arms(ClipSettings(streams=("j", "jm", "l")))["still-common"]
    ('clip.normalise.body=common', 'clip.bodies.sizes=[1.0]', 'clip.streams=[j]', 'clip.frames=1', \
'embed.stride=5')
    """
    places = [stream for stream in clip.streams if not stream.endswith("m")]
    return {
        OWN: (),
        "common": (*_COMMON, _streams(clip.streams)),
        "still": (f"clip.streams=[{','.join(places)}]", *_STILL),
        "still-common": (*_COMMON, _streams(places), *_STILL),
        "changes": (*_COMMON, "clip.streams=[jm,bm]"),
    }


def _streams(streams: Sequence[str]) -> str:
    return f"clip.streams=[{','.join(stream for stream in streams if stream != 'l')}]"


def motion_study(plan: StudyPlan, names: Sequence[str] | None = None) -> str:
    """Train every arm with every seed; finished runs are only read.

    Writes one record per arm and seed to the results, `<arm>-seed<seed>.json`, with the arm as its
    variant, and such records of bone lengths (`bones`) and those of the common body
    (`bones-common`).

    Args:
        plan: recipe, seeds and folders.
        names: arms to train; None: all.

    Returns:
        Rank-1, EER and open set of each arm, as text.

    Raises:
        ValueError: an arm is unknown, the settings do not fit the recipe or its data, a finished
            run has other settings, or as `train_and_evaluate`.
    """
    records: Records = {}
    arms = motion_arms(plan.make_settings([]).clip)
    chosen = list(arms) if names is None else names
    unknown = [name for name in chosen if name not in arms]
    if unknown:
        raise ValueError(f"--arms: unknown arm {unknown[0]!r}; known are {', '.join(arms)}")
    for trained in run_arms(plan, {name: arms[name] for name in chosen}):
        for name, record in _records(plan, trained):
            update = {"kind": MOTION, "variant": name, "command": plan.command}
            records[name, trained.seed] = record.model_copy(update=update)
            records[name, trained.seed].write(plan.results / f"{name}-seed{trained.seed}.json")
    return summary_table(records, _COLUMNS)


def _records(plan: StudyPlan, trained: TrainedArm) -> Iterator[tuple[str, ResultRecord]]:
    """The record of an arm by its name; with the recipe's own, those of bone lengths too."""
    (run,) = trained.runs
    settings = load_settings(GaitSettings, run / SETTINGS)
    origin = Origin.of_run(run)

    def of(embeddings: Embeddings, whose: Origin, metric: Metric = "cosine") -> ResultRecord:
        return make_record(plan.spec.name, _judged(embeddings, settings, metric), whose, "")

    yield trained.arm, of(read_saved(plan.spec, run), origin)
    if trained.arm != OWN:
        return
    store = open_data(settings.data, plan.cache, plan.report)
    adapter = cast(GaitAdapter, plan.spec.adapter(settings, store, plan.report))
    shape = replace(origin, objective=BASELINE, seconds=0.0, trained={})
    train, test = adapter.training_samples()[0], adapter.test_samples()
    yield "bones", of(adapter.floor(), shape, "euclidean")
    same = standardised_bone_lengths(train, test, body="common")
    yield "bones-common", of(labelled(same, test), shape, "euclidean")


def _judged(embeddings: Embeddings, settings: GaitSettings, metric: Metric) -> Judged:
    """The protocol's ranks, and verification and open set of the same comparisons."""
    ranked = judge(embeddings, settings, GaitQuery(metric=metric))
    query = BiometricsQuery(fmr="0.1", rotations=100, metric=metric)
    verified = measure(embeddings, settings, query, None, None)
    kept = [name for name in _OPEN_SET if name in verified.metrics]
    return replace(
        ranked,
        metrics={**ranked.metrics, **{name: verified.metrics[name] for name in kept}},
        intervals={
            **ranked.intervals,
            **{name: verified.intervals[name] for name in kept if name in verified.intervals},
        },
    )
