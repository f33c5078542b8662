from __future__ import annotations

import errno
import fcntl
import os

import pytest

from hashlens import IndexingError, PlanError
from hashlens.disk import lock_open, locked, replace_directory, saved, saved_together


class Killed(BaseException):
    pass


def names(folder):
    return sorted(os.listdir(folder))


def test_a_saved_file_is_replaced_when_all_is_written(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with saved(path, newline="") as file:
        file.write("new\r\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == b"new\r\n"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError, Killed])
def test_files_saved_together_stay_as_they_were_after_an_exception(tmp_path, error):
    paths = [tmp_path / "a", tmp_path / "b"]
    paths[0].write_text("old")

    def write():
        with saved_together(paths) as files:
            for file in files:
                file.write(b"new")
            raise error

    with pytest.raises(error):
        write()
    assert paths[0].read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_files_saved_together_are_all_synced_before_the_first_is_replaced(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def noting(name, function):
        def call(*arguments):
            calls.append(name)
            return function(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", noting("fsync", fsync))
    monkeypatch.setattr(os, "replace", noting("replace", replace))
    with saved_together([tmp_path / "a", tmp_path / "b"]) as files:
        for file in files:
            file.write(b"new")
    assert calls == ["fsync", "fsync", "replace", "replace", "fsync"]  # the last: their folder
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"new", b"new"]


def test_a_named_temporary_file_of_a_crash_is_overwritten(tmp_path):
    temporary = tmp_path / "file.new"
    temporary.write_text("what a crash has left, which is longer")
    with saved(tmp_path / "file", temporary=temporary) as file:
        file.write("new")
    assert (tmp_path / "file").read_text() == "new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [IndexingError, PlanError])
def test_a_lock_lets_one_writer_in(tmp_path, error):
    path, lock = tmp_path / "file", tmp_path / "lock"
    with locked(path, error, lock=lock):
        with pytest.raises(error, match=r"another process or thread is writing to .*file; try"):
            locked(path, error, lock=lock).__enter__()
        with locked(path, error, lock=tmp_path / "other"):
            pass
    with locked(path, error, lock=lock):
        pass


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(PlanError, match="folder cannot be written: "):
        locked(tmp_path / "folder", PlanError, lock=tmp_path / "lock").__enter__()


def test_an_open_file_is_locked_until_it_is_closed(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with path.open() as first, path.open() as second:
        lock_open(first.fileno(), path, PlanError)
        with pytest.raises(PlanError, match=r"another process or thread is writing to .*file; try"):
            lock_open(second.fileno(), path, PlanError)
        first.close()
        lock_open(second.fileno(), path, PlanError)
    assert names(tmp_path) == ["file"]


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(descriptor, flags):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(PlanError, match=r"file cannot be locked: No locks available"):
        lock_open(0, tmp_path / "file", PlanError)


def test_a_directory_takes_the_place_of_another(tmp_path):
    for name in ("new", "target", ".old-target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_directory(tmp_path / "new", tmp_path / "target")
    assert names(tmp_path) == ["target"]
    assert names(tmp_path / "target") == ["new"]
