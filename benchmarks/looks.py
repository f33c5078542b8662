"""Measure the second look: which copies pass, which other pictures are accepted, and its cost.

    python benchmarks/looks.py FOLDER [--photos 100]

Copies are made of photos of FOLDER. Other pictures are the pairs of these photos, as they are and
dark, these photos with captions, and drawn ones of one template: pages, shirts, receipts. Then the
photos and a copy of each are indexed, and grouping is timed with and without a look.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import combinations
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont
from results import Page, milliseconds, table

from hashlens import ImageIndex
from hashlens.images.look import Look
from hashlens.images.second_look import difference
from hashlens.images.walk import find_images

MOST_PAIRS = 2_000
NAMES = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana")


def encoded(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return the bytes of a file with a picture."""
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def resized(picture: Image.Image, share: float) -> Image.Image:
    """Return a picture with each side a share as long."""
    return picture.resize([max(1, round(side * share)) for side in picture.size])


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG 30": lambda picture: encoded(picture, quality=30),
    "JPEG 95": lambda picture: encoded(picture, quality=95),
    "WebP 50": lambda picture: encoded(picture, "WEBP", quality=50),
    "PNG": lambda picture: encoded(picture, "PNG"),
    "25 %": lambda picture: encoded(resized(picture, 0.25), quality=85),
    "60 %, JPEG 60": lambda picture: encoded(resized(picture, 0.6), quality=60),
    "brightness 0.7": lambda picture: encoded(ImageEnhance.Brightness(picture).enhance(0.7)),
    "brightness 1.3": lambda picture: encoded(ImageEnhance.Brightness(picture).enhance(1.3)),
    "contrast 0.7": lambda picture: encoded(ImageEnhance.Contrast(picture).enhance(0.7)),
    "contrast 1.3": lambda picture: encoded(ImageEnhance.Contrast(picture).enhance(1.3)),
}


