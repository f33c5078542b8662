from __future__ import annotations

import builtins
import csv
import json
import math
import os
from dataclasses import FrozenInstanceError, asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashlens.cleanup.actions import ACTIONS, Step
from hashlens.cleanup.apply import apply
from hashlens.cleanup.plan import Plan
from hashlens.errors import ParameterError, PlanError
from trees import digest, group, make_plan, member, put, snapshot

HOSTILE = [
    "new\nline.jpg",
    "-rf.jpg",
    "ä ☃.jpg",
    'quo"te,;.jpg',
    "car\rriage.jpg",
    "\u2028.jpg",
    " .jpg",
]


@pytest.fixture
def photos(tmp_path):
    return tmp_path / "photos"


def of(plan, path):
    (step,) = [step for step in plan.steps if step.path == str(path) and step.reason != "backup"]
    return step


def actions(plan):
    return [step.action for step in plan.steps]


def pair(photos, one=b"same", other=b"same"):
    return put(photos / "a.jpg", one), put(photos / "b" / "a.jpg", other)


@pytest.mark.parametrize("action", ACTIONS)
def test_each_member_has_a_line_and_nothing_happens(photos, tmp_path, action):
    keeper, other = pair(photos)
    before = snapshot(tmp_path)
    to = None if action == "delete" else tmp_path / "to"
    plan = make_plan([group(keeper, other)], action, to=to)
    assert snapshot(tmp_path) == before
    assert [step.path for step in plan.steps] == [str(keeper), str(other)]
    assert {step.digest for step in plan.steps} == {digest(b"same")}
    assert {step.keeper for step in plan.steps} == {str(keeper)}
    assert of(plan, keeper).reason == "most pixels"
    acting = of(plan, keeper if action == "copy-keepers" else other)
    assert acting.action == ("copy" if action == "copy-keepers" else action)
    assert acting.bytes == 4
    assert plan.skipped == ()


def test_a_move_is_flat_and_names_that_clash_get_numbers(photos, tmp_path):
    to = tmp_path / "to"
    put(to / "a.jpg", b"there before")
    paths = [put(photos / str(n) / "a.jpg", b"same") for n in range(4)]
    paths.append(put(photos / "4" / "a-3.jpg", b"same"))
    plan = make_plan([group(*paths)], "move", to=to)
    names = [os.path.basename(step.to) for step in plan.steps[1:]]
    assert names == ["a-2.jpg", "a-3.jpg", "a-4.jpg", "a-3-2.jpg"]
    assert {os.path.dirname(step.to) for step in plan.steps[1:]} == {str(to)}


def test_quarantine_keeps_the_tree(photos, tmp_path):
    keeper, other = pair(photos)
    plan = make_plan([group(keeper, other)], "quarantine", to=tmp_path / "q")
    assert of(plan, other).to == f"{tmp_path}/q{other}"


@pytest.mark.parametrize("action", ["hardlink", "symlink"])
def test_links_need_a_folder_where_bytes_differ(photos, tmp_path, action):
    equal = group(*pair(photos))
    unlike = group(*pair(photos / "c", other=b"other"))
    assert [step.to for step in make_plan([equal], action).steps] == ["", ""]
    with pytest.raises(ParameterError, match=r"has other bytes than its keeper .*--to DIR"):
        make_plan([equal, unlike], action)
    plan = make_plan([equal, unlike], action, to=tmp_path / "q")
    assert [bool(step.to) for step in plan.steps] == [False, False, False, True]
    assert of(plan, photos / "c/b/a.jpg").to == f"{tmp_path}/q{photos}/c/b/a.jpg"


def test_groups_have_their_numbers_in_the_order_given(photos, tmp_path):
    groups = [
        group(*(put(photos / str(n) / side / "x.jpg", b"%d" % n) for side in "ab"))
        for n in (3, 1, 2)
    ]
    plan = make_plan(groups, "move", to=tmp_path / "to", backup=tmp_path / "backup")
    for number, each in enumerate(groups, 1):
        paths = {step.path for step in plan.steps if step.group == number}
        assert paths == {item.path for item in each.members}


