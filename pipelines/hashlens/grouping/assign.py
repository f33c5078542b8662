"""Which images of a collection are in one group."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.grouping.collection import Collection, gc_paused
from hashlens.grouping.exact import Pixels, exact_labels, no_pixels
from hashlens.grouping.frames import unlike
from hashlens.grouping.linkage import Admits, link, link_bonds
from hashlens.grouping.measure import bonds
from hashlens.grouping.scope import EXACT, Scope, Terms
from hashlens.grouping.turned import Turned
from hashlens.model import LOW_INFORMATION
from hashlens.neighbors import unpack
from hashlens.neighbors.codes import Codes, Ints

MANY = 16  # files from which on their folder is listed
SHARE = 16  # if most of a folder's files are others, its listing takes longer than it saves

# Finds the pairs among some rows of a collection that a person has decided on; shape (k, 2).
Apart = Callable[[Collection, Ints], Ints]
# Finds the rows that a person has decided to keep, with the digest of the picture of each.
Chosen = Callable[[Collection, Ints], dict[int, str]]
# Finds the rows among some rows of a collection whose files are gone.
Gone = Callable[[Collection, Ints], Ints]


class Assignment(NamedTuple):
    """Which images are in one group.

    `labels`: for each row the first row of its group. `groups`: the rows of each group that counts,
    sorted by their first rows. `gone`: rows that would be in groups if their files were there.
    `chosen`: rows that a person has decided to keep, in ascending order.
    """

    labels: Ints
    groups: list[Ints]
    gone: Ints
    chosen: Ints


def none_apart(_: Collection, __: Ints) -> Ints:
    """Return no pairs: nothing is decided."""
    return np.empty((0, 2), np.int64)


def none_chosen(_: Collection, __: Ints) -> dict[int, str]:
    """Return no rows: nobody has decided."""
    return {}


def none_gone(_: Collection, __: Ints) -> Ints:
    """Return no rows: no file is looked for."""
    return np.empty(0, np.int64)


def files_gone(collection: Collection, rows: Ints) -> Ints:
    """Return the rows whose files are gone.

    A folder of many files is listed: to look for each file takes several times as long, and much
    longer on a network. Links, and files that are not listed by their names, are looked for.
    """
    paths = collection.paths
    folders: dict[str, list[int]] = {}
    for row in rows.tolist():
        folders.setdefault(paths[row].rpartition(os.sep)[0], []).append(row)
    gone: list[int] = []
    for folder, files in folders.items():
        listed = _listed(folder, len(files) * SHARE) if len(files) >= MANY else ()
        names = (paths[row].rpartition(os.sep)[2] for row in files)
        unlisted = [row for row, name in zip(files, names, strict=True) if name not in listed]
        gone += [row for row in unlisted if _is_gone(paths[row])]
    return np.array(sorted(gone), np.int64)


def _listed(folder: str, most: int) -> set[str]:
    """Return the names in a folder, of the first `most` of them, but for links."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in islice(entries, most) if not entry.is_symlink()}
    except (OSError, ValueError):
        return set()


def _is_gone(path: str) -> bool:
    """Return whether no file is at a path; one that must not be looked at is not gone."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def assign(
    collection: Collection,
    terms: Terms,
    apart: Apart = none_apart,
    gone: Gone = none_gone,
    pixels: Pixels = no_pixels,
    chosen: Chosen = none_chosen,
) -> Assignment:
    """Assign each image to a group.

    Images with the same fingerprint begin as one unit, but those in `apart` each as a unit of
    their own; units are joined by `hashlens.grouping.linkage`. Flat pictures are joined only if
    their files are equal. Files with different numbers of frames are in no group together, nor are
    files with as many frames that are not alike. Images that do not count by the terms are in no
    group, images whose files are gone neither, and a decision counts only if both its images are in
    groups without it. Different pictures of `chosen` are in no group together: each is to be kept.
    A damaged one of them is in no group with sound pictures: these are to be kept, too.
    By terms of `exact` groups, groups are split by the digests of `pixels`.
    """
    scope = Scope(collection, terms)
    barred = np.empty((0, 2), np.int64)
    absent = np.empty(0, np.int64)
    looked_for = np.zeros(len(collection), bool)
    while True:
        labels = _labels(collection, terms, scope, barred)
        # Files of images in no group are not looked for, and not read to find decisions. By what is
        # found, other images may come into groups; they are asked about next.
        grouped = np.flatnonzero(np.bincount(labels, minlength=len(labels))[labels] > 1)
        found = gone(collection, grouped[~looked_for[grouped]])
        looked_for[grouped] = True
        if len(found):
            absent = np.sort(np.concatenate([absent, found]))
            scope.leave_out(found)
            continue
        known = _united(barred, apart(collection, grouped))
        known = _united(known, unlike(collection, terms, labels, grouped))
        kept = chosen(collection, grouped)
        known = _united(known, _several(labels, kept))
        known = _united(known, _unsound(collection, labels, grouped, kept))
        if len(known) == len(barred):
            break
        barred = known
    if terms.only == EXACT:
        labels = exact_labels(collection, labels, grouped, pixels)
    return Assignment(labels, _groups(labels, scope), absent, np.array(sorted(kept), np.int64))


def _several(labels: Ints, chosen: Mapping[int, str]) -> Ints:
    """Return the pairs of different pictures to keep that are in one group; shape (k, 2)."""
    groups: dict[int, list[int]] = {}
    for row in sorted(chosen):
        groups.setdefault(int(labels[row]), []).append(row)
    found = [
        pair
        for rows in groups.values()
        for pair in combinations(rows, 2)
        if chosen[pair[0]] != chosen[pair[1]]
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def _unsound(collection: Collection, labels: Ints, rows: Ints, chosen: Mapping[int, str]) -> Ints:
    """Return the pairs of a damaged picture to keep and a sound one that are in one group.

    No decision takes a sound file away for a damaged one; shape (k, 2). Sound files with the same
    pixels are to be kept as well, and may stay.
    """
    found = [
        (min(row, other), max(row, other))
        for row, digest in sorted(chosen.items())
        if collection.damaged[row]
        for other in rows[labels[rows] == labels[row]].tolist()
        if not collection.damaged[other] and chosen.get(other) != digest
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def _groups(labels: Ints, scope: Scope) -> list[Ints]:
    """Return the rows of each group that counts."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    several = zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True)
    groups = (order[start : start + size] for start, size in several)
    return [rows for rows in groups if scope.has(rows)]


