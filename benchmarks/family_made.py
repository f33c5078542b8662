"""Make two collections of pictures as families have them: originals, and what was made of them.

A group of files has one original and one kind of copy, or several. The second collection is made
in another way than the first: other cameras, names, editors and choices, edits without a trace, and
drawings and scans without EXIF. The rules were chosen on the first one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from pillow_heif import register_heif_opener

MAKE, MODEL, SOFTWARE, DATE, EXIF, GPS = 0x10F, 0x110, 0x131, 0x132, 0x8769, 0x8825
ORIGINAL, DIGITIZED, SUBSECOND, WIDTH, HEIGHT = 0x9003, 0x9004, 0x9291, 0xA002, 0xA003
ZONE = timedelta(hours=2)  # of the camera's clock

CAMERAS = (
    ("Canon", "Canon EOS 80D", "Firmware Version 1.0.2"),
    ("Apple", "iPhone 12", "14.6"),
    ("samsung", "SM-G991B", "G991BXXU5DVJC"),
    ("NIKON CORPORATION", "NIKON D750", "Ver.1.15"),
    ("Google", "Pixel 6", "HDR+ 1.0.382532599zd"),
)
OTHER_CAMERAS = (
    ("SONY", "ILCE-7M3", "ILCE-7M3 v4.01"),
    ("Panasonic", "DMC-TZ61", "Ver.1.2"),
    ("HUAWEI", "ELE-L29", "ELE-L29 10.1.0.162(C431E22R2P5)"),
    ("FUJIFILM", "X-T3", "Digital Camera X-T3 Ver4.10"),
    ("Xiaomi", "Mi 9", ""),
)

Picture: TypeAlias = Image.Image
register_heif_opener()


@dataclass(frozen=True)
class Shot:
    """A picture, and what its camera knows of it.

    number: of the group
    image: its pixels
    taken: when
    camera: make, model and firmware
    name: of the original's file, below the folder of the collection
    """

    number: int
    image: Picture
    taken: datetime
    camera: tuple[str, str, str]
    name: str

    def exif(self, **changes: Any) -> Image.Exif:
        """Return EXIF of the camera; changed are `software`, `date` and `size`."""
        made = Image.Exif()
        make, model, firmware = self.camera
        software = changes.get("software", firmware)
        made[MAKE], made[MODEL] = make, model
        made[DATE] = f"{changes.get('date', self.taken):%Y:%m:%d %H:%M:%S}"
        if software:
            made[SOFTWARE] = software
        when = f"{self.taken:%Y:%m:%d %H:%M:%S}"
        width, height = changes.get("size", self.image.size)
        more = {ORIGINAL: when, DIGITIZED: when, WIDTH: width, HEIGHT: height}
        if self.number % 3:
            more[SUBSECOND] = f"{self.taken.microsecond // 10_000:02}"
        made.get_ifd(EXIF).update(more)
        if self.number % 2:
            made.get_ifd(GPS).update({1: "N", 2: (48.0, 8.0, 2.5), 3: "E", 4: (11.0, 34.0, 1.0)})
        return made


# Pictures that are made of a shot


def same(shot: Shot) -> Picture:
    """Return the picture as it is."""
    return shot.image


def edited(shot: Shot) -> Picture:
    """Return the picture with more colour, and sharpened."""
    return ImageEnhance.Color(shot.image).enhance(1.4).filter(ImageFilter.UnsharpMask(2, 80))


def lighter(shot: Shot) -> Picture:
    """Return the picture lighter and with more contrast."""
    light = ImageEnhance.Brightness(shot.image).enhance(1.1)
    return ImageEnhance.Contrast(light).enhance(1.15)


def sized(share: float) -> Callable[[Shot], Picture]:
    """Return what scales a picture."""

    def scaled(shot: Shot) -> Picture:
        width, height = (round(side * share) for side in shot.image.size)
        return shot.image.resize((width, height), Image.Resampling.LANCZOS)

    return scaled


def next_of_burst(shot: Shot, count: int, random: np.random.Generator) -> Shot:
    """Return a later picture of a burst: moved a little, with other noise."""
    pixels = np.roll(np.asarray(shot.image, np.int16), count, axis=1)
    noise = random.normal(0, 5, pixels.shape)
    image = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    when = shot.taken + timedelta(seconds=0.3 * count)
    head, ending = os.path.splitext(shot.name)
    return replace(shot, image=image, taken=when, name=f"{head}{count}{ending}")


# EXIF of copies


def kept(shot: Shot) -> Image.Exif:
    """Return the camera's EXIF."""
    return shot.exif()