def test_protected_files_stay_also_through_links(photos, tmp_path):
    keeper, other = pair(photos)
    inside = put(photos / "safe" / "c.jpg", b"same")
    put(tmp_path / "elsewhere" / "d.jpg", b"same")
    (photos / "safe" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "alias").symlink_to(photos / "safe")
    through = photos / "safe" / "linked" / "d.jpg"
    beside = put(photos / "safe-not" / "e.jpg", b"same")
    for folder in (photos / "safe", tmp_path / "alias"):
        plan = make_plan([group(keeper, other, inside, beside)], "delete", protect=[folder])
        assert actions(plan) == ["keep", "delete", "keep", "delete"]
        assert of(plan, inside).reason.startswith("protected: below")
    plan = make_plan([group(keeper, through)], "delete", protect=[photos / "safe"])
    assert actions(plan) == ["keep", "keep"]
    alias = tmp_path / "alias" / "c.jpg"
    plan = make_plan([group(keeper, alias)], "delete", protect=[photos / "safe"])
    assert of(plan, alias).reason == f"protected: below {photos / 'safe'}"
    with pytest.raises(ParameterError, match="no such folder can be protected"):
        make_plan([], "delete", protect=[photos / "sfae"])


def test_backups_come_first_and_leave_untouched_groups_out(photos, tmp_path):
    keeper, other = pair(photos)
    alone = put(photos / "z.jpg", b"z"), put(photos / "z2.jpg", b"z")
    gone = group(*alone)
    alone[1].unlink()
    plan = make_plan([gone, group(keeper, other)], "delete", backup=tmp_path / "backup")
    assert actions(plan) == ["copy", "copy", "keep", "keep", "keep", "delete"]
    assert [step.to for step in plan.steps[:2]] == [
        f"{tmp_path}/backup/keep{keeper}",
        f"{tmp_path}/backup/remove{other}",
    ]


def test_symbolic_links_and_what_they_lead_to_stay(photos):
    keeper, other = pair(photos)
    link = photos / "link.jpg"
    link.symlink_to(other)
    plan = make_plan([group(keeper, link, other)], "delete")
    assert actions(plan) == ["keep", "keep", "keep"]
    assert of(plan, link).reason == "a symbolic link"
    assert of(plan, other).reason == f"same file as {link}"


@pytest.mark.parametrize("action", ["delete", "symlink", "hardlink"])
def test_the_file_that_a_keeper_leads_to_stays(photos, action):
    real, other = pair(photos)
    link = photos / "0.jpg"
    link.symlink_to(real)
    plan = make_plan([group(link, real, other)], action)
    assert actions(plan) == ["keep", "keep", action]
    assert of(plan, real).reason == f"same file as {link}"
    another = make_plan([group(photos / "0.jpg", other), group(real)], action)
    assert of(another, real).action == "keep"


def test_two_names_through_a_linked_folder_are_one_file(photos):
    keeper, other = pair(photos)
    (photos / "z").symlink_to(photos / "b")
    alias = photos / "z" / "a.jpg"
    plan = make_plan([group(keeper, other, alias)], "delete")
    assert actions(plan) == ["keep", "delete", "keep"]
    assert of(plan, alias).reason == f"same file as {other}"
    plan = make_plan([group(alias, other)], "delete")
    assert actions(plan) == ["keep", "keep"]


@pytest.mark.parametrize("action", ["move", "delete", "symlink", "hardlink"])
def test_a_hard_link_of_the_keeper_stays_unless_asked_for(photos, tmp_path, action):
    keeper = put(photos / "a.jpg", b"same")
    os.link(keeper, photos / "b.jpg")
    same = group(keeper, photos / "b.jpg")
    to = tmp_path / "to" if action == "move" else None
    plan = make_plan([same], action, to=to)
    assert of(plan, photos / "b.jpg").reason == "a hard link of the keeper: it takes no room"
    assert plan.summary()["freed"] == 0
    asked = make_plan([same], action, to=to, hard_links=True)
    assert actions(asked) == ["keep", "keep" if action == "hardlink" else action]


