"""Machines that stop or say an error at a system call, and folders that are mounted as wished."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from contextlib import contextmanager, suppress

import pytest


class Killed(BaseException):
    """The machine stops here."""


# What changes anything; a crash at any other call is one after the last of these.
CHANGES = (
    "chmod",
    "ftruncate",
    "link",
    "mkdir",
    "rename",
    "replace",
    "rmdir",
    "symlink",
    "unlink",
    "utime",
)
# Where errors are said; a copy has the permissions and times that the file system lets it have.
CALLS = (*CHANGES[1:-1], "fsync", "listdir", "lstat")


class Machine:
    """The system calls of a run: at the n-th it stops for good, or says an error once."""

    def __init__(self, monkeypatch, stop, *, error=0, linkless=False):
        self.patch, self.stop, self.error, self.linkless = monkeypatch, stop, error, linkless
        self.calls = (*(CALLS if error else CHANGES), "open", "write")
        self.count = 0

    @contextmanager
    def running(self):
        with self.patch.context() as patch:
            for name in self.calls:
                patch.setattr(os, name, self.wrap(name, getattr(os, name)))
            yield self

    @property
    def is_stopped(self):
        return self.count >= self.stop

    def wrap(self, name, call):
        def wrapped(*arguments, **options):
            makes = name != "open" or arguments[1] & os.O_CREAT
            self.count += bool(makes or self.error)
            if self.count > self.stop and not self.error:
                raise Killed
            if self.count == self.stop and (makes or self.error):
                if self.error:
                    self.count += 1
                    raise OSError(self.error, os.strerror(self.error))
                raise Killed
            if name == "link" and self.linkless:
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            return call(*arguments, **options)

        return wrapped


def killed_at(monkeypatch, call, stop, linkless):
    """Run until the n-th system call that changes anything; return whether there was one."""
    machine = Machine(monkeypatch, stop, linkless=linkless)
    with machine.running(), suppress(Killed):
        call()
    return machine.is_stopped


class SecondName:
    """A folder that the system calls of a test reach by another name, on another device.

    `cached`: names that were looked up once are still there after they are gone, as in an overlay
    whose layer has changed below it.
    """

    def __init__(self, real, other, *, cached):
        self.real, self.other, self.cached = str(real), str(other), cached
        self.seen = {}

    def install(self, patch):
        for name in ("lstat", "stat"):
            patch.setattr(os, name, self.looking(getattr(os, name)))
        for name in ("link", "listdir", "mkdir", "open", "readlink", "rename", "replace"):
            patch.setattr(os, name, self.calling(getattr(os, name)))
        for name in ("symlink", "unlink"):
            patch.setattr(os, name, self.calling(getattr(os, name)))

    def is_other(self, path):
        return isinstance(path, str) and (path + os.sep).startswith(self.other + os.sep)

    def mapped(self, path):
        return self.real + path[len(self.other) :] if self.is_other(path) else path

    def calling(self, call):
        def called(*arguments, **options):
            return call(*map(self.mapped, arguments), **options)

        return called

    def looking(self, call):
        def looked(path, **options):
            if not self.is_other(path):
                return call(path, **options)
            try:
                found = call(self.mapped(path), **options)
            except FileNotFoundError:
                if self.cached and path in self.seen:
                    return self.seen[path]
                raise
            values = list(found)
            values[stat.ST_DEV] += 1
            times = {name: getattr(found, name) for name in ("st_mtime_ns", "st_atime_ns")}
            looks = os.stat_result(values, times)
            if not stat.S_ISLNK(looks.st_mode):  # what a link says is read anew
                self.seen[path] = looks
            return looks

        return looked


def apart(patch, *folders):
    """Let folders be on devices of their own: no name in one of them leads to a file elsewhere."""

    def device(path):
        return [folder for folder in folders if f"{path}/".startswith(f"{folder}/")]

    def moving(call):
        def moved(source, target, **options):
            if device(source) != device(target):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return call(source, target, **options)

        return moved

    for name in ("link", "rename", "replace"):
        patch.setattr(os, name, moving(getattr(os, name)))


@contextmanager
def mounted(*command):
    """Mount at the last argument, or skip the test with the reason."""
    if not shutil.which("mount"):
        pytest.skip("there is no mount here")
    ran = subprocess.run(["mount", *map(str, command)], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"this machine does not allow mounts: {ran.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(command[-1])], check=True)
