from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashlens import HashlensError, ParameterError
from hashlens.parallel import process
from hashlens.parallel.pool import Crashed, Results, Schedule, schedule
from hashlens.parallel.process import processors
from suites import examples

KINDS = ["serial", "threads", "fork", "processes"]
PROCESSES = ["fork", "processes"]


def done(job, items, kind, workers=3):
    with Results(job, items, Schedule(kind, workers)) as results:
        return list(results)


# Jobs for new interpreters: those cannot import what is in this file.
upper = str.upper


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 700])
def test_results_come_in_order(kind, workers, count):
    items = [f"item {n}" for n in range(count)]
    assert done(upper, items, kind, workers) == [item.upper() for item in items]


@settings(max_examples=examples(15))
@given(st.lists(st.integers(0, 300_000), max_size=12), st.sampled_from(KINDS), st.integers(1, 4))
def test_nothing_is_too_large_for_the_pipes(sizes, kind, workers):
    items = ["x" * size for size in sizes]
    assert done(upper, items, kind, workers) == [item.upper() for item in items]


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_of_the_job_is_raised(kind):
    items = ["1"] * 50 + ["no number"] + ["2"] * 50
    with pytest.raises(ValueError, match="no number"):
        done(int, items, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_work_may_be_left_undone(kind):
    with Results(upper, ["x"] * 100_000, Schedule(kind, 2)) as results:
        assert next(iter(results)) == "X"


def test_no_worker_runs_far_ahead_of_the_caller():
    taken = []

    def job(item):
        taken.append(item)
        return item

    with Results(job, range(100_000), Schedule("threads", 4)) as results:
        iterator = iter(results)
        next(iterator)
        before = -1
        while len(taken) > before:  # until they wait for the caller
            before = len(taken)
            time.sleep(0.1)
        assert len(taken) < 50_000
        assert list(iterator) == list(range(1, 100_000))


class TestCrashes:
    @pytest.mark.parametrize("kind", PROCESSES)
    def test_cost_one_item_each_and_no_other(self, kind, tmp_path, monkeypatch):
        (tmp_path / "crashing.py").write_text(
            "import os, signal\n"
            "def job(item):\n"
            "    if item % 37 == 0:\n"
            "        os.kill(os.getpid(), signal.SIGSEGV)\n"
            "    return -item\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        from crashing import job

        found = done(job, range(100), kind)
        assert found == [Crashed(n) if n % 37 == 0 else -n for n in range(100)]

    def test_a_process_that_does_not_start_is_an_error(self, monkeypatch):
        here = ModuleType("only_here")
        here._Local = _Local
        monkeypatch.setitem(sys.modules, here.__name__, here)
        monkeypatch.setattr(_Local, "__module__", here.__name__)
        with pytest.raises(HashlensError, match="a worker process cannot be started"):
            done(_Local(), ["x"], "processes")


class _Local:
    """A job that a new interpreter cannot import."""

    def __call__(self, item):
        return item


def test_processes_end_with_the_results(tmp_path):
    with Results(partial(_met, tmp_path), range(40), Schedule("fork", 3)) as results:
        pids = set(results)
    assert len(pids) >= 2
    for pid in pids:
        with pytest.raises(OSError, match="No such process"):
            os.kill(pid, 0)


def test_threads_and_processes_end_with_the_results(tmp_path, monkeypatch):
    (tmp_path / "crash_all.py").write_text(
        "import os, signal\ndef job(item):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from crash_all import job

    threads, children = threading.active_count(), _children()
    for kind in KINDS[1:]:
        work = time.sleep if kind == "threads" else job
        for _ in range(3):
            with Results(work, [0.001] * 1000, Schedule(kind, 3)) as results:
                next(iter(results))
    assert threading.active_count() == threads
    assert _children() == children


def _children() -> int:
    """Count the children of this process, the dead ones that no one waited for too."""
    return sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))


def test_a_worker_that_dies_before_it_begins_is_replaced(monkeypatch):
    begin = process.Process.begin

    def dying(process, job):
        alive = begin(process, job)
        os.kill(process._pid, signal.SIGKILL)
        process.receive()  # until it is dead
        return alive and False

    monkeypatch.setattr(process.Process, "begin", dying)
    assert done(upper, ["a", "b", "c"], "fork", 2) == ["A", "B", "C"]


def test_workers_that_cannot_be_started_are_an_error():
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 20, hard))
    try:
        with pytest.raises(HashlensError, match="30 workers cannot be started, ask for fewer"):
            done(upper, ["a"] * 100, "fork", 30)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


