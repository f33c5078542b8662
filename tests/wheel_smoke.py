"""Run the installed command line, as a user does, with nothing of the checkout in reach."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

import hashlens

COMMAND = Path(sys.executable).with_name("hashlens")


def run(*arguments: object) -> str:
    """Run the command; return what it printed."""
    command = [str(COMMAND), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Index two pictures and find one again."""
    home = Path(hashlens.__file__).parent
    assert "site-packages" in home.parts, home
    assert (home / "py.typed").exists()
    assert "Usage: hashlens" in run("--help")
    with tempfile.TemporaryDirectory() as folder:
        Image.linear_gradient("L").save(f"{folder}/linear.png")
        Image.radial_gradient("L").save(f"{folder}/radial.png")
        index = ("--index", f"{folder}/index", "--format", "json")
        assert json.loads(run("index", folder, *index))["images"] == 2
        found = json.loads(run("search", f"{folder}/radial.png", *index))
        assert [Path(row["path"]).name for row in found] == ["radial.png", "linear.png"]
        query = "select id from txtai where distance(text, :q) = 0"
        if find_spec("duckdb") is None:
            asked = [COMMAND, "index", folder, "--index", f"{folder}/duck", "--content", "duckdb"]
            refused = subprocess.run(asked, capture_output=True, text=True)
            assert refused.returncode == 1
            assert "pip install 'hashlens[duckdb]'" in refused.stderr
        rows = json.loads(run("sql", query, "--param", f"q=@{folder}/linear.png", *index))
        assert len(rows) == 1
    print(f"the wheel works: {run('--version').strip()}")  # noqa: T201  for whoever runs make


if __name__ == "__main__":
    main()
