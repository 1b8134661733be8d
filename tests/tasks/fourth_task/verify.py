"""A fourth task as a user writes it: do two walks show the same person?"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from sklearn.metrics import roc_auc_score

from aclnet.data.store import Store
from protocols.embeddings import Embeddings
from tasks.run.adapter import TaskAdapter
from tasks.run.judged import Judged
from tasks.samples.labels import label_rows
from tasks.settings import TaskSettings
from tasks.spec import TaskSpec, register


class VerifySettings(TaskSettings):
    people: int = 3
    threshold: float = 0.5


class VerifyAdapter(TaskAdapter[VerifySettings]):
    @property
    def classes(self):
        return tuple(sorted(set(self.store.index["identity"]))[: self.settings.people])

    def part(self, trains: bool) -> Store:
        return self.store.select(self.store.index["identity"].isin(self.classes) == trains)

    def training_samples(self):
        store = self.part(True)
        return store, label_rows(store.index["identity"].to_numpy(), self.classes)

    def test_samples(self) -> Store:
        return self.part(False)

    def validate(self, network):
        return {}


@dataclass(frozen=True)
class VerifyQuery:
    threshold: Annotated[float | None, typer.Option(help="By default the run's.")] = None


def judge(walks: Embeddings, settings, query) -> Judged:
    asked = None if query is None else query.threshold
    limit = (settings or VerifySettings()).threshold if asked is None else asked
    unit = walks.embedding / np.linalg.norm(walks.embedding, axis=1, keepdims=True)
    first, second = np.triu_indices(len(walks), 1)
    score, same = (unit @ unit.T)[first, second], walks.subject[first] == walks.subject[second]
    right = (score > limit) == same
    people = sorted(set(walks.subject))
    tried = [right[walks.subject[first] == name] for name in people]
    hits, trials = [int(each.sum()) for each in tried], [len(each) for each in tried]
    metrics = {"auc": float(roc_auc_score(same, score)), "accuracy": float(right.mean())}
    cells = {"people": {"names": people, "accuracy_hits": {"all": hits}, "trials": {"all": trials}}}

    def render(name, baselines):
        return f"{name}: AUC {100 * metrics['auc']:.2f}, accuracy {100 * metrics['accuracy']:.2f}"

    rule = f"threshold {limit}"
    return Judged("pairs", rule, metrics, {}, {"pairs": len(score)}, (), cells, render)


class Verify(TaskSpec):
    name, help = "verify", "Verify that two walks show the same person."
    settings, adapter, judge, query = (
        VerifySettings,
        VerifyAdapter,
        staticmethod(judge),
        VerifyQuery,
    )
    measures = ("auc",)


register(Verify())
