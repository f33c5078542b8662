"""A plan carried out and undone through the index that it was made from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from drawing import draw
from hashlens import ImageIndex, Plan
from hashlens.errors import PlanError


@pytest.fixture
def photos(tmp_path):
    """Three copies of one picture, two in folders of their own, and another picture."""
    folder = tmp_path / "photos"
    for name in ("a/1.png", "b/2.png", "c/d/3.png"):
        (folder / name).parent.mkdir(parents=True)
        draw(1, (320, 240)).save(folder / name)
    draw(2, (320, 240)).save(folder / "a" / "other.png")
    return folder


@pytest.fixture
def index(photos, tmp_path):
    with ImageIndex.open(tmp_path / "index") as opened:
        opened.index([photos])
        yield opened


def rows(index):
    return {
        Path(row["path"]).name: row["text"] for row in index.sql("select path, text from txtai")
    }


def planned(index, tmp_path, action, **options):
    out = tmp_path / "plan.jsonl"
    index.groups(keep="path").plan(action, **options).save(out)
    return out


@pytest.mark.parametrize("action", ["move", "quarantine", "delete"])
def test_the_index_knows_at_once_what_is_gone_and_what_is_back(index, tmp_path, action):
    before = rows(index)
    to = None if action == "delete" else tmp_path / "aside"
    outcome = index.apply(planned(index, tmp_path, action, to=to))
    assert outcome.done == 2
    assert outcome.went == ({str(to): 2} if to else {})
    assert set(rows(index)) == {"1.png", "other.png"}
    assert not index.groups()
    back = index.undo(outcome.journal)
    if action != "delete":
        assert back.done == 2
        assert rows(index) == before


@pytest.mark.parametrize("action", ["hardlink", "symlink"])
def test_links_are_read_again(index, photos, tmp_path, action):
    before = rows(index)
    index.apply(planned(index, tmp_path, action))
    assert rows(index) == before
    report = index.index([photos])
    assert (report.hashed, report.removed) == (0, 0)


def test_another_index_gets_no_rows_by_undo(index, photos, tmp_path):
    path = planned(index, tmp_path, "move", to=tmp_path / "aside")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    draw(5, (320, 240)).save(elsewhere / "5.png")
    with ImageIndex.open(tmp_path / "second") as second:
        second.index([elsewhere])
        outcome = second.apply(path)
        second.undo(outcome.journal)
        assert set(rows(second)) == {"5.png"}


def test_the_rows_follow_an_apply_that_ends_early(index, photos, tmp_path, monkeypatch):
    from hashlens.cleanup import apply as module

    path = planned(index, tmp_path, "move", to=tmp_path / "aside")
    carry_out = module._Run._carry_out
    full = iter([False, True])

    def until_full(run, number, step):
        if next(full):
            msg = "no space is left"
            raise PlanError(msg)
        return carry_out(run, number, step)

    monkeypatch.setattr(module._Run, "_carry_out", until_full)
    with pytest.raises(PlanError, match="no space"):
        index.apply(path)
    assert len(rows(index)) == 3


def tree(folder):
    """All names below a folder, with the modes of folders and the bytes and times of files."""
    return {
        path: (path.stat().st_mode, path.is_file() and (path.read_bytes(), path.stat().st_mtime_ns))
        for path in folder.rglob("*")
    }


def test_emptied_folders_are_removed_if_asked_and_come_back(index, photos, tmp_path):
    os.chmod(photos / "c" / "d", 0o700)
    (photos / "empty").mkdir()
    before = tree(photos)
    path = planned(index, tmp_path, "move", to=tmp_path / "aside")
    index.undo(index.apply(path).journal)
    assert tree(photos) == before
    outcome = index.apply(path, remove_empty=True)
    left = {str(folder.relative_to(photos)) for folder in photos.iterdir()}
    assert left == {"a", "empty"}
    index.undo(outcome.journal)
    assert tree(photos) == before


def test_a_folder_with_a_file_of_somebody_stays(index, photos, tmp_path):
    (photos / "b" / "note.txt").write_text("mine")
    index.apply(planned(index, tmp_path, "delete"), remove_empty=True)
    assert sorted(os.listdir(photos)) == ["a", "b"]


def test_partners_get_no_rows_by_undo(index, photos, tmp_path):
    for name in ("b/2.xmp", "b/2.mov", "b/2.nef"):
        (photos / name).write_bytes(b"II*\0 of two")
    before = rows(index)
    index.undo(index.apply(planned(index, tmp_path, "move", to=tmp_path / "aside")).journal)
    assert rows(index) == before


def test_an_exchange_never_leaves_a_partner_of_a_deleted_picture(index, photos, tmp_path):
    (photos / "a" / "1.mov").write_bytes(b"film")
    path = planned(index, tmp_path, "delete")
    lines = path.read_text().splitlines()
    kept = next(number for number, line in enumerate(lines) if "a/1.png" in line)
    gone = next(number for number, line in enumerate(lines) if '"action": "delete"' in line)
    lines[kept] = lines[kept].replace('"keep"', '"delete"', 1)
    lines[gone] = lines[gone].replace('"delete"', '"keep"', 1)
    path.write_text("\n".join(lines))
    outcome = index.apply(path)
    assert [item.reason.partition(":")[0] for item in outcome.skipped] == [
        "1.mov would be lost with it"
    ]
    assert (photos / "a" / "1.png").exists()
    assert (photos / "a" / "1.mov").exists()


def test_partners_are_backed_up_with_their_pictures(index, photos, tmp_path):
    (photos / "a" / "1.xmp").write_text("of one")
    (photos / "b" / "2.xmp").write_text("of two")
    path = planned(index, tmp_path, "move", to=tmp_path / "aside", backup=tmp_path / "backup")
    assert Plan.read(path).steps
    index.apply(path)
    backup = {item.name: item for item in (tmp_path / "backup").rglob("*.*") if item.is_file()}
    assert backup["1.xmp"].read_text() == "of one"
    assert "keep" in backup["1.xmp"].parts
    assert backup["2.xmp"].read_text() == "of two"
    assert "remove" in backup["2.xmp"].parts
    assert (tmp_path / "aside" / "2.xmp").read_text() == "of two"
    shutil.rmtree(tmp_path / "backup")
