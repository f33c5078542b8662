"""Read from the EXIF of a file who took the picture and when, and whether it looks derived.

EXIF is read from the bytes of the file, without a decode. It is hostile data: whatever it holds,
what cannot be read counts as not there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

LONGEST = 200  # characters of a text
MOST_TAKEN = 2**40  # pixels of a picture: more are a lie
MOST_TAGS = 1_000  # of a directory
SPAN = 8 * 2**20  # bytes of EXIF in which texts are looked for, outside of TIFF
# From such a share of the pixels on that EXIF states, a picture counts as whole: cameras round.
WHOLE = 0.95
REWRITTEN = "JFIF before EXIF"  # as libraries write it; cameras write EXIF first
UNCHANGED = timedelta(minutes=10)  # between two times that a camera writes for one picture
ZONES = timedelta(hours=14)
QUARTER = timedelta(minutes=15)  # time zones differ by whole quarters of an hour

# Programs that write pictures, by the start of a word of their names. Firmware is none of them.
EDITORS = (
    *("acd systems", "acdsee", "adobe", "affinity", "aperture", "aurora hdr", "befunky", "bridge"),
    *("camera raw", "canva", "capture nx", "capture one", "captureone", "corel", "darktable"),
    *("digikam", "digital photo professional", "dxo", "f-spot", "facebook", "facetune"),
    *("faststone", "fotor", "gigapixel", "gimp", "google", "graphicsmagick", "gthumb", "gwenview"),
    *("helicon", "hugin", "imagemagick", "inkscape", "instagram", "iphoto", "irfanview", "krita"),
    *("libvips", "lightroom", "luminar", "magix", "microsoft", "nx studio", "on1 ", "paint"),
    *("photo editor", "photo gallery", "photodirector", "photofiltre", "photomatix", "photos "),
    *("photoscape", "photoshop", "picasa", "picnik", "picsart", "pixelmator", "pixlr", "polarr"),
    *("prisma", "rawtherapee", "shotwell", "silkypix", "skylum", "snapchat", "snapseed", "topaz"),
    *("ulead", "upscayl", "viewnx", "vsco", "whatsapp", "xnview", "zoner"),
)
_WINDOWS = "windows(?! phone| 10 mobile)"  # phones of these systems name them as their firmware
_EDITOR = re.compile(
    rf"(?<![a-z])(?:{'|'.join(map(re.escape, EDITORS))}|{_WINDOWS})", re.IGNORECASE
)

# Tags of TIFF and EXIF
_MAKE, _MODEL, _SOFTWARE, _DATE, _EXIF, _GPS = 0x10F, 0x110, 0x131, 0x132, 0x8769, 0x8825
_PROCESSED_BY = 0x0B
_ORIGINAL, _DIGITIZED = 0x9003, 0x9004
_SUBSECONDS = {_ORIGINAL: 0x9291, _DIGITIZED: 0x9292}
_WIDTH, _HEIGHT = 0xA002, 0xA003
_LATITUDE, _LONGITUDE = 2, 4

_DATE_TIME = re.compile(r"(\d{4})[:\-](\d\d)[:\-](\d\d)[ T](\d\d):(\d\d):(\d\d)")


class Exif(NamedTuple):
    """What EXIF says of a picture.

    taken: when, by the camera's clock: ISO 8601 with the subseconds, as far as known, without the
        time zone, which copies often lose; "" if not known.
    camera: make and model; "" if not known.
    software: that wrote the file, or the firmware of the camera.
    gps: whether it says where.
    taken_pixels: of the picture as it was taken; 0 if not known.
    derived: what tells that the file is not as the camera wrote it; "" if nothing does.
    """

    taken: str = ""
    camera: str = ""
    software: str = ""
    gps: bool = False
    taken_pixels: int = 0
    derived: str = ""


def exif(
    data: bytes, kind: str | None, size: tuple[int, int], block: Callable[[], bytes] = bytes
) -> Exif:
    """Return what the EXIF of a file says of its picture; never raises.

    `kind` is the format. `size` is that of the picture. `block` gives the EXIF block of formats
    that are not read here: all but JPEG, MPO, PNG, TIFF and WebP.
    """
    try:
        find = _BLOCKS.get(kind or "")
        found = find(data) if find else _bare(block())
        return _read(found, kind, size, rewritten=_is_rewritten(data, kind)) if found else Exif()
    except Exception:  # noqa: BLE001  whatever hostile bytes lead to, the picture stays
        return Exif()


def _read(block: bytes, kind: str | None, size: tuple[int, int], *, rewritten: bool) -> Exif:
    tags = _Tags(block if kind == "TIFF" else block[:SPAN])
    own = tags.directory(tags.first)
    more = tags.directory(tags.number(own.get(_EXIF)))
    place = tags.directory(tags.number(own.get(_GPS)))
    make, model, software = (tags.text(own.get(tag)) for tag in (_MAKE, _MODEL, _SOFTWARE))
    taken = _taken(tags, more)
    width, height = (tags.number(more.get(tag)) for tag in (_WIDTH, _HEIGHT))
    reasons = [
        _by_editor(software) or _by_editor(tags.text(own.get(_PROCESSED_BY))),
        _resized(width, height, size),
        _changed(taken, tags.text(own.get(_DATE))),
    ]
    camera = _camera(make, model)
    derived = ", ".join(filter(None, reasons)) or (REWRITTEN if rewritten and camera else "")
    gps = _LATITUDE in place and _LONGITUDE in place
    pixels = width * height if width * height <= MOST_TAKEN else 0
    return Exif(taken, camera, software, gps, pixels, derived)


def _camera(make: str, model: str) -> str:
    """Return make and model in one text, with the make once."""
    first = make.split(" ")[0].lower()
    return model if first and model.lower().startswith(first) else f"{make} {model}".strip()


def _taken(tags: _Tags, more: dict[int, _Entry]) -> str:
    for tag, fraction in _SUBSECONDS.items():
        when = _date(tags.text(more.get(tag)))
        if when:
            digits = re.match(r"\d{1,6}", tags.text(more.get(fraction)))
            # The last zeros say nothing, but one stays: copies that have lost all digits differ.
            return when.isoformat() + (f".{digits[0].rstrip('0') or '0'}" if digits else "")
    return ""


def _date(text: str) -> datetime | None:
    """Return a date as EXIF writes it; None for one that cannot be, as 0000:00:00 is."""
    found = _DATE_TIME.match(text)
    try:
        when = datetime(*map(int, found.groups())) if found else None  # type: ignore[arg-type]
    except ValueError:
        return None
    return when if when and when.year > 1825 else None  # the year of the oldest photograph


@lru_cache(maxsize=1_000)
def _by_editor(software: str) -> str:
    return f"saved by {software}" if _EDITOR.search(software) else ""


def _resized(width: int, height: int, size: tuple[int, int]) -> str:
    """Return in words that a picture is not as large as it was taken; turned is no difference."""
    taken, pixels = width * height, size[0] * size[1]
    if not taken or taken * WHOLE <= pixels <= taken / WHOLE:
        return ""
    return f"{'smaller' if pixels < taken else 'larger'} than taken ({width}x{height})"


def _changed(taken: str, date: str) -> str:
    """Return in words that a file was written after the picture was taken."""
    changed, when = _date(date), datetime.fromisoformat(taken[:19]) if taken else None
    if not changed or not when or changed - when <= UNCHANGED:
        return ""
    is_zone = changed - when <= ZONES and not (changed - when) % QUARTER
    return "" if is_zone else f"changed {changed:%Y-%m-%d}"


class _Entry(NamedTuple):
    kind: int
    length: int
    place: int  # of the four bytes of its value


class _Tags:
    """The directories of a TIFF structure. Raises struct.error for bytes that are not one."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._order = {b"II": "<", b"MM": ">"}.get(block[:2], "?")
        mark, self.first = struct.unpack_from(f"{self._order}HI", block, 2)
        if mark != 42:
            msg = f"mark 42 of TIFF, not {mark}"
            raise struct.error(msg)

    def directory(self, start: int) -> dict[int, _Entry]:
        """Return the entries of the directory at a place, by tag; as far as they can be read."""
        block = self._block
        if not 0 < start <= len(block) - 2:
            return {}
        [count] = struct.unpack_from(f"{self._order}H", block, start)
        count = min(count, MOST_TAGS, (len(block) - start - 2) // 12)
        each = struct.iter_unpack(f"{self._order}HHI4x", block[start + 2 : start + 2 + 12 * count])
        return {
            tag: _Entry(kind, many, start + 10 + 12 * number)
            for number, (tag, kind, many) in enumerate(each)
        }

    def text(self, entry: _Entry | None) -> str:
        """Return a text, cleaned: one line of visible characters."""
        if not entry or entry.kind not in (2, 7):
            return ""
        place = entry.place if entry.length <= 4 else self._long(entry.place)
        raw = self._block[place : place + min(entry.length, 4 * LONGEST)].partition(b"\0")[0]
        text = raw.decode("utf-8", "replace")
        if not text.isprintable():
            text = "".join(char if char.isprintable() else " " for char in text)
        return " ".join(text.split())[:LONGEST]

    def number(self, entry: _Entry | None) -> int:
        """Return a whole number; 0 for anything else."""
        if not entry or entry.length != 1:
            return 0
        if entry.kind == 3:
            [found] = struct.unpack_from(f"{self._order}H", self._block, entry.place)
            return int(found)
        return self._long(entry.place) if entry.kind in (4, 13) else 0

    def _long(self, place: int) -> int:
        [found] = struct.unpack_from(f"{self._order}I", self._block, place)
        return int(found)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment of a JPEG before its pixels."""
    position = 2
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        marker = data[position + 1]
        if marker == 0xDA:
            return
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield marker, position + 4, end
        position = end


def _of_jpeg(data: bytes) -> bytes:
    for marker, start, end in _segments(data):
        if marker == 0xE1 and data.startswith(b"Exif\0", start):
            return data[start + 6 : end]
    return b""


def _is_rewritten(data: bytes, kind: str | None) -> bool:
    return kind in ("JPEG", "MPO") and data.startswith(b"JFIF\0", 6)


def _of_png(data: bytes) -> bytes:
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if data.startswith(b"eXIf", position + 4):
            return _bare(data[position + 8 : end])
        position = end + 4
    return b""


def _of_webp(data: bytes) -> bytes:
    position = 12
    while position + 8 <= len(data):
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        if data.startswith(b"EXIF", position):
            return _bare(data[position + 8 : end])
        position = end + end % 2
    return b""


def _bare(block: bytes) -> bytes:
    """Return an EXIF block without the prefix that JPEG gives it."""
    return block[6:] if block.startswith(b"Exif\0\0") else block


_BLOCKS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": _of_jpeg,
    "MPO": _of_jpeg,
    "PNG": _of_png,
    "TIFF": bytes,
    "WEBP": _of_webp,
}
