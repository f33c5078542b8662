"""The settings of an index: stated once, saved with the index, compared when it is opened.

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
# The crop index is a sub-index. It takes the keypoint codes of a row, or reads the picture at its
# path.
CROP_INDEX = {
    "method": "hashlens.crops.CropVectors",
    "backend": "hashlens.crops.CropIndex",
    "columns": {"text": CROPS, "object": "path"},
}


@dataclass(frozen=True)
class Settings:
    """What the rows of an index hold, and how their distance is measured.

    hasher: the perceptual hashes; the first is the column `text`.
    metric: the metric of `distance`.
    thumbnails: whether rows have a small JPEG; it needs a further decode of each image.
    pixel_digests: whether rows have a digest of the pixels; it needs a further decode, too.
    keypoints: keypoint codes of a picture in the crop index, at most; 0: no crop index.
    relative: whether paths are stored relative to the folder that holds the index directory.
    """

    hasher: Hasher = field(default_factory=lambda: Hasher((PerceptualHash(),)))
    metric: str = "hamming"
    thumbnails: bool = False
    pixel_digests: bool = False
    keypoints: int = 0
    relative: bool = False

    def __post_init__(self) -> None:
        """Check the fields; raises ParameterError."""
        check_metric(self.metric)
        if self.keypoints != 0 or type(self.keypoints) is not int:
            check_keypoints(self.keypoints)
        for name in ("thumbnails", "pixel_digests", "relative"):
            if not isinstance(getattr(self, name), bool):
                msg = f"{name} must be True or False, not {getattr(self, name)!r}"
                raise ParameterError(msg)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Read settings from their flat form (see `values`); raises ParameterError."""
        rest = dict(values)
        fields = {key: rest.pop(key) for key in _FIELDS if key in rest}
        decoding: dict[str, Any] = {key: rest.pop(key) for key in _DECODING if key in rest}
        further_hashes = _further_hashes(rest.pop("also", ()))
        decoding["least"] = _frame_side() if fields.get("keypoints") else 0
        return cls(Hasher((PerceptualHash(**rest), *further_hashes), **decoding), **fields)

    @property
    def hash(self) -> PerceptualHash:
        """Return the hash of the column `text`."""
        return self.hasher.hashes[0]

    @property
    def digits(self) -> dict[str, int | None]:
        """Return the number of hex digits of each column of fingerprints; None if they vary."""
        hashes = self.hasher.hashes
        return {name: item.digits for name, item in zip(hash_columns(hashes), hashes, strict=True)}

    def maker(self) -> RowMaker:
        """Return a maker of rows with these settings; raises ParameterError if none can be made."""
        return RowMaker(self.hasher, self.thumbnails, self.pixel_digests, self.keypoints)

    def values(self) -> dict[str, Any]:
        """Return the flat form, for a configuration: names and plain values."""
        return {
            **self.hash.settings(),
            "also": [item.settings() for item in self.hasher.hashes[1:]],
            "grade": self.hasher.grade,
            "upright": self.hasher.upright,
            **{key: getattr(self, key) for key in _FIELDS},
        }

    def config(self, content: str = "sqlite", **more: Any) -> dict[str, Any]:
        """Return the configuration of a txtai index with these settings, and no model.

        `more` is merged in, for instance `indexes=…` for a semantic sub-index. Raises
        ParameterError for an unknown `content`, and IndexingError if its package is missing.
        """
        if content not in CONTENTS:
            msg = f"content must be one of {', '.join(CONTENTS)}, not {content!r}"
            raise ParameterError(msg)
        require_engine(CONTENTS[content])
        versions = {name: version(name) for name in ("hashlens", "imagehash")} | decoders()
        crops = {**CROP_INDEX, "keypoints": self.keypoints, "upright": self.hasher.upright}
        indexes = ({CROPS: crops} if self.keypoints else {}) | more.pop("indexes", {})
        self.check_indexes(indexes)
        return {
            "content": CONTENTS[content],
            "objects": ENCODER,
            "keyword": False,
            "defaults": False,
            KEY: {**self.values(), "versions": versions},
            **({"indexes": indexes} if indexes else {}),
            **more,
        }

    def check_indexes(self, indexes: Mapping[str, Any]) -> None:
        """Raise ParameterError for a sub-index that would open files at relative paths.

        The crop index is handed keypoints, and opens no file.
        """
        for name, item in indexes.items() if self.relative else ():
            reads_paths = "path" in (item.get("columns") or {}).values()
            if reads_paths and item.get("method") != CROP_INDEX["method"]:
                msg = (
                    f"the sub-index {name!r} opens the file at the column path, so it needs "
                    f"absolute paths: leave out relative, or the sub-index"
                )
                raise ParameterError(msg)


