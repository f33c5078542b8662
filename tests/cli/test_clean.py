"""The commands that clean up a collection."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from drawing import draw
from hashlens import ImageHash, ImageIndex
from hashlens.cleanup.actions import ACTIONS
from hashlens.cli import clean, group
from hashlens.cli.app import app
from hashlens.images.walk import IGNORE
from running import hashlens, run
from trees import snapshot

LIKE_FIRST = {"0.png", "small.png", "bright.png", "recoded.jpg"}


def loaded(*arguments: object, **options):
    return json.loads(hashlens(*arguments, "--format", "json", **options))


def lines(*arguments: object, **options):
    return list(csv.DictReader(io.StringIO(hashlens(*arguments, "--format", "csv", **options))))


@pytest.fixture
def made(folder, tmp_path, monkeypatch):
    """An index of the folder, where the command line looks for one."""
    monkeypatch.chdir(tmp_path)
    with ImageIndex.open(".hashlens") as index:
        index.index([folder])
    return folder


def test_groups_are_listed_in_words_json_and_csv(made):
    query = ("groups", "--max-distance", 8)
    found = loaded(*query)
    assert (found["max_distance"], found["linkage"], found["metric"]) == (8, "complete", "hamming")
    [group] = found["groups"]
    members = [group["keeper"], *group["duplicates"]]
    assert {Path(member["path"]).name for member in members} == LIKE_FIRST
    assert group["diameter"] <= 8
    assert group["group"] == 1
    assert found["links"] == found["doubts"] == []
    rows = lines(*query)
    assert [row["path"] for row in rows] == [member["path"] for member in members]
    assert [row["keep"] for row in rows] == ["True", "False", "False", "False"]
    assert {row["group"] for row in rows} == {"1"}
    assert "reason" in rows[0]
    table = hashlens(*query, "--keep", "lossless", "--keep", "newest", "--metric", "hamming")
    assert all(name in table for name in LIKE_FIRST)
    assert hashlens("groups", "--max-distance", 0, "--not-same-folder", "--linkage", "connected")


def test_borderline_pairs_are_listed(made):
    rows = loaded("groups", "--max-distance", 4, "--borderline", 3)
    with ImageIndex.open(".hashlens") as index:
        pairs = index.groups(4).borderline(3)
    assert [(row["first"], row["second"], row["distance"]) for row in rows] == [
        (pair.first, pair.second, pair.distance) for pair in pairs
    ]


def test_from_plan_to_undo(made, tmp_path):
    before = snapshot(made)
    told = loaded("plan", "--max-distance", 8, "--action", "quarantine", "--out", "p.csv",
                  "--to", made / "aside")  # fmt: skip
    assert told == {"plan": "p.csv", "groups": 1, "keep": 1, "freed": 0,
                    "quarantine": {"files": 3, "bytes": told["quarantine"]["bytes"]}}  # fmt: skip
    assert snapshot(made) == before
    query = "select action, count(*) n from plan group by action order by action"
    assert loaded("sql", query, "--table", "plan=p.csv") == [
        {"action": "keep", "n": 1},
        {"action": "quarantine", "n": 3},
    ]
    outcome = loaded("apply", "p.csv")
    assert (outcome["done"], outcome["skipped"]) == (3, [])
    assert Path(outcome["journal"]).name == "p.csv.journal.jsonl"
    assert "earlier" in hashlens("apply", "p.csv")
    assert (made / "aside" / IGNORE).exists()
    hashlens("index", made)
    assert loaded("groups", "--max-distance", 8)["groups"] == []
    assert hashlens("undo", "p.csv.journal.jsonl").split()[:2] == ["done", "3"]
    assert snapshot(made) == before
    assert loaded("apply", "p.csv")["done"] == 3
    error = hashlens("plan", "--max-distance", 0, "--action", "delete", "--out", "p.csv", code=1)
    assert re.search(r"/p\.csv was applied, as .*/p\.csv\.journal\.jsonl tells; undo it", error)
    hashlens("undo", "p.csv.journal.jsonl")
    assert snapshot(made) == before
    hashlens("plan", "--max-distance", 0, "--action", "delete", "--out", "p.csv")
    assert snapshot(made) == before


def test_a_file_that_changed_since_is_left_alone_and_told_of(made):
    assert "'erase' is not one of 'move', " in hashlens("plan", "--action", "erase", code=1)
    hashlens("plan", "--max-distance", 8, "--action", "delete", "--keep", f"folder={made}/copies",
             "--keep", "lossless", "--keep", "bytes")  # fmt: skip
    with open(made / "copies" / "small.png", "ab") as file:
        file.write(b"more")
    done = run("apply", "plan.jsonl", "--format", "csv", code=1)
    assert done.stderr.startswith(f"left alone {made / 'copies' / 'small.png'}: ")
    [row] = csv.DictReader(io.StringIO(done.stdout))
    assert (row["done"], row["left_alone"]) == ("2", "1")
    assert sorted(path.name for path in made.rglob("*.*")) == sorted(
        ["bright.png", "small.png", *(f"{number}.png" for number in range(1, 8))]
    )


def test_a_report_is_written(made):
    told = loaded("report", "--max-distance", 8, "--html", "r.html", "--mosaics", "m")
    assert told == {"groups": 1, "links": 0, "html": "r.html", "not_readable": 0, "mosaics": 1}
    assert all(name in Path("r.html").read_text() for name in LIKE_FIRST)
    assert [path.suffix for path in Path("m").iterdir()] == [".png"]


def test_decisions_are_made_listed_exported_imported_and_forgotten(made, tmp_path):
    pair = (made / "0.png", made / "copies" / "small.png")
    assert hashlens("decisions") == "no rows\n"
    assert loaded("decide", *pair, "--as", "not-duplicate")["verdict"] == "not-duplicate"
    [group] = loaded("groups", "--max-distance", 8)["groups"]
    assert "small.png" not in json.dumps(group)
    [row] = loaded("decisions", "--export", "d.jsonl")
    assert {row["first_path"], row["second_path"]} == set(map(str, pair))
    assert lines("sql", "select verdict v from decisions") == [{"v": "not-duplicate"}]
    assert loaded("decide", *pair, "--as", "forget")["forgotten"] is True
    assert lines("decisions") == []
    assert [item["verdict"] for item in lines("decisions", "--import", "d.jsonl")] == [
        "not-duplicate"
    ]
    Path("bad.jsonl").write_text("{}\n")
    assert "bad.jsonl:1 is no decision" in hashlens("decisions", "--import", "bad.jsonl", code=1)


def test_a_map_is_drawn(made):
    told = loaded("map", "--out", "map.png", "--csv", "map.csv")
    assert told == {"map": "map.png", "images": 11, "not_readable": 0}
    with Image.open("map.png") as picture:
        assert picture.width > 100
    with open("map.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 11


def test_tables_are_queried_without_an_index(tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hashes.csv").write_text(hashlens("hash", folder, "--format", "csv"))
    query = "select path, distance(perceptual, :q) d from h join k on name = :name order by d, path"
    Path("k.jsonl").write_text('{"name": "7"}\n{"name": "x"}\n')
    fingerprint = ImageHash("perceptual")(folder / "0.png")
    rows = loaded("sql", query, "--table", "h=hashes.csv", "--table", "k=k.jsonl", "--param",
                  f"q={fingerprint}", "--param", "name=x", "--limit", 2)  # fmt: skip
    assert [row["d"] for row in rows] == [0, 0]
    error = hashlens("sql", "select * from other", "--table", "h=hashes.csv", code=1)
    assert "no such table: other; tables are h" in error
    assert not Path(".hashlens").exists()


def test_a_hash_is_drawn(folder, tmp_path):
    image = folder / "0.png"
    said = hashlens("hash", image, "--draw", tmp_path / "h.png", "--set", "hash_size=16")
    assert said.split()[0] == ImageHash("perceptual", hash_size=16)(image)
    with Image.open(tmp_path / "h.png") as picture:
        assert picture.width > 100
    error = hashlens("hash", image, folder / "1.png", "--draw", tmp_path / "x.png", code=1)
    assert "--draw takes one image file and one algorithm" in error


def test_names_may_be_odd(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd = tmp_path / "fol der,'\"; ü\n-- x"
    odd.mkdir()
    for name in ("a\tb.png", "--keep.png", "<b>&.png", "{0}.png"):
        draw(0).save(odd / name)
    with ImageIndex.open(".hashlens") as index:
        index.index([odd])
    rows = lines("groups", "--max-distance", 0, "--keep", f"folder={odd}", "--between", odd, odd)
    assert sorted(row["path"] for row in rows) == sorted(map(str, odd.iterdir()))
    before = snapshot(odd)
    hashlens("plan", "--max-distance", 0, "--action", "move", "--to", "to", "--out", "p.csv")
    assert loaded("apply", "p.csv")["done"] == 3
    assert loaded("undo", "p.csv.journal.jsonl")["done"] == 3
    assert snapshot(odd) == before


def refused(*arguments: object) -> str:
    """Return the message of a command that fails, without a process of its own."""
    result = CliRunner().invoke(app, list(map(str, arguments)), standalone_mode=False)
    assert result.exception
    message = getattr(result.exception, "format_message", lambda: str(result.exception))()
    return " ".join(message.split())


@pytest.mark.parametrize("command", ["groups", "report --html r.html", "plan --action delete",
                                     "map --out m.png", "decisions"])  # fmt: skip
def test_without_an_index_there_is_advice(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert "make one with: hashlens index PATH" in refused(*command.split())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("groups --max-distance 8 --keep best", "no rule 'best' tells what to keep; known are"),
        ("groups --max-distance 8 --keep pixels,bytes", "no rule 'pixels,bytes'"),
        ("groups --crops", "no crop index; make one with keypoints=200 (index --crops)"),
        ("groups --metric furlongs --max-distance 3", "unknown metric 'furlongs'"),
        ("groups --metric levenshtein", "'auto' is for Hamming distances; give a number"),
        ("groups --keep newest --keep-only oldest", "keep_only oldest takes the place of all"),
        ("groups --max-distance 8 --workers 0", "workers must be a whole number 1 to 1024, not 0"),
        ("groups --max-distance -1", "max_distance must be a number >= 0"),
        ("groups --max-distance nan", "max_distance must be a number >= 0"),
        ("groups --linkage single", "'complete', 'connected'"),
        ("groups --between . nowhere", "'nowhere' does not exist"),
        ("groups --borderline 0", "x>=1"),
        ("groups --max-distance 8 --workers 0 --crops", "no crop index"),
        ("report", "say what to write: --html FILE, --mosaics DIR, or both"),
        ("plan --action explode", "is not one of"),
        ("plan --max-distance 8 --action move", "move needs a folder to put files into: name it"),
        ("plan --max-distance 8 --action delete --to x", "given without to (--to), not with x"),
        ("plan --max-distance 8 --action delete --out plan.txt", "a file .jsonl or .csv"),
        ("plan --max-distance 8 --action delete --protect nowhere", "does not exist"),
        ("apply nowhere.jsonl", "does not exist"),
        ("undo nowhere.jsonl", "does not exist"),
        ("decide photos/0.png photos/0.png --as keep-both", "on two images, and both are"),
        ("decide photos/0.png nowhere.png --as keep-both", "nowhere.png: No such file"),
        ("decide photos/0.png photos/1.png --as maybe", "is not one of"),
        ("decide photos/0.png photos/1.png", "Missing option '--as'"),
        ("decisions --import nowhere", "does not exist"),
        ("decisions --export no/folder.jsonl", "decisions cannot be written to no/folder.jsonl"),
        ("map", "Missing option '--out'"),
        ("map --out m.xyz", "m.xyz"),
        ("sql select --table t", "--table takes NAME=FILE, not 't'|--table takes NAME=VALUE"),
        ("sql select --table a-b=plan.jsonl", "no records can be read from plan.jsonl"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_line(made, arguments, message):
    found = refused(*arguments.split())
    assert any(part in found for part in message.split("|")), found


def test_auto_takes_copies_only_where_there_are_few_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        draw(seed).save(f"{seed}.png")
    draw(0).resize((48, 32)).save("copy.png")
    with ImageIndex.open(".hashlens") as index:
        index.index([tmp_path])
    done = run("groups")
    assert done.stderr == "max_distance 4: 1 groups, 1 duplicates\n"
    assert "copy.png" in done.stdout


def test_help_says_what_each_command_does():
    for command in (*group.COMMANDS, *clean.COMMANDS):
        result = CliRunner().invoke(app, [command.name, "--help"])
        assert result.exit_code == 0
        assert command.help.splitlines()[0].split(":")[0] in " ".join(result.output.split())
        assert "--format" in result.output
    assert set(ACTIONS) <= set(CliRunner().invoke(app, ["plan", "--help"]).output.replace(
        "|", " ").replace("[", " ").replace("]", " ").split())  # fmt: skip


def test_help_loads_nothing_heavy():
    code = "import sys; from hashlens.cli import app; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert not {"numpy", "PIL", "cv2", "pandas", "txtai", "sklearn", "numba"} & set(found.split())
