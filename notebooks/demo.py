"""The main job, shown: photos in, SQL answers out. `make demo` runs this."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import photos
from PIL import Image

from hashlens import ImageIndex, Match

HOME = Path("demo")
INDEX = HOME / "index"
CROPS = HOME / "crops"


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}")


def run(*arguments: object) -> None:
    """Show a command, and run it."""
    words = ["hashlens", *map(str, arguments)]
    print(f"\n$ {shlex.join(words)}\n", flush=True)
    command = [str(Path(sys.executable).with_name("hashlens")), *words[1:]]
    subprocess.run(command, check=True)


def main() -> None:
    """Run the demo."""
    count = len(photos.write(HOME / "photos"))
    title(f"{len(photos.NAMES)} real photos and {count - len(photos.NAMES)} copies made of them")
    run("index", HOME / "photos", "--index", INDEX)

    title("A copy that is not in the index: re-encoded, half the size, brighter")
    query = HOME / "query.jpg"
    photos.brighter(photos.smaller(photos.originals()["chelsea"])).save(query, quality=40)
    run("search", query, "--index", INDEX, "--limit", 6)

    title("The same question in SQL, on a normal txtai index; :q is the hash of the file")
    sql = (
        "select path, text as hash, distance(text, :q) as bits from txtai "
        "where distance(text, :q) <= 12 order by distance(text, :q), path"
    )
    run("sql", sql, "--index", INDEX, "--param", f"q=@{query}")

    title("Groups of pictures that look the same, which of each is kept, and why")
    run("groups", "--index", INDEX, "--max-distance", 8)

    title("The groups to look at, a plan, the doing, and the way back")
    sheet, plan = HOME / "report.html", HOME / "plan.jsonl"
    journal = plan.with_suffix(".journal.jsonl")
    for old in (plan, journal):
        old.unlink(missing_ok=True)
    same = ("--index", INDEX, "--max-distance", 8)
    run("report", *same, "--html", sheet)
    run("plan", *same, "--action", "quarantine", "--to", HOME / "aside", "--out", plan)
    run("apply", plan)
    run("undo", journal)

    title("A piece of a photo, resized and compressed: found, and where it lies")
    piece = HOME / "piece.jpg"
    photos.smaller(photos.originals()["coffee"].crop((230, 60, 470, 250))).save(piece, quality=60)
    run("index", HOME / "photos", "--index", CROPS, "--crops")
    drawn = HOME / "piece-found.jpg"
    run("search", piece, "--index", CROPS, "--max-distance", 4, "--draw", drawn)

    title("How far a whole-image hash carries when the picture is cropped, and keypoints")
    crops()

    contact_sheet(query, HOME / "contact-sheet.jpg")


def crops() -> None:
    """Count how often each crop finds its source, by hash and by keypoints."""
    images = photos.originals()
    with ImageIndex.open(HOME / "originals", keypoints=200) as index:
        index.index(HOME / "photos" / f"{name}.jpg" for name in images)
        print("\n  area kept   nearest by hash   found by keypoints")
        for area in (0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.2):
            nearest = located = 0
            for name, image in images.items():
                part = photos.crop(image, area)
                nearest += _source(index.search(part, limit=1, crops=False)[0]) == name
                best = index.search(part, limit=1)[0]
                located += best.stage != "nearest" and _source(best) == name
            print(f"  {area:9.0%}   {nearest:8} of {len(images)}   {located:11} of {len(images)}")


def _source(match: Match) -> str:
    return Path(match.path).stem


def contact_sheet(query: Path, path: Path) -> None:
    """Draw the query and its matches side by side."""
    with ImageIndex.open(INDEX, create=False) as index:
        matches = index.search(query, limit=7)
        cells = [(Image.open(query), "query")]
        cells += [(Image.open(m.path), f"{m.distance} bits: {Path(m.path).name}") for m in matches]
    photos.sheet(cells).save(path, quality=90)
    title(f"The query and its matches, side by side: {path}")


if __name__ == "__main__":
    main()