@pytest.mark.parametrize("elsewhere", [True, False])
def test_hard_links_go_when_all_names_of_the_file_do(photos, tmp_path, elsewhere):
    keeper, one = put(photos / "a.jpg", b"same"), put(photos / "b.jpg", b"same")
    names = [photos / "c.jpg", photos / "d.jpg"]
    for name in (*names, *([tmp_path / "other.jpg"] if elsewhere else [])):
        os.link(one, name)
    plan = make_plan([group(keeper, one, *names)], "delete")
    plan.save(tmp_path / "plan.jsonl")
    assert actions(plan) == ["keep", *["keep" if elsewhere else "delete"] * 3]
    if elsewhere:
        assert of(plan, one).reason == "a hard link: 1 other names of the file stay"
    told = plan.summary()["freed"]
    assert apply(tmp_path / "plan.jsonl").bytes == told == (0 if elsewhere else 4)
    assert plan.summary()["freed"] == 0


def test_freed_is_what_apply_frees(photos, tmp_path):
    keeper = put(photos / "a.jpg", b"same")
    for name in "bcde":
        os.link(keeper, photos / f"{name}.jpg")
    copy = put(photos / "f.jpg", b"same")
    same = group(keeper, *(photos / f"{name}.jpg" for name in "bcde"), copy)
    for hard_links in (False, True):
        plan = make_plan([same], "delete", hard_links=hard_links)
        path = tmp_path / f"{hard_links}.jsonl"
        plan.save(path)
        told = plan.summary()["freed"]
        assert apply(path).bytes == told == 4
        put(copy, b"same")


def test_changed_files_are_left_alone(photos):
    paths = [put(photos / f"{n}.jpg", b"same") for n in range(5)]
    indexed = group(*paths)
    indexed = replace(
        indexed, members=(*indexed.members[:4], replace(indexed.members[4], file_digest=""))
    )
    put(paths[1], b"other, longer")
    os.utime(paths[2], ns=(1, 1))
    paths[3].unlink()
    plan = make_plan([indexed], "delete")
    assert actions(plan) == ["keep"] * 5
    reasons = [step.reason for step in plan.steps[1:]]
    assert reasons[:3] == ["changed since it was indexed: index again"] * 3
    assert reasons[3] == "no digest in the index: index again"
    assert [item.path for item in plan.skipped] == [str(path) for path in paths[1:]]


@pytest.mark.parametrize("change", ["gone", "changed", "folder"])
def test_a_group_without_its_keeper_is_left_alone(photos, tmp_path, change):
    keeper, other = pair(photos)
    groups = [group(keeper, other)]
    keeper.unlink()
    if change == "changed":
        put(keeper, b"emas")
        os.utime(keeper)
    if change == "folder":
        keeper.mkdir()
    plan = make_plan(groups, "delete", backup=tmp_path / "backup")
    assert actions(plan) == ["keep", "keep"]
    assert of(plan, other).reason.startswith("its keeper changed since it was indexed")


