"""The command that measures: the accuracy card of a folder."""

from __future__ import annotations

from typing import Any

import click

from hashlens.cli.options import progress_bar


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option(
    "--queries", type=int, metavar="N", help="Pictures asked for after each attack (all)."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of split and attacks.")
@click.option(
    "--attack", "attacks", multiple=True, metavar="NAME", help="Only this attack; repeatable."
)
@click.option(
    "--distractors",
    multiple=True,
    type=click.Path(exists=True),
    metavar="DIR",
    help="More pictures for the database; repeatable.",
)
@click.option(
    "--absent",
    multiple=True,
    type=click.Path(exists=True),
    metavar="DIR",
    help="Pictures to ask for that are not in the database; repeatable.",
)
@click.option(
    "--rivals/--no-rivals", default=True, show_default=True, help="Measure other methods too."
)
@click.option(
    "--keypoints", type=int, default=200, show_default=True, help="Of a picture, in the index."
)
@click.option(
    "--out", metavar="DIR", help="Write accuracy.md, accuracy.json and accuracy.png there."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json"], case_sensitive=False),
    default="table",
    show_default=True,
    help="How to print the result: Markdown, or all of it as JSON.",
)
@click.option("--workers", type=int, metavar="N", help="Processes at work (one a processor).")
def evaluate(
    folder: str, attacks: tuple[str, ...], out: str | None, style: str, **options: Any
) -> None:
    """Measure how well the pictures of a folder are found again after crops, edits and the like.

    Half of the pictures are attacked and looked for in an index of all; the other half gives other
    methods, such as those of ImageHash, their thresholds. Minutes for hundreds of pictures.
    """
    from hashlens.evaluation import evaluate as measure
    from hashlens.evaluation.card import require_matplotlib

    if out is not None:
        require_matplotlib()  # sooner than after all the work
    with progress_bar() as advance:
        card = measure(folder, attacks=attacks or None, progress=advance, **options)
    if out is not None:
        card.save(out)
    print(card.to_json() if style == "json" else card.to_markdown(), end="")
