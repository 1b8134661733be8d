"""Walkers: bodies that hold together, causes that act, and data that do not cheat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from aclnet.data.store import Store
from aclnet.data.walkers.camera import focal_length, hide, project
from aclnet.data.walkers.dataset import Recordings, make_walkers, record_person, write_walkers
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.skeleton import load_layout

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
JOINTS = load_layout("coco17").joints
AT = {name: place for place, name in enumerate(JOINTS)}
LIMBS = (
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("hip", "knee"),
    ("knee", "ankle"),
)


@pytest.fixture(scope="module")
def people() -> list[Recordings]:
    """Six people with all their walks, seen from front, oblique, side and behind."""
    settings = WalkerSettings(views=(0, 54, 90, 180), bg_takes=4, cl_takes=4)
    return [record_person(settings, number) for number in range(1, 7)]


def _true(people: list[Recordings], joint: str, walks: slice = slice(None)) -> Array:
    return np.concatenate([person.joints[walks, :, AT[joint]] for person in people])


def _seen(people: list[Recordings], joint: str, view: int, walks: slice) -> Array:
    return np.concatenate([person.frames[walks, view, :, AT[joint]] for person in people])


# ---- bodies -------------------------------------------------------------------------------


def test_bones_keep_their_lengths_through_a_walk(people: list[Recordings]) -> None:
    for side in ("left", "right"):
        for upper, lower in LIMBS:
            bone = _true(people, f"{side}_{upper}") - _true(people, f"{side}_{lower}")
            length = np.linalg.norm(bone, axis=-1)
            assert np.ptp(length, axis=1).max() < 1e-4
            assert 0.15 < length.min() < length.max() < 0.6


def test_knees_bend_backward_and_elbows_forward(people: list[Recordings]) -> None:
    plain = slice(0, 6)
    for side in ("left", "right"):
        for first, middle, last, direction in (
            ("hip", "knee", "ankle", 1.0),
            ("shoulder", "elbow", "wrist", -1.0),
        ):
            start, joint, end = (_true(people, f"{side}_{n}", plain) for n in (first, middle, last))
            share = (joint - start)[..., 2] / (end - start)[..., 2]
            straight = start[..., 0] + share * (end - start)[..., 0]
            assert ((joint[..., 0] - straight) * direction).min() > -0.015


def test_arms_swing_with_the_leg_of_the_other_side(people: list[Recordings]) -> None:
    plain = slice(0, 6)
    hip = 0.5 * (_true(people, "left_hip", plain) + _true(people, "right_hip", plain))
    ahead = {n: (_true(people, n, plain) - hip)[..., 0] for n in AT if "ankle" in n or "wrist" in n}
    legs = ahead["left_ankle"] - ahead["right_ankle"]
    arms = ahead["left_wrist"] - ahead["right_wrist"]
    together = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(legs, arms, strict=True)]
    assert max(together) < -0.5


def test_supporting_feet_rest_while_the_body_moves_on(people: list[Recordings]) -> None:
    hip = 0.5 * (_true(people, "left_hip") + _true(people, "right_hip"))
    seconds = (hip.shape[1] - 1) / 25.0
    speed = np.linalg.norm(hip[:, -1, :2] - hip[:, 0, :2], axis=-1) / seconds
    assert 0.8 < speed.min() < speed.max() < 1.9
    ankles = np.stack([_true(people, "left_ankle"), _true(people, "right_ankle")], axis=1)
    steps = np.linalg.norm(np.diff(ankles[..., :2], axis=2), axis=-1) * 25.0
    resting = steps.min(axis=1)  # the slower ankle of each frame
    assert np.median(resting) < 0.2
    assert np.percentile(resting, 99) < 0.7
    assert ankles[..., 2].min() > 0.03  # and none is in the floor


def test_the_body_rises_on_one_leg_and_sinks_on_two(people: list[Recordings]) -> None:
    hip = 0.5 * (_true(people, "left_hip") + _true(people, "right_hip"))
    apart = np.abs((_true(people, "left_ankle") - _true(people, "right_ankle"))[..., 0])
    together = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(apart, hip[..., 2], strict=True)]
    assert np.median(together) < -0.6
    assert 0.015 < np.median(np.ptp(hip[..., 2], axis=1)) < 0.07


# ---- cameras ------------------------------------------------------------------------------


def test_projection_is_a_pinhole() -> None:
    rig = WalkerSettings(views=(0, 90))
    points = np.array([[[[0.0, 0.0, 0.9], [0.0, 0.5, 0.9], [0.5, 0.0, 0.9]]]], dtype=np.float32)
    front, side = project(points, rig)[0, :, 0]
    np.testing.assert_allclose(front[0, :2], [160.0, 120.0], atol=1e-3)
    np.testing.assert_allclose(front[0, 2], np.hypot(7.0, 0.5), rtol=1e-5)
    across = 160.0 + focal_length(rig) * 0.5 / np.hypot(7.0, 0.5)
    np.testing.assert_allclose(front[1, 0], across, rtol=1e-5)  # his left is the picture's right
    np.testing.assert_allclose(side[2, 0], 320.0 - across, rtol=1e-5)  # he walks to the left


def test_a_walker_grows_towards_the_front_camera_and_shrinks_before_the_back_one(
    people: list[Recordings],
) -> None:
    def growth(view: int) -> Array:
        tall = np.concatenate([np.ptp(p.frames[:, view, :, :, 1], axis=-1) for p in people])
        return np.asarray(tall[:, -10:].mean(axis=1) / tall[:, :10].mean(axis=1))

    assert growth(0).min() > 1.2
    assert growth(3).max() < 0.85
    assert 0.9 < growth(2).min() < growth(2).max() < 1.1
    crossing = np.concatenate([np.diff(p.frames[:, 2, ::20, :, 0].mean(-1)) for p in people])
    assert crossing.max() < 0.0  # right to left, all along
    pixels = np.concatenate([p.frames[..., :2].reshape(-1, 2) for p in people])
    assert pixels.min() >= 0.0
    assert (pixels.max(axis=0) <= [319.0, 239.0]).all()


def test_the_far_arm_is_less_certain_from_the_side_and_the_face_from_behind(
    people: list[Recordings],
) -> None:
    plain = slice(0, 6)
    near, far = (_seen(people, f"{s}_elbow", 2, plain)[..., 2].mean() for s in ("left", "right"))
    assert far < near - 0.15
    front, back = (_seen(people, "nose", view, plain)[..., 2].mean() for view in (0, 3))
    assert back < front - 0.2


def test_only_what_is_behind_and_inside_the_trunk_is_hidden() -> None:
    joints = np.zeros((1, 1, 17, 3), dtype=np.float32)
    for name, place in {
        "left_shoulder": (0, 0.17, 1.4),
        "right_shoulder": (0, -0.17, 1.4),
        "left_hip": (0, 0.09, 0.9),
        "right_hip": (0, -0.09, 0.9),
        "left_knee": (0, 0.1, 0.5),
        "right_knee": (0, -0.1, 0.5),
        "left_ankle": (0, 0.1, 0.1),
        "right_ankle": (0, -0.1, 0.1),
        "left_elbow": (0.0, 0.25, 1.1),
        "right_elbow": (0.0, -0.25, 1.1),
        "left_wrist": (0.0, 0.25, 1.0),
        "right_wrist": (-0.3, 0.0, 1.1),  # behind his back
    }.items():
        joints[0, 0, AT[name]] = place
    rig = WalkerSettings(views=(0, 180))
    points = project(joints, rig)
    metre = np.float32(focal_length(rig)) / points[..., AT["left_hip"], 2]
    bag = project(np.zeros((1, 1, 1, 3), np.float32), rig)[..., 0, :]
    hidden, _ = hide(points, bag, np.zeros(1, np.float32), metre)
    front, back = hidden[0, :, 0]
    assert front[AT["right_wrist"]] > 0.9
    assert back[AT["right_wrist"]] < 0.1
    assert front[AT["left_wrist"]] < 0.1
    # The same with a bag before the left hand: now the hand is hidden from the front.
    bag = project(np.array([[[[0.3, 0.25, 1.0]]]], dtype=np.float32), rig)[..., 0, :]
    hidden, _ = hide(points, bag, np.array([0.2], np.float32), metre)
    assert hidden[0, 0, 0, AT["left_wrist"]] > 0.9
    assert hidden[0, 1, 0, AT["left_wrist"]] < 0.1


# ---- conditions ---------------------------------------------------------------------------

PLAIN, BAG, COAT = slice(0, 6), slice(6, 10), slice(10, 14)


def _reach(people: list[Recordings], walks: slice) -> Array:
    """How far each wrist swings along the way, (walks, 2) in metres."""
    swings = []
    for side in ("left", "right"):
        wrist = _true(people, f"{side}_wrist", walks) - _true(people, f"{side}_shoulder", walks)
        swings.append(np.ptp(wrist[..., 0], axis=1))
    return np.sort(np.stack(swings, axis=-1), axis=-1)


def test_a_bag_binds_one_arm_and_leaves_the_other(people: list[Recordings]) -> None:
    plain, bag = _reach(people, PLAIN), _reach(people, BAG)
    assert np.median(bag[:, 0]) < 0.6 * np.median(plain[:, 0])
    assert np.median(bag[:, 1]) > 0.8 * np.median(plain[:, 1])


def test_a_coat_widens_and_veils_what_it_covers_and_spares_the_ankles(
    people: list[Recordings],
) -> None:
    front = 0

    def width(part: str, walks: slice) -> float:
        left, right = (_seen(people, f"{s}_{part}", front, walks) for s in ("left", "right"))
        size = np.ptp(np.concatenate([p.frames[walks, front, :, :, 1] for p in people]), axis=-1)
        return float(np.median((left - right)[..., 0] / size))

    def certainty(part: str, walks: slice) -> float:
        return float(_seen(people, f"left_{part}", front, walks)[..., 2].mean())

    assert width("hip", COAT) > 1.2 * width("hip", PLAIN)
    assert width("shoulder", COAT) > 1.05 * width("shoulder", PLAIN)
    for part in ("hip", "knee", "shoulder", "elbow"):
        assert certainty(part, COAT) < certainty(part, PLAIN) - 0.05
    assert certainty("ankle", COAT) == pytest.approx(certainty("ankle", PLAIN), abs=0.03)
    assert certainty("hip", COAT) < certainty("hip", BAG)


# ---- determinism --------------------------------------------------------------------------


def test_a_person_depends_on_seed_and_number_alone() -> None:
    few, many = (WalkerSettings(identities=n, views=(0, 90)) for n in (2, 9))
    for given, again in zip(record_person(few, 2), record_person(many, 2), strict=True):
        np.testing.assert_array_equal(given, again)
    other_seed = record_person(few.model_copy(update={"seed": 1}), 2)
    other_person = record_person(few, 1)
    for other in (other_seed, other_person):
        assert np.abs(other.joints - record_person(few, 2).joints).max() > 0.01


def test_samples_are_the_recordings_whatever_is_asked_for_at_once() -> None:
    small = WalkerSettings(identities=1, views=(18, 90), nm_takes=2, bg_takes=1, cl_takes=1)
    info, one = make_walkers(small)
    _, three = make_walkers(small.model_copy(update={"identities": 3}))
    samples = list(one)
    assert info.synthetic
    assert [s.sample for s in samples[:3]] == ["001-nm-01-018", "001-nm-01-090", "001-nm-02-018"]
    recordings = record_person(small, 1)
    for place, (sample, same) in enumerate(zip(samples, three, strict=False)):
        assert sample.sample == same.sample
        np.testing.assert_array_equal(sample.frames, same.frames)
        walk, view = divmod(place, 2)
        start = recordings.starts[walk, view]
        there = recordings.frames[walk, view, start : start + recordings.lengths[walk, view]]
        np.testing.assert_array_equal(sample.frames[:, 0], there)


def test_store_holds_every_sample_with_its_names(tmp_path: Path) -> None:
    settings = WalkerSettings(identities=2, seed=3, views=(0, 180), nm_takes=1, bg_takes=1)
    store = write_walkers(tmp_path / "a", settings)
    again = write_walkers(tmp_path / "b", settings)
    other = write_walkers(tmp_path / "c", settings.model_copy(update={"seed": 4}))
    assert len(store) == 2 * 4 * 2
    assert list(store.index["sample"])[:2] == ["001-nm-01-000", "001-nm-01-180"]
    assert set(store.index["condition"]) == {"nm", "bg", "cl"}
    assert store.layout.name == "coco17"
    assert store.info.channels == ("x", "y", "confidence")
    assert store.info.settings["seed"] == 3
    assert (store.lengths >= 64).all()
    assert (store.lengths <= 92).all()
    assert store.info.fingerprint == again.info.fingerprint != other.info.fingerprint
    confidence = np.asarray(store.frames)[..., 2]
    assert np.isfinite(store.frames).all()
    assert confidence.min() > 0.0
    assert confidence.max() <= 1.0


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"views": ()}, "views"),
        ({"views": (0, 0)}, "views"),
        ({"views": (360,)}, "views"),
        ({"frames": (80, 60)}, "frames"),
        ({"frames": (64, 400)}, "camera_distance"),
        ({"nm_takes": 0, "bg_takes": 0, "cl_takes": 0}, "nobody walks"),
        ({"image_size": (8, 8)}, "image_size"),
        ({"people": 3}, "people"),
        ({"identities": 0}, "identities"),
    ],
)
def test_impossible_settings_are_refused_by_name(given: Mapping[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        WalkerSettings.model_validate(given)


# ---- honesty ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Forty people in five views: 24 to train on, 16 strangers."""
    settings = WalkerSettings(identities=40, views=(0, 36, 72, 108, 144))
    return write_walkers(tmp_path_factory.mktemp("walkers") / "crowd", settings)


