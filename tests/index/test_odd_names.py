"""Files whose names are not UTF-8: into the index, and through all that reads it."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from drawing import draw
from hashlens import Decision, ImageIndex, apply, find_duplicates, hash_files, undo
from hashlens.names import name_of, text_of
from running import run

ODD = b"caf\xe9/\xff.png"  # the copy of "best.png"
LITERAL = rb"caf\udce9/\udcff.png"  # another picture; its name looks like the text of the odd name
MORE = (b"\x80.png", b"\xc3\xa9 \xc3.png", "é.png".encode())


def at(folder, name):
    return os.fsdecode(os.path.join(os.fsencode(folder), name))


def files(folder):
    found = {}
    for place, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:
                found[os.path.join(place, name)] = file.read()
    return found


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for name in (ODD, LITERAL):
        os.makedirs(os.path.dirname(at(folder, name)))
    draw(0, (192, 128)).save(folder / "best.png")
    draw(0).save(at(folder, ODD))
    draw(1).save(at(folder, LITERAL))
    for number, name in enumerate(MORE[1:], 2):
        draw(number).save(at(folder, name))
    return folder


@pytest.fixture
def index(photos, tmp_path, content):
    with ImageIndex.open(tmp_path / "index", content=content, keypoints=100) as opened:
        report = opened.index(photos)
        assert (report.hashed, report.skipped) == (5, ())
        yield opened


def test_rows_hold_the_text_of_each_name(index, photos):
    rows = index.sql("select id, path from txtai", limit=9)
    assert {name_of(row["path"]).encode(errors="surrogateescape") for row in rows} == {
        *files(photos)
    }
    assert all(row["id"] == row["path"] and row["path"].encode() for row in rows)
    assert str(photos) + r"/caf\udce9/\udcff.png" in {row["id"] for row in rows}


def test_an_update_finds_them_unchanged_changed_moved_and_gone(index, photos):
    assert index.index(photos).unchanged == 5
    draw(9).save(at(photos, ODD))
    report = index.index(photos)
    assert (report.hashed, report.unchanged) == (1, 4)
    os.rename(at(photos, ODD), at(photos, b"\xfe.png"))
    report = index.index(photos, moved=True, prune=True)
    assert (report.moved, report.unchanged, report.removed) == (1, 4, 0)
    os.unlink(at(photos, b"\xfe.png"))
    report = index.index(photos)
    assert (report.unchanged, report.removed) == (4, 1)
    shutil.rmtree(at(photos, os.path.dirname(LITERAL)))
    away = at(photos, os.path.dirname(LITERAL))
    assert dict(index.index(photos).away) == {away: 1}
    assert index.index(photos, prune=True).removed == 1
    assert index.count() == 3


def test_rows_of_earlier_versions_without_a_fingerprint_are_filled_in(index, photos):
    uid = text_of(at(photos, ODD))
    row = {"id": uid, "path": uid, "skipped": "file name is not valid UTF-8"}
    with index._store.writing():
        index._store.write([(uid, row, None)])
    assert [item.path for item in index.skipped()] == [at(photos, ODD)]
    assert index.index(photos).hashed == 1
    assert (index.skipped(), index.count()) == ([], 5)


def test_patterns_with_them_are_remembered(index, photos):
    pattern = os.fsdecode(b"caf\xe9/")
    report = index.index(photos, exclude=pattern)
    assert (report.left_out, report.removed) == ({pattern: 1}, 1)
    assert index.index(photos).left_out == {pattern: 1}


def test_folders_are_relocated_and_forgotten(index, photos, tmp_path):
    os.rename(at(photos, os.path.dirname(ODD)), at(tmp_path, b"\xf0"))
    assert index.relocate(at(photos, os.path.dirname(ODD)), at(tmp_path, b"\xf0")) == 1
    assert index.index(tmp_path).unchanged == 5
    assert index.forget(at(tmp_path, b"\xf0")) == 1
    assert index.index(photos).unchanged == 4


def test_searches_and_groups_name_the_very_file(index, photos, tmp_path):
    odd = at(photos, ODD)
    assert index.search(odd, limit=1)[0].path == odd
    groups = index.groups(8, crops=True, keep=f"folder={os.path.dirname(odd)}")
    assert [member.path for member in groups[0].members] == [odd, str(photos / "best.png")]
    assert groups[0].reason == f"in {os.path.dirname(odd)}"
    assert groups.gone == []
    assert groups.records()[0]["reason"] == text_of(groups[0].reason)
    groups.save_mosaics(tmp_path / "mosaics")
    assert groups.save_html(tmp_path / "report.html") == []
    page = (tmp_path / "report.html").read_text("utf-8")
    assert json.dumps(text_of(odd))[1:-1] in page
    assert "caf%E9/%FF.png" in page
    assert index.map(tmp_path / "map.png", csv=tmp_path / "map.csv") == []
    with open(tmp_path / "map.csv", encoding="utf-8", newline="") as file:
        names = {name_of(row["path"]) for row in csv.DictReader(file)}
    assert {os.fsencode(name) for name in names} == set(files(photos))


def test_a_sharpness_is_measured_and_a_decision_is_kept(index, photos):
    assert index.groups(8, keep="sharpness")[0].reason
    made = index.decide(at(photos, ODD), str(photos / "best.png"), "not-duplicate")
    assert isinstance(made, Decision)
    assert len(index.groups(8)) == 0


@pytest.mark.parametrize("name", ["plan.jsonl", "plan.csv"])
@pytest.mark.parametrize("action", ["quarantine", "symlink", "hardlink"])
def test_a_plan_moves_the_very_file_and_undo_brings_its_bytes_back(photos, tmp_path, name, action):
    shutil.copy(photos / "best.png", at(photos, ODD))
    shutil.copy(photos / "best.png", at(photos, b"caf\xe9/\xff.xmp"))
    before = files(photos)
    with ImageIndex.open(tmp_path / "index") as index:
        index.index(photos)
        plan = index.groups(8, keep="path").plan(action, to=at(tmp_path, b"put \xe4side"))
        assert plan.summary()["groups"] == 1
        plan.save(tmp_path / name)
    (tmp_path / name).read_text("utf-8")
    outcome = apply(tmp_path / name)
    assert (outcome.skipped, outcome.done) == ((), 2 if action == "quarantine" else 1)
    lines = Path(outcome.journal).read_text("utf-8").splitlines()
    assert all(json.dumps(json.loads(line), ensure_ascii=False).encode() for line in lines)
    odd = os.fsencode(at(photos, ODD))
    if action == "quarantine":
        after = files(photos)
        gone = {path for path in before if path not in after}
        assert gone == {odd, odd[:-4] + b".xmp"}
        moved = os.path.join(os.fsencode(tmp_path), b"put \xe4side") + odd
        assert files(tmp_path)[moved] == before[odd]
    assert undo(outcome.journal).skipped == ()
    assert files(photos) == before


def test_rows_without_a_path_are_harmless(index):
    with index._store.writing():
        index._store.write([("x", {"id": "x", "text": "0" * 16}, None)])
        index._store.write([("y", {"id": "y", "skipped": "for a reason"}, None)])
    assert index.search("0" * 16, limit=1)[0].path is None
    assert [item.path for item in index.skipped()] == [None]
    run("search", "0" * 16, "--index", index.path, "--format", "json")


def test_what_is_printed_is_text(photos, tmp_path):
    shutil.copy(photos / "best.png", at(photos, MORE[0]))
    made = tmp_path / "index"
    report = json.loads(run("index", photos, "--index", made, "--format", "json").stdout)
    assert report["hashed"] == 6
    odd = text_of(at(photos, ODD))
    for arguments in (
        ("groups", "--index", made),
        ("groups", "--index", made, "--borderline", 2),
        ("search", photos / "best.png", "--index", made),
        ("duplicates", "--index", made),
        ("duplicates", photos),
        ("hash", photos),
        ("compare", photos / "best.png", photos),
        ("sql", "select path from txtai", "--index", made),
    ):
        printed = run(*arguments, "--format", "json").stdout
        json.loads(printed)
        assert json.dumps(odd) in printed or "dupes" in printed
        assert r"\u005c" not in printed.replace(json.dumps(text_of(at(photos, LITERAL))), "")
        assert "\\udc" not in printed.replace("\\\\udc", "")
    (photos / "bad.png").write_bytes(b"no picture")
    os.rename(photos / "bad.png", at(photos, b"\xe9.png"))
    shown = run("hash", at(photos, b"\xe9.png"), code=1)
    assert text_of(at(photos, b"\xe9.png")) in shown.stderr


def test_without_an_index_rows_hold_texts_and_values_names(photos):
    shutil.copy(photos / "best.png", at(photos, MORE[0]))
    assert text_of(at(photos, ODD)) in {row["path"] for row in hash_files(photos)}
    paths = str(photos / "best.png"), at(photos, ODD), at(photos, MORE[0])
    assert [set(item.paths) for item in find_duplicates(photos)] == [{*paths}]
