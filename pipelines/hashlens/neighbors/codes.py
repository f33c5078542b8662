"""Packed codes: fingerprints as rows of 64-bit words.

An array of codes has shape `(n, words)` and dtype uint64; `(n,)` will do for one word. Hex digits
fill the words from the right, as in a number. It is scanned word by word, so it is kept with each
word's column in one piece (Fortran order); any other order gives the same answers.
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
    """Return how many words hold so many hex digits."""
    return -(-digits // DIGITS_PER_WORD)


def pack(fingerprints: Sequence[str]) -> Codes:
    """Pack fingerprints, all of one length, to codes; upper and lower case are the same bits.

    Raises FingerprintError, naming the first that is not hex or is of another length.
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
    """Pack one text of many fingerprints; None where not all is lower-case hex of that length."""
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
    if len(raw) * 2 != len(joined):  # fromhex passes over white space
        return None
    return np.asfortranarray(np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, words(digits)))


def unpack(codes: Codes, digits: int) -> list[str]:
    """Return the fingerprints of codes: lower-case hex of so many digits."""
    rows = as_codes(codes)
    width = rows.shape[1] * DIGITS_PER_WORD
    joined = np.ascontiguousarray(rows).astype(">u8").tobytes().hex()
    return [joined[at + width - digits : at + width] for at in range(0, len(joined), width)]


def signs(fingerprints: Sequence[str]) -> NDArray[np.float32]:
    """Return fingerprints as vectors of -1 and 1, for txtai's `similar()`: shape (n, bits).

    A fingerprint is of an even number of hex digits. Raises FingerprintError as `pack`.
    """
    codes = pack(list(fingerprints))
    bits = np.unpackbits(np.ascontiguousarray(codes).astype(">u8").view(np.uint8), axis=1)
    used = 4 * len(fingerprints[0]) if len(fingerprints) else bits.shape[1]
    return bits[:, -used:].astype(np.float32) * 2 - 1


def as_codes(codes: Any) -> Codes:
    """Return codes in shape (n, words), each word's column in one piece; copies where it must.

    Raises ParameterError for what is no array of codes.
    """
    fits = isinstance(codes, np.ndarray) and codes.dtype == np.uint64 and codes.ndim in (1, 2)
    if not fits or 0 in codes.shape[1:]:
        found = f"{codes.dtype} {codes.shape}" if isinstance(codes, np.ndarray) else repr(codes)
        msg = f"codes are a uint64 array of shape (n,) or (n, words), not {found}"
        raise ParameterError(msg)
    return np.asfortranarray(codes[:, None] if codes.ndim == 1 else codes)


def fold(codes: Codes) -> Codes:
    """Return one word for each code: they differ in no more bits than the codes.

    The words are turned before they are put together: rows of a picture that are alike would
    cancel each other.
    """
    folded: Codes = codes[0]
    for number, word in enumerate(codes[1:], 1):
        turn = np.uint64(1 + 17 * number % 63)
        folded = folded ^ (word << turn | word >> np.uint64(64) - turn)
    return folded


def whole(name: str, value: Any, least: int) -> int:
    """Return a whole number; raises ParameterError for what is none, or is less."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        msg = f"{name} must be a whole number, {least} or more, not {value!r}"
        raise ParameterError(msg)
    return number
