"""Keypoint codes: what is left of a picture when a part of it is cut out, found again by 64 bits.

A keypoint is a place that is found again in a crop, with its scale and angle: an extremum of the
differences of Gaussians. Its code is a perceptual hash of the patch around it: the signs of the 64
lowest frequencies of its cosine transform, but for two. Nothing is trained.

Sources: David G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004,
doi:10.1023/B:VISI.0000029664.99615.94, for places, scales and angles; Christoph Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010, for the code.
"""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError

if TYPE_CHECKING:
    pass

SIDE = 400  # pixels: the longer side of the frame in which keypoints are looked for
QUERY_SIDE = 800  # pixels, of a query: it may show a picture in a small part of it
KEYPOINTS = 200  # of an indexed picture, unless told otherwise
QUERY_KEYPOINTS = 500
MOST_KEYPOINTS = 2000

PLACE = np.dtype([("x", "<u2"), ("y", "<u2"), ("scale", "u1"), ("angle", "u1")])
FULL = 65535  # x and y: the longer side of the picture
OCTAVE = 25.5  # steps of scale in a doubling; 255 is the whole longer side
TURN = 256  # steps of angle


Codes = NDArray[np.uint64]
Places = NDArray[Any]
Frame = NDArray[np.uint8]

_HEAD = struct.Struct("<HIIH")  # keypoints, width, height, bytes of the thumbnail


class Keypoints(NamedTuple):
    """The keypoints of a picture, strongest first, with its size in pixels and a thumbnail.

    `doubtful` has one bit for each 16 of a code: the one that is most likely to be another in a
    copy. It is known of a picture just read, not of an indexed one.
    """

    codes: Codes
    places: Places
    size: tuple[int, int]
    thumbnail: bytes
    doubtful: Codes | None = None

    @property
    def hex(self) -> list[str]:
        """Return the codes as 16 lower-case hex digits each."""
        return [f"{code:016x}" for code in self.codes.tolist()]

    def plus(self, other: Keypoints) -> Keypoints:
        """Return these keypoints and others of the same picture."""
        doubtful = None
        if self.doubtful is not None and other.doubtful is not None:
            doubtful = np.concatenate([self.doubtful, other.doubtful])
        return self._replace(
            codes=np.concatenate([self.codes, other.codes]),
            places=np.concatenate([self.places, other.places]),
            doubtful=doubtful,
        )

    def to_bytes(self) -> bytes:
        """Return what an index stores of them."""
        head = _HEAD.pack(len(self.codes), *self.size, len(self.thumbnail))
        codes, places = self.codes.astype("<u8", copy=False), self.places
        return b"".join((head, codes.tobytes(), places.tobytes(), self.thumbnail))

    @classmethod
    def from_bytes(cls, data: bytes) -> Keypoints:
        """Read what `to_bytes` gave; raises ParameterError for what is damaged."""
        if len(data) < _HEAD.size:
            msg = f"{len(data)} bytes are no keypoints: expected {_HEAD.size} or more"
            raise ParameterError(msg)
        count, width, height, tail = _HEAD.unpack_from(data)
        middle = _HEAD.size + 8 * count
        end = middle + PLACE.itemsize * count
        if len(data) != end + tail:
            msg = f"{len(data)} bytes are no keypoints: expected {end + tail}"
            raise ParameterError(msg)
        codes = np.frombuffer(data, "<u8", count, _HEAD.size).astype(np.uint64, copy=False)
        places = np.frombuffer(data, PLACE, count, middle)
        return cls(codes, places, (width, height), data[end:])


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
