"""Indexes with paths relative to the folder that holds them: disk and index travel together."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml
from txtai.app import Application
from txtai.embeddings import Embeddings

from drawing import draw
from hashlens import ImageIndex, ImageRows, IndexingError, ParameterError, QueryError
from hashlens.workflows.run import run
from running import hashlens

NAMES = ["1.png", "album/..2.png", "album/copy of 1.png", "bad.png"]


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        draw(number, (320, 240)).save(folder / name)
    shutil.copy(folder / NAMES[0], folder / NAMES[2])
    (folder / NAMES[3]).write_text("no image")
    return folder


def opened(disk, **settings):
    return ImageIndex.open(disk / ".hashlens", **settings)


@pytest.fixture
def made(disk, content):
    """A disk with its index, which has crops, with each database."""
    with opened(disk, relative=True, content=content, keypoints=60) as index:
        report = index.index(disk)
        assert (report.hashed, len(report.skipped)) == (3, 1)
        assert report.skipped[0].path == str(disk / "bad.png")
    return disk


def everything(index, disk, tmp_path):
    """All that an index returns, with paths relative to the disk."""
    index.map(tmp_path / "map.png", csv=tmp_path / "map.csv")
    found = index.groups(crops=True)
    plan = found.plan("quarantine", to=disk.parent / "aside")
    plan.save(tmp_path / "plan.jsonl", force=True)
    lines = map(json.loads, (tmp_path / "plan.jsonl").read_text().splitlines())
    values = [
        [(match.id, match.path, match.stage) for match in index.search(disk / "1.png")],
        [(m.id, m.path) for m in index.search(draw(1, (320, 240)).crop((20, 20, 200, 200)))],
        index.duplicates(),
        list(found),
        found.links,
        index.skipped(),
        [(item.first_path, item.second_path) for item in index.decisions],
        [line.get("path") for line in lines],
        (tmp_path / "map.csv").read_text(),
    ]
    text = repr(values)
    assert text.count(str(disk)) > 20
    return text.replace(str(disk), "DISK")


def test_disk_and_index_travel_together(made, tmp_path, monkeypatch):
    with opened(made) as index:
        index.decide(str(made / NAMES[0]), str(made / NAMES[1]), "keep-both")
        before = everything(index, made, tmp_path)
        assert index.index(made).unchanged == 3
    there = tmp_path / "mnt" / "elsewhere"
    there.parent.mkdir()
    made.rename(there)
    monkeypatch.chdir(there / "album")
    with ImageIndex.open("../.hashlens") as index:
        report = index.index("..")
        assert (report.unchanged, report.hashed, report.removed, dict(report.away)) == (3, 0, 0, {})
        assert everything(index, there, tmp_path) == before


def test_rows_are_those_of_an_absolute_index(made, tmp_path):
    columns = "id, path, text, bytes, mtime_ns, skipped, keypoints"
    with opened(made) as index, ImageIndex.open(tmp_path / "i", keypoints=60) as absolute:
        absolute.index(made)
        rows = index.sql(f"select {columns} from txtai order by id")
        expected = absolute.sql(f"select {columns} from txtai order by id")
    assert [row["id"] for row in rows] == [row["path"] for row in rows] == sorted(NAMES)
    placed = [row | {name: str(made / row[name]) for name in ("id", "path")} for row in rows]
    assert placed == expected
    with Embeddings().load(str(made / ".hashlens")) as stock:
        found = stock.search("select id, path from txtai order by id", 9)
        assert [row["id"] for row in found] == sorted(NAMES)


def test_an_update_finds_what_changed(made):
    (made / "1.png").unlink()
    draw(5).save(made / "album" / "..2.png")
    draw(6).save(made / "new.png")
    with opened(made) as index:
        report = index.index(made)
        assert (report.hashed, report.unchanged, report.removed) == (2, 1, 1)
        steps = []
        index.upsert(made / "new.png", progress=steps.append)
        assert [step.path for step in steps] == [str(made / "new.png")]
        shutil.rmtree(made / "album")
        assert index.index(made).away == {str(made / "album"): 2}
        assert index.index(made, prune=True).removed == 2
        assert index.delete(["new.png", str(made / "bad.png"), "/etc/passwd"]) == [
            "new.png",
            str(made / "bad.png"),
        ]
        assert index.count() == 0


def test_files_that_moved_are_adopted(made):
    (made / "album").rename(made / "moved")
    with opened(made) as index:
        assert index.relocate(made / "album", made / "moved") == 2
        assert index.index(made).unchanged == 3
        (made / "moved").rename(made / "again")
        report = index.index(made, moved=True)
        assert (report.moved, report.hashed) == (2, 0)
        assert index.forget(made / "again") == 2
        paths = [row["path"] for row in index.sql("select path from txtai order by path")]
        assert paths == ["1.png", "bad.png"]


def test_a_path_outside_is_refused_by_name(disk, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with opened(disk, relative=True) as index:
        index.index(disk)
        for act in (index.index, index.upsert, index.forget, lambda p: index.relocate(disk, p)):
            with pytest.raises(ParameterError, match=f"{other} is outside of {disk}"):
                act(other)
        assert index.count() == 4


def test_a_disk_by_another_name_is_the_same(disk, tmp_path):
    (tmp_path / "link").symlink_to("disk")
    with opened(disk, relative=True) as index:
        index.index(tmp_path / "link")
        assert {Path(match.path).parent for match in index.search(draw(0))} >= {disk}
    with opened(tmp_path / "link") as index:
        assert index.index(disk).unchanged == 3
        assert index.search(draw(0))[0].path.startswith(str(tmp_path / "link"))


def test_the_setting_stays_as_the_index_was_made(disk, tmp_path):
    with opened(disk, relative=True) as index:
        assert index.info()["relative"] is True
    with pytest.raises(IndexingError, match="made with relative = True, not False"):
        opened(disk, relative=False)
    ImageIndex.open(tmp_path / "absolute").close()
    with pytest.raises(IndexingError, match=r"made with relative = False.*make another index"):
        ImageIndex.open(tmp_path / "absolute", relative=True)
    with pytest.raises(ParameterError, match="relative must be True or False"):
        opened(disk / "album", relative="yes")


def test_a_sub_index_that_opens_files_needs_absolute_paths(disk):
    semantic = {"semantic": {"method": "hashlens.ImageVectors", "columns": {"text": "path"}}}
    with pytest.raises(ParameterError, match="the sub-index 'semantic' opens the file"):
        opened(disk, relative=True, config={"indexes": semantic})
    assert not (disk / ".hashlens").exists()


def test_a_copy_is_for_a_copy_of_the_files(disk, tmp_path):
    with opened(disk, relative=True) as index:
        index.index(disk)
        there = Path(shutil.copytree(disk, tmp_path / "backup"))
        index.save(there / "index")
    with ImageIndex.open(there / "index") as index:
        assert index.search(there / "1.png")[0].path == str(there / "1.png")


OUTSIDE = ["../secret.png", "../../x/secret.png", "SECRET", "album/../../secret.png", "..", "/"]


@pytest.mark.parametrize("crops", [False, True])
def test_paths_that_lead_out_are_never_followed(disk, tmp_path, monkeypatch, crops):
    secret = tmp_path / "secret.png"
    shutil.copy(disk / "1.png", secret)
    with opened(disk, relative=True, keypoints=60 * crops) as index:
        for number in range(len(OUTSIDE)):
            shutil.copy(disk / "1.png", disk / f"x{number}.png")
        index.index(disk)
    connection = sqlite3.connect(disk / ".hashlens" / "documents")
    for number, name in enumerate(OUTSIDE):
        path = name.replace("SECRET", str(secret))
        for table, column in (("documents", "id"), ("sections", "id")):
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE id = ?",
                [path, f"x{number}.png"],
            )
        connection.execute(
            "UPDATE documents SET data = json_set(data, '$.id', ?1, '$.path', ?1) WHERE id = ?1",
            [path],
        )
        (disk / f"x{number}.png").unlink()
    connection.commit()
    connection.close()
    monkeypatch.chdir(disk)
    inside = {str(disk / name) for name in NAMES}
    with opened(disk) as index:
        looked_at = set()
        for name in ("stat", "lstat", "scandir"):
            monkeypatch.setattr(os, name, noting(getattr(os, name), looked_at))
        assert {match.path for match in index.search(draw(0, (320, 240)))} <= inside
        assert [group.paths for group in index.duplicates()] == [
            (str(disk / NAMES[0]), str(disk / NAMES[2]))
        ]
        found = index.groups(crops=crops)
        assert {member.path for group in found for member in group.members} <= inside
        assert index.map(tmp_path / "map.png") == []
        for moved in (False, True):
            report = index.index(disk, moved=moved)
            assert (report.unchanged, report.removed, report.moved) == (3, 0, 0)
        monkeypatch.undo()
        assert not {path for path in looked_at if "secret" in path}
        assert index.count() == 4 + len(OUTSIDE)
        for name in OUTSIDE[2:3]:  # still, each can be deleted, by its id
            assert index.delete([name.replace("SECRET", str(secret))])
        assert len(index.delete(OUTSIDE)) == len(OUTSIDE) - 1


def noting(function, paths):
    def noted(path=".", *arguments, **options):
        paths.add(os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else "")
        return function(path, *arguments, **options)

    return noted


def test_a_skipped_file_is_not_looked_for_elsewhere(disk, tmp_path, monkeypatch):
    draw(0, (320, 240)).save(tmp_path / "bad.png")
    monkeypatch.chdir(tmp_path)  # where the relative path of the bad file is that of a picture
    with opened(disk, relative=True, keypoints=60) as index:
        index.index(disk)
        found = index.search(draw(0, (320, 240)).crop((10, 10, 300, 220)), max_distance=0)
        assert [Path(match.path).name for match in found] == ["1.png", "copy of 1.png"]


def application(disk, **settings):
    """Return a file of an application whose index is on the disk."""
    text = (Path(__file__).parents[2] / "config.yml").read_text()
    config = yaml.safe_load(text) | {"path": str(disk / ".hashlens")}
    config["embeddings"]["hashlens"] |= settings
    config["hashlens"] = {"workflow": "index"}
    path = disk.parent / "config.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_an_application_makes_the_same_index(disk, tmp_path):
    path = application(disk, relative=True)
    assert run(path, [str(disk)])["rows"] == 4
    with opened(disk, relative=True) as index:
        assert index.index(disk).unchanged == 3
        assert sorted(row["id"] for row in index.sql("select id from txtai")) == sorted(NAMES)
    list(Application(str(path)).workflow("index", [str(disk / "album")]))
    with opened(disk) as index:
        assert index.count() == 4
    with pytest.raises((ParameterError, QueryError), match="is outside of"):
        run(path, [str(tmp_path)])
    with pytest.raises((IndexingError, QueryError), match="made with relative = True, not False"):
        run(application(disk), [str(disk)])


def test_rows_for_an_application_need_the_path_of_its_index():
    with pytest.raises(ParameterError, match="relative paths start from an index"):
        ImageRows(relative=True)


def test_the_command_line_takes_the_setting(disk):
    place = disk / ".hashlens"
    hashlens("index", disk, "--index", place, "--relative")
    found = json.loads(hashlens("search", disk / "1.png", "--index", place, "--format", "json"))
    assert found[0]["path"] == str(disk / "1.png")
    query = "select path from txtai where skipped is not null"
    found = json.loads(hashlens("sql", query, "--index", place, "--format", "json"))
    assert found == [{"path": "bad.png"}]
    said = hashlens("index", disk.parent, "--index", place, code=1)
    assert f"{disk.parent} is outside of {disk}" in said
    said = hashlens("index", disk, "--index", place, "--absolute", code=1)
    assert "made with relative = True, not False" in said
