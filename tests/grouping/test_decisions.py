"""What a person decided: it outlives files, names and indexes, and groups obey it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import astuple
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from drawing import draw
from hashlens import Decision, HashlensError, ImageError, ImageIndex, ParameterError, pixel_digest
from hashlens.grouping.decisions import FILE, Decisions
from suites import examples


def near_copies(folder):
    """Four pictures with fingerprints that are equal or next to it, and pixels of their own."""
    first = draw(0)
    for number in range(4):
        changed = first.copy()
        changed.putpixel((0, 0), (number, number, number))
        changed.save(folder / f"{number}.png")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    near_copies(folder)
    return folder


@pytest.fixture(params=[False, True], ids=["files are read", "digests in rows"])
def index(request, photos, tmp_path):
    with ImageIndex.open(tmp_path / "i", pixel_digests=request.param) as opened:
        opened.index([photos])
        yield opened


def names(index, **terms):
    found = index.groups(4, **terms)
    return sorted(sorted(Path(member.path).name for member in group.members) for group in found)


def together(index, one, other):
    return any({one, other} <= set(group) for group in names(index))


def settled(path, **info):
    """Save a picture anew: the same pixels in other bytes."""
    before = path.read_bytes()
    extra = PngImagePlugin.PngInfo()
    for key, value in info.items():
        extra.add_text(key, value)
    with Image.open(path) as image:
        image.load()
    image.save(path, compress_level=1, pnginfo=extra)
    assert path.read_bytes() != before


class TestGroups:
    @pytest.mark.parametrize("verdict", ["not-duplicate", "keep-both"])
    def test_images_on_which_there_is_a_decision_are_in_no_group_together(
        self, index, photos, verdict
    ):
        assert names(index) == [["0.png", "1.png", "2.png", "3.png"]]
        made = index.decide(photos / "0.png", photos / "2.png", verdict)
        assert made.verdict == verdict
        for linkage in ("connected", "complete"):
            assert names(index, linkage=linkage) == [["0.png", "1.png", "3.png"]]

    def test_it_holds_after_renames_moves_and_changes_of_metadata(self, index, photos):
        index.decide(str(photos / "1.png"), str(photos / "0.png"), "not-duplicate")
        (photos / "elsewhere").mkdir()
        (photos / "0.png").rename(photos / "elsewhere" / "zero.png")
        settled(photos / "1.png", Comment="saved anew")
        settled(photos / "elsewhere" / "zero.png", Author="someone")
        index.index([photos])
        assert names(index) == [["1.png", "2.png", "3.png"]]
        for path in list(photos.rglob("*.png")):
            path.rename(photos / f"moved-{path.name}")
        index.index([photos], moved=True)
        assert names(index) == [["moved-1.png", "moved-2.png", "moved-3.png"]]

    def test_it_holds_for_all_copies_of_the_pictures(self, index, photos):
        index.decide(photos / "0.png", photos / "1.png", "not-duplicate")
        for number in range(3):
            for name in ("0", "1"):
                shutil.copy(photos / f"{name}.png", photos / f"{name}-copy{number}.png")
                Image.open(photos / f"{name}.png").save(photos / f"{name}-again{number}.tiff")
        index.index([photos])
        for group in names(index):
            assert len({name[0] for name in group} & {"0", "1"}) <= 1
        assert sorted(name for group in names(index) for name in group) == sorted(
            path.name for path in photos.iterdir()
        )

    def test_both_of_two_equal_pictures_may_be_kept(self, index, photos):
        shutil.copy(photos / "3.png", photos / "copy.png")
        Image.open(photos / "3.png").save(photos / "other.tiff")
        made = index.decide(photos / "3.png", photos / "other.tiff", "keep-both")
        assert made.first == made.second
        index.index([photos])
        assert not any(
            together(index, *pair) for pair in combinations(("3.png", "copy.png", "other.tiff"), 2)
        )

    def test_flat_pictures_are_told_apart_too(self, index, photos):
        for name, colour in (("a", "white"), ("b", "#fefefe")):
            for number in range(2):
                Image.new("RGB", (30, 30), colour).save(photos / f"{name}{number}.png")
        index.index([photos])
        whites = [["a0.png", "a1.png"], ["b0.png", "b1.png"]]
        assert [group for group in names(index) if group[0][0] in "ab"] == whites
        index.decide(photos / "a0.png", photos / "b0.png", "not-duplicate")
        assert [group for group in names(index) if group[0][0] in "ab"] == whites
        index.decide(photos / "a0.png", photos / "a1.png", "keep-both")
        assert [group for group in names(index) if group[0][0] in "ab"] == whites[1:]

    def test_images_that_are_turned_are_known(self, index, photos, tmp_path):
        turned = Image.open(photos / "0.png").transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        turned.save(tmp_path / "turned.png", exif=exif)
        assert pixel_digest(tmp_path / "turned.png") == pixel_digest(photos / "0.png")
        index.decide(tmp_path / "turned.png", photos / "1.png", "not-duplicate")
        assert not together(index, "0.png", "1.png")
        shutil.copy(tmp_path / "turned.png", photos / "turned.png")
        index.index([photos])
        assert names(index) == [["0.png", "2.png", "3.png", "turned.png"]]

    def test_a_decision_on_images_that_are_in_no_group_does_nothing(self, index, photos, tmp_path):
        before = index.groups(4).groups
        for number in (7, 8):
            draw(number).save(tmp_path / f"{number}.png")
            shutil.copy(tmp_path / f"{number}.png", photos / f"single{number}.png")
        index.index([photos])
        assert index.groups(4).groups == before
        index.decide(photos / "single7.png", tmp_path / "8.png", "not-duplicate")
        index.decide(photos / "single7.png", photos / "0.png", "not-duplicate")
        assert index.groups(4).groups == before

    def test_a_group_that_a_decision_makes_possible_obeys_the_others(self, photos, tmp_path):
        # 0 and 1 leave room for 2; what is decided of 2 is then asked as well.
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([photos])
            for pair in combinations(range(4), 2):
                index.decide(*(photos / f"{number}.png" for number in pair), "keep-both")
            assert names(index) == []

    def test_links_obey_too(self, tmp_path):
        folder = tmp_path / "p"
        folder.mkdir()
        draw(5, (600, 400)).save(folder / "whole.png")
        draw(5, (600, 400)).crop((50, 60, 450, 330)).save(folder / "part.png")
        with ImageIndex.open(tmp_path / "i", keypoints=200) as index:
            index.index([folder])
            assert len(index.groups(0, crops=True).links) == 1
            index.decide(folder / "part.png", folder / "whole.png", "not-duplicate")
            assert index.groups(0, crops=True).links == ()


class TestFiles:
    def test_files_are_read_once_and_then_known(self, photos, tmp_path):
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([photos])
            index.decide(photos / "0.png", photos / "1.png", "not-duplicate")
            before = names(index)
            for path in photos.iterdir():
                path.write_bytes(b"no picture any more")
            assert names(index) == before

    def test_rows_with_digests_need_no_file(self, photos, tmp_path):
        with ImageIndex.open(tmp_path / "i", pixel_digests=True) as index:
            index.index([photos])
            index.decide(photos / "0.png", photos / "1.png", "not-duplicate")
            for path in photos.iterdir():
                path.write_bytes(b"no picture any more")
            assert not together(index, "0.png", "1.png")

    def test_one_of_equal_files_that_is_there_is_enough(self, photos, tmp_path):
        for name in ("a-gone", "z-here"):
            shutil.copy(photos / "0.png", photos / f"{name}.png")
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([photos])
            settled(photos / "0.png")
            index.decide(photos / "0.png", photos / "1.png", "not-duplicate")
            (photos / "a-gone.png").unlink()
            (photos / "0.png").write_bytes((photos / "3.png").read_bytes())  # and not indexed since
            for group in names(index):
                assert not ({"a-gone.png", "z-here.png", "0.png"} & set(group) and "1.png" in group)

    def test_files_that_are_gone_or_broken_are_passed_over(self, photos, tmp_path):
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([photos])
            index.decide(photos / "0.png", photos / "1.png", "not-duplicate")
            (photos / "2.png").unlink()
            (photos / "3.png").write_bytes(b"no picture any more")
            # What was not read by then may be anything; what is gone is in no group.
            assert names(index) == [["0.png", "3.png"]]

    def test_many_files_are_read_by_workers(self, photos, tmp_path):
        first = draw(0)
        for number in range(10, 40):
            first.putpixel((1, 1), (number, 0, 0))
            first.save(photos / f"{number}.png")
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([photos])
            index.decide(photos / "10.png", photos / "20.png", "not-duplicate")
            for workers in (1, 3):
                with sqlite3.connect(index.decisions.path) as connection:
                    connection.execute("delete from pixels")
                connection.close()
                found = names(index, workers=workers)
                assert not any({"10.png", "20.png"} <= set(group) for group in found)
                assert sum(map(len, found)) == 33


class TestBook:
    def test_a_later_decision_replaces_an_earlier_and_can_be_forgotten(self, index, photos):
        first, second = photos / "0.png", photos / "1.png"
        index.decide(first, second, "keep-both")
        made = index.decide(second, first, "not-duplicate")
        assert list(index.decisions) == [made]
        assert index.decisions.forget(second, first) is True
        assert index.decisions.forget(second, first) is False
        assert list(index.decisions) == []
        assert together(index, "0.png", "1.png")

    def test_a_decision_on_files_that_are_gone_is_forgotten_by_its_digests(self, index, photos):
        first, second = photos / "0.png", photos / "1.png"
        made = index.decide(first, second, "keep-both")
        second.unlink()
        with pytest.raises(ImageError, match="No such file"):
            index.decisions.forget(first, second)
        assert index.decisions.forget(made.second, made.first) is True
        assert list(index.decisions) == []

    def test_a_decision_says_what_was_shown(self, index, photos, monkeypatch):
        monkeypatch.chdir(photos)
        made = index.decide("1.png", "0.png", "keep-both")
        shown = {made.first: made.first_path, made.second: made.second_path}
        assert shown == {pixel_digest(name): str(photos / name) for name in ("0.png", "1.png")}
        assert made.first < made.second
        assert made.decided.endswith("+00:00")
        with ImageIndex.open(index.path, create=False) as again:
            assert list(again.decisions) == [made]

    def test_what_is_no_decision_is_refused(self, index, photos):
        (photos / "text.png").write_text("no picture")
        for arguments, error, message in (
            (("0.png", "1.png", "maybe"), ParameterError, "one of not-duplicate, keep-both"),
            (("0.png", "0.png", "keep-both"), ParameterError, "on two images, and both are"),
            (("0.png", "../photos/0.png", "keep-both"), ParameterError, "on two images"),
            (("0.png", "gone.png", "keep-both"), ImageError, r"gone.png: No such file"),
            (("text.png", "0.png", "keep-both"), ImageError, r"text.png: not an image"),
        ):
            first, second = (os.path.join(photos, name) for name in arguments[:2])
            with pytest.raises(error, match=message):
                index.decide(first, second, arguments[2])
        assert not index.decisions.path.exists()
        assert list(index.decisions) == []

    def test_names_that_are_no_text_are_taken(self, index, photos):
        odd = os.fsdecode(os.fsencode(photos) + b"/\xff\xfe.png")
        shutil.copy(photos / "0.png", odd)
        made = index.decide(odd, photos / "1.png", "keep-both")
        assert any("\\udcff" in path for path in (made.first_path, made.second_path))
        assert not together(index, "0.png", "1.png")
        assert index.decisions.save(photos / "out.jsonl") == 1
        assert index.decisions.load(photos / "out.jsonl") == 1

    def test_sql_reads_decisions(self, index, photos):
        query = "select verdict, first_path from decisions where verdict = :v order by first_path"
        assert index.sql(query, {"v": "keep-both"}) == []
        made = index.decide(photos / "0.png", photos / "1.png", "keep-both")
        assert index.sql(query, {"v": "keep-both"}) == [
            {"verdict": "keep-both", "first_path": made.first_path}
        ]
        index.decide(photos / "0.png", photos / "2.png", "not-duplicate")
        assert index.sql("SELECT count(*) n FROM Decisions d") == [{"n": 2}]
        assert len(index.sql("select * from decisions", limit=1)) == 1
        with pytest.raises(ParameterError, match="limit must be"):
            index.sql("select * from decisions", limit=0)
        with pytest.raises(HashlensError, match=r"readonly"):
            index.sql("delete from decisions")
        assert len(list(index.decisions)) == 2

    def test_a_copy_of_an_index_has_them_too(self, index, photos, tmp_path):
        index.save(tmp_path / "without")
        assert not (tmp_path / "without" / FILE).exists()
        made = index.decide(photos / "0.png", photos / "1.png", "keep-both")
        index.save(tmp_path / "copy")
        with ImageIndex.open(tmp_path / "copy", create=False) as copy:
            assert list(copy.decisions) == [made]
            assert names(copy) == names(index)

    def test_a_damaged_file_is_named(self, index):
        index.decisions.path.write_bytes(b"this is no database" * 100)
        with pytest.raises(HashlensError, match=rf"the decisions in .*{FILE} cannot be used: file"):
            index.groups(4).groups  # noqa: B018  made when they are looked at

    def test_an_index_that_cannot_be_written_can_be_read(self, photos, tmp_path):
        with ImageIndex.open(tmp_path / "i") as index:
            index.index([photos])
            index.decide(photos / "0.png", photos / "1.png", "keep-both")
            wanted = names(index)
        with sqlite3.connect(tmp_path / "i" / FILE) as connection:
            connection.execute("delete from pixels")
            connection.execute("create trigger full before insert on pixels "
                               "begin select raise(abort, 'the disk is full'); end")  # fmt: skip
        connection.close()
        with ImageIndex.open(tmp_path / "i") as index:
            assert names(index) == wanted


ADD = """
import sys
from hashlens.grouping.decisions import Decisions
from pathlib import Path
book = Decisions(Path(sys.argv[1]))
for number in range(int(sys.argv[3]), 40, 2):
    book.add(f"{sys.argv[2]}/0.png", f"{sys.argv[2]}/{number}.png", "keep-both")
