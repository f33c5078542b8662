"""The host: txtai, without the half gigabyte that hash search never uses.

`import txtai` loads torch, transformers and scikit-learn: seconds. Each of them is optional to
txtai, which does without where one cannot be imported. So a lean copy is made: txtai imported once
while this thread cannot import them. The copy is kept apart: outside of `Host.active` no module of
it is in `sys.modules`, so that `import txtai` elsewhere in the process gives the whole of it.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Optional to txtai, slow to import, and of no use to an index that has content only.
HEAVY = frozenset(
    [
        "accelerate",
        "faiss",
        "huggingface_hub",
        "litellm",
        "networkx",
        "onnx",
        "onnxruntime",
        "pandas",
        "safetensors",
        "scipy",
        "sentence_transformers",
        "sklearn",
        "torch",
        "transformers",
    ]
)
# Configuration of an index that needs more than the content database.
MODEL_KEYS = ("path", "dense", "sparse", "keyword", "hybrid", "scoring", "graph")
CROPS_MODULE = "hashlens.crops"
# Our modules with classes that inherit from txtai's: they belong to one copy of it.
GUESTS = (
    "hashlens.crops.subindex",
    "hashlens.database.content",
    "hashlens.database.sqlite",
    "hashlens.database.duckdb",
    "hashlens.workflows.semantic",
)

_lock = threading.RLock()
_lean: Host | None = None


class Host:
    """One copy of txtai: the process's own, or the lean one."""

    def __init__(self, modules: dict[str, ModuleType] | None = None) -> None:
        self._modules = modules
        self._is_active = False

    @property
    def lean(self) -> bool:
        """Tell whether this is the copy without models."""
        return self._modules is not None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make this copy the one that is imported, while an index is made or loaded.

        That is a matter of milliseconds; another thread that imports txtai for the first time
        just then would get this copy as well.
        """
        if self._modules is None:
            yield
            return
        with _lock:
            if self._is_active:  # by this thread, further out
                yield
                return
            outside = _take()
            _put(self._modules)
            self._is_active = True
            try:
                yield
            finally:
                self._is_active = False
                self._modules = _take()
                _put(outside)

    def module(self, name: str) -> Any:
        """Import a module of this copy."""
        with self.active():
            return importlib.import_module(name)

    def embeddings(self, config: Mapping[str, Any] | None = None) -> Any:
        """Create an `Embeddings` of this copy."""
        with self.active():
            return self.module("txtai.embeddings").Embeddings(config)


def host(config: Mapping[str, Any] | None = None) -> Host:
    """Return the txtai that an index of this configuration needs.

    The process's own where it was imported already, or where the configuration needs a model;
    otherwise the lean copy.
    """
    global _lean
    with _lock:  # outside of it, the lean copy may be active for another thread
        if "txtai" in sys.modules or needs_models(config or {}):
            return Host()
        if _lean is None:
            made = Host({})
            with made.active(), _without(HEAVY):
                importlib.import_module("txtai")
            _lean = made
        return _lean


def needs_models(config: Mapping[str, Any]) -> bool:
    """Tell whether an index configuration asks for vectors, keywords or a graph.

    The crop index, a sub-index, needs no model.
    """
    indexes = config.get("indexes") or {}
    others = [item for item in indexes.values() if not _is_crops(item)]
    return bool(others) or any(config.get(key) for key in MODEL_KEYS)


def _is_crops(index: Mapping[str, Any]) -> bool:
    return str(index.get("method", "")).startswith(f"{CROPS_MODULE}.")


def _belongs(name: str) -> bool:
    return name == "txtai" or name.startswith("txtai.") or name in GUESTS


def _take() -> dict[str, ModuleType]:
    taken = {name: module for name, module in sys.modules.items() if _belongs(name)}
    for name in taken:
        del sys.modules[name]
        if name in GUESTS:
            parent, _, leaf = name.rpartition(".")
            vars(sys.modules[parent]).pop(leaf, None)
    return taken


def _put(modules: Mapping[str, ModuleType]) -> None:
    sys.modules.update(modules)
    for name in GUESTS:
        if name in modules:
            parent, _, leaf = name.rpartition(".")
            setattr(sys.modules[parent], leaf, modules[name])


class _Refuse:
    """An import finder that knows some packages as not installed, to one thread."""

    def __init__(self, packages: frozenset[str]) -> None:
        self.packages = packages
        self.thread = threading.get_ident()

    def find_spec(
        self,
        name: str,
        _path: Sequence[str] | None = None,
        _target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Refuse the packages, leave all others to the finders behind."""
        if name.partition(".")[0] in self.packages and threading.get_ident() == self.thread:
            msg = f"{name} is left out of the lean copy of txtai"
            raise ModuleNotFoundError(msg, name=name)
        return None


@contextmanager
def _without(packages: frozenset[str]) -> Iterator[None]:
    finder = _Refuse(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
