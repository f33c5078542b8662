"""Add to groups the pictures that show all of a keeper: mirrored, stretched or cut at the edges.

They come from links, so their fingerprints are far from the keeper's, and groups do not have them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hashlens.grouping.assign import Apart, Chosen
from hashlens.grouping.build import rules_and_facts
from hashlens.grouping.collection import Collection
from hashlens.grouping.keepers import choose_keepers
from hashlens.grouping.scope import Terms
from hashlens.images.second_look import SHAPES
from hashlens.model import Doubt, Group, Link, Member, Progress
from hashlens.neighbors.codes import Ints

LEAST_SHARED = 0.95  # share of the area of either picture that lies in the other
LEAST_AGREEMENT = 0.8  # share of the blocks that look the same


class Linked(NamedTuple):
    """A picture that shows all of another one, which is kept.

    row, keeper: rows of both
    member: the picture that is not kept
    kept: the keeper as a member
    shared: the least share of either picture that lies in the other
    words: why the picture is a duplicate
    reason: why the keeper is kept
    """

    row: int
    keeper: int
    member: Member
    kept: Member
    shared: float
    words: str
    reason: str


@dataclass(frozen=True)
class Linker:
    """Adds linked pictures to the groups of a collection.

    `apart`, `chosen`: find what a person has decided, as for groups. `doubts`: pairs that a second
    look has parted; no link joins them, unless only their shapes differ. `workers`: links that are
    looked at at a time. `progress`: called for each. `upright`: whether EXIF turns pictures.
    """

    collection: Collection
    terms: Terms
    apart: Apart
    chosen: Chosen
    doubts: Iterable[Doubt] = ()
    workers: int | None = None
    progress: Callable[[Progress], None] | None = None
    upright: bool = True

    def add(
        self, groups: Sequence[Group], links: Iterable[Link]
    ) -> tuple[list[Group], dict[str, str]]:
        """Return groups with the linked pictures, and by path why each of these is a duplicate.

        A picture is added if it is in no group, is not kept by a decision, and a second look, in
        its place in the keeper, sees no difference. The keeper of two linked pictures is chosen by
        the rules; it is the keeper of its group, or in no group. No picture is added twice, and
        none to which another one is linked as to its keeper. Groups keep their numbers; new groups
        come behind them.
        """
        found = self._allowed(groups, self._candidates(groups, links))
        members: dict[int, list[Linked]] = defaultdict(list)
        for item in found:
            members[item.keeper].append(item)
        joined = []
        for group in groups:
            added = members.pop(self._rows[group.keeper.id], [])
            more = (*group.members, *(item.member for item in added))
            joined.append(replace(group, members=more) if added else group)
        new = [
            Group((some[0].kept, *(item.member for item in some)), _widest(some), some[0].reason)
            for some in members.values()
        ]
        return [*joined, *new], {item.member.path: item.words for item in found}

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {uid: row for row, uid in enumerate(self.collection.ids)}

    def _candidates(self, groups: Sequence[Group], links: Iterable[Link]) -> list[Linked]:
        """Return the links by which a picture may go, with their keepers."""
        whole = list(self._whole(links))
        if not whole:
            return []
        rows = self._rows
        ends = np.array([(rows[link.part.id], rows[link.whole.id]) for link, _ in whole], np.int64)
        decided = self.chosen(self.collection, np.unique(ends))
        kept_first = np.array(sorted(decided), np.int64)
        order, facts = rules_and_facts(self.collection, self.terms, kept_first)
        numbers = np.repeat(np.arange(len(ends)), 2)
        keepers, reasons = choose_keepers(facts, ends.ravel(), numbers, order)
        keeping = {rows[group.keeper.id] for group in groups}
        grouped = {rows[member.id] for group in groups for member in group.members}
        stays = grouped | decided.keys()
        found = []
        for (link, shared), pair, keeper, reason in zip(
            whole, ends.tolist(), keepers.tolist(), reasons, strict=True
        ):
            keeps_part = keeper == pair[0]
            row = pair[1] if keeps_part else pair[0]
            may_keep = keeper in keeping or keeper not in grouped
            if may_keep and row not in stays:
                item = _linked(link, shared, row, keeper, reason, keeps_part=keeps_part)
                found.append((link, item))
        reasons_to_stay = self._differences([link for link, _ in found])
        return [
            item for (_, item), reason in zip(found, reasons_to_stay, strict=True) if not reason
        ]

    def _differences(self, links: Iterable[Link]) -> list[str]:
        """Return why the parts of links do not show the wholes, in their places; "" if they do."""
        from hashlens.crops.aligned import (  # noqa: PLC0415  loads OpenCV
            InPlace,
            differences_in_place,
        )

        pairs = [InPlace(link.part.path, link.whole.path, link.place) for link in links]
        return differences_in_place(pairs, self.workers, self.progress, upright=self.upright)

    def _whole(self, links: Iterable[Link]) -> Iterator[tuple[Link, float]]:
        """Yield the links of two pictures that show the same, and the least share they share."""
        from hashlens.crops.parts import shares  # noqa: PLC0415  loads OpenCV

        parted = {
            frozenset((doubt.first, doubt.second))
            for doubt in self.doubts
            if doubt.reason != SHAPES  # in its place, a picture has the shape of the other
        }
        for link in links:
            shared = min(shares(link.place))
            are_stills = link.part.frames == link.whole.frames == 1
            agree = link.place.agreement >= LEAST_AGREEMENT and shared >= LEAST_SHARED
            if agree and are_stills and frozenset((link.part.path, link.whole.path)) not in parted:
                yield link, shared

    def _allowed(self, groups: Sequence[Group], found: list[Linked]) -> list[Linked]:
        """Return the links that can be used together: each picture goes once, no keeper goes."""
        goes = {item.row for item in found}
        found = [item for item in found if item.keeper not in goes]
        found.sort(key=lambda item: (-item.shared, item.kept.path, item.member.path))
        best: dict[int, Linked] = {}
        for item in found:
            best.setdefault(item.row, item)
        rows = self._rows
        together = {item.keeper: {item.keeper} for item in best.values()}
        for group in groups:
            if (keeper := rows[group.keeper.id]) in together:
                together[keeper] |= {rows[member.id] for member in group.members}
        everyone: set[int] = set().union(*together.values(), best) if best else set()
        apart = self._apart(everyone)
        allowed = []
        for item in best.values():
            with_it = together[item.keeper]
            if not any(frozenset((item.row, other)) in apart for other in with_it):
                with_it.add(item.row)
                allowed.append(item)
        return sorted(allowed, key=lambda item: (item.kept.path, item.member.path))

    def _apart(self, rows: set[int]) -> set[frozenset[int]]:
        """Return the pairs of rows on which there is a decision."""
        asked: Ints = np.array(sorted(rows), np.int64)
        return {frozenset(pair) for pair in self.apart(self.collection, asked).tolist()}


def _linked(
    link: Link, shared: float, row: int, keeper: int, reason: str, *, keeps_part: bool
) -> Linked:
    """Return the picture of a link that goes, and the one that is kept."""
    goes, kept = (link.whole, link.part) if keeps_part else (link.part, link.whole)
    member = replace(goes, distance=link.part.distance)  # of both from each other
    words = f"shows {int(shared * 100)} % of {kept.path}"
    words += ", mirrored" if link.place.mirrored else ""
    return Linked(row, keeper, member, replace(kept, distance=0), shared, words, reason)


def _widest(items: Iterable[Linked]) -> float:
    return max(float(item.member.distance) for item in items)