@pytest.mark.parametrize(
    ("action", "given", "message"),
    [
        ("move", {"to": 3}, "to must be a path, not 3"),
        ("move", {"to": "x", "backup": True}, "backup must be a path, not True"),
        ("delete", {"protect": [3]}, "each of protect must be a path, not 3"),
        ("delete", {"protect": 3}, "protect must be a path or a list of paths, not 3"),
        ("delete", {"protect": {"a": 1}}, "protect must be a path or a list of paths"),
        ("delete", {"verify": "no"}, "verify must be True or False, not 'no'"),
        ("delete", {"partners": "maybe"}, "partners must be True or False, not 'maybe'"),
        ("delete", {"hard_links": 1}, "hard_links must be True or False, not 1"),
    ],
)
def test_values_of_another_kind_are_named(photos, action, given, message):
    with pytest.raises(ParameterError) as caught:
        make_plan([group(*pair(photos))], action, **given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("action", "given", "message"),
    [
        ("shred", {}, "action must be one of move, quarantine, .*not 'shred'"),
        ("move", {}, "move needs a folder .*--to DIR"),
        ("quarantine", {}, "quarantine needs a folder .*--to DIR"),
        ("copy-keepers", {}, "copy-keepers needs a folder .*--to DIR"),
        ("delete", {"to": "x"}, "delete is given without to"),
        ("move", {"to": ""}, "to must be a (folder|path)"),
        ("move", {"to": "photos/a.jpg"}, "to must be a (folder|path)"),
        ("delete", {"backup": "photos/a.jpg"}, "backup must be a folder"),
        ("move", {"to": "photos/b"}, "b/a.jpg is in .*photos/b already: .*--to"),
        ("move", {"to": "alias/b"}, "b/a.jpg is in .*alias/b already: .*--to"),
        ("quarantine", {"to": "/"}, "b/a.jpg is in / already"),
        ("copy-keepers", {"to": "photos"}, "a.jpg is in .*photos already"),
    ],
)
def test_what_cannot_work_is_an_error(photos, tmp_path, action, given, message):
    groups = [group(*pair(photos))]
    (tmp_path / "alias").symlink_to(photos)
    given = {name: value and str(tmp_path / value) for name, value in given.items()}
    with pytest.raises(ParameterError, match=message):
        make_plan(groups, action, **given)


def test_an_image_in_two_groups_is_an_error(photos):
    keeper, other = pair(photos)
    with pytest.raises(ParameterError, match="in the groups twice"):
        make_plan([group(keeper, other), group(photos / "b/a.jpg")], "delete")


def test_a_target_in_a_source_folder_is_fine(photos):
    keeper, other = pair(photos)
    plan = make_plan([group(keeper, other)], "move", to=photos / "b" / "put aside")
    assert of(plan, other).to == str(photos / "b" / "put aside" / "a.jpg")


def test_the_summary_counts(photos, tmp_path):
    groups = [group(*pair(photos / str(n), b"x" * 10, b"x" * (10 + n))) for n in range(3)]
    plan = make_plan(groups, "symlink", to=tmp_path / "q", backup=tmp_path / "backup")
    assert plan.summary() == {
        "groups": 3,
        "keep": 3,
        "copy": {"files": 6, "bytes": 63},
        "symlink": {"files": 3, "bytes": 33},
        "freed": 10,
    }
    assert make_plan(groups, "delete").summary()["freed"] == 33
    assert make_plan(groups, "move", to=tmp_path / "q").summary()["freed"] == 0
    assert make_plan([], "delete").summary() == {"groups": 0, "keep": 0, "freed": 0}


def test_records_and_frames_hold_the_steps(photos, monkeypatch):
    plan = make_plan([group(*pair(photos))], "delete")
    assert plan.records() == [asdict(step) for step in plan.steps]
    assert list(plan.to_pandas()["action"]) == ["keep", "delete"]
    assert list(Plan(()).to_pandas().columns) == list(asdict(plan.steps[0]))
    with pytest.raises(FrozenInstanceError):
        plan.steps = ()
    real = builtins.__import__

    def without_pandas(name, *rest):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ParameterError, match=r"pip install 'hashlens\[demo\]'"):
        plan.to_pandas()


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
paths = texts.map(lambda text: "/" + text)
digests = st.binary(max_size=3).map(digest)
drawn_steps = st.builds(
    Step,
    group=st.integers(0, 10**12),
    action=st.sampled_from(["move", "quarantine"]),
    path=paths.map(lambda path: path + "/p"),
    to=paths.map(lambda path: path + "/t"),
    digest=digests,
    bytes=st.integers(0, 10**15),
    keeper=paths.map(lambda path: path + "/k"),
    keeper_digest=digests,
    distance=st.floats(0, allow_infinity=False),
    reason=texts,
)


