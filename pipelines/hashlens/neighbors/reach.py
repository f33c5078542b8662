"""How far copies of a picture lie from it, by the hash: a bound for groups needs to be no larger.

>>> copy_reach("perceptual", 64)
8
"""

from __future__ import annotations

# Bits of a fingerprint, and the share of them within which 99.5 % of the copies lie: re-encoded,
# resized, brightened or darkened, sent through a chat twice, turned by EXIF; of each kind, in both
# grades; the worst kind counts. Measured by benchmarks/reach.py.
SHARES = {
    "perceptual": ((64, 0.125), (256, 0.094), (1024, 0.098)),
    "perceptual-signs": ((64, 0.125), (256, 0.094), (1024, 0.098)),
    "perceptual-simple": ((64, 0.188), (256, 0.141), (1024, 0.209)),
    "average": ((64, 0.094), (256, 0.086), (1024, 0.084)),
    "difference": ((64, 0.094), (256, 0.098), (1024, 0.142)),
    "difference-vertical": ((64, 0.094), (256, 0.106), (1024, 0.146)),
    "wavelet": ((64, 0.094), (256, 0.071), (1024, 0.042)),
    "color": ((42, 0.143), (112, 0.17)),
}
OTHER_SHARES = ((64, 0.0625),)  # of a hash that was not measured: a sixteenth


# A mirror inverts the steps of difference hashes, but those between equal pixels are none.
TURN_SHARES = {"difference": 0.0625, "difference-vertical": 0.0625}


def turn_bits(algorithm: str, bits: int) -> int:
    """Return how many bits farther than its copies the turned copies of a picture lie."""
    return round(TURN_SHARES.get(algorithm, 0) * bits)


def copy_reach(algorithm: str, bits: int) -> int:
    """Return the distance within which nearly all copies of a picture lie.

    Between two measured numbers of bits, the larger share counts.
    """
    shares = SHARES.get(algorithm, OTHER_SHARES)
    below = [share for size, share in shares if size <= bits] or [shares[0][1]]
    above = [share for size, share in shares if size >= bits] or [shares[-1][1]]
    return round(max(below[-1], above[0]) * bits)
