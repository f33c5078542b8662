"""Build groups with their keepers, and links, from the rows of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from hashlens.grouping.assign import Apart, Gone
from hashlens.grouping.collection import Collection, gc_paused
from hashlens.grouping.keepers import Rule, choose, rules
from hashlens.grouping.measure import diameter, row_distances
from hashlens.grouping.scope import EXACT, Scope, Terms
from hashlens.model import Group, Link, Member, Place
from hashlens.neighbors.codes import Ints

AT_ONCE = 1_000  # groups whose images are built together, so that not all need memory at a time


def build_groups(collection: Collection, terms: Terms, groups: Sequence[Ints]) -> Iterator[Group]:
    """Yield the group of each array of rows."""
    order = rules(terms.keep)
    rest = iter(groups)
    while some := list(islice(rest, AT_ONCE)):
        with gc_paused():
            built = _built(collection, terms, some, order)
        yield from built


def build_links(
    collection: Collection,
    terms: Terms,
    labels: Ints,
    apart: Apart,
    gone: Gone,
    parts: Sequence[tuple[int, int, Place]],
) -> tuple[Link, ...]:
    """Return links from rows of part and whole and the place of the part, sorted by path.

    Left out are links within a group (`labels`: the group of each row), links between two images
    on which there is a decision, links of files that are gone, and links that do not count by the
    terms.
    """
    ends = np.array([(part, whole) for part, whole, _ in parts], np.int64).reshape(-1, 2)
    every = np.arange(len(collection))
    admits = Scope(collection, terms).admits(every, every)
    counts = admits(*ends.T) if admits else np.ones(len(ends), bool)
    counts &= labels[ends[:, 0]] != labels[ends[:, 1]]
    counts &= ~np.isin(ends, gone(collection, np.unique(ends))).any(axis=1)
    barred = {frozenset(pair) for pair in apart(collection, np.unique(ends)).tolist()}
    counts &= np.array([frozenset(pair) not in barred for pair in ends.tolist()], bool)
    part, whole = ends[counts].T
    links = map(
        Link,
        collection.excerpt(part).members(
            row_distances(collection, part, whole, terms.metric), [""] * len(part)
        ),
        collection.excerpt(whole).members([0] * len(whole), [""] * len(whole)),
        [parts[number][2] for number in np.flatnonzero(counts).tolist()],
    )
    return tuple(sorted(links, key=lambda link: (link.whole.path, link.part.path)))


def _built(
    collection: Collection, terms: Terms, groups: Sequence[Ints], order: Sequence[Rule]
) -> list[Group]:
    rows = np.concatenate(groups)
    sizes = [len(group) for group in groups]
    excerpt = collection.excerpt(rows)
    contenders = excerpt.contenders()
    chosen = [choose(list(islice(contenders, size)), order) for size in sizes]
    keepers = [kept.row for kept, _ in chosen]
    kept = np.repeat(keepers, sizes)
    distances = row_distances(collection, kept, rows, terms.metric)
    members = excerpt.members(distances, _same(collection, terms, rows, kept))
    return [
        _group(
            list(islice(members, len(group))), group.tolist().index(keeper), reason, terms.metric
        )
        for group, keeper, (_, reason) in zip(groups, keepers, chosen, strict=True)
    ]


def _same(collection: Collection, terms: Terms, rows: Ints, kept: Ints) -> list[str]:
    """Return what rows have in common with their keepers: `bytes`, `pixels` or ""."""
    files, pixels = (
        (digests[rows] == digests[kept]) & (digests[rows] != b"")
        for digests in (collection.file_digests, collection.pixel_digests)
    )
    if terms.only == EXACT:
        pixels[:] = True  # members without equal bytes are there for their pixels
    found = np.where(files, "bytes", np.where(pixels, "pixels", ""))
    found[rows == kept] = ""
    same: list[str] = found.tolist()
    return same


def _group(members: list[Member], keeper: int, reason: str, metric: str) -> Group:
    """Put the keeper first, the others by their distance from it."""
    kept = members.pop(keeper)
    if len(members) == 1:
        return Group((kept, members[0]), members[0].distance, reason)
    members.sort(key=lambda member: (member.distance, member.path))
    fingerprints = {member.fingerprint for member in (kept, *members)}
    return Group((kept, *members), diameter(fingerprints, metric), reason)