@gc_paused()
def _labels(collection: Collection, terms: Terms, scope: Scope, barred: Ints) -> Ints:
    """Return the first row of each image's group; barred pairs are in no group together."""
    marks = np.zeros(len(collection), np.int64)
    marks[barred.ravel()] = barred.ravel() + 1
    rows = np.flatnonzero((collection.information >= LOW_INFORMATION) & scope.images)
    frames = collection.numbers["frames"][rows]
    turned = collection.turned
    units = _units((turned.codes if turned else collection.codes)[rows], marks[rows], frames)
    firsts = rows[units.firsts]
    alike = partial(_are_alike, turned, firsts, terms.max_distance) if turned else None
    admits = _admits(scope.admits(units.numbers, rows), frames[units.firsts], alike)
    linked = _linked(collection, terms, admits, rows, units, barred)
    labels = np.arange(len(collection))
    labels[rows] = rows[units.firsts[linked]][units.numbers]
    flat, files = collection.flat_files(scope.images)
    labels[flat] = flat[np.unique(files, return_index=True)[1][files]]
    split = barred[labels[barred[:, 0]] == labels[barred[:, 1]]]  # flat ones: the others are apart
    labels[split] = split
    smallest = np.full(len(collection), len(collection))
    np.minimum.at(smallest, labels, np.arange(len(collection)))
    return smallest[labels]


def _admits(counts: Admits | None, frames: Ints, alike: Admits | None) -> Admits | None:
    """Return which pairs of units count: those of `counts` with as many frames; None if all do.

    Units of several frames must also be `alike`.
    """
    if (frames <= 1).all():
        alike = None
    if (frames == frames[:1]).all() and not alike:
        return counts
    return lambda a, b: (
        (frames[a] == frames[b])
        & (counts(a, b) if counts else True)
        & (alike(a, b) if alike else True)
    )


def _are_alike(turned: Turned, firsts: Ints, bound: float, a: Ints, b: Ints) -> NDArray[np.bool_]:
    """Return which pairs are within the bound; files of several frames only as they are."""
    near: NDArray[np.bool_] = turned.distances(firsts[a], firsts[b]) <= bound
    return near


def _linked(
    collection: Collection,
    terms: Terms,
    admits: Admits | None,
    rows: Ints,
    units: _Units,
    barred: Ints,
) -> Ints:
    """Return for each unit of some rows the first unit of its group."""
    number = np.full(len(collection), -1)
    number[rows] = units.numbers
    apart = number[barred]
    apart = apart[(apart >= 0).all(axis=1)]
    complete = terms.linkage == "complete"
    if collection.turned:
        codes, turns = collection.turned.codes[rows[units.firsts]], collection.turned.turns
        max_bits = int(min(terms.max_distance, turns.bits))
        how: Any = {"admits": admits, "apart": apart, "turns": turns}
        return link(codes, max_bits, complete=complete, **how)
    codes = collection.codes[rows[units.firsts]]
    if terms.metric == "hamming":
        max_bits = int(min(terms.max_distance, 64 * codes.shape[1]))
        return link(codes, max_bits, complete=complete, admits=admits, apart=apart)
    close = bonds(unpack(codes, collection.digits), terms.metric, terms.max_distance)
    return link_bonds(len(codes), close, complete=complete, admits=admits, apart=apart)


def _united(first: Ints, second: Ints) -> Ints:
    """Return the pairs of two lists, each once."""
    keys = np.concatenate([pairs[:, 0] << 32 | pairs[:, 1] for pairs in (first, second)])
    keys.sort()
    keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique would hash them, and these collide
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)


class _Units(NamedTuple):
    """Images by unit: `numbers`: the unit of each image; `firsts`: the first image of each."""

    numbers: Ints
    firsts: Ints


def _units(codes: Codes, marks: Ints, frames: Ints) -> _Units:
    """Return the units of images, numbered in the order of fingerprints.

    Images with one fingerprint and number of frames are a unit; each image with a mark is a unit of
    its own.
    """
    order = np.lexsort((frames, marks, *codes.T[::-1]))
    ordered = codes[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    for parts in (marks, frames):
        new[1:] |= np.diff(parts[order]) != 0
    units = np.empty(len(order), np.int64)
    units[order] = np.cumsum(new) - 1
    return _Units(units, order[new])
