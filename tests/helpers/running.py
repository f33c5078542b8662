"""The command line: in this process, and in a process of its own."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from hashlens import cli

RUN = [sys.executable, "-c", "from hashlens.cli import main; main()"]


class Ran(NamedTuple):
    """What a command left: its exit code and all that it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run(
    *arguments: object,
    code: int = 0,
    cwd: os.PathLike[str] | str | None = None,
    env: Mapping[str, str] | None = None,
) -> Ran:
    """Run the command line in this process, which takes a fiftieth of the time of a new one.

    Leave out what is of a process alone: the early start of workers and the quick exit.
    """

    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    out, error = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
        patch.setattr(cli, "_prepare", lambda: None)
        patch.setattr(cli, "_leave", leave)
        patch.setattr(sys, "argv", ["hashlens", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        if cwd is not None:
            patch.chdir(cwd)
        with pytest.raises(SystemExit) as left:
            cli.main()
    return _checked(left.value.code, _written(out), _written(error), code)


def run_apart(*arguments: object, code: int = 0, **options) -> Ran:
    """Run the command line in a process of its own."""
    command = [*RUN, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    return _checked(done.returncode, done.stdout, done.stderr, code)


def hashlens(*arguments: object, code: int = 0, **options) -> str:
    """Run the command line; return its standard output, or its error, which is one line."""
    done = run(*arguments, code=code, **options)
    if code == 1:
        assert done.stdout == ""
        assert done.stderr.startswith("hashlens: error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr
    return done.stdout


def importing_first(folder: Path) -> dict[str, str]:
    """Return an environment whose interpreters look for modules in a folder before all others."""
    folders = filter(None, [str(folder), os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]


def _checked(returncode: int, stdout: str, stderr: str, code: int) -> Ran:
    assert returncode == code, stderr
    assert "Traceback" not in stderr
    return Ran(returncode, stdout, stderr)


class Watched:
    """A command whose errors and progress go to a terminal, which is read as it is written to."""

    def __init__(self, *arguments: object, **options) -> None:
        self.shown = ""
        self._ended = False
        self._told = threading.Condition()
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [*RUN, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=inside,
            text=True,
            **options,
        )
        os.close(inside)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the command, and until all that it showed is read."""
        with self.process:
            pass
        self._reader.join()
        os.close(self._terminal)

    def wait_for(self, pattern: str) -> None:
        """Wait until the terminal shows something like the pattern."""
        with self._told:
            self._told.wait_for(lambda: self._ended or re.search(pattern, self.shown))
        assert re.search(pattern, self.shown), self.shown

    def _read(self) -> None:
        data = b""
        with suppress(OSError):  # EIO: no one has the other end any more
            while more := os.read(self._terminal, 10_000):
                data += more
                with self._told:
                    self.shown = data.decode(errors="replace")
                    self._told.notify_all()
        with self._told:
            self._ended = True
            self._told.notify_all()
