"""docs/compatibility.md keeps its word: each line of each row runs, and does what the row says."""

from __future__ import annotations

import ast
import csv
import inspect
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
import pytest
import skimage
from PIL import Image, ImageDraw, ImageEnhance

import hashlens
from drawing import THEIRS, draw
from hashlens import PerceptualHash, distance
from hashlens.hashing.algorithms import ALGORITHMS
from running import Watched, run, run_apart

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "compatibility.md").read_text()
CONTRACT = [
    *(f"A{n}" for n in range(1, 25)),
    *(f"B{n}" for n in range(1, 21)),
    *(f"C{n}" for n in range(1, 16)),
]
READABLE = 14  # pictures in photos
RATE = r"file/s|s/file"  # what a progress bar shows


@dataclass(frozen=True)
class Row:
    """A row of a table: what the other has, the lines of code that do the same, and the status."""

    id: str
    theirs: str
    lines: list[str]
    status: str


def rows() -> dict[str, Row]:
    found = {}
    for line in TEXT.splitlines():
        if re.match(r"\| [A-Z]\d", line):
            uid, theirs, ours, status = (cell.strip() for cell in line[1:-1].split(" | "))
            assert uid not in found
            found[uid] = Row(uid, theirs, re.findall(r"`([^`]+)`", ours), status)
    return found


ROWS = rows()
CHECKS: dict[str, Callable[[Desk, list[Any]], None]] = {}


def check(uid: str):
    """Register what is looked at after the lines of a row; it is given what they put out."""

    def register(function: Callable[[Desk, list[Any]], None]):
        assert uid not in CHECKS
        CHECKS[uid] = function
        return function

    return register


@dataclass
class Desk:
    """A folder with `photos`, `backup`, `copy.jpg` and an index; it runs lines of the document."""

    path: Path
    names: dict[str, Any] = field(default_factory=lambda: {"hashlens": hashlens})

    def shell(self, line: str, code: int = 0) -> str:
        words = shlex.split(line)
        assert words[0] == "hashlens"
        done = run(*words[1:], code=code, cwd=self.path)
        if code:
            assert done.stderr.strip()
        return done.stderr if code else done.stdout

    def refuses(self, line: str, message: str) -> None:
        said = self.shell(line, code=1)
        assert said.count("\n") == 1
        assert message in said

    def json(self, line: str) -> Any:
        return json.loads(self.shell(f"{line} --format json"))

    def python(self, line: str) -> Any:
        if "index" not in self.names and re.match(r".*\bindex\b\.", line):
            self.names["index"] = hashlens.ImageIndex.open(".hashlens")
        *before, last = ast.parse(line).body
        exec(compile(ast.Module(before, []), line, "exec"), self.names)  # noqa: S102
        return eval(compile(ast.Expression(last.value), line, "eval"), self.names)  # noqa: S307

    def make(self, line: str) -> str:
        """Return what make would do."""
        command = [*shlex.split(line), "--dry-run"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        return done.stdout

    def run(self, line: str) -> Any:
        runner = {"hashlens": self.shell, "make": self.make}
        return runner.get(line.split(maxsplit=1)[0], self.python)(line)

    def files(self) -> dict[str, bytes]:
        """Return all files but those of the index."""
        found = (path for path in sorted(self.path.rglob("*")) if path.is_file())
        names = {str(path.relative_to(self.path)): path for path in found}
        return {
            name: path.read_bytes()
            for name, path in names.items()
            if not name.startswith((".hashlens", "new.index"))
        }

    def image(self, name: str | Path) -> Image.Image:
        with Image.open(self.path / name) as opened:
            return opened.copy()

    def close(self) -> None:
        if "index" in self.names:
            self.names["index"].close()


def paint(home: Path) -> None:
    """Draw the pictures that the document speaks of."""
    size = (160, 120)
    for folder in ("photos/trip", "photos/burst", "backup"):
        (home / folder).mkdir(parents=True)
    photos = home / "photos"
    for seed in range(5):
        draw(seed, size).save(photos / f"{seed}.png")
    first = draw(0, size)
    first.resize((80, 60)).save(photos / "trip" / "0 small.png")
    ImageEnhance.Brightness(first).enhance(1.1).save(photos / "trip" / "0 bright.png")
    first.save(photos / "trip" / "0.jpg", quality=60)
    draw(1, size).save(photos / "trip" / "1.bmp")
    for shift in (2, 3):
        draw(2, size).crop((shift, shift, *size)).save(photos / "burst" / f"2 {shift}.png")
    spot = draw(7, size)
    spot.save(photos / "7.png")
    ImageDraw.Draw(spot).rectangle((70, 50, 76, 56), fill="white")
    spot.save(photos / "7 spot.png")
    Image.new("RGB", size, "red").save(photos / "red.png")
    (photos / "cut.jpg").write_bytes((photos / "trip" / "0.jpg").read_bytes()[:900])
    (photos / "notes.txt").write_text("no image")
    draw(3, size).save(home / "backup" / "3.jpg", quality=80)
    draw(9, size).save(home / "backup" / "9.png")
    first.resize((120, 90)).save(home / "copy.jpg", quality=70)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """The folder before anything is done to it; what is done, is done at its own place."""
    home = tmp_path_factory.mktemp("desk") / "desk"
    paint(home)
    Desk(home).shell("hashlens index photos backup")
    shutil.copytree(home, home.parent / "kept")
    return home


@pytest.fixture
def desk(pristine, monkeypatch):
    """A desk as good as new."""
    shutil.rmtree(pristine)
    shutil.copytree(pristine.parent / "kept", pristine)
    monkeypatch.chdir(pristine)
    desk = Desk(pristine)
    yield desk
    desk.close()


def test_the_document_has_each_row_of_the_contract_and_each_row_a_check():
    assert list(ROWS) == CONTRACT
    assert sorted(CHECKS) == sorted(CONTRACT)


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.id)
def test_each_row_says_what_there_is_and_has_a_line_for_it(row):
    assert re.match(r"done\b|not done: ", row.status)
    assert row.theirs
    assert row.lines


