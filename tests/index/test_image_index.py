from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from drawing import draw
from hashlens import (
    Duplicates,
    ImageError,
    ImageIndex,
    IndexingError,
    ParameterError,
    Progress,
    QueryError,
    distance,
    hash_files,
)
from hashlens.images.decode import open_image
from hashlens.images.digests import file_digest, pixel_digest
from hashlens.names import text_of
from running import RUN
from suites import examples

# Run by root, permissions would be no obstacle: without these capabilities they are.
LOST = "-dac_override,-dac_read_search"
WEAK = ["setpriv", f"--bounding-set={LOST}", f"--inh-caps={LOST}"] * (os.geteuid() == 0)


def information(image):
    """Say what the information score means, in plain numpy."""
    grey = image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    pixels = np.asarray(grey).astype(float)
    return sum(np.abs(np.diff(pixels, axis=axis)).mean() for axis in (0, 1)) / 2


def names(rows):
    return [Path(getattr(row, "path", None) or row["path"]).name for row in rows]


class TestRows:
    def test_hold_what_is_known_of_a_file(self, index, folder):
        path = folder / "copies" / "recoded.jpg"
        row = index.sql(
            "select id, path, text, width, height, bytes, mtime, mtime_ns, format, information, "
            "policy, file_digest, pixel_digest, skipped, object from txtai where path = :p",
            {"p": str(path)},
        )[0]
        picture = row.pop("object")
        image = open_image(path)
        assert (picture.format, picture.size) == ("JPEG", (96, 64))
        assert row == {
            "id": str(path),
            "path": str(path),
            "text": index.settings.hasher(path)[0],
            "width": 96,
            "height": 64,
            "bytes": path.stat().st_size,
            "mtime": path.stat().st_mtime,
            "mtime_ns": path.stat().st_mtime_ns,
            "format": "JPEG",
            "information": pytest.approx(information(image), abs=0.2),
            "policy": f"{index.settings.hasher.policy}; frames, damage and EXIF, turns",
            "file_digest": file_digest(path.read_bytes()),
            "pixel_digest": pixel_digest(image),
            "skipped": None,
        }

    def test_have_no_thumbnail_where_none_is_wanted(self, folder, tmp_path):
        with ImageIndex.open(tmp_path / "lean", thumbnails=False) as lean:
            lean.index([folder])
            assert {row["object"] for row in lean.sql("select object from txtai")} == {None}

    def test_are_of_the_upright_picture(self, tmp_path):
        picture = draw(1)
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
        with ImageIndex.open(tmp_path / "index") as opened:
            opened.index([tmp_path / "turned.png"])
            match = opened.search(picture)[0]
        assert (match.distance, match.row["width"], match.row["height"]) == (0, 96, 64)