def _centre_clips(store: Store, frames: int = 60) -> Array:
    start = (store.lengths - frames) // 2
    index = start[:, None] + np.arange(frames)
    return store.gather(np.arange(len(store)), index)[:, 0]


def _per_view(feature: Array, store: Store, train: Mask) -> Array:
    """Standardised by the training people of each view."""
    scaled = feature.astype(np.float64)
    view = store.index["view"].to_numpy()
    for angle in np.unique(view):
        here = view == angle
        known = scaled[here & train]
        scaled[here] = (scaled[here] - known.mean(axis=0)) / (known.std(axis=0) + 1e-6)
    return scaled


def _rank1(feature: Array, store: Store, among: Mask) -> dict[str, float]:
    """Cross-view rank-1 of a nearest neighbour, gallery nm-01..04, identical views excluded."""
    table = store.index
    identity, view = table["identity"].to_numpy(), table["view"].to_numpy()
    take, condition = table["take"].astype(int).to_numpy(), table["condition"].to_numpy()
    result = {}
    for name in ("nm", "bg", "cl"):
        probes = among & (condition == name) & ((take > 4) | (name != "nm"))
        cells = []
        for seen in np.unique(view):
            for enrolled in np.unique(view[view != seen]):
                p = np.flatnonzero(probes & (view == seen))
                g = np.flatnonzero(among & (condition == "nm") & (take <= 4) & (view == enrolled))
                distance = np.square(feature[p][:, None] - feature[g][None]).sum(axis=-1)
                cells.append(np.mean(identity[g][distance.argmin(axis=1)] == identity[p]))
        result[name] = float(np.mean(cells))
    return result


