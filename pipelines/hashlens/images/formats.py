"""Image formats: what files are called, what can be read here, and which extra brings the rest."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from hashlens.errors import ParameterError


class Format(NamedTuple):
    """A format: Pillow's name of it, the extensions of its files, and who reads it.

    `feature` is what Pillow must have been built with; `package` reads what Pillow cannot, and
    `extra` of hashlens installs that.
    """

    name: str
    extensions: tuple[str, ...]
    popular: bool = False
    feature: str = ""
    package: str = ""
    extra: str = ""

    @property
    def readable(self) -> bool:
        """Tell whether this installation reads the format."""
        if self.package:
            return find_spec(self.package) is not None
        from PIL import Image, features  # noqa: PLC0415  asks for every plugin

        Image.init()
        return self.name in Image.OPEN and (not self.feature or bool(features.check(self.feature)))

    @property
    def reader(self) -> str:
        """Return what reads the format, or how to install that."""
        if not self.package:
            return "Pillow" if self.readable else f"a Pillow built with {self.feature}"
        return self.package if self.readable else f"pip install 'hashlens[{self.extra}]'"


# What cameras, phones, scanners and the web write.
FORMATS = (
    Format("AVIF", (".avif", ".avifs"), feature="avif"),
    Format("BMP", (".bmp",), popular=True),
    Format("DDS", (".dds",)),
    Format("DIB", (".dib",)),
    Format("GIF", (".gif",), popular=True),
    Format("HEIF", (".heic", ".heif"), popular=True, package="pillow_heif", extra="heif"),
    Format("ICO", (".ico",)),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), popular=True, feature="jpg"),
    Format("JPEG2000", (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), feature="jpg_2000"),
    Format("JXL", (".jxl",), package="pillow_jxl", extra="jxl"),
    Format("PCX", (".pcx",)),
    Format("PNG", (".png", ".apng"), popular=True, feature="zlib"),
    Format("PPM", (".pbm", ".pgm", ".ppm", ".pnm")),
    Format("PSD", (".psd",)),
    Format("QOI", (".qoi",)),
    Format("SGI", (".sgi", ".rgb")),
    Format("SUN", (".ras",)),
    Format("TGA", (".tga",)),
    Format("TIFF", (".tif", ".tiff"), popular=True),
    Format("WEBP", (".webp",), popular=True, feature="webp"),
)
EXTENSIONS = frozenset(ending for item in FORMATS for ending in item.extensions)
POPULAR = frozenset(ending for item in FORMATS if item.popular for ending in item.extensions)

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
JXL_STARTS = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")


def extensions(given: Iterable[str] | None) -> frozenset[str]:
    """Return file extensions as they are compared: lower case, with a dot; None means all known.

    Raises ParameterError for what is no extension.
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


def add_reader(start: bytes) -> str | None:
    """Register the package that reads a file beginning so, where Pillow alone does not.

    Returns nothing where another try may succeed, and otherwise what is missing: "" where the
    beginning is that of no format known here.
    """
    for item in FORMATS:
        if item.package and _begins(start, item.name):
            if not item.readable:
                return f"{item.name} needs a package: {item.reader}"
            module = import_module(item.package)
            if item.name == "HEIF":
                module.register_heif_opener()
            return None
    return ""


def _begins(start: bytes, name: str) -> bool:
    if name == "HEIF":
        return start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS
    return start.startswith(JXL_STARTS)
