"""Frozen values that travel between the rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# A picture with a lower information score is nearly flat, and its fingerprint says nothing.
LOW_INFORMATION = 1.0

# The turn of each EXIF orientation in words: mirrored first, then turned clockwise by degrees.
TURN_WORDS = {
    1: "",
    2: "mirrored",
    3: "180",
    4: "mirrored 180",
    5: "mirrored 270",
    6: "90",
    7: "mirrored 90",
    8: "270",
}
ORIENTATIONS = {words: number for number, words in TURN_WORDS.items()}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or directory that was left out.

    path: the file or directory.
    reason: why it was left out, in words.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    done: files that are done.
    total: files of the run.
    path: the file that was done last.
    """

    done: int
    total: int
    path: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an indexing run did.

    hashed: files that were read and given a fingerprint.
    unchanged: files whose row had a fingerprint already.
    moved: new files that took over the row of a vanished file.
    removed: rows that were deleted because their file has vanished.
    skipped: files without a fingerprint, each with its reason.
    uncroppable: in an index with crops, files without keypoints: no part of them can be found.
    left_out: the number of files and folders that each pattern has left out.
    away: the number of rows that stay, by the folder of their files, which is gone or empty.
    passed_over: the number of files with another extension, by kind, the most frequent first. A
        kind is the extension; of a picture with another name, it is the picture's extension and
        what follows, with N for a number: `.jpg.N`.
    """

    hashed: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    skipped: tuple[Skipped, ...] = ()
    uncroppable: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    away: Mapping[str, int] = field(default_factory=dict)
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Return how many of the given files are in the index with a fingerprint."""
        return self.hashed + self.unchanged + self.moved

    @property
    def ignored(self) -> int:
        """Return how many files with another extension were passed over."""
        return sum(self.passed_over.values())


