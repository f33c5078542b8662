"""The columns of a row, stated once: name, SQL type, meaning.

All other lists of columns come from `COLUMNS`: the SQL types of numbers, what a search, a group or
an update reads of a row, what tables print, and the table in `docs/sql.md`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

KEY = "hashlens"  # of our settings in the configuration of an index
CROPS = "crops"  # keypoints that a row hands on to the crop index; not stored with the row


class Column(NamedTuple):
    """One column that a query on an index can name.

    name: as in SQL
    type: SQL type
    meaning: one line of Markdown
    kept: by `txtai` in its own tables, in the `row` (JSON), or for the length of a `search`
    """

    name: str
    type: Literal["VARCHAR", "BIGINT", "DOUBLE", "BLOB", "JSON"]
    meaning: str
    kept: Literal["txtai", "row", "search"] = "row"


COLUMNS = (
    Column("id", "VARCHAR", "path of the file, as in `path`; names the row", "txtai"),
    Column(
        "path",
        "VARCHAR",
        "path of the file, as text (`hashlens.name_of`): absolute, or, in a relative index, from "
        "the folder that holds the index directory",
    ),
    Column("text", "VARCHAR", "fingerprint in hex; NULL for a skipped file", "txtai"),
    Column(
        "information",
        "DOUBLE",
        "how much the picture shows: 0 for one colour, under 1 for next to nothing, "
        "3 and more for photographs",
    ),
    Column("width", "BIGINT", "width in pixels, after EXIF orientation"),
    Column("height", "BIGINT", "height in pixels, after EXIF orientation"),
    Column("bytes", "BIGINT", "size of the file"),
    Column("mtime", "DOUBLE", "time of modification, seconds since 1970"),
    Column("mtime_ns", "BIGINT", "time of modification, nanoseconds since 1970"),
    Column("format", "VARCHAR", "JPEG, PNG, …"),
    Column("frames", "BIGINT", "number of frames, pages, layers or sizes in the file"),
    Column(
        "frame_hashes",
        "VARCHAR",
        "fingerprints of up to 16 frames, spread over the first 512; NULL for a single frame",
    ),
    Column(
        "taken",
        "VARCHAR",
        "when the picture was taken, by EXIF: `2021-07-03T14:05:09.12`, by the camera's clock, "
        "without time zone; NULL if not known",
    ),
    Column("taken_pixels", "BIGINT", "pixels of the picture as it was taken, by EXIF"),
    Column("camera", "VARCHAR", "make and model of the camera, by EXIF"),
    Column("software", "VARCHAR", "software or firmware that wrote the file, by EXIF"),
    Column("gps", "BIGINT", "1 if EXIF says where the picture was taken"),
    Column(
        "derived",
        "VARCHAR",
        "what tells that a file is not as the camera wrote it: `saved by` an editor, `smaller` "
        "or `larger than taken`, `changed` later, or `JFIF before EXIF`; NULL if nothing does",
    ),
    Column(
        "turn_hash",
        "VARCHAR",
        "fingerprint to find turned copies by: of `perceptual`, the signs of the frequencies; of a "
        "difference hash, that of the other direction; NULL for other hashes",
    ),
    Column("damaged", "VARCHAR", "what is wrong with a file that can be read all the same"),
    Column("file_digest", "VARCHAR", "SHA-256 of the file's bytes"),
    Column(
        "pixel_digest",
        "VARCHAR",
        "SHA-256 of all pixels of all frames, equal if only metadata differs; "
        "needs the setting `pixel_digests`",
    ),
    Column(
        "policy",
        "VARCHAR",
        "how the pixels were decoded: grade, reduced size, versions of the decoders",
    ),
    Column("skipped", "VARCHAR", "why the file has no fingerprint; NULL for an image"),
    Column(
        "keypoints",
        "BIGINT",
        "number of keypoints in the crop index; 0 if no part of the picture can be found; "
        "NULL without a crop index",
    ),
    Column("box", "JSON", "part of the picture that the query shows, in pixels", "search"),
    Column("fractions", "JSON", "the box in fractions of width and height", "search"),
    Column("outline", "JSON", "corners of the query in the picture, in pixels", "search"),
    Column("transform", "JSON", "map from pixels of the query to pixels of the picture", "search"),
    Column("inliers", "BIGINT", "keypoints that agree with the transform", "search"),
    Column(
        "correlation", "DOUBLE", "likeness of query and picture in the box, at most 1", "search"
    ),
    Column("agreement", "DOUBLE", "share of blocks in the box that look the same", "search"),
    Column("mirrored", "BIGINT", "1 if the query shows the picture as in a mirror", "search"),
    Column("score", "DOUBLE", "score of `similar(…)`; for crops, the correlation", "txtai"),
    Column("object", "BLOB", "thumbnail, as a picture; needs the setting `thumbnails`", "txtai"),
    Column("data", "VARCHAR", "the whole row as JSON text", "txtai"),
    Column("indexid", "BIGINT", "number of the row, in the order of indexing", "txtai"),
    Column("tags", "VARCHAR", "tags that the row was inserted with", "txtai"),
    Column("entry", "VARCHAR", "time at which the row was written", "txtai"),
)
_NAMES = frozenset(column.name for column in COLUMNS)


def _chosen(*names: str) -> tuple[str, ...]:
    """Return some names; raise KeyError at import for one that is not a column."""
    if unknown := set(names) - _NAMES:
        raise KeyError(*unknown)
    return names


# Columns that txtai keeps in tables of its own: in WHERE, such a name is never an alias.
TXTAI_COLUMNS = frozenset(column.name for column in COLUMNS if column.kept == "txtai")
# Numbers in a row's JSON, by SQL type: DuckDB reads JSON as text.
NUMBERS = {
    column.name: column.type
    for column in COLUMNS
    if column.kept == "row" and column.type in ("BIGINT", "DOUBLE")
}
# What a search for crops found, by SQL type; NULL without `similar(…)` of a crop index.
PLACE_TYPES = {
    column.name: "VARCHAR" if column.type == "JSON" else column.type
    for column in COLUMNS
    if column.kept == "search"
}
PLACE_JSON = tuple(column.name for column in COLUMNS if column.type == "JSON")

# What is read of each row, by purpose.
KNOWN = _chosen("id", "bytes", "mtime_ns", "policy", "skipped", "file_digest")  # has it changed?
MATCHED = _chosen(
    *("id", "path", "width", "height", "bytes", "mtime"),
    *("format", "information", "file_digest", "text"),
)
GROUPED_NUMBERS = _chosen("width", "height", "bytes", "mtime_ns", "frames")
EXIF_NUMBERS = _chosen("gps", "taken_pixels")
EXIF_TEXTS = _chosen("taken", "camera", "derived")
GROUPED = _chosen(
    *("path", "information", *GROUPED_NUMBERS, "format", "damaged", "frame_hashes"),
    *(*EXIF_NUMBERS, *EXIF_TEXTS, "file_digest", "pixel_digest"),
)
TURNED = _chosen("turn_hash")  # besides, for turned copies
# To find equal pictures.
EQUAL = _chosen("text", "path", "information", "file_digest", "frames", "frame_hashes")

# What tables print.
SHOWN = _chosen("path", "width", "height", "bytes")
SHOWN_OF_PLACE = _chosen("box", "inliers", "agreement", "mirrored")
REST_OF_PLACE = _chosen("correlation", "fractions", "outline", "transform")
