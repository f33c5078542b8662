"""The rules that tell the camera's own file from what was made of it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.enlarged import ENLARGED
from hashlens.grouping.rule import JPEG, Facts, Rule, ranks
from hashlens.grouping.size import sizes
from hashlens.grouping.whole import as_cameras_write, is_whole
from hashlens.images.exif import QUARTER, REWRITTEN, ZONES
from hashlens.images.partners import have_raw
from hashlens.neighbors.codes import Ints

HEIC_SINCE = "2017"  # the year from which on cameras write HEIC; older pictures were converted
HEIC_FIRST = "Apple "  # a make whose cameras write HEIC unless they are told to write JPEG
RESET = "-01-01T00:00:00"  # what a clock says that has lost the time, after the year
WRITTEN = 10  # seconds, at most, from taking a picture to the end of its file's writing

# Names that programs give to edited, exported, received or second copies, and to screenshots.
_END = r"(?=[-_ .()]|$)"  # of a word in a name
COPY_NAMES = (
    # edited
    rf"[-_ (.]edit(?:ed|iert|ado|ada|é|e)?\d*{_END}|^edit(?:ed)?[-_ ]|[a-z0-9]edited(?=\.)",
    r"bearbeitet|modifi[ée]|modificat|bewerkt|redigera|muokattu|编辑|編集|изменен|^img_e\d{4}",
    rf"[-_ ](?:enhanced|upscaled?|filtered|effects|collage|animation|mix|hdr|pano){_END}",
    # copied
    rf"[-_ ](?:copy|kopie|copie|copia|kopia|cópia){_END}",
    r"^(?:copy|kopie|copie|copia)(?: of| von| de| di)?[-_ 0-9(]",
    r"\(\d{1,3}\)(?=\.|$)|~\d{1,2}(?=\.|$)",
    # exported
    rf"[-_ ](?:export(?:ed)?|resized?|scaled|web|small|thumb(?:nail)?|low|lowres){_END}",
    rf"[-_ ](?:compressed|min|print){_END}",
    # received, or of a screen
    r"whatsapp|^img-\d{8}-wa\d|^snapchat|^received_|^fb_img|^signal-|^telegram|^instagram",
    r"^photo_\d{4}-\d\d-\d\d|screenshot|bildschirmfoto",
)
_COPY = re.compile("|".join(COPY_NAMES))
# Most names are numbers, with a camera's letters before them; this is told sooner.
_NUMBER = re.compile(
    r"(?:img|_mg|dsc|dscf|dscn|_dsc|imgp|mvi|pxl|dji|p)?[-_]?[0-9]+(?:_[0-9]+)*\.\w+"
)


def is_copy_name(path: str) -> bool:
    """Return whether a file is named as an edited, exported, received or second copy."""
    name = path.rpartition(os.sep)[2].lower()
    return not _NUMBER.fullmatch(name) and _COPY.search(name) is not None


def _is_derived(reason: str) -> bool:
    return reason not in ("", REWRITTEN)


def _heic(images: Facts) -> NDArray[np.bool_]:
    """Return which images are HEIC as a camera wrote it.

    Beside a JPEG as cameras write it, a HEIC was made of that, unless the camera writes HEIC first.
    """
    found = images.has_format(("HEIF",)) & images.known("camera")
    if not found.any():
        return found
    found &= images.each("taken", lambda taken: taken >= HEIC_SINCE)
    beside_jpeg = images.largest(as_cameras_write(images) & images.has_format(JPEG))
    return found & (~beside_jpeg | images.each("camera", lambda name: name.startswith(HEIC_FIRST)))


def _written_when_taken(images: Facts) -> NDArray[np.bool_]:
    """Return which files were last modified when their pictures were taken, in any time zone."""
    if not images.known("taken").any():
        return np.zeros(len(images.rows), bool)
    taken = np.array([*map(_seconds, images["taken"])], np.float64)
    late = images["mtime_ns"] // 10**9 - taken
    quarter, zones = QUARTER.total_seconds(), ZONES.total_seconds()
    beside = (late + WRITTEN) % quarter  # NaN, if it is not known, is beside nothing
    found: NDArray[np.bool_] = (np.abs(late) <= zones + WRITTEN) & (beside <= 2 * WRITTEN)
    return found


_EPOCH = datetime(1970, 1, 1)


def _seconds(taken: str) -> float:
    """Return seconds from 1970 to a time, as if in UTC; NaN for an unknown one."""
    try:
        return (datetime.fromisoformat(taken[:19]) - _EPOCH).total_seconds()
    except (TypeError, ValueError):
        return math.nan


def _how_written(images: Facts) -> list[str]:
    columns = images["derived"], images["format"]
    return [derived or kind or "unknown" for derived, kind in zip(*columns, strict=True)]


def _has_exif(images: Facts) -> NDArray[np.bool_]:
    return images.known("camera") | images.known("taken")


def _of_camera(images: Facts) -> list[str]:
    return [
        camera or taken for camera, taken in zip(images["camera"], images["taken"], strict=True)
    ]


def _names(images: Facts) -> list[str]:
    return [os.path.basename(path) for path in images["path"]]


def _order_of_taking(images: Facts) -> Ints:
    """Return numbers, larger for earlier times, and 0 for unknown ones.

    Of times within one second, one with subseconds is taken for the earlier: copies lose them.
    """
    if not images.known("taken").any():
        return np.zeros(len(images.rows), np.int64)
    texts = ["" if _is_reset(text) else text for text in images["taken"]]
    last = chr(0x10FFFF)
    found = ranks([(text if "." in text else f"{text}.~") if text else last for text in texts])
    order: Ints = found.max() + 1 - found
    return order


def _is_reset(taken: str) -> bool:
    """Return whether a camera's clock was not set: it stood at the first second of a year."""
    return taken[4:19] == RESET


