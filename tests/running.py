"""The command line, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

RUN = [sys.executable, "-c", "from hashlens.cli import main; main()"]


def hashlens(*arguments: object, code: int = 0, **options) -> str:
    """Run the command line; return its standard output, or its error, which is one line."""
    done = subprocess.run([*RUN, *map(str, arguments)], capture_output=True, text=True, **options)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert done.stdout == ""
        assert done.stderr.startswith("hashlens: error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr
    return done.stdout
