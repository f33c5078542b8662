"""Find where a page was changed: one other digit, among text that a copy shows everywhere alike.

A codec and a resize do the same to all of the text of a page. So the filter is found that brings
one page nearest to the other, and what it leaves is compared with what it leaves elsewhere: in a
copy, all text is off by about as much. An edit is off by far more than the text around it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # of float32
Bytes = NDArray[Any]  # of uint8

SIDE = 5  # pixels of the filter
MOST_SAMPLES = 4_000  # pixels from which the filter is found
LEAST_SAMPLES = 400  # of text; a page with less has its filter from all of its pixels
DETAIL = 5  # grey levels by which pixels differ from those around them, in text
SPREAD = 2.0  # pixels: the deviation of the windows in which errors and contrast are averaged
MOST_TEXT = 0.9  # of the text has the usual error or less
MOST_ERROR = 0.1  # of the contrast of text (mean squares): more is no codec, but other text
# Times the usual error from which on a window was changed, and the error that does not count (mean
# square). Of drawn pages with text of 7 pixels or more, 96 of 100 copies have less, and one of 100
# pages with other characters.
MOST_TIMES, UNCOUNTED = 2.9, 40.0


def edits(first: Bytes, second: Bytes) -> NDArray[np.bool_]:
    """Return which pixels of a grey page lie where another of the same size was changed."""
    around = (SIDE, SIDE)
    details = [cv2.absdiff(page, cv2.blur(page, around)) for page in (first, second)]
    is_text = cv2.blur(cv2.max(*details), around) > DETAIL
    # The sharper one can be blurred to the other, but not the other way round.
    ordered = (first, second) if details[0].mean() >= details[1].mean() else (second, first)
    sharper, other = (page.astype(np.float32) for page in ordered)
    errors = _averaged((np.clip(_filtered(sharper, other, is_text), 0, 255) - other) ** 2)
    contrast = _averaged(other * other) - _averaged(other) ** 2
    if not is_text.any():
        is_text[:] = True
    usual, most = (np.quantile(each[is_text], MOST_TEXT) for each in (errors, contrast))
    found: NDArray[np.bool_] = errors > MOST_TIMES * (min(usual, MOST_ERROR * most) + UNCOUNTED)
    return found


def _averaged(values: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SPREAD))


def _filtered(page: Floats, other: Floats, is_text: NDArray[np.bool_]) -> Floats:
    """Return a page after the filter that brings its text nearest to that of another."""
    places = np.flatnonzero(is_text)
    if len(places) < LEAST_SAMPLES:
        places = np.arange(page.size)
    places = places[:: len(places) // MOST_SAMPLES + 1]
    edge, width = SIDE // 2, page.shape[1]
    wider = cv2.copyMakeBorder(page, edge, edge, edge, edge, cv2.BORDER_REFLECT)
    rows, columns = np.divmod(places, width)
    beside = (np.arange(SIDE)[:, None] * wider.shape[1] + np.arange(SIDE)).ravel()
    # A column for each pixel of the filter, one for a constant, and one for what is looked for.
    samples = np.full((len(places), SIDE * SIDE + 2), 255.0)
    samples[:, :-2] = wider.ravel()[(rows * wider.shape[1] + columns)[:, None] + beside]
    samples[:, -1] = other.ravel()[places] - page.ravel()[places]
    product = cv2.mulTransposed(samples, True)  # NumPy would start threads that wait for others
    # What little the samples say nothing of stays as it is.
    equations = product[:-1, :-1] + len(places) * np.eye(len(product) - 1)
    change = cv2.solve(equations, product[:-1, -1:], flags=cv2.DECOMP_CHOLESKY)[1].ravel()
    kernel = change[:-1].reshape(SIDE, SIDE)
    kernel[edge, edge] += 1
    filtered = cv2.filter2D(
        page, cv2.CV_32F, kernel, delta=255 * change[-1], borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(filtered)
