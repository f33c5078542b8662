"""The frames of a file: pictures of an animation, pages, layers, sizes of an icon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hashlens.errors import ImageError
from hashlens.images.decode import loaded, opened

if TYPE_CHECKING:
    from PIL import Image

    from hashlens.images.pixels import Source

SAMPLED = 16  # frames of a file that are compared, at most
FIRST = (
    512  # they are spread over so many: to reach a frame of an animation, all before are decoded
)


class Frames:
    """The frames of an image file; the first one is the picture that `decode` gives.

    Of an MPO, which also holds previews, only pictures of the first one's size count. A PSD with
    layers counts as its picture and the layers. A PIL image is taken as it stands, as one frame.
    Raises ImageError for a file that is not an image, or whose frames cannot be counted.
    """

    def __init__(self, source: Source, *, name: str | None = None) -> None:
        self._image, self._name = opened(source, name)
        try:
            self._keys = range(1) if self._image is source else _keys(self._image)
        except Exception as error:
            # As for pixels: readers of formats raise whatever hostile bytes lead them to.
            msg = f"its frames cannot be counted: {str(error) or type(error).__name__}"
            raise ImageError(self._name, msg) from error

    def __len__(self) -> int:
        """Count the frames."""
        return len(self._keys)

    def exif(self) -> bytes:
        """Return the EXIF block, as far as the reader of the format has it with the header."""
        block = self._image.info.get("exif", b"")
        return block if isinstance(block, bytes) else b""

    def load(self, number: int) -> Image.Image:
        """Return a frame with its pixels, as it is in the file; good until the next is loaded.

        Animations are quick only from the first frame to the last. Raises ImageError.
        """
        try:
            frame = _frame(self._image, self._keys[number]) if number else self._image
            return loaded(frame, self._name)
        except Exception as error:
            reason = error.reason if isinstance(error, ImageError) else str(error)
            raise ImageError(self._name, f"frame {number + 1}: {reason}") from error


def sampled(count: int) -> list[int]:
    """Return the numbers of the frames to compare, of so many: all of them, or some, spread."""
    last = min(count, FIRST) - 1
    if last < SAMPLED:
        return list(range(last + 1))
    return [round(number * last / (SAMPLED - 1)) for number in range(SAMPLED)]


def _keys(image: Any) -> Sequence[Any]:
    """Return for each frame the key by which its format knows it."""
    if image.format == "ICO":
        return range(len(image.ico.entry))
    if image.format == "ICNS":
        return list(image.icns.itersizes())
    count = getattr(image, "n_frames", 1)
    if count < 2:
        return range(1)
    if image.format == "PSD":
        return [0, *range(2, count + 1), 1]  # layer 1 stands for the whole until another is loaded
    if image.format == "MPO":
        return _of_one_size(image, count)
    return range(count)


def _of_one_size(image: Any, count: int) -> list[int]:
    """Return the keys of the frames that have the size of the first."""
    sizes = []
    for key in range(count):
        image.seek(key)
        sizes.append(image.size)
    image.seek(0)
    return [key for key, size in enumerate(sizes) if size == sizes[0]]


def _frame(image: Any, key: Any) -> Any:
    """Return an image that shows another frame."""
    if image.format == "ICO":
        return image.ico.frame(key)
    if image.format == "ICNS":
        return image.icns.getimage(key)
    image.seek(key)
    return image
