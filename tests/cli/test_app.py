from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from PIL import Image

from drawing import draw
from hashlens import ImageIndex, PerceptualHash, hash_files
from running import RUN, Watched, hashlens, importing_first, run, run_apart


@pytest.fixture
def made(index):
    index.close()
    return index.path


def test_index_reports_in_words_json_and_csv(folder, tmp_path):
    (folder / "bad.jpg").write_text("no image")
    (folder / "notes.txt").write_text("no image")
    where = ("--index", tmp_path / "i")
    said = hashlens("index", folder, *where)
    assert "indexed 11 of 12 images" in said
    assert "11 hashed, 0 unchanged, 0 moved, 0 removed\n  passed over: 1 .txt\n" in said
    assert "skipped 1: not an image" in said
    assert f"  {folder / 'bad.jpg'}\n" in said
    report = json.loads(hashlens("index", folder, *where, "--format", "json"))
    assert (report["images"], report["unchanged"], len(report["skipped"])) == (11, 11, 1)
    rows = list(csv.DictReader(io.StringIO(hashlens("index", folder, *where, "--format", "csv"))))
    assert [row["path"] for row in rows] == [str(folder / "bad.jpg")]


def test_index_takes_an_algorithm_with_parameters(folder, tmp_path):
    where = ("--index", tmp_path / "i")
    hashlens("index", folder, *where, "--algorithm", "dhash", "--set", "hash_size=16",
             "--metric", "levenshtein", "--no-thumbnails", "--content", "duckdb")  # fmt: skip
    info = json.loads(hashlens("info", *where, "--format", "json"))
    assert (info["algorithm"], info["hash_size"], info["bits"]) == ("difference", 16, 256)
    assert (info["metric"], info["thumbnails"]) == ("levenshtein", False)
    assert info["content"] == "hashlens.database.DuckDB"
    error = hashlens("index", folder, *where, "--set", "hash_size=8", code=1)
    assert "was made with hash_size = 16, not 8" in error


def test_search_prints_matches_nearest_first(made, folder):
    query = ("search", folder / "0.png", "--index", made)
    rows = json.loads(hashlens(*query, "--limit", 4, "--format", "json"))
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)
    assert rows[0]["similarity"] == 1
    table = hashlens(*query, "--max-distance", 0).splitlines()
    columns = ["distance", "similarity", "stage", "path", "width", "height", "bytes"]
    assert table[0].split() == columns
    assert rows[0]["stage"] == "digest"
    assert str(folder / "0.png") in "".join(table)
    assert len(json.loads(hashlens(*query, "--first", "--format", "json"))) == 1
    by_hash = hashlens("search", rows[0]["text"], "--index", made, "--first", "--format", "csv")
    assert next(csv.DictReader(io.StringIO(by_hash)))["distance"] == "0"


def test_sql_binds_values_and_hashes_of_files(made, folder):
    near = "select path, distance(text, :q) d from txtai where d <= :most order by d limit 4"
    near = near.replace("where d", "where distance(text, :q)")
    where = ("--index", made, "--format", "json")
    rows = json.loads(
        hashlens("sql", near, "--param", f"q=@{folder / '0.png'}", "--param", "most=9", *where)
    )
    matches = json.loads(hashlens("search", folder / "0.png", "--limit", 4, *where))
    assert [row["path"] for row in rows] == [match["path"] for match in matches]
    picture = json.loads(hashlens("sql", "select object from txtai limit 1", *where))
    assert picture[0]["object"].startswith("data:image/jpeg;base64,/9j/")
    assert len(json.loads(hashlens("sql", "select id from txtai", *where))) == 11
    assert len(json.loads(hashlens("sql", "select id from txtai", "--limit", 2, *where))) == 2
    assert hashlens("sql", "select id from txtai where id = 'x'", "--index", made) == "no rows\n"


def test_numbers_are_bound_as_numbers_and_hashes_as_texts(made):
    query = "select :a a, :b b, :c c, :d d from txtai where distance(text, :hash) >= :least limit 1"
    values = {"a": "0012", "b": "12", "c": "4.5", "d": "1000000000", "least": "0.5"}
    values["hash"] = "1234567812345678"
    params = [f"--param={name}={value}" for name, value in values.items()]
    rows = json.loads(hashlens("sql", query, "--index", made, *params, "--format", "json"))
    assert rows == [{"a": "0012", "b": 12, "c": 4.5, "d": 1_000_000_000}]


def test_duplicates_are_grouped_by_equal_hash(folder, tmp_path):
    draw(1).save(folder / "copies" / "one.bmp")
    where = ("--index", tmp_path / "i")
    hashlens("index", folder, *where)
    found = json.loads(hashlens("duplicates", *where, "--format", "json"))
    paths = [str(folder / "1.png"), str(folder / "copies" / "one.bmp")]
    assert paths in [group["paths"] for group in found["dupes"]]
    assert found["algorithm"] == "perceptual"
    table = hashlens("duplicates", *where).splitlines()
    assert table[0].split() == ["group", "hash", "path"]


