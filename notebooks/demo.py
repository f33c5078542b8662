"""The main job, shown: photos in, SQL answers out. `make demo` runs this."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import photos
from PIL import Image

from hashlens import ImageIndex

HOME = Path("demo")
INDEX = HOME / "index"


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

    title("Groups of files with one and the same hash")
    run("duplicates", "--index", INDEX)

    title("How far a whole-image hash carries when the picture is cropped")
    crops()

    contact_sheet(query, HOME / "contact-sheet.jpg")


def crops() -> None:
    """Count how often each crop finds its source first among the originals."""
    images = photos.originals()
    with ImageIndex.open(HOME / "originals") as index:
        index.index(HOME / "photos" / f"{name}.jpg" for name in images)
        print("\n  area kept   source found first")
        for area in (0.95, 0.9, 0.8, 0.7, 0.5, 0.3):
            found = sum(
                Path(index.search(photos.crop(image, area), limit=1)[0].path).stem == name
                for name, image in images.items()
            )
            print(f"  {area:9.0%}   {found:2} of {len(images)}")
    print("\n  Small crops need another kind of code than one hash for the whole picture.")


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