@pytest.mark.parametrize("uid", ROWS)
def test_each_line_does_what_its_row_says(desk, uid):
    CHECKS[uid](desk, [desk.run(line) for line in ROWS[uid].lines])


def table(said: str) -> list[str]:
    """Return the lines of a table without its head."""
    return said.splitlines()[2:]


def near(desk: Desk, most: int) -> list[dict[str, Any]]:
    return desk.json(f"hashlens compare copy.jpg photos --max-distance {most}")["diffs"]


def names(paths: Iterable[str]) -> set[str]:
    return {os.path.basename(path) for path in paths}


FIRSTS = {"0.png", "0 small.png", "0 bright.png", "0.jpg"}


@check("A1")
def _(desk, said):
    assert len(table(said[0])) == READABLE
    same = desk.json("hashlens compare photos/0.png photos")["diffs"]
    assert same[0] == {"diff": 0, "path": str(desk.path / "photos" / "0.png")}


@check("A2")
def _(desk, said):
    assert len(table(said[0])) == len(distances(said[0])) == READABLE + 2
    assert desk.shell("hashlens compare copy.jpg photos/0.png ./photos/../photos") == desk.shell(
        "hashlens compare copy.jpg photos/0.png photos"
    )


@check("A3")
def _(desk, said):
    found = json.loads(said[0])
    assert names([item["path"] for item in found["skipped"]]) == {"cut.jpg"}
    assert len(found["diffs"]) == READABLE
    assert "cut.jpg" in desk.shell("hashlens compare copy.jpg photos/cut.jpg", code=1)
    desk.refuses("hashlens compare photos/cut.jpg photos", "cut.jpg")


@check("A4")
def _(desk, said):
    every = near(desk, 64)
    assert len(table(said[0])) == sum(item["diff"] <= 10 for item in every) == len(FIRSTS)
    assert every[0] in near(desk, every[0]["diff"])
    desk.refuses("hashlens compare copy.jpg photos --max-distance -1", "max_distance")


@check("A5")
def _(desk, said):
    assert len(table(said[0])) == 1
    assert near(desk, 10)[0]["path"] in said[0]
    desk.refuses("hashlens compare copy.jpg photos --first", "first needs a max_distance")


@check("A6")
def _(desk, said):
    assert "0 is the most similar" in said[0]
    head, *lines = desk.shell("hashlens compare copy.jpg photos").splitlines()
    assert head.split() == ["distance", "metric", "bits", "path"]
    assert lines[1].split()[1:3] == ["hamming", "64"]


