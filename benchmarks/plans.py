"""Measure the default plan: which copies it takes, and which other files it would put aside.

    python benchmarks/plans.py FOLDER [--copies N] [--only HASH …] [--dry]

FOLDER holds photos of different scenes. Copies of some are re-encoded, smaller, brighter, sent
through a chat twice, or turned by EXIF. Pages, invoices of two templates, captions on two photos
and T-shirts in several colours are drawn; no two of them show the same. Each hash has an index of
the photos and copies, and an index of the photos and all that is drawn.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from time import perf_counter

from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from results import Page, load, table
from runs import options

from hashlens import ImageIndex

COMMAND = "python benchmarks/plans.py FOLDER"
ALGORITHMS = ("perceptual", "difference", "average", "wavelet")
SIZES = (8, 16)
KINDS = ("JPEG 40", "half the size", "25 % brighter", "chat", "EXIF turn")
SIDE = 1280  # pixels, of a chat
COLORS = ((200, 30, 30), (30, 60, 200), (20, 140, 50), (20, 20, 20), (240, 240, 240))


def write_copy(source: Path, kind: str, target: Path) -> None:
    """Write a copy of a photo, of a kind."""
    picture = Image.open(source).convert("RGB")
    if kind == "JPEG 40":
        picture.save(target, quality=40)
    elif kind == "half the size":
        picture.resize((picture.width // 2, picture.height // 2)).save(target, quality=90)
    elif kind == "25 % brighter":
        ImageEnhance.Brightness(picture).enhance(1.25).save(target, quality=90)
    elif kind == "chat":
        for quality in (75, 70):
            picture.thumbnail((SIDE, SIDE))
            file = BytesIO()
            picture.save(file, "JPEG", quality=quality)
            picture = Image.open(file).convert("RGB")
        picture.save(target, quality=80)
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = picture.transpose(Image.Transpose.ROTATE_90)
        turned.save(target, quality=92, exif=exif)


def drawn(photos: list[Path]) -> Iterator[tuple[str, Image.Image]]:
    """Yield kind and picture: no two pictures show the same."""
    of = random.Random(11)
    words = ["".join(of.choices("abcdefghijklmnop", k=of.randint(2, 9))) for _ in range(3_000)]

    def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size)

    for _ in range(60):
        picture = Image.new("RGB", (850, 1200), "white")
        pen = ImageDraw.Draw(picture)
        for line in range(38):
            text = " ".join(of.choices(words, k=11))[:66]
            pen.text((80, 80 + 28 * line), text, (25, 25, 25), font(20))
        yield "page", picture
    for number in range(40):
        picture = Image.new("RGB", (800, 1130), "white")
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, 0, 800, 90), ((30, 60, 120), (200, 80, 20))[number % 2])
        pen.text((40, 25), ("ACME", "Northwind")[number % 2], "white", font(32))
        pen.text((40, 150), f"Invoice {of.randint(10_000, 99_999)}", "black", font(18))
        pen.text((40, 190), " ".join(of.choices(words, k=2)), "black", font(18))
        for line in range(6):
            pen.text((40, 320 + 40 * line), of.choice(words), "black", font(18))
            amount = f"{of.randint(100, 99_999) / 100:9.2f}"
            pen.text((620, 320 + 40 * line), amount, "black", font(18))
        yield "invoice", picture
    for number in range(40):
        picture = Image.open(photos[number % 2]).convert("RGB").resize((720, 480))
        pen = ImageDraw.Draw(picture)
        for top in (20, 410):
            text = " ".join(of.choices(words, k=3)).upper()
            pen.text((360, top), text, "white", font(40), "ma", stroke_width=3, stroke_fill="black")
        yield "caption", picture
    ends = [(120, 90), (220, 60), (380, 60), (480, 90), (560, 220), (470, 260), (450, 560)]
    ends += [(150, 560), (130, 260), (40, 220)]
    for color in COLORS:
        picture = Image.new("RGB", (600, 600), "white")
        ImageDraw.Draw(picture).polygon(ends, color, (90, 90, 90))
        yield "shirt", picture


def planned(files: list[Path], settings: dict[str, object]) -> tuple[list[list[str]], str, str]:
    """Return the paths of each group of the default plan, its bound, and its seconds."""
    with tempfile.TemporaryDirectory() as where, ImageIndex.open(where, **settings) as index:
        index.index(files)
        began = perf_counter()
        groups = index.groups(verify=True)
        plan = groups.plan("quarantine", to=f"{where}-none")
        found: dict[int, list[str]] = {}
        for step in plan.steps:
            if step.action in ("keep", "quarantine"):
                found.setdefault(step.group, []).append(step.path)
        return list(found.values()), f"{groups.max_distance:g}", f"{perf_counter() - began:.1f}"


def main() -> None:
    """Measure on the folder given."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--copies", type=int, default=250)
    parser.add_argument("--only", nargs="*", default=(), help="hashes, such as perceptual-8")
    asked = parser.parse_args()
    photos = sorted(path.absolute() for path in asked.folder.rglob("*") if path.is_file())
    rows = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        source_of = {str(path): str(path) for path in photos}
        copies = []
        for number, path in enumerate(random.Random(3).sample(photos, asked.copies)):
            copies.append(home / f"copy{number}.jpg")
            write_copy(path, KINDS[number % len(KINDS)], copies[-1])
            source_of[str(copies[-1])] = str(path)
        others = []
        for number, (kind, picture) in enumerate(drawn(photos[7::92])):
            others.append(home / f"{kind}{number}.{('png', 'jpg', 'webp')[number % 3]}")
            picture.save(others[-1], quality=85)
        for algorithm in ALGORITHMS:
            for size in SIZES:
                if asked.only and f"{algorithm}-{size}" not in asked.only:
                    continue
                settings = {"algorithm": algorithm, "hash_size": size}
                groups, bound, seconds = planned([*photos, *copies], settings)
                right = wrong = 0
                for paths in groups:
                    shown = {source_of[path] for path in paths}
                    wrong += len(shown) - 1
                    right += (len(paths) - 1) if len(shown) == 1 else 0
                mixed, mixed_bound, mixed_seconds = planned([*photos, *others], settings)
                away = sum(len(paths) - 1 for paths in mixed)
                taken = f"{right} of {len(copies)}", wrong, seconds
                put_aside = f"{away} of {len(photos) + len(others)}"
                unlike = mixed_bound, put_aside, mixed_seconds
                rows.append((f"{algorithm} {size}", bound, *taken, *unlike))
                print(rows[-1], flush=True)
    head = ("hash", "bound", "copies taken", "other photos taken", "s")
    head += ("bound with drawn files", "put aside", "s")
    what = f"{len(photos):,} photos with {len(copies)} copies ({', '.join(KINDS)}); and"
    text = f"{what} {len(photos):,} photos with {len(others)} drawn files, where nothing is to be"
    text += f" put aside. A second look, as is the default. Load: {load()}."
    first = rows[0]
    short = f"{first[0]}: {first[2]} copies, {first[3]} other photos, {first[6]} unlike files"
    Page("plans", COMMAND, asked.dry).publish(
        "Default plan", f"{text}\n\n{table(head, rows)}", short
    )


if __name__ == "__main__":
    main()