def by(software: str) -> Callable[[Shot], Image.Exif]:
    """Return what makes EXIF as an editor leaves it."""
    later = timedelta(days=40, minutes=7)
    return lambda shot: shot.exif(software=software, date=shot.taken + later)


def resized(share: float) -> Callable[[Shot], Image.Exif]:
    """Return what makes EXIF of a program that writes the new size."""
    return lambda shot: shot.exif(size=tuple(round(side * share) for side in shot.image.size))


@dataclass(frozen=True)
class Copy:
    """How a copy is made.

    name: of the file; {stem} and {ending} of the original, {number} and {date}
    picture: its pixels
    exif: its EXIF, or none
    options: for saving
    exact: the file itself is copied
    later: pictures of a burst, in place of a copy
    """

    name: str = ""
    picture: Callable[[Shot], Picture] = same
    exif: Callable[[Shot], Image.Exif] | None = None
    quality: int = 95
    exact: bool = False
    later: int = 0


@dataclass(frozen=True)
class Kind:
    """A kind of group: which original, and its copies.

    original: its ending; of a RAW's JPEG also a name of the RAW's ending
    exif: whether the original has EXIF
    """

    copies: tuple[Copy, ...]
    original: str = ".jpg"
    raw: str = ""
    exif: bool = True


# The kinds that were found in a collection of real copies.
FIRST: dict[str, Kind] = {
    "JPEG of a HEIC": Kind((Copy("export/{stem}.jpg", quality=97),), ".heic"),
    "JPEG of a HEIC, with EXIF": Kind((Copy("export/{stem}.jpg", exif=kept),), ".heic"),
    "PNG of a HEIC": Kind((Copy("png/{stem}.png"),), ".heic"),
    "PNG": Kind((Copy("a png/{stem}.png"),)),
    "PNG, with EXIF": Kind((Copy("a png/{stem}.png", exif=kept),)),
    "edited, software": Kind(
        (Copy("{stem}-edited.jpg", edited, by("Adobe Photoshop 22.4 (Macintosh)"), 97),)
    ),
    "edited, with EXIF": Kind((Copy("{stem}-edited.jpg", edited, kept, 97),)),
    "edited, RAW": Kind((Copy("edits/{stem}.jpg", edited, kept, 97),), raw=".NEF"),
    "turned, no EXIF": Kind((Copy("turned/{stem}.jpg", quality=98),)),
    "chat": Kind((Copy("chat/IMG-{date}-WA{number:04}.jpg", sized(0.6), quality=75),)),
    "saved again": Kind((Copy("backup/holiday {number}.jpg", exif=kept, quality=98),)),
    "web size, with EXIF": Kind((Copy("a web/{stem}.jpg", sized(0.6), resized(0.6)),)),
    "web size, old EXIF": Kind((Copy("a web/{stem}.jpg", sized(0.6), kept),)),
    "enlarged": Kind((Copy("large/{stem}.jpg", sized(2)),)),
    "burst": Kind((Copy(later=2),)),
    "exact copy": Kind((Copy("a copy/{stem}(1){ending}", exact=True),)),
    "several": Kind(
        (
            Copy("a png/{stem}.png"),
            Copy("{stem}-edited.jpg", edited, by("Picasa"), 97),
            Copy("chat/IMG-{date}-WA{number:04}.jpg", sized(0.6), quality=75),
            Copy("backup/holiday {number}.jpg", exif=kept, quality=98),
        )
    ),
}
# Other names, editors and choices; in half of the groups, cameras write JFIF as libraries do.
SECOND: dict[str, Kind] = {
    "HEIC to JPEG by a program": Kind(
        (Copy("jpegs/{stem}.jpeg", exif=by("Photos 8.0"), quality=92),), ".heic"
    ),
    "HEIC to WebP": Kind((Copy("a/{stem}.webp", exif=kept, quality=95),), ".heic"),
    "TIFF of a JPEG": Kind((Copy("archive/{stem}.tif", exif=kept),)),
    "BMP of a JPEG": Kind((Copy("archive/{stem}.bmp"),)),
    "retouched, unknown editor": Kind(
        (Copy("{stem}_retusche.jpg", lighter, by("HappyRetouch 3"), 98),)
    ),
    "edited, Zoner": Kind((Copy("best of/{number}.jpg", edited, by("Zoner Photo Studio X"), 98),)),
    "edited, no trace": Kind((Copy("a/{stem}.jpg", lighter, kept, 98),)),
    "bearbeitet": Kind((Copy("{stem}_bearbeitet.jpg", lighter, kept, 98),)),
    "copy in German": Kind((Copy("{stem} - Kopie.jpg", exact=True),)),
    "developed from RAW": Kind(
        (Copy("dev/{stem}_dt.jpg", lighter, by("darktable 3.6.0"), 98),), raw=".arw"
    ),
    "received": Kind((Copy("in/signal-2021-07-04-{number}.jpeg", sized(0.7), quality=80),)),
    "downloaded": Kind((Copy("a/{number}.jpg", quality=98),)),
    "print, 90 %": Kind((Copy("a/{stem}.png", sized(0.93), kept),)),
    "enlarged, old EXIF": Kind((Copy("a/{stem}_2x.jpg", sized(2), kept),)),
    "enlarged, new EXIF": Kind((Copy("a/{number}.jpg", sized(1.5), resized(1.5)),)),
    "enlarged, no EXIF": Kind((Copy("a/{number}.jpg", sized(1.5)),)),
    "web size, new EXIF": Kind((Copy("a/{stem}.jpg", sized(0.6), resized(0.6)),)),
    "burst of three": Kind((Copy(later=3),)),
    "turned back": Kind((Copy("a/{stem}r.jpg", exif=kept, quality=100),)),
    "drawing to JPEG": Kind((Copy("a/{stem}.jpg", quality=98),), ".png", exif=False),
    "scan to JPEG": Kind((Copy("a/{stem}.jpg", quality=98),), ".tif", exif=False),
    "photo of the web to PNG": Kind((Copy("a/{stem}.png"),), exif=False),
    "photo of the web, edited, to PNG": Kind((Copy("a/{stem}.png", edited),), exif=False),
    "several": Kind(
        (
            Copy("archive/{stem}.tif"),
            Copy("{stem}_bearbeitet.jpg", lighter, by("GIMP 2.10.24"), 98),
            Copy("in/signal-2021-07-04-{number}.jpeg", sized(0.7), quality=80),
            Copy("{stem} (2).jpg", exact=True),
        )
    ),
}