@check("A7")
def _(desk, said):
    groups = desk.json("hashlens duplicates photos")["dupes"]
    assert {"1.png", "1.bmp"} in [names(group["paths"]) for group in groups]
    assert all(len(group["paths"]) > 1 for group in groups)
    assert said[0] == desk.shell("hashlens duplicates photos")
    assert desk.json("hashlens duplicates photos/0.png")["dupes"] == []


@check("A8")
def _(desk, said):
    asked = imagehash.dhash(desk.image("copy.jpg"))
    for path, away in distances(said[0]).items():
        assert away == asked - imagehash.dhash(desk.image(path))
    for name, function in THEIRS.items():
        line = f"hashlens hash copy.jpg --algorithm {name} --grade exact --as-decoded"
        assert desk.shell(line).split()[0] == str(function(desk.image("copy.jpg")))
    desk.refuses("hashlens compare copy.jpg photos --algorithm ahash --algorithm dhash", "once")


@check("A9")
def _(desk, said):
    assert " 16 " in said[0]
    line = "hashlens compare copy.jpg photos --algorithm whash --set"
    desk.refuses(f"{line} binbits=3", "binbits")
    desk.refuses(f"{line} hash_size", "hash_size")
    desk.refuses(f"{line} hash_size=four", "hash_size")
    desk.refuses(f"{line} remove_max_haar_ll=no", "remove_max_haar_ll")


@check("A10")
def _(desk, said):
    assert len(table(said[0])) == READABLE
    line = "hashlens compare copy.jpg photos --algorithm"
    desk.refuses(f"{line} phash --set hash_size=1", "hash_size")
    desk.refuses(f"{line} whash --set hash_size=12", "hash_size must be a power of two")
    desk.refuses(f"{line} whash --set image_scale=100", "image_scale")
    desk.refuses(f"{line} whash --set image_scale=4", "image_scale must be at least hash_size")


@check("A11")
def _(desk, said):
    assert said[0] == desk.shell("hashlens compare copy.jpg photos --format text")
    desk.refuses("hashlens compare copy.jpg photos --format xml", "--format")
    odd = desk.path / "photos" / 'ü 日本\t\n".png'
    os.rename(desk.path / "photos" / "4.png", odd)
    found = desk.json("hashlens compare copy.jpg photos")
    assert str(odd) in [item["path"] for item in found["diffs"]]


@check("A12")
def _(desk, said):
    found = desk.json("hashlens compare copy.jpg photos")["diffs"]
    assert said[0] == "".join(f"{item['diff']}\t{item['path']}\n" for item in found)


@check("A13")
def _(desk, said):
    groups = desk.json("hashlens duplicates photos")["dupes"]
    lines = [line for g in groups for line in (g["image_hash"], *(f"\t{p}" for p in g["paths"]))]
    assert said[0].splitlines() == lines


@check("A14")
def _(desk, said):
    found = json.loads(said[0])
    assert set(found) == {"reference_path", "algorithm", "diffs", "metric", "bits", "skipped"}
    assert said[0].startswith('{\n  "reference_path": ')
    assert found["reference_path"] == str(desk.path / "copy.jpg")
    assert [set(item) for item in found["diffs"]] == [{"diff", "path"}] * READABLE
    assert all(type(item["diff"]) is int for item in found["diffs"])


@check("A15")
def _(desk, said):
    for text in said:
        found = json.loads(text)
        assert set(found) == {"algorithm", "dupes"}
        assert all(set(item) == {"image_hash", "paths"} for item in found["dupes"])
        assert {"1.png", "1.bmp"} in [names(group["paths"]) for group in found["dupes"]]
    assert desk.json("hashlens duplicates backup")["dupes"] == []


@check("A16")
def _(desk, said):
    assert said[0] == "no rows\n"
    desk.refuses("hashlens compare copy.jpg nowhere", "nowhere")
    assert watched(desk)[0] == 130


@check("A17")
def _(desk, said):
    assert len(list(csv.DictReader(io.StringIO(said[0])))) == READABLE
    assert run_apart("compare", "copy.jpg", "backup", cwd=desk.path).stderr == ""
    assert re.search(RATE, watched(desk)[1])


