"""The queries of an evaluation, and how their pictures are read."""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple

from PIL import Image

from hashlens.evaluation.attacks import attack
from hashlens.evaluation.changes import Box
from hashlens.evaluation.drawings import background
from hashlens.images.decode import decode, read

# The roles of queries.
TUNING = "tuning"
SCORING = "scoring"
ABSENT = "pictures not in the database"
DRAWN = "drawn backgrounds"


class TrialQuery(NamedTuple):
    """A query picture: a file after an attack, a file as it is, or a drawn background.

    role: TUNING, SCORING, ABSENT or DRAWN
    name: name of the picture
    path: its file; empty for a background
    attack: name of the attack; empty if there is none
    right_rows: paths of the rows that show the same picture
    rank: number of the picture among those of its role, from 0
    """

    role: str
    name: str
    path: str
    attack: str
    right_rows: frozenset[str]
    rank: int

    def data(self, seed: int) -> tuple[bytes, Box | None]:
        """Return the file of the query, and the part of the original that it shows if it is a crop.

        There is no box for other attacks: a box of the whole picture proves little, since no match
        can reach beyond the picture.
        """
        if self.role == DRAWN:
            return background(self.name, seed=seed), None
        if not self.attack:
            return read(self.path), None
        made = attack(self.attack, read_picture(self.path), seed=seed, name=self.name)
        return made.data, made.box if made.kind == "crop" else None


def read_picture(path: str) -> Image.Image:
    """Return the picture of a file, upright and in RGB."""
    return decode(path).image.convert("RGB")


def read_query(data: bytes) -> Image.Image:
    """Return the picture of a query in RGB, as its file stores it."""
    return Image.open(BytesIO(data)).convert("RGB")
