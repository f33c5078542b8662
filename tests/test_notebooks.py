from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the messaging between this process and the kernel
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # notebooks leave their folders
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(FOLDER)}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_is_committed_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_there_are_some():
    assert len(NOTEBOOKS) >= 2


@pytest.mark.slow
def test_the_demo_finds_the_copies_and_draws_them(tmp_path):
    demo = [sys.executable, FOLDER / "demo.py"]
    said = subprocess.run(demo, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "indexed 42 of 42 images" in said
    for copy in ("reencoded.jpg", "half.png", "brighter.webp", "blurred.jpg", "crop90.jpg"):
        assert said.count(f"chelsea-{copy}") >= 2
    line = next(line for line in said.splitlines() if "crop " in line and "coffee.jpg" in line)
    box = [int(edge) for edge in re.search(r"\((.*?)\)", line)[1].split(",")]
    assert box == pytest.approx([230, 60, 470, 250], abs=4)
    assert (tmp_path / "demo" / "piece-found.jpg").exists()
    assert (tmp_path / "demo" / "report.html").exists()
    done = re.findall(r"^done +(\d+)", said, re.MULTILINE)
    assert len(done) == 2  # by the plan, and undone
    assert done[0] == done[1] >= "10"
    with Image.open(tmp_path / "demo" / "contact-sheet.jpg") as sheet:
        assert sheet.size == (800, 440)
