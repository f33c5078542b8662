"""Packed codes: fingerprints as rows of 64-bit words.

An array of codes has dtype uint64 and shape `(n, words)`, or `(n,)` for one word. Hex digits fill
the words from the right, as in a number. Scans go word by word, so arrays are kept in Fortran
order, with each word's column in one piece; any other order gives the same answers.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.errors import FingerprintError, ParameterError

Codes = NDArray[np.uint64]
Ints = NDArray[np.int64]
Hits = tuple[Ints, Ints, NDArray[np.uint16]]  # pairs of codes by number, and their distances
DIGITS_PER_WORD = 16


def words(digits: int) -> int:
    """Return the number of words that hold a number of hex digits."""
    return -(-digits // DIGITS_PER_WORD)


def pack(fingerprints: Sequence[str]) -> Codes:
    """Pack fingerprints of one length to codes; upper and lower case give the same bits.

    Raises FingerprintError with the first fingerprint that is not hex or has another length.
    """
    digits = len(fingerprints[0]) if fingerprints else DIGITS_PER_WORD
    packed = pack_joined("".join(fingerprints).lower(), digits)
    if packed is None or any(len(item) != digits for item in fingerprints):
        good = (isinstance(item, str) and len(item) == digits for item in fingerprints)
        bad = next(
            item
            for item, fits in zip(fingerprints, good, strict=True)
            if not fits or pack_joined(item.lower(), digits) is None
        )
        msg = f"cannot pack {bad!r}: expected {digits} hex digits, as in {fingerprints[0]!r}"
        raise FingerprintError(msg)
    return packed


def pack_joined(joined: str, digits: int) -> Codes | None:
    """Pack a text of many fingerprints; None if they are not lower-case hex of `digits` each."""
    if digits <= 0 or len(joined) % digits or not joined.isascii() or joined != joined.lower():
        return None
    width = words(digits) * DIGITS_PER_WORD
    if width != digits:
        pieces = (joined[at : at + digits] for at in range(0, len(joined), digits))
        joined = "".join(piece.zfill(width) for piece in pieces)
    try:
        raw = bytes.fromhex(joined)
    except ValueError:
        return None
    if len(raw) * 2 != len(joined):  # fromhex ignores white space
        return None
    return np.asfortranarray(np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, words(digits)))


def unpack(codes: Codes, digits: int) -> list[str]:
    """Return the fingerprints of codes in lower-case hex, of `digits` each."""
    rows = as_codes(codes)
    width = rows.shape[1] * DIGITS_PER_WORD
    joined = np.ascontiguousarray(rows).astype(">u8").tobytes().hex()
    return [joined[at + width - digits : at + width] for at in range(0, len(joined), width)]


def signs(fingerprints: Sequence[str]) -> NDArray[np.float32]:
    """Return fingerprints as vectors of -1 and 1, for txtai's `similar()`: shape (n, bits).

    The number of hex digits must be even. Raises FingerprintError as `pack` does.
    """
    codes = pack(list(fingerprints))
    bits = np.unpackbits(np.ascontiguousarray(codes).astype(">u8").view(np.uint8), axis=1)
    used = 4 * len(fingerprints[0]) if len(fingerprints) else bits.shape[1]
    return bits[:, -used:].astype(np.float32) * 2 - 1


def as_codes(codes: Any) -> Codes:
    """Return codes in shape (n, words) and Fortran order, copied if necessary.

    Raises ParameterError for anything but an array of codes.
    """
    fits = isinstance(codes, np.ndarray) and codes.dtype == np.uint64 and codes.ndim in (1, 2)
    if not fits or 0 in codes.shape[1:]:
        found = f"{codes.dtype} {codes.shape}" if isinstance(codes, np.ndarray) else repr(codes)
        msg = f"codes are a uint64 array of shape (n,) or (n, words), not {found}"
        raise ParameterError(msg)
    return np.asfortranarray(codes[:, None] if codes.ndim == 1 else codes)


def fold(codes: Codes) -> Codes:
    """Return one word for each code; two words differ in at most as many bits as the codes do.

    The words of a code are rotated before they are combined: the rows of a picture are often
    alike, and would cancel each other.
    """
    folded: Codes = codes[0]
    for number, word in enumerate(codes[1:], 1):
        turn = np.uint64(1 + 17 * number % 63)
        folded = folded ^ (word << turn | word >> np.uint64(64) - turn)
    return folded


def whole(name: str, value: Any, least: int) -> int:
    """Return a whole number; raises ParameterError for any other value, and below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        msg = f"{name} must be a whole number, {least} or more, not {value!r}"
        raise ParameterError(msg)
    return number
