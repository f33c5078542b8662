from __future__ import annotations

from hashlens import ImageIndex
from hashlens.index.store import Known
from hashlens.model import Member, Place
from hashlens.schema import COLUMNS, CROPS, GROUPED_NUMBERS, KNOWN, NUMBERS, PLACE_TYPES

NAMES = [column.name for column in COLUMNS]


def test_each_column_is_stated_once():
    assert len(set(NAMES)) == len(NAMES)
    assert CROPS not in NAMES


def test_an_index_has_the_columns_of_the_schema_and_those_of_further_hashes(folder, tmp_path):
    with ImageIndex.open(
        tmp_path / "index", thumbnails=True, pixel_digests=True, also=["color"], keypoints=50
    ) as index:
        index.index([folder])
        row = index.sql(f"select {', '.join(NAMES)} from txtai limit 1")[0]
        stored = index.sql("select data from txtai limit 1")[0]["data"]
    assert list(row) == NAMES
    empty = {name for name, value in row.items() if value is None}
    without_exif = {"taken", "taken_pixels", "camera", "software", "derived"}
    assert empty == {
        *(*PLACE_TYPES, *without_exif),
        *("skipped", "frame_hashes", "damaged", "score", "tags"),
    }
    for name in NUMBERS.keys() - without_exif:
        assert type(row[name]) is (int if NUMBERS[name] == "BIGINT" else float), name
    assert set(stored if isinstance(stored, dict) else __import__("json").loads(stored)) <= {
        *NAMES,
        "color",
    }


def test_the_values_that_are_read_of_a_row_have_its_columns():
    assert Known._fields == KNOWN
    assert set(GROUPED_NUMBERS) <= set(Member.__dataclass_fields__)
    assert set(PLACE_TYPES) == set(Place.__dataclass_fields__)