# Fields of Settings, but the hasher.
_FIELDS = ("metric", "thumbnails", "pixel_digests", "keypoints", "relative")
_DECODING = ("grade", "upright")  # fields of the hasher


def check_keypoints(number: Any) -> None:
    """Raise ParameterError for an unusable number of keypoints."""
    from hashlens.crops.keypoints import MOST_KEYPOINTS  # noqa: PLC0415  see `_frame_side`

    if type(number) is not int or not 0 <= number <= MOST_KEYPOINTS:
        msg = f"keypoints must be a whole number 0 to {MOST_KEYPOINTS}, not {number!r}"
        raise ParameterError(msg)


def _frame_side() -> int:
    """Return the least side of a decoded picture in which keypoints are looked for, in pixels."""
    from hashlens.crops.keypoints import SIDE  # noqa: PLC0415  loads numpy; hashes need none

    return SIDE


def crop_index(config: Mapping[str, Any]) -> str | None:
    """Return the name of the crop index in a configuration; None if it has none."""
    indexes = config.get("indexes") or {}
    names = (name for name, item in indexes.items() if item.get("method") == CROP_INDEX["method"])
    return next(names, None)


def is_relative(config: Mapping[str, Any]) -> bool:
    """Return whether an index of this configuration stores relative paths."""
    return bool((config.get(KEY) or {}).get("relative"))


def _further_hashes(given: Any) -> list[PerceptualHash]:
    """Read the value of `also`: a list of algorithms, by name or with their parameters."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        msg = f"also must be a list of algorithms, not {given!r}"
        raise ParameterError(msg)
    return [
        PerceptualHash(**item) if isinstance(item, Mapping) else PerceptualHash(item)
        for item in given
    ]


def require_engine(content: str) -> None:
    """Raise IndexingError, naming the extra, if the package of a content database is missing."""
    if content == CONTENTS["duckdb"] and find_spec("duckdb") is None:
        msg = "content duckdb needs the duckdb package: pip install 'hashlens[duckdb]'"
        raise IndexingError(msg)


def settings_of(config: Mapping[str, Any], name: str) -> Settings:
    """Return the settings in an index's configuration; raises IndexingError if it has none."""
    values = config.get(KEY)
    if not isinstance(values, Mapping):
        msg = (
            f"{name} is a txtai index, but its configuration has no {KEY!r} with the algorithm of "
            f"its hashes: it was not made by hashlens"
        )
        raise IndexingError(msg)
    crops = (config.get("indexes") or {}).get(crop_index(config))
    implied = {"keypoints": _keypoints(crops)} if crops else {}
    made = Settings.of(implied | {key: value for key, value in values.items() if key != "versions"})
    made.check_indexes(config.get("indexes") or {})
    return made


def _keypoints(crops: Mapping[str, Any]) -> Any:
    """Return the number of keypoints that the configuration of a crop index states or implies."""
    from hashlens.crops.keypoints import KEYPOINTS  # noqa: PLC0415  see `_frame_side`

    return crops.get("keypoints", KEYPOINTS)


def require_same(stored: Settings, asked: Mapping[str, Any], name: str) -> None:
    """Raise IndexingError if an index is opened with settings that differ from its own."""
    wanted = Settings.of({**asked, "algorithm": asked.get("algorithm", stored.hash.algorithm)})
    for key in asked:
        found, expected = stored.values().get(key), wanted.values()[key]
        if found != expected:
            msg = (
                f"{name} was made with {key} = {found!r}, not {expected!r}: open it without "
                f"{key}, or make another index"
            )
            raise IndexingError(msg)