@dataclass(frozen=True)
class Made:
    """A file of a collection: its path, the kind of its group, and whether it is the original."""

    path: Path
    kind: str
    is_original: bool


def drawn(number: int, size: tuple[int, int]) -> Picture:
    """Draw a diagram, as the web has them."""
    random = np.random.default_rng(number)
    image = Image.new("RGB", size, tuple(map(int, random.integers(200, 256, 3))))
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        x, y, width, height = map(int, random.integers(4, min(size) // 2, 4) * (2, 2, 1, 1))
        colour = tuple(map(int, random.integers(0, 256, 3)))
        shape = draw.ellipse if random.random() < 0.4 else draw.rectangle
        shape((x, y, x + width, y + height), fill=colour, outline="black")
        draw.text((x, y), f"Figure {number}", fill="black")
    return image


def make(
    photos: list[Path], folder: Path, *, first: bool = True, mtimes: bool = True, seed: int = 1
) -> Iterator[Made]:
    """Write a collection into a folder: a group for each photo, of each kind in turn.

    With `mtimes`, files have the times at which they would be written; without, they have one.
    """
    random = np.random.default_rng(seed)
    kinds = list((FIRST if first else SECOND).items())
    for number, photo in enumerate(photos):
        name, kind = kinds[number % len(kinds)]
        image = Image.open(photo).convert("RGB")
        if kind.original == ".png":
            image = drawn(number, image.size)
        if kind.original == ".tif":  # a scanner has no grid of a JPEG
            image = image.resize((image.width - 5, image.height - 3), Image.Resampling.LANCZOS)
        start = datetime(2021, 7, 3, 10) + timedelta(hours=number, seconds=random.uniform(0, 59))
        cameras = CAMERAS if first else OTHER_CAMERAS
        letters = ("dcim/IMG_" if number % 2 else "dcim/DSC0") if first else "p/P10"
        own = f"{letters}{1000 + number}{kind.original}"
        shot = Shot(number, image, start, cameras[number // 3 % len(cameras)], own)
        quality = int(random.integers(86, 96))
        path = folder / own
        jfif = not first and number // len(kinds) % 2 == 1
        _shoot(shot, path, kind, quality, jfif=jfif)
        if kind.raw:
            path.with_suffix(kind.raw).write_bytes(b"RAW")
        shot = replace(shot, image=Image.open(path).convert("RGB"))
        yield Made(path, name, is_original=True)
        _stamp(path, start if mtimes else None)
        for copy in kind.copies:
            for count in range(1, copy.later + 1):
                later = next_of_burst(shot, count, random)
                beside = path.with_name(Path(later.name).name)
                _shoot(later, beside, kind, min(quality + 2, 97), jfif=jfif)
                _stamp(beside, later.taken if mtimes else None)
                yield Made(beside, name, is_original=False)
            if copy.name:
                beside = _copied(shot, path, copy)
                when = start if copy.exact else start + timedelta(days=30 + number % 50)
                _stamp(beside, when if mtimes else None)
                yield Made(beside, name, is_original=copy.exact)


def _shoot(shot: Shot, path: Path, kind: Kind, quality: int, *, jfif: bool) -> None:
    """Write the file of a camera; cameras write EXIF first, libraries JFIF."""
    exif = shot.exif() if kind.exif else None
    _save(shot.image, path, exif, quality)
    data = path.read_bytes()
    if exif and not jfif and data.startswith(b"\xff\xd8\xff\xe0"):
        end = 4 + int.from_bytes(data[4:6], "big")
        path.write_bytes(data[:2] + data[end:])


def _copied(shot: Shot, path: Path, copy: Copy) -> Path:
    """Write a copy beside the original, or in another folder."""
    name = copy.name.format(
        stem=path.stem, ending=path.suffix, number=shot.number, date=f"{shot.taken:%Y%m%d}"
    )
    beside = (path.parent.parent if "/" in name else path.parent) / name
    beside.parent.mkdir(parents=True, exist_ok=True)
    if copy.exact:
        shutil.copy2(path, beside)
    else:
        exif = copy.exif(shot) if copy.exif else None
        _save(copy.picture(shot), beside, exif, copy.quality)
    return beside


def _save(image: Picture, path: Path, exif: Image.Exif | None, quality: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"exif": exif.tobytes()} if exif else {}
    if path.suffix == ".heic":
        image.save(path, quality=80, **options)
    elif path.suffix in (".jpg", ".jpeg", ".webp"):
        image.save(path, quality=quality, **options)
    else:
        image.save(path, **options)


def _stamp(path: Path, when: datetime | None) -> None:
    seconds = (when - ZONE - datetime(1970, 1, 1)).total_seconds() if when else 1.7e9
    os.utime(path, (seconds, seconds))
