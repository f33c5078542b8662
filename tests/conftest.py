"""Folders of drawn pictures, and indexes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from PIL import ImageEnhance

from drawing import draw
from hashlens import ImageIndex

# No test asserts on time: not in this way either.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of eight pictures, and near-duplicates of the first: smaller, brighter, re-coded."""
    photos = tmp_path / "photos"
    (photos / "copies").mkdir(parents=True)
    for seed in range(8):
        draw(seed).save(photos / f"{seed}.png")
    first = draw(0)
    first.resize((48, 32)).save(photos / "copies" / "small.png")
    ImageEnhance.Brightness(first).enhance(1.1).save(photos / "copies" / "bright.png")
    first.save(photos / "copies" / "recoded.jpg", quality=60)
    return photos


@pytest.fixture(params=["sqlite", "duckdb"])
def content(request: pytest.FixtureRequest) -> str:
    """Each content database in turn."""
    return str(request.param)


@pytest.fixture
def index(folder: Path, tmp_path: Path) -> ImageIndex:
    """An index of the folder, with all that rows can hold."""
    with ImageIndex.open(tmp_path / "index", thumbnails=True, pixel_digests=True) as opened:
        opened.index([folder])
        yield opened