Corners: TypeAlias = "tuple[int, int, int, int]"  # left, top, right, bottom, in pixels
Fractions: TypeAlias = "tuple[float, float, float, float]"  # the same, in fractions of the size
Outline: TypeAlias = "tuple[tuple[float, float], ...]"  # corners (x, y), in pixels
Affine: TypeAlias = "tuple[tuple[float, float, float], tuple[float, float, float]]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query image lies in a picture, and the evidence for it.

    box: the part of the picture that the query shows: left, top, right, bottom, in pixels.
    fractions: the box in fractions of the picture's width and height.
    outline: the corners of the query, clockwise from its top left, in pixels of the picture.
    transform: the affine map ((a, b, c), (d, e, f)) from pixels of the query to pixels of the
        picture: x' = a x + b y + c, y' = d x + e y + f.
    inliers: keypoints that agree with the transform.
    correlation: of the pixels of query and picture in the box, at most 1.
    agreement: the share of blocks in the box in which the two look the same, 0 to 1.
    mirrored: whether the query shows the picture mirrored.
    """

    box: Corners
    fractions: Fractions
    outline: Outline
    transform: Affine
    inliers: int
    correlation: float
    agreement: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Match:
    """One row that matches a query image, with its evidence.

    id: the id of the row.
    path: the file of the row.
    distance: between the fingerprints, by the index's metric (bits for Hamming).
    similarity: 1 - distance / highest possible distance, for display.
    row: the other columns of the row.
    stage: why the row matches: `digest` (the files have the same bytes), `hash` (the fingerprints
        are equal, or within the `max_distance` asked for) or `crop` (one picture shows a part of
        the other, or all of it); `nearest` is not a match, only the nearest of the other rows.
    place: where the query lies in the picture, or None; its fields are properties here, too.
    """

    id: str
    path: str
    distance: float
    similarity: float
    row: dict[str, Any] = field(default_factory=dict)
    stage: str = "nearest"
    place: Place | None = None

    @property
    def box(self) -> Corners | None:
        """Return the part of the picture that the query shows, in pixels."""
        return self.place.box if self.place else None

    @property
    def fractions(self) -> Fractions | None:
        """Return the box in fractions of the picture's width and height."""
        return self.place.fractions if self.place else None

    @property
    def outline(self) -> Outline | None:
        """Return the corners of the query, in pixels of the picture."""
        return self.place.outline if self.place else None

    @property
    def transform(self) -> Affine | None:
        """Return the affine map from pixels of the query to pixels of the picture."""
        return self.place.transform if self.place else None

    @property
    def inliers(self) -> int | None:
        """Return the number of keypoints that agree with the transform."""
        return self.place.inliers if self.place else None

    @property
    def correlation(self) -> float | None:
        """Return the correlation of the pixels in the box, at most 1."""
        return self.place.correlation if self.place else None

    @property
    def agreement(self) -> float | None:
        """Return the share of blocks in the box in which the two look the same, 0 to 1."""
        return self.place.agreement if self.place else None

    @property
    def mirrored(self) -> bool | None:
        """Return whether the query shows the picture mirrored."""
        return self.place.mirrored if self.place else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a query was answered.

    way: `packed codes` (distances from memory) or `full scan` (distances by SQL, row by row).
    reason: of a full scan, why.
    column: the column whose distance was computed from packed codes.
    constant: the fingerprint that it was compared with.
    metric: the metric of the distance.
    rows: rows whose distance was computed.
    candidates: rows over which the query itself then ran.
    """

    way: str
    reason: str = ""
    column: str = ""
    constant: str = ""
    metric: str = ""
    rows: int = 0
    candidates: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a group, as its row describes it.

    id: the id of the row.
    path: the file.
    fingerprint: in hex.
    distance: of the fingerprint from the keeper's.
    width, height: of the picture, in pixels.
    bytes: size of the file.
    mtime_ns: modification time of the file when it was indexed, in nanoseconds.
    frames: frames, pages, layers or sizes in the file; 0 if it is not known how many.
    format: Pillow's name of the file format.
    information: information score of the picture; below `LOW_INFORMATION` it is nearly flat.
    file_digest: SHA-256 of the file, in hex.
    damaged: what is wrong with the file; "" if nothing is known.
    same: `bytes` or `pixels` if these equal the keeper's; "" if not, or if it is not known.
    sharpness: variance of the Laplacian, in grey levels squared; None if it was not measured.
    turn: the turn after which the picture looks like the keeper, see `TURN_WORDS`; "" if none.
    """

    id: str
    path: str
    fingerprint: str
    distance: float = 0
    width: int = 0
    height: int = 0
    bytes: int = 0
    mtime_ns: int = 0
    frames: int = 1
    format: str = ""
    information: float = 0.0
    file_digest: str = ""
    damaged: str = ""
    same: str = ""
    sharpness: float | None = None
    turn: str = ""

    @property
    def pixels(self) -> int:
        """Return the number of pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Group:
    """Images that match each other.

    members: the keeper first, then the others by their distance from it.
    diameter: the largest distance between two members.
    reason: why the keeper was chosen, in words.
    """

    members: tuple[Member, ...]
    diameter: float
    reason: str = ""

    @property
    def keeper(self) -> Member:
        """Return the one image to keep."""
        return self.members[0]

    @property
    def duplicates(self) -> tuple[Member, ...]:
        """Return the other images."""
        return self.members[1:]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images and their distance.

    first, second: paths of the images.
    distance: between their fingerprints.
    grouped: whether both are in the same group.
    reason: why a second look parted them; "" if there was none, or if they look the same.
    """

    first: str
    second: str
    distance: float
    grouped: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Two images that hash alike, and that a second look does not take for the same picture.

    first: path of the keeper.
    second: path of the image that left the keeper's group.
    distance: between their fingerprints.
    reason: what differs, in words.
    """

    first: str
    second: str
    distance: float
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about two pictures, or about one.

    first, second: SHA-256 of the pixels of each picture, in hex, the lower one first; the second is
        "" for one picture.
    verdict: `not-duplicate`, or `keep-both` for duplicates that both stay; `keeper` for one picture
        that is kept before all others.
    first_path, second_path: the files that were shown.
    decided: when, in ISO 8601, UTC.
    """

    first: str
    second: str
    verdict: str
    first_path: str = ""
    second_path: str = ""
    decided: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Two images, one of which shows a part of the other; a link does not change groups.

    part: the image that shows a part.
    whole: the image that shows the whole.
    place: where the part lies in the whole.
    """

    part: Member
    whole: Member
    place: Place