@given(
    st.lists(drawn_steps, unique_by=(lambda step: step.path, lambda step: step.to)),
    st.sampled_from([".jsonl", ".json", ".csv", ".CSV"]),
)
def test_a_plan_is_read_as_it_was_saved(tmp_path_factory, steps, ending):
    path = tmp_path_factory.mktemp("plans") / f"plan{ending}"
    Plan(tuple(steps)).save(path)
    assert Plan.read(path) == Plan(tuple(steps))
    assert not [name for name in os.listdir(path.parent) if name.endswith(".new")]


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_hostile_names_and_other_line_ends_are_read(photos, tmp_path, ending):
    groups = [
        group(put(photos / "a" / name, name.encode()), put(photos / "b" / name, name.encode()))
        for name in HOSTILE
    ]
    plan = make_plan(groups, "quarantine", to=tmp_path / "q")
    path = tmp_path / f"plan{ending}"
    plan.save(path)
    assert Plan.read(path) == plan
    kept = Plan(tuple(step for step in plan.steps if not set("\n\r") & set(step.path)))
    kept.save(path)
    saved = path.read_bytes()
    for end in (b"\r\n", b"\n\n", b"\r\n\r\n"):
        path.write_bytes(b"\xef\xbb\xbf" + saved.replace(b"\n", end))
        assert Plan.read(path) == kept
        assert Plan.read(path).digest == Plan.read(path).digest == kept.digest


