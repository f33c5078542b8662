"""Find pictures by a part of them; class paths of the crop index: `CropVectors`, `CropIndex`."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    # Not kept here: a class belongs to one of two copies of txtai (see `hashlens.index.host`).
    if name in ("CropVectors", "CropIndex"):
        return getattr(import_module("hashlens.crops.subindex"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
