"""Pictures whose names do not say so, in an index; what was passed over, by kind."""

from __future__ import annotations

import json
import os

import pytest

from drawing import draw
from hashlens import ImageIndex, ImageRows, Report, find_duplicates, hash_files
from running import run

NAMES = ("a.jpg", "b", "c.jpg.1", "d.jpg~", "e.tmp")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        draw(number).save(folder / name, "JPEG")
    for name in ("1.mov", "2.MOV", "3.jpg.xmp", "notes"):
        (folder / name).write_text("no picture")
    return folder


@pytest.fixture
def index(photos, tmp_path):
    with ImageIndex.open(tmp_path / "index") as opened:
        assert opened.index(photos, any_name=True).hashed == 5
        yield opened


def names(index):
    return sorted(os.path.basename(row["path"]) for row in index.sql("select path from txtai"))


def test_an_update_without_any_name_keeps_rows_while_their_files_are_there(index, photos):
    report = index.index(photos)
    assert (report.images, report.removed, index.count()) == (1, 0, 5)
    assert index.index(photos, prune=True).removed == 0
    (photos / "b").unlink()
    assert index.index(photos).removed == 1
    report = index.index(photos, any_name=True)
    assert (report.unchanged, report.removed, index.count()) == (4, 0, 4)
    assert index.upsert(photos, any_name=True).hashed == 4


def test_an_update_with_any_name_drops_what_is_no_picture_any_more_or_left_out(index, photos):
    (photos / "b").write_text("no picture")
    report = index.index(photos, any_name=True, exclude=["*~"])
    assert (report.unchanged, report.removed) == (3, 2)


def test_rows_of_files_that_were_not_asked_for_stay(index, photos):
    (photos / "text.xyz").write_text("given by its name, and no picture")
    assert len(index.index(photos / "text.xyz").skipped) == 1
    report = index.index(photos, any_name=True, extensions=["png"])
    assert (report.removed, index.count()) == (0, 6)


def test_a_file_that_moved_is_recognised_by_any_name(index, photos):
    (photos / "b").rename(photos / "b.2")
    report = index.index(photos, moved=True, any_name=True)
    assert (report.moved, report.unchanged, report.removed) == (1, 4, 0)


def test_the_report_counts_files_passed_over_by_kind(photos, tmp_path):
    with ImageIndex.open(tmp_path / "index") as index:
        report = index.index(photos)
    assert list(report.passed_over.items())[:2] == [(".mov", 2), ("without extension", 2)]
    assert report.passed_over == {
        ".mov": 2,
        "without extension": 2,
        ".jpg.N": 1,
        ".jpg~": 1,
        ".tmp": 1,
        ".xmp": 1,
    }
    assert (report.ignored, Report().ignored) == (8, 0)


def test_the_summary_tells_kinds_and_that_some_may_be_pictures(photos, tmp_path):
    where = ("--index", tmp_path / "i")
    said = run("index", photos, *where).stdout
    assert "  passed over: 2 .mov, 2 without extension, 1 .jpg.N, 1 .jpg~, 1 .tmp, 1 .xmp\n" in said
    assert (
        "  2 of them look like pictures by name: --any-name looks at the first bytes of all\n"
        in said
    )
    for number in range(9):
        (photos / f"1.x{chr(97 + number)}").touch()
        (photos / f"2.x{chr(97 + number)}").touch()
    said = run("index", photos, *where, "--any-name").stdout
    assert "indexed 5 of 5 images" in said
    assert ", 2 .xg and 6 of 4 other kinds\n" in said
    assert "look like pictures" not in said
    report = json.loads(run("index", photos, *where, "--format", "json").stdout)
    assert (report["ignored"], report["passed_over"][".jpg.N"]) == (26, 1)
    said = run("index", photos / "a.jpg", *where).stdout
    assert "passed over" not in said


def test_other_doors_take_any_name_too(photos, tmp_path):
    (photos / "copy").write_bytes((photos / "b").read_bytes())
    assert len(list(hash_files(photos, any_name=True))) == 6
    (group,) = find_duplicates(photos, any_name=True)
    assert [os.path.basename(path) for path in group.paths] == ["b", "copy"]
    assert len(ImageRows(any_name=True)(str(photos))) == 6
    for command in (("hash",), ("compare", photos / "b"), ("duplicates",)):
        assert f"{photos / 'copy'}" in run(*command, photos, "--any-name").stdout
