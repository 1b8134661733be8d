"""Protocols as tables: the built-in ones, a user's own, and who becomes gallery and probe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from protocols.embeddings import Embeddings
from protocols.gait.assignment import Assignment, assign
from protocols.gait.gallery_probe import GalleryProbe, load_protocol, read_probe_names
from protocols.names import canonical, natural_order
from protocols.splits import load_identity_split, split_names


def samples(subject: list[Any], take: list[Any], condition: list[str] | None = None) -> Embeddings:
    given = np.array(condition) if condition else np.full(len(subject), "")
    return Embeddings(
        np.ones((len(subject), 1), dtype=np.float32), np.array(subject), given, np.array(take)
    )


def names(data: Embeddings, rows: npt.NDArray[np.int64]) -> list[str]:
    return [str(name) for name in data.sample[rows]]


def test_the_built_in_protocols_load() -> None:
    assert split_names("gait") == [
        "casia_b",
        "casia_b_cross_view_gallery",
        "casia_b_no_view",
        "casia_b_pooled",
        "casia_e",
        "ccpg",
        "ccpg_all_views",
        "ccpg_views",
        "freegait",
        "gait3d",
        "grew",
        "hid",
        "kgbd_walks",
        "oumvlp",
        "oumvlp_gaitgraph2",
        "own",
        "sustech1k",
        "ttg200",
        "ucalgary_gait",
    ]
    for name in split_names("gait"):
        assert load_protocol(name).name == name


def test_casia_b_is_the_published_table() -> None:
    rules = load_protocol("casia_b").rules
    gallery = {(r.condition, r.take) for r in rules if r.role == "gallery"}
    probe = {(r.condition, r.take) for r in rules if r.role == "probe"}
    assert gallery == {("nm", str(t)) for t in range(1, 5)}
    assert probe == {("nm", "5"), ("nm", "6")} | {(c, t) for c in ("bg", "cl") for t in ("1", "2")}


def test_spaces_count_in_names_of_people_alone(tmp_path: Path) -> None:
    people, table = tmp_path / "people.csv", tmp_path / "street.csv"
    people.write_text("split,subject\ntrain, ann\ntrain,ann\ntest , bob\n")
    assert load_identity_split(people) == ((" ann", "ann"), (), (" bob",))
    table.write_text("condition,take,role\n*, 1, gallery\n*, *, probe\n")
    assert [rule.role for rule in load_protocol(table).rules] == ["gallery", "probe"]


def test_a_csv_may_set_fields_in_its_comments(tmp_path: Path) -> None:
    assert load_protocol("casia_b").views == "single"
    assert load_protocol("casia_b_no_view").rules == load_protocol("casia_b").rules
    path = tmp_path / "street.csv"
    path.write_text("# views: pooled\n# unmated: skip\ncondition,take,role\n*,1,gallery\n")
    assert (load_protocol(path).views, load_protocol(path).unmated) == ("pooled", "skip")
    path.write_text("# views: many\ncondition,take,role\n*,1,gallery\n")
    with pytest.raises(ValueError, match=r"street\.csv: views"):
        load_protocol(path)


def test_casia_b_people() -> None:
    split = load_identity_split("casia_b")
    numbers = [[int(subject) for subject in part] for part in split]
    assert numbers == [list(range(1, 60)), list(range(60, 75)), list(range(75, 125))]


@pytest.mark.parametrize("spelling", ["nm", "NM", "0"])
def test_names_are_matched_whatever_their_spelling(spelling: str) -> None:
    data = samples(["1", "1", "2"], ["01", "5", "006"], [spelling] * 3)
    roles = assign(load_protocol("casia_b"), data)
    assert (roles.gallery.tolist(), roles.probe.tolist()) == ([0], [1, 2])
    assert [roles.conditions[i] for i in roles.condition] == ["nm", "nm"]


def test_conditions_keep_the_order_of_the_table() -> None:
    data = samples([1] * 4, [1, 1, 1, 5], ["cl", "bg", "nm", "nm"])
    roles = assign(load_protocol("casia_b"), data)
    assert roles.conditions == ("nm", "bg", "cl")
    assert roles.condition.tolist() == [2, 1, 0]


def test_first_takes_are_counted_by_size_for_each_person() -> None:
    data = samples(["a", "a", "a", "b", "b", "b"], [10, 9, 2, 7, 6, 7])
    roles = assign(load_protocol("kgbd_walks"), data)
    assert names(data, roles.gallery) == ["a-9", "a-2", "b-7", "b-6", "b-7"]
    assert names(data, roles.probe) == ["a-10"]
    assert roles.conditions == ("all",)
    one = assign(load_protocol("kgbd_walks").with_gallery_takes("first 1"), data)
    assert names(data, one.gallery) == ["a-2", "b-6"]


def test_random_takes_are_as_many_and_differ_by_seed() -> None:
    data = samples(np.repeat(np.arange(30), 5).tolist(), list(range(1, 6)) * 30)
    protocol = load_protocol("kgbd_walks").with_gallery_takes("random 2")

    def draw(seed: int) -> Assignment:
        return assign(protocol, data, np.random.default_rng(seed))

    first, again, other = draw(1), draw(1), draw(2)
    assert np.bincount(data.subject[first.gallery].astype(int)).tolist() == [2] * 30
    assert first.gallery.tolist() == again.gallery.tolist() != other.gallery.tolist()
    assert len(set(data.take[first.gallery])) == 5
    assert sorted([*first.gallery, *first.probe]) == list(range(150))


@pytest.mark.parametrize(("takes", "enrolled"), [("random 2", 2), ("first 3", 3), ("first 5", 4)])
def test_other_gallery_takes_leave_the_named_probes_alone(takes: str, enrolled: int) -> None:
    conditions = ["nm"] * 6 + ["bg"] * 2 + ["cl"] * 2
    data = samples(
        np.repeat(np.arange(30), 10).tolist(), [*range(1, 7), 1, 2, 1, 2] * 30, conditions * 30
    )
    protocol = load_protocol("casia_b")
    roles = assign(protocol.with_gallery_takes(takes), data, np.random.default_rng(0))
    assert np.bincount(data.subject[roles.gallery].astype(int)).tolist() == [enrolled] * 30
    assert set(data.take[roles.gallery]) <= set("1234")
    assert roles.probe.tolist() == assign(protocol, data).probe.tolist()
    again = protocol.with_gallery_takes("first 1").with_gallery_takes(takes)
    assert again == protocol.with_gallery_takes(takes)


def test_a_take_of_a_named_probe_is_never_drawn_under_a_wildcard() -> None:
    rules = [("*", "first 1", "gallery"), ("*", "2", "probe")]
    protocol = GalleryProbe.model_validate(
        {
            "name": "mine",
            "rules": [dict(zip(("condition", "take", "role"), r, strict=True)) for r in rules],
        }
    )
    roles = assign(protocol.with_gallery_takes("first 2"), samples([1] * 3, [1, 2, 3]))
    assert (roles.gallery.tolist(), roles.probe.tolist()) == ([0, 2], [1])


def test_wildcard_conditions_are_groups_of_their_own() -> None:
    protocol = GalleryProbe.model_validate(
        {
            "name": "mine",
            "rules": [
                {"condition": "day", "take": "1", "role": "gallery"},
                {"condition": "*", "take": "*", "role": "probe"},
            ],
        }
    )
    data = samples([1, 1, 1, 1], [1, 2, 1, 1], ["day", "day", "Night", "dusk"])
    roles = assign(protocol, data)
    assert roles.conditions == ("day", "dusk", "night")
    assert roles.condition.tolist() == [0, 2, 1]


def test_a_user_writes_a_csv_or_a_yaml(tmp_path: Path) -> None:
    table = tmp_path / "street.csv"
    table.write_text("condition,take,role\n*,1,gallery\n*,*,probe\n")
    settings = tmp_path / "pooled.yaml"
    settings.write_text("table: street.csv\nviews: pooled\nunmated: skip\n")
    inline = tmp_path / "inline.yml"
    inline.write_text("name: x\nrules:\n- {condition: a, take: 1, role: gallery}\n")
    assert load_protocol(table).rules == load_protocol(settings).rules
    assert (load_protocol(settings).views, load_protocol(settings).unmated) == ("pooled", "skip")
    assert load_protocol(str(inline)).rules[0].take == "1"
    table.write_text("condition,take,role,alias,\n*,1,gallery,,\n*,*,probe\n")
    assert load_protocol(table).rules == load_protocol(settings).rules
    people = tmp_path / "people.csv"
    people.write_text("subject,split,\nann,train,\nZoe\u0308,test,\n", encoding="utf-8")
    assert load_identity_split(people).test == ("Zo\u00eb",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "condition,take,role\nnm,1,galery\n", r"rules\.0\.role"),
        ("a.csv", "condition,take\nnm,1\n", r"rules\.0\.role"),
        ("a.csv", "condition,take,role\nnm,1,probe,x\n", "row 1 has 4 cells, the header 3"),
        ("a.csv", "condition,take,role\nnm,last 2,gallery\n", "'last 2' is none of"),
        ("a.yaml", "rules: []\nview: single\n", "view: Extra inputs"),
        ("a.yaml", "- 1\n", "a protocol is a mapping"),
        ("a.yaml", "table: gone.csv\n", "gone.csv"),
        ("a.yaml", "rules: [\n", "a.yaml"),
        ("a.csv", "type,role\n,gallery\n", "needs a condition and a take, or a type"),
        ("a.csv", "condition,type,role\nnm,nm-01,gallery\n", "a type beside a condition"),
        ("a.yaml", "table: hid.yaml\nmeasures: [mAP]\n", "begin with rank1"),
        ("a.yaml", "table: hid.yaml\nmeasures: [rank1, rank3]\n", r"measures\.1"),
        ("a.yaml", "table: hid.yaml\nheadline: night\n", "no condition 'night'"),
        (
            "a.yaml",
            "table: hid.yaml\nrerank: [6, 6, 0.3]\n",
            "needs one gallery, and views are auto",
        ),
        ("a.csv", "type,role,group\n0,gallery,CL\n1,probe,Cl\n", "group 'CL', but no probes"),
        ("a.yaml", "table: gait3d.yaml\n", "table gait3d.yaml has no rules"),
        ("a.yaml", "views: single\n", "it has no rules"),
    ],
)
def test_a_bad_protocol_file_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_protocol(path)
    assert str(path) in str(caught.value)


def typed(types: list[str], take: bool = False) -> Embeddings:
    return samples([1] * len(types), types if take else [""] * len(types), None if take else types)


@pytest.mark.parametrize("take", [False, True])
def test_a_type_is_the_condition_or_the_take(take: bool) -> None:
    data = typed(["00", "01", "02"], take)
    roles = assign(load_protocol("oumvlp"), data)
    assert (roles.probe.tolist(), roles.gallery.tolist()) == ([0], [1])


def test_a_type_is_both_with_a_hyphen_and_may_have_a_wildcard() -> None:
    rules = [("nm-01", "gallery", ""), ("*-02", "probe", "second"), ("n*2", "probe", "normal")]
    protocol = GalleryProbe.model_validate(
        {
            "name": "mine",
            "rules": [dict(zip(("type", "role", "group"), r, strict=True)) for r in rules],
        }
    )
    roles = assign(protocol, samples([1] * 4, ["01", "02", "02", "03"], ["nm", "nm", "bg", "nm"]))
    assert roles.gallery.tolist() == [0]
    # A probe of two groups is there for both.
    assert (roles.probe.tolist(), roles.condition.tolist()) == ([1, 1, 2], [0, 1, 0])
    assert not roles.apart


def test_a_group_may_have_a_gallery_of_its_own() -> None:
    roles = assign(load_protocol("ccpg"), typed(["U0_D0", "U0_D0_BG", "U0_D3", "U3_D3"]))
    galleries = dict(zip(roles.conditions, [g.tolist() for g in roles.galleries], strict=True))
    assert galleries == {"CL": [3], "UP": [2], "DN": [], "BG": [0]}
    found = [
        (roles.conditions[c], row) for row, c in zip(roles.probe, roles.condition, strict=True)
    ]
    assert found == [("CL", 0), ("CL", 1), ("BG", 1), ("UP", 3)]


def test_types_have_no_gallery_takes() -> None:
    with pytest.raises(ValueError, match="oumvlp has no gallery takes"):
        load_protocol("oumvlp").with_gallery_takes("first 1")
    with pytest.raises(ValueError, match=r"wants type 01, the data have conditions \['nm'\]"):
        assign(load_protocol("grew"), typed(["nm"]))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", '{"TRAIN_SET": [], "PROBE_SET": ["1-a-0", "2-b-1"]}'),
        ("p.json", '["1-a-0", "2-b-1"]'),
        ("p.txt", "1-a-0\n\n2-b-1 \n"),
    ],
)
def test_a_list_names_the_probes(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    names = read_probe_names(tmp_path / name)
    assert names == ("1-a-0", "2-b-1")
    fields = {"subject": ["1", "1", "2"], "condition": ["a", "b", "b"], "view": ["0", "0", "0"]}
    data = Embeddings(
        np.ones((3, 1), dtype=np.float32), **{k: np.array(v) for k, v in fields.items()}
    )
    roles = assign(load_protocol("gait3d").with_probes(names), data)
    assert (roles.probe.tolist(), roles.gallery.tolist(), roles.missing) == ([0], [1, 2], 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "neither a list PROBE_SET"),
        ("[1]", "neither a list PROBE_SET"),
        ("[]", "is empty"),
        ("[" * 100_000, "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_a_bad_list_of_probes_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_probe_names(path)
    assert str(path) in str(caught.value)


def test_a_list_of_probes_must_be_given_and_fit() -> None:
    data = samples([1, 2], ["", ""], ["a", "b"])
    with pytest.raises(ValueError, match="gait3d needs the list of its probes"):
        assign(load_protocol("gait3d"), data)
    with pytest.raises(
        ValueError, match="such as '01-a', names none of the 2 samples, such as '1-a'"
    ):
        assign(load_protocol("gait3d").with_probes(["01-a"]), data)
    with pytest.raises(ValueError, match="grew already defines which samples are probes"):
        load_protocol("grew").with_probes(["01-a"])


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="one of casia_b, casia_b_cross_view_gallery"):
        load_protocol("casia-b")
    with pytest.raises(ValueError, match=r"no protocol file nowhere\.csv"):
        load_protocol("nowhere.csv")


def test_a_bad_identity_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("subject,split\nann,training\n")
    with pytest.raises(ValueError, match=r"people\.csv: it needs the columns subject and split"):
        load_identity_split(path)


def test_data_that_do_not_fit_the_protocol_are_refused() -> None:
    data = samples([1, 2], [1, 2], ["walk", "run"])
    with pytest.raises(ValueError, match=r"finds no gallery among 2 samples.*'run', 'walk'"):
        assign(load_protocol("casia_b"), data)
    with pytest.raises(ValueError, match="finds no probe among 1 sample"):
        assign(load_protocol("casia_b"), samples([1], [1], ["nm"]))


def test_missing_recordings_are_those_the_table_names() -> None:
    data = samples([1, 1, 2], [1, 2, 1], ["N", "N", "N"])
    assert assign(load_protocol("ucalgary_gait"), data).missing == 1
    assert assign(load_protocol("kgbd_walks").with_gallery_takes("first 1"), data).missing == 0


def test_names_in_one_form() -> None:
    assert canonical(np.array(["007", "7", "Left ", "0"])).tolist() == ["7", "7", "left", "0"]
    assert canonical([]).tolist() == []
    assert canonical(["Gele\u0308"]).tolist() == ["gel\u00eb"]
    assert natural_order(["180", "36", "", "x"]) == ["36", "180", "", "x"]
