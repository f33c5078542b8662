from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from hashlens import IndexingError
from hashlens.index.directory import config_of, exists
from hashlens.index.store import Store
from hashlens.rows.settings import Settings


def document(name: str, text: str = "00ff00ff00ff00ff"):
    return (name, {"id": name, "path": name, "text": text}, None)


@pytest.fixture
def store(tmp_path, content):
    made = Store.create(tmp_path / "index", Settings().config(content))
    yield made
    made.close()


def ids(store: Store) -> list[str]:
    return [row["id"] for row in store.query("select id from txtai order by indexid")]


def test_a_write_is_there_when_opened_again(store):
    with store.writing():
        store.write([document("a"), document("b")])
        store.write([document("c")], ["a"])
    store.close()
    again = Store.open(store.path)
    assert ids(again) == ["b", "c"]
    again.close()


def test_a_write_that_fails_leaves_no_trace(store):
    with store.writing():
        store.write([document("a")])
        with pytest.raises(IndexingError, match="nothing was written"):
            store.write([document("b"), ("c", {"path": object()}, None)], ["a"])
        assert ids(store) == ["a"]
        store.write([document("d")])
    assert ids(store) == ["a", "d"]


@pytest.mark.parametrize("moment", ["write_config", "save"])
def test_row_numbers_are_never_used_twice_whenever_a_write_ends(store, moment, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with store.writing():
        store.write([document("a"), document("b")])
        with monkeypatch.context() as patch:
            if moment == "save":
                patch.setattr(store._embeddings.database, "save", killed)
            else:
                patch.setattr("hashlens.index.commit.write_config", killed)
            with pytest.raises(Killed):
                store.write([document("c")])
        assert ids(store) == ["a", "b"]
        store.write([document("d"), document("e")])
    numbers = [row["indexid"] for row in store.query("select indexid from txtai")]
    assert len(set(numbers)) == len(numbers) == 4


def test_a_lost_offset_is_found_again(store):
    with store.writing():
        store.write([document("a"), document("b")])
    store.close()
    config = config_of(store.path)
    (store.path / "config.json").write_text(json.dumps({**config, "offset": 0}))
    again = Store.open(store.path)
    with again.writing():
        again.write([document("c")])
    assert ids(again) == ["a", "b", "c"]
    again.close()


def test_a_half_built_index_is_none(tmp_path, content):
    home = tmp_path / "index"
    made = Store.create(home, Settings().config(content))
    made.close()
    (home / "config.json").unlink()
    (home / ".building").mkdir()
    assert not exists(home)
    again = Store.create(home, Settings().config(content))
    assert again.count() == 0
    again.close()


OTHER_WRITER = """
import sys
from pathlib import Path
from hashlens import IndexingError
from hashlens.index.store import Store

store = Store.open(Path(sys.argv[1]))
try:
    with store.writing():
        store.write([("theirs", {"id": "theirs", "text": "ff"}, None)])
    print("written")
except IndexingError as error:
    print(error)
"""


def test_a_second_writer_is_refused_and_what_it_wrote_later_is_seen(tmp_path):
    store = Store.create(tmp_path / "index", Settings().config())

    def other() -> str:
        command = [sys.executable, "-c", OTHER_WRITER, str(store.path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with store.writing():
        store.write([document("ours")])
        assert "another process or thread is writing" in other()
    assert other() == "written\n"
    with store.writing():
        store.write([document("last")])
    assert ids(store) == ["ours", "theirs", "last"]
    store.close()


def test_a_closed_store_says_so(store):
    store.close()
    for call in (store.count, lambda: store.query("select id from txtai")):
        with pytest.raises(IndexingError, match="is closed"):
            call()


def test_threads_take_turns_between_the_writes_too(store):
    """txtai's SQLite crashes the process where two threads search it at once."""
    with store.writing():
        store.write([document(str(n)) for n in range(50)])
    wrong = []

    def search() -> None:
        for _ in range(20):
            rows = store.query("select id from txtai order by indexid")
            wrong.extend([rows] if len(rows) not in (50, 60) else [])

    threads = [threading.Thread(target=search) for _ in range(4)]
    with store.writing():
        for thread in threads:
            thread.start()
        store.write([document(f"new {n}") for n in range(10)])
        for thread in threads:
            thread.join()
    assert not wrong
