"""What a move of modules must not change: names, class paths, and what an import costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from txtai.util import Resolver

import hashlens

PUBLIC = [
    *("Calibration", "Card", "Decision", "Duplicates", "Explanation", "FORMATS"),
    *("FingerprintError", "Group", "Groups", "HashlensError", "ImageError", "ImageHash"),
    *("ImageIndex", "ImageRows", "IndexingError", "Link", "Match", "Member", "Outcome", "Pair"),
    *("ParameterError", "PerceptualHash", "Place", "Plan", "PlanError", "Progress", "QueryError"),
    *("Report", "SQL_FUNCTIONS", "Skipped", "Step", "apply", "compare", "distance"),
    *("draw_hash", "draw_matches", "evaluate", "file_digest", "find_duplicates", "hash_files"),
    *("make_plan", "pixel_digest", "sharpness", "similarity", "undo"),
]
# Names that stand in saved indexes, in YAML files and in the articles of users.
CLASS_PATHS = [
    "hashlens.database.SQLite",
    "hashlens.database.DuckDB",
    "hashlens.database.Thumbnails",
    "hashlens.crops.CropVectors",
    "hashlens.crops.CropIndex",
    "hashlens.sql.distance",
    "hashlens.sql.similarity",
    "hashlens.sql.levenshtein",
    "hashlens.neighbors.signs",
    "hashlens.ImageHash",
    "hashlens.ImageRows",
]


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there(name):
    assert name in hashlens.__all__
    assert getattr(hashlens, name) is not None


@pytest.mark.parametrize("path", CLASS_PATHS)
def test_each_class_path_leads_to_a_class_or_function_as_txtai_resolves_it(path):
    assert callable(Resolver()(path))


HEAVY = ("txtai", "torch", "numpy", "PIL")


@pytest.mark.parametrize("code", ["import hashlens", "from hashlens.cli import main; main()"])
def test_neither_the_import_nor_the_help_loads_what_is_slow(code):
    code = (
        f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {code}"
    )
    command = [sys.executable, "-c", code, "--help"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()
    assert "hashlens" in loaded
    assert not set(HEAVY) & set(loaded)
