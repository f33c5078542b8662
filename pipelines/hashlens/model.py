"""Values that travel between the floors, and the errors that users meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Below this information score a picture is as good as flat, and its hash says nothing.
LOW_INFORMATION = 1.0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file without a fingerprint, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an indexing run is: files done, files in all, and the file just done."""

    done: int
    total: int
    path: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an indexing run did.

    `hashed` files were read and given a fingerprint, `unchanged` ones had it already, `moved` ones
    have that of a row whose file is gone, `removed` rows belong to files that have vanished,
    `ignored` files have another extension, and `skipped` names each file without a fingerprint,
    with its reason. `uncroppable` names pictures in which no keypoint was found, being too small
    or without texture, where the index has crops: no part of them can be found again.
    """

    hashed: int = 0
    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    ignored: int = 0
    skipped: tuple[Skipped, ...] = ()
    uncroppable: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """Return how many of the given files are in the index with a fingerprint."""
        return self.hashed + self.unchanged + self.moved


Corners: TypeAlias = "tuple[int, int, int, int]"  # left, top, right, bottom
Fractions: TypeAlias = "tuple[float, float, float, float]"
Outline: TypeAlias = "tuple[tuple[float, float], ...]"
Affine: TypeAlias = "tuple[tuple[float, float, float], tuple[float, float, float]]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query image lies in a picture, and the evidence for that.

    `box` is the part of the picture that the query shows, in pixels; `fractions` is the same in
    fractions of its width and height. `outline` is where the corners of the query lie, from its top
    left on clockwise; they may be outside of the picture. `transform` takes pixels of the query to
    pixels of the picture: `x' = a x + b y + c`, `y' = d x + e y + f`. `inliers` keypoints agree
    with it; `correlation` (at most 1) is how much the two look alike there, and `agreement` is the
    share of blocks there in which they look the same. `mirrored` tells whether the query shows the
    picture as in a mirror.
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

    `stage` says why it matched: `digest` (the files are equal), `hash` (the fingerprints are equal,
    or within the `max_distance` that was asked for) or `crop` (one shows a part of the other, or
    all of it); `nearest` is no match, only the nearest of what remains.

    `distance` is what the index's metric says (Hamming bits by default); `similarity` is
    `1 - distance / most possible`, for display. `row` holds the other columns of the row. `place`,
    and its fields, are None where the crop stage found nothing.
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
        """Return where the corners of the query lie, in pixels of the picture."""
        return self.place.outline if self.place else None

    @property
    def transform(self) -> Affine | None:
        """Return the map from pixels of the query to pixels of the picture."""
        return self.place.transform if self.place else None

    @property
    def inliers(self) -> int | None:
        """Return how many keypoints agree with the transform."""
        return self.place.inliers if self.place else None

    @property
    def correlation(self) -> float | None:
        """Return how much the two look alike in the box, at most 1."""
        return self.place.correlation if self.place else None

    @property
    def agreement(self) -> float | None:
        """Return the share of blocks in the box in which the two look the same."""
        return self.place.agreement if self.place else None

    @property
    def mirrored(self) -> bool | None:
        """Tell whether the query shows the picture as in a mirror."""
        return self.place.mirrored if self.place else None


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Images with one and the same fingerprint: the fingerprint, and at least two paths."""

    fingerprint: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a group: what its row says of the file, and its distance from the keeper.

    `mtime_ns` is the modification time when the file was indexed. `sharpness` (the variance of the
    Laplacian) is None where nobody asked for it.
    """

    id: str
    path: str
    fingerprint: str
    distance: float = 0
    width: int = 0
    height: int = 0
    bytes: int = 0
    mtime_ns: int = 0
    format: str = ""
    information: float = 0.0
    file_digest: str = ""
    sharpness: float | None = None

    @property
    def pixels(self) -> int:
        """Return the number of pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Group:
    """Images that match each other: the keeper first, the others by their distance from it.

    `diameter` is the largest distance between two of them; `reason` says why the keeper was chosen.
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
    """Two images by their paths, and their distance; `grouped` says whether one group has both."""

    first: str
    second: str
    distance: float
    grouped: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person said of two pictures: `not-duplicate`, or `keep-both` where they are.

    The pictures are known by the digests of their pixels, `first` being the lower; the paths are
    those that were shown, at the time `decided` (ISO 8601, UTC).
    """

    first: str
    second: str
    verdict: str
    first_path: str = ""
    second_path: str = ""
    decided: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Two images one of which shows a part of the other, and where: `place` lies in `whole`.

    Both may be in groups, of which a link makes no other.
    """

    part: Member
    whole: Member
    place: Place


# What a plan may do with duplicates.
ACTIONS = ("move", "quarantine", "hardlink", "symlink", "copy-keepers", "delete")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan: what is to be done with one file.

    `action` is `keep` (nothing), `copy`, `move`, `quarantine`, `hardlink`, `symlink` or `delete`;
    `to` is where the file goes. Of a hardlink or symlink, `to` is where the file that is replaced
    goes, and is empty where it is equal to the keeper. `digest` is the SHA-256 of the file,
    `keeper_digest` that of the keeper, which must be there when anything happens to the file.
    `distance` is that of the fingerprints of the two.
    """

    group: int
    action: str
    path: str
    to: str = ""
    digest: str = ""
    bytes: int = 0
    keeper: str = ""
    keeper_digest: str = ""
    distance: float = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a plan, or of undoing one.

    `done` steps were carried out now, `earlier` ones by a run before this; `skipped` names each
    file that was left alone, with its reason. `bytes` were freed; `journal` tells how to go back.
    """

    done: int = 0
    earlier: int = 0
    bytes: int = 0
    skipped: tuple[Skipped, ...] = ()
    journal: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which way a query went.

    `way` is `packed codes` or `full scan`. Of a full scan, `reason` tells why. Of packed codes,
    `column`, `constant` and `metric` are those of the distance that was answered from memory,
    for so many `rows`; the query itself then ran over the `candidates`.
    """

    way: str
    reason: str = ""
    column: str = ""
    constant: str = ""
    metric: str = ""
    rows: int = 0
    candidates: int = 0
