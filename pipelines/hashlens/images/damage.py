"""Find out whether a file is whole whose picture can be read all the same.

Decoders of pictures forgive: of a JPEG with wrong bytes they make what they can.
"""

from __future__ import annotations

from zlib import crc32

from hashlens.images import jpeg_draft

NO_END = "its end is missing"


def damage(data: bytes, kind: str | None) -> str:
    """Return what is wrong with the file of a picture, by its format; "" if nothing is found.

    Looked at are: what libjpeg says of a JPEG and of all pictures of an MPO, with simplejpeg in
    use; checksums of PNG; and the ends of JPEG, PNG, GIF, WebP, BMP and ICO.
    """
    check = _CHECKS.get(kind or "")
    return check(data) if check else ""


def _jpeg(data: bytes) -> str:
    pixels = jpeg_draft.start_of_pixels(data)
    is_whole = data.find(b"\xff\xd9", pixels) > 0
    return jpeg_draft.warning(data) or ("" if is_whole else NO_END)


def _mpo(data: bytes) -> str:
    """Return what is wrong with the first of the pictures, one after the other, that is damaged."""
    start = 0
    while start >= 0:
        found = _jpeg(data[start:])
        if found:
            return found
        end = data.find(b"\xff\xd9", start + jpeg_draft.start_of_pixels(data[start:]))
        start = data.find(jpeg_draft.JPEG_START, end)
    return ""


def _png(data: bytes) -> str:
    position = 8
    while position + 12 <= len(data):
        kind = data[position + 4 : position + 8]
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if crc32(memoryview(data)[position + 4 : end]) != int.from_bytes(
            data[end : end + 4], "big"
        ):
            return f"the checksum of its part {kind.decode(errors='replace')} is wrong"
        if kind == b"IEND":
            return ""
        position = end + 4
    return NO_END


def _gif(data: bytes) -> str:
    """Return what is wrong with a GIF: its blocks must lead to the end mark."""
    position = 13 + _palette(data[10:11])
    while position < len(data):
        kind = data[position : position + 1]
        if kind == b";":
            return ""
        if kind == b",":
            flags = data[position + 9 : position + 10]
            position = _after_blocks(data, position + 11 + _palette(flags))
        else:
            position = _after_blocks(data, position + 2) if kind == b"!" else position + 1
    return NO_END


def _palette(flags: bytes) -> int:
    """Return the bytes of the palette that these flags announce."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    """Return where a chain of blocks ends, each of which begins with its length."""
    while position < len(data) and data[position]:
        position += 1 + data[position]
    return position + 1


def _webp(data: bytes) -> str:
    return NO_END if 8 + int.from_bytes(data[4:8], "little") > len(data) else ""


def _bmp(data: bytes) -> str:
    """Return what is wrong with a BMP: its pixels must fit; a size of 0 is not known."""
    return NO_END if int.from_bytes(data[2:6], "little") > len(data) else ""


def _ico(data: bytes) -> str:
    """Return what is wrong with an icon: each of its pictures must lie in the file."""
    for number in range(int.from_bytes(data[4:6], "little")):
        entry = data[6 + 16 * number : 22 + 16 * number]
        size, start = (int.from_bytes(entry[at : at + 4], "little") for at in (8, 12))
        if start + size > len(data):
            return NO_END
    return ""


_CHECKS = {
    "JPEG": _jpeg,
    "MPO": _mpo,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "BMP": _bmp,
    "ICO": _ico,
}