def page(number: int, of: random.Random, width: int) -> Image.Image:
    """Draw an invoice: its number, a name and amounts tell it from others."""
    picture = Image.new("RGB", (width, width * 7 // 5), "white")
    pen, size = ImageDraw.Draw(picture), width // 40
    lines = [f"Invoice {10_000 + number}", of.choice(NAMES), "", "Paper", "Ink", "Total"]
    for line, text in enumerate(lines):
        amount = f"{of.randint(1, 999)}.{of.randint(0, 99):02}" if line > 2 else ""
        font = ImageFont.load_default(size)
        pen.text((width // 10, (4 + 2 * line) * size), f"{text} {amount}", "black", font)
    return picture


def shirt(color: tuple[int, int, int], width: int) -> Image.Image:
    """Draw a shirt: its colour tells it from others."""
    picture = Image.new("RGB", (width, width), "white")
    ends = [(width * x // 10, width * y // 10) for x, y in ((2, 1), (8, 1), (9, 9), (1, 9))]
    ImageDraw.Draw(picture).polygon(ends, color)
    return picture


def captioned(path: str, text: str) -> bytes:
    """Return a photo with a caption that is 5 % of its height."""
    picture = Image.open(path).convert("RGB")
    font = ImageFont.load_default(max(8, picture.height // 20))
    place = picture.width // 10, picture.height * 8 // 10
    ImageDraw.Draw(picture).text(place, text, "white", font, stroke_width=1, stroke_fill="black")
    return encoded(picture, quality=90)


def receipt(total: str, height: int) -> Image.Image:
    """Draw a receipt 600 pixels wide: one line tells it from others."""
    picture = Image.new("RGB", (600, height), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(22)
    for number, top in enumerate(range(40, height - 60, 44)):
        text = f"Total {total}" if number == 20 else f"Item {number} {number * 7919 % 1000}"
        pen.text((40, top), text, "black", font)
    return picture


def shaded(number: int) -> Image.Image:
    """Draw an invoice with shade on it from the left to the right, as in a photo of it."""
    picture = page(number, random.Random(3), 900)
    shade = Image.linear_gradient("L").rotate(90).resize(picture.size)
    light = shade.point(lambda tone: 140 + tone * 100 // 255)
    return ImageChops.multiply(picture, Image.merge("RGB", [light] * 3))


def drawn() -> Iterator[tuple[str, list[bytes]]]:
    """Yield kinds of drawn pictures, none of which shows what another one shows."""
    darks = [(25, 25, 27), (55, 56, 58), (28, 32, 58), (78, 55, 40), (80, 82, 50)]
    yield "dark shirts", [encoded(shirt(color, 800), quality=90) for color in darks]
    totals = ("120.50", "120.90", "738.11")
    yield "receipts, 600x6000 px", [encoded(receipt(total, 6000)) for total in totals]
    numbers = (10_001, 10_007, 10_101, 10_070)
    yield "pages with shade", [encoded(shaded(number), quality=88) for number in numbers]
    pages = [page(number, random.Random(number), 900) for number in range(5)]
    cover = page(0, random.Random(9), 900)
    documents = [encoded(cover, "TIFF", save_all=True, append_images=[one]) for one in pages]
    yield "documents with one cover", documents


def others(files: list[str]) -> Iterator[tuple[str, list[tuple[object, object]]]]:
    """Yield kinds of pairs that do not show the same picture."""
    pairs = list(combinations(files, 2))
    yield "photos", random.Random(1).sample(pairs, min(MOST_PAIRS, len(pairs)))
    texts = ("Happy birthday Ada", "See you on Monday", "Lisbon, June 2019")
    captions = [[captioned(path, text) for text in texts] for path in files[:20]]
    yield "captions", [pair for some in captions for pair in combinations(some, 2)]
    for share in (0.05, 0.1, 0.2):
        pictures = [Image.open(path).convert("RGB") for path in files[:20]]
        dark = [encoded(ImageEnhance.Brightness(each).enhance(share)) for each in pictures]
        yield f"photos at {share:.0%} brightness", list(combinations(dark, 2))
    for name, pictures in drawn():
        yield name, list(combinations(pictures, 2))
    colors = [(180, 40, 40), (40, 60, 180), (20, 110, 40), (120, 40, 140), (150, 25, 25)]
    for width in (400, 1000, 2000):
        for kind in ("PNG", "JPEG"):
            of = random.Random(2)
            pages = [encoded(page(number, of, width), kind) for number in range(6)]
            yield f"invoices, {width} px, {kind}", list(combinations(pages, 2))
            shirts = [encoded(shirt(color, width), kind) for color in colors]
            yield f"shirts, {width} px, {kind}", list(combinations(shirts, 2))


def timed(pairs: Iterable[tuple[object, object]]) -> tuple[list[str], float]:
    """Return the reasons for some pairs, and the seconds of each."""
    asked = list(pairs)
    began = time.perf_counter()
    found = [difference(Look(one), Look(other)) for one, other in asked]  # type: ignore[arg-type]
    return found, (time.perf_counter() - began) / len(asked)


def copied(files: list[str], sheet: Page) -> None:
    """Publish how many copies of each kind pass."""
    rows, right, count = [], 0, 0
    for name, copy in COPIES.items():
        pairs = [(path, copy(Image.open(path).convert("RGB"))) for path in files]
        found, seconds = timed(pairs)
        same = found.count("")
        right, count = right + same, count + len(found)
        rows.append((name, f"{same} of {len(found)}", milliseconds(seconds)))
    text = table(("copy", "same", "ms a pair"), rows)
    sheet.publish("Copies that pass", text, f"{100 * right / count:.1f} % of {count:,} copies pass")


def parted(files: list[str], sheet: Page) -> None:
    """Publish how many pairs of other pictures are accepted."""
    rows, wrong, count = [], 0, 0
    for name, pairs in others(files):
        found, seconds = timed(pairs)
        wrong, count = wrong + found.count(""), count + len(found)
        rows.append((name, f"{found.count('')} of {len(found)}", milliseconds(seconds)))
    text = table(("pairs of", "accepted", "ms a pair"), rows)
    sheet.publish("Other pictures", text, f"{wrong} of {count:,} other pairs are accepted")


def grouped(files: list[str], sheet: Page) -> None:
    """Publish the time of grouping with and without a look."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "pictures")
        folder.mkdir()
        for number, path in enumerate(files):
            picture = Image.open(path).convert("RGB")
            (folder / f"{number}.jpg").write_bytes(encoded(picture, quality=95))
            (folder / f"{number}-copy.jpg").write_bytes(encoded(picture, quality=60))
        with ImageIndex.open(Path(name, "index")) as index:
            index.index([folder])
            rows, spent = [], []
            for verify in (False, True, False, True):
                began = time.perf_counter()
                count = len(index.groups(8, verify=verify))
                spent.append(time.perf_counter() - began)
                rows.append(("yes" if verify else "no", count, milliseconds(spent[-1])))
    text = table(("look", "groups", "ms"), rows)
    each = milliseconds((spent[3] - spent[2]) / count)
    sheet.publish("Groups with a look", text, f"{each} ms of each pair are its look")


def main() -> None:
    """Measure on the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--dry", action="store_true", help="print only")
    given = parser.parse_args()
    files = [str(path) for path in sorted(find_images([given.folder]))][: given.photos]
    sheet = Page("looks", f"python benchmarks/looks.py FOLDER --photos {len(files)}", given.dry)
    timed([(files[0], files[0])])  # imports
    copied(files, sheet)
    parted(files, sheet)
    grouped(files, sheet)


if __name__ == "__main__":
    main()
