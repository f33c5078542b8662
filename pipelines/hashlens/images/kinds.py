"""Files without the extension of a picture: their kinds, and whether they hold a picture."""

from __future__ import annotations

import os
import re

from hashlens.images.formats import EXTENSIONS, START, format_of
from hashlens.images.partners import PARTNERS, RAW

WITHOUT = "without extension"
_MOST_AFTER = 20  # characters after the extension of a picture
_PICTURES = "|".join(map(re.escape, sorted(EXTENSIONS | RAW)))
_RENAMED = re.compile(rf"({_PICTURES})([^0-9a-z].{{0,{_MOST_AFTER - 1}}})", re.DOTALL)
_ENDING = re.compile(r"\.[0-9a-z_~-]{1,12}")


def kind_of(path: str) -> str:
    """Return the kind of a file by its name: its extension in lower case, or WITHOUT.

    If the extension of a picture stands before something else, that belongs to the kind: `.jpg~`.
    `N` stands for a number: `.jpg.N`.
    """
    name = os.path.basename(path).lower()
    ending = os.path.splitext(name)[1]
    found = _renamed(name)
    if found and ending not in PARTNERS:
        return found[1] + re.sub("[0-9]+", "N", found[2])
    if ending[1:].isdecimal():
        return ".N"
    return ending if _ENDING.fullmatch(ending) else WITHOUT


def seems_picture(kind: str) -> bool:
    """Return whether a kind is that of a picture under another name, such as `.jpg.N`."""
    found = _RENAMED.fullmatch(kind)
    return found is not None and found[1] not in RAW


def holds_picture(path: str, extensions: frozenset[str]) -> bool:
    """Return whether a file of any other name begins as a picture in one of some formats does.

    The formats are those with one of `extensions`. RAW files, which begin as TIFF does, sidecars
    and films are not looked at. A file that cannot be read counts as a picture: to read it gives
    the reason.
    """
    name = os.path.basename(path).lower()
    found = _renamed(name)
    if os.path.splitext(name)[1] in EXTENSIONS | PARTNERS or (found and found[1] in RAW):
        return False
    try:
        with open(path, "rb", buffering=0) as file:
            known = format_of(file.read(START))
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return known is not None and not extensions.isdisjoint(known.extensions)


def _renamed(name: str) -> re.Match[str] | None:
    """Return the extension of a picture in a name, and what follows it; None if nothing does."""
    start = name.find(".", 1)
    while start > 0:
        found = _RENAMED.fullmatch(name, start)
        if found:
            return found
        start = name.find(".", start + 1)
    return None
