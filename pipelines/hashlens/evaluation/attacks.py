"""Attacks: what happens to pictures before they are looked for, drawn from a seed.

::

    made = attack("crop50", image, seed=0, name="bridge.jpg")
    made.data  # the query, as it is written to a file
    made.box  # the part of the picture that it shows
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageEnhance

from hashlens.errors import ParameterError
from hashlens.evaluation import containing, cropping, geometric, photometric
from hashlens.evaluation.changes import Affine, Box, Change, Changed, whole
from hashlens.evaluation.drawings import QUALITY, Random, jpeg, stream


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """A query: a picture after an attack.

    data: the file, a JPEG
    transform: maps pixels of the query to pixels of the original
    box: the part of the original that the query shows, pixels
    kind: photometric, crop, geometric or contains (the query shows the whole and more)
    """

    data: bytes
    transform: Affine
    box: Box
    kind: str

    @property
    def image(self) -> Image.Image:
        """Return the decoded file."""
        return Image.open(BytesIO(self.data)).convert("RGB")


@dataclass(frozen=True, slots=True)
class Attack:
    """A way to change pictures.

    kind: as of `Attacked`
    change: what it does to a picture
    group: the heading under which tables sum it up
    quality: the JPEG quality of the result, 1 to 100
    """

    kind: str
    change: Change
    group: str
    quality: int = QUALITY

    def __call__(self, image: Image.Image, random: Random) -> Attacked:
        """Attack a picture, with numbers drawn from `random`."""
        original = image.convert("RGB")
        made = self.change(original, random)
        if not isinstance(made, Changed):
            made = whole(original, made)
        data = jpeg(made.image, self.quality)
        return Attacked(data, made.transform, made.box, self.kind)


def attack(method: str, image: Image.Image, *, seed: int, name: str) -> Attacked:
    """Attack a picture called `name`.

    The result depends on these arguments only, not on earlier calls. Raises ParameterError for an
    attack that is not in ATTACKS.
    """
    return find(method)(image, stream(seed, method, name))


def find(method: str) -> Attack:
    """Return the attack of this name; raises ParameterError if there is none."""
    if method not in ATTACKS:
        msg = f"no attack is named {method!r}; known are {', '.join(ATTACKS)}"
        raise ParameterError(msg)
    return ATTACKS[method]


def _photometric(change: Change, quality: int = QUALITY) -> Attack:
    return Attack("photometric", change, "photometric", quality)


def _enhanced(enhancer: type, factor: float) -> Attack:
    return _photometric(photometric.enhance(enhancer, factor))


_PERCENTAGES = (90, 80, 70, 50, 30, 20, 15)  # of the area that a crop keeps

ATTACKS: dict[str, Attack] = {
    "ident": _photometric(photometric.same),
    "jpeg75": _photometric(photometric.same, 75),
    "jpeg30": _photometric(photometric.same, 30),
    "jpeg10": _photometric(photometric.same, 10),
    "resize50": _photometric(photometric.resize(0.5, 0.5)),
    "resize25": _photometric(photometric.resize(0.25, 0.25)),
    "aspect80": _photometric(photometric.resize(0.8, 1)),
    "bright14": _enhanced(ImageEnhance.Brightness, 1.4),
    "bright06": _enhanced(ImageEnhance.Brightness, 0.6),
    "contrast15": _enhanced(ImageEnhance.Contrast, 1.5),
    "contrast06": _enhanced(ImageEnhance.Contrast, 0.6),
    "gamma05": _photometric(photometric.gamma(0.5)),
    "gamma20": _photometric(photometric.gamma(2.0)),
    "sat20": _enhanced(ImageEnhance.Color, 2.0),
    "gray": _photometric(photometric.gray),
    "blur2": _photometric(photometric.blur),
    "noise20": _photometric(photometric.noise),
    "text": _photometric(photometric.text),
    "pad": Attack("contains", containing.pad, "pad"),
    "letterbox": Attack("contains", containing.letterbox, "letterbox"),
    "screenshot": Attack("contains", containing.screenshot, "screenshot"),
    "collage": Attack("contains", containing.collage, "collage"),
    **{f"crop{n}": Attack("crop", cropping.crop(n / 100), f"crop {n}") for n in _PERCENTAGES},
    **{f"ccrop{n}": Attack("crop", cropping.centre(n / 100), f"crop {n}") for n in _PERCENTAGES},
    "article": Attack("crop", cropping.article, "article"),
    "strong50": Attack("crop", cropping.strong(0.5), "strong", 35),
    "strong30": Attack("crop", cropping.strong(0.3), "strong", 35),
    "fliph": Attack("geometric", geometric.flip_h, "flip"),
    "flipv": Attack("geometric", geometric.flip_v, "flip"),
    "rot90": Attack("geometric", geometric.rotate_90, "right angle"),
    "rot180": Attack("geometric", geometric.rotate_180, "right angle"),
    "rot270": Attack("geometric", geometric.rotate_270, "right angle"),
    **{f"rot{n}": Attack("geometric", geometric.rotate(n), f"rotate {n}") for n in (2, 5, 10, 20)},
}
