"""The command line: thin doors onto the library. `--help` loads nothing but click."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

from hashlens.cli.commands import app
from hashlens.model import HashlensError

USER_ERROR = 1
INTERRUPTED = 130


def main() -> None:
    """Run the command line: exit 0, 1 with one line for a user's error, 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may hold what it cannot show
    try:
        code = app(prog_name="hashlens", standalone_mode=False)
        if sys.stdout:
            sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        click.echo("hashlens: interrupted; what was committed is kept", err=True)
        code = INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = USER_ERROR
    except click.ClickException as error:
        click.echo(f"hashlens: error: {error.format_message()}", err=True)
        code = USER_ERROR
    except HashlensError as error:
        click.echo(f"hashlens: error: {error}", err=True)
        code = USER_ERROR
    except OSError as error:
        click.echo(f"hashlens: error: {error}", err=True)  # such as a full disk behind the output
        sys.stdout = None  # or the interpreter would try once more, and complain
        code = USER_ERROR
    sys.exit(code if isinstance(code, int) else 0)
