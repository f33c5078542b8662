"""The contact sheet: groups of duplicates, and links of parts to wholes, in one HTML file.

The file holds its data as JSON in `<script>` elements, which the code of the page reads. It has no
address from which anything would be loaded.
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
from hashlens.model import Doubt, Group, Link, Member, Progress, Skipped
from hashlens.names import text_of
from hashlens.parallel.pool import Crashed, Results, schedule
from hashlens.report.records import doubt_record, group_record, link_record, member_record, picked
from hashlens.report.thumbnails import Thumbnail, ThumbnailJob, ThumbnailMaker, side_of

PAGE = "page.html"
TITLE, DATA = "<!-- title -->", "<!-- data -->"  # their places in the page
PICTURES = 16  # thumbnails in a block: the page decodes only the blocks that it shows
RECORDS = 1_000  # groups or links in a block
LINK_FIELDS = ("part", "whole", "outline", "inliers", "agreement", "mirrored")
FACTS = ("width", "height", "bytes", "format")  # of an image, from its row or else from its file

Sizes: TypeAlias = "dict[str, tuple[int, int]]"


def save_html(
    path: str | os.PathLike[str],
    groups: Sequence[Group],
    links: Sequence[Link] = (),
    doubts: Sequence[Doubt] = (),
    *,
    title: str = "hashlens",
    facts: Mapping[str, object] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Skipped]:
    """Write groups, links and doubts to one HTML file; return the files it cannot show.

    Each image has a thumbnail, its name, folder, distance from the keeper, size, format and
    sharpness; each link has the outline of the part in the whole. A file that cannot be read is a
    grey tile with the reason. `facts` are further lines of the head, by their names. `workers` is
    how many thumbnails are made at a time (default: one for each processor).

    The HTML file needs no other file and no network. It replaces a file of its name when it is
    complete. The same input gives the same bytes. Raises ParameterError if it cannot be written.
    """
    members = _members(groups, links, doubts)
    numbers = {name: number for number, name in enumerate(members)}
    before, _, after = _page().replace(TITLE, html.escape(title)).partition(DATA)
    with _replacing(path) as file:
        file.write(before)
        head = {"title": title, "facts": _texts(facts or {}), "block": PICTURES}
        _write(file, "head", [head])
        for records in _blocks((_group(group, numbers) for group in groups), RECORDS):
            _write(file, "groups", records)
        sizes, skipped = _write_images(file, members, workers, progress)
        for records in _blocks((_link(link, numbers, sizes) for link in links), RECORDS):
            _write(file, "links", records)
        numbered = (doubt_record(doubt, numbers.__getitem__) for doubt in doubts)
        for records in _blocks(numbered, RECORDS):
            _write(file, "doubts", records)
        file.write(after)
    return skipped


def _members(
    groups: Sequence[Group], links: Sequence[Link], doubts: Sequence[Doubt]
) -> dict[str, Member]:
    """Return each image once, by its path, in the order of groups, links and doubts."""
    members: dict[str, Member] = {}
    for group in groups:
        for member in group.members:
            members.setdefault(member.path, member)
    for link in links:
        for member in (link.whole, link.part):
            members.setdefault(member.path, member)
    for doubt in doubts:
        for path in (doubt.first, doubt.second):
            members.setdefault(path, _member_of(path))
    return members


def _member_of(path: str) -> Member:
    """Return an image that is in no group: its thumbnail brings the facts."""
    return Member(id=path, path=path, fingerprint="", distance=0)


def _page() -> str:
    return resources.files("hashlens.report").joinpath(PAGE).read_text("utf-8")


def _texts(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in facts.items()]


def _group(group: Group, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Return the record of a group: its images by number, with their distances and turns."""

    def brief(member: Member) -> tuple[Any, ...]:
        turn = (member.turn,) if member.turn else ()
        return numbers[member.path], member.distance, *turn

    record = group_record(group, brief)
    members = [record["keeper"], *record["duplicates"]]
    return {**picked(record, ("diameter", "reason")), "members": members}


def _link(link: Link, numbers: Mapping[str, int], sizes: Sizes) -> dict[str, Any]:
    """Return the record of a link: its images by number, the outline in fractions of the whole."""
    width, height = sizes[link.whole.path]
    record = picked(link_record(link, lambda member: numbers[member.path]), LINK_FIELDS)
    outline = [(round(x / width, 4), round(y / height, 4)) for x, y in record["outline"]]
    return {**record, "outline": outline}


def _write_images(
    file: IO[str],
    members: Mapping[str, Member],
    workers: int | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[Sizes, list[Skipped]]:
    """Write the records and thumbnails of all images, as they are made."""
    jobs = [ThumbnailJob(member.path, member.sharpness is None) for member in members.values()]
    chosen = schedule(len(jobs), workers)
    maker = ThumbnailMaker(side_of(len(jobs)), dedicated=chosen.kind in ("fork", "processes"))
    sizes: Sizes = {}
    skipped: list[Skipped] = []
    with Results(maker, jobs, chosen) as results:
        done = zip(members.values(), results, strict=True)
        for block in _blocks(done, PICTURES):
            records, pictures = [], []
            for member, made in block:
                record, picture = _image(member, made)
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


def _image(member: Member, made: Thumbnail | Crashed) -> tuple[dict[str, Any], str]:
    """Return the record of an image and its thumbnail; the file's facts fill gaps of the row."""
    if isinstance(made, Crashed):
        made = Thumbnail(reason=made.reason)
    sharpness = made.sharpness if member.sharpness is None else member.sharpness
    row = member_record(member, FACTS)
    record = {
        "path": text_of(member.path),
        "uri": _uri(member.path),
        **{name: value or getattr(made, name) for name, value in row.items()},
        "sharpness": None if sharpness is None else round(sharpness, 1),
        **member_record(member, ("same", "frames", "damaged")),
        "error": text_of(made.reason),
    }
    return record, made.thumbnail


def _uri(path: str) -> str:
    """Return the URI of a file; characters that no name of a file can hold are escaped."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # a row that a foreign program wrote
        path = text_of(path)
    return Path(os.path.abspath(path)).as_uri()


def _blocks(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Yield the items in lists of `size`."""
    while block := list(islice(items, size)):
        yield block


def _write(file: IO[str], kind: str, records: Sequence[Any]) -> None:
    """Write records as JSON without `<`, so that no text of theirs ends the HTML element."""
    text = json.dumps(records, separators=(",", ":")).replace("<", "\\u003c")
    file.write(f'<script type="application/json" data-kind="{kind}">{text}</script>\n')


@contextmanager
def _replacing(path: str | os.PathLike[str]) -> Iterator[IO[str]]:
    """Open a new file that replaces another when it is complete; raises ParameterError."""
    try:
        # A title made of a file's name may have characters that UTF-8 cannot write.
        with saved(path, errors="backslashreplace") as file:
            yield file
    except OSError as error:
        msg = f"no report can be written to {os.fspath(path)}: {error.strerror or error}"
        raise ParameterError(msg) from error
