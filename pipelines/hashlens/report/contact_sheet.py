"""A report in one HTML file: the contact sheet of groups of duplicates, and of parts of pictures.

The file has all that it shows: data as JSON in `<script>` elements, which the code of the page
reads, and no address from which anything would be loaded.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeAlias

from hashlens.disk import saved
from hashlens.errors import ParameterError
from hashlens.model import Group, Link, Member, Progress, Skipped
from hashlens.parallel.pool import Crashed, Results, schedule
from hashlens.report.thumbnails import Thumbnail, ThumbnailJob, ThumbnailMaker, side_of

PAGE = "page.html"
TITLE, DATA = "<!-- title -->", "<!-- data -->"  # where they go in the page
PICTURES = 16  # thumbnails in a block: the page decodes those blocks only that it shows
RECORDS = 1_000  # groups or links in a block

Sizes: TypeAlias = "dict[str, tuple[int, int]]"


def save_html(
    path: str | os.PathLike[str],
    groups: Sequence[Group],
    links: Sequence[Link] = (),
    *,
    title: str = "hashlens",
    facts: Mapping[str, object] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Skipped]:
    """Write groups and links to one HTML file that shows them; return the files it cannot show.

    Each image is shown by a thumbnail, with its name, folder, distance from the keeper, size,
    format and sharpness; links with the outline of the part in the whole. `facts` are further
    lines of the head, by their names. The file needs no other and no network. It is complete when
    it gets its name; a file of that name is replaced. Thumbnails are made in parallel: `workers`
    is how many at a time (default: one for each processor). A file that cannot be read is a grey
    tile that says why. The same input gives the same bytes. Raises ParameterError where the file
    cannot be written.
    """
    members = _members(groups, links)
    numbers = {name: number for number, name in enumerate(members)}
    before, _, after = _page().replace(TITLE, html.escape(title)).partition(DATA)
    with _replacing(path) as file:
        file.write(before)
        head = {"title": title, "facts": _texts(facts or {}), "block": PICTURES}
        _write(file, "head", [head])
        for records in _cut((_group(group, numbers) for group in groups), RECORDS):
            _write(file, "groups", records)
        sizes, skipped = _write_images(file, members, workers, progress)
        for records in _cut((_link(link, numbers, sizes) for link in links), RECORDS):
            _write(file, "links", records)
        file.write(after)
    return skipped


def _members(groups: Sequence[Group], links: Sequence[Link]) -> dict[str, Member]:
    """Return each image once, by its path, in the order in which they are met."""
    members: dict[str, Member] = {}
    for group in groups:
        for member in group.members:
            members.setdefault(member.path, member)
    for link in links:
        for member in (link.whole, link.part):
            members.setdefault(member.path, member)
    return members


def _page() -> str:
    return resources.files("hashlens.report").joinpath(PAGE).read_text("utf-8")


def _texts(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in facts.items()]


def _group(group: Group, numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "diameter": group.diameter,
        "reason": group.reason,
        "members": [(numbers[member.path], member.distance) for member in group.members],
    }


def _link(link: Link, numbers: Mapping[str, int], sizes: Sizes) -> dict[str, Any]:
    """Return the record of a link: the outline in fractions of the whole."""
    place = link.place
    width, height = sizes[link.whole.path]
    return {
        "part": numbers[link.part.path],
        "whole": numbers[link.whole.path],
        "outline": [(round(x / width, 4), round(y / height, 4)) for x, y in place.outline],
        "inliers": place.inliers,
        "agreement": place.agreement,
        "mirrored": place.mirrored,
    }


def _write_images(
    file: IO[str],
    members: Mapping[str, Member],
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[Sizes, list[Skipped]]:
    """Write the records and thumbnails of all images, as they are made."""
    wanted = [ThumbnailJob(member.path, member.sharpness is None) for member in members.values()]
    chosen = schedule(len(wanted), workers)
    look = ThumbnailMaker(side_of(len(wanted)), apart=chosen.kind in ("fork", "processes"))
    sizes: Sizes = {}
    skipped: list[Skipped] = []
    with Results(look, wanted, chosen) as results:
        done = zip(members.values(), results, strict=True)
        for block in _cut(done, PICTURES):
            records, pictures = [], []
            for member, seen in block:
                record, picture = _image(member, seen)
                records.append(record)
                pictures.append(picture)
                sizes[member.path] = (record["width"] or 1, record["height"] or 1)
                if record["error"]:
                    skipped.append(Skipped(member.path, record["error"]))
                if progress:
                    progress(Progress(len(sizes), len(members), member.path))
            _write(file, "images", records)
            _write(file, "pictures", pictures)
    return sizes, skipped


def _image(member: Member, seen: Thumbnail | Crashed) -> tuple[dict[str, Any], str]:
    """Return the record of an image and its thumbnail: what its row says goes before the file."""
    if isinstance(seen, Crashed):
        seen = Thumbnail(reason=seen.reason)
    sharpness = seen.sharpness if member.sharpness is None else member.sharpness
    record = {
        "path": member.path,
        "uri": Path(os.path.abspath(member.path)).as_uri(),
        "width": member.width or seen.width,
        "height": member.height or seen.height,
        "bytes": member.bytes or seen.bytes,
        "format": member.format or seen.format,
        "sharpness": None if sharpness is None else round(sharpness, 1),
        "error": seen.reason,
    }
    return record, seen.thumbnail


def _cut(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Yield so many items at a time."""
    while block := list(islice(items, size)):
        yield block


def _write(file: IO[str], kind: str, records: Sequence[Any]) -> None:
    """Write records as JSON, which an HTML parser takes for text up to the end of the element."""
    text = json.dumps(records, separators=(",", ":")).replace("<", "\\u003c")
    file.write(f'<script type="application/json" data-kind="{kind}">{text}</script>\n')


@contextmanager
def _replacing(path: str | os.PathLike[str]) -> Iterator[IO[str]]:
    """Open a file beside another, and put it in its place when all is written."""
    try:
        # A title may have what is no text, from a file's name.
        with saved(path, errors="backslashreplace") as file:
            yield file
    except OSError as error:
        msg = f"no report can be written to {os.fspath(path)}: {error.strerror or error}"
        raise ParameterError(msg) from error
