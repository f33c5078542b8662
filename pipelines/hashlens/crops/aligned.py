"""Look a second time at two pictures, one of which lies in the other: in the place where it lies.

The second look of `hashlens.images.second_look` compares whole pictures in one of eight
orientations. Here, the one picture is first brought to its place in the other, so that it may be
mirrored, turned, stretched or cut at its edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashlens.errors import ImageError
from hashlens.images.details import is_flat
from hashlens.images.look import LARGE, Look
from hashlens.images.second_look import difference
from hashlens.model import Place, Progress
from hashlens.parallel.pool import Crashed, Results, schedule

SIDE = 480  # pixels of the longer side in which two photos are compared; pages need LARGE
STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)  # of a refinement
LEAST_LEFT = 0.9  # share of the whole that the rectangle has in which both can be compared

Matrix = NDArray[np.float64]  # of shape (3, 3), on places between pixels


class InPlace(NamedTuple):
    """Two files, and the place of the first in the second."""

    part: str
    whole: str
    place: Place


def differences_in_place(
    pairs: Sequence[InPlace],
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    *,
    upright: bool = True,
) -> list[str]:
    """Return for each pair why the file does not show the whole at its place; "" if it does.

    `upright`: turn each by its own EXIF before. Pairs are looked at by `workers` at a time.
    """
    chosen = schedule(len(pairs), workers)
    looker = Looker(dedicated=chosen.kind in ("fork", "processes"), upright=upright)
    found: list[str] = []
    with Results(looker, pairs, chosen) as results:
        for pair, answer in zip(pairs, results, strict=True):
            crashed = isinstance(answer, Crashed)
            found.append(f"cannot be read: {answer.reason}" if crashed else answer)
            if progress:
                progress(Progress(len(found), len(pairs), pair.part))
    return found


class Looker:
    """The job of looking, for workers.

    `dedicated`: whether the process has this job only, so that one thread of OpenCV is enough.
    `upright`: whether pictures are turned by EXIF.
    """

    def __init__(self, *, dedicated: bool, upright: bool) -> None:
        self.dedicated, self.upright = dedicated, upright

    def __call__(self, pair: InPlace) -> str:
        """Return why a file does not show the whole at its place; "" if it does."""
        if self.dedicated:
            cv2.setNumThreads(1)
        return difference_in_place(*pair, upright=self.upright)


def difference_in_place(part: str, whole: str, place: Place, *, upright: bool = True) -> str:
    """Return in words why a file does not show a whole at a place in it; "" if it does."""
    try:
        looks = [Look(path, upright=upright) for path in (part, whole)]
        are_flat = all(is_flat(_small(look, SIDE)[0]) for look in looks)
        side = LARGE if are_flat else SIDE
        (ours, our_scale), (theirs, scale) = (_small(look, side) for look in looks)
    except ImageError as error:
        return f"cannot be read: {error}"
    transform = scale @ np.vstack([place.transform, (0, 0, 1)]) @ np.linalg.inv(our_scale)
    brought, covered = _brought(ours, theirs, transform)
    top, bottom, left, right = _rectangle(covered)
    if (bottom - top) * (right - left) < LEAST_LEFT * covered.size:
        return "does not cover it"
    both = (each[top:bottom, left:right] for each in (theirs, brought))
    return difference(*(Look(Image.fromarray(each)) for each in both))


def _small(look: Look, side: int) -> tuple[NDArray[Any], Matrix]:
    """Return a picture of `side` pixels at most, and the matrix that takes the full one to it."""
    decoded = look.pixels(side)
    height, width = decoded.shape[:2]
    scale = min(1.0, side / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = cv2.resize(decoded, size, interpolation=cv2.INTER_AREA)
    return pixels, np.diag([size[0] / look.size[0], size[1] / look.size[1], 1.0])


def _brought(
    pixels: NDArray[Any], frame: NDArray[Any], transform: Matrix
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a picture in the frame of another, and which pixels of that frame it covers."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # from middles of pixels to places
    matrix = _refined(pixels, frame, (np.linalg.inv(half) @ transform @ half)[:2])
    size = frame.shape[1], frame.shape[0]
    brought = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    full = np.full(pixels.shape[:2], 255, np.uint8)
    return brought, np.asarray(cv2.warpAffine(full, matrix, size)) >= 128


def _refined(pixels: NDArray[Any], frame: NDArray[Any], matrix: Matrix) -> Matrix:
    """Return the matrix by which most pixels agree: keypoints leave it off by a pixel or two."""
    ours, theirs = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (pixels, frame))
    back: Any = cv2.invertAffineTransform(matrix).astype(np.float32)
    try:
        found: Any = cv2.findTransformECC(theirs, ours, back, cv2.MOTION_AFFINE, STEPS)[1]
    except cv2.error:  # it does not converge
        return matrix
    return np.asarray(cv2.invertAffineTransform(found), np.float64)


def _rectangle(covered: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of a covered rectangle: the worst edge goes first."""
    top, left = 0, 0
    bottom, right = covered.shape
    while top < bottom and left < right:
        inner = covered[top:bottom, left:right]
        if inner.all():
            break
        edges = inner[0], inner[-1], inner[:, 0], inner[:, -1]
        worst = int(np.argmin([edge.mean() for edge in edges]))
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    return top, bottom, left, right
