"""Measure the HTML report: how long it takes to write, how large it is, how soon it opens.

    python benchmarks/report.py PHOTOS [--groups N ...] [--home FOLDER] [--dry]

PHOTOS holds photos. Each group has a photo and two copies of it, smaller and re-encoded, in files
of their own; the photos are taken again and again, each time from another part of them. The report
is opened in headless Chromium, which must be installed, through Playwright, which is installed into
a virtual environment of its own in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from results import record

from hashlens.model import Group, Member
from hashlens.report.contact_sheet import save_html

TITLE = "The HTML report"
COMMAND = "python benchmarks/report.py PHOTOS"
GROUPS = (1_000, 10_000)
ROUNDS = 5

# Prints, for each opening, milliseconds since the navigation began: when groups are in the page,
# when their pictures are decoded and the frame is painted; then how long a turn of the page and a
# filter take; and all addresses that were asked for.
OPEN = """
import json, sys
from playwright.sync_api import sync_playwright

chromium, address, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
WATCH = '''
new MutationObserver((_, watch) => {
  if (!document.querySelector('.card')) return;
  watch.disconnect();
  window.built = performance.now();
  Promise.all([...document.images].map((image) => image.decode())).then(() =>
    requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); })));
}).observe(document, { childList: true, subtree: true });
'''
STEP = '''
(step) => new Promise((done) => {
  const began = performance.now();
  step(); requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})
'''
TURN = f"({STEP})(() => document.getElementById('next').click())"
FILTER = f"({STEP})(() => {{ const f = document.getElementById('filter'); " \\
    "f.value = 'copy-7'; f.dispatchEvent(new Event('input')); })"
flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
found = {"opened": [], "asked": [], "said": []}
with sync_playwright() as playwright:
    for _ in range(rounds):
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.on("request", lambda asked: found["asked"].append(asked.url))
        page.on("console", lambda message: found["said"].append(message.text))
        page.on("pageerror", lambda error: found["said"].append(str(error)))
        page.add_init_script(WATCH)
        page.goto(address)
        page.wait_for_function("window.painted")
        times = page.evaluate("[window.built, window.painted]")
        found["opened"].append([*times, page.evaluate(TURN), page.evaluate(FILTER)])
        browser.close()
found["asked"] = [url for url in found["asked"] if not url.startswith("data:")]
print(json.dumps(found))
"""


def copies(photos: list[Path], count: int, folder: Path) -> list[list[Path]]:
    """Write so many photos with two copies of each."""
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
    """Return an image of a group, with what a row of an index says of it."""
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
    """Return the interpreter of an environment with Playwright, made if need be."""
    python = home / "playwright" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home / "playwright"], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "playwright"], check=True)
    return python


def opened(python: Path, chromium: str, page: Path, rounds: int) -> list[float]:
    """Open a report several times; return the medians of what OPEN measures, in seconds."""
    run = subprocess.run(
        [python, "-c", OPEN, chromium, page.as_uri(), str(rounds)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout)
    assert set(found["asked"]) == {page.as_uri()}, "the report asks for something else"
    assert not found["said"], found["said"]
    return [sorted(times)[rounds // 2] / 1000 for times in zip(*found["opened"], strict=True)]


def measured(count: int, photos: list[Path], folder: Path, python: Path, chromium: str) -> str:
    """Write and open a report of so many groups; return its line of the table."""
    groups = [
        grouped(paths, number)
        for number, paths in enumerate(copies(photos, count, folder / str(count)))
    ]
    page = folder / f"{count}.html"
    began = time.perf_counter()
    skipped = save_html(page, groups, facts={"max distance": 8})
    written = time.perf_counter() - began
    assert not skipped, skipped[:3]
    shutil.rmtree(folder / str(count))
    times = opened(python, chromium, page, ROUNDS)
    images = sum(len(group.members) for group in groups)
    size = page.stat().st_size / 1e6
    cells = [f"{count:,}", f"{images:,}", f"{written:.1f}", f"{size:.1f}"]
    return f"| {' | '.join(cells + [f'{seconds:.2f}' for seconds in times])} |"


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--groups", type=int, nargs="+", default=GROUPS)
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "report-bench")
    parser.add_argument("--dry", action="store_true", help="print the figures, record none")
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
    text = "\n".join(
        [
            f"Groups of three images each, of {len(photos)} photos, thumbnails and sharpness from "
            f"the files; headless Chromium, {ROUNDS} openings, medians of the seconds.",
            "",
            "| groups | images | written in s | MB | groups in the page s | painted s | "
            "page turned s | filtered s |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    if asked.dry or tuple(asked.groups) != GROUPS:
        print(text)
    else:
        record(TITLE, COMMAND, text)


if __name__ == "__main__":
    main()