def _bone_lengths(clips: Array) -> Array:
    """Median lengths in the picture by the torso's, (N, bones)."""
    bones = load_layout("coco17").bone_index
    points = clips[..., :2]
    torso = points[:, :, 5:7].mean(axis=2) - points[:, :, 11:13].mean(axis=2)
    length = np.linalg.norm(points[:, :, bones[:, 0]] - points[:, :, bones[:, 1]], axis=-1)
    size = np.median(np.linalg.norm(torso, axis=-1), axis=1)
    return np.asarray(np.median(length, axis=1) / size[:, None])


def _gait_waves(clips: Array, harmonics: int = 3) -> Array:
    """Mean and harmonics of the hip-centred, torso-scaled joints at the gait's own period."""
    points = clips[..., :2]
    hip = points[:, :, 11:13].mean(axis=2)
    size = np.linalg.norm(points[:, :, 5:7].mean(axis=2) - hip, axis=-1)
    scaled = (points - hip[:, :, None]) / np.median(size, axis=1)[:, None, None, None]
    clips_count, frames = scaled.shape[:2]
    signal = scaled.reshape(clips_count, frames, -1)
    limbs = (scaled[:, :, [13, 15]] - scaled[:, :, [14, 16]]).reshape(clips_count, frames, -1)
    limbs = limbs - limbs.mean(axis=1, keepdims=True)
    tried = np.linspace(0.7, 1.2, 51)
    seconds = np.arange(frames) / 25.0
    probe = np.exp(-2j * np.pi * np.outer(tried, seconds))
    power = np.square(np.abs(np.einsum("qt,ntd->nqd", probe, limbs))).sum(axis=-1)
    cadence = tried[power.argmax(axis=1)]
    angle = 2.0 * np.pi * cadence[:, None] * seconds
    columns = [np.ones_like(angle)]
    for order in range(1, harmonics + 1):
        columns += [np.cos(order * angle), np.sin(order * angle)]
    basis = np.stack(columns, axis=-1)
    fit = np.linalg.pinv(basis) @ signal
    waves = fit[:, 1::2] - 1j * fit[:, 2::2]
    first = waves[:, 0].reshape(clips_count, 17, 2)[..., 1]
    start = np.angle(first[:, 13] - first[:, 14] + first[:, 15] - first[:, 16])
    turn = np.arange(1, harmonics + 1) * start[:, None]
    waves = waves * np.exp(-1j * turn)[..., None]
    parts = [fit[:, 0], waves.real.reshape(clips_count, -1), waves.imag.reshape(clips_count, -1)]
    return np.concatenate([*parts, cadence[:, None]], axis=1)


