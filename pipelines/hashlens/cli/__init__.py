"""The command line: thin doors onto the library. `--help` loads nothing but click."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from io import TextIOWrapper
from typing import NoReturn

from hashlens.errors import HashlensError

USER_ERROR = 1
# What stays of an interrupted command.
_KEPT = {
    "index": "; what was committed is kept",
    "run": "; what was committed is kept",
    "apply": "; the same command goes on, hashlens undo goes back",
    "undo": "; the same command goes on",
}
INTERRUPTED = 130


def main() -> None:
    """Run the command line; exit 0, 1 after a user's error of one line, 130 if interrupted."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    try:
        _prepare()
        code = _run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        kept = _KEPT.get(sys.argv[1] if len(sys.argv) > 1 else "", "")
        _say(f"hashlens: interrupted{kept}")
        code = INTERRUPTED
    except HashlensError as error:
        _say(f"hashlens: error: {error}")
        code = USER_ERROR
    except BrokenPipeError:  # the reader of the output closed it
        sys.stdout = None
        code = USER_ERROR
    except OSError as error:
        _say(f"hashlens: error: {error}")  # such as output to a full disk
        sys.stdout = None  # or the interpreter tries to write again, and complains
        code = USER_ERROR
    _leave(code)


def _prepare() -> None:
    """Start the workers early: that takes longer than reading the command line."""
    # Pillow warns of odd metadata without the name of the file; rows tell what is damaged.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    gc.set_threshold(100_000)  # imports make many objects but little garbage
    # Matrices are small here: numpy's own threads would only take cores from the workers.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.argv[1:2] in (["compare"], ["hash"], ["index"]):
        import hashlens.model  # noqa: F401  before workers are forked, which need it, too
        from hashlens.parallel.process import start_early

        crops = (
            ("cv2", "hashlens.crops.extract") if {"--crops", "--keypoints"} & set(sys.argv) else ()
        )
        start_early(
            ("hashlens.rows.maker", "hashlens.images.decode", "hashlens.hashing.samples", *crops)
        )


def _run() -> int:
    import click

    from hashlens.cli.app import app

    warnings.showwarning = lambda message, *_, **__: _say(f"hashlens: warning: {message}")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # file names may have bytes that are not text
    try:
        code = app(prog_name="hashlens", standalone_mode=False)
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = USER_ERROR
    except click.ClickException as error:
        lines = map(str.strip, error.format_message().splitlines())
        _say(f"hashlens: error: {' '.join(lines)}")
        code = USER_ERROR
    return code if isinstance(code, int) else 0


def _say(line: str) -> None:
    if sys.stderr:
        print(line, file=sys.stderr)


def _leave(code: int) -> NoReturn:
    """Exit without unloading all modules, which takes as long as a small command."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()
    os._exit(code)
