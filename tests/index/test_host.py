"""The lean copy of txtai, each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAD = """
import sys
from pathlib import Path
from drawing import draw
from hashlens import ImageIndex

def loaded(*names):
    return [name for name in names if name in sys.modules]

HEAVY = ("torch", "transformers", "sklearn", "scipy", "sentence_transformers")
home = Path(sys.argv[1])
draw(1).save(home / "1.png")
draw(2).save(home / "2.png")
"""

CASES = {
    "indexing and searching load neither torch nor the host for others": """
with ImageIndex.open(home / "index") as index:
    index.index([home])
    assert len(index.search(draw(1))) == 2
    assert index.sql("select id from txtai where distance(text, :q) = 0", {"q": draw(1)})
assert not loaded(*HEAVY), loaded(*HEAVY)
assert not [name for name in sys.modules if name.split(".")[0] == "txtai"]
import hashlens
assert not {"content", "sqlite", "duckdb"} & set(vars(hashlens.database))
""",
    "txtai as a whole can be imported after it, beside it": """
index = ImageIndex.open(home / "index")
index.index([home])
import torch, txtai
from txtai.database import Database
from txtai.pipeline import Similarity
from txtai.util import Library
assert Library().torch() is torch
stock = txtai.Embeddings().load(str(home / "index"))
assert isinstance(stock.database, Database)
query = "select id, distance(text, 'ffffffffffffffff') d from txtai order by d, id"
assert stock.search(query, 9) == index.sql(query)
index.delete(row["id"] for row in index.sql("select id from txtai"))
index.index([home])
assert stock.database.__class__ is not index._store._embeddings.database.__class__
stock.close()
index.close()
with ImageIndex.open(home / "index") as again:
    assert again.count() == 2
""",
    "what is imported further in is kept": """
from hashlens.index.host import host
lean = host()
with lean.active():
    inner = lean.module("txtai.app")
    assert sys.modules["txtai.app"] is inner
assert "txtai.app" not in sys.modules
assert lean.module("txtai.app") is inner
""",
    "threads that open indexes at once share one lean copy": """
import threading
failed, lean = [], []
def other(n):
    try:
        for _ in range(5):
            with ImageIndex.open(home / f"index{n}") as index:
                index.count()
                lean.append(index._store._host.lean)
    except Exception as error:
        failed.append(error)
threads = [threading.Thread(target=other, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
assert all(lean) and len(lean) == 20
assert not loaded(*HEAVY)
""",
    "a search beside it leaves other imports alone": """
import threading
index = ImageIndex.open(home / "index")
index.index([home])
stop = threading.Event()
def searching():
    while not stop.is_set():
        index.search(draw(1))
thread = threading.Thread(target=searching)
thread.start()
import txtai, torch
from txtai.util import Library
stop.set()
thread.join()
assert Library().torch() is torch
""",
    "modules that other threads import meanwhile do no harm": """
import threading
from hashlens.index.host import host
sys.setswitchinterval(1e-6)
stop = threading.Event()
def importing():
    names = [f"another{n}" for n in range(100)]
    while not stop.is_set():
        for name in names:
            sys.modules[name] = sys
        for name in names:
            del sys.modules[name]
thread = threading.Thread(target=importing)
lean = host()
thread.start()
try:
    for _ in range(50):
        with lean.active():
            pass
finally:
    stop.set()
    thread.join()
""",
    "txtai that is there already is used as it is": """
import txtai
with ImageIndex.open(home / "index") as index:
    index.index([home])
    assert type(index._store._embeddings) is txtai.Embeddings
""",
    "other threads import what they like meanwhile": """
import threading
done = []
def other():
    import scipy.fftpack
    done.append(scipy.fftpack)
threads = [threading.Thread(target=other) for _ in range(4)]
for thread in threads:
    thread.start()
ImageIndex.open(home / "index").close()
for thread in threads:
    thread.join()
assert len(done) == 4
""",
}


# Each imports torch, which takes most of its time. In the quick suite all other tests of indexes
# use txtai as it is already there.
WITH_TORCH = (
    "txtai that is there already is used as it is",
    "txtai as a whole can be imported after it, beside it",
    "a search beside it leaves other imports alone",
)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if case in WITH_TORCH else ()) for case in CASES],
)
def test_host(case, tmp_path, pytestconfig):
    done = subprocess.run(
        [sys.executable, "-c", HEAD + CASES[case], tmp_path],
        cwd=pytestconfig.rootpath / "tests" / "helpers",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_loads_next_to_nothing():
    code = (
        "import sys, hashlens, hashlens.cli\n"
        "print([name for name in ('numpy', 'PIL', 'txtai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there():
    import hashlens

    for name in hashlens.__all__:
        assert getattr(hashlens, name) is not None
    assert set(hashlens.__all__) <= set(dir(hashlens))
    with pytest.raises(AttributeError, match="no attribute 'bogus'"):
        _ = hashlens.bogus
