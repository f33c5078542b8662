"""The host: txtai, without the half gigabyte that hash search never uses.

`import txtai` loads torch, transformers and scikit-learn, which takes seconds. txtai works without
each of them if it cannot be imported. So a lean copy is made: txtai is imported once while this
thread cannot import them. Outside of `Host.active`, no module of the lean copy is in `sys.modules`,
so that `import txtai` elsewhere in the process gives the whole of it.

Some modules of ours have classes that inherit from txtai's: the guests. They belong to one copy of
txtai, and come and go with it.
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

# Packages that are optional to txtai, slow to import, and of no use to an index with content only.
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
# Keys in the configuration of an index that needs more than the content database.
MODEL_KEYS = ("path", "dense", "sparse", "keyword", "hybrid", "scoring", "graph")
CROPS_MODULE = "hashlens.crops"
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
        """Return whether this is the copy without models."""
        return self._modules is not None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make this copy the one that `import txtai` gives, while an index is made or loaded.

        Another thread that imports txtai for the first time in these milliseconds gets this copy
        as well.
        """
        if self._modules is None:
            yield
            return
        with _lock:
            if self._is_active:  # an outer call in this thread
                yield
                return
            outside = _take_modules()
            _put_modules(self._modules)
            self._is_active = True
            try:
                yield
            finally:
                self._is_active = False
                self._modules = _take_modules()
                _put_modules(outside)

    def module(self, name: str) -> Any:
        """Import a module of this copy."""
        with self.active():
            return importlib.import_module(name)

    def embeddings(self, config: Mapping[str, Any] | None = None) -> Any:
        """Create an `Embeddings` of this copy."""
        with self.active():
            return self.module("txtai.embeddings").Embeddings(config)


def host(config: Mapping[str, Any] | None = None) -> Host:
    """Return the copy of txtai that an index of this configuration needs.

    This is the process's own if it was imported already or if the configuration needs a model, and
    the lean copy otherwise.
    """
    global _lean
    with _lock:  # without the lock, the lean copy may be active for another thread
        if "txtai" in sys.modules or needs_models(config or {}):
            return Host()
        if _lean is None:
            made = Host({})
            with made.active(), _without(HEAVY):
                importlib.import_module("txtai")
            _lean = made
        return _lean


def needs_models(config: Mapping[str, Any]) -> bool:
    """Return whether an index configuration asks for vectors, keywords or a graph.

    The crop index is a sub-index that needs no model.
    """
    indexes = config.get("indexes") or {}
    others = [item for item in indexes.values() if not _is_crops(item)]
    return bool(others) or any(config.get(key) for key in MODEL_KEYS)


def _is_crops(index: Mapping[str, Any]) -> bool:
    return str(index.get("method", "")).startswith(f"{CROPS_MODULE}.")


def _take_modules() -> dict[str, ModuleType]:
    """Remove txtai and the guests from `sys.modules`, and return them."""
    taken = {
        name: module
        for name, module in sys.modules.copy().items()  # other threads may import meanwhile
        if name == "txtai" or name.startswith("txtai.") or name in GUESTS
    }
    for name in taken:
        del sys.modules[name]
    for name in GUESTS:
        if name in taken:
            parent, leaf = _parent_and_leaf(name)
            vars(parent).pop(leaf, None)
    return taken


def _put_modules(modules: Mapping[str, ModuleType]) -> None:
    """Put txtai and the guests into `sys.modules`."""
    sys.modules.update(modules)
    for name in GUESTS:
        if name in modules:
            parent, leaf = _parent_and_leaf(name)
            setattr(parent, leaf, modules[name])


def _parent_and_leaf(guest: str) -> tuple[ModuleType, str]:
    """Return the package that a guest is in, such as `hashlens.crops`, and its name there.

    An import sets a module as an attribute of its package, and `from hashlens.crops import
    subindex` looks there first. So the attribute has to change with `sys.modules`.
    """
    parent, _, leaf = guest.rpartition(".")
    return sys.modules[parent], leaf


class _Refusal:
    """An import finder that refuses some packages, as if not installed, to the current thread."""

    def __init__(self, packages: frozenset[str]) -> None:
        self.packages = packages
        self.thread = threading.get_ident()

    def find_spec(
        self,
        name: str,
        _path: Sequence[str] | None = None,
        _target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Refuse the packages; leave all others to the finders that follow."""
        if name.partition(".")[0] in self.packages and threading.get_ident() == self.thread:
            msg = f"{name} is left out of the lean copy of txtai"
            raise ModuleNotFoundError(msg, name=name)
        return None


@contextmanager
def _without(packages: frozenset[str]) -> Iterator[None]:
    """Let this thread import none of some packages."""
    finder = _Refusal(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
