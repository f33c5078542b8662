"""What each content database does, whatever its engine: one suite, a subclass for each engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from txtai.database import SQLError
from txtai.embeddings import Embeddings

from hashlens.hashing.metrics import total_distance, total_similarity
from hashlens.schema import GROUPED
from suites import examples

PLAIN = {"keyword": False, "defaults": False}
HASHES = st.text("0123456789abcdef", min_size=16, max_size=16)
TEXTS = HASHES | st.text("0123456789abcdefxyz-", min_size=1, max_size=20)
QUERY = "00ff00ff00ff00ff"
NEAREST = "select id, distance(text, :q) bits from txtai order by bits"
COUNT = "select count(*) n from txtai"


def documents(texts: list[str | None], first: int = 0) -> Iterator[Any]:
    """Yield a row for each text; None stands for a skipped file."""
    for number, text in enumerate(texts, first):
        uid = f"{number:04}"
        row = {"text": text} if text else {"skipped": "no image"}
        yield uid, {"id": uid, **row}, None


def expected(texts: list[str | None], metric: str = "hamming") -> list[tuple[str, float, float]]:
    """Return id, distance and similarity of all rows, nearest first, by brute force."""
    rows = [
        (f"{n:04}", total_distance(text, QUERY, metric), total_similarity(text, QUERY, metric))
        for n, text in enumerate(texts)
    ]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def in_rows(embeddings: Embeddings, *names: str) -> list[tuple[Any, ...]]:
    """Return the rows of all blocks."""
    blocks = embeddings.database.blocks(*names)
    return [row for block in blocks for row in zip(*block, strict=True)]


class DatabaseContract:
    """The contract; a subclass says what its engine is and what it can do."""

    content: ClassVar[str]  # the class path
    has_packed_codes: ClassVar[bool]  # answers distances from packed columns
    has_sessions: ClassVar[bool]  # each reading thread sees committed rows only
    counts_commits: ClassVar[bool]
    named_metric_type: ClassVar[type]  # what distance(a, b, 'hamming') gives

    @pytest.fixture
    def embeddings(self) -> Iterator[Embeddings]:
        """An index without rows."""
        made = self.make()
        yield made
        made.close()

    def make(self, **options: Any) -> Embeddings:
        return Embeddings(content=self.content, **PLAIN, **options)

    def filled(self, texts: list[str | None], **options: Any) -> Embeddings:
        made = self.make(**options)
        made.index(documents(texts))
        return made

    def answers(
        self, embeddings: Embeddings, metric: str | None = None
    ) -> list[tuple[str, float, float]]:
        """Return id, distance and similarity of all rows, nearest first."""
        third = f", '{metric}'" if metric else ""
        rows = embeddings.search(
            f"select id, distance(text, :q{third}) bits, similarity(text, :q{third}) s from txtai "
            f"order by distance(text, :q{third}), id",
            1000,
            parameters={"q": QUERY},
        )
        return [(row["id"], row["bits"], row["s"]) for row in rows]

    # Rows

    def test_rows_are_inserted_replaced_deleted_saved_and_found_again(self, tmp_path: Path) -> None:
        path = str(tmp_path / "index")
        embeddings = self.filled([QUERY, "ff" * 8, "00ff00ff00ff00fe"])
        embeddings.upsert([("0001", {"text": "00ff00ff00ff0000"}, None)])
        embeddings.delete(["0000"])
        near = [{"id": "0002", "bits": 1}, {"id": "0001", "bits": 8}]
        assert embeddings.search(NEAREST, parameters={"q": QUERY}) == near
        embeddings.save(path)
        assert embeddings.search(NEAREST, parameters={"q": QUERY}) == near
        embeddings.close()
        again = Embeddings().load(path)
        assert again.database.count() == 2
        assert again.search(NEAREST, parameters={"q": QUERY}) == near
        again.close()

    def test_a_copy_is_complete_and_leaves_the_first_where_it_was(self, tmp_path: Path) -> None:
        embeddings = self.filled([QUERY])
        embeddings.save(str(tmp_path / "first"))
        embeddings.save(str(tmp_path / "second"))
        embeddings.upsert(documents([QUERY], 1))
        embeddings.save(str(tmp_path / "first"))
        embeddings.close()
        for name, count in (("first", 2), ("second", 1)):
            again = Embeddings().load(str(tmp_path / name))
            assert again.search(COUNT) == [{"n": count}]
            again.close()

    def test_unsaved_rows_are_gone_after_reopening(self, tmp_path: Path) -> None:
        path = str(tmp_path / "index")
        embeddings = self.filled([QUERY])
        embeddings.save(path)
        embeddings.upsert(documents([QUERY], 1))
        assert embeddings.search(COUNT) == [{"n": 2}]
        embeddings.close()
        again = Embeddings().load(path)
        assert again.search(COUNT) == [{"n": 1}]
        again.close()

    def test_a_failed_insert_is_rolled_back_by_reopening(self, tmp_path: Path) -> None:
        path = str(tmp_path / "index")
        embeddings = self.filled([QUERY])
        embeddings.save(path)
        bad = [("new", {"text": QUERY}, None), ("bad", {"text": QUERY, "x": float("nan")}, None)]
        with pytest.raises(ValueError, match="JSON"):
            embeddings.database.insert(bad, 100)
        assert embeddings.search(NEAREST, parameters={"q": QUERY})[0] == {"id": "0000", "bits": 0}
        embeddings.close()
        again = Embeddings().load(path)
        assert again.search(NEAREST, parameters={"q": QUERY}) == [{"id": "0000", "bits": 0}]
        again.upsert(documents([None], 1))
        again.save(path)
        assert again.search(COUNT) == [{"n": 2}]
        again.close()

    def test_a_skipped_file_has_no_text(self, embeddings: Embeddings) -> None:
        embeddings.index([*documents([QUERY, None]), ("text", "0002", None)])
        rows = embeddings.search("select id, text, skipped from txtai order by id")
        assert rows == [
            {"id": "0000", "text": QUERY, "skipped": None},
            {"id": "0001", "text": None, "skipped": "no image"},
            {"id": "text", "text": "0002", "skipped": None},
        ]

    def test_what_the_crop_index_gets_of_a_row_is_not_stored(self, embeddings: Embeddings) -> None:
        embeddings.index([("a", {"text": QUERY, "crops": "codes", "width": 3}, None)])
        rows = embeddings.search("select crops, width, data from txtai")
        assert (rows[0]["crops"], rows[0]["width"]) == (None, 3)
        assert "crops" not in rows[0]["data"]

    def test_columns_of_all_rows_come_by_id_and_blocks_as_they_are_stored(
        self, embeddings: Embeddings, tmp_path: Path
    ) -> None:
        widths = {"c": 3, "a": 1, "b": 2}
        embeddings.index([(uid, {"text": QUERY, "width": n}, None) for uid, n in widths.items()])
        embeddings.save(str(tmp_path / "index"))
        columns = embeddings.database.columns
        assert list(columns("width", "height")) == [("a", 1, None), ("b", 2, None), ("c", 3, None)]
        assert sorted(in_rows(embeddings, "width")) == [("a", 1), ("b", 2), ("c", 3)]

    def test_blocks_have_what_columns_have_whoever_wrote_last(self, tmp_path: Path) -> None:
        """Ours, strangers' and odd rows, upserts and deletes, by us and by stock txtai."""
        path = str(tmp_path / "index")
        ours = {"path": "/a/\u00e9\n.jpg", "width": 3, "information": 2.5, "format": "PNG"}
        odd: dict[str, Any] = {"width": "wide", "path": 7, "information": True, "height": 2**64}
        rows = [("1", ours), ("2", {"caption": "a dog"}), ("3", {"width": None}), ("4", ours)]
        embeddings = self.make()
        embeddings.index([(uid, {"text": QUERY, **row}, None) for uid, row in rows])

        def check(count: int) -> None:
            names = ("text", *GROUPED)
            found = sorted(in_rows(embeddings, *names))
            assert found == list(embeddings.database.columns(*names))
            assert len(found) == count

        embeddings.save(path)
        check(4)
        embeddings.upsert([("4", {"text": QUERY, "width": 9}, None), ("5", odd, None)])
        embeddings.save(path)
        check(5)
        embeddings.delete(["2"])
        embeddings.save(path)
        check(4)
        embeddings.close()
        stock = Embeddings()
        stock.load(path)
        stock.upsert([("1", {"text": QUERY, "path": "/new"}, None), ("6", ours, None)])
        stock.delete(["3"])
        stock.save(path)
        stock.close()
        embeddings = Embeddings().load(path)
        check(4)
        assert dict(in_rows(embeddings, "path"))["1"] == "/new"
        embeddings.close()

    def test_ids_lead_to_row_numbers(self, embeddings: Embeddings) -> None:
        embeddings.index(documents([QUERY] * 4))
        found = embeddings.database.ids(["0001", "0003", "none"])
        assert sorted(found) == [(1, "0001"), (3, "0003")]

    def test_commits_are_counted_if_the_engine_can(self, tmp_path: Path) -> None:
        path = str(tmp_path / "index")
        embeddings = self.filled([QUERY])
        embeddings.save(path)
        before = getattr(embeddings.database, "commits", None)
        embeddings.upsert(documents([QUERY], 1))
        embeddings.save(path)
        after = getattr(embeddings.database, "commits", None)
        embeddings.save(path)  # without new rows
        assert getattr(embeddings.database, "commits", None) == after
        assert (after == before + 1) if self.counts_commits else (before is after is None)
        embeddings.close()

    # SQL functions

    @settings(max_examples=examples(10), suppress_health_check=[HealthCheck.differing_executors])
    @given(texts=st.lists(st.none() | TEXTS, min_size=1, max_size=30))
    @pytest.mark.parametrize("metric", [None, "hamming", "levenshtein", "jaro_winkler"])
    def test_distances_are_those_of_brute_force_for_missing_and_malformed_texts_too(
        self, metric: str | None, texts: list[str | None]
    ) -> None:
        embeddings = self.filled(texts)
        found = self.answers(embeddings, metric)
        embeddings.close()
        assert [(uid, pytest.approx(d), pytest.approx(s)) for uid, d, s in found] == expected(
            texts, metric or "hamming"
        )

    def test_functions_take_none_and_unequal_lengths(self, embeddings: Embeddings) -> None:
        embeddings.index(documents(["ff00"]))
        for a, b in ((None, None), ("ff00", None), ("ff00", "ff"), ("ff00", "no hash")):
            (row,) = embeddings.search(
                "select distance(:a, :b) bits, similarity(:a, :b) s, "
                "distance(:a, :b, 'levenshtein') edits from txtai",
                parameters={"a": a, "b": b},
            )
            assert row == {
                "bits": total_distance(a, b),
                "s": total_similarity(a, b),
                "edits": total_distance(a, b, "levenshtein"),
            }

    def test_distances_are_numbers_whole_without_a_named_metric(
        self, embeddings: Embeddings
    ) -> None:
        embeddings.index(documents([f"{n:04x}" for n in range(2**12)][:12]))
        (row,) = embeddings.search(
            "select distance(text, '0003') bits, distance(text, '0003', 'hamming') named "
            "from txtai limit 1"
        )
        assert (row["bits"], type(row["bits"])) == (2, int)
        assert (row["named"], type(row["named"])) == (2, self.named_metric_type)

    def test_the_metric_of_two_arguments_comes_from_the_configuration(self) -> None:
        texts = ["0ff00ff00ff00ff0", "00ff00ff00ff00fe", None]
        embeddings = self.filled(texts, hashlens={"metric": "levenshtein"})
        assert self.answers(embeddings) == expected(texts, "levenshtein")
        embeddings.close()

    def test_functions_of_the_configuration_come_first(self) -> None:
        def distance(a: str, b: str) -> int:
            return 7

        embeddings = self.filled([QUERY], functions=[distance])
        query = "select distance(text, 'x') d, similarity(text, :q) s from txtai"
        assert embeddings.search(query, parameters={"q": QUERY}) == [{"d": 7, "s": 1.0}]
        embeddings.close()

    # SQLite tells of an exception in a function only by way of this hook.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_failed_query_harms_no_later_one(self, embeddings: Embeddings) -> None:
        embeddings.index(documents([QUERY, None]))
        for bad in ("nothing(id)", "distance(text, 'a', 'bogus')"):
            with pytest.raises(SQLError):
                list(embeddings.search(f"select {bad} from txtai"))
        assert self.answers(embeddings) == expected([QUERY, None])

    # Order and types

    def test_rows_of_equal_distance_come_in_the_order_of_indexing(
        self, embeddings: Embeddings
    ) -> None:
        uids = [f"{n * 7 % 20:02}" for n in range(20)]
        embeddings.index([(uid, {"text": QUERY}, None) for uid in uids])
        rows = embeddings.search(NEAREST, 9, parameters={"q": QUERY})
        assert [row["id"] for row in rows] == uids[:9]
        rows = embeddings.search("select id from txtai", 9)
        assert [row["id"] for row in rows] == uids[:9]

    def test_which_way_a_query_went_is_told_if_there_is_a_choice(
        self, embeddings: Embeddings
    ) -> None:
        embeddings.index(documents([QUERY, None]))
        embeddings.search(NEAREST, parameters={"q": QUERY})
        explanation = getattr(embeddings.database, "explanation", None)
        assert (explanation.way == "packed codes") if self.has_packed_codes else not explanation

    def test_numbers_are_compared_as_numbers(self, embeddings: Embeddings) -> None:
        embeddings.index([(n, {"text": "ff", "width": n, "mtime": n / 2}, None) for n in range(20)])
        rows = embeddings.search(
            "select width, mtime from txtai where width > 8 order by width desc", 3
        )
        assert rows == [{"width": n, "mtime": n / 2} for n in (19, 18, 17)]

    def test_nulls_come_first_whole_numbers_divide_to_whole_numbers_and_types_are_plain(
        self, embeddings: Embeddings
    ) -> None:
        embeddings.index(
            [(n, {"text": "ff", **({"width": n} if n else {})}, None) for n in range(4)]
        )
        rows = embeddings.search(
            "select width, width / 2 half, width + 0.5 more, entry from txtai order by width", 9
        )
        assert [(row["width"], row["half"], row["more"]) for row in rows] == [
            (None, None, None),
            (1, 0, 1.5),
            (2, 1, 2.5),
            (3, 1, 3.5),
        ]
        assert {type(row["entry"]) for row in rows} == {str}

    def test_columns_of_txtai_itself_have_its_types(self, embeddings: Embeddings) -> None:
        embeddings.index([("a", {"text": "ff", "width": 1}, "tag"), ("b", "00", None)])
        rows = embeddings.search(
            "select indexid, id, text, tags, entry, data, object, score from txtai order by id"
        )
        for row in rows:
            assert isinstance(row.pop("entry"), str)
        assert rows == [
            {"indexid": 0, "id": "a", "text": "ff", "tags": "tag", "data": rows[0]["data"],
             "object": None, "score": None},
            {"indexid": 1, "id": "b", "text": "00", "tags": None, "data": None,
             "object": None, "score": None},
        ]  # fmt: skip
        assert isinstance(rows[0]["data"], str)

    def test_places_are_null_without_a_search_for_crops(self, embeddings: Embeddings) -> None:
        embeddings.index(documents([QUERY]))
        names = ["box", "fractions", "outline", "transform", "inliers", "correlation",
                 "agreement", "mirrored"]  # fmt: skip
        rows = embeddings.search(f"select {', '.join(names)} from txtai")
        assert rows == [dict.fromkeys(names)]

    # Threads

    def test_threads_read_while_a_thread_writes(self, tmp_path: Path) -> None:
        path = str(tmp_path / "index")
        embeddings = self.filled([QUERY] * 10)
        embeddings.save(path)
        done, failures = threading.Event(), []

        def read() -> None:
            seen = 0
            try:
                while not done.is_set():
                    (row,) = embeddings.search(COUNT)
                    nearest = embeddings.search(NEAREST, 10, parameters={"q": QUERY})
                    assert [row["bits"] for row in nearest] == [0] * 10
                    assert seen <= row["n"] <= 40
                    seen = row["n"]
            except BaseException as error:  # noqa: BLE001  told by the test's own thread
                failures.append(error)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(10, 40, 5):
                embeddings.database.insert(documents(["ff" * 8] * 5, number), number)
                embeddings.database.save(f"{path}/documents")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert embeddings.search(COUNT) == [{"n": 40}]
        embeddings.close()

    def test_another_thread_sees_unsaved_rows_only_if_it_shares_the_connection(
        self, tmp_path: Path
    ) -> None:
        path = str(tmp_path / "index")
        embeddings = self.filled([QUERY])
        embeddings.save(path)
        embeddings.upsert(documents([QUERY], 1))
        with ThreadPoolExecutor(1) as other:
            seen = other.submit(embeddings.search, COUNT).result()
            assert seen == [{"n": 1 if self.has_sessions else 2}]
            assert embeddings.search(COUNT) == [{"n": 2}]
            embeddings.save(path)
            assert other.submit(embeddings.search, COUNT).result() == [{"n": 2}]
        embeddings.close()
