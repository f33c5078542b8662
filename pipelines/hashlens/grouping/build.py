"""Build groups with their keepers, and links, from the rows of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise, repeat
from typing import Any

import numpy as np

from hashlens.grouping.assign import Apart, Gone
from hashlens.grouping.collection import Collection, gc_paused
from hashlens.grouping.keepers import CHOSEN, SOUND, choose_keepers, rules
from hashlens.grouping.many import many
from hashlens.grouping.measure import diameters, row_distances
from hashlens.grouping.rule import Rule
from hashlens.grouping.scope import EXACT, Scope, Terms
from hashlens.model import Group, Link, Place
from hashlens.neighbors.codes import Ints

AT_ONCE = 4_000  # groups whose images are built together, so that not all need memory at a time


def build_groups(
    collection: Collection, terms: Terms, groups: Sequence[Ints], chosen: Ints
) -> Iterator[Group]:
    """Yield the group of each array of rows; `chosen` are rows that a person wants to keep."""
    order, facts = rules_and_facts(collection, terms, chosen)
    rest = iter(groups)
    while some := list(islice(rest, AT_ONCE)):
        with gc_paused():
            built = _built(collection, terms, some, order, facts)
        yield from built


def rules_and_facts(
    collection: Collection, terms: Terms, chosen: Ints
) -> tuple[Sequence[Rule], Mapping[str, Any]]:
    """Return the rules by which keepers are chosen, and the facts that they see."""
    order, facts = rules(terms.keep), collection.facts()
    if len(chosen):
        order = (SOUND, CHOSEN, *order)  # what is damaged is never kept against a sound file
        facts["chosen"] = np.isin(np.arange(len(collection)), chosen)
    return order, facts


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
        collection.members(part, row_distances(collection, part, whole, terms.metric), repeat("")),
        collection.members(whole, repeat(0), repeat("")),
        [parts[number][2] for number in np.flatnonzero(counts).tolist()],
    )
    return tuple(sorted(links, key=lambda link: (link.whole.path, link.part.path)))


def _built(
    collection: Collection,
    terms: Terms,
    groups: Sequence[Ints],
    order: Sequence[Rule],
    facts: Mapping[str, Any],
) -> list[Group]:
    """Build groups: the keeper first, the others by their distance from it, then by path."""
    rows = np.concatenate(groups)
    sizes = np.fromiter(map(len, groups), np.int64, len(groups))
    group = np.repeat(np.arange(len(groups)), sizes)
    keepers, reasons = choose_keepers(facts, rows, group, order)
    kept = keepers[group]
    distances, turns = measured(collection, kept, rows, terms.metric)
    by = collection.path_order(rows), np.array(distances), rows != kept, group
    places = np.lexsort(by)
    rows, kept = rows[places], kept[places]
    near = map(distances.__getitem__, places.tolist())
    turned = map(turns.__getitem__, places.tolist()) if turns else repeat("")
    members = collection.members(rows, near, _same(collection, terms, rows, kept), turned)
    ends = np.cumsum(sizes).tolist()
    return many(
        Group,
        len(groups),
        members=[tuple(members[start:end]) for start, end in pairwise([0, *ends])],
        diameter=diameters(collection, rows, sizes, terms.metric),
        reason=reasons,
    )


def measured(
    collection: Collection, kept: Ints, rows: Ints, metric: str
) -> tuple[list[float], list[str]]:
    """Return the distances of rows from their keepers, and their turns; [] without turns."""
    if not collection.turned:
        return row_distances(collection, kept, rows, metric), []
    bits, turns = collection.turned.nearest(kept, rows)
    distances: list[float] = bits.tolist()
    own = (kept == rows).tolist()
    return distances, ["" if is_own else turn for is_own, turn in zip(own, turns, strict=True)]


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