class OddError(Exception):
    """An exception that does not survive pickling."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def odd(item):
    raise OddError(item, item)


def test_an_exception_that_cannot_travel_is_told_of():
    with pytest.raises(HashlensError, match="OddError: pepper and pepper"):
        done(odd, ["pepper"], "fork", 1)


def _met(folder: Path, _: int) -> int:
    """Return the number of this process, as soon as another one is at work too."""
    (folder / str(os.getpid())).touch()
    while len(os.listdir(folder)) < 2:
        time.sleep(0.01)
    return os.getpid()


class TestPlan:
    @pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True, 5000])
    def test_refuses_what_is_no_number_of_workers(self, workers):
        with pytest.raises(ParameterError, match="workers must be a whole number"):
            schedule(10, workers)

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere forks are not safe")
    def test_forks_where_there_is_one_thread(self, monkeypatch):
        monkeypatch.setattr(threading, "active_count", lambda: 1)
        monkeypatch.delitem(sys.modules, "cv2", raising=False)
        assert schedule(10_000, 4) == Schedule("fork", 4)
        assert schedule(3, 4) == Schedule("fork", 3)
        assert schedule(1, 4) == Schedule("serial", 1)

    def test_never_forks_with_opencv_whose_threads_a_fork_loses(self, monkeypatch):
        monkeypatch.setattr(threading, "active_count", lambda: 1)
        monkeypatch.setitem(sys.modules, "cv2", sys)
        assert schedule(10_000, 4) == Schedule("processes", 4)

    def test_never_forks_beside_another_thread(self, monkeypatch):
        monkeypatch.setattr(threading, "active_count", lambda: 2)
        assert schedule(999, 4) == Schedule("threads", 4)
        assert schedule(10_000, 4) == Schedule("processes", 4)
        assert schedule(10_000, 1) == Schedule("serial", 1)

    def test_takes_all_processors(self):
        assert schedule(10_000).workers == processors()


# A command whose workers are new interpreters, from a main module that imports what is heavy.
SCRIPT = """
import sys, threading
from pathlib import Path
import hashlens.parallel.process
if __name__ != "__main__":
    Path({told!r}).write_text("main was run by a worker")
sys.modules["torch"] = sys.modules["txtai"] = sys
threading.Thread(target=threading.Event().wait, daemon=True).start()
from hashlens import hash_files
rows = list(hash_files([sys.argv[1]], workers=2))
assert len(rows) == 1200, len(rows)
"""


def test_workers_do_not_run_the_main_module(tmp_path):
    from drawing import draw

    photos = tmp_path / "photos"
    photos.mkdir()
    draw(1, (16, 16)).save(photos / "0.bmp")
    for n in range(1, 1200):
        os.link(photos / "0.bmp", photos / f"{n}.bmp")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(told=str(tmp_path / "told")))
    subprocess.run([sys.executable, script, photos], check=True)
    assert not (tmp_path / "told").exists()


def test_ctrl_c_ends_all_processes(tmp_path):
    from drawing import draw

    photos = tmp_path / "photos"
    photos.mkdir()
    draw(1, (1500, 1500)).save(photos / "0.png")
    for n in range(1, 1000):
        os.link(photos / "0.png", photos / f"{n}.png")
    code = "import sys; from hashlens.cli import main; sys.argv[0] = 'hashlens'; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "hash", photos],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    some = 20 * os.path.getsize(photos / "0.png")
    while sum(map(_bytes_read, _group(process.pid))) < some:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()  # until the last process has closed its output
    assert process.returncode == 130
    assert said.strip() == "hashlens: interrupted"
    while _group(process.pid):
        time.sleep(0.05)


def _group(pgid: int) -> list[str]:
    """Return the numbers of the processes of a group that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pgid and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


def _bytes_read(pid: str) -> int:
    try:
        return int(Path("/proc", pid, "io").read_text().split()[1])
    except OSError:  # it has ended
        return 0
