"""Images compared, and equal ones grouped, without an index."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drawing import THEIRS, draw
from hashlens import (
    HashlensError,
    ImageError,
    ImageIndex,
    ParameterError,
    PerceptualHash,
    Progress,
    distance,
    hash_files,
)
from hashlens.hashing.algorithms import ALGORITHMS
from hashlens.model import Skipped
from hashlens.rows.compare import Duplicates, compare, equal_images, find_duplicates
from running import run

BASIC = [item.name for item in ALGORITHMS if item.name != "crop-resistant"]
AS_IMAGEHASH = {"grade": "exact", "upright": False}


def from_json(*arguments: object, **options):
    return json.loads(run(*arguments, "--format", "json", **options).stdout)


@pytest.fixture
def copies(folder):
    """The folder, with equal copies in it, a flat picture twice, and a file that is no image."""
    draw(1).save(folder / "copies" / "one.bmp")
    Image.new("RGB", (40, 40), "red").save(folder / "copies" / "red.png")
    Image.new("RGB", (50, 50), "blue").save(folder / "copies" / "blue.png")
    shutil.copy(folder / "copies" / "red.png", folder / "red again.png")
    (folder / "bad.jpg").write_text("no image")
    return folder


class TestCompare:
    def test_gives_a_record_for_each_image_in_order(self, folder):
        rows = list(compare(folder / "0.png", folder))
        assert [row["path"] for row in rows] == [row["path"] for row in hash_files(folder)]
        assert rows[0] == {"path": str(folder / "0.png"), "distance": 0}
        asked = PerceptualHash()(draw(0))
        for row, hashed in zip(rows, hash_files(folder), strict=True):
            assert row["distance"] == distance(asked, hashed["perceptual"])

    @pytest.mark.parametrize("name", THEIRS)
    def test_gives_the_distances_of_imagehash(self, folder, name):
        Image.open(folder / "2.png").convert("RGBA").rotate(9).save(folder / "turned.png")
        reference = folder / "copies" / "recoded.jpg"
        asked = THEIRS[name](Image.open(reference))
        for row in compare(reference, folder, algorithm=name, **AS_IMAGEHASH):
            assert row["distance"] == asked - THEIRS[name](Image.open(row["path"]))

    def test_takes_each_distinct_path_once_from_any_mix(self, folder):
        mixed = [folder / "3.png", folder, folder / "copies", folder / "3.png", f"{folder}/./3.png"]
        paths = [row["path"] for row in compare(folder / "0.png", mixed)]
        assert len(paths) == len(set(paths)) == 11
        assert [row["path"] for row in compare(folder / "0.png", folder / "3.png")] == paths[:1]

    def test_bounds_are_inclusive(self, folder):
        every = list(compare(folder / "0.png", folder))
        for most in {row["distance"] for row in every}:
            near = list(compare(folder / "0.png", folder, max_distance=most))
            assert near == [row for row in every if row["distance"] <= most]

    def test_tells_of_files_that_cannot_be_read_and_goes_on(self, copies):
        data = (copies / "copies" / "recoded.jpg").read_bytes()
        (copies / "cut.jpg").write_bytes(data[:300])
        rows = list(compare(copies / "0.png", copies))
        reasons = {
            os.path.basename(row["path"]): row["skipped"] for row in rows[:] if "skipped" in row
        }
        assert set(reasons) == {"bad.jpg", "cut.jpg"}
        assert all(reasons.values())
        assert sum("distance" in row for row in rows) == 15

    def test_refuses_a_reference_that_cannot_be_read_before_any_file(self, copies):
        with pytest.raises(ImageError, match=r"bad\.jpg"):
            compare(copies / "bad.jpg", copies)

    def test_takes_a_reference_that_is_no_file(self, folder):
        rows = list(compare(draw(0), folder, max_distance=0))
        assert str(folder / "0.png") in [row["path"] for row in rows]

    def test_the_first_is_the_first_in_order_and_the_only_one(self, folder):
        for most in (0, 8, 64):
            every = [row for row in compare(folder / "4.png", folder) if row["distance"] <= most]
            first = list(compare(folder / "4.png", folder, max_distance=most, first=True))
            assert first == every[:1]
        other = draw(99)
        assert list(compare(other, folder, max_distance=0, first=True)) == []

    @pytest.mark.parametrize("workers", [1, 3])
    def test_the_first_ends_the_reading(self, tmp_path, workers):
        photos = tmp_path / "photos"
        photos.mkdir()
        draw(1, (900, 900)).save(photos / "0.bmp")
        for n in range(1, 2000):
            os.link(photos / "0.bmp", photos / f"{n:04}.bmp")
        code = (
            "import sys\n"
            "from hashlens.rows.compare import compare\n"
            "def told(event, details):\n"
            "    if event == 'open' and str(details[0]).endswith('.bmp'):\n"
            "        sys.stderr.write('opened\\n')\n"
            "sys.addaudithook(told)\n"
            "path, workers = sys.argv[1:]\n"
            "found = compare(path + '/0.bmp', path, max_distance=0, first=True, "
            "workers=int(workers))\n"
            "assert [row['distance'] for row in found] == [0]\n"
        )
        command = [sys.executable, "-c", code, photos, str(workers)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert 2 <= done.stderr.count("opened") < 1000

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"first": True}, "first needs a max_distance"),
            ({"max_distance": -1}, "max_distance must be a number >= 0, not -1"),
            ({"max_distance": float("nan")}, "max_distance must be"),
            ({"max_distance": "10"}, "max_distance must be a number >= 0, not '10'"),
            ({"metric": "bogus"}, "unknown metric 'bogus'"),
            ({"algorithm": "bogus"}, "unknown algorithm 'bogus'"),
            ({"algorithm": "crop-resistant"}, "no fixed number of bits to compare"),
            ({"algorithm": {"algorithm": "whash", "mode": "db4"}}, "give image_scale"),
            ({"algorithm": {"algorithm": "whash", "hash_size": 9}}, "hash_size must be a power"),
            ({"grade": "best"}, "grade must be one of"),
            ({"workers": 0}, "workers must be"),
            ({"extensions": ["."]}, "expected file extensions"),
        ],
    )
    def test_refuses_what_cannot_be_before_any_file(self, folder, options, message):
        with pytest.raises(ParameterError, match=message):
            compare(folder / "0.png", folder, **options)

    def test_refuses_a_path_that_does_not_exist(self, folder):
        with pytest.raises(HashlensError, match="no such file or directory"):
            compare(folder / "0.png", folder / "nowhere")

    def test_takes_other_metrics_and_extensions_and_shows_progress(self, folder):
        steps: list[Progress] = []
        options = {"metric": "manhattan", "extensions": ["jpg"], "progress": steps.append}
        (row,) = compare(folder / "0.png", folder, **options)
        texts = [PerceptualHash()(Image.open(path)) for path in (folder / "0.png", row["path"])]
        assert row["distance"] == distance(*texts, "manhattan")
        assert [(step.done, step.total) for step in steps] == [(1, 1)]


class TestFindDuplicates:
    @pytest.mark.parametrize("algorithm", BASIC)
    def test_gives_the_groups_of_an_index(self, copies, tmp_path, algorithm):
        with ImageIndex.open(tmp_path / "index", algorithm=algorithm) as index:
            index.index([copies])
            expected = index.duplicates()
            skipped = index.skipped()
        assert list(find_duplicates(copies, algorithm=algorithm)) == [*skipped, *expected]

    @pytest.mark.parametrize("name", THEIRS)
    def test_groups_by_the_hashes_of_imagehash(self, copies, name):
        shutil.rmtree(copies / "copies")
        shutil.copytree(copies, copies / "again")
        (copies / "again" / "5.png").unlink()
        groups: dict[str, list[str]] = {}
        for row in hash_files(copies):
            if "skipped" not in row:
                text = str(THEIRS[name](Image.open(row["path"])))
                groups.setdefault(text, []).append(row["path"])
        found = find_duplicates(copies, algorithm=name, **AS_IMAGEHASH)
        assert {
            item.fingerprint: sorted(item.paths) for item in found if type(item) is Duplicates
        } == {text: sorted(paths) for text, paths in groups.items() if len(paths) > 1}

    def test_never_groups_flat_pictures_by_hash_alone(self, copies):
        found = [item for item in find_duplicates(copies) if isinstance(item, Duplicates)]
        names = [{os.path.basename(path) for path in item.paths} for item in found]
        assert {"red.png", "red again.png"} in names
        assert not any("blue.png" in group for group in names)

    def test_tells_of_skipped_files_as_they_are_met(self, copies):
        first = next(find_duplicates(copies))
        assert isinstance(first, Skipped)
        assert first.path == str(copies / "bad.jpg")

    def test_one_image_makes_no_group(self, folder):
        assert list(find_duplicates(folder / "0.png")) == []
        assert list(find_duplicates([folder / "0.png", f"{folder}/../photos/0.png"])) == []

    def test_is_the_same_with_any_number_of_workers(self, copies):
        expected = list(find_duplicates(copies, workers=1))
        assert [list(find_duplicates(copies, workers=n)) for n in (2, 5)] == [expected] * 2


ROWS = st.lists(
    st.builds(
        lambda text, path, flat, digest: {
            "text": text,
            "path": path,
            "information": 0.5 if flat else 5.0,
            "file_digest": digest,
        },
        st.sampled_from("abc"),
        st.text("xyz", max_size=4),
        st.booleans(),
        st.sampled_from("de"),
    ),
    unique_by=lambda row: row["path"],
)


@given(ROWS)
def test_groups_are_disjoint_sorted_and_complete(rows):
    groups = equal_images(rows)
    paths = [path for group in groups for path in group.paths]
    assert len(paths) == len(set(paths))
    assert groups == sorted(groups, key=lambda group: group.paths)
    assert all(group.paths == tuple(sorted(group.paths)) for group in groups)
    together = {frozenset(pair) for g in groups for pair in _pairs(g.paths)}
    for a, b in _pairs(rows):
        flat = a["information"] < 1, b["information"] < 1
        alike = a["text"] == b["text"] and (
            not any(flat) or (all(flat) and a["file_digest"] == b["file_digest"])
        )
        assert alike == (frozenset((a["path"], b["path"])) in together)


def _pairs(items):
    return [(a, b) for n, a in enumerate(items) for b in items[n + 1 :]]


class TestCommandCompare:
    def test_prints_json_in_the_shape_of_imagesearch(self, copies):
        found = from_json(
            "compare", "photos/0.png", "photos", "--algorithm", "dhash", cwd=copies.parent
        )
        rows = list(compare(copies / "0.png", copies, algorithm="dhash"))
        assert found == {
            "reference_path": str(copies / "0.png"),
            "algorithm": "difference",
            "metric": "hamming",
            "bits": 64,
            "diffs": [
                {"diff": row["distance"], "path": row["path"]} for row in rows if "distance" in row
            ],
            "skipped": [
                {"path": row["path"], "reason": row["skipped"]} for row in rows if "skipped" in row
            ],
        }
        assert all(type(item["diff"]) is int for item in found["diffs"])

    def test_prints_a_line_each_as_text(self, folder):
        os.rename(folder / "1.png", folder / "1\n.png")
        lines = run("compare", folder / "0.png", folder, "--format", "text").stdout.splitlines()
        rows = compare(folder / "0.png", folder)
        expected = [(str(row["distance"]), row["path"].replace("\n", "\\n")) for row in rows]
        assert [tuple(line.split("\t")) for line in lines] == expected

    def test_names_metric_and_bits_in_table_and_csv(self, folder):
        asked = (
            "compare",
            folder / "0.png",
            folder,
            "--set",
            "hash_size=16",
            "--metric",
            "manhattan",
        )
        table = run(*asked).stdout.splitlines()
        assert table[0].split() == ["distance", "metric", "bits", "path"]
        assert len(table) == 13
        rows = list(csv.DictReader(io.StringIO(run(*asked, "--format", "csv").stdout)))
        assert {(row["metric"], row["bits"]) for row in rows} == {("manhattan", "256")}

    def test_stops_at_the_first(self, folder):
        near = ("compare", folder / "0.png", folder, "--max-distance", 10)
        assert len(from_json(*near)["diffs"]) == 4
        assert len(from_json(*near, "--first")["diffs"]) == 1

    def test_finding_nothing_is_no_error(self, folder):
        draw(99).save(folder.parent / "other.png")
        asked = ("compare", folder.parent / "other.png", folder, "--max-distance", 0)
        assert from_json(*asked)["diffs"] == []
        assert from_json(*asked, "--first")["diffs"] == []
        assert run(*asked, "--format", "text").stdout == ""
        assert run(*asked).stdout == "no rows\n"

    def test_fails_for_a_named_file_that_cannot_be_read_after_all_others(self, copies):
        asked = ("compare", copies / "0.png", copies, "--format", "text")
        done = run(*asked)
        assert done.stdout.count("\n") == 15
        assert done.stderr.startswith(f"skipped {copies / 'bad.jpg'}: not an image")
        assert run(*asked, copies / "bad.jpg", code=1).stdout == done.stdout

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--first"], "first needs a max_distance"),
            (["--max-distance", "-1"], "max_distance must be a number >= 0"),
            (["--algorithm", "ahash", "--algorithm", "dhash"], "--algorithm can be given once"),
            (["--set", "binbits=3"], "no parameter 'binbits'"),
            (["--set", "hash_size"], "--set takes NAME=VALUE"),
            (["--set", "hash_size=ten"], "hash_size must be a whole number"),
            (["--algorithm", "whash", "--set", "hash_size=12"], "hash_size must be a power of two"),
            (["--algorithm", "whash", "--set", "image_scale=4"], "image_scale must be at least"),
            (["--format", "xml"], "Invalid value for '--format'"),
            (["--treshold", "3"], "No such option"),
        ],
    )
    def test_a_users_error_is_one_line_and_exit_1(self, folder, options, message):
        done = run("compare", folder / "0.png", folder, *options, code=1)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        assert message in done.stderr


class TestCommandDuplicates:
    def test_gives_the_same_with_paths_and_with_an_index(self, copies, tmp_path):
        run("index", copies, "--index", tmp_path / "i", "--algorithm", "dhash")
        of_index = from_json("duplicates", "--index", tmp_path / "i")
        of_paths = from_json("duplicates", copies, "--algorithm", "dhash")
        assert of_index == of_paths
        assert of_paths["algorithm"] == "difference"
        assert all(set(item) == {"image_hash", "paths"} for item in of_paths["dupes"])
        for style in ("table", "csv", "text"):
            with_index = run("duplicates", "--index", tmp_path / "i", "--format", style).stdout
            with_paths = run("duplicates", copies, "--algorithm", "dhash", "--format", style).stdout
            assert with_index == with_paths

    def test_text_is_a_hash_and_its_paths_indented_by_a_tab(self, copies):
        lines = run("duplicates", copies, "--format", "text").stdout.splitlines()
        groups = [item for item in find_duplicates(copies) if isinstance(item, Duplicates)]
        expected = [line for g in groups for line in (g.fingerprint, *(f"\t{p}" for p in g.paths))]
        assert lines == expected

    def test_finding_nothing_is_no_error(self, folder):
        found = from_json("duplicates", folder / "0.png", folder / "1.png", "--algorithm", "dhash")
        assert found == {"algorithm": "difference", "dupes": []}
        assert run("duplicates", folder / "0.png").stdout == "no rows\n"

    def test_fails_for_a_named_file_that_cannot_be_read(self, copies):
        assert "skipped" in run("duplicates", copies).stderr
        assert run("duplicates", copies, copies / "bad.jpg", code=1).stdout.count("\n") > 3

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["photos", "--index", "i"], "--index is of an index"),
            (["--algorithm", "dhash"], "--algorithm is for paths"),
            (["--workers", "2"], "--workers is for paths"),
            (["--as-decoded"], "--upright is for paths"),
            ([], "there is no index at"),
            (["nowhere"], "does not exist"),
        ],
    )
    def test_a_users_error_is_one_line_and_exit_1(self, folder, arguments, message):
        done = run("duplicates", *arguments, code=1, cwd=folder.parent)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
        assert message in done.stderr


@pytest.mark.parametrize("command", ["compare", "duplicates", "hash", "index"])
def test_help_lists_algorithms_parameters_defaults_and_constraints(command):
    said = " ".join(run(command, "--help").stdout.split())
    for algorithm in ALGORITHMS:
        assert ", ".join((algorithm.name, *algorithm.aliases)) in said
        for parameter in algorithm.parameters:
            line = f"{parameter.name}={parameter.default} ({parameter.constraint})"
            assert line in said
