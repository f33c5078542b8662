"""Draw mosaics: a picture for each group of duplicates, and for each link of part and whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from math import ceil, sqrt
from typing import TypeAlias

from PIL import Image, ImageDraw

from hashlens.errors import ParameterError
from hashlens.model import Group, Link, Member, Outline, Progress
from hashlens.names import text_of
from hashlens.report.tiles import COLORS, MARGIN, blank, captioned, fitted, lay_out, mark, save

LEAST, MOST = 16, 2048  # pixels of a side of an image
COLUMNS = 6  # at least; a mosaic of many images is about square
MOST_IMAGES = 400  # of a mosaic; a last tile counts the others
KEEP = "#14774a"
FRAME = 3  # pixels, within the margin

Shown: TypeAlias = "Member | str | os.PathLike[str]"


def save_mosaics(
    folder: str | os.PathLike[str],
    groups: Sequence[Group],
    links: Sequence[Link] = (),
    *,
    width: int = 128,
    height: int = 128,
    progress: Callable[[Progress], None] | None = None,
) -> list[str]:
    """Draw each group to `group-0001.png` and so on in a folder; return the paths of the files.

    The keeper comes first, in a frame; below each image are its distance from the keeper and its
    size. Links are `part-0001.png` and so on: the whole with the outline of the part, then the
    part. Images fit into `width` x `height` pixels. A missing folder is made; files of these names
    are replaced. Raises ParameterError for a size out of range, or if a file cannot be written.
    """
    _check(width, height)
    paths = [*_names(folder, "group", len(groups)), *_names(folder, "part", len(links))]
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        msg = f"no folder {os.fspath(folder)} can be made: {error.strerror or error}"
        raise ParameterError(msg) from error
    sheets = _sheets(groups, links, width, height)
    for number, (path, sheet) in enumerate(zip(paths, sheets, strict=True), 1):
        save(sheet, path)
        if progress:
            progress(Progress(number, len(paths), path))
    return paths


def draw_groups(groups: Sequence[Group]) -> Image.Image:
    """Draw groups, one below the other; raises ParameterError if there is none."""
    if not groups:
        msg = "there is no group to draw"
        raise ParameterError(msg)
    return lay_out([mosaic(group.members) for group in groups], 1)


def mosaic(
    images: Sequence[Shown],
    captions: Sequence[str] | None = None,
    *,
    width: int = 128,
    height: int = 128,
) -> Image.Image:
    """Draw the images of a group side by side, the first in a frame, each with a caption.

    Images are members of a group, or paths. A caption has two lines at most: by default, the
    distance and size of a member, or the name of a file. A file that cannot be read is a grey tile
    with the reason. Raises ParameterError unless there is an image, and a caption for each.
    """
    _check(width, height)
    if captions is None:
        captions = [_caption(image, is_first=not number) for number, image in enumerate(images)]
    if not images or len(images) != len(captions):
        msg = f"a mosaic takes an image or more, each with a caption, not {len(images)} images"
        msg += f" and {len(captions)} captions"
        raise ParameterError(msg)
    shown = list(zip(images, captions, strict=True))[:MOST_IMAGES]
    tiles = [captioned(_cell(_path(image), width, height), caption) for image, caption in shown]
    ImageDraw.Draw(tiles[0]).rectangle(_frame(width, height), None, KEEP, FRAME)
    if len(images) > len(tiles):
        tiles.append(captioned(blank(f"{len(images) - len(tiles):,} more", width, height), ""))
    return lay_out(tiles, max(COLUMNS, ceil(sqrt(len(tiles)))))


def _frame(width: int, height: int) -> tuple[int, int, int, int]:
    """Return the corners of the frame around the first image: in the margin of its tile."""
    return 0, 0, width + 2 * MARGIN - 1, height + 2 * MARGIN - 1


def _sheets(
    groups: Sequence[Group], links: Sequence[Link], width: int, height: int
) -> Iterator[Image.Image]:
    for group in groups:
        yield mosaic(group.members, width=width, height=height)
    for link in links:
        yield _pair(link, width, height)


def _pair(link: Link, width: int, height: int) -> Image.Image:
    """Draw the whole of a link with the outline of the part in it, and the part."""
    mirrored = ", mirrored" if link.place.mirrored else ""
    whole = _cell(link.whole.path, width, height, link.place.outline)
    part = _cell(link.part.path, width, height)
    captions = f"whole\n{_size(link.whole)}", f"part{mirrored}\n{_size(link.part)}"
    return lay_out([captioned(whole, captions[0]), captioned(part, captions[1])], COLUMNS)


def _cell(path: str, width: int, height: int, outline: Outline = ()) -> Image.Image:
    """Draw a file in the middle of a cell; `outline` is in pixels of the file."""
    picture, scale = fitted(path, width, height)
    cell = Image.new("RGB", (width, height), COLORS["paper"])
    left, top = (width - picture.width) // 2, (height - picture.height) // 2
    cell.paste(picture, (left, top))
    if outline and scale:
        mark(cell, [(left + x * scale, top + y * scale) for x, y in outline])
    return cell


def _path(image: Shown) -> str:
    return image.path if isinstance(image, Member) else os.fspath(image)


def _caption(image: Shown, *, is_first: bool) -> str:
    if not isinstance(image, Member):
        return text_of(os.path.basename(image))
    turn = f", {image.turn}" if image.turn else ""
    return f"{'keep' if is_first else f'distance {image.distance:g}{turn}'}\n{_size(image)}"


def _size(member: Member) -> str:
    return f"{member.width} x {member.height}" if member.pixels else ""


def _names(folder: str | os.PathLike[str], kind: str, count: int) -> list[str]:
    digits = max(4, len(str(count)))
    return [
        os.path.join(folder, f"{kind}-{number:0{digits}}.png") for number in range(1, count + 1)
    ]


def _check(width: int, height: int) -> None:
    for name, value in (("width", width), ("height", height)):
        if type(value) is not int or not LEAST <= value <= MOST:
            msg = f"{name} must be a whole number {LEAST} to {MOST}, not {value!r}"
            raise ParameterError(msg)
