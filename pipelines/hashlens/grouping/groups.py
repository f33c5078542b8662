"""The groups of a collection, as a result to look at, tighten and draw.

::

    groups = index.groups(max_distance=8)
    for group in groups:
        print(group.keeper.path, group.reason, [member.path for member in group.duplicates])
    groups.rethreshold(4).to_pandas()
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from hashlens.cleanup.actions import DEFAULT_ACTION, default_folder
from hashlens.errors import ParameterError, require_flags
from hashlens.grouping.assign import (
    Apart,
    Assignment,
    Chosen,
    Gone,
    assign,
    none_apart,
    none_chosen,
    none_gone,
)
from hashlens.grouping.build import build_groups, build_links
from hashlens.grouping.collection import Collection, gc_paused
from hashlens.grouping.exact import Pixels, no_pixels
from hashlens.grouping.keepers import folders_of
from hashlens.grouping.linked import Linker
from hashlens.grouping.near import all_distances, borderline, near, pairs_of
from hashlens.grouping.scope import Terms
from hashlens.grouping.verify import Verifier
from hashlens.images.folders import inside
from hashlens.model import Doubt, Group, Link, Pair, Place, Progress, Skipped
from hashlens.names import as_text
from hashlens.neighbors.codes import Ints
from hashlens.report.records import ROW_FIELDS, group_rows

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from hashlens.cleanup.plan import Plan


@dataclass(frozen=True, eq=False)
class Groups(Sequence[Group]):
    """Groups of images that match each other, sorted by path; a sequence of `Group`.

    `terms`: what makes a group. `collection`: the images. `links`: pairs of images one of which
    shows a part of the other. `apart`: finds the pairs that are never in one group, by a decision.
    `absent`: finds the images whose files are gone; they are in no group. `pixels`: finds the
    digests of pixels by which exact groups are split. `chosen`: finds the images that a person has
    decided to keep. `verifier`: looks at the images of groups a second time; None: groups are by
    fingerprints alone. `home`: the directory of the index. `upright`: whether pictures are turned
    by EXIF for that look. Made by `ImageIndex.groups`.
    """

    terms: Terms
    collection: Collection = field(repr=False)
    links: tuple[Link, ...] = ()
    apart: Apart = field(default=none_apart, repr=False)
    absent: Gone = field(default=none_gone, repr=False)
    pixels: Pixels = field(default=no_pixels, repr=False)
    chosen: Chosen = field(default=none_chosen, repr=False)
    verifier: Verifier | None = field(default=None, repr=False)
    home: str = field(default="", repr=False)
    upright: bool = field(default=True, repr=False)

    @overload
    def __getitem__(self, index: int) -> Group: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Group, ...]: ...
    def __getitem__(self, index: int | slice) -> Group | tuple[Group, ...]:
        """Return a group by its number, or a slice of the groups."""
        return self.groups[index]

    def __len__(self) -> int:
        """Count the groups."""
        return len(self._assigned.groups)

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups; each is built when its turn comes, unless `groups` is known."""
        if "groups" in self.__dict__:
            return iter(self.groups)
        return build_groups(self.collection, self.terms, *self._by_rows)

    def __repr__(self) -> str:
        """Return the counts of groups and images, linkage and bound."""
        members = sum(map(len, self._assigned.groups))
        return (
            f"<{len(self)} groups of {members} images among {len(self.collection)}, "
            f"{self.terms.linkage} linkage, max_distance {self.max_distance:g}>"
        )

    @property
    def max_distance(self) -> float:
        """Return the bound: with complete linkage, all pairs of a group are within it."""
        return self.terms.max_distance

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Return all groups."""
        with gc_paused():
            return tuple(build_groups(self.collection, self.terms, *self._by_rows))

    @property
    def gone(self) -> list[str]:
        """Return the paths of files that are gone; if they were there, they would be in groups."""
        return [self.collection.paths[row] for row in self._assigned.gone.tolist()]

    @property
    def unmatched(self) -> list[str]:
        """Return the folders of the terms, by their options, in which there is no image."""
        named = [(f"between {folder}", folder) for folder in self.terms.between or ()]
        named += [(f"keep folder={folder}", folder) for folder in folders_of(self.terms.keep)]
        return [name for name, folder in named if not self.has_images_in(folder)]

    def has_images_in(self, folder: str) -> bool:
        """Return whether an image of the collection lies in a folder, or below."""
        return any(inside(folder)(self.collection.paths))

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Return the pairs that a second look has parted, by path; none without `verified`."""
        return self._looked[1]

    def verified(
        self,
        *,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Groups:
        """Return groups of images that also look the same when their files are read again.

        Each duplicate is compared with its keeper in colour and in detail. Those that differ leave,
        and are grouped among themselves; those that stay alone are in no group. `doubts` has the
        pairs that were parted, with the reason. Files of equal bytes or pixels are not read.
        `workers` files are looked at at a time (default: one for each processor).
        """
        if self.verifier:
            return self
        found = replace(self, verifier=Verifier(workers, progress, self.upright))
        found.__dict__["_hashed"] = self._hashed
        _ = found.doubts  # look now
        return found

    def with_links(self, parts: Iterable[tuple[int, int, Place]]) -> Groups:
        """Return these groups with links: rows of part and whole, and the place of the part.

        Left out are links within a group, links between two images on which there is a decision,
        and links that do not count by the terms.
        """
        labels = self._assigned.labels
        finders = self.apart, self.absent
        links = build_links(self.collection, self.terms, labels, *finders, list(parts))
        return replace(self, links=links)

    def rethreshold(self, max_distance: float) -> Groups:
        """Return the groups of the same images with another bound; the index is not read again.

        Groups that are `verified` are again: files are read for pairs of a keeper and a duplicate
        that were not looked at before, when the groups are first asked for, without a word on how
        far it is. Links stay as they are. Raises ParameterError for a bound that is not a distance.
        """
        verifier = replace(self.verifier, progress=None) if self.verifier else None
        terms = replace(self.terms, max_distance=max_distance)
        return replace(self, terms=terms, verifier=verifier)

    def records(self) -> list[dict[str, Any]]:
        """Return a record for each image in a group: group, keep, distance, path and its facts."""
        return list(group_rows(self))

    def to_pandas(self) -> pd.DataFrame:
        """Return `records` as a DataFrame; needs pandas."""
        return _pandas().DataFrame(self.records(), columns=ROW_FIELDS)

    def plan(
        self,
        action: str = DEFAULT_ACTION,
        *,
        to: str | os.PathLike[str] | None = None,
        protect: Iterable[str | os.PathLike[str]] = (),
        backup: str | os.PathLike[str] | None = None,
        hard_links: bool = False,
        partners: bool = True,
        verify: bool = True,
        links: bool = False,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Plan:
        """Return what to do with the duplicates, as `hashlens.make_plan` does.

        A quarantine is beside the directory of the index, unless `to` names a folder.

        Groups that are not `verified` are first, unless `verify` is False. With `links`, pictures
        join their keepers that show at least 95 % of them, and the other way round: mirrored,
        stretched or cut at the edges (see `hashlens.grouping.linked`); their files are always
        compared. Groups have no links to stretched copies that hash alike, unless they were found
        with `verify`. `workers` files are looked at at a time. Raises ParameterError for `links` of
        exact groups.
        """
        from hashlens.cleanup.plan import explained, make_plan  # noqa: PLC0415  for plans only

        require_flags(links=links)
        to = default_folder(action, self.home) if to is None else to
        how: Any = {"to": to, "protect": protect, "backup": backup}
        how |= {"hard_links": hard_links, "partners": partners}
        if links and self.terms.only:
            msg = f"links are not {self.terms.only} duplicates: leave out only, or links"
            raise ParameterError(msg)
        make_plan((), action, **how)  # refuses what cannot be used, before files are looked at
        found = self.verified(workers=workers, progress=progress) if verify else self
        if not links:
            return make_plan(found, action, **how, verify=False)
        finders = found.apart, found.chosen, found.doubts
        linker = Linker(
            found.collection, found.terms, *finders, workers, progress, upright=self.upright
        )
        groups, words = linker.add(found.groups, found.links)
        made = make_plan(groups, action, **how, verify=False)
        return replace(explained(made, words), doubts=(*found.doubts, *made.doubts))

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
            "images": f"{len(self.collection):,}",
            "max_distance": f"{self.max_distance:g}",
            "linkage": self.terms.linkage,
            "metric": self.terms.metric,
        }
        how: Any = {"title": title, "facts": facts, "workers": workers, "progress": progress}
        return save_html(path, self.groups, self.links, self.doubts, **how)

    def save_mosaics(
        self,
        folder: str | os.PathLike[str],
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[str]:
        """Write a PNG of each group and link to a folder; return the paths."""
        from hashlens.report.mosaic import save_mosaics  # noqa: PLC0415  loads Pillow

        return save_mosaics(folder, self.groups, self.links, progress=progress)

    def plot(self, count: int = 10) -> Image.Image:
        """Draw the first `count` groups, one below the other, as a picture; opens no window."""
        from hashlens.report.mosaic import draw_groups  # noqa: PLC0415  loads Pillow

        return draw_groups(self.groups[:count])

    def pairs(self) -> Iterator[Pair]:
        """Yield all pairs within the bound that count, in no certain order: the sparse matrix.

        Flat pictures, which all hash alike, are left out unless their files are equal.
        """
        for block in near(self.collection, self.terms, self.max_distance):
            yield from pairs_of(self.collection, self._assigned.labels, block)

    def borderline(self, count: int = 20) -> list[Pair]:
        """Return the `count` pairs nearest the bound, on either side: those to look at first.

        Pairs up to two bits beyond the bound are looked at. With complete linkage, the two images
        of a pair within the bound may be in different groups. In `verified` groups, the pairs that
        a second look has parted come first, with the reason.
        """
        parted = [
            Pair(doubt.first, doubt.second, doubt.distance, False, doubt.reason)
            for doubt in self.doubts[:count]
        ]
        known = {frozenset((pair.first, pair.second)) for pair in parted}
        nearest = borderline(self.collection, self.terms, self._assigned.labels, count)
        others = [pair for pair in nearest if frozenset((pair.first, pair.second)) not in known]
        return [*parted, *others][:count]

    def matrix(self) -> pd.DataFrame:
        """Return the distances of all images from all others, by path; needs pandas.

        Raises ParameterError for more than 5,000 images; `pairs` takes any number.
        """
        paths = as_text(self.collection.paths)
        distances = all_distances(self.collection, self.terms.metric)
        return _pandas().DataFrame(distances, index=paths, columns=paths)

    @property
    def _by_rows(self) -> tuple[list[Ints], Ints]:
        """Return the rows of each group, and those that a person has decided to keep."""
        return self._assigned.groups, self._assigned.chosen

    @property
    def _assigned(self) -> Assignment:
        return self._looked[0]

    @cached_property
    def _looked(self) -> tuple[Assignment, tuple[Doubt, ...]]:
        if self.verifier is None:
            return self._hashed, ()
        return self.verifier.verify(self.collection, self.terms, self._hashed)

    @cached_property
    def _hashed(self) -> Assignment:
        finders = self.apart, self.absent, self.pixels, self.chosen
        return assign(self.collection, self.terms, *finders)


def _pandas() -> Any:
    try:
        import pandas as pd  # noqa: PLC0415  an extra
    except ImportError as error:
        msg = "this needs pandas: pip install 'hashlens[demo]', or take records()"
        raise ParameterError(msg) from error
    return pd