class TestUpdate:
    def test_reads_only_what_is_new_or_changed_and_drops_what_vanished(self, index, folder):
        assert index.index([folder]).unchanged == 11
        draw(20).save(folder / "new.png")
        draw(21, (97, 64)).save(folder / "1.png")
        (folder / "2.png").unlink()
        report = index.index([folder])
        assert (report.hashed, report.unchanged, report.removed) == (2, 9, 1)
        assert report.images == index.count() == 11
        assert names(index.search(draw(20), limit=1)) == ["new.png"]
        assert names(index.search(draw(21, (97, 64)), limit=1)) == ["1.png"]

    def test_leaves_rows_outside_the_folders_alone(self, index, folder, tmp_path):
        other = tmp_path / "photos-other"  # its name begins like the folder's
        other.mkdir()
        draw(30).save(other / "30.png")
        index.index([other])
        assert index.index([folder]).removed == 0
        assert index.index([folder / "copies"]).removed == 0
        assert index.count() == 12

    def test_keeps_rows_below_a_folder_that_cannot_be_read(self, index, folder, monkeypatch):
        scandir = os.scandir

        def failing(path):
            if Path(path).name == "copies":
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr(os, "scandir", failing)
        report = index.index([folder])
        assert report.removed == 0
        assert "Permission denied" in report.skipped[0].reason
        assert len(index.sql("select id from txtai where path like '%copies/%'")) == 3

    def test_drops_what_vanished_where_folders_overlap_or_are_linked(self, index, folder, tmp_path):
        (folder / "copies" / "small.png").unlink()
        report = index.index([folder, folder / "copies"])
        assert (report.removed, report.skipped) == (1, ())
        link = tmp_path / "link"
        link.symlink_to(folder)
        assert len(index.index([folder, link]).skipped) == 1
        (folder / "1.png").unlink()
        assert index.index([folder, link]).removed == 1
        link.unlink()
        report = index.index([folder])
        assert (report.removed, report.skipped) == (1, ())
        assert index.count() == 9

    def test_passes_over_itself_and_files_that_are_no_images(self, folder):
        (folder / "notes.txt").write_text("no image")
        with ImageIndex.open(folder / "index") as inside:
            assert inside.index([folder]).ignored == 1
            draw(1).save(folder / "index" / "inside.png")
            report = inside.index([folder])
        assert (report.images, report.hashed, report.ignored) == (11, 0, 1)

    def test_upsert_reads_everything_and_drops_nothing(self, index, folder):
        (folder / "2.png").unlink()
        report = index.upsert([folder])
        assert (report.hashed, report.unchanged, report.removed) == (10, 0, 0)
        assert index.count() == 11

    def test_delete_removes_rows_and_no_files(self, index, folder):
        path = str(folder / "1.png")
        assert index.delete([path, "nowhere"]) == [path]
        assert index.count() == 10
        assert Path(path).exists()
        assert index.delete([]) == []

    def test_an_emptied_index_can_be_filled_again(self, index, folder):
        index.delete(row["id"] for row in index.sql("select id from txtai"))
        assert index.count() == 0
        assert index.search(draw(1)) == []
        assert index.index([folder]).hashed == 11
        assert len(index.search(draw(1), limit=99)) == 11

    def test_knows_moved_files_again_where_asked(self, index, folder):
        before = {row["path"]: row for row in index.sql("select path, text, object from txtai")}
        (folder / "moved").mkdir()
        for name in ("1.png", "2.png"):
            (folder / name).rename(folder / "moved" / f"new-{name}")
        draw(40).save(folder / "3.png")  # changed: is no file of another row
        shutil.copy(folder / "4.png", folder / "copy.png")  # copied: its row is not gone
        report = index.index([folder], moved=True)
        assert (report.moved, report.hashed, report.removed) == (2, 2, 0)
        assert report.images == index.count() == 12
        found = index.sql("select path, text, object, mtime_ns, id from txtai")
        rows = {row["path"]: row for row in found}
        for name in ("1.png", "2.png"):
            path = folder / "moved" / f"new-{name}"
            row, old = rows[str(path)], before[str(folder / name)]
            assert (row["id"], row["text"]) == (str(path), old["text"])
            assert row["mtime_ns"] == path.stat().st_mtime_ns
            assert row["object"].tobytes() == old["object"].tobytes()
            assert str(folder / name) not in rows
        assert index.index([folder]).unchanged == 12

    def test_a_move_out_of_the_folders_is_one_too(self, index, folder, tmp_path):
        (tmp_path / "other").mkdir()
        (folder / "1.png").rename(tmp_path / "other" / "1.png")
        assert index.index([tmp_path / "other"], moved=True).moved == 1
        assert index.count() == 11

    def test_reads_again_what_other_decoders_or_another_time_made(self, index, folder, monkeypatch):
        from hashlens.hashing import hasher

        path = folder / "1.png"
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        assert index.index([folder]).hashed == 1
        monkeypatch.setattr(hasher, "_decoders", lambda: "pillow 99")
        report = index.index([folder])
        assert (report.hashed, report.unchanged) == (11, 0)
        assert index.index([folder]).unchanged == 11

    def test_rows_of_excluded_files_stay_while_there_are_files(self, index, folder):
        (folder / "1.png").unlink()
        report = index.index([folder], extensions=[".jpg"])
        assert (report.unchanged, report.removed, report.ignored) == (1, 1, 9)
        assert index.count() == 10

    @pytest.mark.parametrize("content", ["sqlite", "duckdb"])
    def test_gives_the_same_rows_with_any_number_of_workers(self, folder, tmp_path, content):
        (folder / "bad.jpg").write_text("no image")
        found = []
        for workers in (1, 2, 5, None):
            with ImageIndex.open(tmp_path / f"{workers}", content=content, also=["color"]) as index:
                index.index([folder], workers=workers)
                rows = index.sql("select *, indexid from txtai order by indexid")
            found.append([{**row, "entry": "when it was written"} for row in rows])
        assert all(rows == found[0] for rows in found)
        assert len(found[0]) == 12

    def test_takes_names_that_are_no_text(self, tmp_path):
        photos = tmp_path / "photos"
        odd = os.fsencode(photos) + b"/\xff"
        os.makedirs(odd)
        draw(1).save(photos / "1.png")
        shutil.copy(photos / "1.png", odd + b"/2.png")
        os.symlink(odd, os.fsencode(photos) + b"/\xfe")
        with ImageIndex.open(tmp_path / "index") as index:
            for moved in (False, True):
                report = index.index([photos], moved=moved)
                assert report.images == 2
                (skipped,) = report.skipped
                assert skipped.path == os.fsdecode(os.fsencode(photos) + b"/\xfe")
                assert skipped.reason == f"directory was visited already, as {os.fsdecode(odd)}"
                assert index.skipped() == [skipped]
            (photos / "1.png").rename(os.fsdecode(odd + b"/1.png"))
            report = index.index([photos], moved=True)
            assert (report.images, report.moved, report.removed) == (2, 1, 0)
        rows = list(hash_files(photos))
        assert [len(row.get("perceptual", "")) for row in rows] == [16, 16, 0]

    def test_a_new_index_that_was_never_used_is_not_made_after_an_error(self, folder, tmp_path):
        with pytest.raises(ParameterError), ImageIndex.open(tmp_path / "new", eager=False) as index:
            index.index([folder], workers=0)
        assert not (tmp_path / "new" / "config.json").exists()
        with ImageIndex.open(tmp_path / "new", eager=False):
            pass
        assert (tmp_path / "new" / "config.json").exists()

    def test_two_that_make_one_index_at_once(self, folder, tmp_path):
        first = ImageIndex.open(tmp_path / "new", eager=False)
        second = ImageIndex.open(tmp_path / "new", eager=False)
        third = ImageIndex.open(tmp_path / "new", eager=False, algorithm="difference")
        first.index([folder])
        (folder / "1.png").unlink()
        report = second.index([folder])
        assert (report.hashed, report.removed) == (10, 1)
        with pytest.raises(IndexingError, match="another process has made an index with other"):
            third.index([folder])
        assert first.count() == second.count() == 10
        third._store.close(make=False)

    def test_tells_its_progress(self, index, folder):
        steps = []
        index.upsert([folder], progress=steps.append)
        assert [step.done for step in steps] == list(range(1, 12))
        assert steps[0] == Progress(1, 11, str(folder / "0.png"))
        steps.clear()
        draw(20).save(folder / "new.png")
        index.index([folder], progress=steps.append)
        assert steps == [Progress(12, 12, str(folder / "new.png"))]

    @pytest.mark.parametrize("paths", ["", [""], [None], None, 5])
    def test_what_is_no_path_is_an_error(self, index, paths):
        for method in (index.index, index.upsert, index.delete):
            with pytest.raises(ParameterError):
                method(paths)

    def test_a_missing_path_is_an_error_and_changes_nothing(self, index, folder):
        with pytest.raises(ParameterError, match="no such file or directory"):
            index.index([folder / "1.png", "nowhere"])
        assert index.count() == 11

    @settings(
        max_examples=examples(15),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(steps=st.lists(st.dictionaries(st.integers(0, 6), st.integers(0, 3)), max_size=4))
    def test_always_equals_a_fresh_index_of_the_same_files(self, tmp_path, steps):
        home = tmp_path / "random"
        shutil.rmtree(home, ignore_errors=True)
        photos = home / "photos"
        photos.mkdir(parents=True)
        wanted = "select id, text, bytes, width, skipped from txtai order by id"
        with ImageIndex.open(home / "index") as kept:
            for number, files in enumerate(steps):
                for path in photos.iterdir():
                    path.unlink()
                for name, look in files.items():
                    path = photos / f"{name}.png"
                    if look:
                        draw(look, (40 + look, 40)).save(path)
                    else:
                        path.write_text("no image")
                kept.index([photos], prune=True)
                with ImageIndex.open(home / f"fresh{number}") as fresh:
                    fresh.index([photos])
                    assert kept.sql(wanted) == fresh.sql(wanted)


class TestSkippedFiles:
    @pytest.fixture
    def bad(self, folder):
        draw(9, (400, 300)).save(folder / "truncated.jpg")
        jpeg = (folder / "truncated.jpg").read_bytes()
        (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
        (folder / "text.jpg").write_text("this is text")
        (folder / "empty.jpg").touch()
        Image.new("1", (20_000, 20_000)).save(folder / "bomb.png")
        (folder / "loop").symlink_to(folder)
        (folder / "dead.jpg").symlink_to("nowhere")
        with open(os.fsencode(folder) + b"/\xff\xfe.jpg", "wb") as file:
            file.write(jpeg[: len(jpeg) // 2])
        return folder

    def test_are_listed_with_their_reasons_and_queryable(self, bad, tmp_path):
        with ImageIndex.open(tmp_path / "index") as opened:
            report = opened.index([bad])
            assert opened.skipped() == sorted(report.skipped, key=lambda item: item.path)
            rows = opened.sql("select path, skipped, text from txtai where skipped is not null")
        assert report.hashed == 11
        reasons = {Path(item.path).name: item.reason for item in report.skipped}
        assert {row["path"]: row["skipped"] for row in rows} == {
            text_of(item.path): item.reason for item in report.skipped
        }
        assert {row["text"] for row in rows} == {None}
        expected = {
            "truncated.jpg": "truncated",
            "text.jpg": "not an image",
            "empty.jpg": "empty file",
            "bomb.png": "too many pixels",
            "loop": "directory was visited already",
            "dead.jpg": "No such file",
            "\udcff\udcfe.jpg": "truncated",
        }
        assert set(reasons) == set(expected)
        for name, reason in expected.items():
            assert reason in reasons[name]

    def test_sort_last_and_never_match(self, bad, tmp_path, content):
        with ImageIndex.open(tmp_path / "index", content=content) as opened:
            opened.index([bad])
            rows = opened.sql(
                "select text, distance(text, :q) d from txtai order by distance(text, :q)",
                {"q": draw(0)},
            )
            assert [row["d"] for row in rows[-7:]] == [64] * 7
            assert all(row["text"] is None for row in rows[-7:])
            assert len(opened.search(draw(0), limit=99)) == 11

    def test_are_tried_again_and_found_when_mended(self, index, folder):
        (folder / "text.jpg").write_text("this is text")
        assert len(index.index([folder]).skipped) == 1
        assert len(index.index([folder]).skipped) == 1
        draw(40).save(folder / "text.jpg")
        assert index.index([folder]).skipped == ()
        assert names(index.search(draw(40), limit=1)) == ["text.jpg"]

    @pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv to be a mere user")
    def test_a_file_without_permission_is_one(self, folder, tmp_path):
        (folder / "1.png").chmod(0)
        command = [*WEAK, *RUN]
        done = subprocess.run(
            [*command, "index", folder, "--index", tmp_path / "index", "--format", "json"],
            capture_output=True,
            text=True,
            check=True,
        )
        report = json.loads(done.stdout)
        assert report["images"] == 10
        assert report["skipped"] == [{"path": str(folder / "1.png"), "reason": "Permission denied"}]


class Reading:
    """Tests that change neither pictures nor index."""

    @pytest.fixture
    def folder(self, drawn):
        return drawn

    @pytest.fixture
    def index(self, shared_index):
        return shared_index


class TestSearch(Reading):
    def test_finds_near_duplicates_first(self, index, folder):
        found = index.search(folder / "0.png", limit=4)
        assert found[0].distance == 0
        assert found[0].similarity == 1
        assert set(names(found)) == {"0.png", "small.png", "bright.png", "recoded.jpg"}
        assert found[3].distance <= 6 < index.search(folder / "0.png", limit=5)[4].distance

    def test_equals_brute_force_ties_included(self, index):
        rows = index.sql("select path, text from txtai order by indexid")
        wanted = index.fingerprint(draw(0))
        expected = sorted(rows, key=lambda row: distance(row["text"], wanted))
        found = index.search(draw(0), limit=99)
        assert names(found) == names(expected)
        for bound in (0, 3, 20, 64):
            within = [replace(m, stage="hash") for m in found if m.distance <= bound]
            assert index.search(draw(0), limit=99, max_distance=bound) == within
        assert {m.stage for m in found} == {"hash", "nearest"}
        assert all((m.stage == "hash") == (m.distance == 0) for m in found)

    def test_takes_paths_images_bytes_arrays_and_hashes(self, index, folder):
        path = folder / "3.png"
        data = path.read_bytes()
        wanted = index.fingerprint(path)
        sources = [path, str(path), data, BytesIO(data), draw(3), np.asarray(draw(3)), wanted]
        for source in [*sources, wanted.upper()]:
            match = index.search(source, limit=1)[0]
            assert (match.distance, match.id) == (0, str(path))

    @pytest.mark.parametrize("query", ["", "ff", "nowhere.jpg", "g" * 16, "0" * 17, " " * 16])
    def test_refuses_a_text_that_is_neither_file_nor_fingerprint(self, index, query):
        with pytest.raises(QueryError, match="16 hex digits"):
            index.search(query)

    @pytest.mark.parametrize(
        "bounds",
        [
            {"limit": 0},
            {"limit": -1},
            {"limit": 10**30},
            {"limit": None},
            {"max_distance": -1},
            {"max_distance": float("nan")},
            {"max_distance": "3"},
        ],
    )
    def test_refuses_bounds_that_cannot_be_meant(self, index, bounds):
        with pytest.raises(ParameterError):
            index.search(draw(0), **bounds)

    def test_names_the_file_that_is_no_image(self, index, tmp_path):
        (tmp_path / "x.jpg").write_text("no image")
        with pytest.raises(ImageError, match=r"x\.jpg: not an image"):
            index.search(tmp_path / "x.jpg")

    def test_by_levenshtein_where_that_is_the_metric(self, folder, tmp_path):
        with ImageIndex.open(tmp_path / "lev", metric="levenshtein") as opened:
            opened.index([folder])
            wanted = opened.fingerprint(draw(4))
            for match in opened.search(draw(4), limit=99):
                assert match.distance == distance(match.row["text"], wanted, "levenshtein")
            assert opened.search("abc", limit=1)[0].distance >= 13
            assert opened.search(wanted.upper(), limit=1)[0].distance == 0


class TestSql(Reading):
    def test_gives_all_rows_unless_limited(self, index):
        assert len(index.sql("select id from txtai")) == 11
        assert len(index.sql("select id from txtai", limit=5)) == 5
        assert len(index.sql("select id from txtai limit 4", limit=9)) == 4
        assert len(index.sql("select id from txtai limit :n", {"n": 2})) == 2

    def test_takes_odd_spacing_and_comments(self, index):
        query = "select count(*) c -- how many\nfrom   txtai"
        assert index.sql(query) == [{"c": 11}]

    def test_refuses_a_limit_that_cannot_be_meant(self, index):
        with pytest.raises(ParameterError):
            index.sql("select id from txtai", limit=0)

    def test_binds_paths_and_images_as_fingerprints(self, index, folder):
        query = "select path from txtai where distance(text, :q) = 0"
        for value in (folder / "5.png", draw(5), index.fingerprint(draw(5))):
            assert names(index.sql(query, {"q": value})) == ["5.png"]

    def test_agrees_with_search(self, index):
        rows = index.sql(
            "select path, distance(text, :q) d from txtai order by d, indexid limit 5",
            {"q": draw(0)},
        )
        matches = index.search(draw(0), limit=5)
        assert [(row["path"], row["d"]) for row in rows] == [(m.path, m.distance) for m in matches]

    def test_takes_metrics_by_name_and_combines_with_any_condition(self, index):
        rows = index.sql(
            "select path, distance(text, :q, 'levenshtein') l, similarity(text, :q) s from txtai "
            "where width = 96 and distance(text, :q) <= 10 order by s desc, path",
            {"q": draw(0)},
        )
        assert [row["l"] for row in rows] == sorted(row["l"] for row in rows)
        assert names(rows[:1]) == ["0.png"]

    @pytest.mark.parametrize(
        "query",
        [
            "select id from txtai where distance(text, 'ff') < 3",
            "select id from txtai where distance(text, :q) < 3",
            "select nothing( from txtai",
            "select id from txtai where",
            "select id from txtai where path = 'it''s'",
            "select no_such_function(id) from txtai",
            "select distance(text) from txtai",
            "select*from txtai",
            "select count(*) c from (select path from txtai) x",
            "select count(*) c from txtai; drop table sections",
            "drop table sections",
            "a dog on a beach",
        ],
    )
    def test_an_error_says_what_and_leaves_the_index_usable(self, index, query):
        with pytest.raises(QueryError):
            index.sql(query)
        assert len(index.sql("select id from txtai")) == 11


class TestDuplicates:
    def test_are_groups_of_equal_hashes(self, index, folder):
        shutil.copy(folder / "1.png", folder / "z.png")
        shutil.copy(folder / "0.png", folder / "copies" / "0.png")
        for name in ("text.jpg", "more.jpg"):
            (folder / name).write_text("no image, and no duplicate")
        index.index([folder])
        found = index.duplicates()
        assert all(isinstance(group, Duplicates) for group in found)
        grouped = {group.fingerprint: group.paths for group in found}
        assert grouped[index.fingerprint(draw(1))] == (str(folder / "1.png"), str(folder / "z.png"))
        assert str(folder / "copies" / "0.png") in grouped[index.fingerprint(draw(0))]
        assert found == sorted(found, key=lambda group: group.paths)

    def test_are_none_among_different_pictures(self, tmp_path):
        for seed in range(3):
            draw(seed).save(tmp_path / f"{seed}.png")
        with ImageIndex.open(tmp_path / "index") as opened:
            opened.index([tmp_path])
            assert opened.duplicates() == []


class TestOpen:
    def test_keeps_what_was_written(self, folder, tmp_path, content):
        with ImageIndex.open(tmp_path / "index", content=content, algorithm="dhash") as made:
            made.index([folder])
            before = made.search(draw(0), limit=99)
        with ImageIndex.open(tmp_path / "index", create=False) as again:
            assert again.settings.hash.algorithm == "difference"
            assert again.search(draw(0), limit=99) == before
            assert again.index([folder]).unchanged == 11

    def test_refuses_other_settings_than_the_index_has(self, index):
        for asked in ({"algorithm": "dhash"}, {"hash_size": 16}, {"content": "duckdb"}):
            with pytest.raises(IndexingError, match="was made with"):
                ImageIndex.open(index.path, **asked)

    def test_makes_no_index_where_none_is_wanted_or_settings_are_wrong(self, tmp_path):
        with pytest.raises(IndexingError, match="there is no index at"):
            ImageIndex.open(tmp_path / "none", create=False)
        for wrong in ({"algorithm": "bogus"}, {"hash_size": 1}, {"algorithm": "crop-resistant"}):
            with pytest.raises(ParameterError):
                ImageIndex.open(tmp_path / "none", **wrong)
        assert not (tmp_path / "none").exists()

    def test_refuses_what_is_no_index(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(IndexingError, match="is a file"):
            ImageIndex.open(tmp_path / "file")
        (tmp_path / "config.json").write_text("{broken")
        with pytest.raises(IndexingError, match="no index can be opened"):
            ImageIndex.open(tmp_path)

    @pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv to be a mere user")
    def test_a_directory_that_cannot_be_written_to_can_be_searched(self, index, folder):
        index.close()
        index.path.chmod(0o555)
        for path in index.path.iterdir():
            path.chmod(0o444)
        command = [*WEAK, *RUN]
        where = ["--index", index.path, "--format", "json"]
        query = [*command, "search", folder / "0.png", *where]
        done = subprocess.run(query, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)[0]["distance"] == 0
        refused = subprocess.run(
            [*command, "index", folder, *where], capture_output=True, text=True
        )
        assert refused.returncode == 1
        assert "cannot be written" in refused.stderr
        assert refused.stderr.count("\n") == 1
        index.path.chmod(0o755)

    def test_a_saved_copy_is_an_index_of_its_own(self, index, folder, tmp_path):
        index.save(tmp_path / "copy")
        with ImageIndex.open(tmp_path / "copy") as copy:
            copy.delete([str(folder / "1.png")])
            assert copy.count() == 10
        assert index.count() == 11

    def test_saves_and_makes_nothing_over_files_of_others(self, index, folder, tmp_path):
        index.save(index.path)  # itself: nothing to do
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "documents").write_text("my precious notes")
        for attempt in (lambda: index.save(mine), lambda: ImageIndex.open(mine)):
            with pytest.raises(IndexingError):
                attempt()
        with pytest.raises(IndexingError, match="is a file"):
            index.save(folder / "1.png")
        assert (mine / "documents").read_text() == "my precious notes"

    def test_a_closed_one_says_so(self, index):
        index.close()
        for call in (lambda: index.search(draw(0)), lambda: index.sql("select id from txtai")):
            with pytest.raises(IndexingError, match="is closed"):
                call()

    @pytest.mark.parametrize("path", ["", None, 3])
    def test_refuses_what_is_no_path(self, path):
        with pytest.raises(ParameterError):
            ImageIndex.open(path)

    def test_a_second_one_sees_what_the_first_writes(self, folder, tmp_path, content):
        writer = ImageIndex.open(tmp_path / "two", content=content)
        with ImageIndex.open(tmp_path / "two") as reader:
            assert reader.search(draw(0)) == []
            writer.index([folder])
            assert len(reader.search(draw(0), limit=99)) == reader.count() == 11
            writer.close()
            assert len(reader.search(draw(0), limit=99)) == 11

    def test_info_says_what_it_is(self, index):
        info = index.info()
        assert info["images"] == 11
        assert info["algorithm"] == "perceptual"
        assert info["bits"] == 64
        assert info["bytes"] > 1000


class TestFurtherHashes:
    def test_are_columns_that_sql_can_compare(self, folder, tmp_path):
        also = ["color", {"algorithm": "difference-vertical", "hash_size": 16}]
        with ImageIndex.open(tmp_path / "index", also=also) as index:
            index.index([folder])
            path = folder / "2.png"
            rows = index.sql(
                "select path, distance(difference_vertical, :q) d from txtai order by d",
                {"q": path},
            )
            assert (rows[0]["path"], rows[0]["d"]) == (str(path), 0)
            assert len(index.fingerprint(path, "difference_vertical")) == 64
            assert len(index.fingerprint(path, "color")) == 11
            with pytest.raises(ParameterError, match="in text, color, difference_vertical, not in"):
                index.fingerprint(path, "bogus")
            with pytest.raises(QueryError, match="the index holds 64 hex digits"):
                index.sql("select distance(difference_vertical, 'ff') from txtai")


class TestFlatPictures:
    """Flat pictures all hash alike: nothing is said by that."""

    def test_are_marked_and_grouped_only_where_files_are_equal(self, tmp_path):
        photos = tmp_path / "photos"
        photos.mkdir()
        for color in ("red", "green", "blue"):
            Image.new("RGB", (64, 48), color).save(photos / f"{color}.png")
        shutil.copy(photos / "red.png", photos / "red too.png")
        Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(photos / "clear.png")
        for n in (1, 2):
            draw(1).save(photos / f"drawn{n}.png", compress_level=n)
        with ImageIndex.open(tmp_path / "index") as index:
            index.index([photos])
            flat = index.sql("select path from txtai where information < 1")
            assert sorted(names(flat)) == [
                "blue.png", "clear.png", "green.png", "red too.png", "red.png",
            ]  # fmt: skip
            groups = [[Path(path).name for path in group.paths] for group in index.duplicates()]
        assert groups == [["drawn1.png", "drawn2.png"], ["red too.png", "red.png"]]


class TestCrashes:
    """An index that is killed at any moment opens with all committed rows, and can go on."""

    COMMAND = "import sys; from hashlens.cli import main; sys.argv[0] = 'hashlens'; main()"

    @pytest.mark.parametrize("sort", [signal.SIGKILL, signal.SIGINT])
    def test_at_random_moments(self, tmp_path, sort, thorough):
        photos, home = tmp_path / "photos", tmp_path / "index"
        photos.mkdir()
        for seed in range(300):
            draw(seed, (64, 48)).save(photos / f"{seed}.png")
        rich = ("--thumbnails", "--pixel-digests")
        command = [sys.executable, "-c", self.COMMAND, "index", photos, "--index", home, *rich]
        random = np.random.default_rng()
        for number in range(15 if thorough else 4):
            process = subprocess.Popen(command, stdout=-3, stderr=-3)
            while number and process.poll() is None and not home.exists():
                time.sleep(0.01)
            time.sleep(random.uniform(0, 0.8))
            process.send_signal(sort)
            process.wait()
            if (home / "config.json").exists():
                with ImageIndex.open(home, create=False) as opened:
                    rows = opened.sql("select text, width, pixel_digest, object from txtai")
                assert all(len(row["text"]) == 16 and row["object"] for row in rows)
                assert all(row["width"] == 64 and row["pixel_digest"] for row in rows)
        subprocess.run(command, check=True, stdout=-3)
        with ImageIndex.open(home, create=False) as opened:
            assert opened.count() == 300
            assert len({row["id"] for row in opened.sql("select id from txtai")}) == 300
