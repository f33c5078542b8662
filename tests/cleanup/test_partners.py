"""Sidecars, live photos and RAW files go with their pictures, and come back with them."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from hashlens.cleanup.apply import apply
from hashlens.cleanup.plan import Plan
from hashlens.cleanup.undo import undo
from hashlens.images.walk import IGNORE
from trees import group, make_plan, put, snapshot


@pytest.fixture
def album(tmp_path):
    """Two equal pictures with all that belongs to each, and one more that shares a sidecar."""
    root = tmp_path / "photos"
    for folder in ("a", "b"):
        for ending in ("jpg", "xmp", "jpg.xmp", "MOV", "AAE", "NEF", "jpg.json", "pp3"):
            content = b"same" if ending == "jpg" else f"{folder} {ending}".encode()
            put(root / folder / f"1.{ending}", content)
    return root


def planned(album, action="quarantine", **options):
    to = None if action == "delete" else album.parent / "to"
    plan = make_plan([group(album / "a/1.jpg", album / "b/1.jpg")], action, to=to, **options)
    path = album.parent / "plan.jsonl"
    plan.save(path, force=True)
    return path


def left(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("action", ["move", "quarantine"])
def test_partners_go_with_their_picture_and_come_back(album, action):
    before = snapshot(album)
    path = planned(album, action)
    plan = Plan.read(path)
    assert sum(step.action == "partner" for step in plan.steps) == 14
    assert plan.summary()["partners"] == 7  # those of the keeper stay
    outcome = apply(path)
    assert (outcome.done, outcome.skipped) == (8, ())
    assert left(album / "b") == []
    assert len(left(album / "a")) == 8
    where = album.parent / "to" if action == "move" else album.parent / f"to{album}" / "b"
    assert {name for name in left(where) if name[0] != "."} == set(left(album / "a"))
    assert apply(path).earlier == 8
    assert undo(outcome.journal).done == 8
    assert snapshot(album) == before


def test_a_summary_counts_the_partners_that_go(album):
    path = planned(album)
    steps = Plan.read(path).steps
    kept = Plan(tuple(replace(step, action="keep") if step.to else step for step in steps))
    assert "partners" not in kept.summary()
    kept.save(path, force=True)
    assert apply(path).done == 0
    assert "partners" not in Plan.read(planned(album, partners=False)).summary()


def test_a_picture_that_gets_a_number_keeps_its_partners(album):
    put(album.parent / "to" / "1.jpg", b"there before")
    assert apply(planned(album, "move")).done == 8
    names = left(album.parent / "to")
    assert {"1-2.jpg", "1-2.xmp", "1-2.jpg.xmp", "1-2.MOV", "1-2.NEF"} <= set(names)


def test_pictures_of_one_stem_do_not_mix_their_partners(tmp_path):
    """Their own names are free in a flat folder, and those of their partners clash."""
    photos = tmp_path / "photos"
    for folder, ending in (("a", "jpg"), ("b", "jpg"), ("a", "png"), ("c", "png")):
        put(photos / folder / f"1.{ending}", ending.encode())
        put(photos / folder / "1.xmp", folder.encode())
    before = snapshot(photos)
    pairs = [(photos / "a/1.jpg", photos / "b/1.jpg"), (photos / "a/1.png", photos / "c/1.png")]
    path = tmp_path / "plan.jsonl"
    make_plan([group(*pair) for pair in pairs], "move", to=tmp_path / "to").save(path)
    outcome = apply(path)
    names = {name: (tmp_path / "to" / name).read_bytes() for name in left(tmp_path / "to")}
    del names[IGNORE]
    assert names == {"1.jpg": b"jpg", "1.xmp": b"b", "1-2.png": b"png", "1-2.xmp": b"c"}
    assert undo(outcome.journal).skipped == ()
    assert snapshot(photos) == before


@pytest.mark.parametrize("how", ["changed", "set to keep"])
def test_a_partner_is_not_taken_from_a_picture_that_stays_after_all(tmp_path, how):
    """Both pictures were to go when the plan was made."""
    photos = tmp_path / "photos"
    for name, data in (("a/1.jpg", b"one"), ("b/1.jpg", b"one"), ("a/1.png", b"two")):
        put(photos / name, data)
    png, sidecar = put(photos / "b/1.png", b"two"), put(photos / "b/1.xmp", b"of both")
    before = snapshot(photos)
    pairs = [(photos / "a/1.jpg", photos / "b/1.jpg"), (photos / "a/1.png", png)]
    path = tmp_path / "plan.jsonl"
    make_plan([group(*pair) for pair in pairs], "move", to=tmp_path / "to").save(path)
    if how == "changed":
        put(png, b"changed")
    else:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:-1]) + lines[-1].replace('"move"', '"keep"'))
    outcome = apply(path)
    assert (outcome.done, left(photos / "b")) == (1, ["1.png", "1.xmp"])
    told = {item.path: item.reason for item in outcome.skipped}
    assert told[str(sidecar)] == f"belongs to {png}, too, which stays"
    put(png, b"two")
    if how == "changed":
        assert apply(path).done == 2
        assert left(photos / "b") == []
    undo(outcome.journal)
    assert snapshot(photos) == before


def test_a_long_name_with_a_number_leaves_room_for_its_partners(tmp_path):
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    name = "y" * (longest - 9) + ".jpg"
    for folder in "abc":
        put(tmp_path / folder / name, b"same")
        put(tmp_path / folder / f"{name}.json", folder.encode())
    path = tmp_path / "plan.jsonl"
    pictures = [tmp_path / folder / name for folder in "abc"]
    make_plan([group(*pictures)], "move", to=tmp_path / "to").save(path)
    assert apply(path).done == 4
    names = left(tmp_path / "to")
    assert sorted(f"{name}.json" for name in names if name.endswith(".jpg")) == [
        name for name in names if name.endswith(".json")
    ]


def test_partners_stay_if_asked_to(album):
    assert apply(planned(album, partners=False)).done == 1
    assert len(left(album / "b")) == 7


def test_a_partner_is_not_taken_from_a_picture_that_stays(album):
    put(album / "b" / "1.heic", b"another picture")
    assert apply(planned(album)).done == 3
    assert left(album / "b") == ["1.AAE", "1.MOV", "1.NEF", "1.heic", "1.pp3", "1.xmp"]


def test_what_stays_by_an_edited_plan_keeps_its_partners(album):
    path = planned(album)
    path.write_text(path.read_text().replace('"quarantine"', '"keep"'))
    before = snapshot(album)
    assert apply(path).done == 0
    assert snapshot(album) == before


def test_partners_follow_an_exchange_of_keeper_and_duplicate(album):
    path = planned(album)
    text = path.read_text().replace('"quarantine"', '"x"')
    path.write_text(text.replace('"keep"', '"quarantine"').replace('"x"', '"keep"'))
    outcome = apply(path)
    assert (outcome.done, outcome.skipped) == (8, ())
    assert (left(album / "a"), len(left(album / "b"))) == ([], 8)


def test_partners_of_a_picture_that_was_left_alone_stay(album):
    path = planned(album)
    put(album / "b" / "1.jpg", b"changed")
    outcome = apply(path)
    assert (outcome.done, len(outcome.skipped)) == (0, 1)
    assert len(left(album / "b")) == 8


def test_a_picture_with_partners_is_not_deleted(album):
    before = snapshot(album)
    path = planned(album, "delete")
    (step,) = [step for step in Plan.read(path).steps if step.path == str(album / "b/1.jpg")]
    assert step.action == "keep"
    assert step.reason.endswith("would be lost with it: move it, or plan without partners")
    assert apply(path).done == 0
    assert snapshot(album) == before
    assert apply(planned(album, "delete", partners=False)).done == 1
    assert len(left(album / "b")) == 7


@pytest.mark.parametrize("action", ["symlink", "hardlink"])
def test_a_name_that_stays_keeps_its_partners(album, action):
    assert apply(planned(album, action)).done == 1
    assert len(left(album / "b")) == 8


def test_a_partner_never_goes_by_a_plan_that_deletes(album):
    path = planned(album, "delete", partners=False)
    line = path.read_text().splitlines()[1].replace('"delete"', '"partner"')
    line = line.replace("/b/1.jpg", "/b/1.xmp", 1).replace("/a/1.jpg", "/b/1.jpg")
    path.write_text(path.read_text() + line + "\n")
    [left] = apply(path).skipped
    assert left.reason == "1.xmp would be lost with it: move it, or plan without partners"
    assert (album / "b" / "1.xmp").exists()
    assert (album / "b" / "1.jpg").exists()
