"""What an index is made with: stated once, saved with the index, compared when it is opened.

In an index's configuration (`config.json`, or `embeddings:` in YAML) the settings are the key
`hashlens`: `{algorithm: perceptual, hash_size: 8, metric: hamming}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from hashlens.hashing import PerceptualHash
from hashlens.metrics import check_metric
from hashlens.model import IndexingError, ParameterError

KEY = "hashlens"
CONTENTS = {
    "sqlite": "hashlens.database.SQLite",
    "duckdb": "hashlens.database.DuckDB",
}
ENCODER = "hashlens.database.Thumbnails"


@dataclass(frozen=True)
class Settings:
    """The hash of an index, the metric of its two-argument `distance`, and what rows hold."""

    hash: PerceptualHash = field(default_factory=PerceptualHash)
    metric: str = "hamming"
    thumbnails: bool = True

    def __post_init__(self) -> None:
        """Check the metric and the flag; raises ParameterError."""
        check_metric(self.metric)
        if not isinstance(self.thumbnails, bool):
            msg = f"thumbnails must be True or False, not {self.thumbnails!r}"
            raise ParameterError(msg)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Read settings from their flat form; raises ParameterError for what cannot be."""
        rest = dict(values)
        own = {name: rest.pop(name) for name in ("metric", "thumbnails") if name in rest}
        return cls(PerceptualHash(**rest), **own)

    def values(self) -> dict[str, Any]:
        """Return the flat form, for a configuration."""
        return {**self.hash.settings(), "metric": self.metric, "thumbnails": self.thumbnails}

    def config(self, content: str = "sqlite", **more: Any) -> dict[str, Any]:
        """Return the configuration of a txtai index with these settings, and no model.

        `more` is merged in, for instance `indexes=…` for a semantic sub-index.
        """
        if content not in CONTENTS:
            msg = f"content must be one of {', '.join(CONTENTS)}, not {content!r}"
            raise ParameterError(msg)
        require_engine(CONTENTS[content])
        versions = {name: version(name) for name in ("hashlens", "pillow", "imagehash")}
        return {
            "content": CONTENTS[content],
            "objects": ENCODER,
            "keyword": False,
            "defaults": False,
            KEY: {**self.values(), "versions": versions},
            **more,
        }


def require_engine(content: str) -> None:
    """Raise IndexingError where the package of a content database is missing, naming the extra."""
    if content == CONTENTS["duckdb"] and find_spec("duckdb") is None:
        msg = "content duckdb needs the duckdb package: pip install 'hashlens[duckdb]'"
        raise IndexingError(msg)


def settings_of(config: Mapping[str, Any], name: str) -> Settings:
    """Return the settings in an index's configuration; raises IndexingError where it has none."""
    values = config.get(KEY)
    if not isinstance(values, Mapping):
        msg = (
            f"{name} is a txtai index, but its configuration has no {KEY!r} with the algorithm of "
            f"its hashes: it was not made by hashlens"
        )
        raise IndexingError(msg)
    return Settings.of({key: value for key, value in values.items() if key != "versions"})


def require_same(stored: Settings, asked: Mapping[str, Any], name: str) -> None:
    """Raise IndexingError where an index is asked for with other settings than it has."""
    wanted = Settings.of({**asked, "algorithm": asked.get("algorithm", stored.hash.algorithm)})
    for key in asked:
        have, want = stored.values().get(key), wanted.values()[key]
        if have != want:
            msg = (
                f"{name} was made with {key} = {have!r}, not {want!r}: open it without "
                f"{key}, or make another index"
            )
            raise IndexingError(msg)