"""


def test_two_processes_decide_at_once(tmp_path):
    for number in range(40):
        draw(number, (8, 8)).save(tmp_path / f"{number}.png")
    runs = [
        subprocess.Popen([sys.executable, "-c", ADD, tmp_path, tmp_path, str(start)])
        for start in (1, 2)
    ]
    assert [run.wait() for run in runs] == [0, 0]
    assert len(list(Decisions(tmp_path))) == 39


def book(folder, *items):
    """A file of decisions, and a book of some."""
    folder.mkdir(exist_ok=True)
    lines = [json.dumps(item) if isinstance(item, dict) else item for item in items]
    (folder / "in.jsonl").write_text("\n".join(lines))
    return Decisions(folder), folder / "in.jsonl"


def record(number=0, **other):
    first, second = sorted(hashlib.sha256(f"{number}{n}".encode()).hexdigest() for n in "ab")
    given = {"first": first, "second": second, "verdict": "keep-both", "first_path": "/a",
             "second_path": "/b", "decided": "2026-01-01T00:00:00+00:00",
             "sizes": [[1, 2], [3, 4]]}  # fmt: skip
    return given | other


class TestExport:
    def test_what_is_exported_can_be_imported(self, index, photos, tmp_path):
        index.decide(photos / "0.png", photos / "1.png", "not-duplicate")
        index.decide(photos / "0.png", photos / "2.png", "keep-both")
        path = tmp_path / "décisions.jsonl"
        assert index.decisions.save(path) == 2
        with ImageIndex.open(tmp_path / "other") as other:
            other.index([photos])
            assert other.decisions.load(path) == 2
            assert list(other.decisions) == list(index.decisions)
            assert names(other) == names(index)  # the sizes came along
            other.decisions.save(tmp_path / "again.jsonl")
        assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()
        assert not list(tmp_path.glob("*.new"))

    def test_an_empty_book_is_an_empty_file(self, tmp_path):
        assert Decisions(tmp_path).save(tmp_path / "out.jsonl") == 0
        assert Decisions(tmp_path).load(tmp_path / "out.jsonl") == 0

    def test_of_two_decisions_the_later_stays(self, tmp_path):
        early, late = (
            record(decided=f"2026-0{month}-01T00:00:00+00:00", verdict=verdict)
            for month, verdict in ((1, "keep-both"), (2, "not-duplicate"))
        )
        for number, order in enumerate(((early, late), (late, early))):
            decisions, path = book(tmp_path / f"{number}", *order)
            assert decisions.load(path) == 2
            assert [item.verdict for item in decisions] == ["not-duplicate"]
            path.write_text(json.dumps(early))
            assert decisions.load(path) == 1
            assert [item.verdict for item in decisions] == ["not-duplicate"]

    @pytest.mark.parametrize(
        "line",
        [
            "no JSON",
            "[]",
            "3",
            "{}",
            "[" * 100_000,
            json.dumps(record(verdict="maybe")),
            json.dumps(record(first="ab")),
            json.dumps(record(first=record()["second"], second=record()["first"])),
            json.dumps(record(first=record()["first"].upper())),
            json.dumps(record(first_path=3)),
            json.dumps(record(decided=None)),
            json.dumps(record(first_path="\ud800")),
            json.dumps(record(unknown="field")),
            json.dumps(record(sizes=None)),
            json.dumps(record(sizes=[[1, 2]])),
            json.dumps(record(sizes=[[1, 2], [3]])),
            json.dumps(record(sizes=[[1, 2], [3, 0]])),
            json.dumps(record(sizes=[[1, 2], [3, -4]])),
            json.dumps(record(sizes=[[1, 2], [3, 1e300]])),
            json.dumps(record(sizes=[[1, 2], [3, float("inf")]])),
            json.dumps({key: value for key, value in record().items() if key != "sizes"}),
        ],
    )
    def test_a_malformed_line_changes_nothing_and_is_named(self, tmp_path, line):
        decisions, path = book(tmp_path, record(1), "", line, record(2))
        with pytest.raises(ParameterError) as caught:
            decisions.load(path)
        assert f"{path}:3 is no decision as hashlens exports them" in str(caught.value)
        assert list(decisions) == []

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                        lambda inner: st.lists(inner, max_size=3)),
           st.sampled_from([*record()]))  # fmt: skip
    @settings(max_examples=examples(150))
    def test_any_value_is_taken_or_refused(self, tmp_path_factory, value, name):
        decisions, path = book(tmp_path_factory.mktemp("b"), record(**{name: value}))
        try:
            assert decisions.load(path) == 1
        except ParameterError as error:
            assert f"{path}:1 is no decision" in str(error)  # noqa: PT017
            assert not decisions.path.exists()
        else:
            assert all(isinstance(field, str) for item in decisions for field in astuple(item))
            assert isinstance(next(iter(decisions)), Decision)

    def test_files_that_cannot_be_used_are_named(self, tmp_path):
        decisions, path = book(tmp_path, record())
        decisions.load(path)
        (tmp_path / "latin.jsonl").write_bytes(b'{"first": "\xe4"}')
        for bad in (tmp_path / "gone.jsonl", tmp_path, tmp_path / "latin.jsonl"):
            with pytest.raises(ParameterError, match="decisions cannot be read from"):
                decisions.load(bad)
        for bad in (tmp_path / "no" / "folder.jsonl", tmp_path):
            with pytest.raises(ParameterError, match="decisions cannot be written to"):
                decisions.save(bad)
        assert not list(tmp_path.parent.glob("*.new"))
