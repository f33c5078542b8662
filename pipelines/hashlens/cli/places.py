"""Commands on the places of files: relocate, forget."""

from __future__ import annotations

import click

from hashlens.cli.options import format_option, index_option, open_index
from hashlens.cli.output import show_one


@click.command()
@click.argument("old", type=click.Path())
@click.argument("new", type=click.Path(exists=True))
@index_option
@format_option
def relocate(old: str, new: str, directory: str, style: str) -> None:
    """Adopt files that moved from one folder to another, without reading them."""
    with open_index(directory) as opened:
        show_one({"relocated": opened.relocate(old, new)}, style)


@click.command()
@click.argument("path", type=click.Path())
@index_option
@format_option
def forget(path: str, directory: str, style: str) -> None:
    """Drop the rows of a file, or of all files below a folder; no file is touched."""
    with open_index(directory) as opened:
        show_one({"forgotten": opened.forget(path)}, style)


COMMANDS = (relocate, forget)
