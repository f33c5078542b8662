"""Rows whose files are in another place, or gone."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter

import pytest

from drawing import draw
from hashlens import ImageIndex
from hashlens.errors import ParameterError
from hashlens.images.digests import file_digest
from hashlens.index import places
from hashlens.index.places import find_moves
from hashlens.index.store import Known
from running import run
from trees import put


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
    with pytest.warns(UserWarning, match="1 rows stay at .*disk: no such files below .*new"):
        assert index.relocate(disk, tmp_path / "new") == 3
    assert paths(index, tmp_path / "new") == ["../disk/1.png", *ALL[1:]]
    assert index.index(tmp_path / "new").unchanged == 3
    with pytest.raises(ParameterError, match="no file of the 1 rows below"):
        index.relocate(disk, tmp_path / "new")
    with pytest.raises(ParameterError, match="the index has no rows of"):
        index.relocate(tmp_path / "nowhere", tmp_path / "new")


MOST_LOOK_MOVED = "new files look moved, from"


@pytest.fixture(params=["relocate", "prune", "forget"])
def drop_ghosts(request, index, disk, tmp_path):
    """Each way to get rid of the rows of the old place."""
    return {
        "relocate": lambda: index.relocate(disk, tmp_path / "new"),
        "prune": lambda: index.index(disk, prune=True).removed,
        "forget": lambda: index.forget(disk),
    }[request.param]


def test_rows_of_both_places_become_one(tmp_path, disk, index, drop_ghosts):
    disk.rename(tmp_path / "new")
    with pytest.warns(UserWarning, match=MOST_LOOK_MOVED):
        index.index(tmp_path / "new")
    assert index.count() == 8
    assert len(index.groups().gone) == 4
    assert drop_ghosts() == 4
    assert paths(index, tmp_path / "new") == ALL
    report = index.index(tmp_path / "new")
    assert (report.unchanged, report.hashed) == (4, 0)
    assert index.groups().gone == []


def test_rows_of_a_part_of_the_new_place_are_no_hindrance(tmp_path, disk, index):
    disk.rename(tmp_path / "new")
    with pytest.warns(UserWarning, match=MOST_LOOK_MOVED):
        index.index(tmp_path / "new" / "album")
    assert index.count() == 6
    assert index.relocate(disk, tmp_path / "new") == 4
    assert paths(index, tmp_path / "new") == ALL


def test_a_row_with_a_fingerprint_takes_the_place_of_a_skipped_one(tmp_path, disk, index):
    disk.rename(tmp_path / "new")
    whole = (tmp_path / "new" / "1.png").read_bytes()
    (tmp_path / "new" / "1.png").write_bytes(whole[:40])
    with pytest.warns(UserWarning, match=MOST_LOOK_MOVED):
        assert len(index.index(tmp_path / "new").skipped) == 1
    (tmp_path / "new" / "1.png").write_bytes(whole)
    assert index.relocate(disk, tmp_path / "new") == 4
    assert index.skipped() == []
    assert paths(index, tmp_path / "new") == ALL


def test_a_file_of_another_size_adopts_no_row(tmp_path, disk, index):
    disk.rename(tmp_path / "new")
    (tmp_path / "new" / "1.png").write_bytes(b"another file")
    with pytest.warns(UserWarning, match="1 rows stay"):
        assert index.relocate(disk, tmp_path / "new") == 3


def test_a_folder_can_move_into_itself(disk, index, tmp_path):
    draw(8).save(disk / "album" / "1.png")
    index.index(disk)
    shutil.move(disk, tmp_path / "aside")
    disk.mkdir()
    shutil.move(tmp_path / "aside", disk / "album")
    texts = {row["path"]: row["text"] for row in index.sql("select path, text from txtai")}
    assert index.relocate(disk, disk / "album") == 5
    now = {row["path"]: row["text"] for row in index.sql("select path, text from txtai")}
    assert now == {str(disk / "album") + path[len(str(disk)) :]: t for path, t in texts.items()}
    assert index.index(disk).unchanged == 5


def test_rows_are_forgotten_and_no_file_is_touched(disk, index):
    assert index.forget(disk / "album") == 2
    assert index.forget(disk / "1.png") == 1
    assert paths(index, disk) == ["other/deep/4.png"]
    for nothing in (disk / "album", disk / "oth"):
        with pytest.raises(ParameterError, match="the index has no rows of"):
            index.forget(nothing)
    assert index.index(disk).hashed == 3


class TestMoved:
    """`index(…, moved=True)`."""

    @pytest.fixture(autouse=True)
    def read(self, monkeypatch):
        """The files whose digests were read."""
        found = []

        def reading(path):
            found.append(path)
            return file_digest(path)

        monkeypatch.setattr(places, "file_digest", reading)
        return found

    @pytest.mark.parametrize("keypoints", [0, 60])
    def test_adopts_a_collection_and_reads_one_file(self, tmp_path, disk, content, keypoints, read):
        with ImageIndex.open(tmp_path / "i", content=content, keypoints=keypoints) as index:
            index.index(disk)
            columns = "select text, file_digest, mtime_ns, keypoints from txtai order by id"
            before = index.sql(columns)
            disk.rename(tmp_path / "new")
            report = index.index(tmp_path / "new", moved=True)
            assert (report.moved, report.hashed, report.removed, len(read)) == (4, 0, 0, 1)
            assert paths(index, tmp_path / "new") == ALL
            assert index.sql(columns) == before
            assert index.index(tmp_path / "new").unchanged == 4
            if keypoints:
                part = draw(2).resize((480, 320)).crop((60, 40, 420, 280))
                found = index.search(part, max_distance=0)
                assert [match.path for match in found][:1] in ([], [str(tmp_path / "new" / ALL[2])])

    def test_reads_a_file_whose_time_or_name_is_another(self, tmp_path, disk, index, read):
        disk.rename(tmp_path / "new")
        os.utime(tmp_path / "new" / ALL[1], ns=(1, 1))
        (tmp_path / "new" / ALL[2]).rename(tmp_path / "new" / "album" / "other.png")
        report = index.index(tmp_path / "new", moved=True)
        assert (report.moved, report.hashed) == (4, 0)
        assert sorted(os.path.basename(path) for path in read) == ["1.png", "2.png", "other.png"]
        row = index.sql("select mtime_ns from txtai where path like '%2.png'")[0]
        assert row["mtime_ns"] == 1

    def test_names_that_cameras_repeat_are_told_apart(self, tmp_path, read):
        old, new = tmp_path / "old", tmp_path / "new"
        for folder in "abc":
            put(old / folder / "IMG_1.jpg", folder.encode())
        put(old / "sure.jpg", b"sure")
        rows = known(old)
        old.rename(new)
        (new / "a" / "IMG_1.jpg").replace(new / "b" / "IMG_1.jpg")  # b's is overwritten by a's
        found = find_moves(rows, files(new))
        assert {path: row for path, (row, _) in found.items()} == {
            str(new / "b" / "IMG_1.jpg"): str(old / "a" / "IMG_1.jpg"),
            str(new / "c" / "IMG_1.jpg"): str(old / "c" / "IMG_1.jpg"),
            str(new / "sure.jpg"): str(old / "sure.jpg"),
        }
        assert len(read) == 3

    def test_of_equal_files_each_takes_the_row_with_the_most_alike_path(self, tmp_path):
        old, new = tmp_path / "old", tmp_path / "new"
        for folder in ("a/x", "b/x", "c"):
            put(old / folder / "cover.jpg", b"equal")
        rows = known(old)
        shutil.rmtree(old / "a")
        old.rename(new)
        found = find_moves(rows, files(new))
        assert sorted(row for row, _ in found.values()) == [
            str(old / "b/x/cover.jpg"),
            str(old / "c/cover.jpg"),
        ]

    def test_a_folder_that_only_looks_the_same_is_not_adopted(self, tmp_path, read):
        old, new = tmp_path / "old", tmp_path / "new"
        for number in range(4):
            put(old / f"{number}.bmp", b"%d old" % number)
            put(new / f"{number}.bmp", b"%d new" % number)
        rows = known(old)
        shutil.rmtree(old)
        assert find_moves(rows, files(new)) == {}
        assert len(read) == 4

    @pytest.mark.parametrize("seed", range(40))
    def test_adopts_what_reading_every_file_would(self, tmp_path, seed, read):
        choice = random.Random(seed)  # noqa: S311
        old, new = tmp_path / "old", tmp_path / "new"
        for number in range(30):
            folder = choice.choice(["", "x", "x/y", "z", "z/y"])
            name = choice.choice(["IMG_1.jpg", "IMG_2.jpg", f"{number}.jpg"])
            # The time tells the content, but for one moment that many files share.
            content = choice.randrange(12)
            time = choice.choice([content, 0]) if number % 3 else content
            put(old / folder / name, b"%04d" % content, mtime_ns=time)
        rows = known(old)
        for path in files(old):
            tail = os.path.relpath(path, old)
            fate = choice.random()
            if fate < 0.6:
                target = new / tail
            elif fate < 0.8:
                target = new / "elsewhere" / str(choice.randrange(3)) / os.path.basename(tail)
            else:
                continue  # deleted, or still there
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(path, target)
        for path in files(old):
            if choice.random() < 0.5:
                os.remove(path)
        put(new / "more" / "IMG_1.jpg", b"9999", mtime_ns=0)
        found = find_moves(rows, files(new))
        by_id = {row.id: row for row in rows}
        taken = [row for row, _ in found.values()]
        assert len(set(taken)) == len(taken)
        assert not any(map(os.path.lexists, taken))
        for path, (row, change) in found.items():
            assert by_id[row].file_digest == file_digest(path)
            assert change["path"] == change["id"] == path
        gone = Counter(row.file_digest for row in rows if not os.path.lexists(row.id))
        here = Counter(map(file_digest, files(new)))
        assert len(found) == (gone & here).total()


def files(folder):
    return sorted(str(path) for path in folder.rglob("*") if path.is_file())


def known(folder):
    """What an index knows of the files in a folder."""
    made = []
    for path in files(folder):
        status = os.stat(path)
        facts = status.st_size, status.st_mtime_ns, "policy", None, file_digest(path)
        made.append(Known(path, *facts))
    return made


class TestHint:
    """The warning before files are hashed whose rows could be adopted."""

    @pytest.mark.filterwarnings("always")
    def test_names_the_old_and_the_new_folder(self, tmp_path, disk):
        run("index", disk, "--index", tmp_path / "i")
        disk.rename(tmp_path / "new")
        ran = run("index", tmp_path / "new", "--index", tmp_path / "i")
        assert ran.stderr.startswith(f"hashlens: warning: 4 of 4 {MOST_LOOK_MOVED} {disk} to ")
        assert f"index --moved, or by relocate {disk} {tmp_path / 'new'}\n" in ran.stderr

    def test_is_not_given_for_files_of_other_sizes_or_few_files(self, tmp_path, disk, index):
        disk.rename(tmp_path / "unmounted")
        new = tmp_path / "new"
        new.mkdir()
        for name in ("1.png", "2.png", "5.png"):
            draw(7, (50, 40)).save(new / name)
        shutil.copy(tmp_path / "unmounted" / "1.png", new)
        assert index.index(new).hashed == 3

    def test_is_not_given_while_the_old_folder_has_files(self, disk, index):
        (disk / "album" / "2.png").rename(disk / "2.png")
        assert index.index(disk).hashed == 1


@pytest.mark.parametrize("left", ["lost+found/", "NOT_MOUNTED.txt", ".Trash-1000/x"])
def test_rows_stay_where_a_place_holds_no_picture_any_more(tmp_path, left):
    disk = tmp_path / "nas"
    (disk / "sub").mkdir(parents=True)
    for name in ("1.png", "2.png", "sub/3.png"):
        draw(len(name)).save(disk / name)
    with ImageIndex.open(tmp_path / "index") as index:
        index.index([disk])
        shutil.rmtree(disk)
        (disk / left).parent.mkdir(parents=True, exist_ok=True)
        (disk / left).mkdir() if left.endswith("/") else (disk / left).touch()
        report = index.index([disk])
        assert (report.removed, dict(report.away)) == (0, {str(disk): 3})
        assert index.index([disk], prune=True).removed == 3
