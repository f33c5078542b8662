"""Fingerprints of the frames of a file, as one text, and whether two such texts agree.

>>> agree("ff00 flat:80", "ff01 flat:84", "hamming", 4)
True
"""

from __future__ import annotations

from collections.abc import Sequence

from hashlens.hashing.metrics import distance
from hashlens.model import LOW_INFORMATION

FLAT = (
    "flat:"  # of a frame that shows nothing, for which a fingerprint says nothing: its grey level
)
NEAR_GREY = 8  # grey levels, of 256, within which two flat frames are alike


def joined(texts: Sequence[str], scores: Sequence[float], greys: Sequence[bytes]) -> str:
    """Return the text of some frames: fingerprints, but grey levels where information is low."""
    return " ".join(
        text if score >= LOW_INFORMATION else f"{FLAT}{sum(grey) // len(grey):02x}"
        for text, score, grey in zip(texts, scores, greys, strict=True)
    )


def agree(one: str, other: str, metric: str, max_distance: float) -> bool:
    """Return whether the frames of two texts are alike, each with its counterpart."""
    ones, others = one.split(), other.split()
    return len(ones) == len(others) > 0 and all(
        a == b or _are_near(a, b, metric, max_distance) for a, b in zip(ones, others, strict=True)
    )


def _are_near(a: str, b: str, metric: str, max_distance: float) -> bool:
    levels = [int(word.removeprefix(FLAT), 16) for word in (a, b) if word.startswith(FLAT)]
    if levels:
        return len(levels) == 2 and abs(levels[0] - levels[1]) <= NEAR_GREY
    return distance(a, b, metric) <= max_distance
