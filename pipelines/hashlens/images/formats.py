"""Image formats: their extensions, and the package by which this installation reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from hashlens.errors import ParameterError


class Plugin(NamedTuple):
    """A package that makes Pillow read a format.

    package: the name by which it is imported.
    extra: the extra of hashlens that installs it.
    recognizes: returns whether a file has the format, by its first 16 bytes.
    register: its function that registers it with Pillow; "" if importing it does.
    """

    package: str
    extra: str
    recognizes: Callable[[bytes], bool]
    register: str = ""


class Format(NamedTuple):
    """An image format.

    name: Pillow's name of it.
    extensions: of its files, in lower case, with a dot.
    popular: whether `--only-popular-extensions` chooses it.
    feature: the feature that Pillow must have been built with; "" if none.
    plugin: the package that reads it; None if Pillow does.
    """

    name: str
    extensions: tuple[str, ...]
    popular: bool = False
    feature: str = ""
    plugin: Plugin | None = None

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


HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
JXL_STARTS = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")


def _is_heif(start: bytes) -> bool:
    return start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS


def _is_jxl(start: bytes) -> bool:
    return start.startswith(JXL_STARTS)


HEIF = Plugin("pillow_heif", "heif", _is_heif, register="register_heif_opener")
JXL = Plugin("pillow_jxl", "jxl", _is_jxl)

# The formats that cameras, phones, scanners and the web write.
FORMATS = (
    Format("AVIF", (".avif", ".avifs"), feature="avif"),
    Format("BMP", (".bmp",), popular=True),
    Format("DDS", (".dds",)),
    Format("DIB", (".dib",)),
    Format("GIF", (".gif",), popular=True),
    Format("HEIF", (".heic", ".heif"), popular=True, plugin=HEIF),
    Format("ICO", (".ico",)),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), popular=True, feature="jpg"),
    Format("JPEG2000", (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), feature="jpg_2000"),
    Format("JXL", (".jxl",), plugin=JXL),
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


def add_reader(start: bytes) -> str | None:
    """Register the package that reads a file which begins with `start`.

    Returns None if the file may be readable now. Otherwise it returns the reason: which package is
    missing, or "" if no package reads such a file.
    """
    for item in FORMATS:
        if item.plugin and item.plugin.recognizes(start):
            if not item.readable:
                return f"{item.name} needs a package: {item.reader}"
            module = import_module(item.plugin.package)
            if item.plugin.register:
                getattr(module, item.plugin.register)()
            return None
    return ""