def watched(desk: Desk) -> tuple[int, str]:
    """Interrupt a long comparison as soon as it shows a bar; return exit code and bar."""
    many = desk.path / "many"
    many.mkdir()
    draw(1, (900, 900)).save(many / "0.bmp")
    for number in range(1, 5000):
        os.link(many / "0.bmp", many / f"{number}.bmp")
    with Watched("compare", "copy.jpg", "many", "--workers", "1", cwd=desk.path) as watched:
        watched.wait_for(RATE)
        watched.process.send_signal(signal.SIGINT)
        assert watched.process.communicate()[0] == ""
    return watched.process.returncode, watched.shown


@check("A18")
def _(desk, said):
    text = " ".join(said[0].split())
    for algorithm in ALGORITHMS:
        for parameter in algorithm.parameters:
            assert f"{parameter.name}={parameter.default} ({parameter.constraint})" in text
    assert said[1].startswith("hashlens, version ")
    desk.refuses("hashlens compare copy.jpg photos --treshold 3", "No such option")


@check("A19")
def _(desk, said):
    assert "7 spot.png" in said[0]
    assert "7 spot.png" not in said[1]


@check("A20")
def _(desk, said):
    kinds = [{Path(line).suffix for line in table(text)} for text in said]
    assert kinds == [{".png", ".bmp"}, {".png", ".bmp", ".jpg"}]
    (desk.path / "photos" / "cut.tga").write_bytes(b"never opened")
    found = desk.json("hashlens compare copy.jpg photos --only-popular-extensions")
    assert names([item["path"] for item in found["skipped"]]) == {"cut.jpg"}


@check("A21")
def _(desk, said):
    for workers in (1, 5):
        line = f"hashlens compare copy.jpg photos --workers {workers}"
        assert desk.shell(line) == said[0]


@check("A22")
def _(desk, said):
    assert len(table(said[0])) == READABLE
    line = "hashlens compare copy.jpg photos --algorithm dhash --set mode=db4"
    desk.refuses(line, "the difference hash has no parameter 'mode'")


@check("A23")
def _(desk, said):
    assert "pytest" in said[0]
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@check("A24")
def _(desk, said):
    assert [item["path"] for item in near(desk, 10)] == [
        row["path"] for row in said[0] if "distance" in row
    ]
    groups = desk.json("hashlens duplicates photos")["dupes"]
    found = [item for item in said[1] if isinstance(item, hashlens.Duplicates)]
    assert [list(item.paths) for item in found] == [group["paths"] for group in groups]
    assert inspect.isgenerator(hashlens.compare("copy.jpg", "photos"))
    assert inspect.isgenerator(hashlens.find_duplicates("photos"))


def groups_of(desk: Desk, options: str) -> list[set[str]]:
    """Return the paths of each group."""
    found = desk.json(f"hashlens groups {options}")["groups"]
    return [
        {group["keeper"]["path"], *(member["path"] for member in group["duplicates"])}
        for group in found
    ]


def steps(text: str) -> list[dict[str, Any]]:
    """Return the steps of a plan, without its head."""
    found = [json.loads(line) for line in text.splitlines()]
    return [step for step in found if "action" in step and "path" in step]


@check("B1")
def _(desk, said):
    assert steps((desk.path / "plan.jsonl").read_text())
    assert "0.png" in said[1]
    assert desk.image("map.png").size > (100, 100)
    desk.refuses("hashlens serch copy.jpg", "No such command")
    desk.refuses("hashlens search copy.jpg --images_path photos", "No such option")


@check("B2")
def _(desk, said):
    assert (desk.path / "new.index").is_dir()
    assert names(re.findall(r"[^,\n]+\.(?:png|jpg)", said[1])) >= FIRSTS


@check("B3")
def _(desk, said):
    assert f"indexed {READABLE - 1} of {READABLE} images" in said[0]  # without the BMP
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "PCX", "JPEG2000", "WEBP", "HEIF"):
        assert kind in said[1]


@check("B4")
def _(desk, said):
    found = desk.json("hashlens search copy.jpg --max-distance 8")
    assert names([match["path"] for match in found]) == FIRSTS
    assert [match["distance"] for match in found] == sorted(match["distance"] for match in found)
    assert len(table(said[0])) == len(FIRSTS)


@check("B5")
def _(desk, said):
    settings = desk.json("hashlens info --index new.index")
    assert (settings["algorithm"], settings["hash_size"]) == ("perceptual", 8)
    for name in ("average_hash", "dhash", "phash", "whash"):
        assert desk.shell(f"hashlens hash copy.jpg --algorithm {name.replace('_', '-')}")


