"""The package as a whole: its version, and what it promises to type checkers."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import hashlens
from hashlens.cli.app import app

ROOT = Path(__file__).parent.parent
TYPED = (ROOT / "tests" / "typing" / "api.py").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_version_is_stated_once_in_pyproject():
    stated = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert hashlens.__version__ == stated[1]
    said = CliRunner().invoke(app, ["--version"]).output
    assert said == f"hashlens, version {stated[1]}\n"


def test_the_version_costs_nothing_until_it_is_asked_for():
    program = "import sys, hashlens; print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", [*hashlens.__all__, "__version__"])
def test_each_public_name_is_type_checked(name):
    assert re.search(rf"\bhashlens\.{name}\b", TYPED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_each_example_of_the_readme_is_type_checked(example):
    assert textwrap.indent(example, "    ", lambda line: line.strip() != "") in TYPED


def test_the_hooks_before_a_commit_are_the_commands_of_make_lint():
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()[1:]]
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"].removeprefix("bash -c ").strip("'") for hook in repository["hooks"]]
    assert hooks == commands
