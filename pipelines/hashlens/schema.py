"""The columns of a row, stated once."""

from __future__ import annotations

# The columns of a row that are numbers, by their SQL type. The others are text: id, path, text (the
# fingerprint) and those of further hashes, format, policy, file_digest, pixel_digest, skipped; and
# object is the thumbnail. CROPS is handed on to the crop index, and not stored with the row.
CROPS = "crops"
NUMBERS = {
    "width": "BIGINT",
    "height": "BIGINT",
    "bytes": "BIGINT",
    "mtime": "DOUBLE",
    "mtime_ns": "BIGINT",
    "information": "DOUBLE",
    "keypoints": "BIGINT",
}

KEY = "hashlens"