def test_run_runs_a_workflow(folder, tmp_path, pytestconfig):
    config = pytestconfig.rootpath / "config.yml"
    said = hashlens("run", config, folder, "--format", "json", cwd=tmp_path)
    assert json.loads(said)["rows"] == 11
    assert "11" in hashlens("info", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "x.jpg", "--index", "nowhere"], "there is no index at"),
        (["search"], "Missing argument"),
        (["serch", "x"], "No such command"),
        (["index", "nowhere"], "no such file or directory: "),
        (["index", ".", "--bogus"], "No such option"),
        (["index", ".", "--algorithm", "bogus"], "unknown algorithm 'bogus'"),
        (["index", ".", "--set", "hash_size"], "--set takes NAME=VALUE, not 'hash_size'"),
        (["index", ".", "--set", "hash_size=no"], "hash_size must be a whole number"),
        (["index", ".", "--set", "bogus=1"], "no hash has a parameter 'bogus'; known are binbits"),
        (["index", ".", "--set", "content=x"], "no hash has a parameter 'content'"),
        (["search", "x", "--format", "xml"], "Invalid value for '--format'"),
        (["run", "nowhere.yml", "x"], "No such file"),
    ],
)
def test_a_users_error_is_one_line_and_exit_1(arguments, message, tmp_path):
    assert message in hashlens(*arguments, code=1, cwd=tmp_path)
    assert os.listdir(tmp_path) == []


def test_errors_of_a_query_are_one_line_and_exit_1(made, folder):
    where = ("--index", made)
    for arguments in (
        ("search", "ffff"),
        ("search", "x.jpg"),
        ("search", folder / "0.png", "--limit", 0),
        ("sql", "select id from txtai where distance(text, 'ff') < 2"),
        ("sql", "select id, from where txtai"),
        ("sql", "select id from txtai", "--param", "x"),
        ("sql", "select id from txtai where distance(text, :q) < 2", "--param", "q=@nowhere.jpg"),
        ("sql", "select distance(text, 'ffffffffffffffff', 'bogus') from txtai"),
    ):
        hashlens(*arguments, *where, code=1)


def test_help_of_each_command_says_what_it_does():
    said = hashlens("--help")
    for command in ("index", "search", "sql", "duplicates", "info", "run"):
        assert command in said
        assert "Usage: hashlens" in hashlens(command, "--help")
    assert hashlens("--version").startswith("hashlens, version ")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"])
def test_an_output_that_cannot_be_written_is_one_line_at_most(made, redirect):
    command = f"{RUN[0]} -c '{RUN[2]}' info --index {made} {redirect}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.stderr.count("\n") <= 1
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_error(made):
    query = f"{' '.join(RUN[:1])} -c '{RUN[2]}' sql 'select * from txtai' --index {made}"
    done = subprocess.run(["sh", "-c", f"{query} | head -1"], capture_output=True, text=True)
    assert done.stderr == ""


def test_searching_never_loads_torch(made, folder):
    code = (
        "import sys\nfrom hashlens.cli.app import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "search", folder / "0.png", "--index", made]
    subprocess.run(command, check=True, capture_output=True)


def test_progress_never_reaches_standard_output(folder, tmp_path):
    with ImageIndex.open(tmp_path / "i") as index:
        steps = []
        index.index([folder], progress=steps.append)
    assert steps
    json.loads(hashlens("index", folder, "--index", tmp_path / "i", "--format", "json"))


class TestHash:
    def test_prints_a_line_for_each_image(self, folder):
        lines = [line.split("  ", 1) for line in hashlens("hash", folder).splitlines()]
        assert [path for _, path in lines] == [row["path"] for row in hash_files([folder])]
        assert [text for text, _ in lines] == [row["perceptual"] for row in hash_files([folder])]
        assert len(lines) == 11

    def test_takes_several_algorithms_in_csv_and_json(self, folder):
        asked = ("--algorithm", "ahash", "--algorithm", "color", "--algorithm", "crop-resistant")
        rows = json.loads(hashlens("hash", folder, *asked, "--format", "json"))
        assert set(rows[0]) == {"path", "average", "color", "crop_resistant"}
        assert len(rows[0]["average"]) == 16
        read = csv.DictReader(io.StringIO(hashlens("hash", folder, *asked, "--format", "csv")))
        assert [{**row, "skipped": ""} for row in rows] == list(read)
        assert hashlens("hash", folder / "copies", "--ext", "gif", "--format", "json") == "[]\n"

    def test_is_exact_where_asked(self, folder):
        path = folder / "copies" / "recoded.jpg"
        exact = hashlens("hash", path, "--grade", "exact", "--set", "hash_size=16").split()[0]
        assert exact == PerceptualHash(hash_size=16)(Image.open(path))

    def test_tells_of_skipped_files_and_fails_for_named_ones(self, folder):
        bad = folder / "bad.jpg"
        bad.write_text("no image")
        done = run("hash", folder)
        assert done.stdout.count("\n") == 11
        assert done.stderr == f"skipped {bad}: not an image in a format that Pillow can read\n"
        assert run("hash", folder, bad, code=1).stdout.count("\n") == 11
        rows = json.loads(hashlens("hash", folder, "--format", "json"))
        assert [row["path"] for row in rows if "skipped" in row] == [str(bad)]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--algorithm", "bogus"], "unknown algorithm 'bogus'"),
            (["--algorithm", "dhash", "--algorithm", "difference"], "can be asked for once"),
            (["--set", "binbits=3"], "no parameter 'binbits'"),
            (["--workers", "0"], "workers must be a whole number"),
            (["--ext", "."], "expected file extensions such as .jpg"),
        ],
    )
    def test_refuses_what_cannot_be(self, folder, options, message):
        assert message in hashlens("hash", folder, *options, code=1)

    def test_gives_the_same_with_any_number_of_workers(self, folder):
        expected = hashlens("hash", folder)
        for workers in (1, 2, 7):
            assert hashlens("hash", folder, "--workers", workers) == expected
            assert run_apart("hash", folder, "--workers", workers).stdout == expected

    def test_names_with_line_breaks_and_odd_bytes_take_one_line_each(self, folder):
        os.rename(folder / "1.png", folder / "1\n.png")
        os.rename(folder / "2.png", os.fsencode(folder) + b"/2\xff.png")
        assert hashlens("hash", folder).count("\n") == 11
        assert len(json.loads(hashlens("hash", folder, "--format", "json"))) == 11

    def test_does_without_standard_output(self, folder):
        command = shlex.join([*RUN, "hash", str(folder)]) + " >&-"
        done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602
        assert (done.returncode, done.stderr) == (0, "")

    def test_ends_quietly_when_no_one_reads_on(self, folder):
        command = shlex.join([*RUN, "hash", str(folder)]) + " | true"
        done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602
        assert done.stderr == ""


