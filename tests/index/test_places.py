"""Rows whose files are in another place, or gone."""

from __future__ import annotations

import os
import shutil

import pytest

from drawing import draw
from hashlens import ImageIndex
from hashlens.errors import ParameterError


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    for number, name in enumerate(("1.png", "album/2.png", "album/3.png", "other/deep/4.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        draw(number).save(folder / name)
    return folder


@pytest.fixture
def index(tmp_path, disk):
    with ImageIndex.open(tmp_path / "index") as opened:
        opened.index(disk)
        yield opened


def paths(index, folder):
    rows = index.sql("select path from txtai", limit=100)
    return sorted(os.path.relpath(row["path"], folder) for row in rows)


ALL = ["1.png", "album/2.png", "album/3.png", "other/deep/4.png"]


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_disk_that_is_not_mounted_keeps_its_rows(tmp_path, disk, index, how):
    disk.rename(tmp_path / "unmounted")
    if how == "empty":
        disk.mkdir()
    for _ in range(2):
        report = index.index(disk)
        assert (report.removed, dict(report.away)) == (0, {str(disk): 4})
    assert paths(index, disk) == ALL
    if how == "empty":
        disk.rmdir()
    (tmp_path / "unmounted").rename(disk)
    report = index.index(disk)
    assert (report.unchanged, report.hashed, dict(report.away)) == (4, 0, {})


def test_a_folder_inside_that_is_not_mounted_keeps_its_rows(tmp_path, disk, index):
    shutil.move(disk / "album", tmp_path / "unmounted")
    (disk / "album").mkdir()
    shutil.rmtree(disk / "other")
    (disk / "1.png").unlink()
    draw(9).save(disk / "5.png")
    report = index.index(disk)
    assert dict(report.away) == {str(disk / "album"): 2, str(disk / "other"): 1}
    assert (report.removed, report.hashed) == (1, 1)
    pruned = index.index(disk, prune=True)
    assert (pruned.removed, dict(pruned.away)) == (3, {})
    assert paths(index, disk) == ["5.png"]


def test_a_path_that_is_gone_and_has_no_rows_is_an_error(disk, index):
    with pytest.raises(ParameterError, match="no such file or directory"):
        index.index(disk / "nowhere")
    shutil.rmtree(disk / "album")
    assert index.index(disk / "album").away == {str(disk / "album"): 2}
    assert index.index(disk / "album", prune=True).removed == 2
    with pytest.raises(ParameterError, match="no such file or directory"):
        index.index(disk / "album")


def test_a_collection_that_moved_is_adopted(tmp_path, disk, index):
    disk.rename(tmp_path / "new")
    (tmp_path / "new" / "1.png").unlink()
    assert index.relocate(disk, tmp_path / "new") == 3
    assert paths(index, tmp_path / "new") == ["../disk/1.png", *ALL[1:]]
    assert index.index(tmp_path / "new").unchanged == 3
    with pytest.raises(ParameterError, match="no file of the 1 rows below"):
        index.relocate(disk, tmp_path / "new")
    with pytest.raises(ParameterError, match="the index has no rows of"):
        index.relocate(tmp_path / "nowhere", tmp_path / "new")


def test_what_was_indexed_at_both_places_is_there_once(tmp_path, disk, index):
    disk.rename(tmp_path / "new")
    index.index(tmp_path / "new" / "album")
    assert index.count() == 6
    assert index.relocate(disk, tmp_path / "new") == 4
    assert paths(index, tmp_path / "new") == ALL


def test_rows_are_forgotten_and_no_file_is_touched(disk, index):
    assert index.forget(disk / "album") == 2
    assert index.forget(disk / "1.png") == 1
    assert paths(index, disk) == ["other/deep/4.png"]
    for nothing in (disk / "album", disk / "oth"):
        with pytest.raises(ParameterError, match="the index has no rows of"):
            index.forget(nothing)
    assert index.index(disk).hashed == 3
