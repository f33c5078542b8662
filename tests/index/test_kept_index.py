"""Indexes that were made by an earlier release are opened, searched and updated."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drawing import draw
from hashlens import ImageIndex

DATA = Path(__file__).parent.parent / "data"
SIZE = (384, 256)  # of the six pictures that were indexed: draw(0) to draw(5), as /photos/N.png


@pytest.fixture(params=["sqlite", "duckdb"])
def kept(request, tmp_path):
    """The directory of an index that hashlens 0.1.0 made, with crops and thumbnails."""
    shutil.unpack_archive(DATA / f"index-0.1.0-{request.param}.zip", tmp_path / "index")
    return tmp_path / "index"


def test_is_searched_by_hash_by_picture_and_by_crop(kept):
    with ImageIndex.open(kept) as index:
        rows = index.sql("select path, text, color, width, pixel_digest, object from txtai")
        assert [row["path"] for row in rows] == [f"/photos/{seed}.png" for seed in range(6)]
        for seed, row in enumerate(rows):
            assert row["text"] == index.fingerprint(draw(seed, SIZE))
            assert row["color"] == index.fingerprint(draw(seed, SIZE), "color")
            assert (row["width"], row["object"].width) == (384, 160)
            assert len(row["pixel_digest"]) == 64
        near = "select path, distance(text, :q) d from txtai order by d, path"
        assert index.sql(near, {"q": rows[4]["text"]})[0] == {"path": "/photos/4.png", "d": 0}
        assert index.search(draw(2, SIZE).resize((300, 200)))[0].path == "/photos/2.png"
        match = index.search(draw(3, SIZE).crop((60, 40, 260, 200)))[0]
        assert (match.path, match.stage) == ("/photos/3.png", "crop")
        assert match.box == pytest.approx((60, 40, 260, 200), abs=4)


def test_is_updated_and_opened_again(kept, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    draw(6, SIZE).save(folder / "6.png")
    with ImageIndex.open(kept) as index:
        report = index.index([folder])
        assert (report.hashed, report.removed) == (1, 0)
        assert index.delete("/photos/0.png") == ["/photos/0.png"]
    with ImageIndex.open(kept) as index:
        paths = {row["path"] for row in index.sql("select path from txtai")}
        assert paths == {f"/photos/{seed}.png" for seed in range(1, 6)} | {str(folder / "6.png")}
        for seed in (5, 6):
            match = index.search(draw(seed, SIZE).crop((60, 40, 260, 200)))[0]
            assert (Path(match.path).name, match.stage) == (f"{seed}.png", "crop")


STOCK = """
import sys
from txtai import Embeddings
index = Embeddings().load(sys.argv[1])
near = "select path, distance(text, :q) d from txtai order by distance(text, :q) limit 1"
print(index.search(near, parameters={"q": sys.argv[2]})[0])
"""


@pytest.mark.slow  # torch is imported
def test_is_opened_by_txtai_itself(kept):
    with ImageIndex.open(kept) as index:
        code = index.fingerprint(draw(1, SIZE))
    command = [sys.executable, "-c", STOCK, kept, code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'path': '/photos/1.png', 'd': 0}"