@pytest.mark.slow
def test_length_place_and_confidence_do_not_tell_who_it_is(crowd: Store) -> None:
    among = np.ones(len(crowd), dtype=bool)
    means = np.stack([crowd.clip(i).mean(axis=(0, 1, 2)) for i in range(len(crowd))])
    first = np.stack([crowd.clip(i)[0, 0, :, :2].mean(axis=0) for i in range(len(crowd))])
    chance = 1 / 40
    for feature in (crowd.lengths[:, None].astype(np.float64), means[:, 2:]):
        assert max(_rank1(feature, crowd, among).values()) < 2.0 * chance
    # Where in the picture says a little about height, and no more.
    for feature in (means[:, :2], first):
        assert max(_rank1(_per_view(feature, crowd, among), crowd, among).values()) < 3.0 * chance


@pytest.mark.slow
def test_bone_lengths_are_poor_and_a_learner_finds_nm_then_bg_then_cl(crowd: Store) -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    clips = _centre_clips(crowd)
    identity = crowd.index["identity"].to_numpy()
    train = identity <= "024"
    chance = 1 / 16
    bones = _rank1(_per_view(_bone_lengths(clips), crowd, train), crowd, ~train)
    waves = _per_view(_gait_waves(clips), crowd, train)
    learner = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1)
    learnt = learner.fit(waves[train], identity[train]).transform(waves)
    learnt /= np.linalg.norm(learnt, axis=1, keepdims=True)
    found = _rank1(learnt, crowd, ~train)
    assert 1.5 * chance < bones["nm"] < 0.40
    assert bones["nm"] > bones["cl"]
    assert 0.55 < found["nm"] < 0.95
    assert found["nm"] > found["bg"] + 0.03
    assert found["bg"] > found["cl"]
    assert found["cl"] > bones["cl"] + 0.15