@check("B6")
def _(desk, said):
    assert "packed codes" in said[0]
    asked = PerceptualHash()(desk.image("copy.jpg"))
    with hashlens.ImageIndex.open() as index:
        every = index.sql("select path, text from txtai where text is not null")
        expected = {row["path"] for row in every if distance(row["text"], asked) <= 8}
        line = "select path from txtai where distance(text, :q) <= 8"
        assert {row["path"] for row in index.sql(line, {"q": asked})} == expected


@check("B7")
def _(desk, said):
    vectors = {
        row["path"]: np.array([int(digit, 16) for digit in row["perceptual"]])
        for row in hashlens.hash_files(["photos", "copy.jpg"], extensions=["png", "bmp"])
    }
    asked = vectors[str(desk.path / "copy.jpg")]
    found = {
        1: {row["path"]: row["d"] for row in desk.json(ROWS["B7"].lines[0])},
        2: distances(said[1]),
        np.inf: distances(said[2]),
    }
    for order, away in found.items():
        for path in vectors.keys() - {str(desk.path / "copy.jpg")}:
            expected = np.linalg.norm(asked - vectors[path], order)
            assert away[path] == pytest.approx(expected, rel=1e-3)
    for name in ("l1", "mahalanobis"):
        desk.refuses(f"hashlens compare copy.jpg photos --metric {name}", "manhattan")


def distances(said: str) -> dict[str, float]:
    """Return the distances that `compare` prints, by path."""
    lines = [line.split(maxsplit=3) for line in table(said)]
    return {path: float(away) for away, _, _, path in lines}


@check("B8")
def _(desk, said):
    assert len(table(said[0])) == len(FIRSTS)
    assert len(table(desk.shell("hashlens search copy.jpg --limit 500"))) == READABLE + 2


@check("B9")
def _(desk, said):
    with hashlens.ImageIndex.open() as index, hashlens.ImageIndex.open("new.index") as new:
        query = "select path, text from txtai where path like '%photos%'"
        assert new.sql(query) == index.sql(query)


@check("B10")
def _(desk, said):
    groups = groups_of(desk, "--metric manhattan --max-distance 40 --linkage connected")
    assert FIRSTS in [names(paths) for paths in groups]
    assert len(set().union(*groups)) == sum(map(len, groups))
    assert desk.shell(ROWS["B10"].lines[0]) == said[0]


@check("B11")
def _(desk, said):
    moved = carried_out(desk, *ROWS["B11"].lines)
    assert moved
    assert all(name.startswith("removed/") for name in moved)
    saved = [name for name in desk.files() if name.startswith("saved/")]
    assert names(saved) >= FIRSTS


def carried_out(desk: Desk, plan: str, apply: str, undo: str) -> list[str]:
    """Check that a plan changes nothing, and is undone; carry it out, and return what is new.

    All three lines have been run once when this begins.
    """
    traces = ("plan.jsonl", "plan.journal.jsonl", "saved/")
    pristine = {
        str(path.relative_to(desk.path.parent / "kept")): path.read_bytes()
        for folder in ("photos", "backup")
        for path in (desk.path.parent / "kept" / folder).rglob("*")
        if path.is_file()
    }

    def now() -> dict[str, bytes]:
        return {
            name: data
            for name, data in desk.files().items()
            if name != "copy.jpg" and not name.startswith(traces) and data
        }

    assert now() == pristine
    for name in ("plan.jsonl", "plan.journal.jsonl"):
        (desk.path / name).unlink()
    shutil.rmtree(desk.path / "saved", ignore_errors=True)
    desk.shell(plan)
    assert now() == pristine
    desk.shell(apply)
    after = now()
    assert sorted(after.values()) == sorted(pristine.values())
    return [name for name in after if name not in pristine]


@check("B12")
def _(desk, said):
    found = list(csv.DictReader((desk.path / "plan.csv").read_text().splitlines()))
    assert {row["action"] for row in found} >= {"keep", "quarantine"}
    assert all(row["reason"] for row in found if row["action"] == "keep")


@check("B13")
def _(desk, said):
    planned, listed, index = said
    groups = json.loads(listed)["groups"]
    assert re.search(rf"groups +{len(groups)}\nkeep +{len(groups)}\nquarantine +\d+ files", planned)
    assert set(groups[0]) == {"group", "keeper", "reason", "diameter", "duplicates"}
    assert "images" in index


