"""The application: the group of all commands."""

from __future__ import annotations

import click

from hashlens.cli import build, clean, compare, find, group, hashes, measure, places


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="hashlens", prog_name="hashlens")
def app() -> None:
    """Find the same picture again: copies, near-duplicates and crops, answered in SQL.

    Not for finding pictures of the same thing: perceptual hashes compare how pictures look. No file
    is changed but by apply and undo; back up before you clean up, at your own risk.
    """


for module in (build, hashes, places, find, group, clean, compare, measure):
    for command in module.COMMANDS:
        app.add_command(command)
