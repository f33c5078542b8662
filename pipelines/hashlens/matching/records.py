"""Keypoints as text: how a row hands them on to the crop index."""

from __future__ import annotations

import base64

import numpy as np

from hashlens.keypoints import PLACE, Keypoints

MARK = "keypoints:"  # no path begins so: rows have absolute ones


def to_text(data: bytes) -> str:
    """Return the bytes of keypoints as text."""
    return MARK + base64.b64encode(data).decode()


def from_text(text: str) -> Keypoints:
    """Read keypoints again; raises ParameterError for what is none."""
    return Keypoints.from_bytes(base64.b64decode(text[len(MARK) :]))


def none(size: tuple[int, int] = (1, 1)) -> Keypoints:
    """Return no keypoints, of a file that is no picture."""
    return Keypoints(np.empty(0, np.uint64), np.empty(0, PLACE), size, b"")