@check("B14")
def _(desk, said):
    assert desk.image("matches.png").size > (100, 100)
    assert "<html" in (desk.path / "report.html").read_text().lower()
    mosaics = list((desk.path / "mosaics").iterdir())
    assert len(mosaics) == len(groups_of(desk, "--max-distance 8 --verify"))
    assert all(min(desk.image(path).size) > 50 for path in mosaics)


@check("B15")
def _(desk, said):
    found = list(csv.DictReader((desk.path / "map.csv").read_text().splitlines()))
    assert {"x", "y", "path"} <= set(found[0])
    again = (desk.path / "map.csv").read_bytes()
    desk.shell(ROWS["B15"].lines[0])
    assert (desk.path / "map.csv").read_bytes() == again
    assert desk.image("map.png").size > (100, 100)


@check("B16")
def _(desk, said):
    assert names(distances(said[0])) == FIRSTS


@check("B17")
def _(desk, said):
    assert "Not for finding pictures of the same thing" in said[0]
    assert "at your own risk" in TEXT
    assert "Back up before deleting" in TEXT


@check("B18")
def _(desk, said):
    test, lint, clean, wheel = said
    assert "pytest" in test
    assert "ruff" in lint
    assert "mypy" in lint
    assert "rm -rf" in clean
    assert "pip wheel" in wheel


@check("B19")
def _(desk, said):
    assert desk.image("map.png").size > (100, 100)


@check("B20")
def _(desk, said):
    assert "packed codes" in said[0]


@check("C1")
def _(desk, said):
    info = desk.json("hashlens info --index new.index")
    assert (info["algorithm"], info["hash_size"]) == ("perceptual", 8)


@check("C2")
def _(desk, said):
    report, text = said
    assert (report.hashed, report.unchanged) == (0, READABLE + 1)
    pixels = np.asarray(desk.image("photos/0.png"))
    assert desk.python("index").fingerprint(pixels) == text
    (desk.path / "put-aside").mkdir()
    os.rename(desk.path / "photos" / "1.png", desk.path / "photos" / "5.png")
    assert desk.python("index").index([desk.path / "photos"], moved=True).moved == 1


@check("C3")
def _(desk, said):
    rows, records = said
    assert len(rows) == READABLE + 2
    assert {record["path"] for record in records} < {row["path"] for row in rows}


@check("C4")
def _(desk, said):
    assert said[0].split()[0] == str(imagehash.phash(desk.image("copy.jpg")))


@check("C5")
def _(desk, said):
    texts = said[0].split()[:6]
    assert texts[:2] == [
        PerceptualHash(name)(desk.image("copy.jpg")) for name in ("ahash", "phash")
    ]
    assert len(set(texts)) == 6
    assert re.fullmatch("[0-9a-f]+", said[1].split()[0])
    assert said == [desk.shell(line) for line in ROWS["C5"].lines]


@check("C6")
def _(desk, said):
    matrix, pairs = said
    rows = desk.python("index").sql("select path, text from txtai where text is not null")
    texts = {row["path"]: row["text"] for row in rows}
    assert matrix.shape == (len(texts), len(texts))
    for a in texts:
        for b in texts:
            assert matrix.loc[a, b] == distance(texts[a], texts[b])
    assert {(pair.first, pair.second) for pair in pairs} == {
        (a, b)
        for a in texts
        for b in texts
        if a < b and "red" not in a + b and distance(texts[a], texts[b]) <= 8
    }


@check("C7")
def _(desk, said):
    members = [member.path for group in said[0] for member in group.members]
    assert len(members) == len(set(members))
    assert {"1.png", "1.bmp"} in [names([m.path for m in g.members]) for g in said[0]]
    assert all(group.diameter == 0 and len(group.members) > 1 for group in said[0])


@check("C8")
def _(desk, said):
    burst = {"2.png", "2 2.png", "2 3.png"}
    assert burst in [names([m.path for m in group.members]) for group in said[0]]


@check("C9")
def _(desk, said):
    said[0].save("groups.png")
    assert desk.image("groups.png").size > (100, 100)


@check("C10")
def _(desk, said):
    assert desk.image("bits.png").size > (50, 50)
    desk.refuses("hashlens hash nowhere.png --draw bits.png", "nowhere.png")


