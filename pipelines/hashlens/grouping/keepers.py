"""Choose the image of a group to keep: rules in their order, and the reason in words.

>>> images = Member("a", "/a.jpg", "0", width=2, height=2), Member("b", "/b.png", "0")
>>> kept, reason = choose(images, rules("pixels"))
>>> kept.path, reason
('/a.jpg', 'most pixels (2x2 over 0x0)')
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, TypeVar

from hashlens.errors import ImageError, ParameterError
from hashlens.images.sharpness import sharpness
from hashlens.model import Member

# Formats that keep all pixels. Other formats may have kept them too, but do not say so.
LOSSLESS = frozenset(
    ("BMP", "DIB", "FITS", "PCX", "PNG", "PPM", "QOI", "SGI", "SUN", "TGA", "TIFF", "XBM", "XPM")
)
DEFAULT_RULES = ("pixels", "lossless", "bytes", "oldest", "path")


class Contender(NamedTuple):
    """An image that may be kept: `row` in its collection, and the facts that rules look at."""

    row: int
    path: str
    width: int
    height: int
    bytes: int
    mtime_ns: int
    frames: int
    format: str
    file_digest: str
    damaged: str = ""
    sharpness: float | None = None


Facts: TypeAlias = "Contender | Member"
Image = TypeVar("Image", Contender, Member)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: the images with the largest value are kept.

    `value`: of an image, to compare. `words`: the reason, with two places: for the image kept and
    the best of the others, as `show` writes them. `reads`: the rule reads files, so it is skipped
    if all files are equal.
    """

    name: str
    words: str
    value: Callable[[Facts], Any]
    show: Callable[[Facts], str]
    reads: bool = False


def rules(names: Iterable[str] | str = DEFAULT_RULES) -> tuple[Rule, ...]:
    """Return the rules with these names, or `folder=DIR`, in the order in which they decide.

    `pixels` (most), `lossless` (format), `bytes` (most), `sharpness` (highest variance of the
    Laplacian), `newest` or `oldest` (modification time), `folder=DIR` (in it, or below) and `path`
    (first by name), which is added as the last rule unless named. Before all of them, whatever
    names are given, stands the rule that a damaged file is not kept if there is a sound one. Raises
    ParameterError for an unknown name.
    """
    found = [SOUND, *(_rule(name) for name in rule_names(names))]
    if not any(rule.name == "path" for rule in found):
        found.append(_RULES["path"])
    return tuple(found)


def rule_names(names: Iterable[str] | str) -> tuple[str, ...]:
    """Return the names of rules from a list or a text with commas; raises ParameterError."""
    if not isinstance(names, Iterable):
        msg = f"rules of what to keep are a list of names, not {names!r}"
        raise ParameterError(msg)
    return tuple(names.split(",") if isinstance(names, str) else map(str, names))


def choose(images: Sequence[Image], order: Iterable[Rule]) -> tuple[Image, str]:
    """Return the image to keep, and the reason: the words of each rule that decided.

    The last rule leaves one image, as `path`, the last of `rules`, does.
    """
    left = images
    reasons = []
    for rule in order:
        if len(left) == 1:
            break
        if rule.reads and len({image.file_digest or id(image) for image in left}) == 1:
            continue
        values = list(map(rule.value, left))
        best = max(values)
        if values.count(best) == len(values):
            continue
        winners = [image for image, value in zip(left, values, strict=True) if value == best]
        second = max([value for value in values if value != best])
        over = rule.show(winners[0]), rule.show(left[values.index(second)])
        reasons.append(rule.words.format(*over))
        left = winners
    return left[0], ", then ".join(reasons)


def _rule(text: str) -> Rule:
    name, equals, value = text.strip().partition("=")
    if name == "folder" and value:
        folder = os.path.abspath(os.path.expanduser(value))
        inside = os.path.join(folder, "")
        return Rule(
            "folder",
            f"in {folder}".replace("{", "{{").replace("}", "}}"),
            lambda image: image.path.startswith(inside),
            lambda image: os.path.dirname(image.path),
        )
    if equals or name not in _RULES:
        msg = f"no rule {text!r} tells what to keep; known are {', '.join(_RULES)} and folder=DIR"
        raise ParameterError(msg)
    return _RULES[name]


def _size(image: Facts) -> str:
    return f"{image.width}x{image.height}"


def _date(image: Facts) -> str:
    when = datetime.fromtimestamp(image.mtime_ns / 1e9, tz=timezone.utc)
    return when.isoformat(sep=" ", timespec="milliseconds").partition("+")[0]


def _sharpness(image: Facts) -> float:
    if image.sharpness is not None:
        return image.sharpness
    key = image.file_digest or image.path, image.mtime_ns
    if key not in _measured:
        try:
            _measured[key] = round(sharpness(image.path), 3)
        except ImageError:
            return -1.0  # not remembered: an equal file may be readable
    return _measured[key]


def _sharpness_text(image: Facts) -> str:
    found = _sharpness(image)
    return f"{found:.1f}" if found >= 0 else "a file that cannot be read"


_measured: dict[tuple[str, int], float] = {}  # sharpness by file: each is measured once


class _First(str):
    """A text whose order is reversed, so that `max` takes the first by name."""

    __slots__ = ()

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


SOUND = Rule(
    "sound",
    "not damaged (the other: {1})",
    lambda image: not image.damaged,
    lambda image: image.damaged,
)
_RULES = {
    rule.name: rule
    for rule in (
        Rule("pixels", "most pixels ({} over {})", lambda image: image.width * image.height, _size),
        Rule(
            "lossless",
            "lossless format ({} over {})",
            lambda image: image.format in LOSSLESS,
            lambda image: image.format or "unknown",
        ),
        Rule(
            "bytes",
            "most bytes ({} over {})",
            attrgetter("bytes"),
            lambda image: f"{image.bytes:,}",
        ),
        Rule(
            "sharpness",
            "sharpest ({} over {})",
            _sharpness,
            _sharpness_text,
            reads=True,
        ),
        Rule("newest", "newest ({} over {})", attrgetter("mtime_ns"), _date),
        Rule("oldest", "oldest ({} over {})", lambda image: -image.mtime_ns, _date),
        Rule(
            "path",
            "first by path",
            lambda image: _First(image.path),
            attrgetter("path"),
        ),
    )
}
