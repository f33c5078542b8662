"""Image formats: their extensions, and the package by which this installation reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from hashlens.errors import ParameterError

START = 32  # bytes at the beginning of a file, by which its format is known


class Plugin(NamedTuple):
    """A package that makes Pillow read a format.

    package: the name by which it is imported.
    extra: the extra of hashlens that installs it.
    register: its function that registers it with Pillow; "" if importing it does.
    """

    package: str
    extra: str
    register: str = ""


class Format(NamedTuple):
    """An image format.

    name: Pillow's name of it.
    extensions: of its files, in lower case, with a dot.
    popular: whether `--only-popular-extensions` chooses it.
    feature: the feature that Pillow must have been built with; "" if none.
    plugin: the package that reads it; None if Pillow does.
    start: how its files begin, a regular expression; empty if that says nothing.
    """

    name: str
    extensions: tuple[str, ...]
    popular: bool = False
    feature: str = ""
    plugin: Plugin | None = None
    start: bytes = b""

    @property
    def package(self) -> str:
        """Return the package that reads the format; "" if Pillow does."""
        return self.plugin.package if self.plugin else ""

    @property
    def extra(self) -> str:
        """Return the extra of hashlens that installs the package; "" if Pillow reads the format."""
        return self.plugin.extra if self.plugin else ""

    @property
    def readable(self) -> bool:
        """Return whether this installation reads the format."""
        if self.plugin:
            return find_spec(self.package) is not None
        from PIL import Image, features  # noqa: PLC0415  loads Pillow and all its plugins

        Image.init()
        return self.name in Image.OPEN and (not self.feature or bool(features.check(self.feature)))

    @property
    def reader(self) -> str:
        """Return what reads the format, or what must be installed to read it."""
        if not self.plugin:
            return "Pillow" if self.readable else f"a Pillow built with {self.feature}"
        return self.package if self.readable else f"pip install 'hashlens[{self.extra}]'"


HEIF = Plugin("pillow_heif", "heif", register="register_heif_opener")
JXL = Plugin("pillow_jxl", "jxl")
# Two bytes are too few to know a format by, so the sizes and numbers after them are looked at, too.
_BMP = rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0"
_DIB = rb"[\x28\x34\x38\x40\x6c\x7c]\0\0\0.{8}\x01\0[\x01\x04\x08\x10\x18\x20]\0"
_HEIF = rb".{4}ftyp(hei[cmsx]|hev[cx]|mif1|msf1)"
_ICO = rb"\0\0\x01\0[^\0]\0.{3}[\0\xff]"
_JPEG2000 = rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"
_JXL = rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"
_PCX = rb"\n[\0\x02-\x05]\x01[\x01\x02\x04\x08]"
_SGI = rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]"
_TIFF = rb"II[*+]\0(?!.{4}CR)|MM\0[*+]"  # CR2 begins as TIFF does

# The formats that cameras, phones, scanners and the web write.
FORMATS = (
    Format("AVIF", (".avif", ".avifs"), feature="avif", start=rb".{4}ftypavi[fs]"),
    Format("BMP", (".bmp",), popular=True, start=_BMP),
    Format("DDS", (".dds",), start=rb"DDS \x7c\0\0\0"),
    Format("DIB", (".dib",), start=_DIB),
    Format("GIF", (".gif",), popular=True, start=rb"GIF8[79]a"),
    Format("HEIF", (".heic", ".heif"), popular=True, plugin=HEIF, start=_HEIF),
    Format("ICO", (".ico",), start=_ICO),
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        popular=True,
        feature="jpg",
        start=rb"\xff\xd8\xff",
    ),
    Format(
        "JPEG2000",
        (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        feature="jpg_2000",
        start=_JPEG2000,
    ),
    Format("JXL", (".jxl",), plugin=JXL, start=_JXL),
    Format("PCX", (".pcx",), start=_PCX),
    Format("PNG", (".png", ".apng"), popular=True, feature="zlib", start=rb"\x89PNG\r\n\x1a\n"),
    Format("PPM", (".pbm", ".pgm", ".ppm", ".pnm"), start=rb"P[1-6]\s+[#0-9]"),
    Format("PSD", (".psd",), start=rb"8BPS\0\x01"),
    Format("QOI", (".qoi",), start=rb"qoif"),
    Format("SGI", (".sgi", ".rgb"), start=_SGI),
    Format("SUN", (".ras",), start=rb"\x59\xa6\x6a\x95"),
    Format("TGA", (".tga",)),  # its first bytes are any
    Format("TIFF", (".tif", ".tiff"), popular=True, start=_TIFF),
    Format("WEBP", (".webp",), popular=True, feature="webp", start=rb"RIFF.{4}WEBP"),
)
EXTENSIONS = frozenset(ending for item in FORMATS for ending in item.extensions)
POPULAR = frozenset(ending for item in FORMATS if item.popular for ending in item.extensions)


def extensions(given: Iterable[str] | None) -> frozenset[str]:
    """Return file extensions in the form in which they are compared: lower case, with a dot.

    None means the extensions of all formats. Raises ParameterError for a value that is not an
    extension.
    """
    if given is None:
        return EXTENSIONS
    chosen = [given] if isinstance(given, str) else list(given)
    for ending in chosen:
        if not isinstance(ending, str) or not ending.strip(".") or os.sep in ending:
            msg = f"expected file extensions such as .jpg, not {ending!r}"
            raise ParameterError(msg)
    if not chosen:
        msg = "no file extension is given, so no file would be read"
        raise ParameterError(msg)
    return frozenset(f".{ending.lower().lstrip('.')}" for ending in chosen)


def format_of(start: bytes) -> Format | None:
    """Return the format of a file by its first START bytes; None if they fit no format."""
    for item in FORMATS:
        if item.start and re.match(item.start, start, re.DOTALL):
            return item
    return None


def add_reader(start: bytes) -> str | None:
    """Register the package that reads a file which begins with `start`, its first START bytes.

    Returns None if the file may be readable now. Otherwise it returns the reason: which package is
    missing, or "" if no package reads such a file.
    """
    item = format_of(start)
    if not item or not item.plugin:
        return ""
    if not item.readable:
        return f"{item.name} needs a package: {item.reader}"
    module = import_module(item.plugin.package)
    if item.plugin.register:
        getattr(module, item.plugin.register)()
    return None