@check("C11")
def _(desk, said):
    moved = carried_out(desk, *ROWS["C11"].lines)
    assert all(name.startswith("undouble/") for name in moved)
    assert {"0 small.png", "1.bmp"} <= names(moved)
    (kept,) = FIRSTS - names(moved)
    assert desk.image(next(desk.path.glob(f"photos/**/{kept}"))).size == (160, 120)


@check("C12")
def _(desk, said):
    assert "<html" in (desk.path / "report.html").read_text().lower()


@check("C13")
def _(desk, said):
    assert said[0] == hashlens.sharpness(desk.path / "copy.jpg")
    for path in (desk.path / "copy.jpg", *photos()):
        grey = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY)
        expected = cv2.Laplacian(grey, cv2.CV_64F).var()
        assert hashlens.sharpness(path) == pytest.approx(expected, rel=0.01)
    with pytest.raises(hashlens.ImageError):
        hashlens.sharpness(desk.path / "photos" / "cut.jpg")


@check("C14")
def _(desk, said):
    assert "demo.py" in said[0]


@check("C15")
def _(desk, said):
    assert said[0].images == READABLE


def test_the_steps_of_undouble_are_taken_one_after_the_other(desk, capsys):
    (text,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    before = desk.files()
    moved = []
    for statement in ast.parse(text).body:
        exec(compile(ast.Module([statement], []), "steps", "exec"), desk.names)  # noqa: S102
        moved.append(names([name for name in desk.files() if name.startswith("undouble/")]))
    assert len(FIRSTS & max(moved, key=len)) == len(FIRSTS) - 1
    assert moved[-1] == set()
    after = desk.files()
    assert {name: after[name] for name in before} == before
    assert "0 small.png" in capsys.readouterr().out
    assert desk.image("groups.png").size > (100, 100)
    assert desk.image("bits.png").size > (50, 50)
    desk.names.pop("index")


def resized(across: float, down: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.resize((round(image.width * across), round(image.height * down)))


CHANGES = {
    "half": resized(0.5, 0.5),
    "twice": resized(2, 2),
    "wider": resized(1.2, 1),
    "narrower": resized(0.8, 1),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "contrasty": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
}
PHOTOS = (
    "astronaut brick camera cell chelsea clock_motion coffee coins grass gravel ihc moon "
    "motorcycle_left page text"
)


def photos() -> list[Path]:
    """Return the photos that scikit-image ships."""
    folder = Path(skimage.__file__).parent / "data"
    return [folder / f"{name}.png" for name in PHOTOS.split()]


@pytest.mark.parametrize("algorithm", ["perceptual", "difference"])
def test_copies_that_differ_in_size_shape_or_light_are_at_most_10_bits_away(algorithm):
    """Row B16."""
    pictures = [Image.open(path).convert("RGB") for path in photos()]
    pictures += [draw(seed, (240, 180)) for seed in range(35)]
    hashed = PerceptualHash(algorithm)
    far = dict.fromkeys(CHANGES, 0)
    for picture in pictures:
        text = hashed(picture)
        for name, change in CHANGES.items():
            far[name] += distance(text, hashed(change(picture))) > 10
    assert sum(far.values()) <= 0.01 * len(pictures) * len(CHANGES), far
    texts = [hashed(picture) for picture in pictures]
    unlike = [distance(a, b) for n, a in enumerate(texts) for b in texts[:n]]
    assert sum(away <= 10 for away in unlike) <= 0.01 * len(unlike)


def kept_and_removed(folder: Path) -> tuple[int, int]:
    """Count what rows B7 and B10 keep and remove of a folder: phash, manhattan, at most 40."""
    with hashlens.ImageIndex.open("counted.index") as index:
        index.index([folder])
        found = index.groups(40, metric="manhattan", linkage="connected").groups
    return len(found), sum(len(group.duplicates) for group in found)


def test_chains_of_likenesses_are_one_group_as_in_the_example_of_the_original(
    tmp_path, monkeypatch
):
    """Four motifs in two folders, each photographed four times with the light going down."""
    monkeypatch.chdir(tmp_path)
    for folder in ("v1", "v2"):
        (tmp_path / "photos" / folder).mkdir(parents=True)
        for seed in range(4):
            for shot in range(4):
                darker = ImageEnhance.Brightness(draw(seed, (160, 120))).enhance(1 - 0.1 * shot)
                darker.save(tmp_path / "photos" / folder / f"{seed} {shot}.png")
    assert kept_and_removed(tmp_path / "photos") == (4, 28)