# Started by every interpreter that finds it: a decoder that dies of some files.
CRASHING = """
import os, signal
from PIL import Image
def accept(start):
    if start.startswith(b"CRASH"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return False
Image.register_open("CRASHING", None, accept)
"""


def test_a_file_that_crashes_the_decoder_is_skipped_and_no_other(folder, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(CRASHING)
    for n in (1, 2):
        (folder / f"crash{n}.png").write_bytes(b"CRASH")
    env = importing_first(tmp_path)
    where = ("--index", tmp_path / "i")
    said = run_apart("index", folder, *where, env=env).stdout
    assert "indexed 11 of 13 images" in said
    assert "skipped 2: a decoder crashed on it" in said
    rows = json.loads(run_apart("hash", folder, "--format", "json", env=env).stdout)
    assert sum("perceptual" in row for row in rows) == 11


def test_index_takes_extensions_and_further_hashes(folder, tmp_path):
    where = ("--index", tmp_path / "i")
    (folder / "odd.ppm").write_bytes(b"no image")
    said = hashlens("index", folder, *where, "--only-popular-extensions", "--also", "color")
    assert "indexed 11 of 11 images" in said
    assert "passed over: 1 .ppm" in said
    said = hashlens("index", folder, *where, "--ext", "PNG", "--workers", "2")
    assert "0 hashed, 10 unchanged, 0 moved, 0 removed\n  passed over: 1 .jpg, 1 .ppm" in said
    near = "select path, distance(color, :q) d from txtai order by d, path limit 1"
    param = ("--param", f"q=@{folder / '3.png'}", "--format", "json")
    found = json.loads(hashlens("sql", near, *where, *param))
    assert found == [{"path": str(folder / "3.png"), "d": 0}]
    error = hashlens("sql", near, *where, "--param", "q=00ff00ff00ff00ff", code=1)
    assert "the index holds 11 hex digits" in error


def test_index_shows_a_bar_with_rate_and_remaining_time_to_a_person(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    draw(1, (1800, 1800)).save(photos / "0.png")  # 40 of these take more than a second anywhere
    for n in range(1, 40):
        os.link(photos / "0.png", photos / f"{n}.png")
    with Watched("index", photos, "--index", tmp_path / "i", "--workers", "1") as watched:
        said = watched.process.communicate()[0]
    assert watched.process.returncode == 0
    assert re.search(r"\d+/40 \[\d\d:\d\d<\d\d:\d\d, .*(file/s|s/file)", watched.shown)
    assert "indexed 40 of 40 images" in said


def test_formats_are_listed(folder):
    rows = {row["format"]: row for row in json.loads(hashlens("formats", "--format", "json"))}
    assert rows["JPEG"] == {
        "format": "JPEG",
        "extensions": ".jpg .jpeg .jpe .jfif .mpo",
        "popular": True,
        "readable": True,
        "reader": "Pillow",
    }
    assert rows["HEIF"]["reader"] == "pillow_heif"
    assert "WEBP" in hashlens("formats")
    assert all(row["readable"] for row in rows.values())  # with what the tests install
