"""Draw a collection on one sheet, each picture near its position, so that none hides another."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from math import ceil
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from hashlens.disk import saved_together
from hashlens.errors import ImageError, ParameterError
from hashlens.images import decode, pixels
from hashlens.model import Progress, Skipped
from hashlens.names import text_of
from hashlens.neighbors.codes import Ints, whole
from hashlens.parallel.pool import Crashed, Results, schedule
from hashlens.report.layout import Floats

Name: TypeAlias = "str | os.PathLike[str]"

FILL = 0.5  # the share of cells that hold a picture: free cells show where groups end
LEAST_CELL = 4  # pixels: nothing is seen of a smaller picture
MOST_CELL = 320  # pixels
GAP = 12  # the gap between two pictures is this part of a cell: a twelfth
PAPER = (24, 26, 30)
FRAME = (236, 236, 232)
FRAMED_FROM = 24  # pixels: a smaller picture would be all frame


def draw_atlas(
    paths: Sequence[str],
    positions: Any,
    *,
    width: int = 4000,
    height: int = 3000,
    tile: int | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Image.Image, list[Skipped]]:
    """Draw the pictures of some files at their positions, on a sheet of `width` x `height` pixels.

    `positions` has a point in [0, 1] for each path, x from the left and y from the top, as `layout`
    returns. Each picture gets a cell of its own near its position, so that none hides another
    wholly. `tile` is the longer side of a picture in pixels (default: by the number of pictures); a
    larger tile overlaps its neighbours, from the top left on. `workers` is how many files are read
    at a time (default: one for each processor). Return the sheet, and the files that cannot be read
    in the order of paths; their cells stay empty. Raises ParameterError for arguments that cannot
    work.
    """
    points = _checked(len(paths), positions)
    sheet = Image.new("RGB", _size(width, height), PAPER)
    grid = _grid(len(paths), *sheet.size)
    side = grid.tile if tile is None else _tile(tile, sheet.size)
    middles = grid.middles(_cells(points, grid.columns, grid.rows))
    order = np.lexsort(middles.T).tolist()  # by rows
    skipped: dict[int, Skipped] = {}
    queue = [paths[number] for number in order]
    with Results(_Reader(side), queue, schedule(len(queue), workers)) as results:
        for done, (number, result) in enumerate(zip(order, results, strict=True), 1):
            if isinstance(result, Crashed):
                skipped[number] = Skipped(paths[number], result.reason)
            elif isinstance(result, Skipped):
                skipped[number] = result
            else:
                _paste(sheet, result, middles[number])
            if progress:
                progress(Progress(done, len(paths), paths[number]))
    return sheet, [skipped[number] for number in sorted(skipped)]


def save_atlas(
    path: Name, csv_path: Name | None, paths: Sequence[str], positions: Any, **options: Any
) -> list[Skipped]:
    """Draw the pictures of some files to an image file, and write their positions as CSV.

    The image has the format of its extension. The CSV has the columns path, x and y, and a line for
    each path, in their order; with `csv_path=None` it is not written. Neither file is touched
    before both are written whole. `options` are those of `draw_atlas`. Return the files that cannot
    be read. Raises ParameterError as `draw_atlas` does, for an extension that is not an image's,
    and if a file cannot be written.
    """
    points = _checked(len(paths), positions)
    kind = _format(path)
    with _written(path, *([] if csv_path is None else [csv_path])) as (image_file, *csv_files):
        sheet, skipped = draw_atlas(paths, points, **options)
        _save(sheet, image_file, kind, path)
        for file in csv_files:
            _write_csv(file, paths, points)
    return skipped


class _Grid(NamedTuple):
    """Square cells in the middle of a sheet.

    `cell`: side of a cell, pixels. `left`, `top`: corner of the first cell, pixels.
    """

    columns: int
    rows: int
    cell: float
    left: float
    top: float

    @property
    def tile(self) -> int:
        """Return the side of a picture that leaves a gap to the next."""
        return max(1, min(int(self.cell * (1 - 1 / GAP)), int(self.cell) - 1))

    def middles(self, cells: Ints) -> Floats:
        """Return the middles of cells in pixels."""
        middles: Floats = (cells + 0.5) * self.cell + np.array([self.left, self.top])
        return middles


def _grid(count: int, width: int, height: int) -> _Grid:
    """Choose cells, half of them for pictures; raises ParameterError if they are too small."""
    cell = min(MOST_CELL, width, height, (width * height * FILL / max(count, 1)) ** 0.5)
    while (columns := int(width / cell + 1e-9)) * (rows := int(height / cell + 1e-9)) < count:
        cell = max(width / (columns + 1), height / (rows + 1))  # a column or a row more
    if cell < LEAST_CELL:
        side = ceil((count / FILL) ** 0.5) * LEAST_CELL
        msg = f"{width} x {height} pixels are too few for {count} images: {side} x {side} would do"
        raise ParameterError(msg)
    return _Grid(columns, rows, cell, (width - columns * cell) / 2, (height - rows * cell) / 2)


def _cells(points: Floats, columns: int, rows: int) -> Ints:
    """Give each point a cell of its own (column, row), near it.

    The grid is halved again and again, and the points with it. If a half has fewer cells than
    points, the points next to the cut go to the other half. So neighbours stay neighbours, and a
    crowd spreads no further than it must.
    """
    spots = points * (columns, rows)
    cells = np.empty((len(points), 2), np.int64)
    parts = [(np.arange(len(points)), (0, 0), (columns, rows))]
    while parts:
        which, low, high = parts.pop()
        if len(which) < 2:
            cells[which] = np.clip(np.floor(spots[which]), low, np.subtract(high, 1))
            continue
        span = high[0] - low[0], high[1] - low[1]
        axis = int(span[1] > span[0])
        cut = low[axis] + span[axis] // 2
        order = which[np.argsort(spots[which, axis], kind="stable")]
        room = (cut - low[axis]) * span[1 - axis], (high[axis] - cut) * span[1 - axis]
        before = int(np.searchsorted(spots[order, axis], cut))
        before = min(max(before, len(order) - room[1]), room[0])
        end, start = list(high), list(low)
        end[axis] = start[axis] = cut
        parts.append((order[:before], low, (end[0], end[1])))
        parts.append((order[before:], (start[0], start[1]), high))
    return cells


@dataclass(frozen=True, slots=True)
class _Reader:
    """Read files to pictures; `side`: the longer side at most, frame included, pixels."""

    side: int

    def __call__(self, path: str) -> Image.Image | Skipped:
        """Return the picture of a file, or the reason why there is none."""
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return Skipped(path, "not a regular file")
            return self._picture(path)
        except ImageError as error:
            return Skipped(path, error.reason)
        except OSError as error:
            return Skipped(path, error.strerror or str(error))
        except Exception as error:  # noqa: BLE001  one file's surprise must not end a run
            return Skipped(path, f"cannot be drawn: {type(error).__name__}: {error}")

    def _picture(self, path: str) -> Image.Image:
        frame = int(self.side >= FRAMED_FROM)
        inner = self.side - 2 * frame
        image = decode.decode(path, draft=("RGB", inner)).image.convert("RGB")
        scale = inner / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        framed = Image.new("RGB", (size[0] + 2 * frame, size[1] + 2 * frame), FRAME)
        framed.paste(small, (frame, frame))
        return framed


def _paste(sheet: Image.Image, picture: Image.Image, middle: Floats) -> None:
    """Paste a picture around a point, within the sheet if it fits."""
    room = np.subtract(sheet.size, picture.size)
    corner = np.rint(middle - np.divide(picture.size, 2)).astype(int)
    left, top = np.clip(corner, np.minimum(room, 0), np.maximum(room, 0)).tolist()
    sheet.paste(picture, (left, top))


def _size(width: Any, height: Any) -> tuple[int, int]:
    """Return the size of a sheet; raises ParameterError if it is too small or too large."""
    size = whole("width", width, LEAST_CELL), whole("height", height, LEAST_CELL)
    if size[0] * size[1] > pixels.MAX_PIXELS:
        msg = f"a sheet has at most {pixels.MAX_PIXELS:,} pixels, not {size[0]} x {size[1]}"
        raise ParameterError(msg)
    return size


def _tile(tile: Any, size: tuple[int, int]) -> int:
    """Return the side of a picture; raises ParameterError if it is larger than the sheet."""
    side = whole("tile", tile, 1)
    if side > min(size):
        msg = f"tile must be at most {min(size)}, to lie on a sheet of {size[0]} x {size[1]}"
        raise ParameterError(msg)
    return side


def _checked(count: int, positions: Any) -> Floats:
    """Return positions as an array of shape (count, 2); raises ParameterError for any other."""
    try:
        points = np.asarray(positions, np.float64)
    except (TypeError, ValueError) as error:
        msg = f"positions are points in [0, 1], an array of shape (n, 2): {error}"
        raise ParameterError(msg) from error
    if not count and not points.size:
        return np.empty((0, 2))
    if points.shape != (count, 2):
        msg = f"{count} paths have positions of shape ({count}, 2), not {points.shape}"
        raise ParameterError(msg)
    outside = np.flatnonzero(~((points >= 0) & (points <= 1)).all(axis=1))
    if len(outside):
        x, y = points[outside[0]].tolist()
        msg = f"positions are points in [0, 1], not ({x:g}, {y:g}), the one of row {outside[0]}"
        raise ParameterError(msg)
    return points


def _format(path: Name) -> str:
    """Return Pillow's name of the format of an image file, by its extension."""
    extension = os.path.splitext(os.fspath(path))[1].lower()
    kind = Image.registered_extensions().get(extension, "")
    if kind not in Image.SAVE:
        msg = f"{os.fspath(path)}: no image is written to {extension!r}: take .png, .jpg or .webp"
        raise ParameterError(msg)
    return kind


def _save(sheet: Image.Image, file: IO[bytes], kind: str, path: Name) -> None:
    try:
        sheet.save(file, kind)
    except (OSError, ValueError) as error:  # such as a format with a limit of size
        msg = f"{os.fspath(path)} cannot be written as {kind}: {error}"
        raise ParameterError(msg) from error


def _write_csv(file: IO[bytes], paths: Sequence[str], points: Floats) -> None:
    text = TextIOWrapper(file, "utf-8", newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("path", "x", "y"))
    for path, (x, y) in zip(paths, points.tolist(), strict=True):
        lines.writerow((text_of(path), f"{x:.6f}", f"{y:.6f}"))
    text.detach()  # flushes, and leaves the file open


@contextmanager
def _written(*paths: Name) -> Iterator[list[IO[bytes]]]:
    """Open new files that replace others when all are complete, or else are removed."""
    for folder in filter(os.path.isdir, paths):
        msg = f"{os.fspath(folder)} cannot be written: it is a folder"
        raise ParameterError(msg)
    try:
        with saved_together(paths) as files:
            yield files
    except OSError as error:
        names = " and ".join(os.fspath(path) for path in paths)
        msg = f"{names} cannot be written: {error.strerror or error}"
        raise ParameterError(msg) from error
