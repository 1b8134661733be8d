from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from aclnet.config import load_settings
from aclnet.data.store import Store, open_store
from aclnet.runs.networks import build_network, weight_generator
from aclnet.training.prototypes import PrototypeTask
from aclnet.training.task import TrainingTask
from tasks.reid.adapter import ReidAdapter
from tasks.reid.judge import reid_table
from tasks.reid.settings import ReidSettings

TRANSG = (
    "network={encoder: {name: transg, width: 8, heads: 2, layers: 1, positions: 5}, neck: none}",
    "transg={}",
)


@pytest.fixture(scope="module")
def make(reid_recipe: Path) -> Any:
    """The adapter of the tiny recipe on a store, with changes."""

    def make(store: Store, *changes: str, report: Any = str) -> ReidAdapter:
        return ReidAdapter(load_settings(ReidSettings, reid_recipe, changes), store, report)

    return make


def network_of(adapter: ReidAdapter) -> Any:
    network, classes = adapter.settings.network, len(adapter.classes)
    return build_network(network, classes, adapter.clip_input, weight_generator(0)).eval()


KNOWN = ("people=same", "protocol=kgbd", "identities.validation=2", "data.min_frames=8")


def test_strangers(make: Any, reid_walkers: Store) -> None:
    adapter = make(reid_walkers)
    assert adapter.classes == ("001", "002", "003")
    store, labels = adapter.training_samples()
    assert len(store) == 90
    assert sorted(set(labels.tolist())) == [0, 1, 2]
    tested = adapter.test_sequences
    assert set(tested.index["identity"]) == {"006", "007", "008"}
    assert (tested.lengths == 8).all()
    recorded = reid_walkers.index["identity"] > "005"
    lengths = reid_walkers.lengths[recorded]
    assert len(tested) == (lengths // 8).sum()
    counts = adapter.counts()
    assert counts["test"] == 90
    assert counts["test_sequences"] == len(tested)
    assert counts["dropped_left_over_frames"] == (lengths % 8).sum()
    assert (counts["dropped_short"], counts["dropped_border_frames"]) == (0, 0)


def test_known_people(make: Any, known_people: Path) -> None:
    said: list[str] = []
    adapter = make(open_store(known_people), *KNOWN, report=said.append)
    counts = adapter.counts()
    assert said == ["dropping 5 of 60 sequences with fewer than 8 frames"]
    assert counts["dropped_short"] == 5
    people = ("train_subjects", "validation_subjects", "test_subjects")
    assert [counts[name] for name in people] == [5, 2, 5]
    # Two cameras: walks 1 (before one of them) to 4 train, but for two that watch; 5 and 6 test.
    assert [counts[name] for name in ("train", "validation", "test")] == [33, 2, 20]
    found = adapter.floor()
    assert set(found.condition) == {"gallery", "probe"}
    table = reid_table(found, adapter.settings)
    assert [result.pair.name for result in table.pairs] == ["P-G"]
    # A gallery shows every person: nobody is without a mate.
    assert table.counts["valid"] == table.counts["probes"] > 20


def test_border_frames_train_neither(make: Any, reid_walkers: Store) -> None:
    plain, cut = make(reid_walkers), make(reid_walkers, "sequences.border_frames=4")
    assert cut.counts()["dropped_border_frames"] == 8 * len(reid_walkers)
    training, before = cut.training_samples()[0], plain.training_samples()[0]
    np.testing.assert_array_equal(training.lengths, before.lengths - 8)
    np.testing.assert_array_equal(training.clip(0), before.clip(0)[4:-4])
    assert len(cut.test_sequences) < len(plain.test_sequences)
    gone = make(reid_walkers, "sequences.border_frames=11")
    assert gone.dropped["short"] == int((reid_walkers.lengths <= 22).sum()) > 0


def test_training_sequences_may_be_fixed(make: Any, reid_walkers: Store) -> None:
    store, labels = make(reid_walkers, "sequences.training=fixed").training_samples()
    assert len(store) == len(labels) > 90
    assert (store.lengths == 8).all()
    rest = make(reid_walkers, "sequences.training=fixed").counts()["dropped_train_left_over_frames"]
    assert rest == (reid_walkers.lengths[reid_walkers.index["identity"] < "004"] % 8).sum()


def test_sequences_are_named_by_the_recordings_frames(make: Any, reid_walkers: Store) -> None:
    numbers = [f"300-{299 + length}" for length in reid_walkers.lengths]
    late = Store(reid_walkers.info, reid_walkers.index.assign(frames=numbers), reid_walkers.frames)
    cut = make(late, "sequences.border_frames=2").test_sequences
    assert {str(name).rpartition("@")[2] for name in cut.index["sample"]} <= {"302", "310"}
    assert cut.frame_numbers(0).tolist() == list(range(302, 310))


def test_one_pair_embeds_only_its_sets(make: Any, reid_walkers: Store) -> None:
    adapter = make(reid_walkers, "pairs=[C-N]")
    assert set(adapter.test_sequences.index["condition"]) == {"cl", "nm"}
    outside = reid_walkers.index.query("identity > '005' and condition == 'bg'")
    assert adapter.counts()["dropped_test_in_no_set"] == len(outside) > 0
    found = adapter.validate(network_of(adapter))
    assert found.keys() == {"validation/rank1", "validation/mAP"}
    every = make(reid_walkers)
    assert every.validate(network_of(every)) != found


def test_validation_of_known_people(make: Any, known_people: Path) -> None:
    adapter = make(open_store(known_people), *KNOWN)
    found = adapter.validate(network_of(adapter))
    assert found.keys() == {"validation/rank1"}
    assert 0 <= found["validation/rank1"] <= 1
    nobody = make(open_store(known_people), *KNOWN, "identities.validation=0")
    assert nobody.validate(network_of(nobody)) == {}


def test_the_best_epoch_needs_somebody_held_out(
    make: Any, reid_walkers: Store, known_people: Path
) -> None:
    # A share that comes to nobody.
    with pytest.raises(ValueError, match=r"select: best needs validation recordings"):
        make(reid_walkers, "select=best", "identities.validation=0.05")
    store = open_store(known_people)
    with pytest.raises(ValueError, match=r"data set known: select: best needs .*select=last"):
        make(store, *KNOWN, "select=best", "identities.validation=0.1")
    assert make(store, *KNOWN, "identities.validation=0.1").counts()["validation"] == 0


def test_posteriors_of_known_people(make: Any, known_people: Path) -> None:
    adapter = make(open_store(known_people), *KNOWN, "embed.feature=posterior")
    found = adapter.embeddings(network_of(adapter), adapter.test_sequences)
    assert found.embedding.shape[1] == len(adapter.classes)


def test_recordings_may_be_cut_as_the_released_ones(make: Any, reid_walkers: Store) -> None:
    adapter = make(reid_walkers, "sequences={training: released, cutting: ias}", "clip.frames=4")
    people = reid_walkers.index["identity"]
    # Test: whole windows between borders of ten frames; training: only the beginning is cut off,
    # and windows are half a window apart from each of the first four frames on.
    inner = reid_walkers.lengths[people > "005"] - 20
    counts = adapter.counts()
    assert counts["test_sequences"] == (np.maximum(inner, 0) // 4).sum()
    assert counts["dropped_test_short"] == (inner < 4).sum() > 0
    assert counts["dropped_test_border_frames"] == 20 * len(inner)
    left = reid_walkers.lengths[people < "004"][:, None] - 10 - np.arange(4)
    training, labels = adapter.training_samples()
    assert len(training) == len(labels) == ((left - 4) // 2 + 1).sum()
    np.testing.assert_array_equal(training.clip(0), reid_walkers.clip(0)[10:14])
    assert str(training.index["sample"][0]).endswith("@10")
    fixed = sum(len(clips) for clips, _ in adapter.training_clips())
    assert fixed == len(training)


def test_a_rule_without_precision_validates(make: Any, reid_walkers: Store) -> None:
    adapter = make(reid_walkers, "rule=sge")
    assert adapter.validate(network_of(adapter)).keys() == {"validation/rank1"}


def test_objective(make: Any, reid_walkers: Store) -> None:
    adapter = make(reid_walkers)
    assert adapter.settings.trains_objective
    assert isinstance(adapter.make_task(network_of(adapter), torch.Generator()), TrainingTask)
    transg = make(reid_walkers, *TRANSG)
    assert not transg.settings.trains_objective
    assert transg.settings.objective_name == "transg"
    task = transg.make_task(network_of(transg), torch.Generator())
    assert isinstance(task, PrototypeTask)


def test_prototypes_are_made_of_all_training_sequences(make: Any, reid_walkers: Store) -> None:
    adapter = make(reid_walkers, *TRANSG, "embed.batch_size=50")
    blocks = list(adapter.training_clips())
    rows = reid_walkers.index["identity"] < "004"
    assert sum(len(clips) for clips, _ in blocks) == (reid_walkers.lengths[rows] // 8).sum()
    assert {len(clips) for clips, _ in blocks[:-1]} == {50}
    assert set(torch.cat([labels for _, labels in blocks]).tolist()) == {0, 1, 2}
    assert blocks[0][0].shape == (50, 1, 8, 17, adapter.clip_input.channels)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["transg={}"], "go together"),
        ([TRANSG[0]], "go together"),
        (["embed.windows=all"], "sequences.stride"),
        (["select=best", "identities.validation=0"], "identities.validation"),
        (["pairs=[X-N]"], "'X' is not a set of protocol casia_b"),
        (["pairs=[CN]"], "PROBE-GALLERY"),
        (["protocol=market"], "no pair protocol 'market'"),
        (["rule=strict"], "rule"),
        (["embed.feature=posterior"], "needs people: same"),
        (["people=same", "embed.feature=posterior", *TRANSG], "no transg"),
        (["clip.step=2", "sequences={training: released, cutting: kgbd}"], "clip.step is 2"),
    ],
)
def test_settings_that_do_not_fit(changes: list[str], words: str, reid_recipe: Path) -> None:
    with pytest.raises((ValueError, ValidationError)) as error:
        load_settings(ReidSettings, reid_recipe, changes)
    assert words in str(error.value)


def emptied(store: Store, column: str, chosen: Any) -> Store:
    index = store.index.copy()
    index.loc[chosen, column] = ""
    return Store(store.info, index, store.frames)


def test_missing_sets_people_and_labels(make: Any, reid_walkers: Store, known_people: Path) -> None:
    index = reid_walkers.index
    plain = reid_walkers.select((index["condition"] != "cl").to_numpy())
    with pytest.raises(ValueError, match=r"no recording of the test people is in set C .*bg, nm"):
        make(plain)
    assert len(make(plain, "pairs=[B-N, N-N]").test_sequences)
    watched = (index["identity"].isin(["004", "005"]) & (index["condition"] == "cl")).to_numpy()
    # Said before the training, not at its first validation.
    with pytest.raises(ValueError, match="no recording of the validation people is in set C"):
        make(reid_walkers.select(~watched))
    assert make(reid_walkers.select(~watched), "identities.validation=0")
    with pytest.raises(ValueError, match="needs an identity for every sample; 30 of 240 have none"):
        make(emptied(reid_walkers, "identity", index["identity"] == "002"))
    with pytest.raises(ValueError, match="0 of 240 is 'train'"):
        make(reid_walkers, "people=same")
    with pytest.raises(ValueError, match=r"set G .*of protocol kgbd"):
        make(reid_walkers, "protocol=kgbd")
    short = open_store(known_people)
    with pytest.raises(ValueError, match=r"none of its 60 sequences has the 90 frames"):
        make(short, *KNOWN, "data.min_frames=90")


def test_rules_without_their_labels_are_refused_before_training(
    make: Any, reid_walkers: Store
) -> None:
    nameless = emptied(reid_walkers, "take", slice(None))
    assert make(nameless)  # as a further rule cross-take is skipped
    with pytest.raises(ValueError, match="Rule cross-take needs the take"):
        make(nameless, "rule=cross-take")
    blind = emptied(emptied(reid_walkers, "view", slice(None)), "camera", slice(None))
    with pytest.raises(ValueError, match="Rule market1501 needs the camera"):
        make(blind, "beside=[market1501]")
