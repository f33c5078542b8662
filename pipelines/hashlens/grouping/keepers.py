"""Choose the image of each group to keep: rules in their order, and the reason in words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ImageError, ParameterError
from hashlens.grouping.majority import MAJORITY
from hashlens.grouping.originals import EXIF, ORIGINAL, TAKEN
from hashlens.grouping.rule import Facts, Rule, area_of, ranks, starts_of
from hashlens.grouping.size import PIXELS
from hashlens.grouping.source import SOURCE
from hashlens.images.folders import existing, inside
from hashlens.images.sharpness import sharpness
from hashlens.neighbors.codes import Ints

# Formats that keep all pixels. Other formats may have kept them too, but do not say so.
LOSSLESS = frozenset(
    ("BMP", "DIB", "FITS", "PCX", "PNG", "PPM", "QOI", "SGI", "SUN", "TGA", "TIFF", "XBM", "XPM")
)
DEFAULT_RULES = (
    *("original", "taken", "exif", "majority"),
    *("pixels", "source", "lossless", "bytes", "oldest", "path"),
)


def rules(names: Iterable[str] | str = DEFAULT_RULES) -> tuple[Rule, ...]:
    """Return the rules with these names, or `folder=DIR`, in the order in which they decide.

    `original` (as the camera wrote it), `taken` (first), `exif` (most facts), `majority` (turned as
    most of its group, which matters in groups with turned copies only), `pixels` (most; of
    stretched pictures, the shape of a camera's), `source` (the JPEG from which others were made),
    `lossless` (format), `bytes` (most), `sharpness` (highest variance of the Laplacian), `newest`
    or `oldest` (modification time),
    `folder=DIR` (in it, or below) and `path` (first by name), which is added as the last rule
    unless named. Before all of them, whatever names are given, stands the rule that a damaged file
    is not kept if there is a sound one. Raises ParameterError for an unknown name.
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
    found = names.split(",") if isinstance(names, str) else map(str, names)
    return tuple(name.strip() for name in found)


def keep_order(
    keep: Iterable[str] | str = (), keep_only: Iterable[str] | str | None = None
) -> tuple[str, ...]:
    """Return the names of the rules in their order: those of `keep`, then the default rules.

    `keep_only` stands in place of all of them. Raises ParameterError for both, for an unknown name
    and for a folder that is not there.
    """
    first = rule_names(keep)
    for folder in folders_of((*first, *rule_names(keep_only or ()))):
        existing(folder, f"keep folder={folder}")
    if keep_only is None:
        return tuple(dict.fromkeys((*first, *DEFAULT_RULES)))
    only = rule_names(keep_only)
    if not any(only):
        msg = "keep_only takes the place of all rules: name a rule at least"
        raise ParameterError(msg)
    if first:
        msg = (
            f"keep_only {', '.join(only)} takes the place of all rules, so it is given without "
            f"keep {', '.join(first)}"
        )
        raise ParameterError(msg)
    return only


def choose_keepers(
    columns: Mapping[str, Any], rows: Ints, groups: Ints, order: Iterable[Rule]
) -> tuple[Ints, list[str]]:
    """Return the row to keep of each group, and the reasons: the words of each rule that decided.

    `columns`: of a collection, as `Facts` has them. `groups`: the number of the group of each row,
    ascending from 0. The last rule leaves one row, as `path`, the last of `rules`, does; of rows
    with one path, the first is kept.
    """
    decisions: list[Decision] = []
    whole = Facts(columns, rows, groups)
    for rule in chain.from_iterable(rule.parts or (rule,) for rule in order):
        asked = np.flatnonzero(np.bincount(groups)[groups] > 1)
        if rule.reads and len(asked):
            asked = asked[_differ(columns["file_digest"][rows[asked]], groups[asked])]
        if len(asked):
            stays = np.ones(len(rows), bool)
            images = Facts(columns, rows[asked], groups[asked], whole)
            stays[asked], found = _decide(rule, images)
            decisions += found
            rows, groups = rows[stays], groups[stays]
    keepers = rows[starts_of(groups)]
    return keepers, _reasons(whole, keepers, decisions)


class Decision(NamedTuple):
    """A rule that has decided some groups.

    groups: their numbers, ascending.
    others: of each, the row of the best image that does not stay.
    """

    rule: Rule
    groups: Ints
    others: Ints


def _decide(rule: Rule, images: Facts) -> tuple[NDArray[np.bool_], list[Decision]]:
    """Return which images have the largest value of their group, and what is decided by that.

    Of the others, the best has the next value; of several with that value, it is the largest.
    """
    groups = images.groups
    starts = starts_of(groups)
    sizes = np.diff(starts, append=len(groups))
    found = np.asarray(rule.value(images))
    if found.dtype == bool and found.all() == found.any():
        return np.ones(len(groups), bool), []
    values = np.unique(found, return_inverse=True)[1]  # numbers from 0, in order
    is_best: NDArray[np.bool_] = values == np.repeat(np.maximum.reduceat(values, starts), sizes)
    others = np.where(is_best, -1, values)
    second = np.maximum.reduceat(others, starts)
    decided = second >= 0
    if not decided.any():
        return is_best, []
    is_next = ~is_best & (others == np.repeat(second, sizes))
    area = np.where(is_next, area_of(images), -np.inf)
    next_best = _first(is_next & (area == images.largest(area)), starts)[decided]
    return is_best, [Decision(rule, groups[starts[decided]], images.rows[next_best])]


def _reasons(whole: Facts, keepers: Ints, decisions: list[Decision]) -> list[str]:
    """Return for each keeper the words of the rules that have decided its group."""
    words: list[list[str]] = [[] for _ in keepers]
    for rule, groups, others in decisions:
        texts = (
            rule.show(Facts(whole.columns, rows, groups, whole))
            for rows in (keepers[groups], others)
        )
        for number, *over in zip(groups.tolist(), *texts, strict=False):  # nothing never ends
            words[number].append(rule.words.format(*over))
    return [", then ".join(each) for each in words]


def _differ(files: NDArray[np.bytes_], groups: Ints) -> NDArray[np.bool_]:
    """Return of each image whether the files of its group differ; unknown files differ."""
    starts = starts_of(groups)
    sizes = np.diff(starts, append=len(groups))
    same = (files == np.repeat(files[starts], sizes)) & (files != b"")
    return np.repeat(~np.logical_and.reduceat(same, starts), sizes)


def _first(mask: NDArray[np.bool_], starts: Ints) -> Ints:
    """Return the first position of each group at which a mask holds."""
    found: Ints = np.minimum.reduceat(np.where(mask, np.arange(len(mask)), len(mask)), starts)
    return found


def folders_of(names: Iterable[str]) -> list[str]:
    """Return the folders of the rules `folder=DIR` among some names."""
    found = (name.partition("=") for name in names)
    return [folder for name, _, folder in found if name == "folder" and folder]


def _rule(text: str) -> Rule:
    name, equals, value = text.strip().partition("=")
    if name == "folder" and value:
        holds = inside(value)
        folder = os.path.abspath(os.path.expanduser(value))
        return Rule(
            "folder",
            f"in {folder}".replace("{", "{{").replace("}", "}}"),
            lambda images: holds(images["path"]),
        )
    if equals or name not in _RULES:
        msg = f"no rule {text!r} tells what to keep; known are {', '.join(_RULES)} and folder=DIR"
        raise ParameterError(msg)
    return _RULES[name]


def _dates(images: Facts) -> Iterator[str]:
    for nanoseconds in images["mtime_ns"].tolist():
        when = datetime.fromtimestamp(nanoseconds / 1e9, tz=timezone.utc)
        yield when.isoformat(sep=" ", timespec="milliseconds").partition("+")[0]


def _sharpness(images: Facts) -> list[float]:
    found = []
    for each in zip(*_sharpness_columns(images), strict=True):
        found.append(_sharpness_of(*each))
        images.tell(len(found), len(images.rows), each[0])
    return found


def _sharpness_columns(images: Facts) -> tuple[list[str], list[bytes], list[int]]:
    return images["path"], images["file_digest"].tolist(), images["mtime_ns"].tolist()


def _sharpness_of(path: str, digest: bytes, mtime_ns: int) -> float:
    key = digest or path, mtime_ns
    if key not in _measured:
        try:
            _measured[key] = round(sharpness(path), 3)
        except ImageError:
            return -1.0  # not remembered: an equal file may be readable
    return _measured[key]


_measured: dict[tuple[bytes | str, int], float] = {}  # by file: each is measured once

CHOSEN = Rule("chosen", "as a person decided", itemgetter("chosen"))
SOUND = Rule(
    "sound",
    "not damaged (the other: {1})",
    lambda images: [not text for text in images["damaged"]],
    itemgetter("damaged"),
)
_RULES = {
    rule.name: rule
    for rule in (
        ORIGINAL,
        TAKEN,
        EXIF,
        MAJORITY,
        PIXELS,
        SOURCE,
        Rule(
            "lossless",
            "lossless format ({} over {})",
            lambda images: [name in LOSSLESS for name in images["format"]],
            lambda images: [name or "unknown" for name in images["format"]],
        ),
        Rule(
            "bytes",
            "most bytes ({:,} over {:,})",
            itemgetter("bytes"),
            lambda images: images["bytes"].tolist(),
        ),
        Rule(
            "sharpness",
            "sharpest ({} over {})",
            _sharpness,
            lambda images: [
                f"{found:.1f}" if found >= 0 else "a file that cannot be read"
                for found in map(_sharpness_of, *_sharpness_columns(images))
            ],
            reads=True,
        ),
        Rule("newest", "newest ({} over {})", itemgetter("mtime_ns"), _dates),
        # ~n is -n - 1: it sorts as -n does, and is never too large.
        Rule("oldest", "oldest ({} over {})", lambda images: ~images["mtime_ns"], _dates),
        Rule("path", "first by path", lambda images: -ranks(images["path"])),
    )
}
