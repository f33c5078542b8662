"""The docs say what there is: each command, key, column and public name, and the two commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml

import hashlens
from hashlens.cli.commands import app
from hashlens.hashing import ALGORITHMS
from hashlens.settings import Settings

ROOT = Path(__file__).parent.parent
PROSE = {path.name: path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}
EVERYTHING = "\n".join(PROSE.values())


def keys(tree: dict, prefix: str = ""):
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name in ("embeddings", "embeddings.hashlens", "hashlens"):
            yield from keys(value, f"{name}.")
        else:
            yield name


def test_the_readme_shows_two_commands():
    commands = re.findall(r"^(make \w+)", PROSE["README.md"], re.MULTILINE)
    assert commands == ["make demo", "make test"]


@pytest.mark.parametrize("command", app.commands)
def test_each_command_has_help_and_stands_in_the_docs(command):
    assert app.commands[command].help
    assert f"`hashlens {command}" in PROSE["cli.md"]
    for option in app.commands[command].params:
        if isinstance(option, click.Option):
            assert option.help, f"--{option.name} of {command} has no help"


@pytest.mark.parametrize("key", list(keys(yaml.safe_load((ROOT / "config.yml").read_text()))))
def test_each_key_of_config_yml_stands_in_the_docs(key):
    assert f"`{key}`" in PROSE["configuration.md"]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda item: item.name)
def test_each_algorithm_and_parameter_stands_in_the_guide(algorithm):
    line = next(line for line in PROSE["guide.md"].splitlines() if f"| `{algorithm.name}`" in line)
    for parameter in algorithm.parameters:
        assert parameter.name in line


def test_each_column_stands_in_the_reference(index):
    row = index.sql("select * from txtai limit 1")[0]
    for column in {*row, *index.search(row["text"])[0].row, "skipped"} - {"data", "score"}:
        assert f"`{column}`" in PROSE["sql.md"], column


def test_each_setting_stands_in_the_docs():
    for name in Settings().values():
        assert name in PROSE["configuration.md"] + PROSE["guide.md"]


@pytest.mark.parametrize("name", hashlens.__all__)
def test_each_public_name_has_a_docstring(name):
    assert name == "SQL_FUNCTIONS" or getattr(hashlens, name).__doc__


def test_links_lead_somewhere():
    for name, text in PROSE.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (folder / target).exists(), f"{name}: {target}"
