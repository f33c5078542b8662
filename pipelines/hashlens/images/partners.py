"""Files that belong to a picture: sidecars, the film of a live photo, the RAW beside a JPEG."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache, lru_cache

from hashlens.images.formats import EXTENSIONS

RAW = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq"),
        *(".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw"),
        *(".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
    )
)
SIDECARS = frozenset((".xmp", ".aae", ".pp3", ".dop", ".json", ".thm"))
FILMS = frozenset((".mov", ".mp4", ".m4v", ".mp"))
PARTNERS = RAW | SIDECARS | FILMS  # of IMG_1.jpg: IMG_1.xmp; IMG_1.jpg.xmp may be a sidecar only
MOST_ENDINGS = 3  # of a name: .jpg.supplemental-metadata.json


class Folders:
    """The partners of pictures; each folder is read once."""

    def __init__(self) -> None:
        self._by_stem = cache(_by_stem)

    def partners(self, path: str) -> list[str]:
        """Return the files that belong to a picture, sorted by name."""
        folder, name = os.path.split(path)
        stems = dict.fromkeys(_stem(each) for each in (name, _without_number(name)[0]))
        near = sorted({other for stem in stems for other in self._by_stem(folder).get(stem, ())})
        return [
            os.path.join(folder, other)
            for other in near
            if _is_partner(other, name) and name in self._owners(folder, name, other)
        ]

    def sharers(self, path: str, partner: str) -> list[str]:
        """Return the other pictures to which a partner of a picture belongs, too."""
        folder, name = os.path.split(path)
        owners = self._owners(folder, name, os.path.basename(partner))
        return [os.path.join(folder, other) for other in owners if other != name]

    def _owners(self, folder: str, name: str, partner: str) -> list[str]:
        """Return the pictures to which a partner of a picture belongs.

        Of pictures whose names differ in capitals only, it belongs to those that are written as it
        is.
        """
        near = {name, *self._by_stem(folder).get(_stem(name), ())}
        pictures = [
            other
            for other in sorted(near)
            if (other == name or _ending(other) in EXTENSIONS) and _is_partner(partner, other)
        ]
        capitals = [_same_capitals(partner, other) for other in pictures]
        return [
            other for other, same in zip(pictures, capitals, strict=True) if same == max(capitals)
        ]


def have_raw(paths: Sequence[str]) -> list[bool]:
    """Return for each picture whether a RAW file lies beside it, or is the picture itself.

    A folder is listed again only if it has changed.
    """
    folders = [path.rpartition(os.sep)[0] for path in paths]
    stems = {folder: _stems_in(folder or os.sep) for folder in set(folders)}
    if not any(stems.values()):
        return [False] * len(paths)
    found = []
    for path, folder in zip(paths, folders, strict=True):
        own = stems[folder]
        name = path[len(folder) :].lstrip(os.sep) if own else ""
        found.append(bool(own) and (_ending(name) in RAW or _stem(name) in own))
    return found


def renamed(partner: str, picture: str, new: str) -> str:
    """Return where a partner goes when its picture goes to `new`, so that it stays a partner."""
    name, own = os.path.basename(picture), os.path.basename(partner)
    if _is_of_numbered(own.lower(), name.lower()):
        keeps = os.path.basename(new) == name
        return os.path.join(os.path.dirname(new), own) if keeps else f"{new}.json"
    stem, new_stem = os.path.splitext(name)[0], os.path.splitext(os.path.basename(new))[0]
    if own.lower().startswith(name.lower()):
        changed = os.path.basename(new) + own[len(name) :]
    else:
        changed = new_stem + own[len(stem) :]
    return os.path.join(os.path.dirname(new), changed)


def _is_partner(other: str, name: str) -> bool:
    """Return whether a file belongs to a picture; `name` is the picture's."""
    lower, of = other.lower(), name.lower()
    stem, ending = os.path.splitext(lower)
    if lower == of or (_ending(of) in RAW and ending in RAW):
        return False
    if stem == _stem(name):
        return ending in PARTNERS
    if lower == _stem(name):  # the film of a Pixel's motion photo: P.MP of P.MP.jpg
        return ending in FILMS
    if _is_of_numbered(lower, of):
        return True
    rest = lower[len(of) :]
    return lower.startswith(of) and (rest in SIDECARS or _is_of_takeout(rest))


def _same_capitals(partner: str, name: str) -> int:
    """Return how much of a picture's name its partner has with the same capitals: 0, 1 or 2."""
    stem = os.path.splitext(_without_number(name)[0])[0]
    return partner.startswith(stem) + partner.startswith(name)


def _is_of_takeout(rest: str) -> bool:
    """Return whether a name goes on as Google Takeout names its files, which it cuts anywhere."""
    start, ending = os.path.splitext(rest)
    return ending == ".json" and len(start) > 1 and ".supplemental-metadata".startswith(start)


def _without_number(name: str) -> tuple[str, str]:
    """Return a name without the number that Takeout gives, and the number: IMG_1(2).jpg, (2)."""
    found = re.fullmatch(r"(.*)(\(\d+\))(\.[^.]+)", name)
    return (found[1] + found[3], found[2]) if found else (name, "")


def _is_of_numbered(other: str, name: str) -> bool:
    """Return whether a file is Takeout's of a picture with a number: IMG_1.jpg(2).json."""
    base, number = _without_number(name)
    end = f"{number}.json"
    if not number or not (other.startswith(base) and other.endswith(end)):
        return False
    return ".supplemental-metadata".startswith(other[len(base) : -len(end)])


def _by_stem(folder: str) -> dict[str, list[str]]:
    """Return the names in a folder, sorted, by each part of a name that ends before a dot."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return {}
    found: dict[str, list[str]] = {}
    for name in names:
        stem = name
        found.setdefault(name.lower(), []).append(name)
        for _ in range(MOST_ENDINGS):
            before, stem = stem, _stem(stem)
            if stem != before:
                found.setdefault(stem, []).append(name)
    return found


def _stems_in(folder: str) -> frozenset[str]:
    try:
        return _raw_stems(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return frozenset()


@lru_cache(maxsize=100_000)
def _raw_stems(folder: str, _changed: int) -> frozenset[str]:
    """Return the names of the RAW files in a folder, in lower case and without their endings."""
    try:
        names = os.listdir(folder)
    except OSError:
        return frozenset()
    raw = tuple(RAW)  # most names are none of these, and are passed over fast
    return frozenset(
        _stem(name) for name in names if name.lower().endswith(raw) and _ending(name) in RAW
    )


def _stem(name: str) -> str:
    return os.path.splitext(name.lower())[0]


def _ending(name: str) -> str:
    return os.path.splitext(name.lower())[1]
