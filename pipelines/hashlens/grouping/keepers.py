"""Which image of a group is kept: rules in an order, and the reason in words.

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
from typing import Any

from hashlens.errors import ImageError, ParameterError
from hashlens.images.sharpness import sharpness
from hashlens.model import Member

# Formats whose pixels are those that were saved; the others may be, and nobody can tell.
LOSSLESS = frozenset(
    ("BMP", "DIB", "FITS", "PCX", "PNG", "PPM", "QOI", "SGI", "SUN", "TGA", "TIFF", "XBM", "XPM")
)
DEFAULT_RULES = ("pixels", "lossless", "bytes", "sharpness", "oldest", "path")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: the images with the largest `value` are kept; `words` say why, with `show`.

    One that `reads` the files is passed over where these are equal.
    """

    name: str
    words: str
    value: Callable[[Member], Any]
    show: Callable[[Member], str]
    reads: bool = False


def rules(names: Iterable[str] | str = DEFAULT_RULES) -> tuple[Rule, ...]:
    """Read rules: names, or `folder=DIR`, in the order in which they decide.

    `pixels` (most), `lossless` (format), `bytes` (most), `sharpness` (highest variance of the
    Laplacian), `newest` or `oldest` (modification time), `folder=DIR` (in it, or below) and `path`
    (first by name), which decides at last in any case. Raises ParameterError for any other.
    """
    found = [_rule(name) for name in rule_names(names)]
    if not any(rule.name == "path" for rule in found):
        found.append(_RULES["path"])
    return tuple(found)


def rule_names(names: Iterable[str] | str) -> tuple[str, ...]:
    """Return the names of rules, which may be one text with commas; raises ParameterError."""
    if not isinstance(names, Iterable):
        msg = f"rules of what to keep are a list of names, not {names!r}"
        raise ParameterError(msg)
    return tuple(names.split(",") if isinstance(names, str) else map(str, names))


def choose(members: Sequence[Member], order: Iterable[Rule]) -> tuple[Member, str]:
    """Return the image to keep, and the reason: what each rule that decided says.

    The last of the rules leaves one image, as that of `rules` does.
    """
    left = members
    reasons = []
    for rule in order:
        if len(left) == 1:
            break
        if rule.reads and len({member.file_digest or id(member) for member in left}) == 1:
            continue
        values = list(map(rule.value, left))
        best = max(values)
        winners = [member for member, value in zip(left, values, strict=True) if value == best]
        if len(winners) < len(left):
            second = max(value for value in values if value != best)
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
            lambda member: member.path.startswith(inside),
            lambda member: os.path.dirname(member.path),
        )
    if equals or name not in _RULES:
        msg = f"no rule {text!r} tells what to keep; known are {', '.join(_RULES)} and folder=DIR"
        raise ParameterError(msg)
    return _RULES[name]


def _size(member: Member) -> str:
    return f"{member.width}x{member.height}"


def _date(member: Member) -> str:
    when = datetime.fromtimestamp(member.mtime_ns / 1e9, tz=timezone.utc)
    return when.isoformat(sep=" ", timespec="milliseconds").partition("+")[0]


def _sharpness(member: Member) -> float:
    if member.sharpness is not None:
        return member.sharpness
    key = member.file_digest or member.path, member.mtime_ns
    if key not in _measured:
        try:
            _measured[key] = round(sharpness(member.path), 3)
        except ImageError:
            return -1.0  # nothing speaks for a file that cannot be read; an equal one may be
    return _measured[key]


def _sharp(member: Member) -> str:
    found = _sharpness(member)
    return f"{found:.1f}" if found >= 0 else "a file that cannot be read"


_measured: dict[tuple[str, int], float] = {}  # once for each file, however many ask


class _First(str):
    """A text of which the smallest is the largest: `max` takes the first by name."""

    __slots__ = ()

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


_RULES = {
    rule.name: rule
    for rule in (
        Rule("pixels", "most pixels ({} over {})", lambda member: member.pixels, _size),
        Rule(
            "lossless",
            "lossless format ({} over {})",
            lambda member: member.format in LOSSLESS,
            lambda member: member.format or "unknown",
        ),
        Rule(
            "bytes",
            "most bytes ({} over {})",
            lambda member: member.bytes,
            lambda member: f"{member.bytes:,}",
        ),
        Rule(
            "sharpness",
            "sharpest ({} over {})",
            _sharpness,
            _sharp,
            reads=True,
        ),
        Rule("newest", "newest ({} over {})", lambda member: member.mtime_ns, _date),
        Rule("oldest", "oldest ({} over {})", lambda member: -member.mtime_ns, _date),
        Rule(
            "path",
            "first by path",
            lambda member: _First(member.path),
            lambda member: member.path,
        ),
    )
}
