"""The groups of a collection, as a result that can be looked at, tightened and drawn.

::

    groups = index.groups(max_distance=8)
    for group in groups:
        print(group.keeper.path, group.reason, [member.path for member in group.duplicates])
    groups.rethreshold(4).to_pandas()
"""

from __future__ import annotations

import heapq
import math
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError
from hashlens.grouping.assign import Apart, assign, members, near
from hashlens.grouping.collection import Collection, uncollected
from hashlens.grouping.keepers import Rule, choose, rules
from hashlens.grouping.measure import bonds, widest
from hashlens.grouping.scope import Scope, Terms
from hashlens.hashing.metrics import distance
from hashlens.model import Group, Link, Member, Pair, Place, Progress, Skipped
from hashlens.neighbors import pack
from hashlens.neighbors.codes import Ints

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from hashlens.cleanup.plan import Plan

MOST_OF_MATRIX = 5_000  # images: 200 MB
RECORD = (
    "group",
    "keep",
    *("distance", "path", "width", "height", "bytes", "format"),  # of each member
    "diameter",
    "reason",
)
AT_ONCE = 1_000  # groups whose images are made together
MANY = 64  # fingerprints whose distances numpy takes sooner
MARGIN = 2  # bits beyond the bound in which borderline pairs are looked for


def _nothing_apart(_: Collection, __: Ints) -> Ints:
    return np.empty((0, 2), np.int64)


