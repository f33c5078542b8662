"""Measure the HTML report: how long writing takes, how large it is, how soon it opens.

    python benchmarks/report.py PHOTOS [--groups N ...] [--home FOLDER] [--dry]

PHOTOS holds photos. Each group has a photo and two copies of it, smaller and re-encoded, in three
files. The photos are used again and again, each time another part of them. Headless Chromium, which
must be installed, opens the report. Playwright is installed into a virtual environment in FOLDER.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from results import Page, table
from runs import options
from timing import last_json, output, program, timed

from hashlens.model import Group, Member
from hashlens.report.contact_sheet import save_html

COMMAND = "python benchmarks/report.py PHOTOS"
GROUPS = (1_000, 10_000)
ROUNDS = 5


def copies(photos: list[Path], count: int, folder: Path) -> list[list[Path]]:
    """Write `count` photos with two copies of each."""
    folder.mkdir()
    groups = []
    for number in range(count):
        image = Image.open(photos[number % len(photos)]).convert("RGB")
        shift = number // len(photos)  # pixels: no two groups have the same file
        image = image.crop((shift, shift, image.width, image.height))
        paths = [folder / f"{number:05d}{name}.jpg" for name in ("", "-copy-small", "-copy")]
        image.save(paths[0], quality=90)
        image.resize((image.width // 2, image.height // 2)).save(paths[1], quality=85)
        image.save(paths[2], quality=60)
        groups.append(paths)
    return groups


def member(path: Path, distance: int) -> Member:
    """Return an image of a group, with the columns of a row of an index."""
    with Image.open(path) as image:
        width, height = image.size
    size = path.stat().st_size
    return Member(str(path), str(path), "", distance, width, height, size, format="JPEG")


def grouped(paths: list[Path], number: int) -> Group:
    """Return a group of a photo and its copies."""
    far = number % 9
    members = [member(path, place and far) for place, path in enumerate(paths)]
    return Group(tuple(members), far, "most pixels")


def python_of(home: Path) -> Path:
    """Return the interpreter of an environment with Playwright; make it if needed."""
    python = home / "playwright" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home / "playwright"], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "playwright"], check=True)
    return python


def opened(python: Path, chromium: str, page: Path, rounds: int) -> list[float]:
    """Open a report several times; return the medians of programs/open_report.py, in seconds."""
    arguments = (chromium, page.as_uri(), rounds)
    found = last_json(output(program("open_report", *arguments, python=python)))
    assert set(found["asked"]) == {page.as_uri()}, "the report asks for something else"
    assert not found["said"], found["said"]
    return [sorted(times)[rounds // 2] / 1000 for times in zip(*found["opened"], strict=True)]


def measured(
    count: int, photos: list[Path], folder: Path, python: Path, chromium: str
) -> tuple[str, ...]:
    """Write and open a report of `count` groups; return its row of the table."""
    groups = [
        grouped(paths, number)
        for number, paths in enumerate(copies(photos, count, folder / str(count)))
    ]
    page = folder / f"{count}.html"
    written, skipped = timed(lambda: save_html(page, groups, facts={"max distance": 8}))
    assert not skipped, skipped[:3]
    shutil.rmtree(folder / str(count))
    times = opened(python, chromium, page, ROUNDS)
    images = sum(len(group.members) for group in groups)
    size = page.stat().st_size / 1e6
    cells = (f"{count:,}", f"{images:,}", f"{written:.1f}", f"{size:.1f}")
    return (*cells, *(f"{seconds:.2f}" for seconds in times))


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("photos", type=Path, help="photos")
    parser.add_argument("--groups", type=int, nargs="+", default=GROUPS, help="numbers of groups")
    parser.add_argument(
        "--home",
        type=Path,
        default=Path(tempfile.gettempdir()) / "report-bench",
        help="the environment of Playwright",
    )
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is needed: apt-get install chromium")
    photos = sorted(asked.photos.rglob("*.jpg"))
    if not photos:
        sys.exit(f"no .jpg files are below {asked.photos}")
    python = python_of(asked.home)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(n, photos, Path(folder), python, chromium) for n in asked.groups]
    text = (
        f"Groups of three images each, of {len(photos)} photos, thumbnails and sharpness from "
        f"the files; headless Chromium, {ROUNDS} openings, medians of the seconds."
    )
    head = (
        *("groups", "images", "written in s", "MB", "groups in the page s", "painted s"),
        *("page turned s", "filtered s"),
    )
    groups, _, seconds, _, _, painted, *_ = rows[-1]
    page = Page("report", COMMAND, asked.dry or tuple(asked.groups) != GROUPS)
    page.publish(
        "Writing and opening",
        f"{text}\n\n{table(head, rows)}",
        f"{groups} groups: written in {seconds} s, painted after {painted} s",
    )


if __name__ == "__main__":
    main()
