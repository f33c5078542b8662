"""Brute force: the rules word for word, against which the fast ways are tested."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import numpy as np

from hashlens.grouping.keepers import LOSSLESS, rules
from hashlens.grouping.originals import is_copy_name
from hashlens.model import Member


@dataclass(frozen=True, slots=True)
class Picture(Member):
    """An image with all that keeper rules look at."""

    taken: str = ""
    camera: str = ""
    derived: str = ""
    gps: int = 0
    taken_pixels: int = 0

    @property
    def area(self):
        return float(self.width) * float(self.height)

    @property
    def is_derived(self):
        return self.derived not in ("", "JFIF before EXIF")


def brute(count, away, limit, *, complete=True, admits=None, apart=()):
    """Group by the rule, word for word; `away` tells the distance of two items."""
    near = sorted((away(a, b), a, b) for a in range(count) for b in range(a + 1, count))
    barred = {frozenset(pair) for pair in np.asarray(apart).tolist()}
    groups = [{item} for item in range(count)]
    for far, a, b in near:
        if far > limit or groups[a] is groups[b] or (admits and not admits(a, b)):
            continue
        cross = [(x, y) for x in groups[a] for y in groups[b]]
        if complete and any(away(x, y) > limit for x, y in cross):
            continue
        if any(frozenset(pair) in barred for pair in cross):
            continue
        joined = groups[a] | groups[b]
        for item in joined:
            groups[item] = joined
    return [min(group) for group in groups]


def _date(image):
    when = datetime(1970, 1, 1) + timedelta(seconds=image.mtime_ns // 10**9)
    return f"{when}.{image.mtime_ns // 10**6 % 1000:03}"


def _size(image):
    return f"{image.width}x{image.height}"


def _sides(image):
    """Return the longer and the shorter side."""
    return sorted((max(float(image.width), 1.0), max(float(image.height), 1.0)), reverse=True)


def _shape(image):
    longer, shorter = _sides(image)
    return longer / shorter


def _shape_kind(image):
    if any(abs(_shape(image) / each - 1) <= 0.01 for each in (3 / 2, 4 / 3, 16 / 9)):
        return 2
    return 0 if _shape(image) <= 1.01 else 1


def _truest(group):
    return max(group, key=lambda image: (_shape_kind(image), image.area, _sides(image)[0]))


def _is_stretched(image, group):
    shapes = sorted([_shape(image), _shape(_truest(group))])
    return shapes[1] > 1.06 * shapes[0]


def _held(image, group):
    if not _is_stretched(image, group):
        return image.area
    true = _truest(group)
    scale = min(a / b for a, b in zip(_sides(image), _sides(true), strict=True))
    return scale**2 * true.area


def _most(image, group):
    most = max(_held(each, group) for each in group)
    return most if _held(image, group) >= 0.975 * most else _held(image, group)


def _camera_shape(image, group):
    return _shape_kind(image) if any(_is_stretched(each, group) for each in group) else 2


def _true_area(image, group):
    taken, held = float(image.taken_pixels), _held(image, group)
    return min(held, taken) if taken >= 0.2 * image.area else held


def _is_whole(image, group):
    largest = max(_true_area(each, group) for each in group)
    in_size = [each for each in group if float(each.taken_pixels) == each.area]
    as_taken = (
        _as_camera(image)
        and image in in_size
        and image.area >= 0.2 * largest
        and all(_true_area(image, group) >= 0.8 * _true_area(each, group) for each in in_size)
    )
    return _true_area(image, group) >= 0.8 * largest or as_taken


def _was_made(image, group):
    """Tell whether an image was made from a JPEG of its group; the stand-in says so by the path."""
    may_be = image.format != "JPEG" or image.camera
    others = [
        other
        for other in group
        if other is not image
        and other.format == "JPEG"
        and sorted([other.width, other.height]) == sorted([image.width, image.height])
    ]
    return bool(may_be and others and made_by_path(image.path))


def made_by_path(path):
    return "long" in path


def _heic(image, group):
    if image.format != "HEIF" or not image.camera or image.taken < "2017":
        return False
    beside_jpeg = any(_as_camera(each) and each.format != "HEIF" for each in group)
    return not beside_jpeg or image.camera.startswith("Apple ")


def _written(image):
    if not image.taken:
        return False
    when = (datetime.fromisoformat(image.taken[:19]) - datetime(1970, 1, 1)).total_seconds()
    late = image.mtime_ns // 10**9 - int(when)
    return abs(late) <= 14 * 3600 + 10 and min(late % 900, -late % 900) <= 10


def _as_camera(image):
    return bool(image.camera and not image.derived and image.format in ("JPEG", "MPO", "HEIF"))


def _time(image):
    """Return when a picture was taken; a clock at the first second of a year was not set."""
    return "" if image.taken[4:19] == "-01-01T00:00:00" else image.taken


def _moment(image):
    taken = _time(image)
    return (taken[:19], "." not in taken, taken) if taken else ("~",)


def _is_before(image, other):
    """Tell whether an image is an earlier one of the same burst, by the number in its name."""
    if not (image.camera and _time(image)):
        return False
    if (image.camera, image.taken) != (other.camera, other.taken):
        return False
    first, second = (Path(each.path) for each in (image, other))
    names = [re.fullmatch(r"(.*?)([0-9]+)", path.stem) for path in (first, second)]
    if (first.parent, first.suffix) != (second.parent, second.suffix) or not all(names):
        return False
    return names[0][1] == names[1][1] and int(names[0][2]) < int(names[1][2])


def _exif(image):
    names = {"camera": image.camera, "taken": image.taken, "gps": image.gps}
    return ", ".join(name for name, value in names.items() if value) or "none"


# Of each rule that looks at the whole group: the value of an image, and what is written of it.
VALUES = {
    "whole": (_is_whole, _size),
    "size": (_most, _size),
    "shape": (_camera_shape, _size),
    "heic": (_heic, lambda image: image.format or "unknown"),
    "enlarged": (lambda image, group: True, lambda image: ""),  # no file is there to tell
    "number": (lambda image, group: not any(_is_before(other, image) for other in group),
               lambda image: Path(image.path).name),
    "majority": (lambda image, group: 0, lambda image: 0),  # nothing is turned
    "source": (lambda image, group: not _was_made(image, group),
               lambda image: image.format or "other"),
}  # fmt: skip
# Of each other rule: whether one image is better than another, and what is written of an image.
BETTER = {
    "sound": (lambda a, b: bool(b.damaged) > bool(a.damaged), lambda image: image.damaged),
    "lossless": (lambda a, b: (a.format in LOSSLESS) > (b.format in LOSSLESS),
                 lambda image: image.format or "unknown"),
    "bytes": (lambda a, b: a.bytes > b.bytes, lambda image: image.bytes),
    "sharpness": (lambda a, b: len(a.path) > len(b.path), lambda image: f"{len(image.path):.1f}"),
    "newest": (lambda a, b: a.mtime_ns > b.mtime_ns, _date),
    "oldest": (lambda a, b: a.mtime_ns < b.mtime_ns, _date),
    "raw": (lambda a, b: ("/a/" in a.path) > ("/a/" in b.path), lambda image: ""),
    "camera": (lambda a, b: bool(a.camera or a.taken) > bool(b.camera or b.taken),
               lambda image: image.camera or image.taken),
    "unedited": (lambda a, b: a.is_derived < b.is_derived, lambda image: image.derived),
    "name": (lambda a, b: is_copy_name(a.path) < is_copy_name(b.path),
             lambda image: Path(image.path).name),
    "written": (lambda a, b: _written(a) > _written(b), lambda image: ""),
    "rewritten": (lambda a, b: _as_camera(a) > _as_camera(b),
                  lambda image: image.derived or image.format or "unknown"),
    "time": (lambda a, b: _moment(a) < _moment(b),
              lambda image: _time(image).replace("T", " ") or "unknown"),
    "exif": (lambda a, b: _exif(a).replace("none", "").count(",") + (_exif(a) != "none")
                          > _exif(b).replace("none", "").count(",") + (_exif(b) != "none"), _exif),
    "path": (lambda a, b: a.path < b.path, lambda image: ""),
    "folder": (lambda a, b: a.path.startswith("/a/") > b.path.startswith("/a/"), lambda image: ""),
}  # fmt: skip


def choose(images, names):
    """Return the image to keep and the reason; the longest path is the sharpest picture."""
    left, decided = list(images), []
    for rule in chain.from_iterable(rule.parts or [rule] for rule in rules(names)):
        files = {image.file_digest for image in left}
        if rule.name in ("sharpness", "source") and len(files) == 1 and files != {""}:
            continue
        if rule.name in VALUES:
            value, show = VALUES[rule.name]
            values = {id(image): value(image, left) for image in left}

            def better(a, b, values=values):
                return values[id(a)] > values[id(b)]
        else:
            better, show = BETTER[rule.name]
        best = [image for image in left if not any(better(other, image) for other in left)]
        rest = [image for image in left if not any(image is kept for kept in best)]
        if not rest:
            continue
        second = [image for image in rest if not any(better(other, image) for other in rest)]
        decided.append((rule.words, show, max(second, key=lambda image: image.area)))
        left = best
    reasons = [words.format(show(left[0]), show(other)) for words, show, other in decided]
    return left[0], ", then ".join(reasons)