@dataclass(frozen=True, eq=False)
class Groups(Sequence[Group]):
    """Groups of images that match each other, sorted by path; a sequence of `Group`.

    `links` are pairs of which one shows a part of the other. Made by `ImageIndex.groups`.
    """

    terms: Terms
    table: Collection = field(repr=False)
    links: tuple[Link, ...] = ()
    apart: Apart = field(default=_nothing_apart, repr=False)

    @overload
    def __getitem__(self, index: int) -> Group: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Group, ...]: ...
    def __getitem__(self, index: int | slice) -> Group | tuple[Group, ...]:
        """Return a group by its number, or some."""
        return self.groups[index]

    def __len__(self) -> int:
        """Count the groups."""
        return len(self._rows)

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups; they are made as they are asked for, if `groups` is not known yet."""
        return iter(self.groups) if "groups" in self.__dict__ else self._made()

    def __repr__(self) -> str:
        """Tell what was found."""
        members = sum(map(len, self._rows))
        return (
            f"<{len(self)} groups of {members} images among {len(self.table)}, "
            f"{self.terms.linkage} linkage, max_distance {self.max_distance:g}>"
        )

    @property
    def max_distance(self) -> float:
        """Return the bound: all pairs of a group are within it (complete linkage)."""
        return self.terms.max_distance

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Return the groups."""
        with uncollected():
            return tuple(self._made())  # all, and none is garbage

    def with_links(self, parts: Iterable[tuple[int, int, Place]]) -> Groups:
        """Return these groups with links: rows of part and whole, and the place of the part.

        Left out are those within a group, those on which there is a decision, and those that do not
        count by the terms.
        """
        listed = list(parts)
        ends = np.array([(part, whole) for part, whole, _ in listed], np.int64).reshape(-1, 2)
        every = np.arange(len(self.table))
        admits = Scope(self.table, self.terms).admits(every, every)
        counts = admits(*ends.T) if admits else np.ones(len(ends), bool)
        counts &= self._label[ends[:, 0]] != self._label[ends[:, 1]]
        barred = {frozenset(pair) for pair in self.apart(self.table, np.unique(ends)).tolist()}
        both = iter(self.table.members(ends.ravel()))
        links = []
        for (part, whole, place), counted in zip(listed, counts.tolist(), strict=True):
            ours = next(both), next(both)
            if counted and frozenset((part, whole)) not in barred:
                away = self._distance(ours[0].fingerprint, ours[1].fingerprint)
                links.append(Link(replace(ours[0], distance=away), ours[1], place))
        links.sort(key=lambda link: (link.whole.path, link.part.path))
        return replace(self, links=tuple(links))

    def rethreshold(self, max_distance: float) -> Groups:
        """Return the groups of the same images with another bound; nothing is read again.

        Links stay as they are. Raises ParameterError for what is no distance.
        """
        return replace(self, terms=replace(self.terms, max_distance=max_distance))

    def records(self) -> list[dict[str, Any]]:
        """Return a record for each image in a group: group, keep, distance, path and its facts."""
        return [
            {
                "group": number,
                "keep": member is group.keeper,
                **{name: getattr(member, name) for name in RECORD[2:-2]},
                "diameter": group.diameter,
                "reason": group.reason if member is group.keeper else "",
            }
            for number, group in enumerate(self, 1)
            for member in group.members
        ]

    def to_pandas(self) -> pd.DataFrame:
        """Return `records` as a DataFrame; needs pandas."""
        return _pandas().DataFrame(self.records(), columns=RECORD)

    def plan(
        self,
        action: str,
        *,
        to: str | None = None,
        protect: Iterable[str] = (),
        backup: str | None = None,
    ) -> Plan:
        """Return what to do with the duplicates, as `hashlens.make_plan` does."""
        from hashlens.cleanup.plan import make_plan  # noqa: PLC0415  looking needs none

        return make_plan(self, action, to=to, protect=protect, backup=backup)

    def save_html(
        self,
        path: str | os.PathLike[str],
        *,
        title: str = "hashlens",
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[Skipped]:
        """Write the contact sheet, one HTML file that needs no network; see `hashlens.report`."""
        from hashlens.report.contact_sheet import save_html  # noqa: PLC0415  loads Pillow

        facts = {
            "images": f"{len(self.table):,}",
            "max_distance": f"{self.max_distance:g}",
            "linkage": self.terms.linkage,
            "metric": self.terms.metric,
        }
        how: Any = {"title": title, "facts": facts, "workers": workers, "progress": progress}
        return save_html(path, self.groups, self.links, **how)

    def save_mosaics(
        self,
        folder: str | os.PathLike[str],
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[str]:
        """Write a PNG of each group and link to a folder; returns the paths."""
        from hashlens.report.mosaic import save_mosaics  # noqa: PLC0415

        return save_mosaics(folder, self.groups, self.links, progress=progress)

    def plot(self, count: int = 10) -> Image.Image:
        """Draw the first groups, one below the other, as a picture; opens no window."""
        from hashlens.report.mosaic import mosaic  # noqa: PLC0415
        from hashlens.report.tiles import lay_out  # noqa: PLC0415  loads Pillow

        if not len(self):
            msg = "there is no group to draw"
            raise ParameterError(msg)
        return lay_out([mosaic(group.members) for group in self.groups[:count]], 1)

    def pairs(self) -> Iterator[Pair]:
        """Yield all pairs within the bound that count, in no certain order: the sparse matrix.

        Flat pictures, which all hash alike, are left out unless their files are equal.
        """
        for block in near(self.table, self.terms, self.max_distance):
            yield from self._named(*block)

    def borderline(self, count: int = 20) -> list[Pair]:
        """Return the pairs nearest the bound, on either side of it: those to look at first.

        Pairs up to two bits beyond the bound are looked at; a pair within it may be in no group,
        where complete linkage has put each of the two into another.
        """
        middle = self.max_distance + 0.5
        order = sorted(range(len(self.table)), key=self.table.paths.__getitem__)
        names = [self.table.paths[row] for row in order]
        rank = np.argsort(order)
        found: list[Pair] = []
        last = math.inf, len(names)
        for a, b, away in near(self.table, self.terms, self.max_distance + MARGIN):
            # Of the pairs of many equal images, all but a few are passed over here.
            off, first = np.abs(away - middle), np.minimum(rank[a], rank[b])
            nearer = (off < last[0]) | (off == last[0]) & (first < last[1])
            found = heapq.nsmallest(
                count,
                [*found, *self._named(a[nearer], b[nearer], away[nearer])],
                key=lambda pair: (abs(pair.distance - middle), pair.first, pair.second),
            )
            if len(found) == count:
                last = abs(found[-1].distance - middle), bisect_right(names, found[-1].first)
        return found

    def matrix(self) -> pd.DataFrame:
        """Return the distances of all images from all others, by path; needs pandas.

        Raises ParameterError for more than 5,000 images: take `pairs` then.
        """
        if len(self.table) > MOST_OF_MATRIX:
            msg = (
                f"a matrix of {len(self.table):,} images is too large; up to "
                f"{MOST_OF_MATRIX:,} fit, and pairs() gives the near ones of any number"
            )
            raise ParameterError(msg)
        return _pandas().DataFrame(
            self._distances(), index=self.table.paths, columns=self.table.paths
        )

    def _distances(self) -> NDArray[Any]:
        codes = self.table.codes
        if self.terms.metric == "hamming":
            found = np.zeros((len(codes), len(codes)), np.int64)
            for word in codes.T:
                found += np.bitwise_count(word[:, None] ^ word)
            return found
        texts = self.table.fingerprints()
        away = np.zeros((len(texts), len(texts)))
        a, b, far = bonds(texts, self.terms.metric, float("inf"))
        away[a, b] = away[b, a] = far
        return away

    def _named(self, a: Ints, b: Ints, away: NDArray[Any]) -> Iterator[Pair]:
        names, label = self.table.paths, self._label
        for one, other, far in zip(a.tolist(), b.tolist(), away.tolist(), strict=True):
            first, second = sorted((names[one], names[other]))
            yield Pair(first, second, far, bool(label[one] == label[other]))

    @cached_property
    def _label(self) -> Ints:
        """Return for each image the first of its group."""
        return assign(self.table, self.terms, self.apart)

    @cached_property
    def _rows(self) -> list[Ints]:
        """Return the rows of each group."""
        return members(self.table, self.terms, self._label)

    def _made(self) -> Iterator[Group]:
        """Make the groups, so many at a time that their images do not fill the memory."""
        order = rules(self.terms.keep)
        every = iter(self._rows)
        while some := list(islice(every, AT_ONCE)):
            with uncollected():
                members = iter(self.table.members(np.concatenate(some)))
                made = [self._group(list(islice(members, len(rows))), order) for rows in some]
            yield from made

    def _group(self, members: list[Member], order: Sequence[Rule]) -> Group:
        kept, reason = choose(members, order)
        members = [member for member in members if member is not kept]
        for member in members:
            if member.fingerprint != kept.fingerprint:
                away = self._distance(kept.fingerprint, member.fingerprint)
                object.__setattr__(member, "distance", away)  # made here, and not yet handed out
        if len(members) == 1:
            return Group((kept, *members), members[0].distance, reason)
        members.sort(key=lambda member: (member.distance, member.path))
        diameter = self._diameter({member.fingerprint for member in (kept, *members)})
        return Group((kept, *members), diameter, reason)

    def _distance(self, a: str, b: str) -> float:
        if self.terms.metric == "hamming":  # of what the table has checked
            return (int(a, 16) ^ int(b, 16)).bit_count()
        return 0 if a == b else distance(a, b, self.terms.metric)

    def _diameter(self, distinct: set[str]) -> float:
        if len(distinct) < MANY:
            return max((self._distance(a, b) for a, b in combinations(distinct, 2)), default=0)
        if self.terms.metric != "hamming":
            return widest(list(distinct), self.terms.metric)
        codes = pack(list(distinct))
        return int(max(np.bitwise_count(codes ^ code).sum(axis=1).max() for code in codes))


def _pandas() -> Any:
    try:
        import pandas as pd  # noqa: PLC0415  an extra
    except ImportError as error:
        msg = "this needs pandas: pip install 'hashlens[demo]', or take records()"
        raise ParameterError(msg) from error
    return pd
