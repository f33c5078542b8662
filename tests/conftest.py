"""Two suites of tests, and what tests share: folders of drawn pictures, and indexes of them.

The quick suite is `pytest`, as `make test` calls it before each commit. It tests each behaviour.
The thorough suite is `pytest --thorough`, as `make slow` calls it. It adds three things:

- tests that are marked `slow`: notebooks, the demo, minutes with many processes;
- the whole of each sweep, such as an error at each system call (fixture `sweep`), of which the
  quick suite takes strides from a random start;
- all examples of each hypothesis property, of which the quick suite takes a share (suites.py).

It leaves out tests that are the same in both suites. Add `-n logical` to either to use all cores.
A test that is named, as in `pytest tests/test_x.py::test_y`, runs in either suite.
"""

from __future__ import annotations

import gc
import itertools
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import is_hypothesis_test, settings
from PIL import ImageEnhance

import suites  # noqa: F401  registers the profiles of hypothesis
from drawing import draw
from hashlens import ImageIndex


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run what the quick suite leaves out")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: runs in the thorough suite only")
    settings.load_profile("thorough" if config.getoption("thorough") else "quick")
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts its background jobs so: commands of the tests would ignore Ctrl-C as well.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None):
        # Each worker has a core of its own: threads of BLAS and OpenMP would wait for each other,
        # and they wait busily (a third of the whole suite's time on two cores).
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import the tests without the collector of garbage, which passes over what they imported.

    torch alone makes a million objects. They stay, so later passes leave them out as well.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests of the suite, unless some are named."""
    if any("::" in argument for argument in config.args):
        return
    chosen = is_in_thorough if config.getoption("thorough") else is_in_quick
    left_out = [item for item in items if not chosen(item)]
    items[:] = [item for item in items if chosen(item)]
    config.hook.pytest_deselected(items=left_out)


def is_in_quick(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is None


def is_in_thorough(item: pytest.Item) -> bool:
    """Return whether the thorough suite does more with a test than the quick one."""
    return (
        not is_in_quick(item)
        or "thorough" in getattr(item, "fixturenames", ())
        or is_hypothesis_test(getattr(item, "obj", None))
    )


@pytest.fixture
def thorough(pytestconfig: pytest.Config) -> bool:
    """Whether this is the thorough suite."""
    return bool(pytestconfig.getoption("thorough"))


@pytest.fixture
def sweep(thorough: bool) -> Callable[[Iterable[Any], int], Iterator[Any]]:
    """Walk through all items in the thorough suite, else through every n-th from a random start."""

    def walk(items: Iterable[Any], stride: int) -> Iterator[Any]:
        if thorough:
            return iter(items)
        return itertools.islice(items, random.randrange(stride), None, stride)  # noqa: S311

    return walk


@pytest.fixture
def folder(tmp_path: Path, drawn: Path) -> Path:
    """A folder of eight pictures, and near-duplicates of the first: smaller, brighter, re-coded."""
    return Path(shutil.copytree(drawn, tmp_path / "photos"))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of `folder`, which no test changes."""
    photos = tmp_path_factory.mktemp("drawn") / "photos"
    (photos / "copies").mkdir(parents=True)
    for seed in range(8):
        draw(seed).save(photos / f"{seed}.png")
    first = draw(0)
    first.resize((48, 32)).save(photos / "copies" / "small.png")
    ImageEnhance.Brightness(first).enhance(1.1).save(photos / "copies" / "bright.png")
    first.save(photos / "copies" / "recoded.jpg", quality=60)
    return photos


@pytest.fixture(scope="session")
def shared_index(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageIndex]:
    """As `index`, of `drawn`: one for all tests that only read."""
    place = tmp_path_factory.mktemp("shared") / "index"
    with ImageIndex.open(place, thumbnails=True, pixel_digests=True) as opened:
        opened.index([drawn])
        yield opened


@pytest.fixture(params=["sqlite", "duckdb"])
def content(request: pytest.FixtureRequest) -> str:
    """Each content database in turn."""
    return str(request.param)


@pytest.fixture
def index(folder: Path, tmp_path: Path) -> ImageIndex:
    """An index of the folder, with all that rows can hold."""
    with ImageIndex.open(tmp_path / "index", thumbnails=True, pixel_digests=True) as opened:
        opened.index([folder])
        yield opened
