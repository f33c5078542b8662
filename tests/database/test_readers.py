"""Many readers beside a writer: threads and processes, every answer checked."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from txtai.database import SQLError
from txtai.embeddings import Embeddings

from generations import CHANGING, QUERY, generation, write_generations
from hashlens import ImageIndex, QueryError
from hashlens.hashing import metrics
from hashlens.hashing.metrics import hamming
from hashlens.index.store import Store
from hashlens.rows.settings import Settings
from running import RUN

STAYING = 300


class Load(NamedTuple):
    """How much is read and written at least."""

    readers: int  # threads at once
    answers: int  # that each of them checks
    generations: int  # that are written
    seconds: float  # of writing


@pytest.fixture
def load(thorough: bool) -> Load:
    return Load(16, 50, 20, 60) if thorough else Load(6, 10, 4, 0)


def fingerprint(number: int) -> str:
    return format(number * 0x9E3779B97F4A7C15 % 2**64, "016x")


def make(path: Path) -> None:
    """Make an index with rows that stay, and the first generation."""
    store = Store.create(path, Settings.of({}).config())
    rows = [
        (f"old{n}", {"id": f"old{n}", "text": fingerprint(n), "path": "", "number": -1}, None)
        for n in range(STAYING)
    ]
    with store.writing():
        store.write([*rows, *generation(0)])
    store.close()


NEAREST = "select id, text, number, distance(text, :q) bits from txtai order by bits limit 25"
RADIUS = "select id, number from txtai where distance(text, :q) <= 4"
SCANNED = "select id, number, similarity(text, :q) s from txtai order by s desc limit 20"
COUNTED = "select count(*) n from txtai"
FAR = [hamming(fingerprint(n), QUERY) for n in range(STAYING)]


def check(kind: int, rows: list[dict[str, Any]]) -> None:
    """Check an answer: one generation, whole, in order, and the rows that stay."""
    if kind == 3:
        assert rows == [{"n": STAYING + CHANGING}]
        return
    changing = [row for row in rows if row["id"].startswith("new")]
    assert len(changing) == CHANGING, rows
    assert len({row["number"] for row in changing}) == 1, changing
    if kind:
        assert len(rows) == CHANGING
        return
    bits = [row["bits"] for row in rows]
    assert bits == sorted(bits)
    assert all(row["bits"] == hamming(row["text"], QUERY) for row in rows)
    assert [row["id"] for row in changing] == [f"new{n}" for n in range(CHANGING)]
    staying = [(row["bits"], row["id"]) for row in rows[CHANGING:]]
    assert staying == [(FAR[n], f"old{n}") for n in sorted(range(STAYING), key=FAR.__getitem__)[:5]]


def read(search: Any, answers: int, until: threading.Event, failures: list[BaseException]) -> None:
    kinds = [NEAREST, RADIUS, SCANNED, COUNTED, NEAREST]
    turn = 0
    while turn < answers or not until.is_set():
        try:
            kind = turn % len(kinds)
            check(kind % 4, search(kinds[kind], {} if kinds[kind] == COUNTED else {"q": QUERY}))
            if not turn % 7:  # a bad query does no harm to those that follow
                with pytest.raises((SQLError, QueryError)):
                    search("select nonsense( from txtai", {})
        except BaseException as error:  # noqa: BLE001  to be told by the test's own thread
            failures.append(error)
            return
        turn += 1


def run_readers(load: Load, searches: list[Any], write: Any) -> None:
    """Run readers while something writes, and until each has checked some answers."""
    until, failures = threading.Event(), []  # type: ignore[var-annotated]
    threads = [
        threading.Thread(
            target=read, args=(searches[n % len(searches)], load.answers, until, failures)
        )
        for n in range(load.readers)
    ]
    for thread in threads:
        thread.start()
    try:
        write()
    finally:
        until.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def test_threads_and_a_process_read_while_another_process_writes(tmp_path, load):
    path = tmp_path / "index"
    make(path)
    stock = Embeddings()
    stock.load(str(path))
    code = f"""if True:
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[1] / "helpers")!r})
        from generations import be_a_writer
        be_a_writer({str(path)!r}, {load.generations}, {load.seconds})
    """
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "ready\n"

    def write() -> None:
        """Read from processes of their own, as long as the writer is at work."""
        going = True
        while going:
            going = writer.poll() is None
            command = [
                *RUN, "sql", NEAREST, "--index", path,
                "--param", f"q={QUERY}", "--format", "json",
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert not done.returncode, done.stderr
            check(0, json.loads(done.stdout))

    with ImageIndex.open(path) as index:
        run_readers(
            load,
            [index.sql, lambda query, given: stock.search(query, 30, parameters=given)],
            write,
        )
    stock.close()
    written = int(writer.communicate()[0])
    assert not writer.returncode
    assert written >= load.generations


def test_threads_read_while_a_thread_of_the_same_index_writes(tmp_path, load):
    path = tmp_path / "index"
    make(path)
    with ImageIndex.open(path) as index:

        def write() -> None:
            write_generations(index._store, load.generations, load.seconds / 12)

        run_readers(load, [index.sql], write)


def test_an_index_that_was_never_saved_is_read_by_threads_in_turns(content, load):
    name = {"sqlite": "SQLite", "duckdb": "DuckDB"}[content]
    embeddings = Embeddings(content=f"hashlens.database.{name}", keyword=False, defaults=False)
    rows = [(f"old{n}", {"text": fingerprint(n), "number": -1}, None) for n in range(STAYING)]
    embeddings.index([*rows, *generation(0)])
    run_readers(
        load, [lambda query, given: embeddings.search(query, 30, parameters=given)], lambda: None
    )
    embeddings.close()


def test_the_thread_that_wrote_sees_its_rows_and_others_what_is_saved(tmp_path):
    path = tmp_path / "index"
    make(path)
    embeddings = Embeddings()
    embeddings.load(str(path))
    assert embeddings.search(COUNTED) == [{"n": STAYING + CHANGING}]
    embeddings.upsert([("one", {"text": QUERY, "number": 9}, None)])
    other = ThreadPoolExecutor(1)
    assert other.submit(embeddings.search, COUNTED).result() == [{"n": STAYING + CHANGING}]
    assert embeddings.search(COUNTED) == [{"n": STAYING + CHANGING + 1}]
    assert embeddings.search(f"{NEAREST} offset 20", parameters={"q": QUERY})[0]["id"] == "one"
    embeddings.save(str(path))
    assert other.submit(embeddings.search, COUNTED).result() == [{"n": STAYING + CHANGING + 1}]
    other.shutdown()
    embeddings.close()


def test_a_write_that_did_not_count_itself_is_seen(tmp_path):
    path = tmp_path / "index"
    make(path)
    embeddings = Embeddings()
    embeddings.load(str(path))
    assert embeddings.search(NEAREST, parameters={"q": QUERY})[0]["id"] == "new0"
    script = (
        "import sqlite3, sys\n"
        "with sqlite3.connect(sys.argv[1]) as connection:\n"
        "    connection.execute(\"delete from sections where id = 'new0'\")\n"
    )
    subprocess.run([sys.executable, "-c", script, path / "documents"], check=True)
    assert embeddings.search(NEAREST, parameters={"q": QUERY})[0]["id"] == "new1"
    embeddings.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("traced", [False, True])  # txtai turns this on for the whole process
def test_an_interrupt_in_a_function_of_sql_is_one(tmp_path, monkeypatch, traced):
    path = tmp_path / "index"
    make(path)
    sqlite3.enable_callback_tracebacks(traced)

    def interrupt(*_: Any) -> int:
        raise KeyboardInterrupt

    with ImageIndex.open(path) as index:
        with monkeypatch.context() as patched:
            known = metrics._METRICS["hamming"]._replace(measure=interrupt)
            patched.setitem(metrics._METRICS, "hamming", known)
            with pytest.raises(KeyboardInterrupt):
                index.sql(SCANNED, {"q": QUERY})
        check(2, index.sql(SCANNED, {"q": QUERY}))
