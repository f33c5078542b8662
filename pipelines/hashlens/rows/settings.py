"""What an index is made with: stated once, saved with the index, compared when it is opened.

In an index's configuration (`config.json`, or `embeddings:` in YAML) the settings are the key
`hashlens`: `{algorithm: perceptual, hash_size: 8, metric: hamming}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from hashlens.errors import IndexingError, ParameterError
from hashlens.hashing.hasher import Hasher
from hashlens.hashing.metrics import check_metric
from hashlens.hashing.perceptual import PerceptualHash
from hashlens.images.decode import versions as decoders
from hashlens.rows.maker import RowMaker, hash_columns
from hashlens.schema import CROPS, KEY

CONTENTS = {
    "sqlite": "hashlens.database.SQLite",
    "duckdb": "hashlens.database.DuckDB",
}
ENCODER = "hashlens.database.Thumbnails"
# The crop index is a sub-index. It gets a row's keypoint codes, or reads the picture at its path.
CROP_INDEX = {
    "method": "hashlens.crops.CropVectors",
    "backend": "hashlens.crops.CropIndex",
    "columns": {"text": CROPS, "object": "path"},
}


@dataclass(frozen=True)
class Settings:
    """What rows hold: fingerprints of some hashes, and what else; and the metric of `distance`.

    `thumbnails` and `pixel_digests` need a decode of their own for each image. `keypoints` is how
    many keypoint codes the crop index has of a picture, at most; 0: there is no crop index.
    """

    hasher: Hasher = field(default_factory=lambda: Hasher((PerceptualHash(),)))
    metric: str = "hamming"
    thumbnails: bool = False
    pixel_digests: bool = False
    keypoints: int = 0

    def __post_init__(self) -> None:
        """Check the metric, the flags and the number; raises ParameterError."""
        check_metric(self.metric)
        if self.keypoints != 0 or type(self.keypoints) is not int:
            check_keypoints(self.keypoints)
        for name in ("thumbnails", "pixel_digests"):
            if not isinstance(getattr(self, name), bool):
                msg = f"{name} must be True or False, not {getattr(self, name)!r}"
                raise ParameterError(msg)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Read settings from their flat form; raises ParameterError for what cannot be."""
        rest = dict(values)
        own = {key: rest.pop(key) for key in _OWN if key in rest}
        how: dict[str, Any] = {key: rest.pop(key) for key in ("grade", "upright") if key in rest}
        also = _also(rest.pop("also", ()))
        how["least"] = _frame_side() if own.get("keypoints") else 0
        return cls(Hasher((PerceptualHash(**rest), *also), **how), **own)

    @property
    def hash(self) -> PerceptualHash:
        """Return the hash of the column `text`."""
        return self.hasher.hashes[0]

    @property
    def digits(self) -> dict[str, int | None]:
        """Return the columns of fingerprints, with the number of hex digits in each."""
        hashes = self.hasher.hashes
        return {name: item.digits for name, item in zip(hash_columns(hashes), hashes, strict=True)}

    def maker(self) -> RowMaker:
        """Return what makes rows with these settings; raises ParameterError where nothing can."""
        return RowMaker(self.hasher, self.thumbnails, self.pixel_digests, self.keypoints)

    def values(self) -> dict[str, Any]:
        """Return the flat form, for a configuration."""
        return {
            **self.hash.settings(),
            "also": [item.settings() for item in self.hasher.hashes[1:]],
            "grade": self.hasher.grade,
            "upright": self.hasher.upright,
            **{key: getattr(self, key) for key in _OWN},
        }

    def config(self, content: str = "sqlite", **more: Any) -> dict[str, Any]:
        """Return the configuration of a txtai index with these settings, and no model.

        `more` is merged in, for instance `indexes=…` for a semantic sub-index.
        """
        if content not in CONTENTS:
            msg = f"content must be one of {', '.join(CONTENTS)}, not {content!r}"
            raise ParameterError(msg)
        require_engine(CONTENTS[content])
        versions = {name: version(name) for name in ("hashlens", "imagehash")} | decoders()
        crops = {**CROP_INDEX, "keypoints": self.keypoints, "upright": self.hasher.upright}
        indexes = ({CROPS: crops} if self.keypoints else {}) | more.pop("indexes", {})
        return {
            "content": CONTENTS[content],
            "objects": ENCODER,
            "keyword": False,
            "defaults": False,
            KEY: {**self.values(), "versions": versions},
            **({"indexes": indexes} if indexes else {}),
            **more,
        }


_OWN = ("metric", "thumbnails", "pixel_digests", "keypoints")


def check_keypoints(number: Any) -> None:
    """Raise ParameterError where that is no number of keypoints."""
    from hashlens.crops.keypoints import MOST_KEYPOINTS  # noqa: PLC0415  see `_frame_side`

    if type(number) is not int or not 0 <= number <= MOST_KEYPOINTS:
        msg = f"keypoints must be a whole number 0 to {MOST_KEYPOINTS}, not {number!r}"
        raise ParameterError(msg)


def _frame_side() -> int:
    from hashlens.crops.keypoints import SIDE  # noqa: PLC0415  loads numpy, which hashes do without

    return SIDE


def crop_index(config: Mapping[str, Any]) -> str | None:
    """Return the name of the crop index among the sub-indexes of a configuration."""
    indexes = config.get("indexes") or {}
    names = (name for name, item in indexes.items() if item.get("method") == CROP_INDEX["method"])
    return next(names, None)


def _also(given: Any) -> list[PerceptualHash]:
    """Read further hashes: a list of algorithms, by name or with their parameters."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        msg = f"also must be a list of algorithms, not {given!r}"
        raise ParameterError(msg)
    return [
        PerceptualHash(**item) if isinstance(item, Mapping) else PerceptualHash(item)
        for item in given
    ]


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
    crops = (config.get("indexes") or {}).get(crop_index(config))
    stated = {"keypoints": _keypoints(crops)} if crops else {}
    return Settings.of(stated | {key: value for key, value in values.items() if key != "versions"})


def _keypoints(crops: Mapping[str, Any]) -> Any:
    from hashlens.crops.keypoints import KEYPOINTS  # noqa: PLC0415  likewise

    return crops.get("keypoints", KEYPOINTS)


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
