"""What stock txtai does, and what it does with our patch: an unneeded patch makes a test fail.

All of it was seen in txtai 9.14.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hashlens.index import txtai_quirks as quirks
from hashlens.index.host import Host
from hashlens.rows.settings import CROP_INDEX, Settings

ROWS = [(name, {"id": name, "text": name}, None) for name in "abcd"]


@pytest.fixture
def plain(tmp_path):
    """Return what makes a stock `Embeddings` with content only, saved and loaded without rows."""
    from txtai import Embeddings

    opened = []

    def load():
        if not opened:
            with Embeddings(content=True, keyword=False, defaults=False) as empty:
                empty.index([])
                empty.save(str(tmp_path / "index"))
        opened.append(Embeddings().load(str(tmp_path / "index")))
        return opened[-1]

    yield load
    for embeddings in opened:
        embeddings.close()


class TestUpsert:
    def test_of_stock_txtai_begins_a_new_database_for_an_index_without_rows(self, plain):
        embeddings = plain()
        before = embeddings.database
        embeddings.upsert(ROWS)
        assert embeddings.database is not before
        assert embeddings.database.path != before.path

    def test_stays_in_its_database(self, plain, tmp_path):
        embeddings = plain()
        before = embeddings.database
        quirks.upsert(embeddings, ROWS, Host())
        assert embeddings.database is before
        assert embeddings.database.path == str(tmp_path / "index" / "documents")
        assert embeddings.count() == 4

    def test_that_fails_leaves_the_count_as_it_was(self, plain):
        embeddings = plain()
        with pytest.raises(TypeError):
            quirks.upsert(embeddings, [("a", {"text": object()}, None)], Host())
        assert "count" not in vars(embeddings)


IMPORTS = """
import sys
from contextlib import nullcontext
from pathlib import Path
from drawing import draw
from hashlens import ImageIndex
from hashlens.index import txtai_quirks

home, patched = Path(sys.argv[1]), sys.argv[2] == "patched"
draw(1, (200, 200)).save(home / "1.png")
if not patched:
    txtai_quirks._importing = lambda *_: nullcontext()
try:
    with ImageIndex.open(home / "index", keypoints=50) as index:
        index.index([home], workers=1)
finally:
    print("txtai" in sys.modules)
"""


class TestImports:
    @pytest.mark.parametrize(
        "patched",
        ["patched", pytest.param("stock", marks=pytest.mark.slow)],  # imports torch
    )
    def test_of_sub_indexes_come_late_and_are_of_one_copy_of_txtai(
        self, tmp_path, pytestconfig, patched
    ):
        done = subprocess.run(
            [sys.executable, "-c", IMPORTS, tmp_path, patched],
            cwd=pytestconfig.rootpath / "tests" / "helpers",
            capture_output=True,
            text=True,
        )
        assert done.stdout == f"{patched == 'stock'}\n", done.stderr


class CountedIds(list):
    """Ids that count how often they are gone through."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        return super().__iter__()


class FakeCrops:
    """A crop index: the row `n * 10` has the position n."""

    def __init__(self):
        self.deleted = []

    def positions(self, rows):
        return [row // 10 for row in rows]

    def delete(self, positions):
        self.deleted = [*positions]

    def close(self):
        pass


class TestDelete:
    @pytest.fixture
    def crops(self):
        """Return a stock sub-index with five rows, the class of the crop index aside."""
        from txtai import Embeddings

        crops = Embeddings()
        crops.ids, crops.ann = CountedIds([0, 10, 20, 30, 40]), FakeCrops()
        return crops

    def test_of_stock_txtai_goes_through_all_ids_for_each_row(self, crops):
        crops.delete([10, 30, 40])
        assert crops.ids.passes == 3
        assert crops.ids == [0, None, 20, None, None]
        assert crops.ann.deleted == [1, 3, 4]

    def test_does_the_same_in_one_pass(self, crops):
        config = {"indexes": {"crops": CROP_INDEX}}
        quirks.delete_in_one_pass(SimpleNamespace(config=config, indexes={"crops": crops}))
        crops.delete([10, 30, 40])
        assert crops.ids.passes == 0
        assert crops.ids == [0, None, 20, None, None]
        assert crops.ann.deleted == [1, 3, 4]

    def test_of_an_index_without_crops_is_left_alone(self, plain):
        embeddings = plain()
        quirks.delete_in_one_pass(embeddings)
        assert "delete" not in vars(embeddings)


class TestWithoutIndexes:
    def test_an_empty_index_can_be_built_which_stock_txtai_cannot_with_them(self, tmp_path):
        from txtai import Embeddings

        config = Settings(keypoints=50).config()
        with pytest.raises(TypeError), Embeddings(config) as embeddings:
            embeddings.index([])
        with Embeddings(quirks.without_indexes(config)) as embeddings:
            embeddings.index([])
            embeddings.save(str(tmp_path / "index"))
        with Embeddings().load(str(tmp_path / "index")) as embeddings:
            assert embeddings.count() == 0
        assert "indexes" in config


class TestOffset:
    @pytest.fixture
    def lagging(self, plain, tmp_path):
        """An index whose configuration was lost: of the one before, the next row is number 0."""
        embeddings = plain()
        quirks.upsert(embeddings, ROWS[:2], Host())
        embeddings.database.save(str(tmp_path / "index" / "documents"))
        return plain()

    @staticmethod
    def numbers(embeddings):
        embeddings.upsert(ROWS[2:])
        rows = embeddings.database.cursor.execute("SELECT indexid FROM sections").fetchall()
        return sorted(number for (number,) in rows)

    def test_of_stock_txtai_gives_numbers_twice(self, lagging):
        with pytest.raises(sqlite3.IntegrityError, match=r"sections\.indexid"):
            self.numbers(lagging)

    def test_follows_the_rows_of_the_database(self, lagging):
        quirks.correct_offset(lagging)
        assert self.numbers(lagging) == [0, 1, 2, 3]

    def test_of_an_index_without_rows_stays(self, plain):
        embeddings = plain()
        quirks.correct_offset(embeddings)
        assert embeddings.config["offset"] == 0

    def test_beyond_the_rows_stays(self, lagging):
        lagging.config["offset"] = 9
        quirks.correct_offset(lagging)
        assert lagging.config["offset"] == 9


class TestLimit:
    def test_of_stock_txtai_is_three_rows_and_can_be_all(self, plain):
        embeddings = plain()
        quirks.upsert(embeddings, ROWS, Host())
        query = "select id from txtai order by id"
        assert len(embeddings.search(query)) == 3
        assert len(embeddings.search(query, quirks.row_limit(embeddings, None))) == 4
        assert len(embeddings.search(query, quirks.row_limit(embeddings, 2))) == 2

    def test_is_the_number_of_rows_where_sub_indexes_look_for_as_many(self):
        counted = SimpleNamespace(indexes=["crops"], count=lambda: 7)
        assert quirks.row_limit(counted, None) == 7
        assert quirks.row_limit(SimpleNamespace(indexes=["crops"], count=lambda: 0), None) == 1