@pytest.mark.parametrize("name", ["plan.txt", "plan", "plan.jsonl.gz", ".csv"])
def test_other_extensions_are_refused(tmp_path, name):
    for call in (Plan(()).save, Plan.read):
        with pytest.raises(PlanError, match=r"a plan is a file .jsonl or .csv"):
            call(tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_a_plan_that_was_applied_is_not_replaced(photos, tmp_path, ending):
    keeper, other = pair(photos)
    plan = make_plan([group(keeper, other)], "quarantine", to=tmp_path / "to")
    path = tmp_path / f"plan{ending}"
    plan.save(path)
    apply(path)
    before = path.read_bytes()
    with pytest.raises(PlanError, match=r"was applied.*choose another name"):
        plan.save(path)
    assert path.read_bytes() == before


def test_a_plan_that_cannot_be_written_leaves_the_old_one(photos, tmp_path, monkeypatch):
    plan = make_plan([group(*pair(photos))], "delete")
    path = tmp_path / "plan.jsonl"
    plan.save(path)
    bad = Plan((*plan.steps, replace(plan.steps[0], distance=math.nan)))
    with pytest.raises(PlanError, match=r"plan\.jsonl cannot be written"):
        bad.save(path)
    with pytest.raises(PlanError, match="cannot be written: No such file"):
        plan.save(tmp_path / "none" / "plan.csv")
    assert Plan.read(path) == plan
    plan.save(path)


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_a_plan_that_was_edited_is_not_replaced(photos, tmp_path, ending):
    keeper, other = pair(photos)
    groups = [group(keeper, other)]
    plan = make_plan(groups, "delete")
    path = tmp_path / f"plan{ending}"
    plan.save(path)
    make_plan(groups, "quarantine", to=tmp_path / "to").save(path)  # nobody has edited it
    plan.save(path)
    text = path.read_text()
    for edited in (
        text.replace("delete", "keep"),
        "".join(text.splitlines(keepends=True)[:-1]),
        "all my notes",
    ):
        path.write_text(edited)
        with pytest.raises(PlanError, match=r"was edited, or not written here.*--force"):
            plan.save(path)
        assert path.read_text() == edited
        plan.save(path, force=True)
        assert Plan.read(path) == plan
    apply(path)
    with pytest.raises(PlanError, match="was applied"):
        plan.save(path, force=True)


@pytest.mark.parametrize("action", ["move", "quarantine", "hardlink", "symlink", "delete"])
@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_two_words_exchange_keeper_and_duplicate(photos, tmp_path, action, ending):
    keeper, other = pair(photos, b"one", b"other")
    third = put(photos / "third.jpg", b"third")
    to = None if action == "delete" else tmp_path / "to"
    path = tmp_path / f"plan{ending}"
    make_plan([group(keeper, other, third)], action, to=to).save(path)
    lines = path.read_text().splitlines(keepends=True)
    first, second = len(lines) - 3, len(lines) - 2
    quoted = '"keep"', f'"{action}"'
    lines[first] = lines[first].replace(*quoted)
    lines[second] = lines[second].replace(*quoted[::-1])
    path.write_text("".join(lines))
    plan = Plan.read(path)
    assert [step.keeper for step in plan.steps if step.action == action] == [str(other)] * 2
    outcome = apply(path)
    assert (outcome.done, outcome.skipped) == (2, ())
    assert other.read_bytes() == b"other"
    for gone in (keeper, third):
        assert gone.is_symlink() or not gone.exists() or gone.read_bytes() == b"other"


def test_two_plans_in_one_folder_have_two_journals(photos, tmp_path):
    for name, folder in (("plan.jsonl", "1"), ("plan.csv", "2"), ("plan.json", "3")):
        pictures = pair(photos / folder)
        make_plan([group(*pictures)], "delete").save(tmp_path / name)
    for name in ("plan.jsonl", "plan.csv", "plan.json"):
        assert apply(tmp_path / name).done == 1


GOOD = asdict(
    Step(1, "move", "/a", "/t/a", digest(b""), 3, "/k", digest(b"k"), 2.0, "duplicate of /k")
)
WITHOUT = object()


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "shred"}, "unknown action 'shred'"),
        ({"path": "a"}, "path must be an absolute path, not 'a'"),
        ({"path": ""}, "path must be an absolute path, not ''"),
        ({"to": "../t"}, "to must be an absolute path"),
        ({"keeper": "k"}, "keeper must be an absolute path"),
        ({"digest": "abc"}, "digest must be a SHA-256 in 64 hex digits, not 'abc'"),
        ({"digest": digest(b"").upper()}, "digest must be a SHA-256"),
        ({"keeper_digest": digest(b"") + " "}, "keeper_digest must be a SHA-256"),
        ({"digest": ""}, "to move a file, 'digest' must be given"),
        ({"keeper": ""}, "to move a file, 'keeper' must be given"),
        ({"keeper_digest": ""}, "to move a file, 'keeper_digest' must be given"),
        ({"to": ""}, "to move a file, 'to' must be given"),
        ({"action": "symlink", "to": ""}, "to symlink a file, 'to' must be given"),
        ({"action": "copy", "to": ""}, "to copy a file, 'to' must be given"),
        ({"action": "delete"}, "'to' must be empty"),
        ({"to": "/a"}, "path and 'to' are one and the same"),
        ({"keeper": "/a"}, "path and 'keeper' are one and the same"),
        ({"bytes": "many"}, "bytes must be a whole number of at least 0, not 'many'"),
        ({"bytes": "1.5"}, "bytes must be a whole number"),
        ({"bytes": -1}, "bytes must be a whole number"),
        ({"group": ""}, "group must be a whole number"),
        ({"distance": "nan"}, "distance must be a number of at least 0"),
        ({"distance": "far"}, "distance must be a number"),
        ({"turn": "91"}, "turn must be empty or one of mirrored, 180, .*, not '91'"),
        ({"bytes": "1_0"}, "bytes must be a whole number of at least 0, not '1_0'"),
        ({"reason": WITHOUT}, "the field 'reason' is missing"),
        ({"colour": "red"}, "not a field of a step: 'colour'"),
    ],
)
def test_a_line_that_is_no_step_is_named(tmp_path, ending, change, message):
    path = tmp_path / f"plan{ending}"
    bad = {name: value for name, value in {**GOOD, **change}.items() if value is not WITHOUT}
    fine = {**GOOD, "path": "/fine", "to": "/t/fine"}
    if ending == ".csv":
        with open(path, "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerows([bad, fine.values() if len(bad) == len(GOOD) else bad, bad.values()])
        line = 3 if len(bad) == len(GOOD) else 1
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in (fine, fine, bad)[1:]))
        line = 2
    with pytest.raises(PlanError, match=message) as caught:
        Plan.read(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "a step is a JSON object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (json.dumps({**GOOD, "path": 3}), "path must be text, not 3"),
        (json.dumps({**GOOD, "path": "/\0"}), "path must be text"),
        (json.dumps({**GOOD, "path": "/\ud800"}), "surrogates not allowed"),
        (json.dumps({**GOOD, "bytes": "1"}), "bytes must be a whole number of at least 0, not '1'"),
        (json.dumps({**GOOD, "group": "1"}), "group must be a whole number of at least 0, not '1'"),
        (json.dumps({**GOOD, "distance": "0"}), "distance must be a number of at least 0, not '0'"),
        (json.dumps({**GOOD, "distance": -1}), "distance must be a number of at least 0, not -1"),
        (json.dumps({**GOOD, "turn": "banana"}), "turn must be empty or one of mirrored, 180"),
        (json.dumps({**GOOD, "turn": "91"}), "not '91'"),
        (json.dumps({**GOOD, "turn": "\x1b[2J"}), r"not '.x1b.2J'"),
        (json.dumps({**GOOD, "turn": 90}), "turn must be text, not 90"),
        (json.dumps({**GOOD, "group": True}), "group must be a whole number"),
        (json.dumps({**GOOD, "group": 1.0}), "group must be a whole number"),
        (json.dumps({**GOOD, "bytes": None}), "bytes must be a whole number"),
        (json.dumps({**GOOD, "distance": float("inf")}), "distance must be a number"),
    ],
)
def test_json_that_is_no_step_is_named(tmp_path, text, message):
    path = tmp_path / "plan.jsonl"
    path.write_text(f"\n{text}\n")
    with pytest.raises(PlanError, match=message) as caught:
        Plan.read(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")


def test_a_file_that_is_no_table_is_named(tmp_path):
    path = tmp_path / "plan.csv"
    path.write_text(",".join(GOOD) + "\n1,2\n")
    with pytest.raises(PlanError, match="line 2: 2 values, but the first line names 11 fields"):
        Plan.read(path)
    path.write_text(",".join(GOOD) + '\n"1"x,2\n')
    with pytest.raises(PlanError, match="line 2: not CSV"):
        Plan.read(path)
    path.write_text(",".join([*GOOD, "path"]) + "\n")
    with pytest.raises(PlanError, match="line 1: twice the field of a step: 'path'"):
        Plan.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="it is not in UTF-8"):
        Plan.read(path)
    with pytest.raises(PlanError, match="cannot be read: No such file"):
        Plan.read(tmp_path / "none.csv")


@pytest.mark.parametrize("same", ["path", "to"])
def test_a_path_or_a_target_that_occurs_twice_is_named(tmp_path, same):
    path = tmp_path / "plan.jsonl"
    other = {**GOOD, "path": "/other", "to": "/t/other", same: GOOD[same]}
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps(other))
    with pytest.raises(PlanError, match=f"line 3: {same} .* is that of line 1 too"):
        Plan.read(path)


def test_a_member_named_by_a_relative_path_becomes_absolute(photos, monkeypatch):
    pair(photos)
    monkeypatch.chdir(photos)
    keeper, other = member("a.jpg"), member("b/a.jpg")
    plan = make_plan([replace(group("a.jpg"), members=(keeper, other))], "delete")
    assert [step.path for step in plan.steps] == [str(photos / "a.jpg"), str(photos / "b/a.jpg")]
