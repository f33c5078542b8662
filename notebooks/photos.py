"""Real photos to play with: those that scikit-image ships, and near-duplicates made of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import skimage
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

NAMES = [
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
]
CELL = 200


def originals() -> dict[str, Image.Image]:
    """Open the photos, by name."""
    folder = Path(skimage.__file__).parent / "data"
    return {Path(name).stem: Image.open(folder / name).convert("RGB") for name in NAMES}


def smaller(image: Image.Image) -> Image.Image:
    """Halve the sides."""
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def brighter(image: Image.Image) -> Image.Image:
    """Raise the brightness by a fifth."""
    return ImageEnhance.Brightness(image).enhance(1.2)


def crop(image: Image.Image, area: float) -> Image.Image:
    """Keep the middle of an image, a share of its area."""
    side = area**0.5
    left, top = image.width * (1 - side) / 2, image.height * (1 - side) / 2
    return image.crop(
        (round(left), round(top), round(image.width - left), round(image.height - top))
    )


def write(folder: Path) -> list[Path]:
    """Write the originals and copies of some, re-encoded, smaller, brighter, and cropped."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in originals().items():
        image.save(folder / f"{name}.jpg", quality=92)
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        image = Image.open(folder / f"{name}.jpg")
        image.save(folder / f"{name}-reencoded.jpg", quality=30)
        smaller(image).save(folder / f"{name}-half.png")
        brighter(image).save(folder / f"{name}-brighter.webp", quality=80)
        image.filter(ImageFilter.GaussianBlur(2)).save(folder / f"{name}-blurred.jpg")
        crop(image, 0.9).save(folder / f"{name}-crop90.jpg", quality=90)
        crop(image, 0.5).save(folder / f"{name}-crop50.jpg", quality=90)
    return sorted(folder.iterdir())


def sheet(pictures: Iterable[tuple[Image.Image, str]], columns: int = 4) -> Image.Image:
    """Lay pictures out side by side, each with a line of text below."""
    cells = list(pictures)
    rows = -(-len(cells) // columns)
    page = Image.new("RGB", (columns * CELL, rows * (CELL + 20)), "white")
    draw = ImageDraw.Draw(page)
    for number, (picture, text) in enumerate(cells):
        left, top = number % columns * CELL, number // columns * (CELL + 20)
        small = picture.convert("RGB")
        small.thumbnail((CELL - 12, CELL - 12))
        page.paste(small, (left + (CELL - small.width) // 2, top + (CELL - small.height) // 2))
        draw.text((left + CELL // 2, top + CELL), text, fill="black", anchor="ma", font_size=14)
    return page
