"""Keypoints of a picture, as an index stores them: codes, places, scales and angles.

A keypoint is a place that is found again in a crop of the picture: an extremum of the differences
of Gaussians. Its code is a perceptual hash of the patch around it: the signs of 64 low frequencies
of the patch's cosine transform. Nothing is trained.

Sources: David G. Lowe, "Distinctive image features from scale-invariant keypoints", 2004,
doi:10.1023/B:VISI.0000029664.99615.94, for places, scales and angles; Christoph Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010, for the code.
"""

from __future__ import annotations

import base64
import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import ParameterError

SIDE = 400  # pixels: longer side of the frame of an indexed picture
QUERY_SIDE = 800  # pixels: likewise of a query; a small part of it may show the picture
KEYPOINTS = 200  # of an indexed picture, by default
QUERY_KEYPOINTS = 500
MOST_KEYPOINTS = 2000  # of a picture

PLACE = np.dtype([("x", "<u2"), ("y", "<u2"), ("scale", "u1"), ("angle", "u1")])
FULL = 65535  # steps of x and y along the longer side of the picture
OCTAVE = 25.5  # steps of scale in a doubling; scale 255 is the whole longer side
TURN = 256  # steps of angle

Codes = NDArray[np.uint64]
Places = NDArray[Any]
Frame = NDArray[np.uint8]

TEXT_PREFIX = "keypoints:"  # no path begins so: the paths of rows are absolute

_HEAD = struct.Struct("<HIIH")  # keypoints, width, height, bytes of the thumbnail


class Keypoints(NamedTuple):
    """The keypoints of a picture, strongest first.

    codes: 64 bits each
    places: records of PLACE
    size: width and height of the picture, in pixels
    thumbnail: a small grey JPEG
    doubtful: a mask for each code, with the bit of each 16 that is most likely to differ in a copy;
        None if the keypoints come from an index
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
        """Return these keypoints followed by others of the same picture."""
        doubtful = None
        if self.doubtful is not None and other.doubtful is not None:
            doubtful = np.concatenate([self.doubtful, other.doubtful])
        return self._replace(
            codes=np.concatenate([self.codes, other.codes]),
            places=np.concatenate([self.places, other.places]),
            doubtful=doubtful,
        )

    def mirrored(self, width: float, bits: int) -> Keypoints:
        """Return the keypoints of the picture in a mirror that swaps left and right.

        `width` is that of the picture, in longer sides; `bits` are those that a mirror inverts in
        codes. The thumbnail stays as it is.
        """
        places = self.places.copy()
        across = np.rint(width * FULL) - places["x"].astype(np.int64)
        places["x"] = np.clip(across, 0, FULL)
        places["angle"] = (TURN // 2 - places["angle"].astype(np.int64)) % TURN
        return self._replace(codes=self.codes ^ np.uint64(bits), places=places)

    def to_bytes(self) -> bytes:
        """Return the bytes that an index stores."""
        head = _HEAD.pack(len(self.codes), *self.size, len(self.thumbnail))
        codes, places = self.codes.astype("<u8", copy=False), self.places
        return b"".join((head, codes.tobytes(), places.tobytes(), self.thumbnail))

    @classmethod
    def from_bytes(cls, data: bytes) -> Keypoints:
        """Read the bytes of `to_bytes`; raises ParameterError if they are damaged."""
        if len(data) < _HEAD.size:
            msg = f"{len(data)} bytes are not keypoints: expected {_HEAD.size} or more"
            raise ParameterError(msg)
        count, width, height, tail = _HEAD.unpack_from(data)
        middle = _HEAD.size + 8 * count
        end = middle + PLACE.itemsize * count
        if len(data) != end + tail:
            msg = f"{len(data)} bytes are not keypoints: expected {end + tail}"
            raise ParameterError(msg)
        codes = np.frombuffer(data, "<u8", count, _HEAD.size).astype(np.uint64, copy=False)
        places = np.frombuffer(data, PLACE, count, middle)
        return cls(codes, places, (width, height), data[end:])

    @classmethod
    def from_text(cls, text: str) -> Keypoints:
        """Read the text of `bytes_to_text`; raises ParameterError if it is damaged."""
        return cls.from_bytes(base64.b64decode(text[len(TEXT_PREFIX) :]))

    @classmethod
    def empty(cls) -> Keypoints:
        """Return no keypoints, for a file that is not a picture."""
        return cls(np.empty(0, np.uint64), np.empty(0, PLACE), (1, 1), b"")


def bytes_to_text(stored: bytes) -> str:
    """Return the bytes of keypoints as text, for a column of a row."""
    return TEXT_PREFIX + base64.b64encode(stored).decode()