_COUNTED = re.compile(r"(.*?)([0-9]+)(\.\w+)?")  # a name with a number at its end


def _is_first_by_number(images: Facts) -> NDArray[np.bool_]:
    """Return which images have no earlier picture of the same burst in their group.

    Cameras number their files. So of pictures that one camera took at one time, in one folder, with
    names that differ in their numbers only, that with the lowest number was taken first.
    """
    found = np.ones(len(images.rows), bool)
    is_timed = images.each("taken", lambda taken: bool(taken) and not _is_reset(taken))
    known = np.flatnonzero(images.known("camera") & is_timed)
    if not len(known):
        return found
    columns = images["path"], images["camera"], images["taken"]
    lowest: dict[tuple[object, ...], int] = {}
    numbered = []
    for place in known.tolist():
        path, camera, taken = (column[place] for column in columns)
        folder, _, name = path.rpartition(os.sep)
        counted = _COUNTED.fullmatch(name.lower())
        if counted:
            group = int(images.groups[place])
            burst = group, folder, camera, taken, counted[1], counted[3]
            number = int(counted[2])
            lowest[burst] = min(number, lowest.get(burst, number))
            numbered.append((place, burst, number))
    for place, burst, number in numbered:
        found[place] = number == lowest[burst]
    return found


def _exif_facts(images: Facts) -> NDArray[Any]:
    known: NDArray[Any] = sum(
        (images.known(name).astype(np.int64) for name in ("camera", "taken")),
        start=(images["gps"] != 0).astype(np.int64),
    )
    return known


def _exif_names(images: Facts) -> Iterator[str]:
    columns = images["camera"], images["taken"], images["gps"].tolist()
    for values in zip(*columns, strict=True):
        names = ("camera", "taken", "gps")
        yield ", ".join(name for name, value in zip(names, values, strict=True) if value) or "none"


def _part(
    name: str,
    words: str,
    value: Callable[[Facts], Any],
    show: Callable[[Facts], Any] = lambda _: repeat(""),
) -> Rule:
    return Rule(name, words, value, show)


ORIGINAL = Rule(
    "original",
    "",
    parts=(
        ENLARGED,
        _part("whole", "no smaller copy ({} over {})", is_whole, sizes),
        _part("raw", "its RAW file lies beside it", lambda images: have_raw(images["path"])),
        _part("camera", "with EXIF of the camera ({} over none)", _has_exif, _of_camera),
        _part(
            "unedited",
            "not derived (the other: {1})",
            lambda images: ~images.each("derived", _is_derived),
            lambda images: images["derived"],
        ),
        _part(
            "heic",
            "HEIC of the camera (over {1})",
            _heic,
            lambda images: [kind or "unknown" for kind in images["format"]],
        ),
        _part(
            "name",
            "not named as a copy (the other: {1})",
            lambda images: [not is_copy_name(path) for path in images["path"]],
            _names,
        ),
        _part("written", "written when it was taken", _written_when_taken),
        _part(
            "rewritten",
            "as cameras write files (the other: {1})",
            as_cameras_write,
            _how_written,
        ),
    ),
)
TAKEN = Rule(
    "taken",
    "",
    parts=(
        _part(
            "time",
            "taken first ({} over {})",
            _order_of_taking,
            lambda images: [
                "unknown" if _is_reset(text) else text.replace("T", " ") or "unknown"
                for text in images["taken"]
            ],
        ),
        _part("number", "first of its burst ({} before {})", _is_first_by_number, _names),
    ),
)
EXIF = Rule("exif", "most EXIF ({} over {})", _exif_facts, _exif_names)
